// Tickets: who may take which side of which room at which relay, until when. Spec: docs/protocol.md §2.
import nacl from 'tweetnacl';
import { Reader, Writer, ascii, assertBytes, concat } from '../codec/bytes.ts';
import { sha512, withDomain } from '../crypto/hash.ts';
import type { Verify } from '../crypto/keys.ts';
import { fail } from '../errors/errors.ts';
import { isRelayName, readName, writeName } from './link-message.ts';
import { ADMISSION } from './limits.ts';
import { foreignVersion } from './version.ts';

const SIDES = { agent: 1, controller: 2 } as const satisfies Record<string, number>;
export type SideName = keyof typeof SIDES;

/** What the tenant signs. */
export interface TicketFields {
  /** 16 bytes; a room is this and the tenant's key. */
  readonly room: Uint8Array;
  readonly side: SideName;
  /** 16 bytes, for the logs of whoever issued it. */
  readonly id: Uint8Array;
  /** Seconds since 1970. */
  readonly expires: number;
  /** KiB the relay forwards on one link, both ways together. */
  readonly capKiB: number;
  /** Ed25519 public key of whoever may present it, 32 bytes. */
  readonly holderKey: Uint8Array;
  /** The relay's name: the host the sides dial (`relayNameOf`). */
  readonly relay: string;
}

export interface Ticket extends TicketFields {
  /** The tenant's Ed25519 public key, 32 bytes. */
  readonly tenantKey: Uint8Array;
  readonly signature: Uint8Array;
  /** The ticket as it travels. */
  readonly bytes: Uint8Array;
}

const MAGIC = ascii('BFT2');
const TICKET_DOMAIN = 'blindflash/2 ticket';
const PRESENT_DOMAIN = 'blindflash/2 present';

/**
 * Signs a ticket, offline.
 * @param tenantSecretKey Ed25519 secret key as tweetnacl has it: seed 32 ‖ public key 32.
 */
export function issueTicket(tenantSecretKey: Uint8Array, fields: TicketFields): Uint8Array {
  assertBytes(tenantSecretKey, 'tenant secret key', nacl.sign.secretKeyLength);
  const unsigned = encodeUnsigned(tenantSecretKey.subarray(32), fields);
  return concat(unsigned, nacl.sign.detached(withDomain(TICKET_DOMAIN, unsigned), tenantSecretKey));
}

/** Everything of a ticket before the signature, in its one order. */
function encodeUnsigned(tenantKey: Uint8Array, fields: TicketFields): Uint8Array {
  const writer = new Writer()
    .bytes(MAGIC)
    .bytes(tenantKey, 'tenant key', ADMISSION.keyBytes)
    .bytes(fields.room, 'room', ADMISSION.roomBytes)
    .u8(SIDES[fields.side], 'side')
    .bytes(fields.id, 'ticket id', ADMISSION.idBytes)
    .u64(fields.expires, 'expiry')
    .u32(fields.capKiB, 'cap')
    .bytes(fields.holderKey, 'holder key', ADMISSION.keyBytes);
  return writeName(writer, fields.relay).finish();
}

/** Reads a ticket without judging its signature. @throws BF-RELAY-TICKET-INVALID, BF-VERSION-MISMATCH */
export function decodeTicket(bytes: Uint8Array): Ticket {
  const reader = new Reader(bytes, 'BF-RELAY-TICKET-INVALID', 'ticket');
  const version = versionOf(bytes);
  if (version !== undefined && version !== ADMISSION.version) {
    throw foreignVersion('the ticket', version, 'at the vendor’s, who then makes a new invite');
  }
  reader.expect(MAGIC, 'the first word');
  const ticket = {
    tenantKey: reader.bytes(ADMISSION.keyBytes),
    room: reader.bytes(ADMISSION.roomBytes),
    side: sideName(reader.u8()),
    id: reader.bytes(ADMISSION.idBytes),
    expires: reader.u64(),
    capKiB: reader.u32(),
    holderKey: reader.bytes(ADMISSION.keyBytes),
    relay: readName(reader),
    signature: reader.bytes(ADMISSION.signatureBytes),
    bytes: new Uint8Array(bytes),
  };
  reader.end();
  return ticket;
}

/** The version in a ticket's first word; undefined where it is no ticket. */
function versionOf(ticket: Uint8Array): number | undefined {
  const digit = /^BFT([1-9])$/.exec(String.fromCharCode(...ticket.subarray(0, MAGIC.length)))?.[1];
  return digit === undefined ? undefined : Number(digit);
}

function sideName(value: number): SideName {
  const name = (Object.keys(SIDES) as SideName[]).find((side) => SIDES[side] === value);
  if (name === undefined) throw fail('BF-RELAY-TICKET-INVALID', `side ${value}`);
  return name;
}

/** What the tenant's signature of this ticket covers. */
function ticketBytesToSign(ticket: Uint8Array): Uint8Array {
  return withDomain(TICKET_DOMAIN, ticket.subarray(0, ticket.length - ADMISSION.signatureBytes));
}

/** True if the tenant named in the ticket signed it. Whether the tenant is known is another question. */
export function verifyTicket(ticket: Ticket, verify: Verify): boolean {
  return verify(ticket.tenantKey, ticketBytesToSign(ticket.bytes), ticket.signature);
}

/** What a holder signs to present a ticket: the relay's fresh 32-byte nonce and the ticket's SHA-512. */
function presentBytesToSign(nonce: Uint8Array, ticket: Uint8Array): Uint8Array {
  assertBytes(nonce, 'nonce', ADMISSION.nonceBytes);
  return withDomain(PRESENT_DOMAIN, nonce, sha512(ticket));
}

/** The holder's signature, 64 bytes. @param holderSecretKey seed 32 ‖ public key 32. */
export function signPresent(holderSecretKey: Uint8Array, nonce: Uint8Array, ticket: Uint8Array): Uint8Array {
  return nacl.sign.detached(presentBytesToSign(nonce, ticket), holderSecretKey);
}

/** True if the holder named in the ticket signed this nonce. */
export function verifyPresent(ticket: Ticket, nonce: Uint8Array, signature: Uint8Array, verify: Verify): boolean {
  return verify(ticket.holderKey, presentBytesToSign(nonce, ticket.bytes), signature);
}

/**
 * The name of the relay behind a URL: its host, lower-case, without port, path or brackets, as TLS certificates see it.
 * @throws BF-RELAY-ADDRESS when it is not a ws: or wss: URL, carries a user, a password, a query or a fragment, or its
 *   host is no relay name.
 */
export function relayNameOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^wss?:$/.test(parsed.protocol) || parsed.hostname === '') {
    throw fail('BF-RELAY-ADDRESS', 'expected wss://HOST or ws://HOST:PORT');
  }
  if (parsed.username + parsed.password + parsed.search + parsed.hash !== '') {
    throw fail('BF-RELAY-ADDRESS', 'nothing may stand beside host, port and path');
  }
  const name = parsed.hostname.toLowerCase().replace(/^\[|\]$/g, '');
  if (!isRelayName(name)) throw fail('BF-RELAY-ADDRESS', 'the host has a character no relay’s name has');
  return name;
}
