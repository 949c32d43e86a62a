// What a debugger sees and can do: DHCSR, core registers, breakpoints, watchpoints, reset catch
// (docs/reference/cortex-m-debug.md §4, §5; docs/reference/stlink.md §3).
import assert from 'node:assert/strict';
import { Machine, RAM, STACK_TOP } from './machine.ts';

const DHCSR = 0xe000edf0;
const DFSR = 0xe000ed30;
const DEMCR = 0xe000edfc;
const S_HALT = 1 << 17;
const S_RESET_ST = 1 << 25;

function readRegister(machine: Machine, number: number): number {
  machine.write(0xe000edf4, number);
  return machine.read(0xe000edf8);
}
function writeRegister(machine: Machine, number: number, value: number): void {
  machine.write(0xe000edf8, value);
  machine.write(0xe000edf4, 0x10000 | number);
}
/** adds r0,#1 four times, then b . */
const counting = (): Machine => new Machine().place(0x400, 0x3001, 0x3001, 0x3001, 0x3001, 0xe7fe).start();

describe('debug', () => {
  it('halts, shows S_HALT and DFSR.HALTED, and continues', () => {
    const machine = counting();
    machine.write(DHCSR, 0xa05f0003);
    assert.equal(machine.core.halted, true);
    assert.equal(machine.read(DHCSR) & 0x3ffff, 0x30003);
    assert.equal(machine.read(DFSR), 1);
    machine.write(DFSR, 1);
    assert.equal(machine.read(DFSR), 0);
    machine.run(100);
    assert.equal(machine.core.regs[0], 0);
    machine.write(DHCSR, 0xa05f0001);
    machine.run(100);
    assert.equal(machine.core.regs[0], 4);
  });

  it('ignores DHCSR writes without the key, and C_DEBUGEN from the core itself', () => {
    const machine = counting();
    machine.write(DHCSR, 0x00000003);
    assert.equal(machine.core.halted, false);
    // str r1,[r0] with r1 = A05F0003
    const own = new Machine().place(0x400, 0x6001, 0xe7fe).start();
    own.core.regs[0] = DHCSR;
    own.core.regs[1] = 0xa05f0003;
    own.run(50);
    assert.equal(own.core.halted, false);
    assert.equal(own.read(DHCSR) & 0x2f, 0);
  });

  it('keeps S_RESET_ST until it is read once', () => {
    const machine = counting();
    assert.equal(machine.read(DHCSR) & S_RESET_ST, S_RESET_ST);
    assert.equal(machine.read(DHCSR) & S_RESET_ST, 0);
    machine.core.enterReset('system');
    assert.equal(machine.read(DHCSR) & S_RESET_ST, S_RESET_ST);
    assert.equal(machine.read(DHCSR) & S_RESET_ST, S_RESET_ST, 'reset still asserted');
  });

  it('steps one instruction at a time', () => {
    const machine = counting();
    machine.write(DHCSR, 0xa05f0003);
    for (const count of [1, 2, 3]) {
      machine.write(DHCSR, 0xa05f0005);
      machine.run(10);
      assert.equal(machine.core.halted, true);
      assert.equal(machine.core.regs[0], count);
      assert.equal(readRegister(machine, 15), 0x400 + 2 * count);
    }
  });

  it('steps over pending interrupts with C_MASKINTS and into them without', () => {
    for (const { mask, pc } of [
      { mask: 8, pc: 0x402 },
      { mask: 0, pc: 0x500 },
    ]) {
      const machine = counting();
      machine.vector(16, 0x501);
      machine.write(0xe000e100, 1);
      machine.write(DHCSR, 0xa05f0003);
      machine.write(DHCSR, (0xa05f0003 | mask) >>> 0);
      machine.core.setIrq(0, true);
      machine.write(DHCSR, (0xa05f0005 | mask) >>> 0);
      machine.run(40);
      assert.equal(readRegister(machine, 15), pc);
    }
  });

  it('transfers every core register while halted', () => {
    const machine = counting();
    machine.write(DHCSR, 0xa05f0003);
    for (const number of [0, 5, 12, 14]) {
      writeRegister(machine, number, 0x1000 + number);
      assert.equal(readRegister(machine, number), 0x1000 + number);
    }
    writeRegister(machine, 18, RAM + 0x100);
    assert.equal(readRegister(machine, 18), RAM + 0x100);
    assert.equal(readRegister(machine, 17), STACK_TOP);
    assert.equal(readRegister(machine, 13), STACK_TOP);
    writeRegister(machine, 20, 0x02015001);
    assert.equal(readRegister(machine, 20), 0x02015001);
    assert.equal(readRegister(machine, 13), RAM + 0x100, 'CONTROL.SPSEL selects PSP');
    writeRegister(machine, 16, 0xf1000000);
    assert.equal(readRegister(machine, 16), 0xf1000000);
    for (const number of [33, 64, 95]) assert.equal(readRegister(machine, number), 0);
    writeRegister(machine, 15, RAM);
    assert.equal(machine.core.regs[15], RAM);
  });

  it('stops at BKPT with C_HALT readable, or takes a HardFault without a debugger', () => {
    const machine = new Machine().place(0x400, 0x3001, 0xbe00).place(0x500, 0xe7fe);
    machine.vector(3, 0x501);
    machine.start();
    machine.write(DHCSR, 0xa05f0001);
    machine.run(20);
    assert.equal(machine.read(DHCSR) & 0x20003, 0x20003);
    assert.equal(machine.read(DFSR), 2);
    assert.equal(machine.core.regs[15], 0x402);
    machine.start();
    machine.run(50);
    assert.equal(machine.core.regs[15], 0x500);
    assert.equal(machine.read(0xe000ed2c), 0xc0000000);
  });

  it('fires a flash breakpoint on the very instruction it resumes at', () => {
    const machine = counting();
    machine.write(DHCSR, 0xa05f0003);
    assert.equal(machine.read(0xe0002000), 0x260);
    machine.write(0xe0002008, 0x40000401);
    machine.write(0xe0002000, 3);
    assert.equal(machine.read(0xe0002000), 0x261);
    machine.write(DHCSR, 0xa05f0001);
    machine.run(100);
    assert.equal(machine.core.halted, true);
    assert.equal(machine.core.regs[15], 0x400);
    assert.equal(machine.core.regs[0], 0);
  });

  it('honours REPLACE for the half-words of a word, survives system reset and can be removed', () => {
    for (const { comparator, stops } of [
      { comparator: 0x40000405, stops: 0x404 },
      { comparator: 0x80000405, stops: 0x406 },
      { comparator: 0xc0000405, stops: 0x404 },
    ]) {
      const machine = counting();
      machine.write(0xe0002000, 3);
      machine.write(0xe0002008, comparator);
      machine.core.enterReset('system');
      machine.core.leaveReset();
      machine.write(DHCSR, 0xa05f0001);
      machine.run(100);
      assert.equal(machine.core.regs[15], stops);
      machine.write(0xe0002008, 0);
      machine.write(DHCSR, 0xa05f0001);
      machine.run(100);
      assert.equal(machine.core.halted, false);
      assert.equal(machine.core.regs[0], 4);
    }
  });

  it('stops on data watchpoints by kind of access, also for partial overlap', () => {
    // strb r1,[r0,#2]; nop; ldr r2,[r0]; nop; b .
    const code = [0x7081, 0xbf00, 0x6802, 0xbf00, 0xe7fe];
    for (const { kind, pc } of [
      { kind: 5, pc: 0x406 },
      { kind: 6, pc: 0x402 },
      { kind: 7, pc: 0x402 },
    ]) {
      const machine = new Machine().place(0x400, ...code).start();
      machine.core.regs[0] = RAM;
      machine.write(DEMCR, 0x01000000);
      machine.write(DHCSR, 0xa05f0001);
      machine.write(0xe0001020, RAM + 2);
      machine.write(0xe0001024, 0);
      machine.write(0xe0001028, kind);
      machine.run(50);
      assert.equal(machine.core.halted, true);
      assert.equal(machine.core.regs[15], pc);
      assert.equal(machine.read(DFSR), 4);
      assert.equal(machine.read(0xe0001028), 0x01000000 + kind, 'MATCHED');
      assert.equal(machine.read(0xe0001028), kind, 'cleared by the read');
    }
  });

  it('counts cycles in CYCCNT while running and not while halted', () => {
    const machine = counting();
    machine.write(DEMCR, 0x01000000);
    machine.write(0xe0001000, 1);
    assert.equal(machine.read(0xe0001000), 0x40000001);
    machine.run(1000);
    const count = machine.read(0xe0001004);
    assert.ok(count >= 1000 && count < 1004);
    machine.write(DHCSR, 0xa05f0003);
    machine.run(1000);
    assert.equal(machine.read(0xe0001004), count);
  });

  it('catches reset and hard faults for the debugger', () => {
    const machine = new Machine().place(0x400, 0xde00).place(0x500, 0xe7fe);
    machine.vector(3, 0x501);
    machine.start();
    machine.write(DHCSR, 0xa05f0001);
    machine.write(DEMCR, 0x01000501);
    machine.core.enterReset('system');
    machine.core.leaveReset();
    assert.equal(machine.read(DHCSR) & (S_HALT | S_RESET_ST), S_HALT | S_RESET_ST);
    assert.equal(machine.read(DFSR), 8);
    assert.equal(machine.core.regs[15], 0x400);
    machine.write(DFSR, 8);
    machine.write(DHCSR, 0xa05f0001);
    machine.run(100);
    assert.equal(machine.core.halted, true);
    assert.equal(machine.core.regs[15], 0x500);
    assert.equal(machine.read(DFSR), 8);
  });

  it('asks for a system reset by AIRCR and forgets debug state at power-on only', () => {
    const machine = counting();
    machine.write(DHCSR, 0xa05f0001);
    machine.write(DEMCR, 0x01000001);
    machine.write(0xe000ed0c, 0x05fa0004);
    assert.equal(machine.resets, 1);
    machine.core.enterReset('system');
    assert.equal(machine.read(DEMCR), 0x01000001);
    assert.equal(machine.read(DHCSR) & 1, 1);
    machine.core.enterReset('power');
    assert.equal(machine.read(DEMCR), 0);
    assert.equal(machine.read(DHCSR) & 1, 0);
  });

  it('identifies core, components and chip', () => {
    const machine = counting();
    assert.equal(machine.read(0xe000ed00), 0x410fc241);
    assert.equal(machine.read(0xe000ef40), 0x10110021);
    assert.equal(machine.read(0xe000ef44), 0x11000011);
    assert.equal(machine.read(0xe000ed90), 0x800);
    const entries = Array.from({ length: 7 }, (_, i) => machine.read(0xe00ff000 + 4 * i));
    const components = entries.slice(0, 6).map((entry) => (0xe00ff000 + (entry & 0xfffff000)) >>> 0);
    assert.deepEqual(components, [0xe000e000, 0xe0001000, 0xe0002000, 0xe0000000, 0xe0040000, 0xe0041000]);
    assert.equal(entries[6], 0);
    const pidr = [0, 1, 2].map((n) => machine.read(0xe00fffe0 + 4 * n));
    assert.equal(pidr[0]! | ((pidr[1]! & 15) << 8), 0x419);
    assert.equal((pidr[1]! >> 4) | ((pidr[2]! & 7) << 4), 0x20);
    machine.write(0xe000edfc, 1 << 24);
    for (const base of [...components, 0xe00ff000]) {
      assert.deepEqual(
        [0, 2, 3].map((n) => machine.read(base + 0xff0 + 4 * n)),
        [0x0d, 0x05, 0xb1],
      );
    }
  });

  it('takes a snapshot that survives cloning and continues identically', () => {
    const make = (): Machine => new Machine().place(0x400, 0x3001, 0x4041, 0x1842, 0xe7fb).start();
    const first = make();
    first.run(1001);
    const saved = structuredClone({ core: first.core.snapshot(), time: first.time.snapshot() });
    const second = make();
    second.time.restore(saved.time);
    second.core.restore(saved.core);
    first.run(5003);
    second.run(5003);
    assert.deepEqual([...second.core.regs], [...first.core.regs]);
    assert.equal(second.core.xpsr, first.core.xpsr);
    assert.equal(second.time.cycles, first.time.cycles);
  });
});
