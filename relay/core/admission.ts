// Whether a link is admitted: CHALLENGE out, PRESENT in, one verdict. Pure; in doubt it refuses. Spec: docs/protocol.md
// §2.
import type { Verify } from '../../shared/crypto/keys.ts';
import { asBlindflashError, fail } from '../../shared/errors/errors.ts';
import { closeFor, type CloseName } from '../../shared/link/close.ts';
import { decodeLinkMessage, isRelayName } from '../../shared/link/link-message.ts';
import { decodeTicket, verifyPresent, verifyTicket, type Ticket } from '../../shared/link/ticket.ts';
import type { FindTenant, Tenant } from './tenants.ts';

export interface AdmissionRules {
  /** This relay's name; a ticket must carry it. */
  readonly relayName: string;
  readonly findTenant: FindTenant;
  readonly verify: Verify;
  /** Calendar time, milliseconds since 1970. */
  readonly wall: () => number;
}

/** Why a link is turned away: the close reason it is told, and a sentence for the log. */
export interface Refusal {
  readonly close: CloseName;
  readonly why: string;
}

export type Verdict =
  | { readonly admitted: true; readonly ticket: Ticket; readonly tenant: Tenant }
  | ({ readonly admitted: false } & Refusal);

/**
 * Authenticates the first message of a link against the nonce that link was given. Never throws: whatever goes wrong
 * while doing so is a refusal.
 */
export function authenticate(message: Uint8Array, nonce: Uint8Array, rules: AdmissionRules): Verdict {
  try {
    const present = decodeLinkMessage(message);
    if (present.name !== 'present') return refuse('garbage', `${present.name} before admission`);
    return authenticateTicket(decodeTicket(present.ticket), present.signature, nonce, rules);
  } catch (error) {
    const { code, detail } = asBlindflashError(error);
    return refuse(closeFor(code) ?? 'refused', detail ?? code);
  }
}

/** Cheap questions first, signatures last; every one must be answered well. */
function authenticateTicket(ticket: Ticket, signature: Uint8Array, nonce: Uint8Array, rules: AdmissionRules): Verdict {
  if (ticket.relay !== rules.relayName) return refuse('wrongRelay', 'ticket for another relay');
  const tenant = rules.findTenant(ticket.tenantKey);
  if (tenant === undefined) return refuse('unknownTenant', 'unknown tenant key');
  if (!verifyTicket(ticket, rules.verify)) return refuse('refused', 'the tenant did not sign this ticket');
  if (!(rules.wall() < ticket.expires * 1000)) return refuse('expired', 'ticket expired');
  if (!verifyPresent(ticket, nonce, signature, rules.verify)) {
    return refuse('refused', 'the holder did not sign this challenge');
  }
  return { admitted: true, ticket, tenant };
}

function refuse(close: CloseName, why: string): Verdict {
  return { admitted: false, close, why };
}

/** A relay's name must be a host as clients see it. @throws BF-RELAY-CONFIG */
export function requireRelayName(name: string): string {
  if (!isRelayName(name)) {
    throw fail('BF-RELAY-CONFIG', 'the relay’s name must be the host clients dial, in lower case');
  }
  return name;
}
