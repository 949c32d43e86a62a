// Making the receipt of a job and the customer's copy (docs/protocol.md §10).
import { fromHex, toHex } from '../../shared/codec/bytes.ts';
import type { Width } from '../../shared/chips/index.ts';
import type { SigningKeyPair } from '../../shared/crypto/keys.ts';
import { fail } from '../../shared/errors/errors.ts';
import { planHash, type Plan } from '../../shared/plan/plan.ts';
import type { Clock, Random } from '../../shared/ports.ts';
import { ReceiptSchema, signCustomerCopy, signReceipt, type Outcome } from '../../shared/plan/receipt.ts';
import type { Receipt, SignedText } from '../../shared/plan/receipt.ts';
import type { StubFacts } from '../../shared/sealed/payloads.ts';
import { isoTime } from '../../shared/codec/iso-time.ts';
import { receiptStatement } from '../../shared/plan/modes.ts';
import type { CodePolicy, CodeState, JobRecord } from './job-record.ts';

/** What the stub authenticated. */
export interface Evidence {
  readonly outcome: Outcome;
  /** The stub told the digest, or it is our own and was answered *equal*. */
  readonly source: Receipt['source'];
  /** 64 bytes; undefined for an erase. */
  readonly root: Uint8Array | undefined;
  /** Sectors that were not written and rest on *equal*. */
  readonly sectorsByEqual: number;
  readonly wordsProgrammed: number;
  readonly width: Width | undefined;
}

/** How the vendor made sure of the customer's computer. */
export interface CodeEvidence {
  readonly code: CodeState;
  readonly policy: CodePolicy;
}

export interface ReceiptContext {
  readonly plan: Plan;
  readonly planBytes: Uint8Array;
  readonly facts: StubFacts;
  readonly stubHash: Uint8Array;
  readonly code: CodeEvidence;
  readonly clock: Clock;
  readonly random: Random;
  readonly key: SigningKeyPair<'receipt'>;
}

/** A receipt over what the stub said, signed now. */
export function makeReceipt(context: ReceiptContext, evidence: Evidence): SignedText {
  const { plan, planBytes, facts, stubHash, code, clock, random, key } = context;
  const receipt: Receipt = {
    version: 'blindflash receipt 2',
    job: toHex(plan.job),
    planHash: toHex(planHash(planBytes)),
    mode: plan.mode,
    outcome: evidence.outcome,
    uid: toHex(facts.uid),
    devId: facts.idcode & 0xfff,
    flashKiB: facts.flashKiB,
    imageDigest: evidence.root === undefined ? null : toHex(evidence.root),
    salt: toHex(random.bytes(16)),
    source: evidence.source,
    sectorsByEqual: evidence.sectorsByEqual,
    code: code.code,
    ranges: plan.ranges.length,
    bytes: plan.ranges.reduce((sum, { length }) => sum + length, 0),
    wordsProgrammed: evidence.wordsProgrammed,
    psize: evidence.width ?? null,
    stubHash: toHex(stubHash),
    sealedAt: isoTime(clock.wall()),
    lock: { asked: plan.lock !== 'none', optcr: null },
    statement: receiptStatement(plan.mode, evidence.source, code.policy === 'once'),
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

/** How the work of a receipt was authorised. @throws BF-INTERNAL-ARGUMENT when it was not */
export function codeEvidence({ code, codePolicy }: JobRecord): CodeEvidence {
  if (code === undefined) throw fail('BF-INTERNAL-ARGUMENT', 'a receipt without a code');
  return { code, policy: codePolicy };
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
