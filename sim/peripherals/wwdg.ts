// Window watchdog, enough to bite: counter, window, early reload (RM0090 chapter 22). No early-wake-up interrupt.
import type { BoardTimer } from '../board-time.ts';
import { bit, RegisterBlock, type Context } from './part.ts';

const REG = { cr: 0x00, cfr: 0x04 } as const;
const ACTIVE = 7;

interface WwdgState {
  cr: number;
  cfr: number;
  /** When the counter was last loaded, ns. */
  loadedNs: number;
  /** Since when it has had no clock, ns. */
  frozenNs: number | undefined;
}

const fresh = (): WwdgState => ({ cr: 0x7f, cfr: 0x7f, loadedNs: 0, frozenNs: undefined });

export interface WwdgNeighbours {
  clockHz(): number;
  expired(): void;
}

export class Wwdg extends RegisterBlock<WwdgState> {
  readonly #near: WwdgNeighbours;
  readonly #timer: BoardTimer;

  constructor(context: Context, near: WwdgNeighbours) {
    super(context, fresh());
    this.#near = near;
    this.#timer = context.time.timer('wwdg', () => near.expired());
  }
  reset(): void {
    this.#timer.clear();
    this.state = fresh();
  }
  /** Stop mode takes its clock, or gives it back. */
  freeze(on: boolean): void {
    const { frozenNs, loadedNs } = this.state;
    const { now } = this.context.time;
    this.state.frozenNs = on ? now : undefined;
    if (on) return this.#timer.clear();
    if (frozenNs === undefined) return;
    this.state.loadedNs = loadedNs + now - frozenNs;
    this.#arm();
  }
  protected override load(offset: number): number {
    if (offset === REG.cr) return (this.state.cr & 0x80) | this.#counter;
    return offset === REG.cfr ? this.state.cfr : 0;
  }
  protected override store(offset: number, value: number): void {
    if (offset === REG.cfr) this.state.cfr = value & 0x3ff;
    if (offset === REG.cr) this.#load(value & 0xff);
  }
  #load(value: number): void {
    const running = bit(this.state.cr, ACTIVE);
    const early = running && this.#counter > (this.state.cfr & 0x7f);
    this.state.cr = value | (this.state.cr & 0x80);
    this.state.loadedNs = this.context.time.now;
    if (!bit(this.state.cr, ACTIVE)) return;
    if (early || (value & 0x40) === 0) return this.#near.expired();
    this.#arm();
  }
  #arm(): void {
    if (!bit(this.state.cr, ACTIVE)) return;
    this.#timer.set(this.state.loadedNs + ((this.state.cr & 0x7f) - 0x3f) * this.#tickNs);
  }
  get #tickNs(): number {
    return (4096 * (1 << ((this.state.cfr >>> 7) & 3)) * 1e9) / this.#near.clockHz();
  }
  get #counter(): number {
    if (!bit(this.state.cr, ACTIVE)) return this.state.cr & 0x7f;
    return ((this.state.cr & 0x7f) - Math.floor((this.context.time.now - this.state.loadedNs) / this.#tickNs)) & 0x7f;
  }
}
