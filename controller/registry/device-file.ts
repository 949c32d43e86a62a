// The registry as a file for another ledger of the same vendor, or of one who takes the devices over: text, a line each
// for the manifest, its signature, and then text and signature of every entry (docs/devices.md). Pure.
import { z } from 'zod';
import { verifyEntry, type Entry } from './entry.ts';
import { toHex, utf8 } from '../../shared/codec/bytes.ts';
import { parseJson } from '../../shared/codec/json.ts';
import { sha512 } from '../../shared/crypto/hash.ts';
import type { SigningKeyPair, Verify } from '../../shared/crypto/keys.ts';
import { signText, verifyText, type SignedForm, type SignedText } from '../../shared/crypto/signed-text.ts';
import { fail } from '../../shared/errors/errors.ts';

const BAD = 'BF-DEVICES-FILE';
/** Most entries and characters of a file: ten times the entries of 10,000 devices. */
export const FILE_LIMITS = { entries: 100_000, characters: 160_000_000 } as const;

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
const ManifestSchema = z.strictObject({
  version: z.literal('blindflash devices 2'),
  at: z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
  /** How many entries follow. */
  entries: z.int().min(0).max(FILE_LIMITS.entries),
  /** SHA-512 of everything behind the signature of this line. */
  digest: hex(64),
  vendorKey: hex(32),
});
type Manifest = z.infer<typeof ManifestSchema>;
const FORM: SignedForm<Manifest> = {
  domain: 'blindflash/2 device file',
  schema: ManifestSchema,
  most: 400,
  refusal: BAD,
};
/** Whose file it is, whether or not it is right. */
const KeySchema = z.looseObject({ vendorKey: hex(32) });

/** @param at when, ISO 8601 to the second. @param entries as they were signed, by the same key */
export function formatDeviceFile(entries: readonly SignedText[], at: string, key: SigningKeyPair<'receipt'>): string {
  const body = entries.map(lines).join('');
  const manifest: Manifest = {
    version: 'blindflash devices 2',
    at,
    entries: entries.length,
    digest: toHex(sha512(utf8(body))),
    vendorKey: toHex(key.publicKey),
  };
  return lines(signText(FORM, manifest, key)) + body;
}

/** The key a file says it is signed with, 64 digits. @throws BF-DEVICES-FILE */
export function signerOf(file: string): string {
  const end = file.indexOf('\n');
  if (end < 0 || end > FORM.most) throw fail(BAD, 'its first line is none of ours');
  const checked = KeySchema.safeParse(parseJson(file.slice(0, end), BAD, 'its first line'));
  if (!checked.success) throw fail(BAD, 'its first line names no key');
  return checked.data.vendorKey;
}

/** An entry and what was signed. */
export interface FiledEntry {
  readonly entry: Entry;
  readonly signed: SignedText;
}

/**
 * Reads a file that has to be this key's, 32 bytes: manifest, number, digest and every signature.
 * @throws BF-DEVICES-FILE, BF-DEVICES-ENTRY
 */
export function parseDeviceFile(file: string, verify: Verify, vendorKey: Uint8Array): FiledEntry[] {
  if (file.length > FILE_LIMITS.characters) throw fail(BAD, 'it is too long');
  const all = file.replace(/\r\n/g, '\n').split('\n');
  if (all.pop() !== '' || all.length < 2 || all.length % 2 !== 0) throw fail(BAD, 'its end is missing');
  const [first, ...others] = pairs(all) as [SignedText, ...SignedText[]];
  const manifest = verifyText(FORM, first, verify, vendorKey);
  if (manifest.entries !== others.length) {
    throw fail(BAD, `it says ${manifest.entries} entries and has ${others.length}`);
  }
  if (manifest.digest !== toHex(sha512(utf8(others.map(lines).join(''))))) throw fail(BAD, 'its digest is another');
  return others.map((signed) => ({ entry: verifyEntry(signed, verify, vendorKey), signed }));
}

function pairs(all: readonly string[]): SignedText[] {
  const found: SignedText[] = [];
  for (let at = 0; at < all.length; at += 2) found.push({ text: all[at] as string, signature: all[at + 1] as string });
  return found;
}

function lines({ text, signature }: SignedText): string {
  return `${text}\n${signature}\n`;
}
