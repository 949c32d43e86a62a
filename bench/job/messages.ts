// The messages between controller and agent as the bench sees them: when each left and arrived at either side, and from
// their sizes alone, what they were. Round trips are counted here (docs/performance.md, "Round trips").
import type { Link } from '../../shared/ports.ts';
import type { EventQueue } from '../../sim/event-queue.ts';

export type Side = 'agent' | 'controller';
export type MessageKind =
  | 'handshake'
  | 'ack'
  | 'credit'
  | 'progress'
  | 'sealed1'
  | 'sealed2'
  | 'sealed3'
  | 'reply'
  | 'image'
  | 'command'
  | 'consent'
  | 'other';

const LINK_DATA = 0x10;
const TUNNEL_BOX = 0x10;
/** Link type 1, tunnel tag 1, sequence 4, box tag 16, ack 4, message type 1. */
const OVERHEAD = 27;

/** Bytes of a message's body → what it is; docs/protocol.md §6. */
const KINDS: Readonly<Record<number, MessageKind>> = {
  0: 'ack',
  4: 'credit',
  8: 'progress',
  32: 'sealed3',
  65: 'consent',
  128: 'sealed2',
  200: 'sealed1',
  [4 + 4064]: 'image',
};
const NUMBERED_BOX = 4 + 192;

export interface Passage {
  readonly from: Side;
  readonly kind: MessageKind;
  readonly bytes: number;
  /** Virtual time, ms. */
  readonly sent: number;
  arrived: number;
  /** Longest chain of messages that ends with this one. */
  readonly depth: number;
}

const OTHER: Readonly<Record<Side, Side>> = { agent: 'controller', controller: 'agent' };

/** Both sides' messages of one job; DATA between them arrives in the order it was sent, because the link says so. */
export class MessageTrace {
  readonly passages: Passage[] = [];
  readonly #queue: EventQueue;
  readonly #underway: Record<Side, Passage[]> = { agent: [], controller: [] };
  /** Deepest message each side has received, and the controller's by the instant of arrival. */
  readonly #heard: Record<Side, number> = { agent: 0, controller: 0 };
  #instant = { at: -1, depth: 0 };
  /** The deepest message the agent had received when each sealed command that is not answered yet had come. */
  readonly #heardWithCommand: number[] = [];

  constructor(queue: EventQueue) {
    this.#queue = queue;
  }

  /** The same link, watched. */
  watch(side: Side, link: Link): Link {
    const watched: Link = {
      onMessage: () => {},
      onClose: () => {},
      get buffered() {
        return link.buffered;
      },
      send: (message) => {
        this.#sent(side, message);
        link.send(message);
      },
      pause: () => link.pause(),
      resume: () => link.resume(),
      close: (code, reason) => link.close(code, reason),
    };
    link.onMessage = (message) => {
      this.#arrived(side, message);
      watched.onMessage(message);
    };
    link.onClose = (code, reason) => watched.onClose(code, reason);
    return watched;
  }

  /** Longest causal chain of messages that lead to something, in round trips. */
  get roundTrips(): number {
    return Math.max(0, ...this.passages.filter(({ kind }) => kind !== 'ack').map(({ depth }) => depth)) / 2;
  }

  /** The first passage of a kind from a side at or after `from`. */
  first(side: Side, kinds: readonly MessageKind[], from = 0): Passage | undefined {
    return this.passages.find((one) => one.from === side && one.sent >= from && kinds.includes(one.kind));
  }

  #sent(side: Side, message: Uint8Array): void {
    if (message[0] !== LINK_DATA) return;
    const now = this.#queue.now();
    const kind = kindOf(message, side);
    const cause = kind === 'reply' ? this.#answered() : this.#cause(side, now);
    const passage = {
      from: side,
      kind,
      bytes: message.length,
      sent: now,
      arrived: Number.NaN,
      depth: 1 + cause,
    };
    this.passages.push(passage);
    this.#underway[side].push(passage);
  }

  /**
   * Each sealed command but IMAGE has one reply, and the stub answers in order: what reached the agent behind the
   * command that is answered did not make it answer.
   */
  #answered(): number {
    return this.#heardWithCommand.shift() ?? this.#heard.agent;
  }

  /**
   * The controller takes no virtual time: what it sends, it sends at the instant of the message that made it, or by a
   * timer. The agent works in between: whatever it has heard may have made it send.
   */
  #cause(side: Side, now: number): number {
    if (side === 'agent') return this.#heard.agent;
    return this.#instant.at === now ? this.#instant.depth : this.#heard.controller;
  }

  #arrived(side: Side, message: Uint8Array): void {
    if (message[0] !== LINK_DATA) return;
    const passage = this.#underway[OTHER[side]].shift();
    if (passage === undefined) return;
    const now = this.#queue.now();
    passage.arrived = now;
    // The controller's ACK makes the agent do nothing.
    if (side === 'agent' && passage.kind === 'ack') return;
    this.#heard[side] = Math.max(this.#heard[side], passage.depth);
    if (side === 'agent' && passage.kind === 'command') this.#heardWithCommand.push(this.#heard.agent);
    if (side !== 'controller') return;
    const depth = this.#instant.at === now ? Math.max(this.#instant.depth, passage.depth) : passage.depth;
    this.#instant = { at: now, depth };
  }
}

function kindOf(message: Uint8Array, side: Side): MessageKind {
  if (message[1] !== TUNNEL_BOX) return 'handshake';
  const body = message.length - OVERHEAD;
  if (body === NUMBERED_BOX) return side === 'agent' ? 'reply' : 'command';
  return KINDS[body] ?? 'other';
}
