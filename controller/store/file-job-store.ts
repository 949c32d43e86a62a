// Edge: jobs, receipts and open invites as files only their owner can read, each replaced whole or not at all. Jobs and
// invites are sealed under the home key: whoever can only read the folder, or a copy of it, neither takes the vendor's
// place nor learns of a job.
import { anyIncomplete } from './incomplete.ts';
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { jobId, type JobRecord, type RoomRecord } from '../job/job-record.ts';
import { formatJob, formatRoom, parseJob, parseRoom } from './job-form.ts';
import { roomHash } from '../job/invite.ts';
import { withPendingWrites } from './pending-writes.ts';
import { takeLock } from './job-lock.ts';
import type { JobStore, ReceiptKey, StoreAccess } from './port.ts';
import { openFile, sealFile, type FileName, type HomeKey } from './sealed-file.ts';
import { equalBytes, fromUtf8, toHex, utf8 } from '../../shared/codec/bytes.ts';
import { fail, isBlindflashError } from '../../shared/errors/errors.ts';
import { formatSigned, parseSigned, type SignedText } from '../../shared/plan/receipt.ts';
import {
  readPrivateFile,
  removePrivateFile,
  requirePrivateFolder,
  writePrivateFile,
} from '../../shared/platform/node/private-file.ts';
import type { Random } from '../../shared/ports.ts';
import type { Home } from './home.ts';

const ID = /^[0-9a-f]{32}$/;
/** JOB-UNIT.receipt */
const RECEIPT = /([0-9a-f]{32})-([0-9a-f]{24})\.receipt$/;

/** What a store needs beside its folder. */
export interface FileStoreOptions {
  /**
   * The key of unfinished jobs and open invites; asked for when the first of them is read or written,
   * never for lists and receipts.
   */
  readonly homeKey: () => Promise<HomeKey>;
  readonly random: Random;
}

/** The vendor's folder as a store: one file for each job, receipt and open invite. */
export class FileJobStore implements JobStore {
  readonly #home: Home;
  readonly #options: FileStoreOptions;
  /** The transaction before the next one, over or not; never rejects. */
  #lastTransaction: Promise<unknown> = Promise.resolve();

  constructor(home: Home, options: FileStoreOptions) {
    this.#home = home;
    this.#options = options;
  }

  async save(record: JobRecord): Promise<void> {
    await this.#seal({ kind: 'job', id: jobId(record) }, formatJob(record));
  }

  async load(id: string): Promise<JobRecord> {
    if (!ID.test(id)) throw fail('BF-JOB-UNKNOWN', 'a job id has 32 hexadecimal digits');
    const record = parseJob(await this.#open({ kind: 'job', id }, 'BF-JOB-UNKNOWN'));
    if (jobId(record) !== id) throw fail('BF-JOB-STATE', 'the file holds another job');
    return record;
  }

  async receipt(job: string, uid: string): Promise<SignedText | undefined> {
    try {
      return parseSigned(await this.#readText(this.receiptFile({ job, uid }), 'BF-JOB-UNKNOWN'));
    } catch (error) {
      if (isBlindflashError(error, 'BF-JOB-UNKNOWN')) return undefined;
      if (isBlindflashError(error, 'BF-JOB-RECEIPT')) throw fail('BF-JOB-STORED-RECEIPT', error.detail, error);
      throw error;
    }
  }

  async storeReceipt(job: string, uid: string, receipt: SignedText): Promise<void> {
    await this.#write(this.receiptFile({ job, uid }), formatSigned(receipt));
  }

  /** Where the receipt of this job for this unit is or would be, for a person who wants to pass it on. */
  receiptFile({ job, uid }: ReceiptKey): string {
    return join(this.#home.receipts, `${job}-${uid}.receipt`);
  }

  async receipts(): Promise<ReceiptKey[]> {
    const matches = (await filesIn(this.#home.receipts, '.receipt')).map((file) => RECEIPT.exec(file));
    return matches.flatMap((match) => (match === null ? [] : [{ job: match[1] as string, uid: match[2] as string }]));
  }

  leftIncomplete(uid: string, except: string): Promise<boolean> {
    return anyIncomplete(this, uid, except);
  }

  async jobIds(): Promise<string[]> {
    const files = await filesIn(this.#home.jobs, '.json');
    return files.map((file) => file.slice(-37, -5)).filter((id) => ID.test(id));
  }

  async saveInvite(room: RoomRecord): Promise<void> {
    await this.#seal(inviteName(roomHash(room)), formatRoom(room));
  }

  /** Whoever removes the file has the invite: the operating system lets one caller do it. */
  async takeInvite(hash: Uint8Array): Promise<RoomRecord> {
    const name = inviteName(hash);
    const room = parseRoom(await this.#open(name, 'BF-INVITE-USED'));
    if (!equalBytes(roomHash(room), hash)) throw fail('BF-JOB-STATE', 'the file holds another invite');
    const file = this.#fileOf(name);
    if (!(await removePrivateFile(file))) throw fail('BF-INVITE-USED', file);
    return room;
  }

  async claim(id: string): Promise<() => Promise<void>> {
    if (!ID.test(id)) throw fail('BF-JOB-UNKNOWN', 'a job id has 32 hexadecimal digits');
    const lock = join(this.#home.jobs, `${id}.lock`);
    await this.#requireOwnFolders(lock);
    return takeLock(lock);
  }

  transaction<T>(work: (store: StoreAccess) => Promise<T>): Promise<T> {
    const result = this.#lastTransaction.then(() => withPendingWrites(this, work));
    this.#lastTransaction = result.catch(() => {});
    return result;
  }

  async #seal(name: FileName, content: string): Promise<void> {
    const { homeKey, random } = this.#options;
    await this.#write(this.#fileOf(name), sealFile(await homeKey(), name, content, random));
  }

  async #open(name: FileName, missing: Missing): Promise<string> {
    const text = await this.#readText(this.#fileOf(name), missing);
    return openFile(await this.#options.homeKey(), name, text);
  }

  #fileOf({ kind, id }: FileName): string {
    return join(kind === 'job' ? this.#home.jobs : this.#home.invites, `${id}.json`);
  }

  async #readText(file: string, missing: Missing): Promise<string> {
    await this.#requireOwnFolders(file);
    return fromUtf8(await readPrivateFile(file, { missing }), 'BF-JOB-STATE', 'the file');
  }

  async #write(file: string, text: string): Promise<void> {
    await this.#requireOwnFolders(file);
    await writePrivateFile(file, utf8(text));
  }

  async #requireOwnFolders(file: string): Promise<void> {
    await requirePrivateFolder(this.#home.folder);
    await requirePrivateFolder(dirname(file));
  }
}

type Missing = 'BF-JOB-UNKNOWN' | 'BF-INVITE-USED';

/** @param hash of the public invite, 64 bytes: its first 16 name the file */
function inviteName(hash: Uint8Array): FileName {
  return { kind: 'invite', id: toHex(hash).slice(0, 32) };
}

async function filesIn(folder: string, ending: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => name.endsWith(ending) && !name.startsWith('.'))
    .sort()
    .map((name) => join(folder, name));
}
