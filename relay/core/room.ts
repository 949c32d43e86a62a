// A room: two sides, at most one live link each, bytes passed on unread. Pure; time is the Clock. Spec:
// docs/protocol.md §1-§2.
import { asBlindflashError } from '../../shared/errors/errors.ts';
import type { Clock, Link } from '../../shared/ports.ts';
import { closeFor, closeWith, type CloseName } from '../../shared/link/close.ts';
import { encodeLinkMessage, linkMessageName } from '../../shared/link/link-message.ts';
import { LINK, RELAY } from '../../shared/link/limits.ts';
import type { SideName } from '../../shared/link/ticket.ts';

/** What a room tells its owner. */
export interface RoomEvents {
  /** Bytes of one forwarded message. */
  forwarded(bytes: number): void;
  /** Bytes of one message that came while the other side was away. */
  dropped(bytes: number): void;
  /** Nobody is here any more. */
  empty(): void;
}

/** A link that has proved its right to a side. */
export interface AdmittedLink {
  readonly side: SideName;
  readonly link: Link;
  /** Bytes this link may have forwarded, both ways together. */
  readonly capBytes: number;
  /** Called once, when the link has left the room; `reason` when the relay closed it. */
  readonly onLeft: (reason: CloseName | undefined) => void;
  /** Called when this side has revoked the room, before the agent's link is closed. */
  readonly onRevoke: () => void;
}

interface Participant extends AdmittedLink {
  /** Bytes forwarded from and to this link. */
  carried: number;
  /** Cancels watching the other side's queue; set while this side is not being read. */
  cancelWatch: (() => void) | undefined;
}

const OTHER = { agent: 'controller', controller: 'agent' } as const satisfies Record<SideName, SideName>;

/** Having stopped at `waitingBytes`, reading goes on below half of it, so that pausing is not done per message. */
const GO_ON_BYTES = LINK.waitingBytes / 2;

export class Room {
  readonly #clock: Clock;
  readonly #events: RoomEvents;
  readonly #participants = new Map<SideName, Participant>();

  constructor(clock: Clock, events: RoomEvents) {
    this.#clock = clock;
    this.#events = events;
  }

  occupied(side: SideName): boolean {
    return this.#participants.has(side);
  }

  /** True if this link is the participant of that side now. */
  holds(side: SideName, link: Link): boolean {
    return this.#participants.get(side)?.link === link;
  }

  /**
   * Makes a link that has proved its right a participant; an older one on the same side is closed as `superseded`. The
   * room owns the link's handlers from here on.
   */
  enter(admitted: AdmittedLink): void {
    this.#evict(admitted.side, 'superseded', false);
    const participant: Participant = { ...admitted, carried: 0, cancelWatch: undefined };
    this.#participants.set(participant.side, participant);
    participant.link.onClose = () => this.#remove(participant, undefined);
    participant.link.onMessage = (message) => this.#receive(participant, message);
    const peer = this.#peerOf(participant);
    this.#say(participant, encodeLinkMessage({ name: 'welcome', peerPresent: peer !== undefined }));
    if (peer !== undefined) this.#say(peer, encodeLinkMessage({ name: 'peer', peerPresent: true }));
  }

  /** Closes one side's link, if there is one. */
  evict(side: SideName, reason: CloseName): void {
    this.#evict(side, reason, true);
  }

  /** Closes both links: the room's one ending. */
  end(reason: CloseName): void {
    for (const side of [...this.#participants.keys()]) this.#evict(side, reason, true);
  }

  #receive(participant: Participant, message: Uint8Array): void {
    if (!this.holds(participant.side, participant.link)) return;
    const kind = kindOf(message, participant.side);
    if (kind === 'data') this.#pass(participant, message);
    else if (kind === 'revoke') this.#revoke(participant);
    else this.#evict(participant.side, kind, true);
  }

  #revoke(participant: Participant): void {
    participant.onRevoke();
    this.#evict('agent', 'revoked', true);
  }

  #pass(participant: Participant, message: Uint8Array): void {
    const peer = this.#peerOf(participant);
    if (peer === undefined) this.#events.dropped(message.length);
    else this.#forward(participant, peer, message);
  }

  /** Passes one message on, unless a cap says no, and stops reading when too much waits. */
  #forward(participant: Participant, peer: Participant, message: Uint8Array): void {
    for (const end of [participant, peer]) {
      if (end.carried + message.length > end.capBytes) {
        this.#evict(end.side, 'cap', true);
        return;
      }
    }
    participant.carried += message.length;
    peer.carried += message.length;
    this.#events.forwarded(message.length);
    this.#say(peer, message);
    if (peer.link.buffered > LINK.waitingBytes && participant.cancelWatch === undefined) this.#hold(participant, peer);
  }

  /** Stops reading `participant` until `slow` has caught up; one that does not move at all is closed as `lagging`. */
  #hold(participant: Participant, slow: Participant): void {
    participant.link.pause();
    let least = slow.link.buffered;
    let leastAt = this.#clock.now();
    const look = (): void => {
      const waiting = slow.link.buffered;
      if (waiting < least) [least, leastAt] = [waiting, this.#clock.now()];
      if (waiting <= GO_ON_BYTES) this.#release(participant);
      else if (this.#clock.now() - leastAt >= RELAY.laggingMs) this.#evict(slow.side, 'lagging', true);
      else participant.cancelWatch = this.#clock.after(RELAY.drainPollMs, look);
    };
    participant.cancelWatch = this.#clock.after(RELAY.drainPollMs, look);
  }

  #release(participant: Participant): void {
    if (participant.cancelWatch === undefined) return;
    participant.cancelWatch();
    participant.cancelWatch = undefined;
    participant.link.resume();
  }

  #evict(side: SideName, reason: CloseName, tellPeer: boolean): void {
    const participant = this.#participants.get(side);
    if (participant === undefined) return;
    participant.link.onClose = () => {};
    participant.link.onMessage = () => {};
    this.#remove(participant, reason, tellPeer);
    closeWith(participant.link, reason);
  }

  #remove(participant: Participant, reason: CloseName | undefined, tellPeer = true): void {
    if (!this.holds(participant.side, participant.link)) return;
    this.#participants.delete(participant.side);
    participant.cancelWatch?.();
    const peer = this.#peerOf(participant);
    if (peer !== undefined) {
      this.#release(peer);
      if (tellPeer) this.#say(peer, encodeLinkMessage({ name: 'peer', peerPresent: false }));
    }
    participant.onLeft(reason);
    if (tellPeer && this.#participants.size === 0) this.#events.empty();
  }

  #peerOf(participant: Participant): Participant | undefined {
    return this.#participants.get(OTHER[participant.side]);
  }

  /** A link that is just going down cannot be told anything; its own close will be noticed. */
  #say(participant: Participant, message: Uint8Array): void {
    try {
      participant.link.send(message);
    } catch {
      // BF-LINK-CLOSED: onClose follows.
    }
  }
}

/** What a message of `side` is, or why its link is closed for it. */
function kindOf(message: Uint8Array, side: SideName): 'data' | 'revoke' | CloseName {
  try {
    const name = linkMessageName(message);
    return name === 'data' || (name === 'revoke' && side === 'controller') ? name : 'garbage';
  } catch (error) {
    return closeFor(asBlindflashError(error).code) ?? 'garbage';
  }
}
