// A polling loop must be skippable without changing anything anybody can see: registers, memory, cycle of every event.
import assert from 'node:assert/strict';
import type { Device } from '../../../../sim/bus.ts';
import { Machine, RAM } from './machine.ts';

const STATUS = 0x40023c0c;

/** ldr r1,[r0]; tst r1,r2; bne loop; mrs-free tail: adds r3,#1; b . */
const POLL = [0x6801, 0x4211, 0xd1fc, 0x3301, 0xe7fe];

function polling(pure: boolean, skip: boolean): { machine: Machine; trace: string[] } {
  const machine = new Machine();
  let busy = true;
  const device: Device = { read: () => (busy ? 0x10000 : 0), write: () => undefined };
  if (pure) device.pure = () => true;
  machine.bus.addDevice(0x40023c00, 0x400, device, 'FLASH');
  const timer = machine.time.timer('done', () => {
    busy = false;
  });
  machine.place(0x400, ...POLL).start();
  machine.core.idleSkip = skip;
  machine.core.regs[0] = STATUS;
  machine.core.regs[2] = 0x10000;
  timer.set(16_384_123);
  const trace: string[] = [];
  for (let i = 0; i < 40; i++) {
    machine.run(7919);
    trace.push(`${machine.time.cycles} ${[...machine.core.regs].join(' ')} ${machine.core.xpsr}`);
  }
  return { machine, trace };
}

describe('idle loops', () => {
  it('gives the same trace with skipping on and off, for a pure status register', () => {
    const on = polling(true, true);
    const off = polling(true, false);
    assert.deepEqual(on.trace, off.trace);
    assert.equal(off.machine.core.idleTurnsSkipped, 0);
    assert.ok(on.machine.core.idleTurnsSkipped > 30_000);
    assert.equal(on.machine.core.regs[3], 1);
  });

  it('never skips over a device that does not declare itself pure', () => {
    const on = polling(false, true);
    // The tail's `b .` is a loop that reads nothing; until the status turns, nothing may be skipped.
    assert.deepEqual(on.trace, polling(false, false).trace);
    const busyTurns = Math.floor(262_146 / 6);
    assert.ok(on.machine.core.idleTurnsSkipped < 320_000 / 3 - busyTurns / 2);
  });

  it('sees a debugger write to the polled RAM word on the very next run', () => {
    const machine = new Machine().place(0x400, 0x6801, 0x2900, 0xd0fc, 0x3301, 0xbe00).start();
    machine.core.regs[0] = RAM;
    machine.run(1_000_000);
    assert.ok(machine.core.idleTurnsSkipped > 100_000);
    machine.write(RAM, 5);
    machine.write(0xe000edf0, 0xa05f0001);
    machine.run(20);
    assert.equal(machine.core.halted, true);
    assert.equal(machine.core.regs[3], 1);
  });

  it('runs every turn of a loop that counts in memory', () => {
    // ldr r1,[r0]; adds r1,#1; str r1,[r0]; b loop = 2 + 1 + 1 + 3 cycles
    const machine = new Machine().place(0x400, 0x6801, 0x3101, 0x6001, 0xe7fb).start();
    machine.core.regs[0] = RAM;
    machine.run(7000);
    assert.equal(machine.core.idleTurnsSkipped, 0);
    assert.equal(machine.read(RAM), 1000);
  });

  it('runs every turn of a loop that reads CYCCNT', () => {
    const machine = new Machine().place(0x400, 0x6801, 0xe7fd).start();
    machine.core.regs[0] = 0xe0001004;
    machine.run(10_000);
    assert.equal(machine.core.idleTurnsSkipped, 0);
  });

  it('sees a SysTick that cannot be taken become pending at the same cycle, polled in ICSR with skipping on and off', () => {
    // ldr r1,[r0]; tst r1,r2; beq loop; adds r3,#1; b .
    const polled = (skip: boolean): { seen: string[]; skipped: number } => {
      const machine = new Machine().place(0x400, 0x6801, 0x4211, 0xd0fc, 0x3301, 0xe7fe).start();
      machine.core.idleSkip = skip;
      machine.write(0xe000e014, 99_999);
      machine.write(0xe000e018, 0);
      machine.write(0xe000e010, 7);
      machine.core.regs[0] = 0xe000ed04;
      machine.core.regs[2] = 1 << 26;
      machine.place(0x3fe, 0xb672); // cpsid i
      machine.core.regs[15] = 0x3fe;
      const seen: string[] = [];
      for (let i = 0; i < 30; i++) {
        machine.run(3989);
        seen.push(`${machine.time.cycles} ${machine.core.regs[1]} ${machine.core.regs[3]}`);
      }
      return { seen, skipped: machine.core.idleTurnsSkipped };
    };
    const on = polled(true);
    assert.deepEqual(on.seen, polled(false).seen);
    assert.ok(on.skipped > 10_000);
    assert.ok(on.seen.at(-1)!.endsWith(' 1'));
  });

  it('lets a SysTick interrupt in at the same cycle with skipping on and off', () => {
    const cycleOfEntry = (skip: boolean): number[] => {
      const machine = new Machine().place(0x400, 0xe7fe).place(0x500, 0x3401, 0x4770);
      machine.vector(15, 0x501);
      machine.start();
      machine.core.idleSkip = skip;
      machine.write(0xe000e014, 9_999);
      machine.write(0xe000e018, 0);
      machine.write(0xe000e010, 7);
      const seen: number[] = [];
      for (let count = 0; seen.length < 5;) {
        machine.run(1);
        if (machine.core.regs[4] !== count) {
          count = machine.core.regs[4]!;
          seen.push(machine.time.cycles);
        }
      }
      return seen;
    };
    const off = cycleOfEntry(false);
    assert.deepEqual(cycleOfEntry(true), off);
    assert.ok(off[0]! > 10_000 && off[0]! < 10_030);
  });
});
