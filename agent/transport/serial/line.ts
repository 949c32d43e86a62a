// Packets over a serial port: what is sent, what comes, and waiting for a packet with an end (docs/serial-link.md).
import { concat } from '../../../shared/codec/bytes.ts';
import type { Clock, Log } from '../../../shared/ports.ts';
import { encodePacket, PacketReader, type Packet } from '../../../shared/serial/framing.ts';
import type { PacketName } from '../../../shared/serial/packets.ts';
import type { OpenSerialPort, SerialPortSource } from './port.ts';

const END = Uint8Array.of(0);
/** Start and stop bits included. */
const BITS_OF_A_BYTE = 10;

interface Waiter {
  readonly wanted: (packet: Packet) => boolean;
  readonly resolve: (packet: Packet | undefined) => void;
}

export class SerialLine {
  readonly #source: SerialPortSource;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #reader = new PacketReader();
  #port: OpenSerialPort | undefined;
  #waiters: Waiter[] = [];
  #unsent = 0;
  #rate = 0;
  /** When all that was sent has left, by the bit rate. */
  #leftAt = 0;
  #sentAt = 0;
  /** Since when something that was sent has had no packet after it. */
  #askingSince: number | undefined;

  constructor(source: SerialPortSource, clock: Clock, log: Log) {
    this.#source = source;
    this.#clock = clock;
    this.#log = log;
  }

  /** Every packet that arrives, before anybody who waits for it gets it. */
  onPacket: (packet: Packet) => void = () => {};

  /** What a person calls the port. */
  get name(): string {
    return this.#source.name;
  }

  get isOpen(): boolean {
    return this.#port !== undefined;
  }

  /** For how long nothing has come although something was sent, milliseconds. */
  get silentMs(): number {
    return this.#askingSince === undefined ? 0 : this.#clock.now() - this.#askingSince;
  }

  /** When something was sent last, milliseconds of the clock. */
  get sentAt(): number {
    return this.#sentAt;
  }

  /** Bytes that were sent and are not on the wire yet: what the port has not taken, and by the rate. */
  get backlog(): number {
    const leavingMs = Math.max(0, this.#leftAt - this.#clock.now());
    return Math.max(this.#unsent, Math.ceil((leavingMs * this.#rate) / BITS_OF_A_BYTE / 1000));
  }

  /** Packets that arrived damaged. */
  get damaged(): number {
    return [...this.#reader.dropped.values()].reduce((sum, count) => sum + count, 0);
  }

  /** How long so many bytes take at the present rate, milliseconds. */
  msFor(bytes: number): number {
    return this.#rate === 0 ? 0 : (bytes * BITS_OF_A_BYTE * 1000) / this.#rate;
  }

  /** Opens the port. @param rate as the port has it then, bit/s @throws as the port */
  async open(rate: number): Promise<void> {
    const port = await this.#source.open();
    this.#reader.restart();
    this.#unsent = 0;
    this.#rate = rate;
    this.#askingSince = undefined;
    port.onData = (bytes) => this.#take(bytes);
    port.onGone = () => this.#lose(port, 'the port is gone');
    this.#port = port;
  }

  /** Ends everything; whoever waits gets nothing. */
  async close(): Promise<void> {
    const port = this.#port;
    this.#port = undefined;
    this.#release();
    await port?.close();
  }

  /** Sends a packet; to a line that is gone nothing. */
  send(name: PacketName, body?: Uint8Array): void {
    this.#write(encodePacket(name, body));
  }

  /** Sends bytes that are no packet, and a zero that ends them. */
  sendMark(bytes: Uint8Array): void {
    this.#write(concat(bytes, END));
  }

  #write(bytes: Uint8Array): void {
    const port = this.#port;
    if (port === undefined) return;
    const now = this.#clock.now();
    this.#unsent += bytes.length;
    this.#sentAt = now;
    this.#askingSince ??= now;
    this.#leftAt = Math.max(now, this.#leftAt) + this.msFor(bytes.length);
    const taken = (): void => {
      if (port === this.#port) this.#unsent -= bytes.length;
    };
    port.write(bytes).then(taken, (error: unknown) => this.#lose(port, String(error)));
  }

  /** Resolves when all that was sent is on the wire, or the line is gone. */
  async drain(): Promise<void> {
    await this.#attempt((port) => port.drain());
  }

  /** Changes the port's rate, bit/s. False when it cannot make it. */
  async setBaud(rate: number): Promise<boolean> {
    let done = false;
    await this.#attempt(async (port) => {
      done = await port.setBaud(rate);
    });
    if (done) this.#rate = rate;
    return done;
  }

  /** The next packet that `wanted` wants, or undefined after `ms` milliseconds or when the line is gone. */
  next(wanted: (packet: Packet) => boolean, ms: number): Promise<Packet | undefined> {
    if (this.#port === undefined) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const waiter: Waiter = {
        wanted,
        resolve: (packet) => {
          cancel();
          this.#waiters = this.#waiters.filter((other) => other !== waiter);
          resolve(packet);
        },
      };
      const cancel = this.#clock.after(ms, () => waiter.resolve(undefined));
      this.#waiters.push(waiter);
    });
  }

  #take(bytes: Uint8Array): void {
    for (const packet of this.#reader.take(bytes)) {
      this.#askingSince = undefined;
      this.onPacket(packet);
      for (const waiter of this.#waiters.filter(({ wanted }) => wanted(packet))) waiter.resolve(packet);
    }
  }

  async #attempt(step: (port: OpenSerialPort) => Promise<void>): Promise<void> {
    const port = this.#port;
    if (port === undefined) return;
    await step(port).catch((error: unknown) => this.#lose(port, String(error)));
  }

  #lose(port: OpenSerialPort, why: string): void {
    if (port !== this.#port) return;
    this.#log.warn({ port: this.name, why }, 'the serial port is gone');
    this.#port = undefined;
    this.#release();
  }

  #release(): void {
    for (const waiter of [...this.#waiters]) waiter.resolve(undefined);
  }
}
