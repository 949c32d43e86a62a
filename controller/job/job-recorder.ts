// The record of a job and its one receipt, kept through the port RunStore in the order of the changes.
import { jobId, type ChipProved, type JobRecord } from '../store/job-record.ts';
import { toHex, wipe } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import type { JobTimes, SignedText } from '../../shared/plan/receipt.ts';
import type { InviteState } from '../../shared/tunnel/invite-state.ts';
import type { JobOptions } from './ports.ts';
import {
  codeEvidence,
  makeReceipt,
  requireOwnReceipt,
  saysDigest,
  withLock,
  type Evidence,
  type OwnReceipt,
} from './receipts.ts';
import type { SealedPeer } from './sealed-session.ts';

export class JobRecorder {
  #record: JobRecord;
  #receipt: OwnReceipt | undefined;
  readonly #options: JobOptions;
  readonly #onFailure: (error: unknown) => void;
  #saving: Promise<void> = Promise.resolve();
  #lost = false;

  constructor(options: JobOptions, onFailure: (error: unknown) => void) {
    this.#options = options;
    this.#onFailure = onFailure;
    this.#record = options.record;
  }

  /** The record with all changes so far. */
  get record(): JobRecord {
    return this.#record;
  }

  /** The receipt of this job for this unit, once there is one. */
  get receipt(): OwnReceipt | undefined {
    return this.#receipt;
  }

  /** Changes the record; it is saved after all earlier changes. */
  update(changes: Partial<JobRecord>): void {
    this.#record = { ...this.#record, ...changes };
    const record = this.#record;
    this.#saving = this.#saving
      .then(() => this.#options.store.save(record))
      .catch((error: unknown) => this.#notSaved(error));
  }

  /** Resolves once this state of the invite is on disk; the secret it replaces is wiped then. @throws BF-JOB-STATE */
  async keepInvite(invite: InviteState): Promise<void> {
    const { secret } = this.#record.room.invite;
    this.update({ room: { ...this.#record.room, invite } });
    await this.kept();
    if (secret !== invite.secret) wipe(secret);
  }

  /** The stub has confirmed the digests of this sector. */
  recordEqual(sector: number): void {
    const acknowledged = [...new Set([...this.#record.acknowledged, sector])].sort((a, b) => a - b);
    this.update({ acknowledged });
  }

  /** What follows for the board from what the chip said, on disk before anybody goes on. */
  async changed(chipProved: ChipProved): Promise<void> {
    this.update({ chipProved });
    await this.saved();
  }

  /**
   * A command that changes flash is about to leave, on record before it does. Only the chip that made M1 can open it:
   * this unit, proved or not. An unlock knows its unit by the agent's word, if at all. @param uid 24 digits
   */
  async changing(uid: string | undefined): Promise<void> {
    this.update({ chipProved: 'incomplete', uid: uid ?? this.#record.uid });
    await this.saved();
  }

  /** Frames of the image are about to leave in a new session, on record before they do. @throws BF-JOB-STATE */
  async countImageSession(): Promise<void> {
    this.update({ imageSessions: this.#record.imageSessions + 1 });
    await this.kept();
  }

  /** Everything so far is saved, or has been reported as not. */
  saved(): Promise<void> {
    return this.#saving;
  }

  /** Resolves once everything so far is on disk. @throws BF-JOB-STATE when some of it could not be stored */
  async kept(): Promise<void> {
    await this.saved();
    if (this.#lost) throw fail('BF-JOB-STATE', 'the job could not be stored');
  }

  /** The one receipt of this job for this unit: an earlier one that says the same stays. */
  async keepReceipt(peer: SealedPeer, plan: Plan, evidence: Evidence, time: JobTimes): Promise<SignedText> {
    const { store, clock, random, keys } = this.#options;
    const { facts, stubHash } = peer;
    const [job, uid] = [jobId(this.#record), toHex(facts.uid)];
    const earlier = await this.#storedReceipt(uid);
    if (earlier !== undefined && !saysDigest(earlier, evidence.root)) {
      throw fail('BF-JOB-STATE', 'there is a receipt of this job for another image');
    }
    const code = codeEvidence(this.#record);
    const context = {
      plan,
      planBytes: this.#record.plan,
      facts,
      stubHash,
      code,
      imageSessions: this.#record.imageSessions,
      time,
      clock,
      random,
      key: keys.receipt,
    };
    const receipt = earlier ?? makeReceipt(context, evidence);
    if (earlier === undefined) await store.storeReceipt(job, uid, receipt.signed);
    if (evidence.outcome === 'written' || evidence.outcome === 'erased') await this.changed(evidence.outcome);
    this.#receipt = receipt;
    return receipt.signed;
  }

  /** The receipt an earlier process of this job has stored, if it has earned one. */
  async recallReceipt(): Promise<void> {
    const { uid } = this.#record;
    if (uid !== undefined) this.#receipt = await this.#storedReceipt(uid);
  }

  /** The same receipt with what OPTCR read after LOCK. */
  async keepLock(optcr: number, level1: boolean): Promise<SignedText> {
    const { store, keys } = this.#options;
    const receipt = withLock(this.#receipt as OwnReceipt, optcr, level1, keys.receipt);
    await store.storeReceipt(jobId(this.#record), this.#record.uid as string, receipt.signed);
    this.#receipt = receipt;
    return receipt.signed;
  }

  /** What the store has is taken only as this vendor's own, for this job. @throws BF-JOB-STORED-RECEIPT */
  async #storedReceipt(uid: string): Promise<OwnReceipt | undefined> {
    const { store, keys, verify } = this.#options;
    const job = jobId(this.#record);
    const signed = await store.receipt(job, uid);
    if (signed === undefined) return undefined;
    const { publicKey } = keys.receipt;
    return requireOwnReceipt(signed, { job, uid, planBytes: this.#record.plan, publicKey, verify });
  }

  #notSaved(error: unknown): void {
    this.#lost = true;
    this.#onFailure(error);
  }
}
