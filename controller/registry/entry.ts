// One entry of the device registry: what the vendor has put on record about a device, signed by his receipt key under
// a domain of its own (docs/devices.md). Entries are added and never changed. Pure.
import { z } from 'zod';
import { isClean } from '../../shared/codec/foreign-text.ts';
import type { SigningKeyPair, Verify } from '../../shared/crypto/keys.ts';
import { signText, verifyText, type SignedForm, type SignedText } from '../../shared/crypto/signed-text.ts';
import { DEVICE_STATES, PLACE_ORDER } from '../../shared/registry/states.ts';

/** Longest text of an entry and longest note, characters. */
export const ENTRY_LIMITS = { text: 1500, by: 64, note: 200, number: 100_000 } as const;

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
const clean = (most: number) => z.string().max(most).refine(isClean, 'a text with characters that are not shown');

const head = {
  version: z.literal('blindflash device 2'),
  uid: hex(12),
  /** 1 for the first entry of a device, then one more than the newest the signer knew. */
  number: z.int().min(1).max(ENTRY_LIMITS.number),
};
const tail = {
  at: z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
  /** Who did it, as he is called where it was done. */
  by: clean(ENTRY_LIMITS.by).min(1),
  /** Ed25519 key that signed. */
  vendorKey: hex(32),
};

/** A device as it presented itself: its two public keys, what runs on it, and where that was. */
const enrolmentFields = {
  /** D_s: for sessions. */
  sessionKey: hex(32),
  /** D_f: for files. */
  fileKey: hex(32),
  product: z.int().min(0).max(0xffffffff),
  loaderHash: hex(64),
  /** null: nowhere that counts. */
  place: z.enum(PLACE_ORDER).nullable(),
  /** Id of the job that enrolled it; null where there was none. */
  job: hex(16).nullable(),
};

/** What is known of a device when it is enrolled. */
export type Enrolment = z.infer<z.ZodObject<typeof enrolmentFields>> & Pick<Entry, 'uid'>;

const EntrySchema = z.discriminatedUnion('kind', [
  z.strictObject({
    ...head,
    kind: z.literal('enrolled'),
    ...enrolmentFields,
    /** The vendor key whose entry this one repeats; null for the vendor's own enrolment. */
    repeats: hex(32).nullable(),
    ...tail,
  }),
  z.strictObject({
    ...head,
    kind: z.literal('accepted'),
    sessionKey: hex(32),
    /** Where the person who decided takes it to have been enrolled. */
    place: z.enum(PLACE_ORDER).nullable(),
    ...tail,
  }),
  z.strictObject({
    ...head,
    kind: z.literal('state'),
    was: z.enum(DEVICE_STATES),
    is: z.enum(DEVICE_STATES),
    note: clean(ENTRY_LIMITS.note),
    ...tail,
  }),
]);
export type Entry = z.infer<typeof EntrySchema>;
export type EntryOf<Kind extends Entry['kind']> = Extract<Entry, { readonly kind: Kind }>;

const FORM: SignedForm<Entry> = {
  domain: 'blindflash/2 device entry',
  schema: EntrySchema,
  most: ENTRY_LIMITS.text,
  refusal: 'BF-DEVICES-ENTRY',
};

/** @throws BF-INTERNAL-ARGUMENT for fields that do not fit */
export function signEntry(entry: Entry, key: SigningKeyPair<'receipt'>): SignedText {
  return signText(FORM, entry, key);
}

/** @throws BF-DEVICES-ENTRY unless text, signature and key (32 bytes) are exactly right */
export function verifyEntry(signed: SignedText, verify: Verify, vendorKey: Uint8Array): Entry {
  return verifyText(FORM, signed, verify, vendorKey);
}
