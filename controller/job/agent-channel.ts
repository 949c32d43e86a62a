// Talking with the agent: messages out, messages waited for, how long, and what it is called when none comes
// (docs/protocol.md §6).
import { Inbox } from './inbox.ts';
import { PATIENCE } from './ports.ts';
import type { JobOptions, Timeouts } from './ports.ts';
import { WaitQueue, type Limit } from './wait-queue.ts';
import { fail, type BlindflashError, type ErrorCode } from '../../shared/errors/errors.ts';
import type { Clock } from '../../shared/ports.ts';
import type { MessageName, MessageOf, TunnelMessage } from '../../shared/tunnel/messages.ts';

export class AgentChannel {
  readonly mail = new Inbox();
  readonly patience: Timeouts;
  /** Of the tunnel in use; undefined until the first one is confirmed. */
  code: string | undefined;
  /** The latest bad news that nothing has healed: the reason of a silence after it. */
  trouble: BlindflashError | undefined;
  readonly #clock: Clock;
  readonly #transmit: (message: TunnelMessage) => void;
  #waiting: WaitQueue;

  /** @param transmit hands a message to the way; throws as Way.send does. */
  constructor(options: Pick<JobOptions, 'clock' | 'patience'>, transmit: (message: TunnelMessage) => void) {
    this.patience = { ...PATIENCE, ...options.patience };
    this.#clock = options.clock;
    this.#transmit = transmit;
    this.#waiting = new WaitQueue(options.clock);
  }

  /** What every wait goes through; another object after `renew`. */
  get waiting(): WaitQueue {
    return this.#waiting;
  }

  /** What ended the waits so far does not end those from here on. */
  renew(): void {
    const waiting = new WaitQueue(this.#clock);
    // An agent that is away right now (asleep, between two links) hears it when it is back.
    waiting.suspended = this.#waiting.suspended;
    this.#waiting = waiting;
  }

  /** Queues a message. A way that has failed says why, not only that it is closed. */
  send(message: TunnelMessage): void {
    try {
      this.#transmit(message);
    } catch (error) {
      throw this.#waiting.failure ?? error;
    }
  }

  /** The next message of this name; those in `also` may come meanwhile and wait their turn. */
  take<Name extends MessageName>(name: Name, limit: Limit, also?: readonly MessageName[]): Promise<MessageOf<Name>> {
    return this.mail.take(this.#waiting, name, limit, also);
  }

  /** Lets time pass. @param ms milliseconds. */
  async pause(ms: number): Promise<void> {
    const until = this.#clock.now() + ms;
    const over = () => (this.#clock.now() >= until ? true : undefined);
    const limit = { ms, since: 'start' as const, error: () => fail('BF-INTERNAL') };
    await this.#waiting.until(over, limit);
  }

  /** A wait for as long as this patience lasts; known trouble is a better reason than the code. */
  limit(patience: keyof Timeouts, code: ErrorCode, since: Limit['since'] = 'start'): Limit {
    return { ms: this.patience[patience], since, error: () => this.trouble ?? fail(code, WAITED[patience]) };
  }
}

/** What had not come when patience ended. */
const WAITED: Readonly<Record<keyof Timeouts, string>> = {
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
