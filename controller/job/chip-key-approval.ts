// Which key of the chip (D) gets an answer in which tunnel (docs/protocol.md §8, "D"). The record knows the keys that
// need no code any more; what a code that was typed or waived is worth in the tunnel it belongs to lives here, and dies
// with the process.
import { MOST_APPROVED_KEYS, type CodeState, type ApprovedKey, type JobRecord } from '../store/job-record.ts';
import type { JobRecorder } from './job-recorder.ts';
import { equalBytes, toHex } from '../../shared/codec/bytes.ts';
import { QUESTION_LIMITS } from '../../shared/sealed/messages.ts';
import type { Offer, SealedPeer } from './sealed-session.ts';

/**
 * known: on record, M2 at once. approved: the first of a tunnel whose code was right. ask: the code of this tunnel
 * first. refuse: another key than the one that was offered first in this tunnel.
 */
export type Approval = 'known' | 'approved' | 'ask' | 'refuse';

export class ChipKeyApproval {
  readonly #recorder: JobRecorder;
  /** How the present tunnel's code was settled. */
  #settled: CodeState | undefined;
  /** The first key this tunnel has offered: the only one it may confirm, and the one its code approves. */
  #offered: Uint8Array | undefined;
  /** The key this tunnel has confirmed, or is about to. */
  #present: Uint8Array | undefined;
  /** Questions the stub with that key still answers as long as the key is not on record. */
  #freshQuestions: number = QUESTION_LIMITS.inLife;

  constructor(recorder: JobRecorder) {
    this.#recorder = recorder;
  }

  /** A new tunnel: what was approved in the one before is void. */
  opened(): void {
    const { codePolicy, code } = this.#recorder.record;
    this.#offered = this.#present = this.#settled = undefined;
    this.#freshQuestions = QUESTION_LIMITS.inLife;
    if (codePolicy === 'waived') this.settle('waived');
    if (codePolicy === 'once' && code === 'typed') this.#settled = 'typed';
  }

  /** The code of the present tunnel was typed right, or is waived. */
  settle(code: CodeState): void {
    this.#settled = code;
    if (this.#recorder.record.code !== code) this.#recorder.update({ code });
  }

  /** False when the code has to be asked for before JOB. */
  get settled(): boolean {
    return this.#settled !== undefined || this.#recorder.record.devices.length > 0;
  }

  approvalOf({ deviceKey, facts }: Offer): Approval {
    this.#offered ??= deviceKey;
    if (!equalBytes(this.#offered, deviceKey)) return 'refuse';
    this.#present = deviceKey;
    if (recordOf(this.#recorder.record, deviceKey, toHex(facts.uid)) !== undefined) return 'known';
    return this.#settled === undefined ? 'ask' : 'approved';
  }

  /**
   * confirm_i was good: (D, UID) go on record. True when they were there already, which proves the chip of the record.
   */
  confirm({ deviceKey, facts }: SealedPeer): boolean {
    const { record } = this.#recorder;
    const uid = toHex(facts.uid);
    const known = recordOf(record, deviceKey, uid) !== undefined;
    this.#present = deviceKey;
    const device: ApprovedKey = { key: deviceKey, uid, questionsLeft: this.#freshQuestions };
    const devices = known ? record.devices : [...record.devices, device].slice(-MOST_APPROVED_KEYS);
    this.#recorder.update({ uid, devices });
    return known;
  }

  /** Questions the stub with the key of this tunnel still answers. */
  get questionsLeft(): number {
    if (this.#present === undefined) return 0;
    return (
      this.#recorder.record.devices.find((device) => this.#isPresent(device))?.questionsLeft ?? this.#freshQuestions
    );
  }

  /** No more than these are left; the number never rises again. */
  limitQuestions(questionsLeft: number): void {
    const { devices } = this.#recorder.record;
    if (questionsLeft >= this.questionsLeft) return;
    const left = Math.max(questionsLeft, 0);
    if (!devices.some((device) => this.#isPresent(device))) this.#freshQuestions = left;
    this.#recorder.update({
      devices: devices.map((device) => (this.#isPresent(device) ? { ...device, questionsLeft: left } : device)),
    });
  }

  #isPresent({ key }: ApprovedKey): boolean {
    return this.#present !== undefined && equalBytes(key, this.#present);
  }
}

function recordOf({ devices }: JobRecord, key: Uint8Array, uid: string): ApprovedKey | undefined {
  return devices.find((device) => device.uid === uid && equalBytes(device.key, key));
}
