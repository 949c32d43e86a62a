// Many rooms: how many there may be, how many links a tenant has, and how long a ticket holds. Pure; time is the Clock.
import { concat, toHex } from '../../shared/codec/bytes.ts';
import type { Clock, Link } from '../../shared/ports.ts';
import type { CloseName } from '../../shared/link/close.ts';
import type { Ticket } from '../../shared/link/ticket.ts';
import type { Backplane } from '../backplane/backplane.ts';
import type { FindTenant, Tenant } from './tenants.ts';

export interface RoomsOptions {
  readonly clock: Clock;
  readonly backplane: Backplane;
  /** Rooms at one time. */
  readonly maxRooms: number;
}

/** A seated link, as long as it lives. */
interface Membership {
  readonly ticket: Ticket;
  readonly tenant: Tenant;
  readonly link: Link;
}

export class Rooms {
  readonly #options: RoomsOptions;
  readonly #stays = new Set<Membership>();
  readonly #linksOf = new Map<string, number>();

  constructor(options: RoomsOptions) {
    this.#options = options;
  }

  /**
   * Seats an admitted link, until it leaves or its ticket expires.
   * @param onLeft called once when it has left, with the reason if the relay closed it.
   * @returns the reason to turn it away instead: `busy` when a limit is reached.
   */
  enter(
    ticket: Ticket,
    tenant: Tenant,
    link: Link,
    onLeft: (reason: CloseName | undefined) => void,
  ): CloseName | undefined {
    const { backplane } = this.#options;
    const roomKey = roomKeyOf(ticket);
    if (!this.#hasRoom(roomKey, ticket, tenant)) return 'busy';
    const stay = { ticket, tenant, link };
    this.#begin(stay);
    const cancelExpiry = this.#expireLater(stay, roomKey);
    backplane.enter({
      roomKey,
      side: ticket.side,
      link,
      capBytes: 1024 * Math.min(ticket.capKiB, tenant.capKiB),
      onLeft: (reason) => {
        cancelExpiry();
        this.#finish(stay);
        onLeft(reason);
      },
    });
    return undefined;
  }

  /** Closes the links of tenants that are no longer known. */
  recheck(findTenant: FindTenant): void {
    for (const stay of [...this.#stays]) {
      if (findTenant(stay.ticket.tenantKey) === undefined) this.#expel(stay, 'unknownTenant');
    }
  }

  /** Links in rooms. */
  get links(): number {
    return this.#stays.size;
  }

  /** An arrival that supersedes somebody takes no additional place. */
  #hasRoom(roomKey: string, ticket: Ticket, tenant: Tenant): boolean {
    const { backplane, maxRooms } = this.#options;
    if (backplane.occupied(roomKey, ticket.side)) return true;
    if ((this.#linksOf.get(toHex(ticket.tenantKey)) ?? 0) >= tenant.maxLinks) return false;
    return backplane.has(roomKey) || backplane.rooms < maxRooms;
  }

  #begin(stay: Membership): void {
    this.#stays.add(stay);
    this.#count(stay, 1);
  }

  #finish(stay: Membership): void {
    this.#stays.delete(stay);
    this.#count(stay, -1);
  }

  #count(stay: Membership, by: number): void {
    const key = toHex(stay.ticket.tenantKey);
    const links = (this.#linksOf.get(key) ?? 0) + by;
    if (links > 0) this.#linksOf.set(key, links);
    else this.#linksOf.delete(key);
  }

  #expireLater(stay: Membership, roomKey: string): () => void {
    const { clock, backplane } = this.#options;
    const { side, expires } = stay.ticket;
    return clock.after(expires * 1000 - clock.wall(), () => backplane.evict(roomKey, side, stay.link, 'expired'));
  }

  #expel(stay: Membership, reason: CloseName): void {
    this.#options.backplane.evict(roomKeyOf(stay.ticket), stay.ticket.side, stay.link, reason);
  }
}

/** A room is a tenant's: the same id under another tenant's key is another room. */
export function roomKeyOf(ticket: Ticket): string {
  return toHex(concat(ticket.tenantKey, ticket.room));
}
