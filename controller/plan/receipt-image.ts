// Whether a receipt is for an image: the plans the image could have been given, and the digest each would have left
// (docs/protocol.md §8 "Digests", §10). A receipt keeps no plan, but how many ranges and bytes it had.
import type { Chip } from '../../shared/chips/index.ts';
import { concat, fromHex, toHex } from '../../shared/codec/bytes.ts';
import { sha512 } from '../../shared/crypto/hash.ts';
import { fail } from '../../shared/errors/errors.ts';
import { KINDS } from '../../shared/plan/kinds.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import type { Receipt } from '../../shared/plan/receipt.ts';
import type { Image } from '../image/image.ts';
import type { BootChoice } from './boot.ts';
import { compileFlash, compileVerify } from './compile.ts';
import { expectedDigests } from './steps.ts';

/** What a receipt and a customer's copy both say of the job. */
export type ReceiptFacts = Pick<Receipt, 'outcome' | 'flashKiB' | 'ranges' | 'bytes'>;

/** Digests a unit would have reported that holds the image, as 128 digits; none when no plan of it fits the receipt. */
export function digestsFor(facts: ReceiptFacts, image: Image, chip: Chip, boot: BootChoice): string[] {
  return plansFor(facts, image, chip, boot)
    .filter(({ ranges }) => ranges.length === facts.ranges && bytesOf({ ranges }) === facts.bytes)
    .map((plan) => toHex(reported(plan, image, chip)));
}

/** What the unit tells at the end of a job that wrote, or the vendor asked about in one that compared. */
function reported(plan: Plan, image: Image, chip: Chip): Uint8Array {
  const { written, rootAfter } = expectedDigests(plan, image, chip);
  return KINDS[plan.kind].writes ? written : rootAfter;
}

/** How a customer's copy names such a digest; the salt, 16 bytes, is in the vendor's receipt. */
export function saltedDigest(salt: string, digest: string): string {
  return toHex(sha512(concat(fromHex(salt), fromHex(digest))));
}

/** @throws BF-IMAGE-RECEIPT for an erase; BF-IMAGE-* as compiling does */
function plansFor({ outcome, flashKiB }: ReceiptFacts, image: Image, chip: Chip, boot: BootChoice): Plan[] {
  const options = { job: new Uint8Array(16), flashKiB };
  if (outcome === 'erased') throw fail('BF-IMAGE-RECEIPT', 'an erase has none');
  if (outcome === 'verified') return [false, true].map((where) => compileVerify(image, chip, { ...options, where }));
  return [false, true].map((delta) => compileFlash(image, chip, { ...options, boot, delta }));
}

function bytesOf({ ranges }: Pick<Plan, 'ranges'>): number {
  return ranges.reduce((sum, { length }) => sum + length, 0);
}
