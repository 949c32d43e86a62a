// A relay without its sockets: greets links, admits them, seats them, counts why they leave. Pure; runs over any Link.
// Spec: docs/protocol.md §1-§2.
import nacl from 'tweetnacl';
import { toHex } from '../../shared/codec/bytes.ts';
import type { Clock, Link, Log, Random } from '../../shared/ports.ts';
import { closeWith, type CloseName } from '../../shared/link/close.ts';
import { encodeLinkMessage } from '../../shared/link/link-message.ts';
import { ADMISSION, RELAY } from '../../shared/link/limits.ts';
import type { Ticket, VerifySignature } from '../../shared/link/ticket.ts';
import { authenticate } from './admission.ts';
import type { Backplane } from '../backplane/backplane.ts';
import { LocalBackplane } from '../backplane/local.ts';
import { Rooms, roomKeyOf } from './rooms.ts';
import type { FindTenant, Tenant } from './tenants.ts';

export interface RelayOptions {
  /** The host clients dial (`relayNameOf`); tickets and the CHALLENGE carry it. */
  readonly name: string;
  readonly findTenant: FindTenant;
  readonly verify: VerifySignature;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Rooms at one time. */
  readonly maxRooms?: number;
  readonly backplane?: Backplane;
}

/** Numbers for an operator; no ids, names or addresses. */
export interface RelayStats {
  readonly greeting: number;
  readonly links: number;
  readonly rooms: number;
  readonly admitted: number;
  readonly forwardedBytes: number;
  readonly droppedBytes: number;
  /** Links the relay closed, by reason; `left` for those that went by themselves. */
  readonly closed: Readonly<Partial<Record<CloseName | 'left', number>>>;
}

export class Relay {
  readonly #options: RelayOptions;
  readonly #backplane: Backplane;
  readonly #rooms: Rooms;
  /** Links not yet admitted, with the way to stop their clock. */
  readonly #greeting = new Map<Link, () => void>();
  readonly #closed: Partial<Record<CloseName | 'left', number>> = {};
  #findTenant: FindTenant;
  #admitted = 0;
  #stopped = false;

  constructor(options: RelayOptions) {
    const { clock, maxRooms } = options;
    this.#options = options;
    this.#findTenant = options.findTenant;
    this.#backplane = options.backplane ?? new LocalBackplane(clock);
    this.#rooms = new Rooms({ clock, backplane: this.#backplane, maxRooms: maxRooms ?? RELAY.rooms });
  }

  /** Greets a fresh link with a CHALLENGE; it has 10 s to answer with a PRESENT. */
  accept(link: Link): void {
    if (this.#stopped) {
      closeWith(link, 'shutdown');
      return;
    }
    const { clock, random, name } = this.#options;
    const nonce = random.bytes(ADMISSION.nonceBytes);
    const cancel = clock.after(RELAY.handshakeMs, () => this.#turnAway(link, 'slowHandshake', 'no answer'));
    this.#greeting.set(link, cancel);
    link.onClose = () => {
      if (this.#endGreeting(link)) this.#note('left');
    };
    link.onMessage = (message) => this.#answer(link, message, nonce);
    link.send(encodeLinkMessage({ name: 'challenge', nonce, relay: name }));
  }

  /** Takes a new list of tenants; links of those no longer on it are closed. */
  setTenants(findTenant: FindTenant): void {
    this.#findTenant = findTenant;
    this.#rooms.recheck(findTenant);
  }

  /** Closes every link in a way that tells the sides to come back, and greets nobody any more. */
  stop(): void {
    this.#stopped = true;
    for (const link of [...this.#greeting.keys()]) this.#turnAway(link, 'shutdown', 'stopping');
    this.#backplane.end('shutdown');
  }

  get stats(): RelayStats {
    return {
      greeting: this.#greeting.size,
      links: this.#rooms.links,
      rooms: this.#backplane.rooms,
      admitted: this.#admitted,
      forwardedBytes: this.#backplane.traffic.forwarded,
      droppedBytes: this.#backplane.traffic.dropped,
      closed: { ...this.#closed },
    };
  }

  #answer(link: Link, message: Uint8Array, nonce: Uint8Array): void {
    if (!this.#greeting.has(link)) return;
    const { name, verify, clock } = this.#options;
    const rules = { relayName: name, findTenant: this.#findTenant, verify, wall: () => clock.wall() };
    const verdict = authenticate(message, nonce, rules);
    if (verdict.admitted) this.#seat(link, verdict.ticket, verdict.tenant);
    else this.#turnAway(link, verdict.close, verdict.why);
  }

  #seat(link: Link, ticket: Ticket, tenant: Tenant): void {
    const log = this.#options.log.child({ tenant: tenant.name, room: shortHash(roomKeyOf(ticket)), side: ticket.side });
    const refusal = this.#rooms.enter(ticket, tenant, link, (reason) => {
      this.#note(reason ?? 'left');
      log.info({ reason: reason ?? 'left' }, 'side left');
    });
    if (refusal !== undefined) {
      this.#turnAway(link, refusal, 'limit reached');
      return;
    }
    this.#endGreeting(link);
    this.#admitted++;
    log.info({ id: shortHash(toHex(ticket.id)) }, 'side admitted');
  }

  #turnAway(link: Link, reason: CloseName, why: string): void {
    if (!this.#endGreeting(link)) return;
    this.#note(reason);
    this.#options.log.info({ reason, why }, 'link turned away');
    link.onMessage = () => {};
    closeWith(link, reason);
  }

  /** False if the link was not being greeted (any more). */
  #endGreeting(link: Link): boolean {
    this.#greeting.get(link)?.();
    return this.#greeting.delete(link);
  }

  #note(reason: CloseName | 'left'): void {
    this.#closed[reason] = (this.#closed[reason] ?? 0) + 1;
  }
}

/** Enough of a hash to follow one room through a log, too little to name it. */
function shortHash(hex: string): string {
  return toHex(nacl.hash(new TextEncoder().encode(hex)).subarray(0, 4));
}
