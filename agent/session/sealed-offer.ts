// What the agent reads of the handshake it carries between chip and vendor: the chip's own word on which unit it is,
// its key D, and which session an answer is for (docs/protocol.md §8). All else in it is between those two.
import { copyOf, equalBytes, isZero } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import {
  decodeSessionChoice,
  decodeStubFacts,
  STUB_MAJOR,
  type ChipKeys,
  type StubFacts,
} from '../../shared/sealed/payloads.ts';
import type { OfferedHandshake } from '../transport/port.ts';

/** Both handshake messages begin with an ephemeral key and a nonce, 32 bytes each. */
const PAYLOAD_AT = 64;

/** payload1 of an M1. @throws BF-TUNNEL-MESSAGE, BF-VERSION-MISMATCH */
function factsOf(m1: Uint8Array): StubFacts & ChipKeys {
  return decodeStubFacts(copyOf(m1, PAYLOAD_AT));
}

/** D, the public key the chip shows, 32 bytes. */
export function deviceKeyIn(m1: Uint8Array): Uint8Array {
  return factsOf(m1).deviceKey;
}

/**
 * The unit that was looked at and told to the vendor is the one that offers.
 * @param uid 12 bytes as read at the beginning; zeros where the chip did not tell it
 * @throws BF-JOB-OTHER-BOARD, BF-STUB-UNKNOWN for a stub of another version
 */
export function requireSameUnit({ m1 }: OfferedHandshake, uid: Uint8Array): void {
  const facts = factsOf(m1);
  const major = facts.stubVersion >>> 8;
  if (major !== STUB_MAJOR) throw fail('BF-STUB-UNKNOWN', `its major version is ${major}`);
  if (!isZero(uid) && !equalBytes(facts.uid, uid)) {
    throw fail('BF-JOB-OTHER-BOARD', 'the program in the RAM reads another unique id than the probe did');
  }
}

/**
 * An M2 for this tunnel's own session.
 * @param m2 128 bytes
 * @param own the id this tunnel and the M1 that was sent lead to, 16 bytes
 * @throws BF-TUNNEL-ORDER for another: somebody sits between
 */
export function requireOwnSession(m2: Uint8Array, own: Uint8Array): void {
  const named = decodeSessionChoice(copyOf(m2, PAYLOAD_AT, PAYLOAD_AT + 32));
  if (!equalBytes(named, own)) {
    throw fail(
      'BF-TUNNEL-ORDER',
      'the answer to the chip is for another session: somebody may sit between you and the vendor',
    );
  }
}
