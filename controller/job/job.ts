// The flasher: one job over one tunnel, from HELLO to BYE (docs/protocol.md §6, §8, §9, §11). Prints nothing, stores through
// its port, takes time and chance as arguments. Nothing is reported done that the stub did not authenticate.
import type { JobRecord } from './job-record.ts';
import { Authorization } from './authorization.ts';
import { usesStub } from './checks.ts';
import { AgentChannel } from './agent-channel.ts';
import { JobRecorder } from './job-recorder.ts';
import { JobClosing } from './job-closing.ts';
import { MOST_BEGINNINGS } from './ports.ts';
import type { JobEvent, JobOptions, JobResult, OpenTransport, RunningJob, Transport } from './ports.ts';
import { isResumable, problemError, Retryable, withBoard } from './problems.ts';
import type { SealedSession } from './sealed-session.ts';
import { SealedSessionManager } from './sealed-session-manager.ts';
import type { Limit } from './wait-queue.ts';
import { doWork } from './work.ts';
import { findChip, type Chip } from '../../shared/chips/index.ts';
import { asBlindflashError, fail, type BlindflashError } from '../../shared/errors/errors.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import type { Hello } from '../../shared/tunnel/bodies.ts';
import type { MessageOf, TunnelMessage } from '../../shared/tunnel/messages.ts';
import type { TunnelConfirmed } from '../../shared/tunnel/tunnel.ts';

/** Messages the tunnel may hold for the agent before the job waits: more than the largest image is, far below the tunnel's own limit. */
export const MOST_UNACKNOWLEDGED = 1024;

/** A new tunnel or a new HELLO: the job begins again at HELLO. */
class StartAgain {}

/** Begins a job over the way that `openWay` opens. */
export function startJob(options: JobOptions, openWay: OpenTransport): RunningJob {
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
  readonly #talk: AgentChannel;
  readonly #keeper: JobRecorder;
  readonly #agreement: Authorization;
  readonly #sealing: SealedSessionManager;
  readonly #parting: JobClosing;
  readonly #chip: Chip;
  readonly #way: Transport;
  readonly #started: number;
  #attempts = 0;
  #cancelPeerTimer: () => void = () => {};

  constructor(options: JobOptions, openWay: OpenTransport) {
    this.#options = options;
    this.#talk = new AgentChannel(options, (message) => this.#way.send(message));
    this.#keeper = new JobRecorder(options, (error) => this.#talk.waiting.fail(error));
    this.#agreement = new Authorization(options, this.#talk, this.#keeper);
    this.#sealing = new SealedSessionManager(options, this.#talk, this.#keeper);
    this.#parting = new JobClosing(options, this.#talk, this.#keeper);
    this.#chip = chipOf(this.#agreement.plan);
    this.#started = options.clock.now();
    this.#way = openWay({
      onConfirmed: (confirmed) => this.#confirmed(confirmed),
      kept: () => this.#keeper.kept(),
      onMessage: (message) => this.#received(message),
      onFailed: (error) => this.#talk.waiting.fail(error),
      onDrained: () => this.#talk.waiting.notify(),
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
      if (!isResumable(known)) await this.#parting.failed(known);
      throw withBoard(known, this.record.board);
    } finally {
      this.#cancelPeerTimer();
      this.#sealing.dropLink();
      this.#way.close();
      await this.#keeper.saved();
    }
  }

  /** Leaves the job where it is. */
  interrupt(): void {
    this.#talk.waiting.fail(fail('BF-JOB-INTERRUPTED'));
  }

  // ── the course of a job ───────────────────────────────────────────────────────────────────────────────────────

  async #run(): Promise<JobResult> {
    await this.#talk.waiting.until(() => this.#talk.code, this.#meeting());
    for (;;) {
      try {
        return await this.#attempt();
      } catch (error) {
        if (!(error instanceof StartAgain)) throw error;
        this.#sealing.dropLink();
      }
    }
  }

  /** From HELLO to LEFT on one tunnel. */
  async #attempt(): Promise<JobResult> {
    if (++this.#attempts > MOST_BEGINNINGS) throw fail('BF-TUNNEL-ORDER', 'the agent began anew too often');
    this.#sealing.beginAgain();
    const { hello } = await this.#talk.take('HELLO', this.#talk.limit('hello', 'BF-TUNNEL-TIMEOUT'));
    this.#emit({ type: 'hello', hello });
    if (this.record.finished) return this.#farewell(hello);
    await this.#agreement.reach(hello);
    if (!usesStub(this.#agreement.plan)) return this.#finish(hello, []);
    return this.#finish(hello, await this.#sealedWork());
  }

  /** An agent comes when it comes; to a job that is finished it waits already, or nobody does. */
  #meeting(): Limit {
    if (!this.record.finished) return this.#talk.limit('meet', 'BF-RELAY-LONELY');
    const error = () =>
      fail(
        'BF-RELAY-LONELY',
        'the job is finished and its receipt stored; nobody waits to hear it, nothing has to be done',
      );
    return { ms: this.#talk.patience.hello, since: 'start', error };
  }

  /** The job was finished by an earlier process that could not say so: the customer hears it now. */
  async #farewell(hello: Hello): Promise<JobResult> {
    const { uid } = this.record;
    if (uid !== undefined && hello.target.rdp === 0 && hello.target.uid !== uid) {
      throw fail('BF-JOB-OTHER-BOARD', `unit ${hello.target.uid} instead of ${uid}`);
    }
    await this.#keeper.recallReceipt();
    return this.#finish(hello, []);
  }

  /** The plan's work, in as many sealed sessions as it takes. Returns the skipped sectors. */
  #sealedWork(): Promise<readonly number[]> {
    const work = (link: SealedSession): Promise<readonly number[]> => this.#work(link);
    return this.#sealing.run({ plan: this.#agreement.plan, again: this.#attempts > 1, work });
  }

  async #work(link: SealedSession): Promise<readonly number[]> {
    const talk = this.#talk;
    const { plan } = this.#agreement;
    talk.mail.expected = [];
    const limit = talk.limit('work', 'BF-STUB-SILENT', 'life');
    const until = (ready: () => boolean): Promise<void> =>
      talk.waiting.until(() => (ready() ? true : undefined), limit).then(() => {});
    const skipped = await doWork({
      link,
      plan,
      chip: this.#chip,
      image: this.#options.image,
      acknowledged: this.record.acknowledged,
      delta: this.#options.delta === true,
      room: () => until(() => this.#hasRoom(link)),
      answered: (left = 0) => until(() => link.unanswered <= left),
      emit: (event) => this.#emit(event),
      beforeChange: () => this.#keeper.changed('incomplete'),
      acknowledge: (sector) => this.#keeper.acknowledge(sector),
      evidence: async (evidence) =>
        this.#emit({ type: 'receipt', receipt: await this.#keeper.keepReceipt(link.peer, plan, evidence) }),
      lock: async (optcr, level1) =>
        this.#emit({ type: 'receipt', receipt: await this.#keeper.keepLock(optcr, level1) }),
    });
    await this.#keeper.saved();
    return skipped;
  }

  #hasRoom(link: SealedSession): boolean {
    return link.sent < this.#sealing.credit && this.#way.unacknowledged < MOST_UNACKNOWLEDGED;
  }

  async #finish(hello: Hello, skipped: readonly number[]): Promise<JobResult> {
    const { receipt, customerCopy, board } = await this.#parting.done();
    const durationMs = this.#options.clock.now() - this.#started;
    return { hello, uid: this.record.uid, receipt, customerCopy, board, skipped, durationMs };
  }

  // ── events of the way ─────────────────────────────────────────────────────────────────────────────────────────

  #confirmed({ code, resumeSecret, resumed }: TunnelConfirmed): void {
    const again = this.#talk.code !== undefined;
    this.#talk.code = code;
    this.#talk.mail.beginAgain();
    this.#sealing.dropLink();
    this.#keeper.updateRoom({ inviteSecret: undefined, resumeSecret: new Uint8Array(resumeSecret) });
    this.#emit({ type: 'tunnel', code, resumed });
    if (again) this.#talk.waiting.signal(new StartAgain());
    else this.#talk.waiting.alive();
  }

  #peer(present: boolean): void {
    const talk = this.#talk;
    this.#emit({ type: 'peer', present });
    this.#cancelPeerTimer();
    talk.waiting.suspended = !present && talk.code !== undefined;
    talk.waiting.alive();
    if (talk.waiting.suspended) {
      this.#cancelPeerTimer = this.#options.clock.after(talk.patience.peer, () =>
        talk.waiting.fail(talk.trouble ?? fail('BF-RELAY-PEER-GONE')),
      );
    }
  }

  /** One message of the agent. Whatever is wrong with it ends a wait of the job, not the tunnel. */
  #received(message: TunnelMessage): void {
    this.#talk.waiting.alive();
    try {
      this.#dispatch(message);
    } catch (error) {
      if (error instanceof Retryable) this.#sealing.retry(error);
      else this.#talk.waiting.fail(error);
    }
    this.#talk.waiting.notify();
  }

  #dispatch(message: TunnelMessage): void {
    switch (message.name) {
      case 'SHEET':
        return this.#emit({ type: 'sheet' });
      case 'CREDIT':
        this.#sealing.credit = message.upTo;
        return;
      case 'PROGRESS':
        return this.#sealing.link?.accepted(message.progress.accepted);
      case 'REPLY':
        return this.#sealing.link?.receive(message.sequence, message.box);
      case 'PROBLEM':
        return this.#problem(message);
      case 'LEFT':
        return this.#parting.agentLeft(message.left.board);
      default:
        if (this.#talk.mail.keep(message)) return;
        if (message.name === 'HELLO') this.#sealing.abandon(new StartAgain());
        if (message.name === 'SEALED1') this.#sealing.offeredAnew();
    }
  }

  #problem({ problem }: MessageOf<'PROBLEM'>): void {
    const error = problemError(problem);
    const retry = error instanceof Retryable;
    this.#emit({ type: 'problem', problem, restarting: retry });
    this.#talk.trouble = retry ? error.error : error;
    if (!retry) throw error;
    this.#sealing.troubled(error);
  }

  // ── small tools ───────────────────────────────────────────────────────────────────────────────────────────────

  #emit(event: JobEvent): void {
    this.#options.callbacks.onEvent?.(event);
  }

  #named(error: unknown): BlindflashError {
    return asBlindflashError(error instanceof Retryable ? error.error : error);
  }
}

function chipOf(plan: Plan): Chip {
  const chip = findChip(plan.devId);
  if (chip === undefined) throw fail('BF-TARGET-WRONG-CHIP', `DEV_ID 0x${plan.devId.toString(16)}`);
  return chip;
}
