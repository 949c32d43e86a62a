// Edge: Ed25519 verification by node:crypto, which refuses S ≥ L (docs/protocol.md §2, docs/reference/crypto.md §5:
// tweetnacl does not).
import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import type { Verify } from '../../crypto/keys.ts';

/** SubjectPublicKeyInfo header of an Ed25519 key (RFC 8410); the raw key follows. */
const SPKI_HEADER = Buffer.from('302a300506032b6570032100', 'hex');

/** y of every point of order 1, 2, 4 or 8, sign bit cleared, canonical or not: keys nobody can own. */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]);

/** True for a 32-byte key of small order, under which anybody's signature would pass. */
export function isSmallOrderKey(publicKey: Uint8Array): boolean {
  const y = Buffer.from(publicKey);
  y[31]! &= 0x7f;
  return SMALL_ORDER.has(y.toString('hex'));
}

/**
 * Verifies a detached Ed25519 signature (64 bytes) over `message` by a raw 32-byte public key. Malformed input, S ≥ L
 * and keys of small order give false; it never throws.
 */
export const verifyEd25519: Verify = (publicKey, message, signature) => {
  if (publicKey.length !== 32 || signature.length !== 64 || isSmallOrderKey(publicKey)) return false;
  try {
    return verify(null, message, keyObject(publicKey), signature);
  } catch {
    return false;
  }
};

/**
 * The key before: many signatures by one key are checked in a row, and making the object takes as long as a check.
 */
let last: { readonly bytes: Uint8Array; readonly key: KeyObject } | undefined;

function keyObject(publicKey: Uint8Array): KeyObject {
  if (last === undefined || Buffer.compare(last.bytes, publicKey) !== 0) {
    const key = createPublicKey({ key: Buffer.concat([SPKI_HEADER, publicKey]), format: 'der', type: 'spki' });
    last = { bytes: publicKey.slice(), key };
  }
  return last.key;
}
