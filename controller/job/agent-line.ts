// The line to the agent: messages out, messages in, whether the agent is there, how long it is waited for and what that
// is called when it was too long (docs/protocol.md §6).
import { Inbox } from './inbox.ts';
import { TIMEOUTS, type Timeouts } from './limits.ts';
import type { JobOptions, JobTunnel } from './ports.ts';
import { Waits, type Limit } from './waits.ts';
import { fail, type BlindflashError, type ErrorCode } from '../../shared/errors/errors.ts';
import type { Clock } from '../../shared/ports.ts';
import type { CodeVerdict } from '../../shared/tunnel/controller-tunnel.ts';
import type { OwnMessage } from '../../shared/tunnel/messages.ts';

export class AgentLine {
  readonly inbox = new Inbox();
  readonly waits: Waits;
  readonly timeouts: Timeouts;
  readonly #clock: Clock;
  readonly #jobTunnel: () => JobTunnel;
  #tunnel: number | undefined;
  #trouble: BlindflashError | undefined;
  #present: boolean | undefined;
  #cancelPeerTimer: () => void = () => {};

  /** @param jobTunnel once it is opened */
  constructor(options: Pick<JobOptions, 'clock' | 'timeouts'>, jobTunnel: () => JobTunnel) {
    this.timeouts = { ...TIMEOUTS, ...options.timeouts };
    this.waits = new Waits(options.clock);
    this.#clock = options.clock;
    this.#jobTunnel = jobTunnel;
  }

  /** Number of the tunnel in use; undefined until one is confirmed. */
  get tunnelNumber(): number | undefined {
    return this.#tunnel;
  }

  /** A tunnel is confirmed, the first or another one. */
  opened(tunnel: number): void {
    this.#tunnel = tunnel;
    this.inbox.clear();
  }

  /** Holds a typed code against the tunnel's. Rejects when the consequence cannot be stored. */
  checkCode(typed: string): Promise<CodeVerdict> {
    return this.#jobTunnel().checkCode(typed);
  }

  /** The id of the sealed session this M1 leads to in the tunnel in use, 16 bytes. */
  sealedSessionId(m1: Uint8Array): Uint8Array {
    return this.#jobTunnel().sealedSessionId(m1);
  }

  /** A chip on record has proved its key. */
  proved(): void {
    this.#jobTunnel()
      .proved()
      .catch((error: unknown) => this.waits.fail(error));
  }

  /** The latest bad news that nothing has troubleOver: the reason of a silence after it. */
  get trouble(): BlindflashError | undefined {
    return this.#trouble;
  }

  /** Bad news from the agent or from the chip. */
  troubled(error: BlindflashError): void {
    this.#trouble = error;
  }

  /** A sealed session is confirmed: earlier trouble is over. */
  troubleOver(): void {
    this.#trouble = undefined;
  }

  /** Queues a message. A tunnel that has failed says why, not only that it is closed. */
  send(message: OwnMessage): void {
    try {
      this.#jobTunnel().send(message);
    } catch (error) {
      throw this.waits.failure ?? error;
    }
  }

  /**
   * The agent is in the room, or not. One that has been met has `timeouts.peer` to come back; meanwhile no limit runs.
   * Returns whether that is news.
   */
  peer(present: boolean): boolean {
    const news = present !== this.#present;
    this.#present = present;
    const away = !present && this.#tunnel !== undefined;
    this.#cancelPeerTimer();
    this.waits.suspend(away);
    this.waits.alive();
    if (!away) return news;
    const gone = () => this.waits.fail(this.#trouble ?? fail('BF-RELAY-PEER-GONE'));
    this.#cancelPeerTimer = this.#clock.after(this.timeouts.peer, gone);
    return news;
  }

  /** The limit of a wait for the agent; known trouble is a better reason than the code. */
  limit(timeout: keyof Timeouts, code: ErrorCode, since: Limit['since'] = 'start'): Limit {
    return { ms: this.timeouts[timeout], since, error: () => this.#trouble ?? fail(code, WAITED[timeout]) };
  }

  /** An agent comes when it comes; to a job that is finished it waits already, or nobody does. */
  limitOfArrival(finished: boolean): Limit {
    if (!finished) return this.limit('arrival', 'BF-RELAY-LONELY');
    return { ms: this.timeouts.hello, since: 'start', error: () => fail('BF-RELAY-LONELY', NOBODY_WAITS) };
  }

  /** Nobody waits for the agent any more. */
  close(): void {
    this.#cancelPeerTimer();
    this.waits.stop();
  }
}

const NOBODY_WAITS = 'the job is finished and its receipt stored; nobody waits to hear it, nothing has to be done';

/** What had not come when the time was over. */
const WAITED: Readonly<Record<keyof Timeouts, string>> = {
  arrival: 'no agent came with this invite',
  peer: 'the agent did not come back',
  hello: 'the agent did not introduce itself',
  code: 'nobody typed the code',
  consent: 'nobody answered',
  optionWrite: 'the agent did not say what the option bytes are',
  sealed: 'the chip did not begin a sealed session',
  ownHandshake: 'the chip did not begin a sealed session by itself',
  work: 'the chip did not go on',
  left: 'the agent did not say how it left the board',
  boardPause: 'the board did not recover',
};
