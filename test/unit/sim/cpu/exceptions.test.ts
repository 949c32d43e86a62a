// Exception entry, return, priorities, faults, escalation and lockup, against the architecture's figures.
import assert from 'node:assert/strict';
import { Machine, RAM, STACK_TOP } from './machine.ts';

const CFSR = 0xe000ed28;
const HFSR = 0xe000ed2c;
const BFAR = 0xe000ed38;
const SHCSR = 0xe000ed24;
const BKPT = 0xbe00;

/** A machine with debug on whose handler for `n` is a BKPT at 0x600 + 16 n. */
function withHandlers(...code: number[]): Machine {
  const machine = new Machine().place(0x400, ...code);
  for (let n = 2; n < 32; n++) {
    machine.vector(n, 0x601 + 16 * n);
    machine.place(0x600 + 16 * n, BKPT);
  }
  machine.start();
  machine.write(0xe000edf0, 0xa05f0001);
  return machine;
}
const stoppedIn = (machine: Machine): number => (machine.core.regs[15]! - 0x600) / 16;

describe('exceptions', () => {
  it('stacks the frame, keeps alignment and returns', () => {
    // svc 5; adds r0,#1; bkpt
    const machine = new Machine().place(0x400, 0xb081, 0xdf05, 0x3001, BKPT).place(0x500, 0x4671, 0x4770);
    machine.vector(11, 0x501);
    machine.start();
    machine.write(0xe000edf0, 0xa05f0001);
    const { regs } = machine.core;
    regs[0] = 7;
    regs[12] = 0x1212;
    regs[14] = 0x3434;
    machine.run(100);
    assert.equal(machine.core.halted, true);
    assert.equal(regs[0], 8);
    assert.equal(regs[1], 0, 'r1 comes back from the frame');
    assert.equal(regs[13], STACK_TOP - 4);
    const frame = (STACK_TOP - 4 - 32) & ~7;
    const words = Array.from({ length: 8 }, (_, i) => machine.read(frame + 4 * i));
    assert.deepEqual(words, [7, 0, 0, 0, 0x1212, 0x3434, 0x404, 0x01000200]);
  });

  it('shows EXC_RETURN and switches to MSP when an exception arrives on PSP', () => {
    // msr psp,r1; movs r0,#2; msr control,r0; svc 0
    const machine = withHandlers(0xf381, 0x8809, 0x2002, 0xf380, 0x8814, 0xdf00);
    machine.core.regs[1] = RAM + 0x1000;
    machine.run(100);
    assert.equal(stoppedIn(machine), 11);
    assert.equal(machine.core.regs[14], 0xfffffffd);
    assert.equal(machine.core.regs[13], STACK_TOP);
    assert.equal(machine.core.psp, RAM + 0x1000 - 32);
  });

  it('keeps ITSTATE through an interrupt in the middle of a block', () => {
    // cmp r0,r0; itttt eq; addeq r1,#1 x4; bkpt
    const machine = new Machine()
      .place(0x400, 0x4280, 0xbf01, 0x3101, 0x3101, 0x3101, 0x3101, BKPT)
      .place(0x500, 0x2900, 0x4770);
    machine.vector(16 + 5, 0x501);
    machine.start();
    machine.write(0xe000edf0, 0xa05f0001);
    machine.write(0xe000e100, 1 << 5);
    machine.steps(4);
    assert.equal(machine.core.regs[1], 2);
    machine.core.setIrq(5, true);
    machine.core.setIrq(5, false);
    machine.run(200);
    assert.equal(machine.core.regs[1], 4);
    assert.equal(machine.core.regs[15], 0x40c);
  });

  it('reports a load from a hole as a precise BusFault', () => {
    const machine = withHandlers(0x6801);
    machine.write(SHCSR, 0x70000);
    machine.core.regs[0] = 0x60000000;
    machine.run(50);
    assert.equal(stoppedIn(machine), 5);
    assert.equal(machine.read(CFSR), 0x8200);
    assert.equal(machine.read(BFAR), 0x60000000);
    assert.equal(machine.read(machine.core.regs[13]! + 24), 0x400);
  });

  it('reports a store to a hole as an imprecise BusFault', () => {
    const machine = withHandlers(0x6001, 0x3301, 0x3301);
    machine.write(SHCSR, 0x70000);
    machine.core.regs[0] = 0x60000000;
    machine.run(50);
    assert.equal(stoppedIn(machine), 5);
    assert.equal(machine.read(CFSR), 0x400);
    assert.equal(machine.read(machine.core.regs[13]! + 24), 0x402);
  });

  const USAGE = [
    { what: 'UDF', code: [0xde00], bits: 1 << 16 },
    { what: 'a floating-point instruction', code: [0xeeb0, 0x0a40], bits: 1 << 19 },
    { what: 'a branch to an even address', code: [0x4700], bits: 1 << 17 },
    { what: 'an unaligned LDM', code: [0xc802], bits: 1 << 24, r0: RAM + 2 },
    { what: 'an unaligned LDREX', code: [0xe850, 0x1f00], bits: 1 << 24, r0: RAM + 1 },
    { what: 'an unaligned LDR with UNALIGN_TRP', code: [0x6801], bits: 1 << 24, r0: RAM + 1, ccr: 0x208 },
    { what: 'division by zero with DIV_0_TRP', code: [0xfbb0, 0xf0f1], bits: 1 << 25, ccr: 0x210 },
  ];
  for (const { what, code, bits, r0 = 0, ccr = 0x200 } of USAGE) {
    it(`makes ${what} a UsageFault`, () => {
      const machine = withHandlers(...code);
      machine.write(SHCSR, 0x70000);
      machine.write(0xe000ed14, ccr);
      machine.core.regs[0] = r0;
      machine.run(50);
      assert.equal(stoppedIn(machine), 6);
      assert.equal(machine.read(CFSR), bits);
    });
  }

  it('escalates a disabled fault to HardFault with FORCED', () => {
    const machine = withHandlers(0xde00);
    machine.run(50);
    assert.equal(stoppedIn(machine), 3);
    assert.equal(machine.read(HFSR), 0x40000000);
  });

  it('makes a fetch from a peripheral region a MemManage fault and one from a hole a BusFault', () => {
    for (const { target, exception, bits } of [
      { target: 0x40000001, exception: 4, bits: 1 },
      { target: 0x10000001, exception: 5, bits: 0x100 },
    ]) {
      const machine = withHandlers(0x4700);
      machine.write(SHCSR, 0x70000);
      machine.core.regs[0] = target;
      machine.run(50);
      assert.equal(stoppedIn(machine), exception);
      assert.equal(machine.read(CFSR), bits);
    }
  });

  it('locks up on a fault inside HardFault, and a halt request gets it out', () => {
    const machine = new Machine().place(0x400, 0xde00).place(0x500, 0xde00);
    machine.vector(3, 0x501);
    machine.start().run(100);
    assert.equal(machine.core.lockedUp, true);
    assert.equal(machine.core.runnable, false);
    assert.equal(machine.read(0xe000edf0) & (1 << 19), 1 << 19);
    machine.write(0xe000edf0, 0xa05f0003);
    assert.equal(machine.core.halted, true);
  });

  it('locks up when the stack of a HardFault cannot be written', () => {
    const machine = new Machine().place(0x400, 0xde00);
    machine.vector(0, 0x60000000);
    machine.vector(3, 0x501);
    machine.start().run(100);
    assert.equal(machine.core.lockedUp, true);
  });

  it('shows a debugger an erased chip as real ones look: locked up in HardFault', () => {
    // OpenOCD on blank parts: "current mode: Handler HardFault, xPSR: 0x01000003 pc: 0xfffffffe msp: 0xffffffd8".
    const machine = new Machine();
    for (const number of [0, 1, 3]) machine.vector(number, -1);
    machine.start().run(100);
    assert.equal(machine.core.lockedUp, true);
    assert.equal(machine.core.xpsr, 0x01000003);
    assert.equal(machine.core.regs[15], 0xfffffffe);
    assert.equal(machine.core.msp, 0xffffffd8);
  });

  it('keeps the upper four bits of a priority, and none of an exception that does not exist', () => {
    const machine = new Machine().start();
    const shown = [0xe000ed18, 0xe000ed1c, 0xe000ed20, 0xe000e400].map((address) => {
      machine.write(address, -1);
      return machine.read(address) >>> 0;
    });
    assert.deepEqual(shown, [0x00f0f0f0, 0xf0000000, 0xf0f000f0, 0xf0f0f0f0]);
  });

  it('orders interrupts by priority, then number, and tail-chains', () => {
    // handlers append their IPSR to a list at r4: mrs r5,ipsr; str r5,[r4]; adds r4,#4; bx lr
    const handler = [0xf3ef, 0x8505, 0x6025, 0x3404, 0x4770];
    const machine = new Machine().place(0x400, 0xe7fe).place(0x500, ...handler);
    for (const irq of [1, 2, 3]) machine.vector(16 + irq, 0x501);
    machine.start();
    machine.core.regs[4] = RAM;
    machine.write(0xe000e400, 0x40204000);
    machine.write(0xe000e100, 0b1110);
    for (const irq of [3, 2, 1]) {
      machine.core.setIrq(irq, true);
      machine.core.setIrq(irq, false);
    }
    machine.run(200);
    assert.deepEqual([machine.read(RAM), machine.read(RAM + 4), machine.read(RAM + 8)], [18, 17, 19]);
  });

  it('holds interrupts back by PRIMASK until CPSIE', () => {
    const machine = withHandlers(0xb672, 0x3101, 0xb662, 0x3101, 0x3101);
    machine.write(0xe000e100, 1);
    machine.steps(1);
    machine.core.setIrq(0, true);
    machine.run(60);
    assert.equal(stoppedIn(machine), 16);
    assert.equal(machine.core.regs[1], 1);
    assert.equal(machine.read(machine.core.regs[13]! + 24), 0x406);
  });

  it('holds an interrupt of equal priority back by BASEPRI', () => {
    const machine = withHandlers(0x3101, 0x3101, 0xe7fe);
    machine.write(0xe000e400, 0x50);
    machine.write(0xe000e100, 1);
    machine.write(0xe000edf0, 0xa05f0003);
    machine.write(0xe000edf8, 0x5000);
    machine.write(0xe000edf4, 0x10014);
    machine.write(0xe000edf0, 0xa05f0001);
    machine.core.setIrq(0, true);
    machine.run(60);
    assert.equal(machine.core.regs[1], 2);
    assert.equal(machine.core.halted, false);
  });

  it('sleeps in WFI until an interrupt pends, without spending instructions', () => {
    const machine = withHandlers(0xbf30, 0x3101, 0xe7fe);
    machine.write(0xe000e100, 1);
    machine.run(1000);
    assert.equal(machine.core.runnable, false);
    assert.equal(machine.core.sleeping, true);
    machine.core.setIrq(0, true);
    assert.equal(machine.core.runnable, true);
    machine.run(50);
    assert.equal(stoppedIn(machine), 16);
  });

  it('runs a SysTick tick every RELOAD + 1 cycles, also on HCLK/8', () => {
    for (const { csr, period } of [
      { csr: 7, period: 1000 },
      { csr: 3, period: 8000 },
    ]) {
      const machine = new Machine().place(0x400, 0xe7fe).place(0x500, 0x3301, 0x4770);
      machine.vector(15, 0x501);
      machine.start();
      machine.write(0xe000e014, 999);
      machine.write(0xe000e018, 0);
      machine.write(0xe000e010, csr);
      let ticks = 0;
      for (let i = 0; i < 10; i++) {
        machine.run(period);
        if (machine.read(0xe000e010) & 0x10000) ticks++;
      }
      assert.equal(ticks, 10);
    }
  });
});
