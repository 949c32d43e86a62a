// What lies between two hosts, in figures, and one packet's way through it (docs/performance.md, "The network model").
import type { EventQueue } from '../event-queue.ts';
import { splitMix32 } from '../split-mix.ts';

/** One direction and its way back are alike. */
export interface Path {
  /** Round trip of a small packet, milliseconds. */
  readonly rttMs: number;
  /** Undefined: no limit. */
  readonly bitsPerSecond?: number | undefined;
  /** Extra delay of a packet, drawn evenly from 0 to this, milliseconds; packets stay in order. */
  readonly jitterMs?: number | undefined;
  /** Chance that a packet is lost, 0..1. */
  readonly loss?: number | undefined;
  /**
   * What the bottleneck's queue holds before it drops, bytes; without a figure one round trip's worth, at least 64 KiB.
   */
  readonly queueBytes?: number | undefined;
}

/** Evenly distributed numbers, 0 ≤ n < 1. */
export type Chance = () => number;

/** IPv4 20, TCP 20, timestamps 12. */
const HEADER_BYTES = 52;
const LEAST_QUEUE_BYTES = 64 * 1024;

/** The same chances for the same seed. */
export function seededChance(seed: number): Chance {
  const next = splitMix32(seed);
  return () => next() / 2 ** 32;
}

/**
 * One direction: a bottleneck with a drop-tail queue, then distance. Packets that arrive do so in
 * the order they were sent.
 */
export class Wire {
  readonly #queue: EventQueue;
  readonly #path: Path;
  readonly #chance: Chance;
  #freeAt = 0;
  #lastArrival = 0;
  /** Bytes put on the wire, headers and lost packets included. */
  bytes = 0;
  lost = 0;
  dropped = 0;

  constructor(queue: EventQueue, path: Path, chance: Chance) {
    this.#queue = queue;
    this.#path = path;
    this.#chance = chance;
  }

  /** Sends a packet with `payload` bytes; `arrive` is called when, and if, it does. */
  send(payload: number, arrive: () => void): void {
    const now = this.#queue.now();
    const { rttMs, jitterMs = 0, loss = 0 } = this.#path;
    const size = payload + HEADER_BYTES;
    this.bytes += size;
    if (this.#backlogBytes(now) + size > this.#queueBytes()) {
      this.dropped++;
      return;
    }
    this.#freeAt = Math.max(now, this.#freeAt) + this.#serialMs(size);
    const unlucky = loss > 0 && this.#chance() < loss;
    const jitter = jitterMs > 0 ? jitterMs * this.#chance() : 0;
    if (unlucky) {
      this.lost++;
      return;
    }
    this.#lastArrival = Math.max(this.#lastArrival, this.#freeAt + rttMs / 2 + jitter);
    this.#queue.at(this.#lastArrival * 1e6, arrive);
  }

  #serialMs(size: number): number {
    const { bitsPerSecond } = this.#path;
    return bitsPerSecond === undefined ? 0 : (size * 8e3) / bitsPerSecond;
  }

  #backlogBytes(now: number): number {
    const { bitsPerSecond } = this.#path;
    return bitsPerSecond === undefined ? 0 : (Math.max(0, this.#freeAt - now) * bitsPerSecond) / 8e3;
  }

  #queueBytes(): number {
    const { bitsPerSecond, queueBytes, rttMs } = this.#path;
    if (bitsPerSecond === undefined) return Number.POSITIVE_INFINITY;
    return queueBytes ?? Math.max(LEAST_QUEUE_BYTES, (rttMs * bitsPerSecond) / 8e3);
  }
}
