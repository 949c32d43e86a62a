// Independent watchdog on the 32 kHz LSI; stands still while the core is halted if DBGMCU says so
// (docs/reference/stm32f4.md §8.6).
import type { BoardTimer } from '../board-time.ts';
import { LSI_HZ } from './clock-tree.ts';
import { RegisterBlock, type Context } from './part.ts';

const REG = { kr: 0x00, pr: 0x04, rlr: 0x08, sr: 0x0c } as const;
const KEY = { start: 0xcccc, reload: 0xaaaa, open: 0x5555 } as const;
const UPDATE_NS = (5 * 1e9) / LSI_HZ;

interface IwdgState {
  running: boolean;
  open: boolean;
  /** As written, and as in force. */
  pr: number;
  rlr: number;
  activePr: number;
  activeRlr: number;
  sr: number;
  /** Time left while frozen, ns. */
  frozenLeftNs: number | undefined;
}
const fresh = (): IwdgState => ({
  running: false,
  open: false,
  pr: 0,
  rlr: 0xfff,
  activePr: 0,
  activeRlr: 0xfff,
  sr: 0,
  frozenLeftNs: undefined,
});

export interface IwdgNeighbours {
  forceLsi(): void;
  expired(): void;
}

export class Iwdg extends RegisterBlock<IwdgState> {
  readonly #near: IwdgNeighbours;
  readonly #timer: BoardTimer;
  readonly #update: BoardTimer;

  constructor(context: Context, near: IwdgNeighbours) {
    super(context, fresh());
    this.#near = near;
    this.#timer = context.time.timer('iwdg', () => this.#near.expired());
    this.#update = context.time.timer('iwdg update', () => this.#takeOver());
  }
  reset(): void {
    this.#timer.clear();
    this.#update.clear();
    this.state = fresh();
  }
  get running(): boolean {
    return this.state.running;
  }
  /** Starts counting; only a reset stops it. */
  start(): void {
    if (this.state.running) return this.#reload();
    this.state.running = true;
    this.#near.forceLsi();
    if (this.state.sr !== 0) this.#update.set(this.context.time.now + UPDATE_NS);
    this.#reload();
  }
  /** The core halted (or ran on) with DBG_IWDG_STOP set. */
  freeze(frozen: boolean): void {
    const { now } = this.context.time;
    if (!this.state.running || frozen === (this.state.frozenLeftNs !== undefined)) return;
    if (frozen) {
      this.state.frozenLeftNs = this.#timer.dueNs - now;
      this.#timer.clear();
    } else {
      this.#timer.set(now + this.state.frozenLeftNs!);
      this.state.frozenLeftNs = undefined;
    }
  }
  override pure(): boolean {
    return true;
  }
  protected override load(offset: number): number {
    if (offset === REG.pr) return this.state.pr;
    if (offset === REG.rlr) return this.state.rlr;
    return offset === REG.sr ? this.state.sr : 0;
  }
  protected override store(offset: number, value: number): void {
    if (offset === REG.kr) return this.#key(value & 0xffff);
    if (!this.state.open) return;
    if (offset === REG.pr) this.state.pr = value & 7;
    else if (offset === REG.rlr) this.state.rlr = value & 0xfff;
    else return;
    this.state.sr |= offset === REG.pr ? 1 : 2;
    if (this.state.running) this.#update.set(this.context.time.now + UPDATE_NS);
  }
  #key(key: number): void {
    this.state.open = key === KEY.open;
    if (key === KEY.start) this.start();
    if (key === KEY.reload && this.state.running) this.#reload();
  }
  /** New prescaler and reload values count from the next reload on. */
  #takeOver(): void {
    this.state.activePr = this.state.pr;
    this.state.activeRlr = this.state.rlr;
    this.state.sr = 0;
  }
  #reload(): void {
    const { activePr, activeRlr } = this.state;
    const ns = ((activeRlr + 1) * (4 << Math.min(activePr, 6)) * 1e9) / LSI_HZ;
    if (this.state.frozenLeftNs === undefined) this.#timer.set(this.context.time.now + ns);
    else this.state.frozenLeftNs = ns;
  }
}
