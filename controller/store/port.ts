// The store port: everything a vendor's job keeps between two processes. Keys are not in it: they are opened with a
// passphrase and live in a file of their own (controller/store/keys-file.ts). Every implementation passes
// test/unit/controller/store.test.ts.
import type { JobRecord, RoomRecord } from './job-record.ts';
import type { SignedText } from '../../shared/plan/receipt.ts';

/** What a running job needs of the store. A call that has returned is on disk. */
export interface RunStore {
  /** Keeps the record in place of an earlier state of the same job. */
  save(record: JobRecord): Promise<void>;
  /**
   * True when another job began to change the flash of this unit and has not proved that it came to its end, or a
   * record of another job cannot be read: an erase may have been cut there.
   * @param uid 24 digits. @param except id of the job that asks
   */
  leftIncomplete(uid: string, except: string): Promise<boolean>;
  /** The receipt of this job for this unit, if there is one. @param uid 24 digits. */
  receipt(job: string, uid: string): Promise<SignedText | undefined>;
  /** Keeps the one receipt of this job for this unit, in place of an earlier state of it. */
  storeReceipt(job: string, uid: string, receipt: SignedText): Promise<void>;
}

/** Names one receipt. */
export interface ReceiptKey {
  /** Job id, 32 digits. */
  readonly job: string;
  /** Unit, 24 digits. */
  readonly uid: string;
}

/** Everything that is stored, by single calls. */
export interface StoreAccess extends RunStore {
  /** Ids of all jobs, ascending. */
  jobIds(): Promise<string[]>;
  /** @param id 32 digits. @throws BF-JOB-UNKNOWN for an id nobody saved, BF-JOB-STATE for a record that is damaged */
  load(id: string): Promise<JobRecord>;
  /** All receipts, ascending by job and unit. */
  receipts(): Promise<ReceiptKey[]>;
  /** Keeps the vendor's half of an invite until a job takes it. */
  saveInvite(room: RoomRecord): Promise<void>;
  /**
   * Takes the vendor's half of an invite out of the store. Of all callers, in whatever processes, one gets it.
   * @param hash of its public part, 64 bytes (publicInviteHash). @throws BF-INVITE-USED when it
   * is not or no longer there
   */
  takeInvite(hash: Uint8Array): Promise<RoomRecord>;
}

/** The store. */
export interface JobStore extends StoreAccess {
  /**
   * Takes a job for its owner, so that nobody else changes its record meanwhile; the returned function gives it back.
   * @param id 32 digits. @throws BF-JOB-BUSY naming who has it
   */
  claim(id: string): Promise<() => Promise<void>>;
  /**
   * Runs `work`; its writes are kept in one step once it has resolved, and none of them when it rejects. Transactions
   * of one store object run one after the other. What `work` reads through its argument includes what it has written.
   * @throws BF-INVITE-USED also at the end, when another process took the invite meanwhile
   */
  transaction<T>(work: (store: StoreAccess) => Promise<T>): Promise<T>;
}
