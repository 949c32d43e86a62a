// How full the queues of relay, agent and controller get in this process (docs/reliability.md, "Queues"): watched from outside, at the
// calls that fill them, until removed.
import { Conversation, MOST_EVENTS } from '../../agent/conversation.ts';
import { HOST_LIMITS, MailboxHost } from '../../agent/target/mailbox-host.ts';
import { MOST_UNACKNOWLEDGED } from '../../controller/session.ts';
import { Relay } from '../../relay/relay.ts';
import type { Link } from '../../shared/ports.ts';
import { LINK } from '../../shared/protocol/limits.ts';
import { Tunnel } from '../../shared/tunnel/tunnel.ts';

export type QueueName = 'relayBytes' | 'tunnelBoxes' | 'agentFrames' | 'agentEvents';

/** What each may hold at most. */
export const QUEUE_BOUNDS: Readonly<Record<QueueName, number>> = {
  /** The relay stops reading when this is exceeded: by one message at most, and a word of its own about the other side. */
  relayBytes: LINK.waitingBytes + LINK.messageBytes + 16,
  /** Image frames stop at the limit; answers and goodbyes may come on top. */
  tunnelBoxes: MOST_UNACKNOWLEDGED + 64,
  agentFrames: HOST_LIMITS.frames,
  agentEvents: MOST_EVENTS,
};

export interface QueuePeaks {
  readonly peaks: Readonly<Record<QueueName, number>>;
  remove(): void;
}

/** The queues that held more than they may, in words. */
export function overfull(peaks: Readonly<Record<QueueName, number>>): string[] {
  return (Object.keys(peaks) as QueueName[])
    .filter((name) => peaks[name] > QUEUE_BOUNDS[name])
    .map((name) => `${name} ${peaks[name]} of ${QUEUE_BOUNDS[name]}`);
}

/** Watches every relay, tunnel and agent of this process. */
export function watchQueues(): QueuePeaks {
  const peaks: Record<QueueName, number> = { relayBytes: 0, tunnelBoxes: 0, agentFrames: 0, agentEvents: 0 };
  const see = (name: QueueName, value: number): void => void (peaks[name] = Math.max(peaks[name], value));
  const undo = [
    wrapped(
      Relay.prototype,
      'accept',
      (accept) =>
        function (this: Relay, link: Link): void {
          accept.call(
            this,
            noted(link, (bytes) => see('relayBytes', bytes)),
          );
        },
    ),
    wrapped(
      Tunnel.prototype,
      'send',
      (send) =>
        function (this: Tunnel, message): void {
          send.call(this, message);
          see('tunnelBoxes', this.unacknowledged);
        },
    ),
    wrapped(
      MailboxHost.prototype,
      'queue',
      (queue) =>
        function (this: MailboxHost, frame): void {
          queue.call(this, frame);
          see('agentFrames', frame.sequence - this.accepted);
        },
    ),
    wrapped(
      Conversation.prototype,
      'take',
      (take) =>
        function (this: Conversation) {
          see('agentEvents', this.held);
          return take.call(this);
        },
    ),
  ];
  return { peaks, remove: () => undo.forEach((put) => put()) };
}

/** Puts another method in place of one; the function that undoes it. */
function wrapped<T, Name extends keyof T>(prototype: T, name: Name, wrap: (original: T[Name]) => T[Name]): () => void {
  const original = prototype[name];
  prototype[name] = wrap(original);
  return () => void (prototype[name] = original);
}

/** A link whose unsent bytes are told after every message. */
function noted(link: Link, told: (bytes: number) => void): Link {
  return new Proxy(link, {
    get(target, name) {
      if (name === 'send')
        return (message: Uint8Array): void => {
          target.send(message);
          told(target.buffered);
        };
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' && !String(name).startsWith('on') ? (value.bind(target) as unknown) : value;
    },
  });
}
