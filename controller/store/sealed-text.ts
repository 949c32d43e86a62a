// A job or an open invite as a text that only its vendor's keys open and that nobody else can change: a row of the
// ledger, a file in homes from before it. Pure.
//
//   key = HKDF-Expand(home key 32, "blindflash/2 file" ‖ kind ‖ id 16, 32)
//   box = secretbox(content, random nonce 24, key)
//
// Outside the box stand version, kind and id, for people: they come from the caller when the text is read, and a text
// that does not say the same, to the byte, is refused.
import nacl from 'tweetnacl';
import { z } from 'zod';
import { assertBytes, copyOf, fromHex, fromUtf8, toHex, utf8, ascii, wipe } from '../../shared/codec/bytes.ts';
import { parseJson } from '../../shared/codec/json.ts';
import { deriveKey } from '../../shared/crypto/hash.ts';
import { fail } from '../../shared/errors/errors.ts';
import type { Random } from '../../shared/ports.ts';

declare const home: unique symbol;
/** 32 random bytes, kept with the vendor's keys. */
export type HomeKey = Uint8Array & { readonly [home]: true };

/** Copies 32 bytes. */
export function homeKey(bytes: Uint8Array): HomeKey {
  assertBytes(bytes, 'home key', 32);
  return copyOf(bytes) as HomeKey;
}

/** Which text it is: contents of one do not open as another. */
export interface SealedName {
  readonly kind: 'job' | 'invite';
  /** 32 digits. */
  readonly id: string;
}

const VERSION = 'blindflash file 2';
const NONCE_BYTES = 24;
const SealedSchema = z.strictObject({
  version: z.literal(VERSION),
  kind: z.string(),
  id: z.string(),
  nonce: z.string().regex(/^[0-9a-f]{48}$/),
  box: z.string().regex(/^([0-9a-f]{2}){16,}$/),
});
/** Files of protocol 1 were not sealed and name their own version. */
const OldSchema = z.looseObject({ version: z.enum(['blindflash job 1', 'blindflash room 1']) });

/** The sealed text. @param content what only the vendor may read */
export function sealText(key: HomeKey, name: SealedName, content: string, random: Random): string {
  const textKey = keyOf(key, name);
  const [nonce, plain] = [random.bytes(NONCE_BYTES), utf8(content)];
  const box = nacl.secretbox(plain, nonce, textKey);
  wipe(textKey, plain);
  return formatSealed(name, toHex(nonce), toHex(box));
}

/**
 * What is inside.
 * @throws BF-JOB-STATE for a text that is not exactly as it was sealed, with this key and under this name
 */
export function openText(key: HomeKey, name: SealedName, text: string): string {
  const { nonce, box } = requireSealedForm(name, text);
  const textKey = keyOf(key, name);
  const content = nacl.secretbox.open(fromHex(box), fromHex(nonce), textKey);
  wipe(textKey);
  if (content === null) throw fail('BF-JOB-STATE', 'these keys do not open the file, or it was altered');
  const inside = fromUtf8(content, 'BF-JOB-STATE', 'the file');
  wipe(content);
  return inside;
}

/**
 * The text as it would be sealed under this name, unopened.
 * @throws BF-JOB-STATE for any other. @returns nonce and box, hexadecimal
 */
export function requireSealedForm(name: SealedName, text: string): { readonly nonce: string; readonly box: string } {
  const value = parseJson(text, 'BF-JOB-STATE', 'the file');
  if (OldSchema.safeParse(value).success) throw fail('BF-JOB-STATE', 'an older version of Blindflash wrote the file');
  const checked = SealedSchema.safeParse(value);
  if (!checked.success) throw fail('BF-JOB-STATE', checked.error.issues[0]?.path.join('.'));
  const { nonce, box } = checked.data;
  if (text !== formatSealed(name, nonce, box)) throw fail('BF-JOB-STATE', 'the file was altered');
  return { nonce, box };
}

function formatSealed({ kind, id }: SealedName, nonce: string, box: string): string {
  return `${JSON.stringify({ version: VERSION, kind, id, nonce, box }, undefined, 1)}\n`;
}

function keyOf(key: HomeKey, { kind, id }: SealedName): Uint8Array {
  return deriveKey(key, 'blindflash/2 file', ascii(kind), fromHex(id));
}
