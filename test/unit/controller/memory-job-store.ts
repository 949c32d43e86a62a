// The store port in memory, for tests: keeps every state a job was saved in, and commits in one
// step as a database does.
import { jobId, inviteHashOf, type JobRecord, type RoomRecord } from '../../../controller/store/job-record.ts';
import { anyIncomplete } from '../../../controller/store/incomplete.ts';
import type { JobStore, ReceiptKey, StoreAccess } from '../../../controller/store/port.ts';
import { toHex } from '../../../shared/codec/bytes.ts';
import { fail } from '../../../shared/errors/errors.ts';
import type { SignedText } from '../../../shared/plan/receipt.ts';

export class MemoryJobStore implements JobStore {
  /** Every saved state, in order. */
  saved: JobRecord[] = [];
  /** By `JOB UNIT`. */
  stored = new Map<string, SignedText>();
  invites = new Map<string, RoomRecord>();
  readonly claimed = new Set<string>();
  /** Outcomes of the receipts, in the order in which they were stored. */
  readonly outcomes: string[] = [];
  #lastTransaction: Promise<unknown> = Promise.resolve();

  get last(): JobRecord {
    return this.saved.at(-1)!;
  }

  async save(record: JobRecord): Promise<void> {
    // As a disk does: what was saved does not change with what is in memory.
    this.saved.push(structuredClone(record));
  }

  async load(id: string): Promise<JobRecord> {
    const record = this.saved.findLast((saved) => jobId(saved) === id);
    if (record === undefined) throw fail('BF-JOB-UNKNOWN');
    return record;
  }

  leftIncomplete(uid: string, except: string): Promise<boolean> {
    return anyIncomplete(this, uid, except);
  }

  async jobIds(): Promise<string[]> {
    return [...new Set(this.saved.map(jobId))].sort();
  }

  async receipt(job: string, uid: string): Promise<SignedText | undefined> {
    return this.stored.get(`${job} ${uid}`);
  }

  async storeReceipt(job: string, uid: string, receipt: SignedText): Promise<void> {
    this.outcomes.push(JSON.parse(receipt.text).outcome);
    this.stored.set(`${job} ${uid}`, receipt);
  }

  async receipts(): Promise<ReceiptKey[]> {
    return [...this.stored.keys()].sort().map((name) => ({ job: name.slice(0, 32), uid: name.slice(33) }));
  }

  async saveInvite(room: RoomRecord): Promise<void> {
    this.invites.set(toHex(inviteHashOf(room)), room);
  }

  async takeInvite(hash: Uint8Array): Promise<RoomRecord> {
    const room = this.invites.get(toHex(hash));
    if (room === undefined) throw fail('BF-INVITE-USED');
    this.invites.delete(toHex(hash));
    return room;
  }

  async claim(id: string): Promise<() => Promise<void>> {
    if (this.claimed.has(id)) throw fail('BF-JOB-BUSY', 'this test');
    this.claimed.add(id);
    return async () => void this.claimed.delete(id);
  }

  transaction<T>(work: (store: StoreAccess) => Promise<T>): Promise<T> {
    const result = this.#lastTransaction.then(() => this.#undoOnFailure(work));
    this.#lastTransaction = result.catch(() => {});
    return result;
  }

  async #undoOnFailure<T>(work: (store: StoreAccess) => Promise<T>): Promise<T> {
    const before = { saved: [...this.saved], stored: new Map(this.stored), invites: new Map(this.invites) };
    try {
      return await work(this);
    } catch (error) {
      Object.assign(this, before);
      throw error;
    }
  }
}
