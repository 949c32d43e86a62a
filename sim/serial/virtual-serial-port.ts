// A USB adapter on a serial port of a virtual board, in virtual time: what comes from the chip is handed over once a
// USB frame, what the host writes goes out with the next one. Tests and the agent's serial transport drive it as they
// drive a port of the operating system.
import type { EventQueue } from '../event-queue.ts';
import type { SerialPeer } from './serial-peer.ts';

/** Length of a full-speed USB frame, ns. */
const FRAME_NS = 1e6;

export interface VirtualSerialPortOptions {
  readonly peer: SerialPeer;
  readonly queue: EventQueue;
  /** Bits a second when it is opened. Default 115200. */
  readonly bitRate?: number;
  /** How long the adapter keeps what it received, ns: FTDI's latency timer is 16 ms. Default one USB frame. */
  readonly latencyNs?: number;
}

export class VirtualSerialPort {
  /** Receives what the chip sent, while open. */
  onData: (bytes: Uint8Array) => void = () => {};
  /** The adapter was pulled while open. */
  onGone: () => void = () => {};
  readonly #peer: SerialPeer;
  readonly #queue: EventQueue;
  readonly #latencyNs: number;
  #received: number[] = [];
  #cancel: (() => void) | undefined;
  #present = true;

  constructor({ peer, queue, bitRate = 115_200, latencyNs = FRAME_NS }: VirtualSerialPortOptions) {
    this.#peer = peer;
    this.#queue = queue;
    this.#latencyNs = latencyNs;
    peer.bitRate = bitRate;
    peer.onByte = (byte) => {
      if (this.opened) this.#received.push(byte);
    };
  }

  get opened(): boolean {
    return this.#cancel !== undefined;
  }
  /** The adapter is in the computer. */
  get present(): boolean {
    return this.#present;
  }
  /** Bits a second. */
  get bitRate(): number {
    return this.#peer.bitRate ?? 0;
  }
  set bitRate(bitsPerSecond: number) {
    this.#peer.bitRate = bitsPerSecond;
  }

  /** @throws Error when the adapter is not there or is open already */
  open(): void {
    if (!this.#present) throw new Error('no such port');
    if (this.opened) throw new Error('the port is open');
    this.#received = [];
    this.#nextFrame();
  }
  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
  /** Sends `bytes` with the next USB frame; resolves once the last of them is on the wire. */
  async write(bytes: Uint8Array): Promise<void> {
    if (!this.opened) throw new Error('the port is not open');
    const copy = bytes.slice();
    await this.#until(this.#queue.nowNs + FRAME_NS);
    if (!this.opened) return;
    this.#peer.send(copy);
    await this.#until(this.#peer.sentBy);
  }
  /** Pulls the adapter out of the computer; the board stays. */
  unplug(): void {
    const wasOpen = this.opened;
    this.close();
    this.#present = false;
    this.#peer.plugged = false;
    if (wasOpen) this.onGone();
  }
  plug(): void {
    this.#present = true;
    this.#peer.plugged = true;
  }

  #until(ns: number): Promise<void> {
    return new Promise((resolve) => {
      this.#queue.at(ns, resolve);
    });
  }
  #nextFrame(): void {
    this.#cancel = this.#queue.at(this.#queue.nowNs + this.#latencyNs, () => {
      this.#nextFrame();
      if (this.#received.length === 0) return;
      const bytes = Uint8Array.from(this.#received.splice(0));
      this.onData(bytes);
    });
  }
}
