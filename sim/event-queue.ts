// The one event queue of a virtual run (docs/simulation.md, "Virtual time"). Links, timeouts and board waits are events
// here; the queue moves on only after a macrotask turn in which nobody scheduled anything.
import type { Clock } from '../shared/ports.ts';

interface QueuedEvent {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

/** Binary min-heap ordered by time, then by order of scheduling: ties are deterministic. */
class EventHeap {
  readonly #items: QueuedEvent[] = [];
  get size(): number {
    return this.#items.length;
  }
  peek(): QueuedEvent | undefined {
    return this.#items[0];
  }
  push(event: QueuedEvent): void {
    const items = this.#items;
    let i = items.push(event) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(items[i]!, items[parent]!)) break;
      [items[i], items[parent]] = [items[parent]!, items[i]!];
      i = parent;
    }
  }
  pop(): QueuedEvent | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (top === undefined || last === undefined || items.length === 0) return top;
    items[0] = last;
    for (let i = 0; ;) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < items.length && before(items[child]!, items[least]!)) least = child;
      }
      if (least === i) return top;
      [items[i], items[least]] = [items[least]!, items[i]!];
      i = least;
    }
  }
}

function before(a: QueuedEvent, b: QueuedEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Something that lives beside the queue and must be brought to its time before an event runs, such as a board. */
export interface Follower {
  /** Advance own time to `timeNs`. */
  followTo(timeNs: number): void;
}

/** Virtual time in nanoseconds and the events that move it. Also serves as the `Clock` port (milliseconds). */
export class EventQueue implements Clock {
  #nowNs = 0;
  #order = 0;
  #executed = 0;
  readonly #heap = new EventHeap();
  readonly #followers: Follower[] = [];
  readonly #epochMs: number;

  /** @param epochMs calendar time at virtual time zero, milliseconds since 1970. */
  constructor(epochMs = Date.UTC(2026, 0, 1)) {
    this.#epochMs = epochMs;
  }

  get nowNs(): number {
    return this.#nowNs;
  }
  /** How many events ran so far; part of a run's trace. */
  get executed(): number {
    return this.#executed;
  }
  now(): number {
    return this.#nowNs / 1e6;
  }
  wall(): number {
    return this.#epochMs + Math.floor(this.#nowNs / 1e6);
  }
  after(delayMs: number, run: () => void): () => void {
    return this.at(this.#nowNs + Math.max(0, delayMs) * 1e6, run);
  }
  /** Schedules `run` at absolute virtual time `timeNs` (not before now). */
  at(timeNs: number, run: () => void): () => void {
    const event: QueuedEvent = { at: Math.max(timeNs, this.#nowNs), order: this.#order++, run, cancelled: false };
    this.#heap.push(event);
    return () => {
      event.cancelled = true;
    };
  }
  /** Virtual time of the nearest event (cancelled ones included), Infinity when there is none. */
  get nextNs(): number {
    return this.#heap.peek()?.at ?? Number.POSITIVE_INFINITY;
  }
  follow(follower: Follower): void {
    this.#followers.push(follower);
  }

  /**
   * Runs events until `done()` is true or the queue is empty.
   * @throws Error when more than `limitNs` of virtual time passes: the run hangs.
   */
  async runUntil(done: () => boolean, limitNs = Number.POSITIVE_INFINITY): Promise<void> {
    for (;;) {
      await this.#settle();
      if (done()) return;
      const event = this.#heap.pop();
      if (event === undefined) return;
      if (event.cancelled) continue;
      if (event.at > limitNs) throw new Error(`virtual run passed its limit of ${limitNs / 1e6} ms`);
      this.#advance(event.at);
      this.#executed++;
      event.run();
    }
  }

  /** Drives the queue until `work` settles and returns its outcome; a queue that runs dry first is a hang. */
  async drive<T>(work: Promise<T>, limitNs?: number): Promise<T> {
    let settled = false;
    const mark = () => {
      settled = true;
    };
    work.then(mark, mark);
    await this.runUntil(() => settled, limitNs);
    if (!settled) throw new Error('virtual run hangs: nothing is scheduled and the work has not ended');
    return work;
  }

  #advance(timeNs: number): void {
    this.#nowNs = timeNs;
    for (const follower of this.#followers) follower.followTo(timeNs);
  }

  /** Lets promises settle: returns after a macrotask turn in which nothing new was scheduled. */
  async #settle(): Promise<void> {
    for (let seen = -1; seen !== this.#order;) {
      seen = this.#order;
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }
}
