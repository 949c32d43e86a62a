// The sending half of a TCP connection, reduced to what decides when bytes arrive: window, loss, repetition.
// RFC 5681 and 6675 (NewReno growth with selective acknowledgement), RFC 6298 (timer), loss found as RFC 8985 does: by
// packets sent later that arrived. What is left out is listed in docs/performance.md, "The network model".
import type { EventQueue } from '../event-queue.ts';

/** Bytes of payload in a full segment: 1500 less IPv4, TCP and timestamps. */
const MSS = 1448;

const TCP = {
  /** RFC 6928. */
  initialWindow: 10 * MSS,
  /** Segments sent later that must have arrived before one is taken for lost. */
  reordering: 3,
  /** Linux; RFC 6298 says 1000. */
  leastTimeoutMs: 200,
  longestTimeoutMs: 60_000,
} as const;

/** Sequence numbers are byte counts from 0. */
export interface Segment {
  readonly start: number;
  readonly end: number;
}

interface Flight extends Segment {
  /** Position in the order of sending; a repetition gets a new one. */
  order: number;
  sentAt: number;
  repeated: boolean;
  arrived: boolean;
  lost: boolean;
  /** Acknowledgements of segments sent later. */
  overtaken: number;
}

/** What an acknowledgement says. */
export interface Acknowledgement {
  /** Everything before this has arrived. */
  readonly upTo: number;
  /** The segment this answers. */
  readonly got: Segment;
  /** How far the receiver has room, as a sequence number. */
  readonly window: number;
}

export interface SenderCounters {
  segments: number;
  repeated: number;
  timeouts: number;
  windowCuts: number;
}

export class TcpSender {
  readonly counters: SenderCounters = { segments: 0, repeated: 0, timeouts: 0, windowCuts: 0 };
  readonly #queue: EventQueue;
  readonly #transmit: (segment: Segment) => void;
  /** Sent and not cumulatively acknowledged, in sequence order. */
  #flights: Flight[] = [];
  #written = 0;
  #next = 0;
  #window: number;
  #cwnd: number = TCP.initialWindow;
  #ssthresh = Number.POSITIVE_INFINITY;
  #recoverUntil = -1;
  #order = 0;
  #smoothed: number | undefined;
  #variation = 0;
  #backoff = 1;
  #lastSent = 0;
  #cancelTimer: () => void = () => {};

  constructor(queue: EventQueue, window: number, transmit: (segment: Segment) => void) {
    this.#queue = queue;
    this.#window = window;
    this.#transmit = transmit;
  }

  /** Bytes written and never sent. */
  get unsent(): number {
    return this.#written - this.#next;
  }

  /** Adds `count` bytes; returns the sequence number behind them. */
  write(count: number): number {
    this.#written += count;
    this.#restartAfterIdle();
    this.#pump();
    return this.#written;
  }

  acknowledge({ upTo, got, window }: Acknowledgement): void {
    this.#window = Math.max(this.#window, window);
    const gained = this.#mark(upTo, got);
    if (gained > 0) this.#grow(gained);
    this.#findLosses();
    if (gained > 0) this.#armTimer();
    this.#pump();
  }

  /** Nothing leaves and no timer runs any more. */
  close(): void {
    this.#cancelTimer();
    this.#flights = [];
    this.#next = this.#written = 0;
  }

  // ── acknowledgements ──────────────────────────────────────────────────────────────────────────────────────────────

  /** Notes what has arrived; returns the bytes that are news. */
  #mark(upTo: number, got: Segment): number {
    let gained = 0;
    let newest = -1;
    for (const flight of this.#flights) {
      const arrived = flight.end <= upTo || (flight.start >= got.start && flight.end <= got.end);
      if (!arrived || flight.arrived) continue;
      flight.arrived = true;
      flight.lost = false;
      gained += flight.end - flight.start;
      newest = Math.max(newest, flight.order);
      if (!flight.repeated) this.#measure(this.#queue.now() - flight.sentAt);
    }
    if (this.#flights[0] !== undefined && this.#flights[0].start < upTo) {
      this.#flights = this.#flights.filter(({ end }) => end > upTo);
    }
    for (const flight of this.#flights) {
      if (!flight.arrived && !flight.lost && flight.order < newest) flight.overtaken++;
    }
    return gained;
  }

  #findLosses(): void {
    for (const flight of this.#flights) {
      if (flight.arrived || flight.lost || flight.overtaken < TCP.reordering) continue;
      flight.lost = true;
      if (flight.start >= this.#recoverUntil) this.#cutWindow();
    }
  }

  /** Half of what was under way, once per window. */
  #cutWindow(): void {
    this.counters.windowCuts++;
    this.#ssthresh = Math.max(this.#underway() / 2, 2 * MSS);
    this.#cwnd = this.#ssthresh;
    this.#recoverUntil = this.#next;
  }

  #grow(gained: number): void {
    const recovering = this.#flights.some(({ start, arrived }) => !arrived && start < this.#recoverUntil);
    if (recovering) return;
    this.#cwnd += this.#cwnd < this.#ssthresh ? gained : (MSS * gained) / this.#cwnd;
  }

  /** Bytes that are thought to be on the way. */
  #underway(): number {
    return this.#flights.reduce((sum, { start, end, arrived, lost }) => sum + (arrived || lost ? 0 : end - start), 0);
  }

  // ── sending ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** RFC 5681 §4.1: a connection that was silent for a timeout begins again with the initial window. */
  #restartAfterIdle(): void {
    const idle = this.#flights.length === 0 && this.#queue.now() - this.#lastSent > this.#timeoutMs();
    if (idle) this.#cwnd = Math.min(this.#cwnd, TCP.initialWindow);
  }

  /** Repeats what is lost, then sends what is new, as far as both windows go. */
  #pump(): void {
    let underway = this.#underway();
    for (const flight of this.#flights) {
      if (!flight.lost) continue;
      if (underway >= this.#cwnd) return;
      underway += flight.end - flight.start;
      this.#repeat(flight);
    }
    while (this.#next < this.#written && underway < this.#cwnd) {
      const end = Math.min(this.#next + MSS, this.#written);
      if (end > this.#window) return;
      underway += end - this.#next;
      this.#sendNew(end);
    }
  }

  #sendNew(end: number): void {
    const flight = { start: this.#next, end, repeated: false, arrived: false, lost: false, overtaken: 0 };
    this.#next = end;
    this.#flights.push({ ...flight, order: this.#order++, sentAt: this.#queue.now() });
    this.counters.segments++;
    this.#leave(flight);
    if (this.#flights.length === 1) this.#armTimer();
  }

  #repeat(flight: Flight): void {
    flight.lost = false;
    flight.overtaken = 0;
    flight.repeated = true;
    flight.order = this.#order++;
    flight.sentAt = this.#queue.now();
    this.counters.segments++;
    this.counters.repeated++;
    this.#leave(flight);
  }

  #leave({ start, end }: Segment): void {
    this.#lastSent = this.#queue.now();
    this.#transmit({ start, end });
  }

  // ── timer ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** RFC 6298 §2. */
  #measure(rtt: number): void {
    this.#backoff = 1;
    if (this.#smoothed === undefined) {
      this.#smoothed = rtt;
      this.#variation = rtt / 2;
      return;
    }
    this.#variation = 0.75 * this.#variation + 0.25 * Math.abs(this.#smoothed - rtt);
    this.#smoothed = 0.875 * this.#smoothed + 0.125 * rtt;
  }

  #timeoutMs(): number {
    const base =
      this.#smoothed === undefined ? 1000 : this.#smoothed + Math.max(4 * this.#variation, TCP.leastTimeoutMs);
    return Math.min(base * this.#backoff, TCP.longestTimeoutMs);
  }

  #armTimer(): void {
    this.#cancelTimer();
    this.#cancelTimer = () => {};
    if (this.#flights.some(({ arrived }) => !arrived)) {
      this.#cancelTimer = this.#queue.after(this.#timeoutMs(), () => this.#timedOut());
    }
  }

  #timedOut(): void {
    this.counters.timeouts++;
    this.#ssthresh = Math.max(this.#underway() / 2, 2 * MSS);
    this.#cwnd = MSS;
    this.#backoff *= 2;
    this.#recoverUntil = this.#next;
    for (const flight of this.#flights) if (!flight.arrived) flight.lost = true;
    this.#pump();
    this.#armTimer();
  }
}
