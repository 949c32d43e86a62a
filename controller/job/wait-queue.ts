// Waiting for conditions, with patience measured on the Clock port: no polling, no sleeping.
import type { BlindflashError } from '../../shared/errors/errors.ts';
import type { Clock } from '../../shared/ports.ts';

/** How long to wait and what it means when that was not enough. */
export interface Limit {
  readonly ms: number;
  /** From the start of the wait, or from the last sign of life. */
  readonly since: 'start' | 'life';
  readonly error: () => BlindflashError;
}

export class WaitQueue {
  #suspended = false;
  /** When the other side last came back. */
  #returnedAt = Number.NEGATIVE_INFINITY;
  readonly #clock: Clock;
  #wake: () => void = () => {};
  #lastLife: number;
  #failure: unknown;
  #signal: unknown;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastLife = clock.now();
  }

  /** While the other side is away only the owner's own patience counts; when it is back every limit begins anew. */
  get suspended(): boolean {
    return this.#suspended;
  }
  set suspended(away: boolean) {
    if (this.#suspended && !away) this.#returnedAt = this.#clock.now();
    this.#suspended = away;
  }

  /** Something changed: whoever waits looks again. */
  notify(): void {
    this.#wake();
  }

  /** The other side gave a sign of life. */
  alive(): void {
    this.#lastLife = this.#clock.now();
    this.#wake();
  }

  /** Every wait, now and later, ends with this; the first one counts. */
  fail(failure: unknown): void {
    this.#failure ??= failure;
    this.#wake();
  }

  /** What every wait ends with from now on. */
  get failure(): unknown {
    return this.#failure;
  }

  /** The next wait ends with this, unless there is a failure; the latest one counts. */
  signal(signal: unknown): void {
    this.#signal = signal;
    this.#wake();
  }

  /** The first value of `ready` that is not undefined; throws failure, signal, or the limit's error. */
  async until<T>(ready: () => T | undefined, limit: Limit): Promise<T> {
    const start = this.#clock.now();
    for (;;) {
      this.check();
      const value = ready();
      if (value !== undefined) return value;
      const from = limit.since === 'start' ? start : Math.max(start, this.#lastLife);
      const left = Math.max(from, this.#returnedAt) + limit.ms - this.#clock.now();
      if (left <= 0 && !this.suspended) throw limit.error();
      await this.#change(this.suspended ? undefined : left);
    }
  }

  /** Throws what a wait would throw now. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    const signal = this.#signal;
    this.#signal = undefined;
    if (signal !== undefined) throw signal;
  }

  #change(ms: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const cancel = ms === undefined ? () => {} : this.#clock.after(ms, () => this.#wake());
      this.#wake = () => {
        this.#wake = () => {};
        cancel();
        resolve();
      };
    });
  }
}
