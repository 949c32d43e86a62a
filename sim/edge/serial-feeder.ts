// Bytes from a real connection to the virtual chip: a socket delivers faster than any serial line, so what waits is
// handed over in pieces as the line takes them.
import type { SerialPeer } from '../serial/serial-peer.ts';

/** Board time that may be on the wire already, ns. */
const AHEAD_NS = 20e6;
const PIECE = 64;
const PATIENCE_MS = 5;
/** Bytes that may wait before the connection is asked to hold back. */
const MOST = 1 << 16;

export interface Source {
  pause(): unknown;
  resume(): unknown;
}

export class SerialFeeder {
  readonly #peer: SerialPeer;
  readonly #now: () => number;
  readonly #waiting: number[] = [];
  #timer: NodeJS.Timeout | undefined;
  #paused: Source | undefined;

  /** @param now board time, ns */
  constructor(peer: SerialPeer, now: () => number) {
    this.#peer = peer;
    this.#now = now;
  }
  /** Queues `bytes`; `source` is paused while too much waits. */
  push(bytes: Uint8Array, source: Source): void {
    for (const byte of bytes) this.#waiting.push(byte);
    if (this.#waiting.length > MOST) {
      source.pause();
      this.#paused = source;
    }
    if (this.#timer === undefined) this.#pump();
  }
  clear(): void {
    this.#waiting.length = 0;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#paused?.resume();
    this.#paused = undefined;
  }
  #pump(): void {
    this.#timer = undefined;
    while (this.#waiting.length > 0 && this.#peer.sentBy - this.#now() < AHEAD_NS) {
      this.#peer.send(Uint8Array.from(this.#waiting.splice(0, PIECE)));
    }
    if (this.#waiting.length <= MOST) {
      this.#paused?.resume();
      this.#paused = undefined;
    }
    if (this.#waiting.length > 0) this.#timer = setTimeout(() => this.#pump(), PATIENCE_MS);
  }
}
