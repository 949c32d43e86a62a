// Jobs that change option bytes and run no stub: the write, the power cycle that unlock needs, and what is told of it
// (docs/protocol.md §7, "Option bits"). One turn at a time, so that the customer can stop while he is waited for.
import { OPTCR, sameOptions, withOptionBits, type OptionWords } from '../../shared/chips/index.ts';
import { asBlindflashError, fail, partOf } from '../../shared/errors/errors.ts';
import { KINDS } from '../../shared/plan/kinds.ts';
import type { Clock } from '../../shared/ports.ts';
import type { BoardState } from '../../shared/tunnel/bodies.ts';
import type { OwnMessage } from '../../shared/tunnel/messages.ts';
import type { Target } from '../target/target.ts';
import { sameJob, type Job } from './job.ts';
import type { Customer } from './ports.ts';

/**
 * idle: no such job. writing: the customer said yes. powerCycle: written, and the board has to be switched off and on.
 * done: told to the vendor, in every tunnel anew.
 */
export type OptionPhase = 'idle' | 'writing' | 'powerCycle' | 'done';
/** `job`: a yes to another job than before. `written`, `freed`: the write succeeded, of `options` and of `unlock`. */
export type OptionEvent = 'job' | 'written' | 'freed' | 'switched off and on';

/** Phase × event → next phase; drawn in docs/state-machines.md §10. Another event there is a mistake of ours. */
export const OPTION_WORK = {
  idle: { job: 'writing' },
  writing: { job: 'writing', written: 'done', freed: 'powerCycle' },
  powerCycle: { job: 'writing', 'switched off and on': 'done' },
  done: { job: 'writing' },
} as const satisfies Record<OptionPhase, Partial<Record<OptionEvent, OptionPhase>>>;

export interface OptionWorkOptions {
  readonly target: Target;
  readonly customer: Customer;
  readonly clock: Clock;
  readonly send: (message: OwnMessage) => void;
}

/** Milliseconds: how long a person may take to switch the board off and on, and between two looks. Chosen. */
const POWER_CYCLE = { mostMs: 15 * 60_000, lookMs: 500 } as const;
/** RDP as it is written to go from level 0 to level 1. */
const RDP_LEVEL_1 = 0x5500;

export class OptionWork {
  readonly #options: OptionWorkOptions;
  #phase: OptionPhase = 'idle';
  #job: Job | undefined;
  #words: { readonly before: OptionWords; readonly after: OptionWords } | undefined;
  #until = 0;
  #board: BoardState = 'untouched';

  constructor(options: OptionWorkOptions) {
    this.#options = options;
  }

  /** There is work: `turn` is to be called whenever no message waits. */
  get busy(): boolean {
    return this.#phase === 'writing' || this.#phase === 'powerCycle';
  }

  /** What the board is by what was done here. */
  get board(): BoardState {
    return this.#board;
  }

  /** The customer said yes. What is done for this job already is told again. */
  begin(job: Job): void {
    if (KINDS[job.plan.kind].options === 'kept') return;
    const again = sameJob(job, this.#job);
    this.#job = job;
    if (!again) this.#go('job');
    else if (this.#phase === 'done') this.#tell();
  }

  /** One turn. Returns how long to wait before the next, milliseconds. @throws BF-TARGET-*, what the probe brings */
  async turn(): Promise<number> {
    const happened = this.#phase === 'writing' ? await this.#write(this.#job as Job) : await this.#look();
    if (happened !== undefined) this.#go(happened);
    if (this.#phase === 'done') this.#tell();
    return this.#phase === 'powerCycle' ? POWER_CYCLE.lookMs : 0;
  }

  #go(event: OptionEvent): void {
    const row: Partial<Record<OptionEvent, OptionPhase>> = OPTION_WORK[this.#phase];
    const next = row[event];
    if (next === undefined) throw fail('BF-INTERNAL-ARGUMENT', `${event} while the option work is ${this.#phase}`);
    this.#phase = next;
  }

  #write(job: Job): Promise<OptionEvent> {
    return KINDS[job.plan.kind].options === 'freed' ? this.#unlock(job) : this.#set(job);
  }

  async #set({ plan }: Job): Promise<OptionEvent> {
    const { mask, value } = plan.options;
    this.#options.customer.say('Writing the option bytes. Do not touch the board for a second.');
    this.#words = await this.#change((now) => withOptionBits(now, mask, value), this.#board);
    return 'written';
  }

  /** Level 0. Code protection ends only on the way from level 1 to level 0, so an open chip is taken there first. */
  async #unlock({ plan }: Job): Promise<OptionEvent> {
    const { customer, clock, target } = this.#options;
    const { mask, value } = plan.options;
    const { rdp, optcr } = target.identity;
    const codeProtected = (optcr & mask.optcr & OPTCR.codeProtection) !== 0;
    const erases = rdp !== 0 || codeProtected;
    if (erases) {
      customer.say(
        'Taking the read protection away: the chip erases its whole flash, which takes up to half a minute. Do not touch the board.',
      );
    }
    if (rdp === 0 && codeProtected) {
      const level1 = { optcr: OPTCR.readProtection, optcr1: 0 };
      await this.#change((now) => withOptionBits(now, level1, { optcr: RDP_LEVEL_1, optcr1: 0 }), 'unknown');
    }
    this.#words = await this.#change((now) => withOptionBits(now, mask, value), erases ? 'erased' : this.#board);
    await target.markPower();
    this.#until = clock.now() + POWER_CYCLE.mostMs;
    customer.say(
      'Switch the board off, wait two seconds, and switch it on again. That is looked for, and then the job is done.',
    );
    return 'freed';
  }

  /** @param board what the board is when the write has succeeded; until then nobody knows */
  async #change(
    make: (now: OptionWords) => OptionWords,
    board: BoardState,
  ): Promise<{ before: OptionWords; after: OptionWords }> {
    let before: OptionWords | undefined;
    const after = await this.#options.target.changeOptions((now) => {
      before = now;
      const wanted = make(now);
      if (!sameOptions(now, wanted)) this.#board = 'unknown';
      return wanted;
    });
    this.#board = board;
    return { before: before as OptionWords, after };
  }

  /** A board without power does not answer: that is what is waited for. Undefined while it has not happened. */
  async #look(): Promise<OptionEvent | undefined> {
    const { target, clock, customer } = this.#options;
    const cycled = await target.wasPowerCycled().catch((error: unknown) => {
      const known = asBlindflashError(error);
      if (partOf(known.code) !== 'target') throw known;
      return false;
    });
    if (cycled) {
      const wanted = (this.#words as { readonly after: OptionWords }).after;
      const now = await target.changeOptions(() => undefined);
      if (!sameOptions(now, wanted)) throw fail('BF-TARGET-OPTIONS', `OPTCR reads 0x${now.optcr.toString(16)}`);
      customer.say('The board was switched off and on: its chip is open.');
      return 'switched off and on';
    }
    if (clock.now() >= this.#until) throw fail('BF-TARGET-NO-POWER-CYCLE');
    return undefined;
  }

  #tell(): void {
    if (this.#words !== undefined) this.#options.send({ name: 'OPTIONS', ...this.#words });
  }
}
