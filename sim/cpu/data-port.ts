// The core's data side: direct access to whole pages of memory, everything else by the bus. Unaligned accesses are
// split (docs/reference/cortex-m-debug.md §6); loads fault precisely, stores imprecisely (they are buffered), stores to
// the PPB precisely.
import { BusFault, type Width } from '../bus.ts';
import { type BusMap, PAGE_SHIFT, type View } from './bus-map.ts';
import { CpuFault } from './faults.ts';
import type { Mpu } from './mpu.ts';
import { CFSR, type CpuState, EXC } from './state.ts';

/** Sees data accesses while attached; every access then takes the slow path. */
export interface AccessObserver {
  read(address: number, width: Width, value: number): void;
  /** Called before the store. */
  write(address: number, width: Width, value: number): void;
}

export interface DataPortParts {
  readonly bus: BusMap;
  readonly mpu: Mpu;
  /** Unaligned accesses to Device memory are split, not refused. */
  readonly splitsDevice: boolean;
  /** A buffered store ended in a bus error at `address`. */
  readonly imprecise: (address: number) => void;
}

const CCR_UNALIGN_TRP = 1 << 3;

export class DataPort {
  /** CCR as far as data accesses care. */
  ccr = 0;
  /** Nobody observes: memory may be accessed past this port. */
  direct = true;
  readonly #s: CpuState;
  readonly #bus: BusMap;
  readonly #mpu: Mpu;
  readonly #splitsDevice: boolean;
  readonly #imprecise: (address: number) => void;
  readonly #nowhere: (View | undefined)[] = [];
  readonly #observers: AccessObserver[] = [];
  #readPages: (View | undefined)[];
  #writePages: (View | undefined)[];

  constructor(s: CpuState, { bus, mpu, splitsDevice, imprecise }: DataPortParts) {
    this.#s = s;
    this.#bus = bus;
    this.#mpu = mpu;
    this.#splitsDevice = splitsDevice;
    this.#imprecise = imprecise;
    this.#readPages = bus.readPages;
    this.#writePages = bus.writePages;
  }

  observe(observer: AccessObserver): void {
    if (!this.#observers.includes(observer)) this.#observers.push(observer);
    this.direct = false;
    this.#readPages = this.#nowhere;
    this.#writePages = this.#nowhere;
  }
  get observed(): boolean {
    return this.#observers.length > 0;
  }
  unobserve(observer: AccessObserver): void {
    const at = this.#observers.indexOf(observer);
    if (at >= 0) this.#observers.splice(at, 1);
    if (this.#observers.length > 0) return;
    this.direct = true;
    this.#readPages = this.#bus.readPages;
    this.#writePages = this.#bus.writePages;
  }

  /** Word at `address` as int32. */
  load32(address: number): number {
    const view = this.#readPages[address >>> PAGE_SHIFT];
    if (view !== undefined && (address & 3) === 0 && !view.gate.closed) return view.i32[(address - view.base) >>> 2]!;
    return this.#read(address, 4) | 0;
  }
  load16(address: number): number {
    const view = this.#readPages[address >>> PAGE_SHIFT];
    if (view !== undefined && (address & 1) === 0 && !view.gate.closed) return view.u16[(address - view.base) >>> 1]!;
    return this.#read(address, 2);
  }
  load8(address: number): number {
    const view = this.#readPages[address >>> PAGE_SHIFT];
    if (view !== undefined && !view.gate.closed) return view.u8[(address - view.base) >>> 0]!;
    return this.#read(address, 1);
  }
  store32(address: number, value: number): void {
    const view = this.#writePages[address >>> PAGE_SHIFT];
    if (view !== undefined && (address & 3) === 0 && !view.gate.closed) {
      const word = (address - view.base) >>> 2;
      view.i32[word] = value;
      if (view.codeMarks[word] !== 0) this.#bus.codeWritten(view.store, word << 2, 4);
    } else {
      this.#write(address, value, 4);
    }
  }
  store16(address: number, value: number): void {
    const view = this.#writePages[address >>> PAGE_SHIFT];
    if (view !== undefined && (address & 1) === 0 && !view.gate.closed) {
      const offset = (address - view.base) >>> 0;
      view.u16[offset >>> 1] = value;
      if (view.codeMarks[offset >>> 2] !== 0) this.#bus.codeWritten(view.store, offset, 2);
    } else {
      this.#write(address, value, 2);
    }
  }
  store8(address: number, value: number): void {
    const view = this.#writePages[address >>> PAGE_SHIFT];
    if (view !== undefined && !view.gate.closed) {
      const offset = (address - view.base) >>> 0;
      view.u8[offset] = value;
      if (view.codeMarks[offset >>> 2] !== 0) this.#bus.codeWritten(view.store, offset, 1);
    } else {
      this.#write(address, value, 1);
    }
  }

  /** LDM, LDRD and exclusives never split: a misaligned address faults. */
  requireAligned(address: number, width: Width): void {
    if (address & (width - 1)) throw new CpuFault(EXC.usageFault, CFSR.unaligned);
  }

  #read(address: number, width: Width): number {
    if (address & (width - 1)) return this.#readSplit(address, width);
    if (this.#mpu.on) this.#mpu.check(address, false);
    if (address >>> 20 === 0xe00) this.#checkPrivilege(address);
    let value: number;
    try {
      value = this.#bus.read(address, width, 'cpu');
    } catch (error) {
      throw preciseFault(error);
    }
    for (const observer of this.#observers) observer.read(address >>> 0, width, value);
    return value;
  }

  #write(address: number, value: number, width: Width): void {
    if (address & (width - 1)) return this.#writeSplit(address, value, width);
    if (this.#mpu.on) this.#mpu.check(address, true);
    for (const observer of this.#observers) observer.write(address >>> 0, width, value);
    const ppb = address >>> 20 === 0xe00;
    if (ppb) this.#checkPrivilege(address, width);
    try {
      this.#bus.write(address, value, width, 'cpu');
    } catch (error) {
      if (ppb || !(error instanceof BusFault)) throw preciseFault(error);
      this.#imprecise(error.address);
    }
    if (!this.#bus.isPlainMemory(address)) this.#s.attention = true;
  }

  #readSplit(address: number, width: Width): number {
    this.#splitAllowed(address);
    if (width === 2) return this.#read(address, 1) | (this.#read(address + 1, 1) << 8);
    if (address & 1) {
      return this.#read(address, 1) | (this.#read(address + 1, 2) << 8) | (this.#read(address + 3, 1) << 24);
    }
    return this.#read(address, 2) | (this.#read(address + 2, 2) << 16);
  }

  #writeSplit(address: number, value: number, width: Width): void {
    this.#splitAllowed(address);
    if (width === 2) {
      this.#write(address, value & 0xff, 1);
      this.#write(address + 1, (value >>> 8) & 0xff, 1);
    } else if (address & 1) {
      this.#write(address, value & 0xff, 1);
      this.#write(address + 1, (value >>> 8) & 0xffff, 2);
      this.#write(address + 3, value >>> 24, 1);
    } else {
      this.#write(address, value & 0xffff, 2);
      this.#write(address + 2, value >>> 16, 2);
    }
  }

  #splitAllowed(address: number): void {
    const device = !this.#splitsDevice && this.#mpu.isDevice(address);
    if (device || this.ccr & CCR_UNALIGN_TRP) throw new CpuFault(EXC.usageFault, CFSR.unaligned);
  }

  /** The PPB answers unprivileged code with a bus error, except STIR writes that CCR.USERSETMPEND allows. */
  #checkPrivilege(address: number, width?: Width): void {
    if (this.#s.privileged) return;
    if (width === 4 && address >>> 0 === 0xe000ef00 && this.ccr & 2) return;
    throw new CpuFault(EXC.busFault, CFSR.preciserr | CFSR.bfarvalid, address >>> 0);
  }
}

function preciseFault(error: unknown): unknown {
  if (!(error instanceof BusFault)) return error;
  return new CpuFault(EXC.busFault, CFSR.preciserr | CFSR.bfarvalid, error.address);
}
