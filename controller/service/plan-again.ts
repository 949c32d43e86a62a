// The plan of a job that is resumed on a chip of another flash size than it was planned for.
import { equalBytes } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import { encodePlan, type Plan } from '../../shared/plan/plan.ts';
import { planOf, type JobRecord } from '../store/job-record.ts';

/** Makes a plan for a job id and a flash size (KiB; undefined: the chip's largest), as a command was told to. */
export type PlanMaker = (job: Uint8Array, flashKiB: number | undefined) => Plan;

/**
 * The job's plan for another flash size. @throws BF-USAGE when `make` would not have made the plan on record: a resumed
 * job must not lose its lock, or erase other sectors, because an option was left out.
 */
export function planAgain(record: JobRecord, make: PlanMaker, flashKiB: number): Plan {
  const { job, flashKiB: before } = planOf(record);
  if (!makesIt(record, () => make(job, before))) {
    throw fail(
      'BF-USAGE',
      `the chip has ${flashKiB} KiB of flash; to plan for it, repeat the options the job was begun with`,
    );
  }
  return make(job, flashKiB);
}

function makesIt({ plan }: JobRecord, make: () => Plan): boolean {
  try {
    return equalBytes(encodePlan(make()), plan);
  } catch {
    return false;
  }
}
