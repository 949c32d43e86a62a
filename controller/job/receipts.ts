// Making the receipt of a job and the customer's copy (docs/protocol.md §10).
import { toHex } from '../../shared/codec/bytes.ts';
import type { Width } from '../../shared/chips/index.ts';
import type { SigningKeyPair, Verify } from '../../shared/crypto/keys.ts';
import { fail, isBlindflashError } from '../../shared/errors/errors.ts';
import { planHash, type Plan } from '../../shared/plan/plan.ts';
import type { Clock, Random } from '../../shared/ports.ts';
import { signCustomerCopy, signReceipt, verifyReceipt, type Outcome } from '../../shared/plan/receipt.ts';
import type { JobTimes, Receipt, SignedText } from '../../shared/plan/receipt.ts';
import type { ChipTimes } from '../../shared/sealed/messages.ts';
import type { StubFacts } from '../../shared/sealed/payloads.ts';
import { isoTime } from '../../shared/codec/iso-time.ts';
import { receiptStatement } from '../../shared/plan/modes.ts';
import { placeOf } from '../../shared/registry/states.ts';
import type { CodePolicy, CodeState, JobRecord } from '../store/job-record.ts';

/** What the stub authenticated. */
export interface Evidence {
  readonly outcome: Outcome;
  /** The stub told the digest, or it is our own and was answered *equal*. */
  readonly source: Receipt['source'];
  /** 64 bytes; undefined for an erase. */
  readonly root: Uint8Array | undefined;
  /** Sectors that were not written and rest on *equal*. */
  readonly sectorsByEqual: number;
  /** How the sectors of the last session came to be erased. */
  readonly erase: Receipt['erase'];
  /** How long the chip worked in the last session. */
  readonly chipTimes: ChipTimes;
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
  /** Sessions of the job in which frames of the image left. */
  readonly imageSessions: number;
  readonly time: JobTimes;
  readonly clock: Clock;
  readonly random: Random;
  readonly key: SigningKeyPair<'receipt'>;
}

/**
 * A receipt of ours with what it says: just signed, or read from the store and verified. Nothing else is signed again.
 */
export interface OwnReceipt {
  readonly signed: SignedText;
  readonly receipt: Receipt;
}

/** A receipt over what the stub said, signed now. */
export function makeReceipt(context: ReceiptContext, evidence: Evidence): OwnReceipt {
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
    erase: evidence.erase,
    time: context.time,
    code: code.code,
    ranges: plan.ranges.length,
    bytes: plan.ranges.reduce((sum, { length }) => sum + length, 0),
    wordsProgrammed: evidence.wordsProgrammed,
    psize: evidence.width ?? null,
    stubHash: toHex(stubHash),
    sealedAt: isoTime(clock.wall()),
    lock: { asked: plan.lock !== 'none', optcr: null },
    ...deviceEvidence(plan, context.imageSessions),
    statement: receiptStatement(plan.mode, evidence.source, code.policy === 'once'),
    vendorKey: toHex(key.publicKey),
  };
  return { receipt, signed: signReceipt(receipt, key) };
}

/** What is known of a device with a loader: M1 was refused unless its lock is in effect and nobody looks in. */
function deviceEvidence({ mode }: Plan, sessions: number): Pick<Receipt, 'device'> {
  const enrolled = placeOf(mode);
  return enrolled === undefined ? {} : { device: { enrolled, lock: 'effective', sessions } };
}

/** Whose receipt has to stand in the store. */
export interface ReceiptOwner {
  /** 32 digits. */
  readonly job: string;
  /** 24 digits. */
  readonly uid: string;
  readonly planBytes: Uint8Array;
  /** The vendor's receipt key, public half, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly verify: Verify;
}

/**
 * A receipt out of the store. Whoever can write there may have put another in its place: it is taken with our own
 * signature, for this job, plan and unit. @throws BF-JOB-STORED-RECEIPT
 */
export function requireOwnReceipt(signed: SignedText, owner: ReceiptOwner): OwnReceipt {
  const receipt = verified(signed, owner);
  const refuse = (what: string): never => {
    throw fail('BF-JOB-STORED-RECEIPT', `it is for another ${what}`);
  };
  if (receipt.job !== owner.job) refuse('job');
  if (receipt.uid !== owner.uid) refuse('unit');
  if (receipt.planHash !== toHex(planHash(owner.planBytes))) refuse('plan');
  return { signed, receipt };
}

function verified(signed: SignedText, { verify, publicKey }: ReceiptOwner): Receipt {
  try {
    return verifyReceipt(signed, verify, publicKey);
  } catch (error) {
    throw isBlindflashError(error, 'BF-JOB-RECEIPT') ? fail('BF-JOB-STORED-RECEIPT', error.detail, error) : error;
  }
}

/** The same receipt with what OPTCR read after LOCK. */
export function withLock(
  { receipt }: OwnReceipt,
  optcr: number,
  level1: boolean,
  key: SigningKeyPair<'receipt'>,
): OwnReceipt {
  const outcome: Outcome = level1 ? 'lock programmed' : receipt.outcome;
  const locked: Receipt = { ...receipt, outcome, lock: { asked: true, optcr } };
  return { receipt: locked, signed: signReceipt(locked, key) };
}

/** The customer's copy of a receipt of ours. */
export function customerCopyOf({ receipt }: OwnReceipt, key: SigningKeyPair<'receipt'>): SignedText {
  return signCustomerCopy(receipt, key);
}

/** How the work of a receipt was authorised. @throws BF-INTERNAL-ARGUMENT when it was not */
export function codeEvidence({ code, codePolicy }: JobRecord): CodeEvidence {
  if (code === undefined) throw fail('BF-INTERNAL-ARGUMENT', 'a receipt without a code');
  return { code, policy: codePolicy };
}

/** True if the receipt says this digest. @param root 64 bytes; undefined for an erase */
export function saysDigest({ receipt: { imageDigest } }: OwnReceipt, root: Uint8Array | undefined): boolean {
  return imageDigest === (root === undefined ? null : toHex(root));
}
