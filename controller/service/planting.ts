// A planting as one job for people: the loader written and locked, then the device enrolled, under one invite. What is
// done already is found out from the jobs on record and from the chip, so that it is gone on with at any step
// (docs/devices.md, "Planting"). Pure: whoever talks to people runs each job.
import { isPlanted } from '../job/planting.ts';
import type { JobResult } from '../job/ports.ts';
import { planOf, type JobRecord } from '../store/job-record.ts';
import type { InviteRequest, JobRequest, JobService } from './job-service.ts';
import { copyOf, fromHex, toHex } from '../../shared/codec/bytes.ts';
import { sha512, withDomain } from '../../shared/crypto/hash.ts';
import { asBlindflashError, fail, isBlindflashError } from '../../shared/errors/errors.ts';
import { plantsLoader } from '../../shared/plan/plan.ts';

/** How often an agent is told that the first half is over, before a person is. */
const MOST_TOLD = 3;
const ID_DOMAIN = 'blindflash/2 enrolment after planting';

export interface PlantingOptions {
  readonly service: JobService;
  /** The job that writes and locks, which is on record. 32 digits. */
  readonly id: string;
  readonly planting: JobRequest;
  readonly enrolment: JobRequest;
  /** What is still to do goes on under another invite. */
  readonly renew?: InviteRequest | undefined;
  /** Runs a job to its end, with the vendor looking on. Rejects with what ended it. */
  readonly attend: (record: JobRecord, request: JobRequest) => Promise<JobResult>;
  /** The first half is over: the record of the second, before it is run. */
  readonly onPlanted: (enrolment: JobRecord) => void;
}

/** Id of the enrolment that follows a planting, 16 bytes. @param planting its id, 32 digits */
function enrolmentId(planting: string): Uint8Array {
  return copyOf(sha512(withDomain(ID_DOMAIN, fromHex(planting))), 0, 16);
}

/**
 * Goes on with a planting to its end. Resolves with the result of the enrolment.
 * @throws what ended one of the two jobs; BF-USAGE for a job that plants nothing
 */
export async function plant(options: PlantingOptions): Promise<JobResult> {
  const { service, id, attend, onPlanted } = options;
  const enrolment = { ...options.enrolment, planted: true };
  const next = toHex(enrolmentId(id));
  const known = (await service.list()).some((job) => job.id === next);
  if (!known) await untilPlanted(options);
  let record = known
    ? await resumed(options, next, enrolment)
    : await service.beginAfter(id, enrolment, enrolment.plan(enrolmentId(id), await sizeOf(options)));
  onPlanted(record);
  for (let told = 0; ; told++) {
    try {
      return await attend(record, enrolment);
    } catch (error) {
      if (!isBlindflashError(error, 'BF-JOB-PLANTED') || told === MOST_TOLD) throw error;
      record = await service.resume(next, enrolment);
    }
  }
}

/** The flash size the first job found. */
async function sizeOf({ service, id, planting }: PlantingOptions): Promise<number> {
  return planOf(await service.resume(id, planting)).flashKiB;
}

async function untilPlanted(options: PlantingOptions): Promise<void> {
  const { service, id, planting, attend } = options;
  const record = await resumed(options, id, planting);
  if (!plantsLoader(planOf(record))) throw fail('BF-USAGE', 'this job plants no loader');
  try {
    await attend(record, planting);
  } catch (error) {
    if (!isPlanted(await service.stored(id), asBlindflashError(error))) throw error;
  }
}

function resumed({ service, renew }: PlantingOptions, id: string, request: JobRequest): Promise<JobRecord> {
  return renew === undefined ? service.resume(id, request) : service.resumeUnderNewInvite(id, request, renew);
}
