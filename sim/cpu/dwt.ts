// Data watchpoint and trace: CYCCNT, PC sampling, four comparators (docs/reference/cortex-m-debug.md §4, DDI0403 C1.8).
import type { BoardTime } from '../board-time.ts';
import type { Device, Width } from '../bus.ts';
import { readIdBlock } from './coresight.ts';
import type { AccessObserver } from './data-port.ts';

const COMPARATORS = 4;
const CONTROL_ID = 0x40000000;
const CYCCNT_ENABLE = 1;
const MATCHED = 1 << 24;
const FUNCTION = { pcMatch: 4, read: 5, write: 6, readWrite: 7 } as const;

export interface DwtHooks {
  /** PC for DWT_PCSR; 0xFFFFFFFF while halted. */
  samplePc(): number;
  tracing(): boolean;
  counting(): boolean;
  /** A watchpoint matched. */
  trap(): void;
  /** Data watchpoints are in use (or no longer). */
  watchData(on: boolean): void;
  /** PC comparators changed. */
  pcChanged(address: number): void;
}

export interface DwtSnapshot {
  control: number;
  count: number;
  countBase: number;
  running: boolean;
  comparators: Uint32Array;
  masks: Uint32Array;
  functions: Uint32Array;
}

export class Dwt implements Device {
  readonly #time: BoardTime;
  readonly #hooks: DwtHooks;
  readonly #comparators = new Uint32Array(COMPARATORS);
  readonly #masks = new Uint32Array(COMPARATORS);
  readonly #functions = new Uint32Array(COMPARATORS);
  #control = 0;
  /** CYCCNT at cycle `countBase` while running, else its value. */
  #count = 0;
  #countBase = 0;
  #running = false;

  constructor(time: BoardTime, hooks: DwtHooks) {
    this.#time = time;
    this.#hooks = hooks;
  }

  powerOn(): void {
    this.#control = 0;
    this.#count = 0;
    this.#running = false;
    for (const bank of [this.#comparators, this.#masks, this.#functions]) bank.fill(0);
    this.#hooks.watchData(false);
  }

  /** Call after anything that may start or stop the cycle counter: enable bits, debug halt and resume. */
  updateCounting(): void {
    const run = (this.#control & CYCCNT_ENABLE) !== 0 && this.#hooks.tracing() && this.#hooks.counting();
    if (run === this.#running) return;
    this.#count = this.#cycleCount();
    this.#countBase = this.#time.cycles;
    this.#running = run;
  }

  /** Whether any comparator waits for an instruction address. */
  get stopsAtPc(): boolean {
    return this.#functions.some((f) => (f & 15) === FUNCTION.pcMatch);
  }
  /** Whether a PC comparator stops before the instruction at `pc`. */
  hits(pc: number): boolean {
    if (!this.#hooks.tracing()) return false;
    return this.#functions.some((f, i) => (f & 15) === FUNCTION.pcMatch && this.#matches(i, pc, 2));
  }

  read(offset: number): number {
    if (offset === 0) return CONTROL_ID | this.#control;
    if (offset === 4) return this.#cycleCount();
    if (offset === 0x1c) return this.#hooks.samplePc() >>> 0;
    const index = (offset - 0x20) >> 4;
    if (index < 0 || index >= COMPARATORS) return readIdBlock('dwt', offset, this.#hooks.tracing());
    switch (offset & 12) {
      case 0:
        return this.#comparators[index]!;
      case 4:
        return this.#masks[index]!;
      case 8: {
        const value = this.#functions[index]!;
        this.#functions[index]! &= ~MATCHED;
        return value;
      }
      default:
        return 0;
    }
  }

  write(offset: number, value: number, width: Width): void {
    if (width !== 4) return;
    if (offset === 0) {
      this.#control = value & 0x0fffffff;
      return this.updateCounting();
    }
    if (offset === 4) {
      this.#count = value >>> 0;
      this.#countBase = this.#time.cycles;
      return;
    }
    const index = (offset - 0x20) >> 4;
    if (index >= 0 && index < COMPARATORS) this.#writeComparator(index, offset & 12, value);
  }

  #writeComparator(index: number, register: number, value: number): void {
    const old = this.#comparators[index]!;
    if (register === 0) this.#comparators[index] = value;
    else if (register === 4) this.#masks[index] = value & 0xf;
    else if (register === 8) this.#functions[index] = value & 0x000ffdbf;
    for (const address of [old, this.#comparators[index]!]) this.#hooks.pcChanged(address & ~3);
    this.refresh();
  }
  /** Re-evaluates whether data accesses need watching (TRCENA or a comparator changed). */
  refresh(): void {
    const data = (f: number): boolean => (f & 15) >= FUNCTION.read && (f & 15) <= FUNCTION.readWrite;
    this.#hooks.watchData(this.#hooks.tracing() && this.#functions.some(data));
  }

  #cycleCount(): number {
    const passed = this.#running ? this.#time.cycles - this.#countBase : 0;
    return (this.#count + passed) % 0x100000000;
  }

  #matches(index: number, address: number, width: Width): boolean {
    const mask = 2 ** this.#masks[index]! - 1;
    const low = (this.#comparators[index]! & ~mask) >>> 0;
    return address < low + mask + 1 && address + width > low;
  }

  /** Lets the data port tell about the core's accesses. */
  readonly accesses: AccessObserver = {
    read: (address, width) => this.#observe(address, width, FUNCTION.read),
    write: (address, width) => this.#observe(address, width, FUNCTION.write),
  };

  #observe(address: number, width: Width, kind: 5 | 6): void {
    for (let i = 0; i < COMPARATORS; i++) {
      const f = this.#functions[i]! & 15;
      if ((f !== kind && f !== FUNCTION.readWrite) || !this.#matches(i, address, width)) continue;
      this.#functions[i]! |= MATCHED;
      this.#hooks.trap();
    }
  }

  snapshot(): DwtSnapshot {
    return {
      control: this.#control,
      count: this.#count,
      countBase: this.#countBase,
      running: this.#running,
      comparators: this.#comparators.slice(),
      masks: this.#masks.slice(),
      functions: this.#functions.slice(),
    };
  }
  restore(from: DwtSnapshot): void {
    for (const address of this.#comparators) this.#hooks.pcChanged(address & ~3);
    this.#control = from.control;
    this.#count = from.count;
    this.#countBase = from.countBase;
    this.#running = from.running;
    this.#comparators.set(from.comparators);
    this.#masks.set(from.masks);
    this.#functions.set(from.functions);
    for (const address of this.#comparators) this.#hooks.pcChanged(address & ~3);
    this.refresh();
  }
}
