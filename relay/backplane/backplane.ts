// Port: where rooms live. One process keeps them itself (local.ts); a fleet of relays would put a neighbour beside it
// whose `enter` carries the link's messages to whichever instance holds the room. docs/architecture.md, "Ports".
import type { Link } from '../../shared/ports.ts';
import type { CloseName } from '../../shared/link/close.ts';
import type { SideName } from '../../shared/link/ticket.ts';
import type { AdmittedLink } from '../core/room.ts';

/** An admitted link on its way to its seat. */
export interface Arrival extends AdmittedLink {
  /** Names the room everywhere: tenant key and room id. */
  readonly roomKey: string;
}

export interface Backplane {
  /** Rooms with somebody in them. */
  readonly rooms: number;
  /** Bytes forwarded and bytes dropped for an absent side, since the start. */
  readonly traffic: { readonly forwarded: number; readonly dropped: number };
  /** Whether the room exists already, so that a limit on rooms concerns new ones only. */
  has(roomKey: string): boolean;
  /** Whether somebody sits on that side, whom an arrival would supersede. */
  occupied(roomKey: string, side: SideName): boolean;
  /** Seats the link: the newest proof wins. */
  enter(arrival: Arrival): void;
  /** Closes this very link, if it still has its seat. */
  evict(roomKey: string, side: SideName, link: Link, reason: CloseName): void;
  /** Closes everything. */
  end(reason: CloseName): void;
}
