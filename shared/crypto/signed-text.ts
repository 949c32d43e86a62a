// A text and the Ed25519 signature over it: one line of JSON with keys in the order of its schema, under a domain of
// its own (docs/protocol.md §10, docs/devices.md). One meaning has one text.
import { z } from 'zod';
import { fromHex, toHex, utf8 } from '../codec/bytes.ts';
import { parseJson } from '../codec/json.ts';
import { fail, type ErrorCode } from '../errors/errors.ts';
import { withDomain } from './hash.ts';
import { signBytes, type SigningKeyPair, type Verify } from './keys.ts';

/** Text (one line of JSON) and Ed25519 signature (128 hexadecimal digits). */
export interface SignedText {
  readonly text: string;
  readonly signature: string;
}

/** What is signed names the key that signs. */
export interface Signable {
  /** 64 hexadecimal digits. */
  readonly vendorKey: string;
}

/** One kind of signed text. */
export interface SignedForm<T extends Signable> {
  /** ASCII; the signature covers domain ‖ 00 ‖ text. */
  readonly domain: string;
  readonly schema: z.ZodType<T>;
  /** Longest text, characters. */
  readonly most: number;
  /** Thrown for whatever is not exactly right. */
  readonly refusal: ErrorCode;
}

/** Signs; vendorKey must be the key's. @throws BF-INTERNAL-ARGUMENT for fields that do not fit */
export function signText<T extends Signable>(
  { domain, schema }: SignedForm<T>,
  value: T,
  key: SigningKeyPair<'receipt'>,
): SignedText {
  const checked = schema.safeParse(value);
  if (!checked.success) throw fail('BF-INTERNAL-ARGUMENT', z.prettifyError(checked.error));
  if (value.vendorKey !== toHex(key.publicKey)) throw fail('BF-INTERNAL-ARGUMENT', 'vendorKey is not the signing key');
  const text = JSON.stringify(checked.data);
  return { text, signature: toHex(signBytes(key.secretKey, withDomain(domain, utf8(text)))) };
}

/**
 * What a signed text says.
 * @throws the form's refusal unless text, signature and (if given) the key, 32 bytes, are exactly right
 */
export function verifyText<T extends Signable>(
  form: SignedForm<T>,
  signed: SignedText,
  verify: Verify,
  expectedKey: Uint8Array | undefined,
): T {
  const { domain, refusal } = form;
  const value = parseText(form, signed.text);
  const signature = fromHex(signed.signature, refusal, 'the signature');
  if (signature.length !== 64) throw fail(refusal, 'the signature has another length');
  if (expectedKey !== undefined && value.vendorKey !== toHex(expectedKey)) throw fail(refusal, 'signed by another key');
  const message = withDomain(domain, utf8(signed.text));
  if (!verify(fromHex(value.vendorKey), message, signature)) throw fail(refusal, 'the signature does not fit');
  return value;
}

/** Strict schema, and exactly the text that signText would make. */
function parseText<T extends Signable>({ schema, most, refusal }: SignedForm<T>, text: string): T {
  if (text.length > most) throw fail(refusal, 'the text is too long');
  const checked = schema.safeParse(parseJson(text, refusal, 'the text'));
  if (!checked.success) throw fail(refusal, z.prettifyError(checked.error));
  if (JSON.stringify(checked.data) !== text) throw fail(refusal, 'the text is not in the form the vendor writes');
  return checked.data;
}
