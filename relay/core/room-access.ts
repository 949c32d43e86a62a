// Who may enter a room, and for how long: how many rooms there may be, how many links a tenant has, how long a ticket
// holds, and which rooms are revoked. The rooms themselves are in room-map.ts. Pure; time is the Clock.
import { concat, toHex } from '../../shared/codec/bytes.ts';
import type { Clock, Link } from '../../shared/ports.ts';
import type { CloseName } from '../../shared/link/close.ts';
import { ADMISSION } from '../../shared/link/limits.ts';
import type { Ticket } from '../../shared/link/ticket.ts';
import type { Refusal } from './admission.ts';
import { RevokedRooms } from './revoked-rooms.ts';
import type { RoomMap } from './room-map.ts';
import type { FindTenant, Tenant } from './tenants.ts';

export interface RoomAccessOptions {
  readonly clock: Clock;
  readonly map: RoomMap;
  /** RoomAccess at one time. */
  readonly maxRooms: number;
}

/** A link's time in its room, for the limits of its tenant and ticket. */
interface Membership {
  readonly ticket: Ticket;
  readonly tenant: Tenant;
  readonly link: Link;
}

export class RoomAccess {
  readonly #options: RoomAccessOptions;
  readonly #memberships = new Set<Membership>();
  readonly #linksOf = new Map<string, number>();
  readonly #revoked = new RevokedRooms(ADMISSION.revokedRooms);

  constructor(options: RoomAccessOptions) {
    this.#options = options;
  }

  /**
   * Puts an admitted link into its room, until it leaves or its ticket expires.
   * @param onLeft called once when it has left, with the reason if the relay closed it.
   * @returns the reason to turn it away instead: `revoked` for an agent of a room that was revoked, `busy` when a limit
   *   is reached.
   */
  enter(
    ticket: Ticket,
    tenant: Tenant,
    link: Link,
    onLeft: (reason: CloseName | undefined) => void,
  ): Refusal | undefined {
    const { map } = this.#options;
    const roomKey = roomKeyOf(ticket);
    if (ticket.side === 'agent' && this.#revoked.holds(roomKey, this.#seconds())) {
      return { close: 'revoked', why: 'the room was revoked' };
    }
    if (!this.#isWithinLimits(roomKey, ticket, tenant)) return { close: 'busy', why: 'limit reached' };
    const membership = { ticket, tenant, link };
    this.#begin(membership);
    const cancelExpiry = this.#expireLater(membership, roomKey);
    map.enter(roomKey, {
      side: ticket.side,
      link,
      capBytes: 1024 * Math.min(ticket.capKiB, tenant.capKiB),
      onLeft: (reason) => {
        cancelExpiry();
        this.#finish(membership);
        onLeft(reason);
      },
      onRevoke: () => this.#revoked.add(roomKey, ticket.expires),
    });
    return undefined;
  }

  /** Closes the links of tenants that are no longer known. */
  recheck(findTenant: FindTenant): void {
    for (const membership of [...this.#memberships]) {
      if (findTenant(membership.ticket.tenantKey) === undefined) this.#evict(membership, 'unknownTenant');
    }
  }

  /** Links in rooms. */
  get links(): number {
    return this.#memberships.size;
  }

  /** Calendar time, whole seconds since 1970. */
  #seconds(): number {
    return Math.floor(this.#options.clock.wall() / 1000);
  }

  /** A link that supersedes another counts as no additional one. */
  #isWithinLimits(roomKey: string, ticket: Ticket, tenant: Tenant): boolean {
    const { map, maxRooms } = this.#options;
    if (map.occupied(roomKey, ticket.side)) return true;
    if ((this.#linksOf.get(toHex(ticket.tenantKey)) ?? 0) >= tenant.maxLinks) return false;
    return map.has(roomKey) || map.size < maxRooms;
  }

  #begin(membership: Membership): void {
    this.#memberships.add(membership);
    this.#count(membership, 1);
  }

  #finish(membership: Membership): void {
    this.#memberships.delete(membership);
    this.#count(membership, -1);
  }

  #count(membership: Membership, by: number): void {
    const key = toHex(membership.ticket.tenantKey);
    const links = (this.#linksOf.get(key) ?? 0) + by;
    if (links > 0) this.#linksOf.set(key, links);
    else this.#linksOf.delete(key);
  }

  #expireLater(membership: Membership, roomKey: string): () => void {
    const { clock, map } = this.#options;
    const { side, expires } = membership.ticket;
    return clock.after(expires * 1000 - clock.wall(), () => map.evict(roomKey, side, membership.link, 'expired'));
  }

  #evict(membership: Membership, reason: CloseName): void {
    this.#options.map.evict(roomKeyOf(membership.ticket), membership.ticket.side, membership.link, reason);
  }
}

/** A room is a tenant's: the same id under another tenant's key is another room. */
export function roomKeyOf(ticket: Ticket): string {
  return toHex(concat(ticket.tenantKey, ticket.room));
}
