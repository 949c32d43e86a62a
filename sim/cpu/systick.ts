// SysTick: a 24-bit down counter on HCLK or HCLK/8, kept as "reached zero at this cycle" plus a
// board timer. ARMv7-M B3.3.
import type { BoardTime, BoardTimer } from '../board-time.ts';

const CSR = { enable: 1, tickInt: 2, clkSource: 4, countFlag: 1 << 16 } as const;
/** RM0090: TENMS for 1 ms at the highest HCLK/8 (22.5 MHz); NOREF = 0, SKEW = 1 [I]. */
const CALIB = 0x40000000 | (22500 - 1);
const MASK24 = 0xffffff;

export interface SysTickSnapshot {
  csr: number;
  reload: number;
  countFlag: boolean;
  zeroAt: number;
  held: number;
  paused: boolean;
}

export class SysTick {
  readonly #time: BoardTime;
  readonly #timer: BoardTimer;
  readonly #expired: () => void;
  #csr = 0;
  #reload = 0;
  #countFlag = false;
  /** Cycle at which the counter shows 0 next; meaningful while counting. */
  #zeroAt = 0;
  /** Counter value while not counting. */
  #held = 0;
  #paused = false;

  constructor(time: BoardTime, expired: () => void) {
    this.#time = time;
    this.#expired = expired;
    this.#timer = time.timer('systick', () => this.#fire());
  }

  reset(): void {
    this.#csr = 0;
    this.#reload = 0;
    this.#held = 0;
    this.#countFlag = false;
    this.#timer.clear();
  }

  read(offset: number): number {
    switch (offset) {
      case 0: {
        const value = this.#csr | (this.#countFlag ? CSR.countFlag : 0);
        this.#countFlag = false;
        return value;
      }
      case 4:
        return this.#reload;
      case 8:
        return this.#current();
      default:
        return CALIB;
    }
  }

  write(offset: number, value: number): void {
    if (offset === 4) this.#reload = value & MASK24;
    if (offset === 8) {
      this.#countFlag = false;
      this.#restartAt(0);
    }
    if (offset === 0) {
      const current = this.#current();
      this.#csr = value & 7;
      this.#restartAt(current);
    }
  }

  /** Debug halt stops the counter; resume continues it. */
  pause(): void {
    if (this.#paused) return;
    this.#held = this.#current();
    this.#paused = true;
    this.#timer.clear();
  }
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#restartAt(this.#held);
  }
  /** The clock changed: cycles stay right, the timer's nanoseconds do not. */
  clockChanged(): void {
    if (this.#counting) this.#arm();
  }

  get #counting(): boolean {
    return (this.#csr & CSR.enable) !== 0 && !this.#paused;
  }
  get #divider(): number {
    return this.#csr & CSR.clkSource ? 1 : 8;
  }
  /** Counter value now. A counter at 0 loads RELOAD at its next tick. */
  #current(): number {
    if (!this.#counting) return this.#held;
    if (this.#zeroAt === Infinity) return 0;
    return Math.ceil((this.#zeroAt - this.#time.cycles) / this.#divider) % (this.#reload + 1);
  }
  /** Continues counting from `current`. */
  #restartAt(current: number): void {
    this.#held = current;
    if (!this.#counting) return this.#timer.clear();
    const ticks = current === 0 ? (this.#reload === 0 ? Infinity : this.#reload + 1) : current;
    this.#zeroAt = this.#time.cycles + ticks * this.#divider;
    this.#arm();
  }
  #arm(): void {
    if (this.#zeroAt === Infinity) return this.#timer.clear();
    const nsPerCycle = 1e9 / this.#time.hz;
    // A quarter cycle early: rounding must not push the timer behind its cycle.
    this.#timer.set(this.#time.now + (this.#zeroAt - this.#time.cycles - 0.25) * nsPerCycle);
  }
  #fire(): void {
    if (this.#time.cycles < this.#zeroAt) return this.#arm();
    this.#countFlag = true;
    const period = (this.#reload + 1) * this.#divider;
    const late = this.#time.cycles - this.#zeroAt;
    this.#zeroAt = this.#reload === 0 ? Infinity : this.#zeroAt + (Math.floor(late / period) + 1) * period;
    this.#arm();
    if (this.#csr & CSR.tickInt) this.#expired();
  }

  snapshot(): SysTickSnapshot {
    return {
      csr: this.#csr,
      reload: this.#reload,
      countFlag: this.#countFlag,
      zeroAt: this.#zeroAt,
      held: this.#held,
      paused: this.#paused,
    };
  }
  /** The timer itself is restored by BoardTime. */
  restore(from: SysTickSnapshot): void {
    this.#csr = from.csr;
    this.#reload = from.reload;
    this.#countFlag = from.countFlag;
    this.#zeroAt = from.zeroAt;
    this.#held = from.held;
    this.#paused = from.paused;
  }
}
