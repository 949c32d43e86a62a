// A relay without its sockets: greets links, admits them, puts them into rooms, counts why they leave. Pure; runs over
// any Link. Spec: docs/protocol.md §1-§2.
import nacl from 'tweetnacl';
import { toHex } from '../../shared/codec/bytes.ts';
import type { Clock, Link, Log, Random } from '../../shared/ports.ts';
import { closeWith, type CloseName } from '../../shared/link/close.ts';
import { ADMISSION, RELAY } from '../../shared/link/limits.ts';
import type { Verify } from '../../shared/crypto/keys.ts';
import type { Ticket } from '../../shared/link/ticket.ts';
import type { Control } from '../control/control.ts';
import type { RoomPlace, Neighbours } from '../neighbours/neighbours.ts';
import { noNeighbours } from '../neighbours/none.ts';
import { authenticate, type Refusal, type Verdict } from './admission.ts';
import { Arrival, type ArrivalState } from './arrival.ts';
import { RoomMap } from './room-map.ts';
import { RoomAccess, roomKeyOf } from './room-access.ts';

export interface RelayOptions {
  /** The host clients dial (`relayNameOf`); tickets and the CHALLENGE carry it. */
  readonly name: string;
  readonly control: Control;
  readonly verify: Verify;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** RoomAccess at one time. */
  readonly maxRooms?: number;
  /** Nobody unless given. */
  readonly neighbours?: Neighbours;
}

/** Numbers for an operator; no ids, names or addresses. */
export interface RelayStats {
  /** Links on their way into a room. */
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
  readonly #map: RoomMap;
  readonly #access: RoomAccess;
  readonly #neighbours: Neighbours;
  /** Links not yet in a room. */
  readonly #arrivals = new Set<Arrival>();
  readonly #closed: Partial<Record<CloseName | 'left', number>> = {};
  #admitted = 0;
  #stopped = false;

  constructor(options: RelayOptions) {
    const { clock, maxRooms, control } = options;
    this.#options = options;
    this.#map = new RoomMap(clock);
    this.#access = new RoomAccess({ clock, map: this.#map, maxRooms: maxRooms ?? RELAY.rooms });
    this.#neighbours = options.neighbours ?? noNeighbours;
    control.onChange = () => this.#access.recheck(control.decisions.findTenant);
  }

  /** Greets a fresh link with a CHALLENGE; it has 10 s to answer with a PRESENT. */
  accept(link: Link): void {
    if (this.#stopped) {
      closeWith(link, 'shutdown');
      return;
    }
    const { clock, random, name } = this.#options;
    const nonce = random.bytes(ADMISSION.nonceBytes);
    const arrival = new Arrival({
      link,
      clock,
      nonce,
      relayName: name,
      authenticate: (message) => this.#authenticate(message, nonce),
      ask: (ticket) => this.#ask(ticket),
      enter: (ticket) => this.#enter(link, ticket),
      onEnd: (state, refusal) => this.#arrivalOver(arrival, state, refusal),
    });
    this.#arrivals.add(arrival);
    arrival.begin();
  }

  /** Closes every link in a way that tells the sides to come back, and greets nobody any more. */
  stop(): void {
    this.#stopped = true;
    for (const arrival of [...this.#arrivals]) arrival.stop();
    this.#map.end('shutdown');
  }

  get stats(): RelayStats {
    return {
      greeting: this.#arrivals.size,
      links: this.#access.links,
      rooms: this.#map.size,
      admitted: this.#admitted,
      forwardedBytes: this.#map.traffic.forwarded,
      droppedBytes: this.#map.traffic.dropped,
      closed: { ...this.#closed },
    };
  }

  #authenticate(message: Uint8Array, nonce: Uint8Array): Verdict {
    const { name, verify, clock, control } = this.#options;
    const { findTenant } = control.decisions;
    return authenticate(message, nonce, { relayName: name, findTenant, verify, wall: () => clock.wall() });
  }

  /** A room with a link on this relay is here; about all others the neighbours are asked. */
  #ask(ticket: Ticket): RoomPlace | Promise<RoomPlace> {
    const roomKey = roomKeyOf(ticket);
    return this.#map.has(roomKey) ? 'here' : this.#neighbours.ask(roomKey, ticket.side);
  }

  /** The tenant is looked up again: while neighbours were asked the operator may have changed his mind. */
  #enter(link: Link, ticket: Ticket): Refusal | undefined {
    const tenant = this.#options.control.decisions.findTenant(ticket.tenantKey);
    if (tenant === undefined) return { close: 'unknownTenant', why: 'unknown tenant key' };
    const log = this.#options.log.child({ tenant: tenant.name, room: shortHash(roomKeyOf(ticket)), side: ticket.side });
    const refusal = this.#access.enter(ticket, tenant, link, (reason) => {
      this.#note(reason ?? 'left');
      log.info({ reason: reason ?? 'left' }, 'side left');
    });
    if (refusal !== undefined) return refusal;
    log.info({ id: shortHash(toHex(ticket.id)) }, 'side admitted');
    return undefined;
  }

  #arrivalOver(arrival: Arrival, state: ArrivalState, refusal: Refusal | undefined): void {
    this.#arrivals.delete(arrival);
    if (state === 'in the room') this.#admitted++;
    if (state === 'left') this.#note('left');
    if (refusal === undefined) return;
    this.#note(refusal.close);
    this.#options.log.info({ reason: refusal.close, why: refusal.why }, 'link turned away');
  }

  #note(reason: CloseName | 'left'): void {
    this.#closed[reason] = (this.#closed[reason] ?? 0) + 1;
  }
}

/** Enough of a hash to follow one room through a log, too little to name it. */
function shortHash(hex: string): string {
  return toHex(nacl.hash(new TextEncoder().encode(hex)).subarray(0, 4));
}
