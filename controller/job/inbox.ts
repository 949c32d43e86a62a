// Messages of the agent that have come and not been taken yet: some may come before their turn.
import { fail } from '../../shared/errors/errors.ts';
import type { MessageName, TunnelMessage } from '../../shared/tunnel/messages.ts';

/** Messages kept at most; an honest agent has one or two on the way. */
const MOST_KEPT = 64;

export class Inbox {
  readonly #messages: TunnelMessage[] = [];

  /** Keeps a message for whoever takes it. @throws BF-TUNNEL-MESSAGE */
  keep(message: TunnelMessage): void {
    if (this.#messages.length >= MOST_KEPT) throw fail('BF-TUNNEL-MESSAGE', 'too many messages nobody asked for');
    this.#messages.push(message);
  }

  /** Takes the oldest message of one of these names. */
  take<Name extends MessageName>(names: readonly Name[]): Extract<TunnelMessage, { name: Name }> | undefined {
    const index = this.#messages.findIndex(({ name }) => (names as readonly MessageName[]).includes(name));
    const [message] = index < 0 ? [] : this.#messages.splice(index, 1);
    return message as Extract<TunnelMessage, { name: Name }> | undefined;
  }

  /** Takes all messages of this name; returns the latest. */
  takeLatest<Name extends MessageName>(name: Name): Extract<TunnelMessage, { name: Name }> | undefined {
    const next = this.take([name]);
    return next === undefined ? undefined : (this.takeLatest(name) ?? next);
  }

  /** A new tunnel: what came through the old one is void. */
  clear(): void {
    this.#messages.length = 0;
  }
}
