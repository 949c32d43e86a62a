// The FPv4-SP unit: registers, access control, and the floating-point context of exceptions with its lazy stacking
// (ARMv7-M B1.5.7, B3.2.20-B3.2.23). Instructions are in decode-fpu.ts.
import type { BusMap } from '../bus-map.ts';
import { BusFault } from '../../bus.ts';
import type { DecodeContext } from '../decode-context.ts';
import type { BoardTime } from '../../board-time.ts';
import { CpuFault } from '../faults.ts';
import type { FloatingPoint } from '../fpu-port.ts';
import type { Nvic } from '../nvic.ts';
import { CFSR, CONTROL_FPCA, type CpuState, EXC, type Op } from '../state.ts';
import { decodeFloat } from './decode-fpu.ts';
import { FPSCR } from './rounding.ts';

const FPCCR = {
  lspact: 1 << 0,
  user: 1 << 1,
  thread: 1 << 3,
  hardFaultReady: 1 << 4,
  memManageReady: 1 << 5,
  busFaultReady: 1 << 6,
  monitorReady: 1 << 8,
  lspen: 1 << 30,
  aspen: 1 << 31,
  /** What software may write. */
  writable: 0xc000017b | 0,
  reset: 0xc0000000 | 0,
} as const;
const FPDSCR_FIELDS = 0x07c00000;
const FRAME_WORDS = 18;
const SAVED = 16;
/** Cycles of moving seventeen words. */
const STACKING_CYCLES = 17;
const FPSCR_INDEX = 32;

export interface FpuParts {
  readonly s: CpuState;
  readonly bus: BusMap;
  readonly time: BoardTime;
  readonly nvic: Nvic;
  /** CPACR as it stands. */
  cpacr(): number;
}

interface FpuSnapshot {
  words: Int32Array;
  fpccr: number;
  fpcar: number;
  fpdscr: number;
}

export class Fpu implements FloatingPoint {
  readonly present = true;
  readonly words = new Int32Array(33);
  readonly #p: FpuParts;
  #fpccr: number = FPCCR.reset;
  #fpcar = 0;
  #fpdscr = 0;

  constructor(parts: FpuParts) {
    this.#p = parts;
  }

  get fpscr(): number {
    return this.words[FPSCR_INDEX]!;
  }
  set fpscr(value: number) {
    this.words[FPSCR_INDEX] = value;
  }

  decode(ctx: DecodeContext, hw1: number, hw2: number, pc: number): Op | undefined {
    return decodeFloat(ctx, this, hw1, hw2, pc);
  }

  /**
   * Before each floating-point instruction: access, then a context that waits to be stacked, then
   * a new context of our own.
   * @throws CpuFault NOCP, or what lazy stacking ran into
   */
  prepare(): void {
    const { s } = this.#p;
    if (!this.#allowed()) throw new CpuFault(EXC.usageFault, CFSR.nocp);
    if (this.#fpccr & FPCCR.lspact) this.#stackNow();
    if (this.#fpccr < 0 && (s.control & CONTROL_FPCA) === 0) {
      this.fpscr = this.#fpdscr;
      s.control |= CONTROL_FPCA;
    }
  }
  /** CPACR.CP10: 1 privileged only, 3 everybody. */
  #allowed(): boolean {
    const access = (this.#p.cpacr() >>> 20) & 3;
    return access === 3 || (access === 1 && this.#p.s.privileged);
  }

  frameWords(): number {
    return this.#p.s.control & CONTROL_FPCA ? FRAME_WORDS : 0;
  }

  stack(address: number): void {
    if ((this.#fpccr & FPCCR.lspen) === 0) {
      this.#save(address);
      return;
    }
    const { s, nvic } = this.#p;
    this.#fpcar = address & ~7;
    const priority = nvic.executionPriority;
    const ready = (exception: number): boolean => nvic.isEnabled(exception) && priority > nvic.groupPriority(exception);
    this.#fpccr =
      (this.#fpccr & (FPCCR.aspen | FPCCR.lspen)) |
      FPCCR.lspact |
      (s.privileged ? 0 : FPCCR.user) |
      (s.ipsr === 0 ? FPCCR.thread : 0) |
      (priority > -1 ? FPCCR.hardFaultReady : 0) |
      (ready(EXC.memManage) ? FPCCR.memManageReady : 0) |
      (ready(EXC.busFault) ? FPCCR.busFaultReady : 0) |
      (ready(EXC.debugMonitor) ? FPCCR.monitorReady : 0);
  }

  /** Lazy stacking, now that somebody needs the registers. */
  #stackNow(): void {
    this.#fpccr &= ~FPCCR.lspact;
    try {
      this.#save(this.#fpcar);
    } catch (error) {
      if (error instanceof BusFault) throw new CpuFault(EXC.busFault, CFSR.lsperr);
      throw error;
    }
  }
  #save(address: number): void {
    const { bus, time } = this.#p;
    for (let i = 0; i < SAVED; i++) bus.write(address + i * 4, this.words[i]! >>> 0, 4, 'cpu');
    bus.write(address + SAVED * 4, this.fpscr >>> 0, 4, 'cpu');
    time.cycles += STACKING_CYCLES;
  }

  unstack(address: number): void {
    if (this.#fpccr & FPCCR.lspact) {
      this.#fpccr &= ~FPCCR.lspact;
      return;
    }
    const { bus, time } = this.#p;
    for (let i = 0; i < SAVED; i++) this.words[i] = bus.read(address + i * 4, 4, 'cpu');
    this.fpscr = bus.read(address + SAVED * 4, 4, 'cpu') & FPSCR.mask;
    time.cycles += STACKING_CYCLES;
  }

  readRegister(dcrsr: number): number {
    if (dcrsr === 33) return this.fpscr;
    return dcrsr >= 64 && dcrsr < 96 ? this.words[dcrsr - 64]! : 0;
  }
  writeRegister(dcrsr: number, value: number): void {
    if (dcrsr === 33) this.fpscr = value & FPSCR.mask;
    else if (dcrsr >= 64 && dcrsr < 96) this.words[dcrsr - 64] = value;
  }

  readControl(offset: number): number {
    if (offset === 0xf34) return this.#fpccr;
    return offset === 0xf38 ? this.#fpcar : this.#fpdscr;
  }
  writeControl(offset: number, value: number): void {
    if (offset === 0xf34) this.#fpccr = value & FPCCR.writable;
    else if (offset === 0xf38) this.#fpcar = value & ~7;
    else this.#fpdscr = value & FPDSCR_FIELDS;
  }

  reset(): void {
    this.words.fill(0);
    this.#fpccr = FPCCR.reset;
    this.#fpcar = 0;
    this.#fpdscr = 0;
  }
  snapshot(): FpuSnapshot {
    return { words: this.words.slice(), fpccr: this.#fpccr, fpcar: this.#fpcar, fpdscr: this.#fpdscr };
  }
  restore(state: unknown): void {
    const from = state as FpuSnapshot;
    this.words.set(from.words);
    this.#fpccr = from.fpccr;
    this.#fpcar = from.fpcar;
    this.#fpdscr = from.fpdscr;
  }
}
