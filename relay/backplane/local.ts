// The backplane of a relay that is one process: a map of rooms.
import type { Clock, Link } from '../../shared/ports.ts';
import type { CloseName } from '../../shared/link/close.ts';
import type { SideName } from '../../shared/link/ticket.ts';
import { Room } from '../core/room.ts';
import type { Arrival, Backplane } from './backplane.ts';

export class LocalBackplane implements Backplane {
  readonly traffic = { forwarded: 0, dropped: 0 };
  readonly #clock: Clock;
  readonly #rooms = new Map<string, Room>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get rooms(): number {
    return this.#rooms.size;
  }

  has(roomKey: string): boolean {
    return this.#rooms.has(roomKey);
  }

  occupied(roomKey: string, side: SideName): boolean {
    return this.#rooms.get(roomKey)?.occupied(side) ?? false;
  }

  enter(arrival: Arrival): void {
    const room = this.#rooms.get(arrival.roomKey) ?? this.#open(arrival.roomKey);
    room.enter(arrival);
  }

  evict(roomKey: string, side: SideName, link: Link, reason: CloseName): void {
    const room = this.#rooms.get(roomKey);
    if (room?.holds(side, link)) room.evict(side, reason);
  }

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
