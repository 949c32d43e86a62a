// What follows a job that plants a loader, on the vendor's side (docs/protocol.md §11, "Planting"): its invite leads to
// one more job, the enrolment of the device.
import { planOf, type JobRecord } from '../store/job-record.ts';
import type { BlindflashError } from '../../shared/errors/errors.ts';
import { plantsLoader } from '../../shared/plan/plan.ts';

/**
 * The loader is on the chip and its lock was sent, so that the enrolment is what is left to do: the job is finished, or
 * the chip reads level 1 after the chip had proved what was written and nobody heard the answer to LOCK. In the second
 * half BF-JOB-PLANTED means this, too.
 * @param error what ended the job, if it was not done
 */
export function isPlanted(record: JobRecord, error: Pick<BlindflashError, 'code'> | undefined): boolean {
  if (error?.code === 'BF-JOB-PLANTED') return true;
  if (!plantsLoader(planOf(record))) return false;
  if (record.finished) return error === undefined || error.code === 'BF-RELAY-LONELY';
  return record.chipProved === 'written' && error?.code === 'BF-TARGET-RDP1';
}
