// The receipt: the vendor's signed note about one finished session, and the customer's copy of it
// (docs/protocol.md §10). One line of JSON with keys in the order of the schema; the signature covers that text.
import { z } from 'zod';
import { concat, fromHex, toHex } from '../codec/bytes.ts';
import { isClean } from '../codec/foreign-text.ts';
import { sha512 } from '../crypto/hash.ts';
import type { SigningKeyPair, Verify } from '../crypto/keys.ts';
import { signText, verifyText, type SignedForm, type SignedText } from '../crypto/signed-text.ts';
import { fail } from '../errors/errors.ts';
import { KINDS, type KindOutcome } from './kinds.ts';
import { PLACE_ORDER } from '../registry/states.ts';
import { PLAN_MODES } from './modes.ts';

export type { SignedText } from '../crypto/signed-text.ts';

const BAD = 'BF-JOB-RECEIPT';
const TEXT_LIMIT = 3000;

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
const u32 = z.int().min(0).max(0xffffffff);

/** What a finished session achieved; the last one: the chip is locked as well. */
export type Outcome = KindOutcome | 'lock programmed';
const KIND_OUTCOMES = Object.values(KINDS).flatMap(({ outcome }) => (outcome === undefined ? [] : [outcome]));

const head = {
  /** 16 bytes. */
  job: hex(16),
  /** SHA-512 of the plan as in §7. */
  planHash: hex(64),
  mode: z.enum(PLAN_MODES),
  outcome: z.enum(['lock programmed', ...KIND_OUTCOMES]),
  /** As the stub read them. */
  uid: hex(12),
  devId: z.int().min(0).max(0xfff),
  flashKiB: z.int().min(0).max(0xffff),
};
/**
 * Where the time of the vendor's last run went, milliseconds. people: waiting for the customer to come and to answer,
 * and for the code. erase, program, check: what the chip worked, as it says to 100 ms. network: all the rest.
 */
const times = z.strictObject({ people: u32, network: u32, erase: u32, program: u32, check: u32 });
export type JobTimes = z.infer<typeof times>;
const tail = {
  /** Where the digest comes from: the stub's WRITTEN, or the vendor's own expectation, answered *equal*. */
  source: z.enum(['stub', 'vendor']),
  /** Sectors that were not written in this session and rest on *equal*. */
  sectorsByEqual: z.int().min(0).max(32),
  /** In that session: sectors erased, those left because they read blank, and whether everything was erased at once. */
  erase: z.strictObject({ sectors: z.int().min(0).max(32), blank: z.int().min(0).max(32), atOnce: z.boolean() }),
  time: times,
  /** How the vendor made sure of the customer's computer. */
  code: z.enum(['typed', 'waived']),
  /** Number of ranges under the digest and the bytes in them. */
  ranges: z.int().min(0).max(64),
  bytes: u32,
  wordsProgrammed: u32,
  /** Width used for programming; null if nothing was. */
  psize: z.enum(['x8', 'x16', 'x32']).nullable(),
  stubHash: hex(64),
  /** When the vendor's side opened the reply this rests on. */
  sealedAt: z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
  /** optcr: what OPTCR read after the lock; null if none was asked. */
  lock: z.strictObject({ asked: z.boolean(), optcr: u32.nullable() }),
  /**
   * In the modes with a loader, and in no other. enrolled: where the key of the device was. lock: OPTCR read level 1
   * when M1 was made, and no debugger was at work. sessions: of the job, in which frames of the image left.
   */
  device: z.strictObject({ enrolled: z.enum(PLACE_ORDER), lock: z.literal('effective'), sessions: u32 }).optional(),
  /**
   * What this proves in this mode (shared/plan/modes.ts). A signature proves who wrote it, not
   * that it is fit for a screen.
   */
  statement: z.string().min(1).max(600).refine(isClean, 'a statement with characters that are not shown'),
  /** Ed25519 key that signed. */
  vendorKey: hex(32),
};

/** Key order is text order. */
export const ReceiptSchema = z.strictObject({
  version: z.literal('blindflash receipt 2'),
  ...head,
  /** root of §8; null for an erase. */
  imageDigest: hex(64).nullable(),
  /** Links the customer's copy to this receipt. */
  salt: hex(16),
  ...tail,
});
export type Receipt = z.infer<typeof ReceiptSchema>;

export const CustomerReceiptSchema = z.strictObject({
  version: z.literal('blindflash customer receipt 2'),
  ...head,
  /** SHA-512(salt ‖ image digest); null for an erase. */
  saltedDigest: hex(64).nullable(),
  ...tail,
});
export type CustomerReceipt = z.infer<typeof CustomerReceiptSchema>;

const form = <T extends { readonly vendorKey: string }>(schema: z.ZodType<T>): SignedForm<T> => ({
  domain: 'blindflash/2 receipt',
  schema,
  most: TEXT_LIMIT,
  refusal: BAD,
});
const VENDORS = form(ReceiptSchema);
const CUSTOMERS = form(CustomerReceiptSchema);

/** Signs a receipt; its vendorKey must be the key's. Throws BF-INTERNAL-ARGUMENT for fields that do not fit. */
export function signReceipt(receipt: Receipt, key: SigningKeyPair<'receipt'>): SignedText {
  return signText(VENDORS, receipt, key);
}

/** The customer's copy of a receipt, signed likewise: a salted digest in place of the image digest. */
export function signCustomerCopy(receipt: Receipt, key: SigningKeyPair<'receipt'>): SignedText {
  const { imageDigest, salt, ...rest } = receipt;
  const saltedDigest = imageDigest === null ? null : toHex(sha512(concat(fromHex(salt), fromHex(imageDigest))));
  return signText(CUSTOMERS, { ...rest, version: 'blindflash customer receipt 2', saltedDigest }, key);
}

/** Checks a vendor's receipt. Throws BF-JOB-RECEIPT unless text, signature and (if given) the key are exactly right. */
export function verifyReceipt(signed: SignedText, verify: Verify, expectedKey?: Uint8Array): Receipt {
  return verifyText(VENDORS, signed, verify, expectedKey);
}

/** Checks a customer's copy, in the same way. */
export function verifyCustomerCopy(signed: SignedText, verify: Verify, expectedKey?: Uint8Array): CustomerReceipt {
  return verifyText(CUSTOMERS, signed, verify, expectedKey);
}

/** The file form: text and signature, a line each. */
export function formatSigned(signed: SignedText): string {
  return `${signed.text}\n${signed.signature}\n`;
}

/** Reads the file form. Throws BF-JOB-RECEIPT. */
export function parseSigned(file: string): SignedText {
  const lines = file.replace(/\r\n/g, '\n').split('\n');
  if (file.length > 2 * TEXT_LIMIT || lines.length < 2 || lines.slice(2).some((line) => line !== '')) {
    throw fail(BAD, 'a receipt has two lines');
  }
  return { text: lines[0], signature: lines[1] };
}
