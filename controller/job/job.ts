// The vendor's job: one job with its agent, from HELLO to BYE (docs/protocol.md §6, §8, §9, §11), walking the table of
// job-table.ts. Prints nothing, stores through its port, takes time and chance as arguments. Nothing is reported done
// that the stub did not authenticate.
import { AgentLine } from './agent-line.ts';
import { Authorization } from './authorization.ts';
import { CodeQuestion } from './code-question.ts';
import { ChipKeyApproval } from './chip-key-approval.ts';
import { FloodGuard } from './flood.ts';
import { changesOptions, needsSession } from './checks.ts';
import { JobClock } from './job-clock.ts';
import { JobClosing } from './job-closing.ts';
import { JobWork } from './job-work.ts';
import type { JobRecord } from '../store/job-record.ts';
import { JobRecorder } from './job-recorder.ts';
import { isAwaitable, JobMachine, type AwaitableMessage, type JobEntries, type JobTransitions } from './job-machine.ts';
import { UNPROVED, UNSEALED, type After, type Input } from './job-table.ts';
import { MOST_BEGINNINGS } from './limits.ts';
import type { CodeAnswer, JobEvent, JobOptions, JobResult, OpenJobTunnel, RunningJob, JobTunnel } from './ports.ts';
import { endsInvite, isResumable, problemError, spentError, troubleOf, withBoard, type Trouble } from './problems.ts';
import type { SealedSession } from './sealed-session.ts';
import { SealedSessionManager } from './sealed-session-manager.ts';
import { asBlindflashError, fail, type BlindflashError } from '../../shared/errors/errors.ts';
import type { Hello } from '../../shared/tunnel/bodies.ts';
import type { MessageOf, OwnMessageOf, TunnelMessage } from '../../shared/tunnel/messages.ts';
import type { SpentReason } from '../../shared/tunnel/invite-state.ts';

/** Begins a job over the tunnel that `openTunnel` opens. */
export function startJob(options: JobOptions, openTunnel: OpenJobTunnel): RunningJob {
  const job = new Job(options, openTunnel);
  return {
    done: job.done,
    get resumable() {
      return job.resumable;
    },
    get record() {
      return job.record;
    },
    interrupt: () => job.interrupt(),
    answerCode: (typed, tunnel) => job.answerCode(typed, tunnel),
  };
}

class Job {
  readonly done: Promise<JobResult>;
  resumable = true;
  readonly #options: JobOptions;
  readonly #line: AgentLine;
  readonly #recorder: JobRecorder;
  readonly #authorization: Authorization;
  readonly #approvals: ChipKeyApproval;
  readonly #question: CodeQuestion;
  readonly #flood: FloodGuard;
  readonly #sessions: SealedSessionManager;
  readonly #closing: JobClosing;
  readonly #jobWork: JobWork;
  readonly #tunnel: JobTunnel;
  readonly #clock: JobClock;
  readonly #machine: JobMachine;
  /** Times the agent began at HELLO. */
  #beginnings = 0;
  #hello: Hello | undefined;
  #skipped: readonly number[] = [];
  /** What ended the job, unless it is done. */
  #error: BlindflashError | undefined;
  #resolve!: (result: JobResult) => void;
  #reject!: (error: BlindflashError) => void;

  constructor(options: JobOptions, openTunnel: OpenJobTunnel) {
    this.#options = options;
    this.#line = new AgentLine(options, () => this.#tunnel);
    this.#recorder = new JobRecorder(options, (error) => this.#line.waits.fail(error));
    this.#authorization = new Authorization(options, this.#line, this.#recorder);
    this.#approvals = new ChipKeyApproval(this.#recorder);
    this.#question = new CodeQuestion(options, this.#line, this.#recorder, this.#approvals);
    this.#flood = new FloodGuard(options.clock);
    this.#sessions = new SealedSessionManager(options, this.#line, this.#recorder, this.#approvals);
    this.#closing = new JobClosing(options, this.#line, this.#recorder);
    this.#clock = new JobClock(options.clock);
    this.#jobWork = new JobWork(options, {
      clock: this.#clock,
      line: this.#line,
      recorder: this.#recorder,
      approvals: this.#approvals,
      sessions: this.#sessions,
      unacknowledged: () => this.#tunnel.unacknowledged,
    });
    this.#machine = new JobMachine(this.#line, this.#transitions, this.#entries, (phase) => this.#clock.enter(phase));
    this.done = new Promise((resolve, reject) => ([this.#resolve, this.#reject] = [resolve, reject]));
    this.#tunnel = openTunnel({
      onOpened: ({ number }) => this.#opened(number),
      keep: (state) => this.#recorder.keepInvite(state),
      onSpent: (why) => this.#spent(why),
      onMessage: (message) => this.#received(message),
      onFailed: (error) => this.#line.waits.fail(error),
      onDrained: () => this.#line.waits.notify(),
      onPeer: (present) => {
        if (this.#line.peer(present)) this.#emit({ type: 'peer', present });
      },
    });
    this.#machine.start();
  }

  get record(): JobRecord {
    return this.#recorder.record;
  }

  /** Leaves the job where it is. */
  interrupt(): void {
    this.#line.waits.fail(fail('BF-JOB-INTERRUPTED'));
  }

  /** What the vendor typed for the question about this tunnel. */
  answerCode(typed: string, tunnel: number): Promise<CodeAnswer> {
    return this.#question.answer(typed, tunnel);
  }

  // ── inputs ────────────────────────────────────────────────────────────────────────────────────────────────────

  #opened(number: number): void {
    this.#line.opened(number);
    this.#sessions.drop();
    this.#flood.opened();
    this.#question.drop();
    this.#approvals.opened();
    this.#emit({ type: 'tunnel', number, at: this.#options.clock.wall() });
    this.#line.waits.alive();
    this.#hear('tunnel');
  }

  /** No tunnel is opened with this invite any more. One that lives goes on, unless its code or way back has failed. */
  #spent(why: SpentReason): void {
    const error = spentError(why);
    const livesOn = why === 'answers' && this.#line.tunnelNumber !== undefined;
    this.#emit({ type: 'spent', why });
    if (error !== undefined && !livesOn) this.#line.waits.fail(error);
  }

  /** One message of the agent. Whatever is wrong with it ends a wait of the job, not the tunnel. */
  #received(message: TunnelMessage): void {
    this.#line.waits.alive();
    try {
      this.#dispatch(message);
    } catch (error) {
      this.#line.waits.fail(error);
    }
  }

  /** Some messages mean the same in every phase; what the others do says the table. */
  #dispatch(message: TunnelMessage): void {
    switch (message.name) {
      case 'SHEET':
        this.#flood.take();
        if (this.#machine.phase === 'consent') this.#emit({ type: 'sheet' });
        return;
      case 'CREDIT':
        return this.#sessions.grant(message.upTo);
      case 'PROGRESS':
        return this.#sessions.session?.accepted(message.accepted);
      case 'REPLY':
        return this.#troubled(this.#sessions.receive(message));
      case 'PROBLEM':
        return this.#problem(message);
      case 'LEFT':
        return this.#hear(this.#closing.agentLeft(message.left.board, this.#sessions.session));
      default:
        if (isAwaitable(message)) this.#await(message);
    }
  }

  /** A message that may be awaited; one that does not belong to the phase is dropped. */
  #await(message: AwaitableMessage): void {
    if (this.#machine.does(message.name) === undefined) return;
    this.#line.inbox.keep(message);
    this.#hear(message.name);
  }

  #problem({ problem }: MessageOf<'PROBLEM'>): void {
    this.#flood.take();
    const error = problemError(problem, !UNPROVED.has(this.#machine.phase));
    const trouble = troubleOf(error);
    this.#emit({ type: 'problem', problem, restarting: trouble !== undefined });
    this.#line.troubled(error);
    if (trouble === undefined) throw error;
    this.#troubled(trouble);
  }

  #troubled(trouble: Trouble | undefined): void {
    if (trouble === undefined) return;
    if (this.#machine.does('trouble') === 'remember') this.#sessions.remember(trouble);
    else if (this.#sessions.lose(trouble)) this.#machine.leave('trouble', trouble);
  }

  /** What this input does besides being there for whoever waits for it. */
  #hear(input: Input): void {
    const does = this.#machine.does(input);
    if (does === 'refuse') throw this.#line.trouble ?? fail('BF-TUNNEL-CLOSED', 'the agent has left the board');
    if (does !== 'leave') return;
    this.#sessions.drop();
    this.#question.drop();
    this.#machine.leave(input);
  }

  // ── transitions ───────────────────────────────────────────────────────────────────────────────────────────────

  readonly #transitions: JobTransitions = {
    begin: () => 'hello',
    beginAgain: () => 'hello',
    present: (message: MessageOf<'HELLO'>) => this.#present(message),
    compareConsent: (message: MessageOf<'CONSENT'>) => {
      this.#authorization.compareConsent(message);
      return this.#afterConsent();
    },
    takeOptions: ({ before, after }: MessageOf<'OPTIONS'>) => {
      this.#emit({ type: 'optionBytes', before, after });
      return 'farewell';
    },
    settleCode: () => this.#sayJob(),
    restart: (trouble: Trouble) => this.#restart(trouble),
    requestOffer: () => {
      this.#sessions.request();
      return 'offer';
    },
    takeNewOffer: () => 'ownOffer',
    sayFarewell: () => 'farewell',
    answerOffer: (message: MessageOf<'SEALED1'>) => this.#answerOffer(message),
    answerWaiting: () => this.#answerWaiting(),
    confirmSession: (message: MessageOf<'SEALED3'>) => {
      const trouble = this.#sessions.confirm(message);
      return trouble === undefined ? 'working' : this.#restart(trouble);
    },
    finish: (skipped: readonly number[]) => {
      this.#skipped = skipped;
      return 'finishing';
    },
    end: (error: unknown) => this.#end(error),
    close: () => 'closed',
  };

  #present({ hello }: MessageOf<'HELLO'>): After<'present'> {
    this.#hello = hello;
    this.#emit({ type: 'hello', hello });
    const { finished, uid } = this.record;
    if (!finished) return this.#approvals.settled ? this.#sayJob() : 'code';
    if (uid !== undefined && hello.target.rdp === 0 && hello.target.uid !== uid) {
      throw fail('BF-JOB-OTHER-BOARD', `unit ${hello.target.uid} instead of ${uid}`);
    }
    return 'recalling';
  }

  /** JOB, once it is settled whom it is told. */
  #sayJob(): After<'settleCode'> {
    this.#authorization.present(this.#hello as Hello);
    return 'consent';
  }

  #answerOffer(message: MessageOf<'SEALED1'>): After<'answerOffer'> {
    const answered = this.#sessions.answer(message, this.#authorization.plan, this.#hello as Hello);
    return answered ? this.#sendEarlyCommands() : 'deviceCode';
  }

  /** The latest M1 gets the answer: the chip may have begun anew while the vendor typed. */
  #answerWaiting(): After<'answerWaiting'> {
    const latest = this.#line.inbox.takeLatest('SEALED1');
    if (latest !== undefined) return this.#answerOffer(latest);
    this.#sessions.answerWaiting();
    return this.#sendEarlyCommands();
  }

  /** M2 is sent; what may follow it at once does. */
  #sendEarlyCommands(): 'confirmation' {
    this.#jobWork.begin(this.#sessions.unconfirmed as SealedSession, this.#authorization.plan);
    return 'confirmation';
  }

  /** Everybody has agreed: the first sealed session, for kinds that need one; a resumed job's agent may begin it. */
  #afterConsent(): After<'compareConsent'> {
    if (changesOptions(this.#authorization.plan)) return 'optionWrite';
    if (!needsSession(this.#authorization.plan)) return 'farewell';
    const trouble = this.#sessions.takeEarlyTrouble();
    if (trouble !== undefined) return this.#restart(trouble);
    return this.#beginnings > 1 || this.record.uid !== undefined ? 'ownOffer' : 'offer';
  }

  /** A new sealed session, of which there is a bounded number; a board in trouble is given a moment first. */
  #restart(trouble: Trouble): After<'restart'> {
    this.#question.drop();
    this.#sessions.countRestart(trouble);
    if (trouble.cure === 'board') return 'pausing';
    this.#sessions.request();
    return 'offer';
  }

  /** The job ends with this error; an agent that need not wait for --resume is told. */
  #end(error: unknown): After<'end'> {
    const known = asBlindflashError(error);
    this.#error = known;
    this.resumable = !this.record.finished && isResumable(known);
    this.#options.log.info({ code: known.code, resumable: this.resumable }, 'job ended');
    const told = !isResumable(known) || endsInvite(known);
    this.#question.drop();
    if (!told || this.#line.tunnelNumber === undefined) return 'closed';
    return UNSEALED.has(this.#machine.phase) ? 'farewell' : 'finishing';
  }

  // ── phases ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** What is done on entering a phase; most only wait for what the table says. */
  readonly #entries: JobEntries = {
    waiting: () =>
      this.#machine.await('tunnel', () => this.#line.tunnelNumber, this.#line.limitOfArrival(this.record.finished)),
    hello: () => {
      if (++this.#beginnings > MOST_BEGINNINGS) throw fail('BF-TUNNEL-ORDER', 'the agent began anew too often');
      this.#sessions.beginAgain();
      this.#machine.awaitMessage(this.#line.limit('hello', 'BF-TUNNEL-TIMEOUT'));
    },
    recalling: () =>
      void this.#recorder.recallReceipt().then(() => this.#machine.take('recalled'), this.#machine.failed),
    consent: () => this.#machine.awaitMessage(this.#line.limit('consent', 'BF-TUNNEL-TIMEOUT')),
    optionWrite: () => this.#machine.awaitMessage(this.#line.limit('optionWrite', 'BF-TUNNEL-TIMEOUT')),
    code: () => this.#askCode(),
    deviceCode: () => this.#askCode(),
    pausing: () => this.#pause(),
    ownOffer: () =>
      this.#machine.awaitMessage(this.#line.limit('ownHandshake', 'BF-TUNNEL-TIMEOUT'), () => this.#noOffer()),
    offer: () => this.#machine.awaitMessage(this.#line.limit('sealed', this.#authorization.silence)),
    confirmation: () => this.#machine.awaitMessage(this.#line.limit('sealed', this.#authorization.silence)),
    working: () => this.#work(this.#sessions.session as SealedSession),
    finishing: () => this.#takeLeave(),
    farewell: () => this.#takeLeave(),
    closed: () => void this.#close(),
  };

  #askCode(): void {
    const endsAt = this.#question.ask() + this.#line.timeouts.code;
    const limit = { ...this.#line.limit('code', 'BF-JOB-CODE-REFUSED'), endsAt };
    this.#machine.await('answer', () => this.#question.right, limit);
  }

  #pause(): void {
    const { clock } = this.#options;
    const ms = this.#line.timeouts.boardPause;
    const until = clock.now() + ms;
    const over = () => (clock.now() >= until ? true : undefined);
    this.#machine.await('timeout', over, { ms, since: 'start', error: () => fail('BF-INTERNAL') });
  }

  /** The agent did not begin a sealed session by itself: it is asked, unless it is known why it cannot. */
  #noOffer(): void {
    const { trouble } = this.#line;
    if (trouble === undefined) this.#machine.take('timeout');
    else this.#machine.failed(trouble);
  }

  #work(session: SealedSession): void {
    const done = (skipped: readonly number[]) => this.#machine.take('workDone', skipped);
    this.#jobWork.finish(session).then(done).catch(this.#machine.failed);
  }

  /** BYE, with the customer's copy or with the reason. */
  #takeLeave(): void {
    if (this.#error !== undefined) return this.#sayBye(this.#closing.failure(this.#error));
    const finishing = this.#closing.finish();
    finishing.then((bye) => this.#sayBye(bye)).catch(this.#machine.failed);
  }

  #sayBye(bye: OwnMessageOf<'BYE'>): void {
    this.#closing.sayBye(bye);
    const settled = () => this.#closing.settled(this.#tunnel.unacknowledged);
    this.#machine.await('LEFT', settled, this.#line.limit('left', 'BF-TUNNEL-TIMEOUT'));
  }

  async #close(): Promise<void> {
    this.#closing.warnIfUnanswered();
    this.#line.close();
    this.#sessions.drop();
    await this.#closing.endRoom(this.#tunnel, this.#error);
    this.#tunnel.close();
    await this.#recorder.saved();
    if (this.#error === undefined) this.#resolve(this.#result());
    else this.#reject(withBoard(this.#error, this.record));
  }

  #result(): JobResult {
    const { left: agentSays, customerCopy } = this.#closing;
    return {
      hello: this.#hello as Hello,
      uid: this.record.uid,
      receipt: this.#recorder.receipt?.signed,
      customerCopy,
      chipProved: this.record.chipProved,
      agentSays,
      skipped: this.#skipped,
      ...this.#clock.ended,
    };
  }

  #emit(event: JobEvent): void {
    this.#options.callbacks.onEvent?.(event);
  }
}
