// One job on the customer's side, from the first look at the board to the last word (docs/protocol.md §6, §11;
// docs/product.md §2). The controller's verbs are the rows of `#handle`; there is no other way in. Nothing is written
// to the board before the customer's yes, and every way out puts the debug unit back.
import { KINDS } from '../../shared/plan/kinds.ts';
import { equalBytes, toHex } from '../../shared/codec/bytes.ts';
import type { ForeignText } from '../../shared/codec/foreign-text.ts';
import { asBlindflashError, fail, isErrorCode, type BlindflashError } from '../../shared/errors/errors.ts';
import type { Psk } from '../../shared/crypto/keys.ts';
import { publicInviteHash, type PublicInvite } from '../../shared/tunnel/invite.ts';
import type { Clock, Log, Random } from '../../shared/ports.ts';
import type { Board, Customer as CustomerCopy, OwnHello } from '../../shared/tunnel/bodies.ts';
import type { MessageOf } from '../../shared/tunnel/messages.ts';
import { boardAfter, finalStateOf } from './board-state.ts';
import { plainText } from '../consent/plain-text.ts';
import { consentSheet } from '../consent/sheet.ts';
import { TunnelEventQueue, type Event, type Room } from './tunnel-event-queue.ts';
import { readJob, type Job } from './job.ts';
import type { AgentMemory, AgentOutcome, Customer } from './ports.ts';
import type { Probe } from '../probe/probe.ts';
import { StubWork } from './stub-work.ts';
import type { StubRegistry } from '../target/stubs.ts';
import { TargetSession } from '../target/target-session.ts';

export interface AgentJobOptions {
  /** Not yet opened; closed again when the job is over. */
  readonly probe: Probe;
  /** Not yet started; left when the job is over. */
  readonly room: Room;
  readonly invite: PublicInvite;
  /** The invite's one-time secret; undefined when only the memory's resume secret is left. */
  readonly inviteSecret?: Psk | undefined;
  readonly memory: AgentMemory;
  readonly stubs: StubRegistry;
  readonly customer: Customer;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The SWD clock was chosen by the customer: it is not raised. */
  readonly keepSpeed?: boolean | undefined;
  /** Version of this agent, for HELLO. */
  readonly version: string;
  /** Aborted when the customer wants to stop. */
  readonly signal?: AbortSignal | undefined;
}

/** How long the last words may take to be acknowledged, milliseconds. */
const FAREWELL_MS = 3000;

interface Ending {
  readonly result: AgentOutcome['result'];
  readonly error?: BlindflashError;
  readonly byVendor?: boolean;
  readonly receipt?: CustomerCopy;
}

/**
 * Runs one job to its end and leaves board, probe, tunnel and room. Never throws: trouble is in the outcome.
 */
export async function runAgentJob(options: AgentJobOptions): Promise<AgentOutcome> {
  return new AgentSession(options).run();
}

class AgentSession {
  readonly #options: AgentJobOptions;
  readonly #target: TargetSession;
  readonly #events: TunnelEventQueue;
  readonly #work: StubWork;
  #peerPresent: boolean | undefined;

  constructor(options: AgentJobOptions) {
    this.#options = options;
    const { probe, clock, log, stubs, room, invite, inviteSecret, memory, customer, random, signal, keepSpeed } =
      options;
    this.#target = new TargetSession({
      probe,
      clock,
      log,
      stubs,
      tag: publicInviteHash(invite).slice(0, 8),
      keepSpeed,
    });
    const { resumeSecret } = memory;
    const onSecret = (secret: Psk): void => memory.saveSecret(secret);
    this.#events = new TunnelEventQueue({
      room,
      invite,
      inviteSecret,
      resumeSecret,
      clock,
      random,
      log,
      signal,
      onSecret,
    });
    const send: TunnelEventQueue['send'] = (message) => this.#events.send(message);
    this.#work = new StubWork({ target: this.#target, memory, customer, clock, log, send });
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
    const found = await this.#target.attach(this.#options.memory.stubLoaded);
    if (found === undefined) return;
    this.#options.customer.say('Our program is still running in the RAM of the chip; going on from there.');
    await this.#work.adopt(found);
  }

  // ── events ────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #serve(): Promise<Ending> {
    for (;;) {
      const event = this.#work.pumping ? this.#events.take() : await this.#events.next();
      const ending = event === undefined ? undefined : await this.#handle(event);
      if (ending !== undefined) return ending;
      if (event === undefined) await this.#events.pause(await this.#work.pump());
    }
  }

  async #handle(event: Event): Promise<Ending | undefined> {
    if (event.kind === 'peer') return this.#peer(event.present);
    if (event.kind === 'opened') return this.#opened(event.confirmed.code, event.confirmed.resumed);
    const { message } = event;
    switch (message.name) {
      case 'JOB':
        return this.#takeJob(message);
      case 'SEALED2':
        await this.#work.takeM2(message.m2);
        return undefined;
      case 'FRAME':
        await this.#work.takeCommand(message);
        return undefined;
      case 'RESTART':
        await this.#work.restart();
        return undefined;
      case 'BYE':
        return this.#bye(message);
      default:
        this.#options.log.warn({ name: message.name }, 'a message that is not for an agent was dropped');
        return undefined;
    }
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

  async #opened(code: string, again: boolean): Promise<undefined> {
    await this.#work.opened();
    this.#options.customer.showCode(code, again);
    this.#events.send({ name: 'HELLO', hello: this.#hello() });
  }

  #hello(): OwnHello {
    const { stubs, version } = this.#options;
    const { kind, firmware, serial } = this.#target.probe.info;
    const { devId, revId, uid, flashKiB, rdp, optcr } = this.#target.identity;
    const { millivolts } = this.#target;
    const text = (value: string): string => plainText(value, 64);
    return {
      agent: text(version),
      stubs: [...stubs.hashes],
      probe: { kind: text(kind), firmware: text(firmware), serial: text(serial ?? ''), millivolts },
      target: { devId, revId, uid: toHex(uid), flashKiB, rdp, optcr },
    };
  }

  #bye(message: MessageOf<'BYE'>): Ending {
    if (!message.done) return { result: 'failed', error: vendorError(message.failure), byVendor: true };
    // A job that an earlier process of this agent served may end in this one; what nobody agreed to cannot be done.
    if (this.#work.job === undefined && this.#options.memory.consented === undefined) {
      return { result: 'failed', error: fail('BF-JOB-REFUSED', 'the vendor ended no job') };
    }
    return message.customer.receipt === null ? { result: 'done' } : { result: 'done', receipt: message.customer };
  }

  // ── consent ───────────────────────────────────────────────────────────────────────────────────────────────────────

  async #takeJob(message: MessageOf<'JOB'>): Promise<Ending | undefined> {
    const job = readJob(message, this.#target.identity);
    const yes = await this.#consent(job);
    this.#events.send({ name: 'CONSENT', yes, planHash: job.hash });
    if (!yes) return { result: 'declined' };
    await this.#work.begin(job);
    return undefined;
  }

  /** Asks, unless the customer has said yes to these very bytes before. */
  async #consent(job: Job): Promise<boolean> {
    const { memory, customer, stubs } = this.#options;
    if (memory.consented !== undefined && equalBytes(memory.consented, job.hash)) {
      customer.say('The vendor goes on with the plan you agreed to.');
      return true;
    }
    const stub = KINDS[job.plan.kind].stub ? stubs.forDevice(job.plan.devId) : undefined;
    const sheet = consentSheet({
      plan: job.plan,
      planHash: job.hash,
      board: this.#target.identity,
      probe: this.#target.probe.info,
      stubHash: stub?.hash,
      stubRuns: this.#target.transport !== undefined,
    });
    customer.showSheet(sheet);
    this.#events.send({ name: 'SHEET' });
    const yes = await this.#events.race(customer.askConsent(sheet));
    if (yes) memory.saveConsent(job.hash);
    return yes;
  }

  // ── going away ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Says why, puts the debug unit back, leaves the board in its final state, says how it was left. */
  async #leave(ending: Ending): Promise<AgentOutcome> {
    const { result, error, receipt, byVendor = false } = ending;
    if (error !== undefined && !byVendor) this.#work.report(error);
    await this.#work.wipeKeys();
    const board = await this.#finish(result === 'done');
    this.#events.trySend({ name: 'LEFT', left: { board } });
    await this.#events.close(FAREWELL_MS);
    await this.#target.close();
    this.#forget(ending, board);
    return { result, board, error, byVendor, receipt, plan: this.#work.job?.plan };
  }

  async #finish(done: boolean): Promise<Board> {
    const { facts } = this.#work;
    const finalState = finalStateOf(facts, done);
    try {
      await this.#target.finish(finalState);
      if (finalState !== 'none') this.#options.memory.saveStubLoaded(false);
      return boardAfter(facts, finalState, done);
    } catch (error) {
      this.#options.log.error({ error: String(error) }, 'the debug unit could not be restored');
      return facts.stubLoaded ? 'waiting' : 'unknown';
    }
  }

  /** A job that may be gone on with keeps its way back; so does one that waits for its own board. */
  #forget(ending: Ending, board: Board): void {
    const unfinished = board === 'incomplete' || board === 'waiting';
    const otherBoard = ending.error?.code === 'BF-JOB-OTHER-BOARD';
    const over = ending.result !== 'failed' || (ending.byVendor === true && !unfinished && !otherBoard);
    if (over) this.#options.memory.forget();
  }
}

/** The vendor's reason; a code of a newer version is told as what it is. */
function vendorError({ code, detail }: { readonly code: string; readonly detail: ForeignText }): BlindflashError {
  return isErrorCode(code)
    ? fail(code, detail)
    : fail('BF-TUNNEL-CLOSED', `the vendor says ${code}: ${plainText(detail)}`);
}
