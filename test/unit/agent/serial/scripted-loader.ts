// A loader's end of the serial link as docs/serial-link.md has it, without a chip, and a line that loses, repeats,
// damages and delays what goes over it by seed. Its sessions have no cryptography: a box is bytes, M2 names the
// handshake it is for.
import { concat, copyOf, equalBytes, u32le, Writer } from '../../../../shared/codec/bytes.ts';
import { STATES, type StubState } from '../../../../shared/mailbox/layout.ts';
import { encodePacket, PacketReader, type Packet } from '../../../../shared/serial/framing.ts';
import type { PacketName } from '../../../../shared/serial/packets.ts';
import type { EventQueue } from '../../../../sim/event-queue.ts';
import type { OpenSerialPort, SerialPortSource } from '../../../../agent/transport/serial/port.ts';
import { seededRandom } from '../../../fixtures/seeded.ts';

export interface LineFaults {
  /** Chances of a piece that is written at once, 0..1. */
  readonly drop: number;
  readonly repeat: number;
  readonly damage: number;
  /** Most a piece is late, milliseconds. */
  readonly delayMs: number;
  /** Rates beyond this one damage pieces of more than 1000 bytes, bit/s: one in so many. */
  readonly goodUpTo: number;
  readonly oneIn?: number;
}
export const QUIET_LINE: LineFaults = { drop: 0, repeat: 0, damage: 0, delayMs: 0, goodUpTo: 921_600 };

const KNOCK = new TextEncoder().encode('UUUUUUUUBFKNOCK2');
const SLOTS = 6;
const REPLY_BYTES = 192;
export const LOADER_HASH = new Uint8Array(64).fill(0x4c);
/** Answer of the scripted loader to a command. */
export const replyTo = (sequence: number, box: Uint8Array): Uint8Array =>
  concat(u32le(sequence), box.slice(0, REPLY_BYTES - 4));

type LinkState = 'searching' | 'linked' | 'trying';

export class ScriptedLoader implements SerialPortSource {
  readonly name = 'the scripted loader';
  /** What befalls the line from now on. */
  faults: LineFaults;
  /** Boxes taken, of the session that runs. */
  taken: Uint8Array[] = [];
  /** Handshakes begun since it started. */
  handshakes = 0;
  state: StubState = 'waiting';
  error = 0;
  mostBaud = 921_600;
  /** Commands are not worked on, as during an erase. */
  paused = false;
  /** Rates it was on, in order. */
  readonly rates: number[] = [115_200];
  /** Packets it got, by name. */
  readonly got: PacketName[] = [];
  /** No answer to a knock. */
  deaf = false;
  /** The next packets of these names are lost on their way to the agent. */
  readonly losesNext = new Set<PacketName>();
  /** FETCHED is lost on the way. */
  losesFetched = false;
  /** First byte of IDENT. */
  identFormat = 1;
  /** What M1 says of the loader. */
  hash = LOADER_HASH;
  readonly #queue: EventQueue;
  readonly #random: ReturnType<typeof seededRandom>;
  #link: LinkState = 'searching';
  #rate = 115_200;
  #provenRate = 115_200;
  #stopTrying: () => void = () => {};
  #reader = new PacketReader();
  #segment: number[] = [];
  #badInRow = 0;
  #dropped = 0;
  #slots: Uint8Array[] = [];
  #received = 0;
  #lost = false;
  #shaking = false;
  #busy = false;
  #m1: Uint8Array = new Uint8Array(0);
  #m3: Uint8Array = new Uint8Array(0);
  #replies = new Map<number, Uint8Array>();
  #replied = 0;
  #fetched = 0;
  #port: (OpenSerialPort & { rate: number }) | undefined;
  #longPieces = 0;
  #toLoaderAt = 0;
  #toHostAt = 0;

  constructor(queue: EventQueue, seed: number, faults: LineFaults = QUIET_LINE) {
    this.#queue = queue;
    this.#random = seededRandom(seed);
    this.faults = faults;
  }

  // ── the port ───────────────────────────────────────────────────────────────────────────────────────────────────────

  open(): Promise<OpenSerialPort> {
    if (this.away) return Promise.reject(new Error('no such port'));
    const queue = this.#queue;
    const wait = (ms: number) => new Promise<void>((resolve) => void queue.after(ms, resolve));
    const port = {
      rate: 115_200,
      onData: () => {},
      onGone: () => {},
      write: async (bytes: Uint8Array) => {
        const from = port.rate;
        const leftAt = (this.#toLoaderAt = Math.max(queue.now(), this.#toLoaderAt) + this.#msFor(bytes.length, from));
        this.#carry(bytes, from, leftAt, (piece) => this.#port === port && this.#take(piece, from));
        await wait(leftAt - queue.now());
      },
      drain: () => wait(Math.max(0, this.#toLoaderAt - queue.now())),
      setBaud: (rate: number) => {
        port.rate = rate;
        return Promise.resolve(true);
      },
      close: () => {
        if (this.#port === port) this.#port = undefined;
        return Promise.resolve();
      },
    };
    this.#port = port;
    return Promise.resolve(port);
  }

  /** The adapter is not there: its port cannot be opened. */
  away = false;

  /** Somebody pulls the plug; it is put in again at once, unless `away` says otherwise. */
  unplug(): void {
    const port = this.#port;
    this.#port = undefined;
    port?.onGone();
  }

  /** The board is reset: it searches, and knows of no session. */
  reset(): void {
    this.#endSession('waiting');
    this.handshakes = 0;
    this.#setRate(115_200);
    this.#link = 'searching';
  }

  /** It lost count of the bits: it hears nothing but a knock. */
  loseCount(): void {
    this.#link = 'searching';
  }

  #msFor(bytes: number, rate: number): number {
    return (bytes * 10_000) / rate;
  }

  #chance(of: number): boolean {
    return this.#random.int(1_000_000) < of * 1_000_000;
  }

  #carry(bytes: Uint8Array, rate: number, at: number, arrive: (bytes: Uint8Array) => void): void {
    if (this.#chance(this.faults.drop)) return;
    const isLong = rate > this.faults.goodUpTo && bytes.length > 1000;
    const tooFast = isLong && this.#longPieces++ % (this.faults.oneIn ?? 1) === 0;
    const piece = tooFast || this.#chance(this.faults.damage) ? this.#damaged(bytes) : copyOf(bytes);
    const late = this.faults.delayMs > 0 ? this.#random.int(this.faults.delayMs) : 0;
    // In order: what is late holds up what is behind it.
    this.#queue.after(at - this.#queue.now() + late, () => arrive(piece));
    if (this.#chance(this.faults.repeat)) this.#queue.after(at - this.#queue.now() + late, () => arrive(piece));
    if (rate === this.#rate) this.#toLoaderAt = Math.max(this.#toLoaderAt, at + late);
  }

  #damaged(bytes: Uint8Array): Uint8Array {
    const damaged = copyOf(bytes);
    damaged[this.#random.int(damaged.length)]! ^= 1 << this.#random.int(8);
    return damaged;
  }

  // ── the link ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #take(bytes: Uint8Array, rate: number): void {
    if (this.#link === 'searching') return this.#search(bytes, rate);
    if (rate !== this.#rate) {
      // A receiver at another pace meets framing errors, at the latest in the zero that ends a packet or a knock.
      this.#segment = [];
      return this.#drop();
    }
    for (const byte of bytes) {
      if (byte !== 0) this.#segment.push(byte);
      else this.#endSegment(Uint8Array.from(this.#segment.splice(0)));
    }
    // Without a zero a line of noise would be endless; the longest packet is some 4.2 KB.
    if (this.#segment.length > 5000) this.#endSegment(Uint8Array.from(this.#segment.splice(0)));
  }

  #search(bytes: Uint8Array, rate: number): void {
    if (this.deaf || bytes.length < KNOCK.length || !equalBytes(bytes.subarray(0, KNOCK.length), KNOCK)) return;
    this.#setRate(rate);
    this.#provenRate = rate;
    this.#link = 'linked';
    this.#segment = [];
    this.#badInRow = 0;
    this.#sendIdent();
  }

  #endSegment(segment: Uint8Array): void {
    if (segment.length === 0) return;
    if (segment.length === KNOCK.length && equalBytes(segment, KNOCK)) return this.#sendIdent();
    const [packet] = this.#reader.take(concat(segment, Uint8Array.of(0)));
    const isOurs = packet !== undefined && !['ident', 'm1', 'm3', 'status', 'reply'].includes(packet.name);
    if (isOurs) return this.#good(packet);
    if (this.#link === 'trying' && segment.every((byte) => byte === 0x55)) return;
    this.#drop();
  }

  #drop(): void {
    this.#dropped++;
    if (++this.#badInRow < 3) return;
    if (this.#link === 'trying') this.#revert();
    else this.#link = 'searching';
    this.#badInRow = 0;
  }

  #good(packet: Packet): void {
    this.#badInRow = 0;
    if (this.#link === 'trying') {
      this.#stopTrying();
      this.#link = 'linked';
      this.#provenRate = this.#rate;
    }
    this.got.push(packet.name);
    this.#handle(packet);
  }

  #setRate(rate: number): void {
    this.#rate = rate;
    this.rates.push(rate);
  }

  #revert(): void {
    this.#stopTrying();
    this.#setRate(this.#provenRate);
    this.#link = 'linked';
  }

  #try(rate: number): void {
    if (rate === 0 || rate > this.mostBaud) return;
    this.#setRate(rate);
    this.#link = 'trying';
    this.#stopTrying = this.#queue.after(300, () => this.#revert());
  }

  #send(name: PacketName, body: Uint8Array): void {
    if (this.#link === 'searching' || this.losesNext.delete(name)) return;
    const port = this.#port;
    const rate = this.#rate;
    const bytes = encodePacket(name, body);
    this.#toHostAt = Math.max(this.#queue.now(), this.#toHostAt) + this.#msFor(bytes.length, rate);
    this.#carry(bytes, rate, this.#toHostAt, (piece) => {
      if (port !== this.#port || port === undefined) return;
      port.onData(port.rate === rate ? piece : this.#random.bytes(piece.length));
    });
  }

  #sendIdent(): void {
    const ident = new Writer().u8(this.identFormat).u8(STATES[this.state]).u16(1).u16(0x200).u8(SLOTS).u8(7).zeros(12);
    ident.bytes(LOADER_HASH).zeros(12).u32(0x0fff55ed).u32(0).u16(0x419).u16(2048).u32(this.mostBaud);
    this.#send('ident', ident.finish());
  }

  #sendStatus(): void {
    const bits = STATES[this.state] | (this.#shaking ? 0x40 : 0) | (this.#lost ? 0x80 : 0);
    const accepted = this.taken.length;
    const status = new Writer()
      .u8(bits)
      .u8(this.#busy || this.paused ? 2 : 0)
      .u8(0)
      .u8(this.error);
    status
      .u32(accepted)
      .u32(accepted + SLOTS)
      .u32(this.#replied)
      .u32(accepted * 1008)
      .u32(0);
    this.#send('status', status.u32(this.handshakes).u32(this.#received).u32(this.#dropped).finish());
  }

  // ── the session ────────────────────────────────────────────────────────────────────────────────────────────────────

  #handle({ name, body }: Packet): void {
    const first = body.length >= 4 ? new DataView(body.buffer, body.byteOffset).getUint32(0, true) : 0;
    const serves = ['active', 'written', 'locked'].includes(this.state);
    if (name === 'askIdent') this.#sendIdent();
    if (name === 'job') this.#takeJob();
    if (name === 'm2' && this.state === 'offered') this.#takeM2(body);
    if (name === 'command' && serves) this.#takeCommand(first, body.slice(4));
    if (name === 'fetched' && first <= this.#replied && !this.losesFetched) this.#forget(first);
    if (name === 'again') this.#again(body[0] as number, new DataView(body.buffer, body.byteOffset).getUint32(1, true));
    if (name === 'baud') this.#try(first);
    if (name === 'abort') {
      this.#endSession(this.state === 'waiting' ? 'waiting' : 'expired');
      this.#sendStatus();
    }
  }

  #endSession(state: StubState): void {
    this.state = state;
    this.#slots = [];
    this.taken = [];
    this.#received = this.#replied = this.#fetched = 0;
    this.#replies.clear();
    this.#lost = this.#shaking = this.#busy = false;
    this.error = 0;
  }

  #takeJob(): void {
    this.#endSession('waiting');
    const number = ++this.handshakes;
    this.#shaking = true;
    this.#queue.after(40, () => {
      if (number !== this.handshakes) return;
      this.#shaking = false;
      this.state = 'offered';
      this.#m1 = concat(u32le(number), new Uint8Array(132).fill(1), this.hash);
      this.#send('m1', this.#m1);
    });
  }

  #takeM2(m2: Uint8Array): void {
    const number = this.handshakes;
    this.#shaking = true;
    this.#queue.after(40, () => {
      if (number !== this.handshakes || this.state !== 'offered') return;
      this.#shaking = false;
      const fits = new DataView(m2.buffer, m2.byteOffset).getUint32(0, true) === number;
      this.state = fits ? 'active' : 'aborted';
      this.error = fits ? 0 : 6;
      this.#m3 = concat(u32le(number), new Uint8Array(28).fill(3));
      if (fits) this.#send('m3', this.#m3);
      else this.#sendStatus();
    });
  }

  #takeCommand(sequence: number, box: Uint8Array): void {
    if (sequence > this.#received + 1) {
      this.#lost = true;
      return this.#sendStatus();
    }
    if (sequence !== this.#received + 1 || sequence > this.taken.length + SLOTS) return;
    this.#received = sequence;
    this.#lost = false;
    this.#slots.push(box);
    this.#work();
  }

  /** One command after the other, 5 ms each. */
  #work(): void {
    if (this.#busy || this.paused || this.#slots.length === 0) return;
    if (this.#replied - this.#fetched >= 16) return;
    this.#busy = true;
    const number = this.handshakes;
    this.#queue.after(5, () => {
      if (number !== this.handshakes) return;
      this.#busy = false;
      const box = this.#slots.shift() as Uint8Array;
      this.taken.push(box);
      if (box.length === 192) this.#reply(box);
      if (box[0] === 0xee) this.state = 'ended';
      this.#sendStatus();
      this.#work();
    });
  }

  /** Goes on after `paused`. */
  resume(): void {
    this.paused = false;
    this.#work();
  }

  #reply(box: Uint8Array): void {
    const sequence = ++this.#replied;
    this.#replies.set(sequence, concat(u32le(sequence), replyTo(sequence, box)));
    this.#send('reply', this.#replies.get(sequence) as Uint8Array);
  }

  #forget(upTo: number): void {
    this.#fetched = Math.max(this.#fetched, upTo);
    for (const sequence of [...this.#replies.keys()]) if (sequence <= upTo) this.#replies.delete(sequence);
    this.#work();
  }

  #again(type: number, sequence: number): void {
    const reply = this.#replies.get(sequence);
    const hasM3 = ['active', 'written', 'locked', 'ended', 'aborted'].includes(this.state) && this.error === 0;
    if (type === 0x81) this.#sendIdent();
    else if (type === 0x82 && this.state === 'offered') this.#send('m1', this.#m1);
    else if (type === 0x83 && hasM3) this.#send('m3', this.#m3);
    else if (type === 0x85 && reply !== undefined) this.#send('reply', reply);
    else this.#sendStatus();
  }
}
