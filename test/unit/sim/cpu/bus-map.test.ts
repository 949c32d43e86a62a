// The address decoder: aliases, bit-bands, holes, write devices, stale code.
import assert from 'node:assert/strict';
import { BusFault } from '../../../../sim/bus.ts';
import { BusMap } from '../../../../sim/cpu/bus-map.ts';
import { Machine, RAM } from './machine.ts';

const memory = (name: string, base: number, length: number) => ({
  name,
  base,
  bytes: new Uint8Array(length),
  fetchable: true,
});

describe('bus map', () => {
  it('shows the aliased memory at 0 and nothing after the alias is gone', () => {
    const bus = new BusMap();
    const flash = memory('flash', 0x08000000, 0x10000);
    bus.addMemory(flash);
    flash.bytes.set([1, 2, 3, 4], 0x100);
    bus.setAlias(0, flash);
    assert.equal(bus.read(0x100, 4, 'cpu'), 0x04030201);
    bus.setAlias(0, undefined);
    assert.throws(() => bus.read(0x100, 4, 'cpu'), BusFault);
  });

  it('reads little endian in all widths and faults on misalignment and holes', () => {
    const bus = new BusMap();
    bus.addMemory(memory('ram', RAM, 0x1c000));
    bus.write(RAM + 4, 0x11223344, 4, 'debugger');
    assert.equal(bus.read(RAM + 4, 2, 'debugger'), 0x3344);
    assert.equal(bus.read(RAM + 7, 1, 'debugger'), 0x11);
    assert.throws(() => bus.read(RAM + 6, 4, 'debugger'), BusFault);
    assert.throws(() => bus.read(RAM + 0x1c000, 4, 'debugger'), BusFault);
  });

  it('maps each bit of SRAM and peripherals to an alias word', () => {
    const bus = new BusMap();
    bus.addMemory(memory('ram', RAM, 0x4000));
    bus.write(RAM + 0x104, 0x80000001, 4, 'cpu');
    const alias = 0x22000000 + 0x104 * 32;
    assert.deepEqual(
      [0, 1, 31].map((bit) => bus.read(alias + bit * 4, 4, 'cpu')),
      [1, 0, 1],
    );
    bus.write(alias + 5 * 4, 1, 4, 'cpu');
    bus.write(alias, 0, 4, 'cpu');
    assert.equal(bus.read(RAM + 0x104, 4, 'cpu'), 0x80000020);
    const writes: string[] = [];
    bus.addDevice(0x40020000, 0x400, { read: () => 0x100, write: (...args) => writes.push(args.join(' ')) }, 'GPIOA');
    bus.write(0x42000000 + 0x20014 * 32 + 4 * 3, 1, 4, 'cpu');
    assert.deepEqual(writes, [`${0x14} ${0x108} 4 cpu`]);
  });

  it('runs new code after the core or the debugger overwrote the old', () => {
    // adds r0,#1; b . in RAM, then patched to adds r0,#2
    const machine = new Machine().place(RAM, 0x3001, 0xe7fd);
    machine.vector(1, RAM | 1);
    machine.start().run(8);
    const before = machine.core.regs[0]!;
    assert.ok(before > 0);
    machine.bus.write(RAM, 0x3010, 2, 'debugger');
    machine.run(4);
    assert.ok(machine.core.regs[0]! >= before + 16);
    // movs r1,#0x20..: strh r1,[r2] over the instruction behind it
    const self = new Machine().place(RAM, 0x8011, 0x3001, 0xe7fc);
    self.vector(1, RAM | 1);
    self.start();
    self.core.regs[2] = RAM + 2;
    self.core.regs[1] = 0x3001;
    self.run(30);
    self.core.regs[0] = 0;
    self.core.regs[1] = 0x3050;
    self.run(5);
    assert.ok(self.core.regs[0]! >= 0x50);
  });

  it('stops fetching while the gate of the code memory is closed, and burns the time it takes', () => {
    const machine = new Machine();
    const gate = {
      closed: false,
      check: (_address: number) => {
        machine.time.stallUntil(machine.time.now + 62_500);
        gate.closed = false;
      },
    };
    machine.bus.addMemory({
      name: 'flash',
      base: 0x08000000,
      bytes: new Uint8Array(0x4000).fill(0),
      fetchable: true,
      gate,
    });
    machine.bus.addDevice(0x40000000, 0x400, { read: () => 0, write: () => (gate.closed = true) }, 'starter');
    // str r0,[r0]; adds r1,#1; b .
    machine.bus.viewAt(0x08000000)!.u16.set([0x6000, 0x3101, 0xe7fe]);
    machine.vector(1, 0x08000001);
    machine.start();
    machine.core.regs[0] = 0x40000000;
    machine.run(500);
    assert.equal(machine.core.regs[1], 0);
    assert.ok(machine.time.cycles >= 1000);
    machine.run(10);
    assert.equal(machine.core.regs[1], 1);
  });
});
