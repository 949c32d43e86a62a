// The rooms of one relay by their key, opened by the first link that enters and gone with the last.
// Pure; time is the Clock.
import type { Clock, Link } from '../../shared/ports.ts';
import type { CloseName } from '../../shared/link/close.ts';
import type { SideName } from '../../shared/link/ticket.ts';
import { Room, type AdmittedLink } from './room.ts';

export class RoomMap {
  /** Bytes forwarded and bytes dropped for an absent side, since the start. */
  readonly traffic = { forwarded: 0, dropped: 0 };
  readonly #clock: Clock;
  readonly #rooms = new Map<string, Room>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Rooms with somebody in them. */
  get size(): number {
    return this.#rooms.size;
  }

  /** Whether the room exists already, so that a limit on rooms concerns new ones only. */
  has(roomKey: string): boolean {
    return this.#rooms.has(roomKey);
  }

  /** Whether there is a link on that side, which an arrival would supersede. */
  occupied(roomKey: string, side: SideName): boolean {
    return this.#rooms.get(roomKey)?.occupied(side) ?? false;
  }

  /** Makes the link a participant of its room: the newest proof wins. */
  enter(roomKey: string, admitted: AdmittedLink): void {
    const room = this.#rooms.get(roomKey) ?? this.#open(roomKey);
    room.enter(admitted);
  }

  /** Closes this very link, if it is still in the room. */
  evict(roomKey: string, side: SideName, link: Link, reason: CloseName): void {
    const room = this.#rooms.get(roomKey);
    if (room?.holds(side, link)) room.evict(side, reason);
  }

  /** Closes everything. */
  end(reason: CloseName): void {
    for (const room of [...this.#rooms.values()]) room.end(reason);
  }

  #open(roomKey: string): Room {
    const room = new Room(this.#clock, {
      forwarded: (bytes) => void (this.traffic.forwarded += bytes),
      dropped: (bytes) => void (this.traffic.dropped += bytes),
      empty: () => void this.#rooms.delete(roomKey),
    });
    this.#rooms.set(roomKey, room);
    return room;
  }
}
