// A JOB as it arrives: read, held against the rules, the board and the installation, before anybody is asked
// (docs/protocol.md §3, §7, §14; docs/product.md §2).
import { equalBytes } from '../../shared/codec/bytes.ts';
import { isCutWrite, requireChip, type Chip } from '../../shared/chips/index.ts';
import { fail } from '../../shared/errors/errors.ts';
import { programOf } from '../../shared/plan/program.ts';
import { decodePlan, planHash, type Plan } from '../../shared/plan/plan.ts';
import { consentHash } from '../../shared/plan/consent.ts';
import { requireUnprotected } from '../../shared/plan/protection.ts';
import { checkPlan } from '../../shared/plan/rules.ts';
import { vendorFingerprint } from '../../shared/tunnel/invite.ts';
import type { MessageOf } from '../../shared/tunnel/messages.ts';
import type { Target } from '../target/target.ts';
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
  /** The program that would do the work, 64 bytes; undefined for kinds that need none. */
  readonly stubHash: Uint8Array | undefined;
  /** What a yes is for, 64 bytes (docs/protocol.md §14). */
  readonly consentHash: Uint8Array;
}

/** What a JOB is held against. */
export interface JobPlace {
  readonly target: Pick<Target, 'identity' | 'program' | 'programHash'>;
  /** V of the invite, 32 bytes. */
  readonly vendor: Uint8Array;
}

/**
 * Reads and checks a JOB for this board, invite and installation.
 * @throws BF-JOB-OTHER-VENDOR, BF-JOB-OTHER-WAY, BF-PLAN-*, BF-TARGET-*, BF-STUB-UNKNOWN
 */
export function readJob(message: MessageOf<'JOB'>, { target, vendor }: JobPlace): Job {
  const { sealedPublic, receiptPublic, hostEntropy } = message;
  if (!equalBytes(vendorFingerprint(sealedPublic, receiptPublic), vendor)) throw fail('BF-JOB-OTHER-VENDOR');
  const plan = decodePlan(message.plan);
  const chip = requireChip(plan.devId);
  checkPlan(plan, chip);
  const hash = planHash(message.plan);
  const board = target.identity;
  requireBoard(plan, target);
  const stubHash = programOf(plan) === undefined ? undefined : target.programHash(plan.devId);
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

function requireBoard(plan: Plan, { identity: board, program }: JobPlace['target']): void {
  requireWay(plan, program);
  if (plan.devId !== board.devId) {
    throw fail('BF-PLAN-WRONG-CHIP', `the board has DEV_ID 0x${board.devId.toString(16)}`);
  }
  if (program === 'loader') {
    if (board.rdp !== 1) throw fail(board.rdp === 0 ? 'BF-TARGET-UNLOCKED' : 'BF-TARGET-RDP2');
  } else if (programOf(plan) !== undefined && board.rdp !== 0) {
    throw fail(isCutWrite(requireChip(plan.devId), board) ? 'BF-TARGET-OPTIONS-CUT' : 'BF-TARGET-RDP1');
  }
  requireUnprotected(plan, requireChip(plan.devId), board);
  if (plan.flashKiB !== 0 && board.flashKiB !== 0 && plan.flashKiB !== board.flashKiB) {
    throw fail('BF-PLAN-WRONG-CHIP', `the board has ${board.flashKiB} KiB of flash, the plan says ${plan.flashKiB}`);
  }
}

/** Over a serial line nothing is done but by the loader, and a loader is reached in no other way. */
function requireWay(plan: Plan, program: JobPlace['target']['program']): void {
  const wanted = programOf(plan) ?? 'stub';
  if (wanted === program) return;
  const way = program === 'loader' ? 'over the serial line to the loader' : 'through a probe';
  throw fail('BF-JOB-OTHER-WAY', `the customer’s computer reaches the board ${way}`);
}
