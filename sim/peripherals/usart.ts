// A serial port: bytes leave and arrive at the pace of the baud rate, sampled as the receiver does it, with the flags
// of what went wrong (RM0090 chapter 30; docs/reference/stm32f4.md §9). Asynchronous mode; what else the block can do
// is not modelled and says so.
import type { Master } from '../bus.ts';
import {
  bitsOf,
  characterOf,
  SAMPLES,
  sampleCharacter,
  sampledBy,
  type Format,
  type Sampling,
} from '../serial/character.ts';
import { freshPeer, SerialPeer, type PeerState } from '../serial/serial-peer.ts';
import { forget, nextFall, type Character } from '../serial/wire.ts';
import { DueTimes, type Due } from './due-times.ts';
import type { DmaRequest } from './dma.ts';
import { bit, RegisterBlock, type Context } from './part.ts';
import { randomState } from './random.ts';
import { USARTS, type UsartName } from './usart-table.ts';

const REG = { sr: 0x00, dr: 0x04, brr: 0x08, cr1: 0x0c, cr2: 0x10, cr3: 0x14 } as const;
const SR = { pe: 0x01, fe: 0x02, nf: 0x04, ore: 0x08, idle: 0x10, rxne: 0x20, tc: 0x40, txe: 0x80 } as const;
/** Flags that a read of SR followed by a read of DR clears. */
const BY_READING = SR.pe | SR.fe | SR.nf | SR.ore | SR.idle;
/** Flags that writing 0 clears. */
const BY_WRITING = SR.rxne | SR.tc;
const CR1 = {
  break: 0,
  mute: 1,
  re: 2,
  te: 3,
  idleie: 4,
  rxneie: 5,
  tcie: 6,
  txeie: 7,
  peie: 8,
  odd: 9,
  parity: 10,
  long: 12,
  enable: 13,
  over8: 15,
} as const;
const CR3 = { eie: 0, dmar: 6, dmat: 7, onebit: 11 } as const;
/** LINEN and CLKEN of CR2; IREN, HDSEL, SCEN, RTSE and CTSE of CR3. */
const NOT_MODELLED = { [REG.cr2]: 0x4800, [REG.cr3]: 0x032a } as const;
const STOP_BITS = [1, 0.5, 2, 1.5] as const;

/** Bytes that the transmitter takes at once: one being shifted out, one behind it. */
const MOST_ITEMS = 2;

type DueEvent = 'out' | 'in' | 'idle' | 'heard' | 'noise';

interface UsartState {
  words: Record<number, number>;
  sr: number;
  /** Flags that the last read of SR showed. */
  seen: number;
  /** Byte being shifted out, byte waiting behind it, last byte received. */
  shifting: number | undefined;
  waiting: number | undefined;
  received: number;
  /** Falling edge of the character under way, and from when on the next one is looked for. */
  edgeNs: number;
  listenFromNs: number;
  clocked: boolean;
  due: Due<DueEvent>;
  peer: PeerState;
}

export interface UsartNeighbours {
  readonly seed: number;
  /** Clock of its APB bus, Hz. */
  clockHz(apb: 1 | 2): number;
  /** Whether `pin`, such as PA9, has alternate function `alternate`. */
  hasPin(pin: string, alternate: number): boolean;
  /** Moves one item by DMA; false when no stream waits for this request. */
  dma(request: DmaRequest): boolean;
}

const NOTHING_DUE: Due<DueEvent> = { out: Infinity, in: Infinity, idle: Infinity, heard: Infinity, noise: Infinity };

export class Usart extends RegisterBlock<UsartState> {
  /** Receives each byte once its last bit is out, whatever is connected. */
  onByte: (byte: number) => void = () => {};
  /** The other end of its wires. */
  readonly peer: SerialPeer;
  readonly #name: UsartName;
  readonly #near: UsartNeighbours;
  readonly #due: DueTimes<DueEvent>;
  /** DMA is moving an item, which comes back here by the bus. */
  #asking = false;

  constructor(context: Context, name: UsartName, near: UsartNeighbours) {
    super(context, {
      words: {},
      sr: SR.txe | SR.tc,
      seen: 0,
      shifting: undefined,
      waiting: undefined,
      received: 0,
      edgeNs: Infinity,
      listenFromNs: -Infinity,
      clocked: true,
      due: { ...NOTHING_DUE },
      peer: freshPeer(randomState(near.seed, name)),
    });
    this.#name = name;
    this.#near = near;
    this.#due = new DueTimes(context.time, name, () => this.state.due, {
      out: () => this.#shifted(),
      in: () => this.#sampled(),
      idle: () => this.#idled(),
      heard: () => this.peer.heard(),
      noise: () => this.peer.disturb(),
    });
    this.peer = new SerialPeer({
      state: () => this.state.peer,
      now: () => context.time.now,
      chipBitNs: () => this.#bitNs,
      pinIsOurs: (pin) => near.hasPin(pin, USARTS[name].alternate),
      wireChanged: () => this.#listen(),
      hearAt: (ns) => this.#due.set('heard', ns),
      disturbAt: (ns) => this.#due.set('noise', ns),
    });
  }
  reset(): void {
    for (const waiting of ['out', 'in', 'idle'] as const) this.#due.clear(waiting);
    if (this.state.shifting !== undefined) this.peer.chipFallsSilent();
    const { state } = this;
    state.words = {};
    state.sr = SR.txe | SR.tc;
    state.seen = 0;
    state.shifting = undefined;
    state.waiting = undefined;
    state.edgeNs = Infinity;
    state.clocked = true;
    this.#update();
  }
  /** Stop mode takes its clock and gives it back; what arrives meanwhile is lost. */
  set clocked(on: boolean) {
    this.state.clocked = on;
    this.#receiverMayHaveChanged(!on);
  }
  /** Sends `bytes` to the chip, back to back from now on; lost while the receiver is off. */
  receive(bytes: Uint8Array): void {
    this.peer.send(bytes);
  }

  override pure(offset: number): boolean {
    return offset !== REG.dr;
  }
  protected override mergeBase(offset: number): number {
    return offset === REG.dr ? 0 : this.#word(offset);
  }
  protected override load(offset: number, _master: Master): number {
    if (offset === REG.sr) this.state.seen = this.state.sr & BY_READING;
    if (offset !== REG.dr) return this.#word(offset);
    this.state.sr &= ~(SR.rxne | this.state.seen);
    this.state.seen = 0;
    const { received } = this.state;
    this.#update();
    return received;
  }
  protected override store(offset: number, value: number): void {
    if (offset === REG.sr) this.state.sr &= value | ~BY_WRITING;
    else if (offset === REG.dr) this.#send(value & 0x1ff);
    else this.#configure(offset, value & 0xffff);
    this.#update();
  }

  #configure(offset: number, value: number): void {
    const wasOff = !this.#receives;
    if (offset in NOT_MODELLED && (value & NOT_MODELLED[offset as keyof typeof NOT_MODELLED]) !== 0) {
      this.context.warn(`${this.#name}: a mode that is not modelled is switched on`);
    }
    if (offset === REG.cr1 && bit(value, CR1.mute)) this.context.warn(`${this.#name}: mute mode is not modelled`);
    this.state.words[offset] = value;
    if (offset !== REG.cr1) return;
    this.#receiverMayHaveChanged(wasOff);
    if (bit(value, CR1.break) && this.state.shifting === undefined) this.#shift();
  }
  #word(offset: number): number {
    return offset === REG.sr ? this.state.sr : (this.state.words[offset] ?? 0);
  }
  #cr1(index: number): boolean {
    return bit(this.#word(REG.cr1), index);
  }
  #cr3(index: number): boolean {
    return bit(this.#word(REG.cr3), index);
  }
  /** Length of a bit, ns. */
  get #bitNs(): number {
    const brr = this.#word(REG.brr);
    const over8 = this.#cr1(CR1.over8);
    const divider = over8 ? (brr >>> 4) * 8 + (brr & 7) : brr;
    return (Math.max(divider, over8 ? 8 : 16) * 1e9) / this.#near.clockHz(USARTS[this.#name].apb);
  }
  get #format(): Format {
    return {
      dataBits: this.#cr1(CR1.long) ? 9 : 8,
      parity: !this.#cr1(CR1.parity) ? 'none' : this.#cr1(CR1.odd) ? 'odd' : 'even',
      stopBits: STOP_BITS[(this.#word(REG.cr2) >>> 12) & 3]!,
    };
  }
  get #sampling(): Sampling {
    const once = this.#cr3(CR3.onebit);
    const samples = this.#cr1(CR1.over8) ? SAMPLES[once ? 'by8Once' : 'by8'] : SAMPLES[once ? 'by16Once' : 'by16'];
    return { ...this.#format, bitNs: this.#bitNs, samples };
  }

  #send(data: number): void {
    if (!this.#cr1(CR1.enable) || !this.#cr1(CR1.te)) return;
    this.state.sr &= ~(SR.txe | SR.tc);
    this.state.waiting = data;
    if (this.state.shifting === undefined) this.#shift();
  }
  /** Begins with what is next: a break that was asked for, or the byte that waits. */
  #shift(): void {
    const { now } = this.context.time;
    const character = this.#cr1(CR1.break) ? this.#breakAt(now) : this.#takeWaiting(now);
    this.peer.chipSends(character);
    this.#due.set('out', now + character.bits * character.bitNs);
  }
  #takeWaiting(startNs: number): Character {
    const data = this.state.waiting!;
    this.state.shifting = data;
    this.state.waiting = undefined;
    this.state.sr |= SR.txe;
    return characterOf(data, startNs, this.#bitNs, this.#format);
  }
  /** As many zeros as a character has bits, then a stop bit. */
  #breakAt(startNs: number): Character {
    this.state.words[REG.cr1] = this.#word(REG.cr1) & ~(1 << CR1.break);
    this.state.shifting = -1;
    this.state.sr &= ~SR.tc;
    const bits = bitsOf(this.#format);
    return { startNs, bitNs: this.#bitNs, levels: 1 << bits, bits: bits + 1 };
  }
  #shifted(): void {
    const data = this.state.shifting;
    this.state.shifting = undefined;
    if (this.state.waiting !== undefined || this.#cr1(CR1.break)) this.#shift();
    else this.state.sr |= SR.tc;
    this.#update();
    if (data !== undefined && data >= 0) this.onByte(data & 0xff);
  }

  get #receives(): boolean {
    return this.state.clocked && this.#cr1(CR1.enable) && this.#cr1(CR1.re);
  }
  #receiverMayHaveChanged(wasOff: boolean): void {
    if (wasOff && this.#receives) this.state.listenFromNs = this.context.time.now;
    if (wasOff !== this.#receives) return;
    this.state.edgeNs = Infinity;
    this.#due.clear('in');
    this.#due.clear('idle');
    this.#listen();
  }
  /** Waits for the next character, unless one is under way. */
  #listen(): void {
    const { state } = this;
    const { toChip } = state.peer;
    forget(toChip, this.#receives ? state.listenFromNs : this.context.time.now);
    if (!this.#receives || state.edgeNs <= this.context.time.now) return;
    state.edgeNs = nextFall(toChip, state.listenFromNs);
    this.#due.set('in', state.edgeNs === Infinity ? Infinity : sampledBy(state.edgeNs, this.#sampling));
  }
  /** The stop bit has been sampled. */
  #sampled(): void {
    const { state } = this;
    const sampling = this.#sampling;
    const received = sampleCharacter(state.peer.toChip, state.edgeNs, sampling);
    const nothing = received.falseStart || !this.peer.reaches('rx');
    const overNs = state.edgeNs + bitsOf(sampling) * sampling.bitNs;
    state.listenFromNs = nothing
      ? Math.min(state.edgeNs + sampling.bitNs, this.context.time.now)
      : this.context.time.now;
    state.edgeNs = Infinity;
    if (!nothing) {
      state.sr |=
        (received.parityError ? SR.pe : 0) | (received.framingError ? SR.fe : 0) | (received.noisy ? SR.nf : 0);
      this.#deliver(received.data);
      this.#due.set('idle', overNs + bitsOf(sampling) * sampling.bitNs);
    }
    this.#listen();
    this.#update();
  }
  #deliver(data: number): void {
    if (this.state.sr & SR.rxne) {
      this.state.sr |= SR.ore;
    } else {
      this.state.received = data;
      this.state.sr |= SR.rxne;
    }
  }
  /** A character's time has passed behind the last one. */
  #idled(): void {
    if (!this.#receives || this.state.edgeNs < this.context.time.now) return;
    this.state.sr |= SR.idle;
    this.#update();
  }

  /** Asks DMA to fetch what was received and to bring what is to be sent, for as long as it does. */
  askDma(): void {
    if (this.#asking) return;
    this.#asking = true;
    if (this.#cr3(CR3.dmar) && this.state.sr & SR.rxne) this.#near.dma(`${this.#name}_RX`);
    for (let item = 0; item < MOST_ITEMS && this.#cr3(CR3.dmat) && this.state.sr & SR.txe; item++) {
      if (!this.#near.dma(`${this.#name}_TX`)) break;
    }
    this.#asking = false;
  }

  #update(): void {
    this.askDma();
    const { sr } = this.state;
    const wanted =
      (this.#cr1(CR1.rxneie) ? SR.rxne | SR.ore : 0) |
      (this.#cr1(CR1.tcie) ? SR.tc : 0) |
      (this.#cr1(CR1.txeie) ? SR.txe : 0) |
      (this.#cr1(CR1.idleie) ? SR.idle : 0) |
      (this.#cr1(CR1.peie) ? SR.pe : 0) |
      (this.#cr3(CR3.eie) && this.#cr3(CR3.dmar) ? SR.fe | SR.nf | SR.ore : 0);
    this.context.setIrq(USARTS[this.#name].irq, (sr & wanted) !== 0);
  }
}
