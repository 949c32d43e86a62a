// Edge: jobs, receipts and open invites as files only their owner can read, each replaced whole or not at all.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { jobId, type JobRecord, type RoomRecord } from '../job/job-record.ts';
import { formatJob, formatRoom, parseJob, parseRoom } from './job-form.ts';
import { roomHash } from '../job/invite.ts';
import { withPendingWrites } from './pending-writes.ts';
import type { JobStore, ReceiptKey, StoreAccess } from './port.ts';
import { fromUtf8, toHex, utf8 } from '../../shared/codec/bytes.ts';
import { fail, isBlindflashError } from '../../shared/errors/errors.ts';
import { formatSigned, parseSigned, type SignedText } from '../../shared/plan/receipt.ts';
import { readPrivateFile, removePrivateFile, writePrivateFile } from '../../shared/platform/node/private-file.ts';
import type { Home } from './home.ts';

const ID = /^[0-9a-f]{32}$/;
/** JOB-UNIT.receipt */
const RECEIPT = /([0-9a-f]{32})-([0-9a-f]{24})\.receipt$/;

/** The vendor's folder as a store: one file for each job, receipt and open invite. */
export class FileJobStore implements JobStore {
  readonly #home: Home;
  /** The transaction before the next one, over or not; never rejects. */
  #lastTransaction: Promise<unknown> = Promise.resolve();

  constructor(home: Home) {
    this.#home = home;
  }

  async save(record: JobRecord): Promise<void> {
    await writePrivateFile(this.#jobFile(jobId(record)), utf8(formatJob(record)));
  }

  async load(id: string): Promise<JobRecord> {
    if (!ID.test(id)) throw fail('BF-JOB-UNKNOWN', 'a job id has 32 hexadecimal digits');
    const record = parseJob(await readText(this.#jobFile(id), 'BF-JOB-UNKNOWN'));
    if (jobId(record) !== id) throw fail('BF-JOB-STATE', 'the file holds another job');
    return record;
  }

  async receipt(job: string, uid: string): Promise<SignedText | undefined> {
    try {
      return parseSigned(await readText(this.receiptFile({ job, uid }), 'BF-JOB-UNKNOWN'));
    } catch (error) {
      if (isBlindflashError(error, 'BF-JOB-UNKNOWN')) return undefined;
      throw error;
    }
  }

  async storeReceipt(job: string, uid: string, receipt: SignedText): Promise<void> {
    await writePrivateFile(this.receiptFile({ job, uid }), utf8(formatSigned(receipt)));
  }

  /** Where the receipt of this job for this unit is or would be, for a person who wants to pass it on. */
  receiptFile({ job, uid }: ReceiptKey): string {
    return join(this.#home.receipts, `${job}-${uid}.receipt`);
  }

  async receipts(): Promise<ReceiptKey[]> {
    const matches = (await filesIn(this.#home.receipts, '.receipt')).map((file) => RECEIPT.exec(file));
    return matches.flatMap((match) => (match === null ? [] : [{ job: match[1] as string, uid: match[2] as string }]));
  }

  async jobIds(): Promise<string[]> {
    const files = await filesIn(this.#home.jobs, '.json');
    return files.map((file) => file.slice(-37, -5)).filter((id) => ID.test(id));
  }

  async saveInvite(room: RoomRecord): Promise<void> {
    await writePrivateFile(this.#inviteFile(roomHash(room)), utf8(formatRoom(room)));
  }

  /** Whoever removes the file has the invite: the operating system lets one caller do it. */
  async takeInvite(hash: Uint8Array): Promise<RoomRecord> {
    const file = this.#inviteFile(hash);
    const room = parseRoom(await readText(file, 'BF-INVITE-USED'));
    if (!(await removePrivateFile(file))) throw fail('BF-INVITE-USED', file);
    return room;
  }

  transaction<T>(work: (store: StoreAccess) => Promise<T>): Promise<T> {
    const result = this.#lastTransaction.then(() => withPendingWrites(this, work));
    this.#lastTransaction = result.catch(() => {});
    return result;
  }

  #jobFile(id: string): string {
    return join(this.#home.jobs, `${id}.json`);
  }

  #inviteFile(hash: Uint8Array): string {
    return join(this.#home.invites, `${toHex(hash).slice(0, 32)}.json`);
  }
}

async function readText(file: string, missing: 'BF-JOB-UNKNOWN' | 'BF-INVITE-USED'): Promise<string> {
  return fromUtf8(await readPrivateFile(file, { missing }), 'BF-JOB-STATE', 'the file');
}

async function filesIn(folder: string, ending: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => name.endsWith(ending) && !name.startsWith('.'))
    .sort()
    .map((name) => join(folder, name));
}
