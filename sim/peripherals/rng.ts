// Random number generator: one word per 40 clocks of PLL48CLK, clock and seed error flags (docs/reference/stm32f4.md
// §7). The numbers come from a seeded generator, so runs repeat; faults are set from outside.
import type { BoardTimer } from '../board-time.ts';
import type { Master } from '../bus.ts';
import { bit, RegisterBlock, type Context } from './part.ts';
import { nextWord, randomState, type RandomState } from './random.ts';

const REG = { cr: 0x00, sr: 0x04, dr: 0x08 } as const;
const CR = { enable: 2, interrupt: 3 } as const;
const SR = { drdy: 0x01, cecs: 0x02, secs: 0x04, ceis: 0x20, seis: 0x40 } as const;
const CLOCKS_PER_WORD = 40;
const MAX_CLOCK_HZ = 48.5e6;
const IRQ = 80;

/**
 * Troubles on demand. stuck: DRDY never comes, no flag. no-clock: clock error. seed-error: SECS and SEIS, no words.
 * repeating: the same word again and again, no flag.
 */
export type RngFault = 'stuck' | 'no-clock' | 'seed-error' | 'repeating';

export interface RngNeighbours {
  readonly seed: number;
  /** PLL48CLK, Hz, 0 while it does not run. */
  clockHz(): number;
}
interface RngState {
  cr: number;
  sr: number;
  word: number;
  fault: RngFault | undefined;
  random: RandomState;
}

export class Rng extends RegisterBlock<RngState> {
  readonly #near: RngNeighbours;
  readonly #timer: BoardTimer;

  constructor(context: Context, near: RngNeighbours) {
    super(context, { cr: 0, sr: 0, word: 0, fault: undefined, random: randomState(near.seed, 'rng') });
    this.#near = near;
    this.#timer = context.time.timer('rng', () => this.#produce());
  }
  reset(): void {
    this.#timer.clear();
    Object.assign(this.state, { cr: 0, sr: 0, word: 0 });
    this.#update();
  }
  get fault(): RngFault | undefined {
    return this.state.fault;
  }
  set fault(fault: RngFault | undefined) {
    this.state.fault = fault;
    if (this.#enabled) this.#work();
  }
  /** The clock tree changed. */
  clockChanged(): void {
    if (this.#enabled) this.#work();
  }

  override pure(offset: number): boolean {
    return offset !== REG.dr;
  }
  protected override wordOnly(): boolean {
    return true;
  }
  protected override load(offset: number, _master: Master): number {
    if (offset === REG.cr) return this.state.cr;
    if (offset === REG.sr) return this.state.sr;
    return offset === REG.dr ? this.#take() : 0;
  }
  protected override store(offset: number, value: number): void {
    if (offset === REG.cr) {
      const was = this.#enabled;
      this.state.cr = value & 0xc;
      if (this.#enabled && !was) this.#restart();
      if (!this.#enabled) this.#timer.clear();
    }
    if (offset === REG.sr) this.state.sr &= value | ~(SR.ceis | SR.seis);
    this.#update();
  }

  get #enabled(): boolean {
    return bit(this.state.cr, CR.enable);
  }
  #take(): number {
    if ((this.state.sr & SR.drdy) === 0) return 0;
    this.state.sr &= ~SR.drdy;
    if (this.#enabled) this.#work();
    this.#update();
    return this.state.word;
  }
  #restart(): void {
    this.state.sr &= ~SR.secs;
    this.#work();
  }
  /** Sets out for the next word, or raises the error that forbids it. */
  #work(): void {
    const { state } = this;
    const hz = state.fault === 'no-clock' ? 0 : this.#near.clockHz();
    if (hz > MAX_CLOCK_HZ) this.context.warn(`RNG clock ${hz / 1e6} MHz exceeds 48 MHz`);
    const tooSlow = hz < this.context.time.hz / 16;
    state.sr = tooSlow ? state.sr | SR.cecs | SR.ceis : state.sr & ~SR.cecs;
    if (state.fault === 'seed-error') state.sr |= SR.secs | SR.seis;
    const barred = tooSlow || state.fault === 'stuck' || (state.sr & (SR.secs | SR.drdy)) !== 0;
    if (barred) this.#timer.clear();
    else this.#timer.set(this.context.time.now + (CLOCKS_PER_WORD * 1e9) / hz);
    this.#update();
  }
  #produce(): void {
    const { state } = this;
    if (state.fault !== 'repeating') state.word = nextWord(state.random);
    state.sr |= SR.drdy;
    this.#update();
  }
  #update(): void {
    const { sr, cr } = this.state;
    this.context.setIrq(IRQ, bit(cr, CR.interrupt) && (sr & (SR.drdy | SR.ceis | SR.seis)) !== 0);
  }
}
