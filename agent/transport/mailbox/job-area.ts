// The job area's bytes: magic, length, the vendor's key, host entropy, plan (docs/mailbox.md, "Job area").
import { concat, copyOf, Writer } from '../../../shared/codec/bytes.ts';
import { JOB } from '../../../shared/mailbox/layout.ts';
import type { StubJob } from '../port.ts';
import type { Mailbox } from './mailbox.ts';

/** The whole area for a job. */
export function encodeJob(job: StubJob): Uint8Array {
  const length = JOB.fields.plan + job.planBytes.length;
  const head = new Writer().u32(JOB.magic).u32(length).bytes(job.sealedPublic, 'sealedPublic', 32);
  return concat(head.bytes(job.hostEntropy, 'hostEntropy', 32).finish(), job.planBytes);
}

/** The job an earlier agent put there, or undefined when the area holds none that could be one. */
export async function readJobArea(mailbox: Mailbox): Promise<StubJob | undefined> {
  const length = await mailbox.readWord('JOB_LENGTH');
  const { job } = mailbox.layout.memory;
  if (length < JOB.fields.plan || length > job.size || length % 4 !== 0) return undefined;
  const bytes = await mailbox.readAt(job.address, length);
  const part = (from: number, to?: number): Uint8Array => copyOf(bytes, from, to);
  return {
    sealedPublic: part(JOB.fields.sealedKey, JOB.fields.hostEntropy),
    hostEntropy: part(JOB.fields.hostEntropy, JOB.fields.plan),
    planBytes: part(JOB.fields.plan),
  };
}
