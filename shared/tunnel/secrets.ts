// What both ends of a tunnel take from a secret of the way back and from an exporter
// (docs/protocol.md §4, §6, §8, §13).
import { ascii, concat, copyOf, equalBytes } from '../codec/bytes.ts';
import { deriveKey, hkdfExpand, hmacSha512, sha512 } from '../crypto/hash.ts';
import { psk, type Psk } from '../crypto/keys.ts';

export const SECRET_ID_BYTES = 8;
const TAG_BYTES = 16;

/** Names a secret in T1 without telling it; 8 bytes. */
export function secretId(secret: Uint8Array): Uint8Array {
  return hkdfExpand(secret, ascii('blindflash/2 id'), SECRET_ID_BYTES);
}

/** Key of the tag that shows that whoever made a T1 holds the secret; 32 bytes. */
export function tagKey(secret: Uint8Array): Uint8Array {
  return deriveKey(secret, 'blindflash/2 t1');
}

/** The tag of a T1: 16 bytes over everything before it. */
export function t1Tag(key: Uint8Array, untagged: Uint8Array): Uint8Array {
  return copyOf(hmacSha512(key, untagged), 0, TAG_BYTES);
}

/** SPENT: says to the holder of a T1's secret that the invite is spent; 16 bytes. */
export function spentTag(key: Uint8Array, t1: Uint8Array): Uint8Array {
  return copyOf(hmacSha512(key, ascii('spent'), sha512(t1)), 0, TAG_BYTES);
}

/** The secret of the next tunnel; 32 bytes. */
export function nextSecret(exporter: Uint8Array): Psk {
  return psk(deriveKey(exporter, 'blindflash/2 resume'));
}

/** Names the session in RESUME; 8 bytes, not secret. */
export function sessionTag(exporter: Uint8Array): Uint8Array {
  return copyOf(deriveKey(exporter, 'blindflash/2 tag'), 0, 8);
}

/** The id of the sealed session that an M1 sent through this tunnel leads to; 16 bytes. */
export function sealedSessionId(exporter: Uint8Array, m1: Uint8Array): Uint8Array {
  return copyOf(deriveKey(exporter, 'blindflash/2 session', sha512(m1)), 0, 16);
}

// ── the code ──────────────────────────────────────────────────────────────────────────────────────────────────────

const CODE_ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const CODE_CHARACTERS = 6;

/** The short code of a tunnel: 30 bits as `ABC-DEF`. */
export function tunnelCode(exporter: Uint8Array, nonceI: Uint8Array, nonceR: Uint8Array): string {
  const bytes = deriveKey(exporter, 'blindflash/2 code', nonceI, nonceR) as Uint8Array & { [index: number]: number };
  const bits = (((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 2) >>> 0;
  const letters = [25, 20, 15, 10, 5, 0].map((shift) => CODE_ALPHABET[(bits >>> shift) & 31]).join('');
  return `${letters.slice(0, 3)}-${letters.slice(3)}`;
}

/**
 * A typed code as the alphabet has it: case, blanks and hyphens do not matter, O is 0, I and L are 1. Undefined when it
 * has not six characters of the alphabet then, which is asked again and not counted.
 */
export function normalizeCode(typed: string): string | undefined {
  const text = typed
    .toUpperCase()
    .replace(/[\s\-\u2010-\u2015]/g, '')
    .replace(/O/g, '0')
    .replace(/[IL]/g, '1');
  const known = text.length === CODE_CHARACTERS && [...text].every((letter) => CODE_ALPHABET.includes(letter));
  return known ? `${text.slice(0, 3)}-${text.slice(3)}` : undefined;
}

/** True when both codes (in normal form) are equal; constant time. */
export function sameCode(left: string, right: string): boolean {
  return equalBytes(ascii(left), ascii(right));
}

/** The commitment of a T1 to its nonce; 32 bytes. */
export function commitment(
  ephemeral: Uint8Array,
  publicInviteHash: Uint8Array,
  payload1: Uint8Array,
  nonce: Uint8Array,
): Uint8Array {
  const domain = concat(ascii('blindflash/2 commit'), Uint8Array.of(0));
  return copyOf(sha512(domain, ephemeral, publicInviteHash, payload1, nonce), 0, 32);
}
