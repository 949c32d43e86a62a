// A room: two sides, at most one live link each, bytes passed on unread. Pure; time is the Clock. Spec: docs/protocol.md §1-§2.
import { asBlindflashError, type BlindflashError } from '../../shared/errors/errors.ts';
import type { Clock, Link } from '../../shared/ports.ts';
import { closeWith, type CloseName } from '../../shared/link/close.ts';
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
  /** Called once, when the link has left its seat; `reason` when the relay closed it. */
  readonly onLeft: (reason: CloseName | undefined) => void;
}

interface Participant extends AdmittedLink {
  /** Bytes forwarded from and to this link. */
  carried: number;
  /** Cancels the look-out for the other side's queue; set while this side is not being read. */
  cancelWatch: (() => void) | undefined;
}

const OTHER = { agent: 'controller', controller: 'agent' } as const satisfies Record<SideName, SideName>;

/** Having stopped at `waitingBytes`, reading goes on below half of it, so that pausing is not done per message. */
const GO_ON_BYTES = LINK.waitingBytes / 2;

export class Room {
  readonly #clock: Clock;
  readonly #events: RoomEvents;
  readonly #seats = new Map<SideName, Participant>();

  constructor(clock: Clock, events: RoomEvents) {
    this.#clock = clock;
    this.#events = events;
  }

  /** Links in the room: 0, 1 or 2. */
  get links(): number {
    return this.#seats.size;
  }

  occupied(side: SideName): boolean {
    return this.#seats.has(side);
  }

  /** True if this link sits here now. */
  holds(side: SideName, link: Link): boolean {
    return this.#seats.get(side)?.link === link;
  }

  /**
   * Seats a link that has proved its right; an older one on the same side is closed as `superseded`. The room owns the
   * link's handlers from here on.
   */
  enter(guest: AdmittedLink): void {
    this.#evict(guest.side, 'superseded', false);
    const seat: Participant = { ...guest, carried: 0, cancelWatch: undefined };
    this.#seats.set(seat.side, seat);
    seat.link.onClose = () => this.#vacate(seat, undefined);
    seat.link.onMessage = (message) => this.#receive(seat, message);
    const peer = this.#peerOf(seat);
    this.#say(seat, encodeLinkMessage({ name: 'welcome', peerPresent: peer !== undefined }));
    if (peer !== undefined) this.#say(peer, encodeLinkMessage({ name: 'peer', peerPresent: true }));
  }

  /** Closes one side's link, if there is one. */
  evict(side: SideName, reason: CloseName): void {
    this.#evict(side, reason, true);
  }

  /** Closes both links: the room's one ending. */
  end(reason: CloseName): void {
    for (const side of [...this.#seats.keys()]) this.#evict(side, reason, true);
  }

  #receive(seat: Participant, message: Uint8Array): void {
    if (!this.holds(seat.side, seat.link)) return;
    const error = refusalOf(message);
    if (error !== undefined) {
      this.#evict(seat.side, error.code === 'BF-LINK-TOO-LARGE' ? 'tooLarge' : 'garbage', true);
      return;
    }
    const peer = this.#peerOf(seat);
    if (peer === undefined) this.#events.dropped(message.length);
    else this.#forward(seat, peer, message);
  }

  /** Passes one message on, unless a cap says no, and stops reading when too much waits. */
  #forward(seat: Participant, peer: Participant, message: Uint8Array): void {
    for (const end of [seat, peer]) {
      if (end.carried + message.length > end.capBytes) {
        this.#evict(end.side, 'cap', true);
        return;
      }
    }
    seat.carried += message.length;
    peer.carried += message.length;
    this.#events.forwarded(message.length);
    this.#say(peer, message);
    if (peer.link.buffered > LINK.waitingBytes && seat.cancelWatch === undefined) this.#hold(seat, peer);
  }

  /** Stops reading `seat` until `slow` has caught up; one that does not move at all is closed as `lagging`. */
  #hold(seat: Participant, slow: Participant): void {
    seat.link.pause();
    let least = slow.link.buffered;
    let leastAt = this.#clock.now();
    const look = (): void => {
      const waiting = slow.link.buffered;
      if (waiting < least) [least, leastAt] = [waiting, this.#clock.now()];
      if (waiting <= GO_ON_BYTES) this.#release(seat);
      else if (this.#clock.now() - leastAt >= RELAY.laggingMs) this.#evict(slow.side, 'lagging', true);
      else seat.cancelWatch = this.#clock.after(RELAY.drainPollMs, look);
    };
    seat.cancelWatch = this.#clock.after(RELAY.drainPollMs, look);
  }

  #release(seat: Participant): void {
    if (seat.cancelWatch === undefined) return;
    seat.cancelWatch();
    seat.cancelWatch = undefined;
    seat.link.resume();
  }

  #evict(side: SideName, reason: CloseName, tellPeer: boolean): void {
    const seat = this.#seats.get(side);
    if (seat === undefined) return;
    seat.link.onClose = () => {};
    seat.link.onMessage = () => {};
    this.#vacate(seat, reason, tellPeer);
    closeWith(seat.link, reason);
  }

  #vacate(seat: Participant, reason: CloseName | undefined, tellPeer = true): void {
    if (!this.holds(seat.side, seat.link)) return;
    this.#seats.delete(seat.side);
    seat.cancelWatch?.();
    const peer = this.#peerOf(seat);
    if (peer !== undefined) {
      this.#release(peer);
      if (tellPeer) this.#say(peer, encodeLinkMessage({ name: 'peer', peerPresent: false }));
    }
    seat.onLeft(reason);
    if (tellPeer && this.#seats.size === 0) this.#events.empty();
  }

  #peerOf(seat: Participant): Participant | undefined {
    return this.#seats.get(OTHER[seat.side]);
  }

  /** A link that is just going down cannot be told anything; its own close will be noticed. */
  #say(seat: Participant, message: Uint8Array): void {
    try {
      seat.link.send(message);
    } catch {
      // BF-LINK-CLOSED: onClose follows.
    }
  }
}

/** Why a message may not be forwarded; undefined for DATA. */
function refusalOf(message: Uint8Array): BlindflashError | { readonly code: 'BF-LINK-FRAME' } | undefined {
  try {
    return linkMessageName(message) === 'data' ? undefined : { code: 'BF-LINK-FRAME' };
  } catch (error) {
    return asBlindflashError(error);
  }
}
