// The flasher: one job over one tunnel, from HELLO to BYE (docs/protocol.md §6, §8, §9, §11). Prints nothing, stores through
// its port, takes time and chance as arguments. Nothing is reported done that the stub did not authenticate.
import { planOf, type JobRecord } from './job.ts';
import { checkFacts, checkHello, usesStub } from './session/checks.ts';
import { Keeper } from './session/keeper.ts';
import { Mail } from './session/mail.ts';
import { PATIENCE, RESTARTS } from './session/ports.ts';
import type { JobEvent, JobOptions, JobResult, OpenWay, Patience, RunningJob, Way } from './session/ports.ts';
import { isResumable, problemError, Retryable, withBoard } from './session/problems.ts';
import { customerCopyOf } from './session/receipts.ts';
import { SealedHandshake, SealedLink } from './session/sealed.ts';
import { Waiting, type Limit } from './session/waiting.ts';
import { doWork } from './session/work.ts';
import { equalBytes, toHex } from '../shared/bytes.ts';
import { findChip, type Chip } from '../shared/chips/index.ts';
import { asBlindflashError, fail, isBlindflashError, type BlindflashError, type ErrorCode } from '../shared/errors.ts';
import { parseStatus } from '../shared/mailbox/layout.ts';
import { encodePlan, planHash, type Plan } from '../shared/plan/plan.ts';
import type { Board, Hello } from '../shared/tunnel/bodies.ts';
import type { MessageName, MessageOf, TunnelMessage } from '../shared/tunnel/messages.ts';
import type { TunnelConfirmed } from '../shared/tunnel/tunnel.ts';

/** Messages the tunnel may hold for the agent before the job waits: more than the largest image is, far below the tunnel's own limit. */
export const MOST_UNACKNOWLEDGED = 1024;

/** Tunnels, HELLOs and sealed handshakes of one run: far more than any honest desk needs. */
const MOST_BEGINNINGS = 100;

/** A new tunnel or a new HELLO: the job begins again at HELLO. */
class StartAgain {}
/** The agent offers a new sealed session in the middle of the old one. */
class NewHandshake {}

/** Begins a job over the way that `openWay` opens. */
export function startJob(options: JobOptions, openWay: OpenWay): RunningJob {
  const job = new Job(options, openWay);
  return {
    done: job.run(),
    get board() {
      return job.record.board;
    },
    get resumable() {
      return job.resumable;
    },
    get record() {
      return job.record;
    },
    interrupt: () => job.interrupt(),
  };
}

class Job {
  resumable = true;
  readonly #options: JobOptions;
  readonly #patience: Patience;
  readonly #chip: Chip;
  readonly #way: Way;
  readonly #mail = new Mail();
  readonly #keeper: Keeper;
  readonly #started: number;
  #waiting: Waiting;
  #plan: Plan;
  #code: string | undefined;
  #attempts = 0;
  #offers = 0;
  #link: SealedLink | undefined;
  #credit = 0;
  #restarts = { session: 0, board: 0 };
  /** A new sealed session has been asked for or will be: troubles of the old one are old news. */
  #restarting = false;
  /** RESTART is out and not answered. */
  #askedFor = false;
  /** Sealed sessions are being made; trouble with the board before that waits here for its turn. */
  #sealing = false;
  #earlyTrouble: Retryable | undefined;
  #trouble: BlindflashError | undefined;
  /** BYE is said or about to be: LEFT is what is waited for. */
  #parting = false;
  #left: Board | undefined;
  #cancelPeerTimer: () => void = () => {};

  constructor(options: JobOptions, openWay: OpenWay) {
    this.#options = options;
    this.#keeper = new Keeper(options, (error) => this.#waiting.fail(error));
    this.#plan = planOf(options.record);
    this.#patience = { ...PATIENCE, ...options.patience };
    this.#chip = chipOf(this.#plan);
    this.#started = options.clock.now();
    this.#waiting = new Waiting(options.clock);
    this.#way = openWay({
      onConfirmed: (confirmed) => this.#confirmed(confirmed),
      kept: () => this.#keeper.saved(),
      onMessage: (message) => this.#received(message),
      onFailed: (error) => this.#waiting.fail(error),
      onDrained: () => this.#waiting.notify(),
      onSecondUse: () => this.#emit({ type: 'secondUse' }),
      onPeer: (present) => this.#peer(present),
    });
  }

  get record(): JobRecord {
    return this.#keeper.record;
  }

  async run(): Promise<JobResult> {
    try {
      return await this.#run();
    } catch (error) {
      const known = this.#named(error);
      this.resumable = !this.record.finished && isResumable(known);
      this.#options.log.info({ code: known.code, resumable: this.resumable }, 'job ended');
      if (!this.resumable) await this.#sayFailed(known);
      throw withBoard(known, this.record.board);
    } finally {
      this.#cancelPeerTimer();
      this.#dropLink();
      this.#way.close();
      await this.#keeper.saved();
    }
  }

  /** Leaves the job where it is. */
  interrupt(): void {
    this.#waiting.fail(fail('BF-JOB-INTERRUPTED'));
  }

  // ── the course of a job ───────────────────────────────────────────────────────────────────────────────────────

  async #run(): Promise<JobResult> {
    await this.#waiting.until(() => this.#code, this.#meeting());
    for (;;)
      try {
        return await this.#attempt();
      } catch (error) {
        if (!(error instanceof StartAgain)) throw error;
        this.#dropLink();
      }
  }

  /** From HELLO to LEFT on one tunnel. */
  async #attempt(): Promise<JobResult> {
    if (++this.#attempts > MOST_BEGINNINGS) throw fail('BF-TUNNEL-ORDER', 'the agent began anew too often');
    this.#sealing = this.#restarting = this.#askedFor = false;
    this.#earlyTrouble = undefined;
    const { hello } = await this.#take('HELLO', this.#limit('hello', 'BF-TUNNEL-TIMEOUT'));
    this.#emit({ type: 'hello', hello });
    if (this.record.finished) return this.#farewell(hello);
    this.#fitPlan(hello);
    this.#checkHello(hello);
    await this.#agree();
    await this.#confirmCode();
    if (!usesStub(this.#plan)) return this.#finish(hello, []);
    return this.#finish(hello, await this.#sealedWork());
  }

  /** An agent comes when it comes; to a job that is finished it waits already, or nobody does. */
  #meeting(): Limit {
    if (!this.record.finished) return this.#limit('meet', 'BF-RELAY-LONELY');
    const error = () => fail('BF-RELAY-LONELY', 'the job is finished, and nobody waits for its end');
    return { ms: this.#patience.hello, since: 'start', error };
  }

  /** The job was finished by an earlier process that could not say so: the customer hears it now. */
  async #farewell(hello: Hello): Promise<JobResult> {
    const { uid } = this.record;
    if (uid !== undefined && hello.target.uid !== uid)
      throw fail('BF-JOB-OTHER-BOARD', `unit ${hello.target.uid} instead of ${uid}`);
    await this.#keeper.recallReceipt();
    return this.#finish(hello, []);
  }

  /** Another flash size than the plan was made for: the plan is made again, unless it was fixed or work has begun. */
  #fitPlan({ target }: Hello): void {
    const { planFor } = this.#options;
    const told = target.flashKiB !== 0 && this.#plan.flashKiB !== 0;
    const differs = told && target.flashKiB !== this.#plan.flashKiB;
    if (!differs || planFor === undefined || this.record.uid !== undefined) return;
    this.#plan = planFor(target.flashKiB);
    this.#keeper.update({ plan: encodePlan(this.#plan) });
  }

  #checkHello(hello: Hello): void {
    try {
      checkHello(hello, this.#plan, this.#options.allowedStubs);
    } catch (error) {
      const lockSent = this.record.board === 'written' && this.#plan.lock !== 'none';
      if (!lockSent || !isBlindflashError(error, 'BF-TARGET-RDP1')) throw error;
      throw fail(
        'BF-TARGET-RDP1',
        'the lock had been sent; the chip reads level 1 now, but nothing on it confirmed that',
      );
    }
  }

  /** JOB, and the customer's yes to exactly these bytes. */
  async #agree(): Promise<void> {
    const { keys, random } = this.#options;
    const plan = this.record.plan;
    const hash = planHash(plan);
    this.#send({ name: 'JOB', sealedPublic: keys.sealed.publicKey, contribution: random.bytes(32), plan });
    this.#emit({ type: 'job', plan: this.#plan, planHash: hash });
    const consent = await this.#take('CONSENT', this.#limit('consent', 'BF-TUNNEL-TIMEOUT'), ['SEALED1']);
    if (!equalBytes(consent.planHash, hash)) throw fail('BF-PLAN-HASH', 'the agent answered for another plan');
    if (!consent.yes) throw fail('BF-JOB-DECLINED');
    this.#emit({ type: 'consent' });
  }

  /** No image leaves before the vendor has confirmed the code of a tunnel of this invite, or has waived it. */
  async #confirmCode(): Promise<void> {
    if (this.record.room.codeConfirmed) return;
    const code = this.#code as string;
    if (this.#options.waiveCode !== true) await this.#askCode(code);
    this.#keeper.updateRoom({ codeConfirmed: true });
  }

  async #askCode(code: string): Promise<void> {
    let answer: boolean | undefined;
    this.#mail.wanted = ['SEALED1'];
    this.#options.callbacks.confirmCode(code).then(
      (yes) => {
        answer = yes;
        this.#waiting.notify();
      },
      (error: unknown) => this.#waiting.fail(error),
    );
    const yes = await this.#waiting.until(() => answer, this.#limit('consent', 'BF-JOB-CODE-REFUSED'));
    if (!yes) throw fail('BF-JOB-CODE-REFUSED');
  }

  /** Sealed sessions until one has done the work. Returns the skipped sectors. */
  async #sealedWork(): Promise<readonly number[]> {
    this.#sealing = true;
    let retry = this.#earlyTrouble;
    this.#earlyTrouble = undefined;
    for (;;)
      try {
        if (retry !== undefined) await this.#restart(retry);
        retry = undefined;
        await this.#shakeHands();
        return await this.#work(this.#link as SealedLink);
      } catch (error) {
        this.#dropLink();
        retry = error instanceof Retryable ? error : undefined;
        if (retry === undefined && !(error instanceof NewHandshake)) throw error;
      }
  }

  /** Asks for a new sealed session, a bounded number of times; after trouble with the board it is given a moment. */
  async #restart({ error, cure }: Retryable): Promise<void> {
    this.#restarting = true;
    this.#restarts[cure]++;
    if (this.#restarts[cure] > RESTARTS[cure]) throw error;
    this.#trouble = error;
    this.#mail.wanted = ['SEALED1'];
    if (cure === 'board') await this.#pause(this.#patience.boardPause);
    this.#requestHandshake();
  }

  #requestHandshake(): void {
    this.#askedFor = true;
    this.#send({ name: 'RESTART' });
  }

  async #shakeHands(): Promise<void> {
    const { keys, allowedStubs, random } = this.#options;
    const handshake = new SealedHandshake({
      keyPair: keys.sealed,
      planHash: planHash(this.record.plan),
      allowedStubs,
      random,
      checkFacts: (facts) => checkFacts(facts, this.#plan, this.record.uid),
    });
    try {
      await this.#answerOffers(handshake);
    } finally {
      handshake.wipe();
    }
  }

  /** Answers every M1 until an M3 fits. A resumed job gives the agent a moment to begin by itself, then asks. */
  async #answerOffers(handshake: SealedHandshake): Promise<void> {
    const limit = this.#limit('sealed', 'BF-STUB-SILENT');
    let offer = await this.#firstOffer(limit);
    for (;;) {
      if (++this.#offers > MOST_BEGINNINGS) throw fail('BF-STUB-AUTHENTICATION', 'too many handshakes');
      this.#restarting = this.#askedFor = false;
      this.#credit = 0;
      this.#send({ name: 'SEALED2', m2: handshake.answer(offer.stubHash, offer.m1) });
      const next = await this.#mail.takeOneOf(this.#waiting, ['SEALED1', 'SEALED3'], limit);
      if (next.name === 'SEALED3') return this.#confirmSealed(handshake, next.m3);
      offer = next;
    }
  }

  async #firstOffer(limit: Limit): Promise<MessageOf<'SEALED1'>> {
    const resumed = this.#attempts > 1 || this.record.uid !== undefined;
    if (!resumed || this.#askedFor) return this.#take('SEALED1', limit);
    try {
      return await this.#take('SEALED1', this.#limit('ownHandshake', 'BF-TUNNEL-TIMEOUT'));
    } catch (error) {
      if (!isBlindflashError(error, 'BF-TUNNEL-TIMEOUT')) throw error;
      this.#requestHandshake();
      return this.#take('SEALED1', limit);
    }
  }

  /** M3 fits: what the stub said about its chip is its own word now. */
  #confirmSealed(handshake: SealedHandshake, m3: Uint8Array): void {
    const peer = handshake.confirm(m3);
    const uid = toHex(peer.facts.uid);
    this.#keeper.update({ uid });
    this.#link = new SealedLink(peer, (sequence, box) => this.#send({ name: 'FRAME', sequence, box }));
    this.#trouble = undefined;
    this.#emit({ type: 'sealed', uid, stubVersion: peer.facts.stubVersion, handshake: peer.facts.handshake });
  }

  async #work(link: SealedLink): Promise<readonly number[]> {
    this.#mail.wanted = [];
    const limit = this.#limit('work', 'BF-STUB-SILENT', 'life');
    const skipped = await doWork({
      link,
      plan: this.#plan,
      chip: this.#chip,
      image: this.#options.image,
      acknowledged: this.record.acknowledged,
      delta: this.#options.delta === true,
      room: () => this.#waiting.until(() => (this.#hasRoom(link) ? true : undefined), limit).then(() => {}),
      answered: (left = 0) =>
        this.#waiting.until(() => (link.unanswered <= left ? true : undefined), limit).then(() => {}),
      emit: (event) => this.#emit(event),
      beforeChange: () => this.#keeper.changed('incomplete'),
      acknowledge: (sector) => this.#keeper.acknowledge(sector),
      evidence: async (evidence) =>
        this.#emit({ type: 'receipt', receipt: await this.#keeper.keepReceipt(link.peer, this.#plan, evidence) }),
      lock: async (optcr, level1) =>
        this.#emit({ type: 'receipt', receipt: await this.#keeper.keepLock(optcr, level1) }),
    });
    await this.#keeper.saved();
    return skipped;
  }

  #hasRoom(link: SealedLink): boolean {
    return link.sent < this.#credit && this.#way.unacknowledged < MOST_UNACKNOWLEDGED;
  }

  /** The customer's copy, and how the agent leaves the board. The job is done whatever happens now. */
  async #finish(hello: Hello, skipped: readonly number[]): Promise<JobResult> {
    this.#keeper.update({ finished: true });
    await this.#keeper.saved();
    const { receipt } = this.#keeper;
    const copy = receipt === undefined ? undefined : customerCopyOf(receipt, this.#options.keys.receipt);
    const customer = { receipt: copy?.text ?? null, signature: copy?.signature ?? null };
    const board = await this.#sayBye({ name: 'BYE', done: true, customer });
    const { clock } = this.#options;
    return {
      hello,
      uid: this.record.uid,
      receipt,
      customerCopy: copy,
      board,
      skipped,
      durationMs: clock.now() - this.#started,
    };
  }

  async #sayBye(bye: MessageOf<'BYE'>): Promise<Board | undefined> {
    const waiting = new Waiting(this.#options.clock);
    // An agent that is away right now (asleep, between two links) hears it when it is back.
    waiting.suspended = this.#waiting.suspended;
    this.#waiting = waiting;
    this.#parting = true;
    try {
      if (this.#left === undefined) this.#send(bye);
      return await waiting.until(() => this.#left, this.#limit('left', 'BF-TUNNEL-TIMEOUT'));
    } catch (error) {
      this.#options.log.warn({ code: asBlindflashError(error).code }, 'the agent did not say how it left the board');
      return undefined;
    }
  }

  async #sayFailed(error: BlindflashError): Promise<void> {
    if (this.#code === undefined) return;
    const failure = { code: error.code, detail: error.detail ?? '' };
    await this.#sayBye({ name: 'BYE', done: false, failure });
  }

  // ── events of the way ─────────────────────────────────────────────────────────────────────────────────────────

  #confirmed({ code, resumeSecret, resumed }: TunnelConfirmed): void {
    const again = this.#code !== undefined;
    this.#code = code;
    this.#mail.beginAgain();
    this.#dropLink();
    this.#keeper.updateRoom({ inviteSecret: undefined, resumeSecret: new Uint8Array(resumeSecret) });
    this.#emit({ type: 'tunnel', code, resumed });
    if (again) this.#waiting.signal(new StartAgain());
    else this.#waiting.alive();
  }

  #peer(present: boolean): void {
    const { clock } = this.#options;
    this.#emit({ type: 'peer', present });
    this.#cancelPeerTimer();
    this.#waiting.suspended = !present && this.#code !== undefined;
    this.#waiting.alive();
    if (this.#waiting.suspended)
      this.#cancelPeerTimer = clock.after(this.#patience.peer, () =>
        this.#waiting.fail(this.#trouble ?? fail('BF-RELAY-PEER-GONE')),
      );
  }

  /** One message of the agent. Whatever is wrong with it ends a wait of the job, not the tunnel. */
  #received(message: TunnelMessage): void {
    this.#waiting.alive();
    try {
      this.#dispatch(message);
    } catch (error) {
      if (error instanceof Retryable) this.#retry(error);
      else this.#waiting.fail(error);
    }
    this.#waiting.notify();
  }

  #dispatch(message: TunnelMessage): void {
    switch (message.name) {
      case 'SHEET':
        return this.#emit({ type: 'sheet' });
      case 'CREDIT':
        this.#credit = message.upTo;
        return;
      case 'PROGRESS':
        return this.#link?.accepted(parseStatus(message.status).accepted);
      case 'REPLY':
        return this.#link?.receive(message.sequence, message.box);
      case 'PROBLEM':
        return this.#problem(message);
      case 'LEFT':
        return this.#agentLeft(message.left.board);
      default:
        if (this.#mail.keep(message)) return;
        if (message.name === 'HELLO') this.#signal(new StartAgain());
        if (message.name === 'SEALED1') this.#signal(new NewHandshake());
    }
  }

  /** What the session had in hand is void from here on. */
  #signal(signal: StartAgain | NewHandshake | Retryable): void {
    this.#dropLink();
    this.#waiting.signal(signal);
  }

  #problem({ problem }: MessageOf<'PROBLEM'>): void {
    const error = problemError(problem);
    const retry = error instanceof Retryable;
    this.#emit({ type: 'problem', problem, restarting: retry });
    this.#trouble = retry ? error.error : error;
    if (!retry) throw error;
    if (!this.#sealing) this.#earlyTrouble = error;
    else if (!this.#restarting || error.cure === 'board') this.#retry(error);
  }

  #retry(error: Retryable): void {
    this.#restarting = true;
    this.#signal(error);
  }

  /** The agent has let go of the board; unless the job is over that is the end of it. */
  #agentLeft(board: Board): void {
    this.#left = board;
    this.#emit({ type: 'left', board });
    if (board === 'written' || board === 'erased' || board === 'incomplete') this.#keeper.update({ board });
    if (!this.#parting) this.#waiting.fail(this.#trouble ?? fail('BF-TUNNEL-CLOSED', 'the agent has left the board'));
  }

  // ── small tools ───────────────────────────────────────────────────────────────────────────────────────────────

  #take<Name extends MessageName>(name: Name, limit: Limit, also?: readonly MessageName[]): Promise<MessageOf<Name>> {
    return this.#mail.take(this.#waiting, name, limit, also);
  }

  async #pause(ms: number): Promise<void> {
    const until = this.#options.clock.now() + ms;
    const over = () => (this.#options.clock.now() >= until ? true : undefined);
    const limit = { ms, since: 'start' as const, error: () => fail('BF-INTERNAL') };
    await this.#waiting.until(over, limit);
  }

  #limit(patience: keyof Patience, code: ErrorCode, since: Limit['since'] = 'start'): Limit {
    return { ms: this.#patience[patience], since, error: () => this.#trouble ?? fail(code, WAITED[patience]) };
  }

  /** A way that has failed says why, not only that it is closed. */
  #send(message: TunnelMessage): void {
    try {
      this.#way.send(message);
    } catch (error) {
      throw this.#waiting.failure ?? error;
    }
  }

  #emit(event: JobEvent): void {
    this.#options.callbacks.onEvent?.(event);
  }

  #dropLink(): void {
    this.#link?.wipe();
    this.#link = undefined;
  }

  #named(error: unknown): BlindflashError {
    return asBlindflashError(error instanceof Retryable ? error.error : error);
  }
}

/** What had not come when patience ended. */
const WAITED: Readonly<Record<keyof Patience, string>> = {
  meet: 'no agent came with this invite',
  peer: 'the agent did not come back',
  hello: 'the agent did not introduce itself',
  consent: 'nobody answered',
  sealed: 'the chip did not begin a sealed session',
  ownHandshake: 'the chip did not begin a sealed session by itself',
  work: 'the chip did not go on',
  left: 'the agent did not say how it left the board',
  boardPause: 'the board did not recover',
};

function chipOf(plan: Plan): Chip {
  const chip = findChip(plan.devId);
  if (chip === undefined) throw fail('BF-TARGET-WRONG-CHIP', `DEV_ID 0x${plan.devId.toString(16)}`);
  return chip;
}
