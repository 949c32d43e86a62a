// A bare core with 256 KB of RAM at 0x20000000 and 64 KB of read-only code at 0 for the core's own tests.
import { BoardTime } from '../../../../sim/board-time.ts';
import type { Memory } from '../../../../sim/bus.ts';
import { BusMap } from '../../../../sim/cpu/bus-map.ts';
import { CortexM4 } from '../../../../sim/cpu/cortex-m4.ts';

export const RAM = 0x20000000;
export const STACK_TOP = RAM + 0x30000;

export class Machine {
  readonly time = new BoardTime();
  readonly bus = new BusMap();
  readonly ram: Memory = { name: 'ram', base: RAM, bytes: new Uint8Array(0x40000), fetchable: true };
  readonly code: Memory = {
    name: 'code',
    base: 0,
    bytes: new Uint8Array(0x10000),
    fetchable: true,
    writes: { read: () => 0, write: () => undefined },
  };
  readonly core: CortexM4;
  resets = 0;

  constructor({ fpu = false }: { fpu?: boolean } = {}) {
    this.bus.addMemory(this.ram);
    this.bus.addMemory(this.code);
    this.core = new CortexM4({
      time: this.time,
      bus: this.bus,
      events: { systemResetRequested: () => this.resets++ },
      idcodePart: 0x419,
      fpu,
    });
    this.vector(0, STACK_TOP);
    this.vector(1, 0x401);
  }

  /** Sets entry `n` of the vector table at 0. */
  vector(n: number, value: number): void {
    new DataView(this.code.bytes.buffer).setUint32(n * 4, value, true);
  }
  /** Places half-words at `address` (code or RAM). */
  place(address: number, ...halfwords: number[]): this {
    const memory = address < 0x10000 ? this.code : this.ram;
    const view = new DataView(memory.bytes.buffer);
    halfwords.forEach((halfword, i) => view.setUint16(address - memory.base + i * 2, halfword, true));
    this.bus.invalidate(address, halfwords.length * 2);
    return this;
  }
  /** Power-on reset; execution starts at 0x400. */
  start(): this {
    this.core.enterReset('power');
    this.core.leaveReset();
    return this;
  }
  /** Runs `cycles` core cycles (or until the core stops being runnable). */
  run(cycles: number): this {
    this.time.advance(this.time.now + cycles * (1e9 / this.time.hz), this.core);
    return this;
  }
  /** Executes exactly `count` instructions by single cycle limits. */
  steps(count: number): this {
    for (let i = 0; i < count; i++) this.run(1);
    return this;
  }
  read(address: number): number {
    return this.bus.read(address, 4, 'debugger');
  }
  write(address: number, value: number): void {
    this.bus.write(address, value, 4, 'debugger');
  }
}
