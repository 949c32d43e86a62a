// Making the receipt of a job and the customer's copy (docs/protocol.md §10).
import { fromHex, toHex } from '../../shared/codec/bytes.ts';
import type { Width } from '../../shared/chips/index.ts';
import type { SigningKeyPair } from '../../shared/crypto/keys.ts';
import { planHash, type Plan } from '../../shared/plan/plan.ts';
import type { Clock, Random } from '../../shared/ports.ts';
import { ReceiptSchema, signCustomerCopy, signReceipt, type Outcome } from '../../shared/plan/receipt.ts';
import type { Receipt, SignedText } from '../../shared/plan/receipt.ts';
import type { StubFacts } from '../../shared/sealed/payloads.ts';
import { isoTime } from '../../shared/codec/iso-time.ts';
import { modeRow } from '../../shared/plan/modes.ts';

/** What the stub authenticated. */
export interface Evidence {
  readonly outcome: Outcome;
  /** 64 bytes; undefined for an erase. */
  readonly root: Uint8Array | undefined;
  readonly wordsProgrammed: number;
  readonly width: Width | undefined;
}

export interface ReceiptContext {
  readonly plan: Plan;
  readonly planBytes: Uint8Array;
  readonly facts: StubFacts;
  readonly stubHash: Uint8Array;
  readonly clock: Clock;
  readonly random: Random;
  readonly key: SigningKeyPair<'receipt'>;
}

/** A receipt over what the stub said, signed now. */
export function makeReceipt(context: ReceiptContext, evidence: Evidence): SignedText {
  const { plan, planBytes, facts, stubHash, clock, random, key } = context;
  const receipt: Receipt = {
    version: 'blindflash receipt 1',
    job: toHex(plan.job),
    planHash: toHex(planHash(planBytes)),
    mode: plan.mode,
    outcome: evidence.outcome,
    uid: toHex(facts.uid),
    devId: facts.idcode & 0xfff,
    flashKiB: facts.flashKiB,
    imageDigest: evidence.root === undefined ? null : toHex(evidence.root),
    salt: toHex(random.bytes(16)),
    ranges: plan.ranges.length,
    bytes: plan.ranges.reduce((sum, { length }) => sum + length, 0),
    wordsProgrammed: evidence.wordsProgrammed,
    psize: evidence.width ?? null,
    stubHash: toHex(stubHash),
    sealedAt: isoTime(clock.wall()),
    lock: { asked: plan.lock !== 'none', optcr: null },
    statement: modeRow(plan.mode).receipt,
    vendorKey: toHex(key.publicKey),
  };
  return signReceipt(receipt, key);
}

/** The same receipt with what OPTCR read after LOCK. */
export function withLock(
  signed: SignedText,
  optcr: number,
  level1: boolean,
  key: SigningKeyPair<'receipt'>,
): SignedText {
  const receipt = receiptOf(signed);
  const outcome: Outcome = level1 ? 'lock programmed' : receipt.outcome;
  return signReceipt({ ...receipt, outcome, lock: { asked: true, optcr } }, key);
}

/** The customer's copy of a receipt of ours. */
export function customerCopyOf(signed: SignedText, key: SigningKeyPair<'receipt'>): SignedText {
  return signCustomerCopy(receiptOf(signed), key);
}

/** True if a stored receipt already says this digest. */
export function saysDigest(signed: SignedText, root: Uint8Array | undefined): boolean {
  const { imageDigest } = receiptOf(signed);
  return root === undefined
    ? imageDigest === null
    : imageDigest !== null && toHex(fromHex(imageDigest)) === toHex(root);
}

/** Our own receipt, from our own store: shape only, the signature is ours. */
export function receiptOf(signed: SignedText): Receipt {
  return ReceiptSchema.parse(JSON.parse(signed.text));
}
