// Where the time of a run goes: people are waited for in some phases; the rest is the chip's work and the network.
import type { Phase } from './job-table.ts';
import type { JobTimes } from '../../shared/plan/receipt.ts';
import type { Clock } from '../../shared/ports.ts';
import type { ChipTimes } from '../../shared/sealed/messages.ts';

/** Phases that end when somebody has come, typed or answered. */
const PEOPLE: ReadonlySet<Phase> = new Set<Phase>(['waiting', 'code', 'deviceCode', 'consent']);
const NO_WORK: ChipTimes = { erase: 0, program: 0, check: 0 };

export class JobClock {
  readonly #clock: Clock;
  readonly #started: number;
  #phase: Phase = 'waiting';
  #since: number;
  #people = 0;
  #work: ChipTimes = NO_WORK;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#started = this.#since = clock.now();
  }

  /** The job is in this phase from now on. */
  enter(phase: Phase): void {
    const now = this.#clock.now();
    if (PEOPLE.has(this.#phase)) this.#people += now - this.#since;
    this.#phase = phase;
    this.#since = now;
  }

  /** The chip has said how long it worked. */
  worked(work: ChipTimes): void {
    this.#work = work;
  }

  /** The run as it ends now; durationMs: milliseconds since it began. */
  get ended(): { readonly durationMs: number; readonly times: JobTimes } {
    return { durationMs: this.#durationMs, times: this.times };
  }

  get #durationMs(): number {
    return this.#clock.now() - this.#started;
  }

  /** So far, milliseconds; network is what nobody else has taken. */
  get times(): JobTimes {
    const { erase, program, check } = this.#work;
    const people = Math.round(this.#people);
    const network = Math.max(0, Math.round(this.#durationMs) - people - erase - program - check);
    return { people, network, erase, program, check };
  }
}
