// What a session does with the stub once the customer said yes: offer handshakes, feed the pump, tell what went wrong
// (docs/protocol.md §6 SEALED1..RESTART, §11). The controller's verbs for a stub end here; none carries an address.
import { asBlindflashError, endsAgent, fail, isBlindflashError, partOf, tell } from '../../shared/errors/errors.ts';
import type { BlindflashError } from '../../shared/errors/errors.ts';
import { ACTIVITIES, STATES, type StubState } from '../../shared/mailbox/layout.ts';
import { decodePlan, planHash, type Plan } from '../../shared/plan/plan.ts';
import { equalBytes } from '../../shared/codec/bytes.ts';
import type { Clock, Log } from '../../shared/ports.ts';
import { IMAGE_DATA_BYTES } from '../../shared/sealed/messages.ts';
import type { Board } from '../../shared/tunnel/bodies.ts';
import type { TunnelMessage } from '../../shared/tunnel/messages.ts';
import { boardNow, type BoardFacts } from './board-state.ts';
import { KIND_EFFECTS, readJob, sameJob, type Job } from './job.ts';
import type { AgentMemory, Customer, Phase } from './ports.ts';
import type { TargetSession } from '../target/target-session.ts';
import { MailboxHost, type NumberedBox, type Turn } from '../transport/mailbox/mailbox-host.ts';
import { isStopped, stateName } from '../target/stub-errors.ts';
import type { FoundStub, Offer, StubJob } from '../target/stub-runner.ts';

export interface StubWorkOptions {
  readonly desk: TargetSession;
  readonly memory: AgentMemory;
  readonly customer: Customer;
  readonly clock: Clock;
  readonly log: Log;
  readonly send: (message: TunnelMessage) => void;
}

/** Chosen limits. */
const CHOSEN = {
  progressEveryMs: 250,
  /** How often a stub is loaded in one session, and how often trouble with the board is reported before it is given up. */
  loads: 8,
  problems: 32,
} as const;

const PHASES: Readonly<Record<number, Phase>> = {
  [ACTIVITIES.erasing]: 'erasing',
  [ACTIVITIES.programming]: 'programming',
  [ACTIVITIES.digesting]: 'checking',
  [ACTIVITIES.options]: 'locking',
};

export class StubWork {
  readonly #options: StubWorkOptions;
  /** The job the customer said yes to. */
  #job: Job | undefined;
  /** The job the stub in RAM has. */
  #stubJob: StubJob | undefined;
  /** The plan of a stub that was found running, agreed to or not. */
  #foundPlan: Plan | undefined;
  #host: MailboxHost | undefined;
  #pumping = false;
  /** SEALED1 went out on this tunnel and is not answered. */
  #offered = false;
  #touched = false;
  #state: StubState | undefined;
  #loads = 0;
  #problems = 0;
  #progress = { at: Number.NEGATIVE_INFINITY, statusWord: 0, words: 0 };

  constructor(options: StubWorkOptions) {
    this.#options = options;
  }

  /** The pump has something to do: `pump` is to be called whenever no message waits. */
  get pumping(): boolean {
    return this.#pumping;
  }

  get job(): Job | undefined {
    return this.#job;
  }

  /** The chip holds, or may soon hold, keys. */
  get keyed(): boolean {
    return this.#state === 'offered' || isServing(this.#state);
  }

  get facts(): BoardFacts {
    const stubLoaded = this.#options.desk.runner !== undefined;
    return { plan: this.#job?.plan ?? this.#foundPlan, stubLoaded, touched: this.#touched, state: this.#state };
  }

  /** A stub of an earlier agent works on: with the customer's yes to its plan, its session can be served on. */
  async adopt(found: FoundStub): Promise<void> {
    const { memory, clock, log } = this.#options;
    this.#state = found.state;
    this.#stubJob = found.job;
    if (found.job === undefined) return;
    this.#foundPlan = decodePlan(found.job.planBytes);
    this.#touched = KIND_EFFECTS[this.#foundPlan.kind].writes;
    this.#job = this.#consentedJob(found.job, memory.consented);
    if (this.#job === undefined) return;
    this.#host = new MailboxHost(found.runner.mailbox, clock, log);
    await this.#host.adopt();
  }

  /** The customer said yes: from here on this is the job. */
  async begin(job: Job): Promise<void> {
    this.#job = job;
    this.#pumping = false;
    if (KIND_EFFECTS[job.plan.kind].stub) await this.#offer(job);
  }

  /** Another tunnel: whoever is at its other end has yet to say which session it goes on with. */
  hold(): void {
    this.#pumping = false;
    this.#offered = false;
  }

  // ── the controller's verbs ────────────────────────────────────────────────────────────────────────────────────────

  async restart(): Promise<void> {
    const job = this.#job;
    if (job === undefined || !KIND_EFFECTS[job.plan.kind].stub) {
      this.#options.log.warn({}, 'RESTART without a job was dropped');
      return;
    }
    // An offer nobody has answered is as good as a new one.
    if (!this.#offered) await this.#offer(job);
  }

  async takeM2(m2: Uint8Array): Promise<void> {
    const runner = this.#options.desk.runner;
    if (!this.#offered || runner === undefined) {
      this.#options.log.warn({}, 'SEALED2 without an offer was dropped');
      return;
    }
    this.#offered = false;
    const m3 = await this.#guarded(() => runner.giveM2(m2));
    if (m3 === undefined) return;
    this.#host = new MailboxHost(runner.mailbox, this.#options.clock, this.#options.log);
    this.#host.begin();
    this.#state = 'active';
    this.#pumping = true;
    this.#options.send({ name: 'SEALED3', m3 });
    this.#tellCredit(this.#host);
  }

  /** @throws as MailboxHost.queue: a controller that counts wrongly ends the job. */
  takeFrame({ sequence, box }: NumberedBox): void {
    const serving = this.#job !== undefined && this.#host !== undefined && !this.#offered && isServing(this.#state);
    if (!serving) {
      this.#options.log.debug({ sequence }, 'a frame of no session was dropped');
      return;
    }
    this.#host?.queue({ sequence, box });
    this.#pumping = true;
  }

  // ── handshake ─────────────────────────────────────────────────────────────────────────────────────────────────────

  async #offer(job: Job): Promise<void> {
    this.#pumping = false;
    const offer = await this.#guarded(() => this.#makeOffer(job));
    if (offer === undefined) return;
    this.#state = 'offered';
    this.#offered = true;
    this.#options.send({ name: 'SEALED1', stubHash: offer.stubHash, m1: offer.m1 });
  }

  /** M1 from the stub that has this job, or from a new one. */
  async #makeOffer(job: Job): Promise<Offer> {
    const { memory, customer, desk } = this.#options;
    const runner = desk.runner;
    if (runner !== undefined && sameJob(job, this.#stubJob) && (await this.#canOfferAgain())) {
      return runner.offerAgain();
    }
    if (this.#loads === CHOSEN.loads) throw fail('BF-STUB-SILENT', `loaded ${this.#loads} times`);
    this.#loads++;
    customer.say('Starting our program in the RAM of the chip.');
    memory.saveStubLoaded(true);
    this.#stubJob = undefined;
    const fresh = await desk.startStub(job);
    this.#stubJob = job;
    return fresh.giveJob(job);
  }

  /** A stub that lost its power, was reset, faulted or refused is loaded anew. */
  async #canOfferAgain(): Promise<boolean> {
    const runner = this.#options.desk.runner;
    if (runner === undefined) return false;
    try {
      const { state } = await runner.mailbox.status();
      return state >= STATES.offered && state <= STATES.expired && (await runner.isLive());
    } catch (error) {
      if (isBlindflashError(error) && partOf(error.code) === 'target') return false;
      throw error;
    }
  }

  // ── the pump ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** One turn of the mailbox host and what follows from it. Returns how long to wait before the next, milliseconds. */
  async pump(): Promise<number> {
    const host = this.#host as MailboxHost;
    const turn = await this.#guarded(() => host.turn());
    if (turn === undefined) return 0;
    this.#state = turn.state;
    this.#touched ||= host.accepted > 0 && this.#writes();
    for (const reply of turn.replies) this.#options.send({ name: 'REPLY', ...reply });
    this.#tellCredit(host);
    await this.#tellProgress(turn);
    if (isServing(turn.state)) return turn.pauseMs;
    await this.#sessionOver(turn.state);
    return 0;
  }

  #tellCredit(host: MailboxHost): void {
    const upTo = host.credit();
    if (upTo !== undefined) this.#options.send({ name: 'CREDIT', upTo });
  }

  async #sessionOver(state: StubState): Promise<void> {
    this.#pumping = false;
    const runner = this.#options.desk.runner;
    if (runner === undefined || !isStopped(state)) return;
    await this.#guarded(async () => {
      throw await runner.reason(state);
    });
  }

  async #tellProgress({ statusWord }: Turn): Promise<void> {
    const { clock, customer, desk } = this.#options;
    const last = this.#progress;
    if (clock.now() - last.at < CHOSEN.progressEveryMs) return;
    const seen = await this.#guarded(async () => desk.runner?.mailbox.words());
    if (seen === undefined) return;
    this.#progress = { at: clock.now(), statusWord, words: seen.words };
    if (seen.words === last.words && statusWord === last.statusWord) return;
    this.#options.send({ name: 'PROGRESS', status: statusWord, wordsProgrammed: seen.words });
    customer.progress({ phase: PHASES[seen.activity] ?? 'waiting', number: seen.argument, ...this.#amounts() });
  }

  /** Image bytes taken and to be taken; by frames, so the last one may overshoot. */
  #amounts(): { doneBytes: number; totalBytes: number } {
    const ranges = this.#job?.plan.ranges.filter(({ use }) => use === 'program') ?? [];
    const totalBytes = ranges.reduce((sum, range) => sum + range.length, 0);
    const taken = (this.#host?.acceptedImages ?? 0) * IMAGE_DATA_BYTES;
    const complete = boardNow(this.facts) === 'written';
    return { doneBytes: complete ? totalBytes : Math.min(taken, totalBytes), totalBytes };
  }

  // ── trouble ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** PROBLEM, as far as there is a tunnel to send it through. */
  report(error: BlindflashError, board: Board = boardNow(this.facts)): void {
    const problem = { code: error.code, detail: error.detail ?? '', board };
    try {
      this.#options.send({ name: 'PROBLEM', problem });
    } catch (failure) {
      this.#options.log.info({ code: error.code, why: String(failure) }, 'the vendor cannot be told');
    }
  }

  /** A session that ends here must not leave keys behind in the chip. Never throws. */
  async wipeKeys(): Promise<void> {
    if (!this.keyed) return;
    await this.#options.desk.runner?.abort().catch((error: unknown) => {
      this.#options.log.warn({ error: String(error) }, 'the stub was not told to wipe its keys');
    });
  }

  /** Runs a step on the board; trouble of the board is reported and awaits the controller's decision, all else ends the job. */
  async #guarded<T>(step: () => Promise<T>): Promise<T | undefined> {
    try {
      return await step();
    } catch (error) {
      const known = asBlindflashError(error);
      this.hold();
      this.#problems++;
      if (endsAgent(known.code) || this.#problems > CHOSEN.problems) throw known;
      await this.#lookAgain();
      this.#options.log.warn({ code: known.code, detail: known.detail }, 'trouble with the board');
      this.#options.customer.say(tell(known, 'customer'));
      // A stub that stopped in order keeps its job and can offer another handshake: the controller may try again.
      const waits = this.#state === 'aborted' || this.#state === 'expired';
      this.report(known, waits ? 'waiting' : boardNow(this.facts));
      return undefined;
    }
  }

  /** The stub's state after trouble, if it can still be asked. */
  async #lookAgain(): Promise<void> {
    const status = await this.#options.desk.runner?.mailbox.status().catch(() => undefined);
    if (status !== undefined) this.#state = stateName(status.state) ?? this.#state;
  }

  // ── parts ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #consentedJob(found: StubJob, consented: Uint8Array | undefined): Job | undefined {
    if (consented === undefined || !equalBytes(planHash(found.planBytes), consented)) return undefined;
    const { sealedPublic, hostEntropy, planBytes } = found;
    return readJob({ name: 'JOB', sealedPublic, hostEntropy, plan: planBytes }, this.#options.desk.identity);
  }

  #writes(): boolean {
    return this.#job !== undefined && KIND_EFFECTS[this.#job.plan.kind].writes;
  }
}

function isServing(state: StubState | undefined): boolean {
  return state === 'active' || state === 'written' || state === 'locked';
}
