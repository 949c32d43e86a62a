// A transaction of the ledger: what is to be written is held back until the work is done, and reads look at it first;
// then all of it is written in one step. So no work of anybody's holds the database while it waits for something.
import { anyIncomplete } from './incomplete.ts';
import { jobId, inviteHashOf, type JobRecord, type RoomRecord } from './job-record.ts';
import type { ReceiptKey, StoreAccess } from './port.ts';
import { toHex } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import type { SignedText } from '../../shared/plan/receipt.ts';

/** What a store writes in one step; texts are sealed already. */
export type Write =
  | { readonly what: 'job' | 'invite'; readonly id: string; readonly sealed: string }
  /** The invite is gone; nothing at all is written when it was before. */
  | { readonly what: 'taken'; readonly id: string }
  | { readonly what: 'receipt'; readonly key: ReceiptKey; readonly receipt: SignedText };

/** The store under a transaction. */
export interface WritableStore extends StoreAccess {
  sealedJob(record: JobRecord): Promise<Write>;
  sealedInvite(room: RoomRecord): Promise<Write>;
  /** The invite, which stays. @param hash of its public part, 64 bytes. @throws BF-INVITE-USED */
  readInvite(hash: Uint8Array): Promise<RoomRecord>;
  /** The write that takes it. */
  takingOf(hash: Uint8Array): Write;
  /** All of it or nothing. @throws BF-INVITE-USED */
  write(writes: readonly Write[]): Promise<void>;
}

/** Does the work, then the writes it asked for. Rejects with what either of them throws. */
export async function withPendingWrites<T>(store: WritableStore, work: (store: StoreAccess) => Promise<T>): Promise<T> {
  const pending = new PendingWrites(store);
  const result = await work(pending);
  await store.write(pending.writes);
  return result;
}

class PendingWrites implements StoreAccess {
  readonly #store: WritableStore;
  readonly #jobs = new Map<string, JobRecord>();
  readonly #receipts = new Map<string, { readonly key: ReceiptKey; readonly receipt: SignedText }>();
  readonly #invites = new Map<string, { readonly room: RoomRecord; readonly write: Write }>();
  readonly #taken = new Set<string>();
  #writes: Write[] = [];

  constructor(store: WritableStore) {
    this.#store = store;
  }

  /** In the order of the calls. */
  get writes(): readonly Write[] {
    return this.#writes;
  }

  async save(record: JobRecord): Promise<void> {
    this.#jobs.set(jobId(record), record);
    this.#writes.push(await this.#store.sealedJob(record));
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
    const key = { job, uid };
    this.#receipts.set(`${job}-${uid}`, { key, receipt });
    this.#writes.push({ what: 'receipt', key, receipt });
  }

  async receipts(): Promise<ReceiptKey[]> {
    const keys = new Map((await this.#store.receipts()).map((key) => [`${key.job}-${key.uid}`, key]));
    for (const [name, { key }] of this.#receipts) keys.set(name, key);
    return [...keys].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, key]) => key);
  }

  async saveInvite(room: RoomRecord): Promise<void> {
    const write = await this.#store.sealedInvite(room);
    this.#invites.set(toHex(inviteHashOf(room)), { room, write });
    this.#writes.push(write);
  }

  async takeInvite(hash: Uint8Array): Promise<RoomRecord> {
    const name = toHex(hash);
    const own = this.#invites.get(name);
    if (own !== undefined) {
      // One of this transaction that is taken again before its end is never written.
      this.#writes = this.#writes.filter((write) => write !== own.write);
      this.#invites.delete(name);
      return own.room;
    }
    if (this.#taken.has(name)) throw fail('BF-INVITE-USED');
    this.#taken.add(name);
    const room = await this.#store.readInvite(hash);
    this.#writes.push(this.#store.takingOf(hash));
    return room;
  }
}
