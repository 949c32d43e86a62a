// Edge: jobs, open invites and receipts in the vendor's ledger. Jobs and invites are sealed under the home key: whoever
// can only read the folder, or a copy of it, neither takes the vendor's place nor learns of a job. Receipts are
// signed; each is a file as well, to be passed on.
import { join } from 'node:path';
import { anyIncomplete } from './incomplete.ts';
import { jobId, inviteHashOf, type JobRecord, type RoomRecord } from './job-record.ts';
import { formatJob, formatRoom, parseJob, parseRoom } from './job-form.ts';
import { takeLock } from './job-lock.ts';
import type { Ledger } from './ledger.ts';
import { withPendingWrites, type WritableStore, type Write } from './pending-writes.ts';
import type { JobStore, ReceiptKey, StoreAccess } from './port.ts';
import { openText, sealText, type SealedName, type HomeKey } from './sealed-text.ts';
import type { SqlDatabase, SqlRow, SqlValue } from './sql.ts';
import { equalBytes, toHex, utf8 } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import { formatSigned, type SignedText } from '../../shared/plan/receipt.ts';
import { requirePrivateFile, requirePrivateFolder, writePrivateFile } from '../../shared/platform/node/private-file.ts';
import type { Random } from '../../shared/ports.ts';

const ID = /^[0-9a-f]{32}$/;

/** What a store needs beside its ledger. */
export interface LedgerStoreOptions {
  /**
   * The key of unfinished jobs and open invites; asked for when the first of them is read or written,
   * never for lists and receipts.
   */
  readonly homeKey: () => Promise<HomeKey>;
  readonly random: Random;
}

/** The vendor's ledger as a store. */
export class LedgerJobStore implements JobStore, WritableStore {
  readonly #ledger: Ledger;
  readonly #options: LedgerStoreOptions;
  /** The transaction before the next one, over or not; never rejects. */
  #lastTransaction: Promise<unknown> = Promise.resolve();

  constructor(ledger: Ledger, options: LedgerStoreOptions) {
    this.#ledger = ledger;
    this.#options = options;
  }

  async save(record: JobRecord): Promise<void> {
    await this.write([await this.sealedJob(record)]);
  }

  async load(id: string): Promise<JobRecord> {
    if (!ID.test(id)) throw fail('BF-JOB-UNKNOWN', 'a job id has 32 hexadecimal digits');
    const [row] = await this.#rows('SELECT sealed FROM jobs WHERE id = ?', id);
    if (row === undefined) throw fail('BF-JOB-UNKNOWN', id);
    const record = parseJob(await this.#opened({ kind: 'job', id }, row));
    if (jobId(record) !== id) throw fail('BF-JOB-STATE', 'the row holds another job');
    return record;
  }

  async receipt(job: string, uid: string): Promise<SignedText | undefined> {
    const [row] = await this.#rows('SELECT text, signature FROM receipts WHERE job = ? AND uid = ?', job, uid);
    return row === undefined ? undefined : { text: String(row['text']), signature: String(row['signature']) };
  }

  async storeReceipt(job: string, uid: string, receipt: SignedText): Promise<void> {
    await this.write([{ what: 'receipt', key: { job, uid }, receipt }]);
  }

  async receipts(): Promise<ReceiptKey[]> {
    const rows = await this.#rows('SELECT job, uid FROM receipts ORDER BY job, uid');
    return rows.map((row) => ({ job: String(row['job']), uid: String(row['uid']) }));
  }

  /**
   * The receipt of this job for this unit as a file to pass on; written again when it is gone.
   * @throws BF-JOB-UNKNOWN, BF-KEYS-PERMISSIONS, BF-USAGE-FILE
   */
  async receiptFile(key: ReceiptKey): Promise<string> {
    const path = this.#receiptPath(key);
    if (await requirePrivateFile(path)) return path;
    const receipt = await this.receipt(key.job, key.uid);
    if (receipt === undefined) throw fail('BF-JOB-UNKNOWN', path);
    await this.#export(key, receipt);
    return path;
  }

  leftIncomplete(uid: string, except: string): Promise<boolean> {
    return anyIncomplete(this, uid, except);
  }

  async jobIds(): Promise<string[]> {
    return (await this.#rows('SELECT id FROM jobs ORDER BY id')).map(({ id }) => String(id));
  }

  async saveInvite(room: RoomRecord): Promise<void> {
    await this.write([await this.sealedInvite(room)]);
  }

  async takeInvite(hash: Uint8Array): Promise<RoomRecord> {
    const room = await this.readInvite(hash);
    await this.write([this.takingOf(hash)]);
    return room;
  }

  async claim(id: string): Promise<() => Promise<void>> {
    if (!ID.test(id)) throw fail('BF-JOB-UNKNOWN', 'a job id has 32 hexadecimal digits');
    const { folder, jobs } = this.#ledger.home;
    await requirePrivateFolder(folder);
    await requirePrivateFolder(jobs);
    return takeLock(join(jobs, `${id}.lock`));
  }

  transaction<T>(work: (store: StoreAccess) => Promise<T>): Promise<T> {
    const result = this.#lastTransaction.then(() => withPendingWrites(this, work));
    this.#lastTransaction = result.catch(() => {});
    return result;
  }

  // ── what a transaction is made of ─────────────────────────────────────────────────────────────────────────────

  async sealedJob(record: JobRecord): Promise<Write> {
    const id = jobId(record);
    return { what: 'job', id, sealed: await this.#sealed({ kind: 'job', id }, formatJob(record)) };
  }

  async sealedInvite(room: RoomRecord): Promise<Write> {
    const name = inviteName(inviteHashOf(room));
    return { what: 'invite', id: name.id, sealed: await this.#sealed(name, formatRoom(room)) };
  }

  async readInvite(hash: Uint8Array): Promise<RoomRecord> {
    const name = inviteName(hash);
    const [row] = await this.#rows('SELECT sealed FROM invites WHERE id = ? AND sealed IS NOT NULL', name.id);
    if (row === undefined) throw fail('BF-INVITE-USED', name.id);
    const room = parseRoom(await this.#opened(name, row));
    if (!equalBytes(inviteHashOf(room), hash)) throw fail('BF-JOB-STATE', 'the row holds another invite');
    return room;
  }

  takingOf(hash: Uint8Array): Write {
    return { what: 'taken', id: inviteName(hash).id };
  }

  async write(writes: readonly Write[]): Promise<void> {
    const database = await this.#ledger.database();
    database.transaction(() => {
      for (const write of writes) applyWrite(database, write);
    });
    for (const write of writes) if (write.what === 'receipt') await this.#export(write.key, write.receipt);
  }

  async #rows(sql: string, ...values: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    return (await this.#ledger.existing())?.all(sql, ...values) ?? [];
  }

  async #sealed(name: SealedName, content: string): Promise<string> {
    const { homeKey, random } = this.#options;
    return sealText(await homeKey(), name, content, random);
  }

  async #opened(name: SealedName, { sealed }: SqlRow): Promise<string> {
    return openText(await this.#options.homeKey(), name, String(sealed));
  }

  #receiptPath({ job, uid }: ReceiptKey): string {
    return join(this.#ledger.home.receipts, `${job}-${uid}.receipt`);
  }

  async #export(key: ReceiptKey, receipt: SignedText): Promise<void> {
    await requirePrivateFolder(this.#ledger.home.receipts);
    await writePrivateFile(this.#receiptPath(key), utf8(formatSigned(receipt)));
  }
}

const PUT_JOB = 'INSERT INTO jobs (id, sealed) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed';
const PUT_INVITE =
  'INSERT INTO invites (id, sealed) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed';
const TAKE_INVITE = 'UPDATE invites SET sealed = NULL WHERE id = ? AND sealed IS NOT NULL';
const PUT_RECEIPT = `INSERT INTO receipts (job, uid, text, signature) VALUES (?, ?, ?, ?)
  ON CONFLICT (job, uid) DO UPDATE SET text = excluded.text, signature = excluded.signature`;

/** @throws BF-INVITE-USED for an invite that somebody else has taken */
function applyWrite(database: SqlDatabase, write: Write): void {
  switch (write.what) {
    case 'job':
      database.run(PUT_JOB, write.id, write.sealed);
      return;
    case 'invite':
      database.run(PUT_INVITE, write.id, write.sealed);
      return;
    case 'taken':
      if (database.run(TAKE_INVITE, write.id) !== 1) throw fail('BF-INVITE-USED', write.id);
      return;
    case 'receipt': {
      const { key, receipt } = write;
      database.run(PUT_RECEIPT, key.job, key.uid, receipt.text, receipt.signature);
    }
  }
}

/** @param hash of the public invite, 64 bytes: its first 16 name it */
function inviteName(hash: Uint8Array): SealedName {
  return { kind: 'invite', id: toHex(hash).slice(0, 32) };
}
