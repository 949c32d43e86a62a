// What a session does with the stub once the customer said yes: offer handshakes, feed the transport, tell what went
// wrong (docs/protocol.md §6 SEALED1..RESTART, §11). The controller's verbs for a stub end here; none carries an
// address. What is done in which phase is a table: stub-work-table.ts.
import { KINDS } from '../../shared/plan/kinds.ts';
import {
  asBlindflashError,
  detailForPeer,
  endsAgent,
  isBlindflashError,
  tell,
  type BlindflashError,
} from '../../shared/errors/errors.ts';
import type { StubState } from '../../shared/mailbox/layout.ts';
import { decodePlan, type Plan } from '../../shared/plan/plan.ts';
import { programOf } from '../../shared/plan/program.ts';
import { equalBytes } from '../../shared/codec/bytes.ts';
import type { Clock, Log } from '../../shared/ports.ts';
import type { BoardState } from '../../shared/tunnel/bodies.ts';
import { vendorFingerprint } from '../../shared/tunnel/invite.ts';
import type { MessageName, OwnMessage } from '../../shared/tunnel/messages.ts';
import { boundedText } from '../consent/plain-text.ts';
import { boardNow, type BoardFacts } from './board-state.ts';
import { liftProtection } from './lift.ts';
import { readJob, sameJob, type Job } from './job.ts';
import type { AgentMemory, Customer } from './ports.ts';
import { ProgressReporter } from './progress-reporter.ts';
import { deviceKeyIn, requireOwnSession, requireSameUnit } from './sealed-offer.ts';
import { STUB_WORK, type WorkHandler, type WorkInput, type WorkPhase } from './stub-work-table.ts';
import type { Target } from '../target/target.ts';
import { isServing, isStopped } from '../transport/program-states.ts';
import type { SealedBox } from '../../shared/crypto/session.ts';
import type { FoundStub, OfferedHandshake, StubJob, Transport, Turn } from '../transport/port.ts';

/** What the work with the stub needs of the tunnel. */
export interface WorkTunnel {
  send(message: OwnMessage): void;
  /** The id of the sealed session that this M1 leads to, 16 bytes. */
  sealedSessionId(m1: Uint8Array): Uint8Array;
  /** Asks for another tunnel; `opened` is called when it stands. */
  reopen(): void;
}

export interface StubWorkOptions {
  readonly target: Target;
  readonly memory: AgentMemory;
  /** V of the invite, 32 bytes. */
  readonly vendor: Uint8Array;
  readonly customer: Customer;
  readonly clock: Clock;
  readonly log: Log;
  readonly tunnel: WorkTunnel;
}

/**
 * Loads of one yes, text of a PROBLEM: fixed by the specification (§11, §6). Trouble reported before the
 * board is given up: chosen.
 */
const MOST = { loads: 8, troubles: 32, detail: 300 } as const;

/** What went out as SEALED1 in this tunnel. */
interface Offered {
  /** D, 32 bytes. */
  readonly deviceKey: Uint8Array;
  /** The session id its SEALED2 has to name, 16 bytes. */
  readonly sessionId: Uint8Array;
}

export class StubWork {
  readonly #options: StubWorkOptions;
  readonly #progress: ProgressReporter;
  #troubles = 0;
  #phase: WorkPhase = 'idle';
  /** The job the customer said yes to. */
  #job: Job | undefined;
  /** The job the stub in RAM has. */
  #stubJob: StubJob | undefined;
  /** The plan of a stub that was found running, agreed to or not. */
  #foundPlan: Plan | undefined;
  /** The transport a sealed session was begun on. */
  #served: Transport | undefined;
  #offered: Offered | undefined;
  #touched = false;
  #state: StubState | undefined;
  readonly #reached = new Set<StubState>();
  #loadsSpent = false;

  constructor(options: StubWorkOptions) {
    this.#options = options;
    const { clock, customer, tunnel } = options;
    this.#progress = new ProgressReporter({ clock, customer, send: (message) => tunnel.send(message) });
  }

  /** There is work: `turn` is to be called whenever no message waits. */
  get busy(): boolean {
    return this.#phase === 'serving';
  }

  get job(): Job | undefined {
    return this.#job;
  }

  /** States the stub was seen in, of the sealed session served last or as it was found. */
  get reached(): ReadonlySet<StubState> {
    return this.#reached;
  }

  /** The stub would have to be loaded once more than one yes covers: the customer is to be asked again. */
  get loadsSpent(): boolean {
    return this.#loadsSpent;
  }

  /** The stub of a plan that locks has ended, and what it said is on its way to the vendor. */
  get lockEnded(): boolean {
    return this.#job !== undefined && this.#job.plan.lock !== 'none' && this.#state === 'ended';
  }

  get facts(): BoardFacts {
    const { target } = this.#options;
    const stubLoaded = target.program === 'stub' && target.transport !== undefined;
    return { plan: this.#job?.plan ?? this.#foundPlan, stubLoaded, touched: this.#touched, state: this.#state };
  }

  // ── what comes ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A stub of an earlier agent is there: it can be asked for another handshake. */
  adopt(found: FoundStub): void {
    this.#state = found.state;
    this.#reached.add(found.state);
    this.#stubJob = found.job;
    if (found.job === undefined) return;
    this.#foundPlan = decodePlan(found.job.planBytes);
    this.#touched = KINDS[this.#foundPlan.kind].writes;
    this.#job = this.#consentedJob(found.job);
  }

  /** The customer said yes: from here on this is the job. */
  begin(job: Job): Promise<void> {
    return this.#on('job', { begin: () => this.#begin(job) });
  }

  /** Another tunnel: whoever is at its other end begins anew. */
  opened(): Promise<void> {
    return this.#on('opened', { leave: () => this.#leaveTunnel() });
  }

  restart(): Promise<void> {
    return this.#on('RESTART', { offer: () => this.#offer(), ignore: () => this.#phase });
  }

  takeM2(m2: Uint8Array): Promise<void> {
    return this.#on('SEALED2', { confirm: () => this.#confirm(m2), drop: () => this.#drop('SEALED2') });
  }

  /** @throws as Transport.queue: a controller that counts wrongly ends the job. */
  takeCommand(command: SealedBox): Promise<void> {
    return this.#on('FRAME', { take: () => this.#take(command), drop: () => this.#drop('FRAME') });
  }

  /** One turn of the transport and what follows from it. Returns how long to wait before the next, milliseconds. */
  async turn(): Promise<number> {
    let pauseMs = 0;
    const serve = async (): Promise<WorkPhase> => {
      const turn = await this.#attempt((served) => served.turn());
      if (turn === undefined) return 'idle';
      const next = await this.#afterTurn(turn);
      if (isServing(turn.state)) pauseMs = turn.pauseMs;
      return next;
    };
    await this.#on('turn', { serve, ignore: () => this.#phase });
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
    this.#loadsSpent = false;
    return this.#needsStub() ? this.#offer() : 'idle';
  }

  #leaveTunnel(): WorkPhase {
    this.#offered = undefined;
    return 'idle';
  }

  /** RESTART is this transition too: the count of loads and the stub's own count of handshakes bound it. */
  async #offer(): Promise<WorkPhase> {
    const job = this.#job;
    if (job === undefined || !this.#needsStub()) return this.#drop('RESTART');
    const offer = await this.#guard(() => this.#makeOffer(job));
    if (offer === undefined) return 'idle';
    this.#state = 'offered';
    return this.#sendSealed1(offer);
  }

  /** The chip's key may not change within a tunnel: the vendor's yes to it, the code, was for one. */
  #sendSealed1({ stubHash, m1 }: OfferedHandshake): WorkPhase {
    const { tunnel, customer } = this.#options;
    const deviceKey = deviceKeyIn(m1);
    if (this.#offered !== undefined && !equalBytes(deviceKey, this.#offered.deviceKey)) {
      customer.say('The chip was started anew: a new connection to the vendor is made for it.');
      tunnel.reopen();
      return 'reopening';
    }
    this.#offered = { deviceKey, sessionId: tunnel.sealedSessionId(m1) };
    tunnel.send({ name: 'SEALED1', stubHash, m1 });
    return 'offered';
  }

  /** M1 from the stub that has this job, or from a new one; undefined when a new one takes another yes. */
  async #makeOffer(job: Job): Promise<OfferedHandshake | undefined> {
    const { target } = this.#options;
    const { transport } = target;
    const again = transport !== undefined && sameJob(job, this.#stubJob) && (await transport.canOfferAgain());
    const offer = again ? await this.#askAgain(transport) : await this.#loadAndOffer(job);
    if (offer !== undefined) requireSameUnit(offer, target.identity.uid);
    return offer;
  }

  /**
   * A mailbox may outlive its stub in RAM: one that stays silent is not asked a second time, the
   * next offer is a new stub's.
   */
  async #askAgain(transport: Transport): Promise<OfferedHandshake> {
    try {
      return await transport.offerAgain();
    } catch (error) {
      const isSilent = isBlindflashError(error, 'BF-STUB-SILENT') || isBlindflashError(error, 'BF-LOADER-SILENT');
      if (isSilent) this.#stubJob = undefined;
      throw error;
    }
  }

  async #loadAndOffer(job: Job): Promise<OfferedHandshake | undefined> {
    const { memory, customer, target } = this.#options;
    if (target.program === 'stub') {
      if ((this.#loadsSpent = memory.loads >= MOST.loads)) return undefined;
      await liftProtection(this.#options, job.plan, job.chip);
      customer.say('Starting our program in the RAM of the chip.');
      memory.countLoad();
    }
    this.#stubJob = undefined;
    const fresh = await target.startStub(job);
    this.#stubJob = job;
    return fresh.giveJob(job);
  }

  async #confirm(m2: Uint8Array): Promise<WorkPhase> {
    const { target, tunnel } = this.#options;
    const { transport } = target;
    const offered = this.#offered;
    if (transport === undefined || offered === undefined) return this.#drop('SEALED2');
    requireOwnSession(m2, offered.sessionId);
    const m3 = await this.#guard(() => transport.giveM2(m2));
    if (m3 === undefined) return 'idle';
    this.#served = transport;
    this.#state = 'active';
    this.#reached.clear();
    tunnel.send({ name: 'SEALED3', m3 });
    this.#tellCredit(transport);
    return 'serving';
  }

  /** The chip may act on what is handed over before it is looked at again. */
  #take(command: SealedBox): WorkPhase {
    this.#served?.queue(command);
    this.#touched ||= this.#writes();
    return 'serving';
  }

  async #afterTurn(turn: Turn): Promise<WorkPhase> {
    const served = this.#served as Transport;
    this.#state = turn.state;
    this.#reached.add(turn.state);
    for (const reply of turn.replies) this.#options.tunnel.send({ name: 'REPLY', ...reply });
    this.#tellCredit(served);
    const told = await this.#attempt(() => this.#progress.tell(served, this.facts));
    if (isServing(turn.state)) return told === undefined ? 'idle' : 'serving';
    if (isStopped(turn.state)) await this.#stopped(turn.state);
    return 'idle';
  }

  /** The stub gave up: its reason is told as any other trouble. */
  async #stopped(state: StubState): Promise<void> {
    const reason = await this.#attempt((served) => served.stopReason(state));
    if (reason !== undefined) await this.#trouble(reason);
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
    if (upTo !== undefined) this.#options.tunnel.send({ name: 'CREDIT', upTo });
  }

  // ── trouble ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** PROBLEM, as far as there is a tunnel to send it through. */
  report(error: BlindflashError, board: BoardState = boardNow(this.facts)): void {
    const problem = { code: error.code, detail: boundedText(detailForPeer(error), MOST.detail), board };
    try {
      this.#options.tunnel.send({ name: 'PROBLEM', problem });
    } catch (failure) {
      this.#options.log.info({ code: error.code, why: String(failure) }, 'the vendor cannot be told');
    }
  }

  /**
   * An agent that leaves the board leaves no key behind in the chip, the chip's own included: a reset does not clear
   * RAM. Never throws.
   */
  async wipeKeys(): Promise<void> {
    const { target, log, customer } = this.#options;
    // A loader that has ended has wiped them, and may have left the line.
    if (target.program === 'loader' && this.#state === 'ended') return;
    await target.transport?.stop().catch((error: unknown) => {
      log.warn({ error: String(error) }, 'the stub was not told to wipe its keys');
      customer.say('Our program in the chip could not be told to forget its keys: switch the board off for a moment.');
    });
  }

  /** A step with the transport that is served; undefined after trouble. */
  #attempt<T>(step: (served: Transport) => Promise<T>): Promise<T | undefined> {
    return this.#guard(() => step(this.#served as Transport));
  }

  /**
   * Runs a step on the board; undefined after trouble of the board, which was told.
   * @throws trouble that ends the session
   */
  async #guard<T>(step: () => Promise<T>): Promise<T | undefined> {
    try {
      return await step();
    } catch (error) {
      await this.#trouble(asBlindflashError(error));
      return undefined;
    }
  }

  /**
   * Counts trouble and tells it; the controller decides what comes.
   * @throws the trouble itself when it ends the session
   */
  async #trouble(error: BlindflashError): Promise<void> {
    const { log, customer } = this.#options;
    this.#troubles++;
    if (endsAgent(error.code) || this.#troubles > MOST.troubles) throw error;
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

  /** The job of a stub that was found, if it is the one the customer said yes to. */
  #consentedJob({ sealedPublic, hostEntropy, planBytes }: StubJob): Job | undefined {
    const { memory, target, vendor } = this.#options;
    const { consent } = memory;
    if (consent === undefined || !equalBytes(planBytes, consent.plan)) return undefined;
    const { receiptPublic } = consent;
    if (!equalBytes(vendorFingerprint(sealedPublic, receiptPublic), vendor)) return undefined;
    const message = { name: 'JOB', sealedPublic, receiptPublic, hostEntropy, plan: planBytes } as const;
    const job = readJob(message, { target, vendor });
    return equalBytes(job.consentHash, consent.hash) ? job : undefined;
  }

  #needsStub(): boolean {
    return this.#job !== undefined && programOf(this.#job.plan) !== undefined;
  }

  #writes(): boolean {
    return this.#job !== undefined && KINDS[this.#job.plan.kind].writes;
  }
}
