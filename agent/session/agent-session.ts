// One job on the customer's side, from the first look at the board to the last word (docs/protocol.md §6, §11;
// docs/product.md §2). The controller's verbs end in the handlers of session-table.ts; there is no other way in.
// Nothing is written to the board before the customer's yes, and every way out puts the debug unit back.
import { equalBytes } from '../../shared/codec/bytes.ts';
import { asBlindflashError, fail, type BlindflashError } from '../../shared/errors/errors.ts';
import type { Psk, Verify } from '../../shared/crypto/keys.ts';
import type { SignedText } from '../../shared/plan/receipt.ts';
import { decodePlan } from '../../shared/plan/plan.ts';
import { publicInviteHash, type PublicInvite } from '../../shared/tunnel/invite.ts';
import type { Clock, Log, Random } from '../../shared/ports.ts';
import type { AgentTunnelOpened } from '../../shared/tunnel/agent-tunnel.ts';
import type { BoardState } from '../../shared/tunnel/bodies.ts';
import type { MessageOf, TunnelMessage } from '../../shared/tunnel/messages.ts';
import { helloOf } from './hello.ts';
import { acceptSeenEnd } from './job-end.ts';
import { Leaving } from './leaving.ts';
import { readJob, type Job } from './job.ts';
import type { AgentMemory, AgentOutcome, Customer } from './ports.ts';
import type { Probe } from '../probe/probe.ts';
import { OptionWork, type OptionWorkOptions } from './option-work.ts';
import { isSameConsent, ConsentQuestions } from './consent-questions.ts';
import { AGENT_SESSION, type SessionHandler, type SessionInput, type SessionPhase } from './session-table.ts';
import { isLockedByPlanting, isPlanted } from './planting.ts';
import { StubWork } from './stub-work.ts';
import type { KnownStubs } from '../target/stubs.ts';
import type { ConnectMode } from '../target/reach.ts';
import { LoaderTarget } from '../target/loader-target.ts';
import type { Target } from '../target/target.ts';
import { TargetSession } from '../target/target-session.ts';
import { vendorError } from './vendor-error.ts';
import type { SerialPortSource } from '../transport/serial/port.ts';
import { TunnelEventQueue, type TunnelEvent, type RoomPort } from './tunnel-event-queue.ts';

export interface AgentJobOptions {
  /** Not yet opened; closed again when the job is over. */
  readonly probe?: Probe | undefined;
  /** In place of a probe: the serial port behind which a locked board's loader is. */
  readonly serialPort?: SerialPortSource | undefined;
  /** Not yet started; left when the job is over. */
  readonly room: RoomPort;
  readonly invite: PublicInvite;
  /** The invite's secret; not needed once the memory has a way back. */
  readonly inviteSecret?: Psk | undefined;
  readonly memory: AgentMemory;
  readonly stubs: KnownStubs;
  readonly customer: Customer;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The SWD clock was chosen by the customer: it is not raised. */
  readonly keepSpeed?: boolean | undefined;
  readonly connect?: ConnectMode | undefined;
  /** Version of this agent, for HELLO. */
  readonly version: string;
  /** Checks signatures of receipts. */
  readonly verify: Verify;
  /** Aborted when the customer wants to stop. */
  readonly signal?: AbortSignal | undefined;
}

/** How long the last words may take to be acknowledged, milliseconds. */
const FAREWELL_MS = 3000;
/** Fixed by the specification (§4): then a person has to start the agent again. */
const MOST_CODES = 16;

/** The phase something leads to, or the end. */
type Next = SessionPhase | Ending;

interface Ending {
  readonly result: AgentOutcome['result'];
  readonly error?: BlindflashError;
  readonly byVendor?: boolean;
  readonly receipt?: SignedText;
}

/**
 * Runs one job to its end and leaves board, probe, tunnel and room. Never throws: trouble is in the outcome.
 */
export async function runAgentJob(options: AgentJobOptions): Promise<AgentOutcome> {
  return new AgentSession(options).run();
}

class AgentSession {
  readonly #options: AgentJobOptions;
  readonly #target: Target;
  readonly #events: TunnelEventQueue;
  readonly #work: StubWork;
  readonly #optionWork: OptionWork;
  readonly #questions: ConsentQuestions;
  readonly #leaving: Leaving;
  /** The tunnel, counted by its code, in which LEFT was sent. */
  #leftSaidIn: number | undefined;
  #phase: SessionPhase = 'opened';
  #peerPresent: boolean | undefined;
  /** The code of this tunnel, and how many were shown. */
  #code = '';
  #codes = 0;
  /** The job of this tunnel; `told`: CONSENT has left for it. */
  #proposed: { readonly job: Job; readonly told: boolean } | undefined;

  constructor(options: AgentJobOptions) {
    this.#options = options;
    const { clock, log, room, invite, inviteSecret, memory, customer, random, signal } = options;
    this.#target = targetOf(options);
    const first = inviteSecret === undefined ? [] : [inviteSecret];
    const secrets = memory.secrets.length > 0 ? memory.secrets : first;
    const keepSecrets: AgentMemory['keepSecrets'] = (kept) => memory.keepSecrets(kept);
    this.#events = new TunnelEventQueue({ room, invite, secrets, keepSecrets, clock, random, log, signal });
    const { vendor } = invite;
    const tunnel = this.#events;
    this.#work = new StubWork({ target: this.#target, memory, vendor, customer, clock, log, tunnel });
    const send: OptionWorkOptions['send'] = (message) => this.#events.send(message);
    this.#optionWork = new OptionWork({ target: this.#target, customer, clock, send });
    const expectAnswer: TunnelEventQueue['expectAnswer'] = (answer) => this.#events.expectAnswer(answer);
    this.#questions = new ConsentQuestions({ customer, memory, target: this.#target, random, vendor, expectAnswer });
    const [target, work, optionWork] = [this.#target, this.#work, this.#optionWork];
    this.#leaving = new Leaving({ target, work, optionWork, memory, customer, log });
  }

  async run(): Promise<AgentOutcome> {
    let ending: Ending;
    try {
      await this.#attach();
      this.#events.start();
      ending = await this.#serve();
    } catch (error) {
      ending = { result: 'failed', error: asBlindflashError(error) };
    }
    return this.#leave(ending);
  }

  async #attach(): Promise<void> {
    const { memory } = this.#options;
    const found = await this.#target.attach(memory.stubLoaded);
    if (found === undefined) {
      const { program, identity } = this.#target;
      if (program === 'loader' || !isLockedByPlanting(memory.consent, identity)) return;
      throw fail('BF-TARGET-RDP1', 'the loader was planted, and the chip is locked');
    }
    this.#options.customer.say('Our program is still running in the RAM of the chip; going on from there.');
    this.#work.adopt(found);
  }

  // ── events ────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #serve(): Promise<Ending> {
    for (;;) {
      const event = this.#busyWork !== undefined ? this.#events.take() : await this.#events.next();
      const ending = event === undefined ? undefined : await this.#handle(event);
      if (ending !== undefined) return ending;
      if (event !== undefined) continue;
      const pauseMs = (await this.#busyWork?.turn()) ?? 0;
      if (this.#work.lockEnded) await this.#on('locked', { letGo: () => this.#letGo(), ignore: () => this.#phase });
      await this.#events.pause(pauseMs);
    }
  }

  /** Whose work goes on while no message waits. */
  get #busyWork(): StubWork | OptionWork | undefined {
    return [this.#work, this.#optionWork].find(({ busy }) => busy);
  }

  async #handle(event: TunnelEvent): Promise<Ending | undefined> {
    switch (event.kind) {
      case 'peer':
        return this.#peer(event.present);
      case 'opened':
        return this.#on('opened', { greet: () => this.#greet(event.opened) });
      case 'answer':
        return this.#answer(event.yes);
      case 'message':
        return this.#receive(event.message);
    }
  }

  #receive(message: TunnelMessage): Promise<Ending | undefined> {
    switch (message.name) {
      case 'JOB':
        return this.#on('JOB', {
          propose: () => this.#propose(message),
          refuse: () => this.#refuse(),
          refuseLocked: () => this.#refuseLocked(),
        });
      case 'BYE':
        return this.#on('BYE', { end: () => this.#bye(message) });
      default:
        return this.#on('work', { work: () => this.#doWork(message), drop: () => this.#drop(message) });
    }
  }

  async #on<Input extends SessionInput>(
    input: Input,
    handlers: Readonly<Record<SessionHandler<Input>, () => Next | Promise<Next>>>,
  ): Promise<Ending | undefined> {
    const handler: SessionHandler<Input> = AGENT_SESSION[this.#phase][input];
    const next = await handlers[handler]();
    if (typeof next !== 'string') return next;
    this.#phase = next;
    return undefined;
  }

  #peer(present: boolean): undefined {
    if (present === this.#peerPresent) return;
    const was = this.#peerPresent;
    this.#peerPresent = present;
    const { customer } = this.#options;
    if (present) customer.say('The vendor is there.');
    else if (was === undefined) customer.say('Waiting for the vendor.');
    else customer.say('The connection to the vendor is interrupted; leave everything as it is.');
  }

  // ── handlers: each returns the phase it leads to, or the end ───────────────────────────────────────────────────────

  async #greet({ code, again }: AgentTunnelOpened): Promise<Next> {
    if (++this.#codes > MOST_CODES) throw fail('BF-INVITE-CODES', `${MOST_CODES} were shown`);
    this.#code = code;
    this.#proposed = undefined;
    await this.#work.opened();
    this.#options.customer.showCode(code, again);
    const { version } = this.#options;
    const { info, millivolts, identity, programHashes } = this.#target;
    const hello = helloOf({ version, programs: programHashes, probe: info, millivolts, board: identity });
    this.#events.send({ name: 'HELLO', hello });
    return this.#leaving.left === undefined ? 'opened' : 'left';
  }

  /** Asks, unless the customer has said yes to just this before. */
  async #propose(message: MessageOf<'JOB'>): Promise<Next> {
    const { invite, memory, customer } = this.#options;
    const job = readJob(message, { target: this.#target, vendor: invite.vendor });
    if (memory.consent !== undefined && equalBytes(memory.consent.hash, job.consentHash)) {
      customer.say('The vendor goes on with the plan you agreed to.');
      return this.#agree(job);
    }
    this.#proposed = { job, told: false };
    this.#questions.put(job, this.#code);
    this.#events.send({ name: 'SHEET' });
    return 'asked';
  }

  async #agree(job: Job): Promise<Next> {
    this.#events.send({ name: 'CONSENT', yes: true, planHash: job.hash });
    this.#proposed = { job, told: true };
    await this.#work.begin(job);
    this.#optionWork.begin(job);
    return this.#afterWork();
  }

  /** What one yes covers may be used up: then the same question is put again, and the vendor waits for the offer. */
  #afterWork(): SessionPhase {
    if (!this.#work.loadsSpent || this.#proposed === undefined) return 'agreed';
    this.#options.customer.say(
      'Our program was started in the chip as often as one yes covers. The vendor waits; you are asked once more.',
    );
    this.#questions.put(this.#proposed.job, this.#code);
    return 'asked';
  }

  #answer(yes: boolean): Promise<Ending | undefined> {
    const answered = this.#questions.answered();
    if (answered === undefined) return Promise.resolve(undefined);
    return this.#on('answer', {
      settle: () => this.#settle(answered, yes),
      remember: () => this.#remember(answered, yes),
      ignore: () => this.#phase,
    });
  }

  async #settle(answered: Job, yes: boolean): Promise<Next> {
    const { job, told } = this.#proposed ?? { job: answered, told: false };
    if (!isSameConsent(answered, job)) {
      this.#questions.put(job, this.#code);
      return 'asked';
    }
    if (!yes) return this.#decline(told ? undefined : job);
    this.#keepConsent(job);
    if (!told) return this.#agree(job);
    await this.#work.begin(job);
    return this.#afterWork();
  }

  #remember(answered: Job, yes: boolean): Next {
    if (!yes) return this.#decline(undefined);
    this.#keepConsent(answered);
    return this.#phase;
  }

  /** @param waiting the job the vendor waits for an answer about */
  #decline(waiting: Job | undefined): Ending {
    if (waiting === undefined) this.#work.report(fail('BF-JOB-DECLINED'));
    else this.#events.send({ name: 'CONSENT', yes: false, planHash: waiting.hash });
    return { result: 'declined' };
  }

  #keepConsent({ consentHash, planBytes, receiptPublic }: Job): void {
    const { uid } = this.#target.identity;
    this.#options.memory.keepConsent({ hash: consentHash, plan: planBytes, receiptPublic, uid });
  }

  async #doWork(message: TunnelMessage): Promise<Next> {
    switch (message.name) {
      case 'SEALED2':
        await this.#work.takeM2(message.m2);
        break;
      case 'FRAME':
        await this.#work.takeCommand(message);
        break;
      case 'RESTART':
        await this.#work.restart();
        break;
      default:
        return this.#drop(message);
    }
    return this.#afterWork();
  }

  #drop({ name }: TunnelMessage): SessionPhase {
    this.#options.log.warn({ name, phase: this.#phase }, 'a message that does not belong here was dropped');
    return this.#phase;
  }

  #refuse(): never {
    throw fail('BF-TUNNEL-ORDER', 'a second job in one tunnel');
  }

  /** Its own lock bars the way, and the stub is gone. */
  #refuseLocked(): never {
    throw fail('BF-TARGET-RDP1', 'this job has locked the chip, and the board was let go of');
  }

  /**
   * The chip has said that it is locked, and has ended: nothing is left to do with the board, whatever the vendor has
   * still to say. A lock that OPTCR does not show is left to BYE.
   */
  async #letGo(): Promise<SessionPhase> {
    if ((await this.#target.readRdpLevel()) === 0) return this.#phase;
    this.#events.send({ name: 'LEFT', left: { board: await this.#leaving.leave(true) } });
    this.#leftSaidIn = this.#codes;
    this.#options.customer.say('The chip is locked, and the board is let go of. Waiting for the vendor’s receipt.');
    return 'left';
  }

  async #bye(message: MessageOf<'BYE'>): Promise<Ending> {
    if (!message.done) return { result: 'failed', error: vendorError(message.failure), byVendor: true };
    const { memory, verify, clock } = this.#options;
    // A job that an earlier process of this agent served may end in this one; what nobody agreed to cannot be done.
    if (memory.consent === undefined) {
      return { result: 'failed', error: fail('BF-JOB-REFUSED', 'the vendor ended no job') };
    }
    const { reached, job } = this.#work;
    const end = { consent: memory.consent, customer: message.customer, reached, begun: job !== undefined, verify };
    const receipt = await acceptSeenEnd(end, this.#work, clock);
    // The vendor's word is not enough for a lock: the customer may hand the board on because of it.
    const { lock } = decodePlan(memory.consent.plan);
    if (lock !== 'none' && this.#leaving.left === undefined && (await this.#target.readRdpLevel()) === 0) {
      throw fail('BF-JOB-NOT-LOCKED', 'OPTCR reads level 0');
    }
    return receipt === undefined ? { result: 'done' } : { result: 'done', receipt };
  }

  // ── going away ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Says why, puts the debug unit back, leaves the board in its final state, says how it was left. */
  async #leave(ending: Ending): Promise<AgentOutcome> {
    const { result, error, receipt, byVendor = false } = ending;
    if (error !== undefined && !byVendor) this.#work.report(error);
    const board = await this.#leaving.leave(result === 'done');
    // Who has heard LEFT in this tunnel waits only to know that BYE was heard.
    if (this.#leftSaidIn === this.#codes) this.#events.trySend({ name: 'ACK' });
    else this.#events.trySend({ name: 'LEFT', left: { board } });
    await this.#events.close(FAREWELL_MS);
    await this.#target.close();
    const { memory } = this.#options;
    const planted = isPlanted(ending, memory.consent);
    if (planted) memory.notePlanted();
    else this.#forget(ending, board);
    return { result, board, error, byVendor, receipt, plan: this.#work.job?.plan, planted };
  }

  /** A job that may be gone on with keeps its way back; so does one that waits for its own board. */
  #forget(ending: Ending, board: BoardState): void {
    const unfinished = board === 'incomplete' || board === 'waiting' || this.#options.memory.lifted !== undefined;
    const otherBoard = ending.error?.code === 'BF-JOB-OTHER-BOARD';
    const ended = ending.result === 'declined' || ending.byVendor === true;
    if (ending.result === 'done' || (ended && !unfinished && !otherBoard)) this.#options.memory.forget();
  }
}

/** The board, by the way there is. @throws BF-INTERNAL-ARGUMENT without one */
function targetOf(options: AgentJobOptions): Target {
  const { probe, serialPort, clock, log, stubs, invite, customer, keepSpeed, connect } = options;
  const ask: Customer['say'] = (text) => customer.say(text);
  if (serialPort !== undefined) return new LoaderTarget({ source: serialPort, clock, log, ask });
  if (probe === undefined) throw fail('BF-INTERNAL-ARGUMENT', 'neither a probe nor a serial port');
  const inviteTag = publicInviteHash(invite).slice(0, 8);
  return new TargetSession({ probe, clock, log, stubs, inviteTag, keepSpeed, connect, ask });
}
