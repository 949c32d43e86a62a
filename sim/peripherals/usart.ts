// USART1: bytes leave and arrive at the pace of the baud rate (RM0090 chapter 30; docs/reference/stm32f4.md §9).
import type { BoardTimer } from '../board-time.ts';
import type { Master } from '../bus.ts';
import { bit, RegisterBlock, type Context } from './part.ts';

const REG = { sr: 0x00, dr: 0x04, brr: 0x08, cr1: 0x0c } as const;
const SR = { ore: 0x08, rxne: 0x20, tc: 0x40, txe: 0x80 } as const;
const CR1 = { re: 2, te: 3, rxneie: 5, tcie: 6, txeie: 7, long: 12, enable: 13, over8: 15 } as const;
const IRQ = 37;

interface UsartState {
  words: Record<number, number>;
  sr: number;
  /** Byte being shifted out, byte waiting behind it, last byte received. */
  shifting: number | undefined;
  waiting: number | undefined;
  received: number;
  /** Bytes on their way in. */
  incoming: number[];
  clocked: boolean;
}

export class Usart extends RegisterBlock<UsartState> {
  /** Receives each byte once its last bit is out. */
  onByte: (byte: number) => void = () => {};
  readonly #clockHz: () => number;
  readonly #out: BoardTimer;
  readonly #in: BoardTimer;

  constructor(context: Context, clockHz: () => number) {
    super(context, {
      words: {},
      sr: SR.txe | SR.tc,
      shifting: undefined,
      waiting: undefined,
      received: 0,
      incoming: [],
      clocked: true,
    });
    this.#clockHz = clockHz;
    this.#out = context.time.timer('usart1 out', () => this.#shifted());
    this.#in = context.time.timer('usart1 in', () => this.#arrived());
  }
  reset(): void {
    this.#out.clear();
    this.#in.clear();
    const idle = { shifting: undefined, waiting: undefined, incoming: [], clocked: true };
    Object.assign(this.state, { words: {}, sr: SR.txe | SR.tc, ...idle });
    this.#update();
  }
  /** Stop mode takes its clock and gives it back; what arrives meanwhile is lost. */
  set clocked(on: boolean) {
    this.state.clocked = on;
  }
  /** Sends `bytes` to the chip, back to back from now on; lost while the receiver is off. */
  receive(bytes: Uint8Array): void {
    this.state.incoming.push(...bytes);
    if (this.#in.dueNs === Infinity) this.#in.set(this.context.time.now + this.#byteNs);
  }

  override pure(offset: number): boolean {
    return offset !== REG.dr;
  }
  protected override mergeBase(offset: number): number {
    return offset === REG.dr ? 0 : this.load(offset, 'debugger');
  }
  protected override load(offset: number, _master: Master): number {
    if (offset === REG.sr) return this.state.sr;
    if (offset !== REG.dr) return this.state.words[offset] ?? 0;
    this.state.sr &= ~(SR.rxne | SR.ore);
    this.#update();
    return this.state.received;
  }
  protected override store(offset: number, value: number): void {
    if (offset === REG.sr) this.state.sr &= value | ~(SR.tc | SR.rxne);
    else if (offset === REG.dr) this.#send(value & 0xff);
    else this.state.words[offset] = value & 0xffff;
    this.#update();
  }

  #cr1(index: number): boolean {
    return bit(this.state.words[REG.cr1] ?? 0, index);
  }
  get #byteNs(): number {
    const brr = this.state.words[REG.brr] ?? 0;
    const divider = this.#cr1(CR1.over8) ? ((brr >>> 4) * 8 + (brr & 7)) * 1 : brr;
    const bits = this.#cr1(CR1.long) ? 11 : 10;
    return (bits * Math.max(divider, 16) * 1e9) / this.#clockHz();
  }
  #send(byte: number): void {
    if (!this.#cr1(CR1.enable) || !this.#cr1(CR1.te)) return;
    this.state.sr &= ~(SR.txe | SR.tc);
    this.state.waiting = byte;
    if (this.state.shifting === undefined) this.#shift();
  }
  #shift(): void {
    this.state.shifting = this.state.waiting;
    this.state.waiting = undefined;
    this.state.sr |= SR.txe;
    this.#out.set(this.context.time.now + this.#byteNs);
  }
  #shifted(): void {
    const byte = this.state.shifting;
    this.state.shifting = undefined;
    if (this.state.waiting !== undefined) this.#shift();
    else this.state.sr |= SR.tc;
    this.#update();
    if (byte !== undefined) this.onByte(byte);
  }
  #arrived(): void {
    const byte = this.state.incoming.shift();
    if (this.state.incoming.length > 0) this.#in.set(this.context.time.now + this.#byteNs);
    if (byte === undefined || !this.state.clocked || !this.#cr1(CR1.enable) || !this.#cr1(CR1.re)) return;
    if (this.state.sr & SR.rxne) {
      this.state.sr |= SR.ore;
    } else {
      this.state.received = byte;
      this.state.sr |= SR.rxne;
    }
    this.#update();
  }
  #update(): void {
    const { sr } = this.state;
    const wanted =
      (this.#cr1(CR1.rxneie) ? SR.rxne | SR.ore : 0) |
      (this.#cr1(CR1.tcie) ? SR.tc : 0) |
      (this.#cr1(CR1.txeie) ? SR.txe : 0);
    this.context.setIrq(IRQ, (sr & wanted) !== 0);
  }
}
