// What both ends of a tunnel take from its exporter, and the payloads of its handshake (docs/protocol.md §4, §6).
import { copyOf, isZero } from '../codec/bytes.ts';
import { deriveKey } from '../crypto/hash.ts';
import { psk, type Psk } from '../crypto/keys.ts';

/** payload1's first byte: which pre-shared key the agent uses. */
export const PSK_IDS = { invite: 1, resume: 2 } as const;
export type PskName = keyof typeof PSK_IDS;

const CODE_ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** The short code both people compare: 30 bits of the exporter as `ABC-DEF`. */
export function tunnelCode(exporter: Uint8Array): string {
  const bytes = deriveKey(exporter, 'blindflash/1 code');
  const bits = (((bytes[0] << 24) | (bytes[1] << 16) | (bytes[2] << 8) | bytes[3]) >>> 2) >>> 0;
  const letters = [25, 20, 15, 10, 5, 0].map((shift) => CODE_ALPHABET[(bits >>> shift) & 31]).join('');
  return `${letters.slice(0, 3)}-${letters.slice(3)}`;
}

/** The secret the same agent comes back with; 32 bytes. */
export function resumeSecret(exporter: Uint8Array): Psk {
  return psk(deriveKey(exporter, 'blindflash/1 resume'));
}

/** Names the session in RESUME; 8 bytes, not secret. */
export function sessionTag(exporter: Uint8Array): Uint8Array {
  return copyOf(deriveKey(exporter, 'blindflash/1 tag'), 0, 8);
}

/** payload1: psk id 1 ‖ 0×15. */
export function pskPayload(name: PskName): Uint8Array {
  const payload = new Uint8Array(16);
  payload[0] = PSK_IDS[name];
  return payload;
}

/** The psk a payload1 names, or undefined when it is unknown or a reserved byte is set. */
export function pskNamed(payload1: Uint8Array): PskName | undefined {
  if (!isZero(payload1.subarray(1))) return undefined;
  return payload1[0] === PSK_IDS.invite ? 'invite' : payload1[0] === PSK_IDS.resume ? 'resume' : undefined;
}
