// A transaction for a store that has none of its own: writes are held back until the work is done, reads look at them
// first. Its limits are those of JobStore.transaction for files (controller/store/port.ts).
import { anyIncomplete } from './incomplete.ts';
import { roomHash } from '../job/invite.ts';
import { jobId, type JobRecord, type RoomRecord } from '../job/job-record.ts';
import type { ReceiptKey, StoreAccess } from './port.ts';
import { toHex } from '../../shared/codec/bytes.ts';
import type { SignedText } from '../../shared/plan/receipt.ts';

/** Does the work, then the writes it asked for. Rejects with what either of them throws. */
export async function withPendingWrites<T>(store: StoreAccess, work: (store: StoreAccess) => Promise<T>): Promise<T> {
  const pending = new PendingWrites(store);
  try {
    const result = await work(pending);
    await pending.commit();
    return result;
  } catch (error) {
    await pending.abandon();
    throw error;
  }
}

class PendingWrites implements StoreAccess {
  readonly #store: StoreAccess;
  readonly #jobs = new Map<string, JobRecord>();
  readonly #receipts = new Map<string, { readonly key: ReceiptKey; readonly receipt: SignedText }>();
  readonly #invites = new Map<string, RoomRecord>();
  readonly #taken: RoomRecord[] = [];
  /** In the order of the calls. */
  readonly #writes: (() => Promise<void>)[] = [];
  #begun = false;

  constructor(store: StoreAccess) {
    this.#store = store;
  }

  async commit(): Promise<void> {
    for (const write of this.#writes) {
      await write();
      this.#begun = true;
    }
  }

  /** Invites that were taken are there again, unless something that may rest on them has been written. */
  async abandon(): Promise<void> {
    if (this.#begun) return;
    for (const room of this.#taken) await this.#store.saveInvite(room);
  }

  async save(record: JobRecord): Promise<void> {
    this.#jobs.set(jobId(record), record);
    this.#writes.push(() => this.#store.save(record));
  }

  async load(id: string): Promise<JobRecord> {
    return this.#jobs.get(id) ?? this.#store.load(id);
  }

  leftIncomplete(uid: string, except: string): Promise<boolean> {
    return anyIncomplete(this, uid, except);
  }

  async jobIds(): Promise<string[]> {
    return [...new Set([...(await this.#store.jobIds()), ...this.#jobs.keys()])].sort();
  }

  async receipt(job: string, uid: string): Promise<SignedText | undefined> {
    return this.#receipts.get(`${job}-${uid}`)?.receipt ?? this.#store.receipt(job, uid);
  }

  async storeReceipt(job: string, uid: string, receipt: SignedText): Promise<void> {
    this.#receipts.set(`${job}-${uid}`, { key: { job, uid }, receipt });
    this.#writes.push(() => this.#store.storeReceipt(job, uid, receipt));
  }

  async receipts(): Promise<ReceiptKey[]> {
    const keys = new Map((await this.#store.receipts()).map((key) => [`${key.job}-${key.uid}`, key]));
    for (const [name, { key }] of this.#receipts) keys.set(name, key);
    return [...keys].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, key]) => key);
  }

  async saveInvite(room: RoomRecord): Promise<void> {
    const name = toHex(roomHash(room));
    this.#invites.set(name, room);
    // One that is taken again before the end is never written.
    this.#writes.push(async () => {
      if (this.#invites.has(name)) await this.#store.saveInvite(room);
    });
  }

  async takeInvite(hash: Uint8Array): Promise<RoomRecord> {
    const own = this.#invites.get(toHex(hash));
    if (own !== undefined) {
      this.#invites.delete(toHex(hash));
      return own;
    }
    const room = await this.#store.takeInvite(hash);
    this.#taken.push(room);
    return room;
  }
}
