// What follows a job that plants a loader, on the customer's side (docs/protocol.md §11, "Planting"): the board is
// locked, and the next job of the same invite comes over the serial line.
import { findChip, isCutWrite } from '../../shared/chips/index.ts';
import type { BlindflashError } from '../../shared/errors/errors.ts';
import { decodePlan, plantsLoader } from '../../shared/plan/plan.ts';
import type { BoardIdentity } from '../target/target-session.ts';
import type { AgentOutcome, Consent } from './ports.ts';

/** The yes is to a plan that plants a loader. */
function agreedToPlant(consent: Consent | undefined): boolean {
  return consent !== undefined && plantsLoader(decodePlan(consent.plan));
}

/** A board that was to be planted reads level 1, and no option write was cut: its lock is on it. */
export function isLockedByPlanting(consent: Consent | undefined, board: BoardIdentity): boolean {
  const chip = findChip(board.devId);
  return agreedToPlant(consent) && board.rdp === 1 && chip !== undefined && !isCutWrite(chip, board);
}

/**
 * The loader is on the board, and its enrolment is what is left to do: the vendor says that the job is done, or
 * somebody saw the lock of a job whose end nobody heard.
 */
export function isPlanted(
  { result, error }: { readonly result: AgentOutcome['result']; readonly error?: BlindflashError },
  consent: Consent | undefined,
): boolean {
  const isLocked = error?.code === 'BF-JOB-PLANTED' || error?.code === 'BF-TARGET-RDP1';
  return agreedToPlant(consent) && (result === 'done' || isLocked);
}
