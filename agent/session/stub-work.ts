// What a session does with the stub once the customer said yes: offer handshakes, feed the transport, tell what went wrong
// (docs/protocol.md §6 SEALED1..RESTART, §11). The controller's verbs for a stub end here; none carries an address. What is done in
// which phase is a table: stub-work-table.ts.
import { KINDS } from '../../shared/plan/kinds.ts';
import { asBlindflashError, endsAgent, fail, tell, type BlindflashError } from '../../shared/errors/errors.ts';
import type { StubState } from '../../shared/mailbox/layout.ts';
import { decodePlan, planHash, type Plan } from '../../shared/plan/plan.ts';
import { equalBytes } from '../../shared/codec/bytes.ts';
import type { Clock, Log } from '../../shared/ports.ts';
import type { Board } from '../../shared/tunnel/bodies.ts';
import type { MessageName, OwnMessage } from '../../shared/tunnel/messages.ts';
import { boardNow, type BoardFacts } from './board-state.ts';
import { readJob, sameJob, type Job } from './job.ts';
import type { AgentMemory, Customer } from './ports.ts';
import { ProgressReporter } from './progress-reporter.ts';
import { STUB_WORK, type WorkHandler, type WorkInput, type WorkPhase } from './stub-work-table.ts';
import type { TargetSession } from '../target/target-session.ts';
import { isServing, isStopped } from '../transport/program-states.ts';
import type { FoundStub, NumberedBox, Offer, StubJob, Transport, Turn } from '../transport/port.ts';

export interface StubWorkOptions {
  readonly target: TargetSession;
  readonly memory: AgentMemory;
  readonly customer: Customer;
  readonly clock: Clock;
  readonly log: Log;
  readonly send: (message: OwnMessage) => void;
}

/** Chosen: how often a stub is loaded in one session, and how often trouble with the board is reported before it is given up. */
const MOST = { loads: 8, troubles: 32 } as const;

export class StubWork {
  readonly #options: StubWorkOptions;
  readonly #progress: ProgressReporter;
  readonly #counters = { loads: 0, troubles: 0 };
  #phase: WorkPhase = 'idle';
  /** The job the customer said yes to. */
  #job: Job | undefined;
  /** The job the stub in RAM has. */
  #stubJob: StubJob | undefined;
  /** The plan of a stub that was found running, agreed to or not. */
  #foundPlan: Plan | undefined;
  /** The transport a sealed session was begun or adopted on. */
  #served: Transport | undefined;
  #touched = false;
  #state: StubState | undefined;

  constructor(options: StubWorkOptions) {
    this.#options = options;
    this.#progress = new ProgressReporter(options);
  }

  /** There is something to pump: `pump` is to be called whenever no message waits. */
  get pumping(): boolean {
    return this.#phase === 'serving';
  }

  get job(): Job | undefined {
    return this.#job;
  }

  get facts(): BoardFacts {
    const stubLoaded = this.#options.target.transport !== undefined;
    return { plan: this.#job?.plan ?? this.#foundPlan, stubLoaded, touched: this.#touched, state: this.#state };
  }

  // ── what comes ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A stub of an earlier agent works on: with the customer's yes to its plan, its sealed session can be served on. */
  async adopt(found: FoundStub): Promise<void> {
    this.#state = found.state;
    this.#stubJob = found.job;
    if (found.job === undefined) return;
    this.#foundPlan = decodePlan(found.job.planBytes);
    this.#touched = KINDS[this.#foundPlan.kind].writes;
    this.#job = this.#consentedJob(found.job, this.#options.memory.consented);
    if (this.#job === undefined) return;
    this.#served = found.transport;
    await found.transport.adopt();
    this.#phase = this.#rest();
  }

  /** The customer said yes: from here on this is the job. */
  begin(job: Job): Promise<void> {
    return this.#on('job', { begin: () => this.#begin(job) });
  }

  /** Another tunnel: whoever is at its other end has yet to say which sealed session it goes on with. */
  opened(): Promise<void> {
    return this.#on('opened', { rest: () => this.#rest(), stay: () => this.#phase });
  }

  restart(): Promise<void> {
    return this.#on('RESTART', { offer: () => this.#offer(), stay: () => this.#phase });
  }

  takeM2(m2: Uint8Array): Promise<void> {
    return this.#on('SEALED2', { shake: () => this.#shake(m2), drop: () => this.#drop('SEALED2') });
  }

  /** @throws as Transport.queue: a controller that counts wrongly ends the job. */
  takeCommand(command: NumberedBox): Promise<void> {
    return this.#on('FRAME', { take: () => this.#take(command), drop: () => this.#drop('FRAME') });
  }

  /** One turn of the transport and what follows from it. Returns how long to wait before the next, milliseconds. */
  async pump(): Promise<number> {
    let pauseMs = 0;
    const pump = async (): Promise<WorkPhase> => {
      const turn = await this.#attempt((served) => served.turn());
      if (turn === undefined) return this.#rest();
      const next = await this.#afterTurn(turn);
      if (isServing(turn.state)) pauseMs = turn.pauseMs;
      return next;
    };
    await this.#on('turn', { pump, stay: () => this.#phase });
    return pauseMs;
  }

  async #on<Input extends WorkInput>(
    input: Input,
    handlers: Readonly<Record<WorkHandler<Input>, () => WorkPhase | Promise<WorkPhase>>>,
  ): Promise<void> {
    const handler: WorkHandler<Input> = STUB_WORK[this.#phase][input];
    this.#phase = await handlers[handler]();
  }

  // ── handlers: each returns the phase it leads to ───────────────────────────────────────────────────────────────────

  #begin(job: Job): WorkPhase | Promise<WorkPhase> {
    this.#job = job;
    if (this.#needsStub()) return this.#offer();
    return this.#phase === 'serving' ? 'paused' : this.#phase;
  }

  /** RESTART is this transition too: the counter of loads bounds it. */
  async #offer(): Promise<WorkPhase> {
    const job = this.#job;
    if (job === undefined || !this.#needsStub()) return this.#drop('RESTART');
    const offer = await this.#guard(() => this.#makeOffer(job));
    if (offer === undefined) return this.#rest();
    this.#state = 'offered';
    this.#options.send({ name: 'SEALED1', stubHash: offer.stubHash, m1: offer.m1 });
    return 'offered';
  }

  /** M1 from the stub that has this job, or from a new one. */
  async #makeOffer(job: Job): Promise<Offer> {
    const { memory, customer, target } = this.#options;
    const { transport } = target;
    if (transport !== undefined && sameJob(job, this.#stubJob) && (await transport.canOfferAgain())) {
      return transport.offerAgain();
    }
    const { loads } = this.#counters;
    if (loads === MOST.loads) throw fail('BF-STUB-SILENT', `loaded ${loads} times`);
    this.#counters.loads++;
    customer.say('Starting our program in the RAM of the chip.');
    memory.saveStubLoaded(true);
    this.#stubJob = undefined;
    const fresh = await target.startStub(job);
    this.#stubJob = job;
    return fresh.giveJob(job);
  }

  async #shake(m2: Uint8Array): Promise<WorkPhase> {
    const { transport } = this.#options.target;
    if (transport === undefined) return this.#drop('SEALED2');
    const m3 = await this.#guard(() => transport.giveM2(m2));
    if (m3 === undefined) return this.#rest();
    this.#served = transport;
    this.#state = 'active';
    this.#options.send({ name: 'SEALED3', m3 });
    this.#tellCredit(transport);
    return 'serving';
  }

  #take(command: NumberedBox): WorkPhase {
    this.#served?.queue(command);
    return 'serving';
  }

  async #afterTurn(turn: Turn): Promise<WorkPhase> {
    const served = this.#served as Transport;
    this.#state = turn.state;
    this.#touched ||= served.accepted > 0 && this.#writes();
    for (const reply of turn.replies) this.#options.send({ name: 'REPLY', ...reply });
    this.#tellCredit(served);
    const told = await this.#attempt(() => this.#progress.tell(served, this.facts));
    if (isServing(turn.state)) return told === undefined ? this.#rest() : 'serving';
    if (isStopped(turn.state)) await this.#stopped(turn.state);
    return this.#rest();
  }

  /** The stub gave up: its reason is told as any other trouble. */
  async #stopped(state: StubState): Promise<void> {
    const reason = await this.#attempt((served) => served.stopReason(state));
    if (reason !== undefined) await this.#trouble(reason);
  }

  #rest(): WorkPhase {
    return this.#served !== undefined && isServing(this.#state) ? 'paused' : 'idle';
  }

  #drop(name: MessageName): WorkPhase {
    const { log } = this.#options;
    // Sealed commands of an ended session may come by the hundred.
    log[name === 'FRAME' ? 'debug' : 'warn'](
      { name, phase: this.#phase },
      'a message that belongs to nothing was dropped',
    );
    return this.#phase;
  }

  #tellCredit(transport: Transport): void {
    const upTo = transport.credit();
    if (upTo !== undefined) this.#options.send({ name: 'CREDIT', upTo });
  }

  // ── trouble ────────────────────────────────────────────────────────────────────────────────────────────────────────

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
    const keyed = this.#state === 'offered' || isServing(this.#state);
    if (!keyed) return;
    await this.#options.target.transport?.stop().catch((error: unknown) => {
      this.#options.log.warn({ error: String(error) }, 'the stub was not told to wipe its keys');
    });
  }

  /** A step with the transport that is served; undefined after trouble. */
  #attempt<T>(step: (served: Transport) => Promise<T>): Promise<T | undefined> {
    return this.#guard(() => step(this.#served as Transport));
  }

  /** Runs a step on the board; undefined after trouble of the board, which was told. @throws trouble that ends the session */
  async #guard<T>(step: () => Promise<T>): Promise<T | undefined> {
    try {
      return await step();
    } catch (error) {
      await this.#trouble(asBlindflashError(error));
      return undefined;
    }
  }

  /** Counts trouble and tells it; the controller decides what comes. @throws the trouble itself when it ends the session */
  async #trouble(error: BlindflashError): Promise<void> {
    const { log, customer } = this.#options;
    this.#counters.troubles++;
    if (endsAgent(error.code) || this.#counters.troubles > MOST.troubles) throw error;
    await this.#lookAgain();
    log.warn({ code: error.code, detail: error.detail }, 'trouble with the board');
    customer.say(tell(error, 'customer'));
    // A stub that stopped in order keeps its job and can offer another handshake: the controller may try again.
    const waits = this.#state === 'aborted' || this.#state === 'expired';
    this.report(error, waits ? 'waiting' : boardNow(this.facts));
  }

  /** The stub's state after trouble, if it can still be asked. */
  async #lookAgain(): Promise<void> {
    const state = await this.#options.target.transport?.state().catch(() => undefined);
    this.#state = state ?? this.#state;
  }

  // ── the job ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #consentedJob(found: StubJob, consented: Uint8Array | undefined): Job | undefined {
    if (consented === undefined || !equalBytes(planHash(found.planBytes), consented)) return undefined;
    const { sealedPublic, hostEntropy, planBytes } = found;
    return readJob({ name: 'JOB', sealedPublic, hostEntropy, plan: planBytes }, this.#options.target.identity);
  }

  #needsStub(): boolean {
    return this.#job !== undefined && KINDS[this.#job.plan.kind].stub;
  }

  #writes(): boolean {
    return this.#job !== undefined && KINDS[this.#job.plan.kind].writes;
  }
}
