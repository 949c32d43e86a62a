// RTC, as much as a wake-up and twenty backup words need: write protection, wake-up timer, BKP0R-19R
// (docs/reference/stm32f4.md §8.3, §8.5). The calendar stands still.
import type { BoardTimer } from '../board-time.ts';
import { BusFault, type Master } from '../bus.ts';
import { bit, RegisterBlock, type Context } from './part.ts';

const BASE = 0x40002800;
const REG = { cr: 0x08, isr: 0x0c, prer: 0x10, wutr: 0x14, wpr: 0x24, tafcr: 0x40, bkp0: 0x50, bkpLast: 0x9c } as const;
const RESET_WORDS: Readonly<Record<number, number>> = {
  0x04: 0x2101,
  [REG.isr]: 7,
  [REG.prer]: 0x7f00ff,
  [REG.wutr]: 0xffff,
};
const ISR = { wutwf: 2, wutf: 10 } as const;
const CR = { wute: 10, wutie: 14 } as const;
const KEYS = [0xca, 0x53] as const;
const WAKE_UP_IRQ_LINE = 22;

interface RtcState {
  words: Record<number, number>;
  /** Keys seen so far; 2 = open. */
  unlock: number;
}

export interface RtcNeighbours {
  backupWritable(): boolean;
  /** RTC clock, Hz, 0 while off. */
  clockHz(): number;
  refuses(master: Master): boolean;
  /** Level of EXTI line `line`. */
  line(line: number, high: boolean): void;
  wakeUp(): void;
}

/** Lives in the backup domain: no reset but that domain's own touches it. */
export class Rtc extends RegisterBlock<RtcState> {
  readonly #near: RtcNeighbours;
  readonly #timer: BoardTimer;

  constructor(context: Context, near: RtcNeighbours) {
    super(context, { words: { ...RESET_WORDS }, unlock: 0 });
    this.#near = near;
    this.#timer = context.time.timer('rtc wake-up', () => this.#wake());
  }
  reset(): void {
    this.state.unlock = 0;
  }
  resetBackupDomain(): void {
    this.#timer.clear();
    this.state = { words: { ...RESET_WORDS }, unlock: 0 };
    this.#near.line(WAKE_UP_IRQ_LINE, false);
  }
  override pure(): boolean {
    return true;
  }
  protected override load(offset: number, master: Master): number {
    const backup = offset >= REG.bkp0 && offset <= REG.bkpLast;
    if (backup && this.#near.refuses(master)) throw new BusFault(BASE + offset, 'backup registers are read protected');
    if (offset === REG.isr) return (this.#word(REG.isr) & ~4) | (bit(this.#word(REG.cr), CR.wute) ? 0 : 4);
    return offset === REG.wpr ? 0 : this.#word(offset);
  }
  protected override store(offset: number, value: number): void {
    if (!this.#near.backupWritable() || offset > REG.bkpLast) return;
    if (offset === REG.wpr) return this.#key(value & 0xff);
    const free = offset >= REG.tafcr;
    if (offset === REG.isr) return this.#storeIsr(value);
    if (!free && this.state.unlock !== KEYS.length) return;
    if (offset === REG.wutr && bit(this.#word(REG.cr), CR.wute)) return;
    this.state.words[offset] = value;
    if (offset === REG.cr) this.#follow();
  }
  #storeIsr(value: number): void {
    this.state.words[REG.isr] = this.#word(REG.isr) & (value | ~0x3f00);
    if (!bit(this.#word(REG.isr), ISR.wutf)) this.#near.line(WAKE_UP_IRQ_LINE, false);
  }
  #key(key: number): void {
    const { unlock } = this.state;
    this.state.unlock = key === KEYS[unlock] ? unlock + 1 : 0;
  }
  #follow(): void {
    if (!bit(this.#word(REG.cr), CR.wute)) this.#timer.clear();
    else if (this.#timer.dueNs === Infinity) this.#arm();
  }
  #arm(): void {
    const hz = this.#near.clockHz();
    if (hz > 0) this.#timer.set(this.context.time.now + this.#periodNs(hz));
  }
  #periodNs(hz: number): number {
    const select = this.#word(REG.cr) & 7;
    const count = this.#word(REG.wutr) & 0xffff;
    if (select < 4) return ((count + 1) * (16 >>> select) * 1e9) / hz;
    const prer = this.#word(REG.prer);
    const second = (((prer >>> 16) & 0x7f) + 1) * ((prer & 0x7fff) + 1);
    return ((count + 1 + (select >= 6 ? 0x10000 : 0)) * second * 1e9) / hz;
  }
  #wake(): void {
    this.state.words[REG.isr] = this.#word(REG.isr) | (1 << ISR.wutf);
    this.#arm();
    if (!bit(this.#word(REG.cr), CR.wutie)) return;
    this.#near.line(WAKE_UP_IRQ_LINE, true);
    this.#near.wakeUp();
  }
  #word(offset: number): number {
    return this.state.words[offset] ?? 0;
  }
}
