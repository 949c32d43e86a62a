// SHA-512, HMAC-SHA-512 and HKDF-Expand; docs/protocol.md §3, §4. The standards: FIPS 180-4, RFC 2104, RFC 5869.
import nacl from 'tweetnacl';
import { ascii, assertInteger, concat, copyOf, wipe } from '../codec/bytes.ts';

const HASH_BYTES = 64;
const BLOCK_BYTES = 128;

/** SHA-512 of the parts joined; 64 bytes. */
export function sha512(...parts: readonly Uint8Array[]): Uint8Array {
  return nacl.hash(parts.length === 1 ? (parts[0] as Uint8Array) : concat(...parts));
}

/** HMAC-SHA-512 of the parts joined under `key` (any length); 64 bytes. */
export function hmacSha512(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const inner = new Uint8Array(BLOCK_BYTES).fill(0x36);
  const outer = new Uint8Array(BLOCK_BYTES).fill(0x5c);
  (key.length > BLOCK_BYTES ? sha512(key) : key).forEach((byte, i) => {
    inner[i]! ^= byte;
    outer[i]! ^= byte;
  });
  const mac = sha512(outer, sha512(inner, ...parts));
  wipe(inner, outer);
  return mac;
}

/** HKDF-Expand with SHA-512: `length` bytes (1..16320) from a pseudo-random key and `info`. */
export function hkdfExpand(prk: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  assertInteger(length, 'length', 1, 255 * HASH_BYTES);
  const output = new Uint8Array(length);
  let block = new Uint8Array(0) as Uint8Array;
  for (let index = 1, filled = 0; filled < length; index++, filled += HASH_BYTES) {
    const next = hmacSha512(prk, block, info, Uint8Array.of(index));
    wipe(block);
    block = next;
    output.set(copyOf(block, 0, Math.min(HASH_BYTES, length - filled)), filled);
  }
  wipe(block);
  return output;
}

/** HKDF-Expand to 32 bytes with `info` = label in ASCII ‖ context. The form every key of the protocol has. */
export function deriveKey(prk: Uint8Array, label: string, ...context: readonly Uint8Array[]): Uint8Array {
  return hkdfExpand(prk, concat(ascii(label), ...context), 32);
}

/** domain in ASCII ‖ 00 ‖ message: what is hashed or signed where a key or hash serves several purposes. */
export function withDomain(domain: string, ...parts: readonly Uint8Array[]): Uint8Array {
  return concat(ascii(domain), Uint8Array.of(0), ...parts);
}
