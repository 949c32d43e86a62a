// Messages of the agent that the course of a job waits for, and which of them are expected now.
import { fail } from '../../shared/errors/errors.ts';
import type { MessageName, MessageOf, TunnelMessage } from '../../shared/tunnel/messages.ts';
import type { Limit, WaitQueue } from './wait-queue.ts';

/** Messages kept at most; an honest agent has one or two on the way. */
const MOST_KEPT = 64;

export class Inbox {
  /** Messages that may come now without meaning that the agent began anew. */
  expected: readonly MessageName[] = ['HELLO'];
  readonly #inbox: TunnelMessage[] = [];

  /** Keeps a message for whoever takes it. False when it was not expected. @throws BF-TUNNEL-MESSAGE */
  keep(message: TunnelMessage): boolean {
    if (this.#inbox.length >= MOST_KEPT) throw fail('BF-TUNNEL-MESSAGE', 'too many messages nobody asked for');
    this.#inbox.push(message);
    return this.expected.includes(message.name);
  }

  /** A new tunnel: it begins with HELLO. */
  beginAgain(): void {
    this.#inbox.length = 0;
    this.expected = ['HELLO'];
  }

  /** The next message of this name; those in `also` may come meanwhile and wait their turn. */
  async take<Name extends MessageName>(
    waiting: WaitQueue,
    name: Name,
    limit: Limit,
    also: readonly MessageName[] = [],
  ): Promise<MessageOf<Name>> {
    return (await this.takeOneOf(waiting, [name], limit, also)) as MessageOf<Name>;
  }

  /** The next message of one of these names. */
  async takeOneOf<Name extends MessageName>(
    waiting: WaitQueue,
    names: readonly Name[],
    limit: Limit,
    also: readonly MessageName[] = [],
  ): Promise<Extract<TunnelMessage, { name: Name }>> {
    this.expected = [...names, ...also];
    return waiting.until(() => this.#first(names) as Extract<TunnelMessage, { name: Name }> | undefined, limit);
  }

  #first(names: readonly MessageName[]): TunnelMessage | undefined {
    const index = this.#inbox.findIndex(({ name }) => names.includes(name));
    return index < 0 ? undefined : this.#inbox.splice(index, 1)[0];
  }
}
