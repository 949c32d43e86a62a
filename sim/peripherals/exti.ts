// External interrupt lines: masks, edges, software trigger, pending bits (RM0090 chapter 12 register layout).
import { bit, RegisterBlock, type Context } from './part.ts';

const REG = { imr: 0x00, emr: 0x04, rtsr: 0x08, ftsr: 0x0c, swier: 0x10, pr: 0x14 } as const;
const LINES = 23;
/** NVIC number by line; lines 5-9 and 10-15 share one. */
const IRQ_OF_LINE = [6, 7, 8, 9, 10, 23, 23, 23, 23, 23, 40, 40, 40, 40, 40, 40, 1, 41, 42, 62, 76, 2, 3] as const;
const IRQS = [...new Set<number>(IRQ_OF_LINE)];

interface ExtiState {
  words: Record<number, number>;
  levels: number;
}

export class Exti extends RegisterBlock<ExtiState> {
  constructor(context: Context) {
    super(context, { words: {}, levels: 0 });
  }
  reset(): void {
    this.state.words = {};
    this.#update();
  }
  /** Drives the input of `line`; an edge the registers ask for becomes pending. */
  setLine(line: number, high: boolean): void {
    if (bit(this.state.levels, line) === high) return;
    this.state.levels ^= 1 << line;
    if (bit(this.#word(high ? REG.rtsr : REG.ftsr), line)) this.#pend(1 << line);
  }
  override pure(): boolean {
    return true;
  }
  protected override mergeBase(offset: number): number {
    return offset === REG.pr ? 0 : this.#word(offset);
  }
  protected override load(offset: number): number {
    return this.#word(offset);
  }
  protected override store(offset: number, value: number): void {
    const lines = value & (2 ** LINES - 1);
    if (offset === REG.pr) this.#clear(lines);
    else if (offset === REG.swier) this.#trigger(lines);
    else if (offset < REG.swier) this.state.words[offset] = lines;
    this.#update();
  }
  #trigger(lines: number): void {
    const fresh = lines & ~this.#word(REG.swier) & this.#word(REG.imr);
    this.state.words[REG.swier] = this.#word(REG.swier) | lines;
    this.#pend(fresh);
  }
  #clear(lines: number): void {
    this.state.words[REG.pr] = this.#word(REG.pr) & ~lines;
    this.state.words[REG.swier] = this.#word(REG.swier) & ~lines;
  }
  #pend(lines: number): void {
    this.state.words[REG.pr] = this.#word(REG.pr) | lines;
    this.#update();
  }
  #update(): void {
    const live = this.#word(REG.pr) & this.#word(REG.imr);
    for (const irq of IRQS) {
      this.context.setIrq(
        irq,
        IRQ_OF_LINE.some((of, line) => of === irq && bit(live, line)),
      );
    }
  }
  #word(offset: number): number {
    return this.state.words[offset] ?? 0;
  }
}
