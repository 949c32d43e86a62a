// The one thing a job waits for at a time: until when, what follows, what may take its place. Measured on
// the Clock port: no polling, no sleeping. Whatever happens is looked at once the messages that arrived
// together have all been heard.
import type { BlindflashError } from '../../shared/errors/errors.ts';
import type { Clock } from '../../shared/ports.ts';

/** How long to wait and what it means when that was not enough. */
export interface Limit {
  /** Milliseconds. */
  readonly ms: number;
  /** From the start of the wait, or from the last sign of life. */
  readonly since: 'start' | 'life';
  /** The clock's time at which it is over instead, whether the other side is there or not. */
  readonly endsAt?: number;
  readonly error: () => BlindflashError;
}

/**
 * What is waited for. Exactly one of `then`, `failed` and `expired` is called, unless something takes the wait's place.
 */
export interface Wait<T> {
  /** What was waited for, once it is there. */
  readonly ready: () => T | undefined;
  readonly limit: Limit;
  readonly then: (value: T) => void;
  /** Something has failed; or the limit is over, unless `expired` says otherwise. */
  readonly failed: (error: unknown) => void;
  readonly expired?: (() => void) | undefined;
}

interface Current {
  readonly start: number;
  readonly limit: Limit;
  /** What to do now, if there is anything. */
  readonly outcome: () => (() => void) | undefined;
  readonly failed: (error: unknown) => void;
}

export class Waits {
  readonly #clock: Clock;
  #current: Current | undefined;
  #suspended = false;
  /** When the other side last came back. */
  #returnedAt = Number.NEGATIVE_INFINITY;
  #lastLife: number;
  #failure: unknown;
  #interruption: (() => void) | undefined;
  #looking = false;
  #cancelTimer: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastLife = clock.now();
  }

  /** Waits for this, and no longer for what was waited for before. */
  wait<T>({ ready, limit, then, failed, expired }: Wait<T>): void {
    const start = this.#clock.now();
    const outcome = (): (() => void) | undefined => {
      const value = ready();
      if (value !== undefined) return () => then(value);
      if (this.#left(limit, start) > 0 || this.#stands(limit)) return undefined;
      return expired ?? (() => failed(limit.error()));
    };
    this.#current = { start, limit, outcome, failed };
    this.#lookSoon();
  }

  /**
   * The first value of `ready` that is not undefined. Rejects with the failure or the limit's error;
   * an interruption drops it.
   */
  until<T>(ready: () => T | undefined, limit: Limit): Promise<T> {
    return new Promise((then, failed) => this.wait({ ready, limit, then, failed }));
  }

  /** While the other side is away no limit runs but one with an end of its own; the others begin anew afterwards. */
  suspend(away: boolean): void {
    if (this.#suspended && !away) this.#returnedAt = this.#clock.now();
    this.#suspended = away;
  }

  /** Something changed: what is waited for may be there. */
  notify(): void {
    this.#lookSoon();
  }

  /** The other side gave a sign of life. */
  alive(): void {
    this.#lastLife = this.#clock.now();
    this.#lookSoon();
  }

  /** Every wait, now and later, ends with this; the first one counts. */
  fail(failure: unknown): void {
    this.#failure ??= failure;
    this.#lookSoon();
  }

  /** What every wait ends with from now on. */
  get failure(): unknown {
    return this.#failure;
  }

  /**
   * This takes the place of the next wait (of the present one, if there is one), unless there is a
   * failure; the latest counts.
   */
  interrupt(instead: () => void): void {
    this.#interruption = instead;
    this.#lookSoon();
  }

  /** What ended or interrupted the waits so far does not those from here on. */
  renew(): void {
    this.#failure = this.#interruption = undefined;
  }

  /** Nothing is waited for any more. */
  stop(): void {
    this.#current = undefined;
    this.#cancelTimer();
  }

  /** While the other side is away. */
  #stands({ endsAt }: Limit): boolean {
    return this.#suspended && endsAt === undefined;
  }

  /** Milliseconds. */
  #left({ ms, since, endsAt }: Limit, start: number): number {
    if (endsAt !== undefined) return endsAt - this.#clock.now();
    const from = since === 'start' ? start : Math.max(start, this.#lastLife);
    return Math.max(from, this.#returnedAt) + ms - this.#clock.now();
  }

  #lookSoon(): void {
    if (this.#looking) return;
    this.#looking = true;
    void Promise.resolve().then(() => this.#look());
  }

  #look(): void {
    this.#looking = false;
    this.#cancelTimer();
    const current = this.#current;
    if (current === undefined) return;
    const next = this.#next(current);
    if (next === undefined) return this.#arm(current);
    this.stop();
    next();
  }

  #next(current: Current): (() => void) | undefined {
    if (this.#failure !== undefined) return () => current.failed(this.#failure);
    const interruption = this.#interruption;
    this.#interruption = undefined;
    return interruption ?? current.outcome();
  }

  #arm({ limit, start }: Current): void {
    if (this.#stands(limit)) return;
    this.#cancelTimer = this.#clock.after(this.#left(limit, start), () => this.#lookSoon());
  }
}
