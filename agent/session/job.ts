// A JOB as it arrives: read, held against the rules, the board and the installation, before anybody is asked
// (docs/protocol.md §3, §7, §14; docs/product.md §2).
import { equalBytes } from '../../shared/codec/bytes.ts';
import { isCutWrite, requireChip, type Chip } from '../../shared/chips/index.ts';
import { fail } from '../../shared/errors/errors.ts';
import { KINDS } from '../../shared/plan/kinds.ts';
import { decodePlan, planHash, type Plan } from '../../shared/plan/plan.ts';
import { consentHash } from '../../shared/plan/consent.ts';
import { requireUnprotected } from '../../shared/plan/protection.ts';
import { checkPlan } from '../../shared/plan/rules.ts';
import { vendorFingerprint } from '../../shared/tunnel/invite.ts';
import type { MessageOf } from '../../shared/tunnel/messages.ts';
import type { KnownStubs } from '../target/stubs.ts';
import type { BoardIdentity } from '../target/target-session.ts';
import type { StubJob } from '../transport/port.ts';

/**
 * A job worth asking about. The hash is of the bytes that arrived, which are those shown and those handed to the stub.
 */
export interface Job extends StubJob {
  readonly plan: Plan;
  readonly chip: Chip;
  /** Of the plan, 64 bytes. */
  readonly hash: Uint8Array;
  /** The key the vendor signs receipts with, 32 bytes. */
  readonly receiptPublic: Uint8Array;
  /** What would be run, 64 bytes; undefined for kinds that run no stub. */
  readonly stubHash: Uint8Array | undefined;
  /** What a yes is for, 64 bytes (docs/protocol.md §14). */
  readonly consentHash: Uint8Array;
}

/** What a JOB is held against. */
export interface JobPlace {
  readonly board: BoardIdentity;
  /** V of the invite, 32 bytes. */
  readonly vendor: Uint8Array;
  readonly stubs: KnownStubs;
}

/**
 * Reads and checks a JOB for this board, invite and installation.
 * @throws BF-JOB-OTHER-VENDOR, BF-PLAN-*, BF-TARGET-WRONG-CHIP, BF-TARGET-RDP1, BF-STUB-UNKNOWN
 */
export function readJob(message: MessageOf<'JOB'>, { board, vendor, stubs }: JobPlace): Job {
  const { sealedPublic, receiptPublic, hostEntropy } = message;
  if (!equalBytes(vendorFingerprint(sealedPublic, receiptPublic), vendor)) throw fail('BF-JOB-OTHER-VENDOR');
  const plan = decodePlan(message.plan);
  const chip = requireChip(plan.devId);
  checkPlan(plan, chip);
  const hash = planHash(message.plan);
  requireBoard(plan, board);
  const stubHash = KINDS[plan.kind].stub ? stubs.forChip(plan.devId).hash : undefined;
  return {
    plan,
    chip,
    hash,
    sealedPublic,
    receiptPublic,
    hostEntropy,
    planBytes: message.plan,
    stubHash,
    consentHash: consentHash({ planHash: hash, vendor, uid: board.uid, stubHash }),
  };
}

/** True if a stub that works on `other` can go on with `job`: the hostEntropy may differ, it has done its work. */
export function sameJob(job: StubJob, other: StubJob | undefined): boolean {
  return (
    other !== undefined &&
    equalBytes(job.planBytes, other.planBytes) &&
    equalBytes(job.sealedPublic, other.sealedPublic)
  );
}

function requireBoard(plan: Plan, board: BoardIdentity): void {
  if (plan.devId !== board.devId) {
    throw fail('BF-PLAN-WRONG-CHIP', `the board has DEV_ID 0x${board.devId.toString(16)}`);
  }
  if (KINDS[plan.kind].stub && board.rdp !== 0) {
    throw fail(isCutWrite(requireChip(plan.devId), board) ? 'BF-TARGET-OPTIONS-CUT' : 'BF-TARGET-RDP1');
  }
  requireUnprotected(plan, requireChip(plan.devId), board);
  if (plan.flashKiB !== 0 && board.flashKiB !== 0 && plan.flashKiB !== board.flashKiB) {
    throw fail('BF-PLAN-WRONG-CHIP', `the board has ${board.flashKiB} KiB of flash, the plan says ${plan.flashKiB}`);
  }
}
