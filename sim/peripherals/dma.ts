// A DMA controller: eight streams in direct mode, for the serial ports and from memory to memory (RM0090 chapter 10,
// tables 42 and 43; docs/simulation.md, "DMA"). An item is moved at the instant it is asked for and takes no time; a
// memory-to-memory transfer is over at once.
import { BusFault, BusWait, type Bus, type Master, type Width } from '../bus.ts';
import { bit, RegisterBlock, type Context } from './part.ts';
import type { UsartName } from './usart-table.ts';

export type DmaName = 'DMA1' | 'DMA2';
export type DmaRequest = `${UsartName}_${'RX' | 'TX'}`;

interface Route {
  readonly dma: DmaName;
  readonly stream: number;
  readonly channel: number;
}
const route = (dma: DmaName, stream: number, channel: number): Route => ({ dma, stream, channel });

/** Streams and channels that a request reaches. */
const ROUTES: Readonly<Record<DmaRequest, readonly Route[]>> = {
  USART1_RX: [route('DMA2', 2, 4), route('DMA2', 5, 4)],
  USART1_TX: [route('DMA2', 7, 4)],
  USART2_RX: [route('DMA1', 5, 4)],
  USART2_TX: [route('DMA1', 6, 4)],
  USART3_RX: [route('DMA1', 1, 4)],
  USART3_TX: [route('DMA1', 3, 4), route('DMA1', 4, 7)],
  UART4_RX: [route('DMA1', 2, 4)],
  UART4_TX: [route('DMA1', 4, 4)],
  UART5_RX: [route('DMA1', 0, 4)],
  UART5_TX: [route('DMA1', 7, 4)],
  USART6_RX: [route('DMA2', 1, 5), route('DMA2', 2, 5)],
  USART6_TX: [route('DMA2', 6, 5), route('DMA2', 7, 5)],
  UART7_RX: [route('DMA1', 3, 5)],
  UART7_TX: [route('DMA1', 1, 5)],
  UART8_RX: [route('DMA1', 6, 5)],
  UART8_TX: [route('DMA1', 0, 5)],
};
const IRQS: Readonly<Record<DmaName, readonly number[]>> = {
  DMA1: [11, 12, 13, 14, 15, 16, 17, 47],
  DMA2: [56, 57, 58, 59, 60, 68, 69, 70],
};

const REG = { lisr: 0x00, hisr: 0x04, lifcr: 0x08, hifcr: 0x0c, streams: 0x10, stride: 0x18 } as const;
/** Offsets inside a stream. */
const STREAM = { cr: 0x00, ndtr: 0x04, par: 0x08, m0ar: 0x0c, m1ar: 0x10, fcr: 0x14 } as const;
const STREAMS = 8;
const FLAG = { te: 1 << 3, ht: 1 << 4, tc: 1 << 5 } as const;
const FLAGS = 0x3d;
/** Where the flags of the four streams of a status register begin. */
const FLAG_SHIFT = [0, 6, 16, 22] as const;
const CR = {
  en: 0,
  teie: 2,
  htie: 3,
  tcie: 4,
  dir: 6,
  circ: 8,
  pinc: 9,
  minc: 10,
  psize: 11,
  dbm: 18,
  ct: 19,
  chsel: 25,
} as const;
const TO_MEMORY = 0;
const FROM_MEMORY = 1;
const MEMORY_TO_MEMORY = 2;
const FCR_RESET = 0x21;

const CCM = [0x10000000, 0x10010000] as const;
const BACKUP_SRAM = [0x40024000, 0x40025000] as const;
const PERIPHERALS = [0x40000000, 0x60000000] as const;
const APB1 = [0x40000000, 0x40008000] as const;
const PRIVATE = [0xe0000000, 0x100000000] as const;
type Span = readonly [from: number, to: number];
const within = (address: number, [from, to]: Span) => address >= from && address < to;

interface StreamState {
  cr: number;
  /** Items left, and as many as there were at the start. */
  left: number;
  ndtr: number;
  par: number;
  memory: [number, number];
  fcr: number;
  flags: number;
}

export interface DmaNeighbours {
  readonly bus: Bus;
  /** Switch dmaReachesBkpSram. */
  readonly reachesBackupSram: 'peripheral-port' | 'any-port' | 'no';
  /** Its clock is on and the chip is not held in reset. */
  clocked(): boolean;
  /** A stream was enabled: whoever has a request may ask again. */
  enabled(): void;
}

const freshStream = (): StreamState => ({
  cr: 0,
  left: 0,
  ndtr: 0,
  par: 0,
  memory: [0, 0],
  fcr: FCR_RESET,
  flags: 0,
});

export class Dma extends RegisterBlock<{ streams: StreamState[] }> {
  readonly #name: DmaName;
  readonly #near: DmaNeighbours;

  constructor(context: Context, name: DmaName, near: DmaNeighbours) {
    super(context, { streams: Array.from({ length: STREAMS }, freshStream) });
    this.#name = name;
    this.#near = near;
  }
  reset(): void {
    this.state.streams = Array.from({ length: STREAMS }, freshStream);
    for (const irq of IRQS[this.#name]) this.context.setIrq(irq, false);
  }
  /** Moves one item for `request`; false when no stream waits for it. */
  serve(request: DmaRequest): boolean {
    if (!this.#near.clocked()) return false;
    const direction = request.endsWith('RX') ? TO_MEMORY : FROM_MEMORY;
    for (const { dma, stream, channel } of ROUTES[request]) {
      const state = this.state.streams[stream]!;
      if (dma !== this.#name || !bit(state.cr, CR.en) || state.cr >>> CR.chsel !== channel) continue;
      if (directionOf(state) !== direction) continue;
      this.#move(stream);
      return true;
    }
    return false;
  }

  override pure(): boolean {
    return true;
  }
  protected override mergeBase(offset: number): number {
    return offset === REG.lifcr || offset === REG.hifcr ? 0 : this.load(offset);
  }
  protected override load(offset: number): number {
    if (offset === REG.lisr) return this.#status(0);
    if (offset === REG.hisr) return this.#status(4);
    const place = placeOf(offset);
    return place === undefined ? 0 : readStream(this.state.streams[place.stream]!, place.register);
  }
  protected override store(offset: number, value: number, _master: Master): void {
    if (offset === REG.lifcr) return this.#clear(0, value);
    if (offset === REG.hifcr) return this.#clear(4, value);
    const place = placeOf(offset);
    if (place === undefined) return;
    if (place.register === STREAM.cr) this.#control(place.stream, value & 0x0fefffff);
    else writeStream(this.state.streams[place.stream]!, place.register, value);
  }

  #status(first: number): number {
    return FLAG_SHIFT.reduce<number>((word, shift, i) => word | (this.state.streams[first + i]!.flags << shift), 0);
  }
  #clear(first: number, value: number): void {
    FLAG_SHIFT.forEach((shift, i) => {
      this.state.streams[first + i]!.flags &= ~((value >>> shift) & FLAGS);
      this.#update(first + i);
    });
  }
  #control(index: number, value: number): void {
    const stream = this.state.streams[index]!;
    const was = bit(stream.cr, CR.en);
    if (was && bit(value, CR.en)) {
      // Only the interrupt enables may change under way.
      stream.cr = (stream.cr & ~0x1e) | (value & 0x1e);
      return this.#update(index);
    }
    stream.cr = value;
    if (was) stream.flags |= FLAG.tc;
    this.#update(index);
    if (was || !bit(value, CR.en)) return;
    // RM0090, DMA_SxCR, EN: the flags of the stream have to be cleared before it is started.
    if (stream.flags !== 0) {
      stream.cr &= ~(1 << CR.en);
      return;
    }
    stream.left = stream.ndtr;
    if (stream.left === 0) stream.cr &= ~(1 << CR.en);
    else if (directionOf(stream) === MEMORY_TO_MEMORY) this.#moveAll(index);
    else this.#near.enabled();
  }
  #moveAll(index: number): void {
    const stream = this.state.streams[index]!;
    if (this.#name === 'DMA1') return this.#fail(index);
    while (bit(stream.cr, CR.en)) this.#move(index);
  }

  /** One item. A bus error ends the stream. */
  #move(index: number): void {
    const stream = this.state.streams[index]!;
    const width = (1 << ((stream.cr >>> CR.psize) & 3)) as Width;
    const done = stream.ndtr - stream.left;
    const peripheral = (stream.par + (bit(stream.cr, CR.pinc) ? done * width : 0)) >>> 0;
    const bank = bit(stream.cr, CR.dbm) && bit(stream.cr, CR.ct) ? 1 : 0;
    const memory = (stream.memory[bank] + (bit(stream.cr, CR.minc) ? done * width : 0)) >>> 0;
    const [from, to] = directionOf(stream) === FROM_MEMORY ? [memory, peripheral] : [peripheral, memory];
    if (!this.#peripheralPortReaches(peripheral) || !this.#memoryPortReaches(memory)) return this.#fail(index);
    try {
      this.#near.bus.write(to, this.#near.bus.read(from, width, 'dma'), width, 'dma');
    } catch (error) {
      if (!(error instanceof BusFault || error instanceof BusWait)) throw error;
      return this.#fail(index);
    }
    this.#count(stream);
    this.#update(index);
  }
  #count(stream: StreamState): void {
    stream.left--;
    if (stream.left === stream.ndtr >>> 1) stream.flags |= FLAG.ht;
    if (stream.left > 0) return;
    stream.flags |= FLAG.tc;
    if (bit(stream.cr, CR.dbm)) stream.cr ^= 1 << CR.ct;
    if (bit(stream.cr, CR.circ) || bit(stream.cr, CR.dbm)) stream.left = stream.ndtr;
    else stream.cr &= ~(1 << CR.en);
  }
  #fail(index: number): void {
    const stream = this.state.streams[index]!;
    stream.flags |= FLAG.te;
    stream.cr &= ~(1 << CR.en);
    this.#update(index);
  }
  #memoryPortReaches(address: number): boolean {
    if (within(address, BACKUP_SRAM)) return this.#near.reachesBackupSram === 'any-port';
    return !within(address, CCM) && !within(address, PERIPHERALS) && !within(address, PRIVATE);
  }
  /** That of DMA1 goes to APB1 alone. */
  #peripheralPortReaches(address: number): boolean {
    if (within(address, BACKUP_SRAM)) {
      const { reachesBackupSram } = this.#near;
      return reachesBackupSram === 'any-port' || (reachesBackupSram === 'peripheral-port' && this.#name === 'DMA2');
    }
    if (this.#name === 'DMA1') return within(address, APB1);
    return !within(address, CCM) && !within(address, PRIVATE);
  }
  #update(index: number): void {
    const { cr, flags } = this.state.streams[index]!;
    const wanted =
      (bit(cr, CR.teie) ? FLAG.te : 0) | (bit(cr, CR.htie) ? FLAG.ht : 0) | (bit(cr, CR.tcie) ? FLAG.tc : 0);
    this.context.setIrq(IRQS[this.#name][index]!, (flags & wanted) !== 0);
  }
}

function directionOf({ cr }: StreamState): number {
  return (cr >>> CR.dir) & 3;
}

function placeOf(offset: number): { stream: number; register: number } | undefined {
  const stream = Math.floor((offset - REG.streams) / REG.stride);
  if (stream < 0 || stream >= STREAMS) return undefined;
  return { stream, register: offset - REG.streams - stream * REG.stride };
}

function readStream(stream: StreamState, register: number): number {
  switch (register) {
    case STREAM.cr:
      return stream.cr;
    case STREAM.ndtr:
      return stream.left;
    case STREAM.par:
      return stream.par;
    case STREAM.m0ar:
      return stream.memory[0];
    case STREAM.m1ar:
      return stream.memory[1];
    default:
      return stream.fcr;
  }
}

/** While a stream runs only the memory address that is not in use may be written. */
function writeStream(stream: StreamState, register: number, value: number): void {
  const running = bit(stream.cr, CR.en);
  const inUse = bit(stream.cr, CR.ct) ? 1 : 0;
  const bank = register === STREAM.m0ar ? 0 : 1;
  if (register === STREAM.m0ar || register === STREAM.m1ar) {
    if (!running || (bit(stream.cr, CR.dbm) && bank !== inUse)) stream.memory[bank] = value;
  } else if (running) {
    return;
  } else if (register === STREAM.ndtr) {
    stream.ndtr = value & 0xffff;
    stream.left = stream.ndtr;
  } else if (register === STREAM.par) {
    stream.par = value;
  } else if (register === STREAM.fcr) {
    stream.fcr = (value & 0x87) | (stream.fcr & 0x38);
  }
}
