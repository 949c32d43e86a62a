// When the vendor was asked for the code, and whether that was the rules' number of times (docs/protocol.md §8 "D",
// §13): watched from outside, at the boxes both sides seal and at the vendor's disk. Each breach is a sentence.
import type { JobRecord } from '../../controller/store/job-record.ts';
import type { SeenBox } from './crypto-tap.ts';

const [AGENT, CONTROLLER] = [1, 2];
const [TUNNEL, SEALED] = [0x54, 0x53];
const SEALED1 = 0x04;
const IMAGE = 0x01;
/**
 * Of a tunnel's plaintext: acknowledgement 4, type 1; of SEALED1: stub hash 64; of M1: ephemeral 32,
 * nonce 32; of its payload: 40.
 */
const TYPE_AT = 4;
const KEY_AT = TYPE_AT + 1 + 64 + 32 + 32 + 40;
const KEY_BYTES = 32;

type OnRecord = Pick<JobRecord, 'devices' | 'uid'>;

interface Question {
  readonly tunnel: number;
  right: boolean;
}

export class CodeQuestions {
  readonly breaches: string[] = [];
  /** Of the present invite. */
  #questions: Question[] = [];
  #invitesBefore = 0;
  readonly #disk: () => OnRecord;
  /** The chip's key as the agent showed it last in a SEALED1 of this process or tunnel. */
  #shown: string | undefined;

  /** @param disk what the vendor's disk says now. */
  constructor(disk: () => OnRecord) {
    this.#disk = disk;
  }

  /** How often the vendor was asked, over all invites. */
  get count(): number {
    return this.#invitesBefore + this.#questions.length;
  }

  asked(tunnel: number): void {
    if (this.#questions.some((question) => question.tunnel === tunnel)) this.#breach(`asked twice in tunnel ${tunnel}`);
    const { devices } = this.#disk();
    const unknown = this.#shown !== undefined && !devices.some(({ key }) => hex(key) === this.#shown);
    if (devices.length > 0 && !unknown) this.#breach(`asked in tunnel ${tunnel} although the chip is on record`);
    this.#questions.push({ tunnel, right: false });
  }

  answeredRight(tunnel: number): void {
    for (const question of this.#questions) if (question.tunnel === tunnel) question.right = true;
  }

  newInvite(): void {
    this.#invitesBefore = this.count;
    this.#questions = [];
  }

  /** What either side seals. */
  sealed({ direction, purpose, plaintext }: SeenBox): void {
    if (direction === AGENT && purpose === TUNNEL && plaintext[TYPE_AT] === SEALED1) {
      this.#shown = hex(plaintext.subarray(KEY_AT, KEY_AT + KEY_BYTES));
    }
    if (direction === CONTROLLER && purpose === SEALED && plaintext[0] === IMAGE) this.#imageLeaves();
  }

  #imageLeaves(): void {
    const { devices, uid } = this.#disk();
    const right = this.#questions.filter((question) => question.right).length;
    if (devices.length === 0) this.#breach('an image command was sealed for a chip that is not on record');
    if (devices.length > right) this.#breach(`${devices.length} chips on record after ${right} codes that were right`);
    if (devices.some((device) => device.uid !== uid)) this.#breach('a chip on record is another unit than the job’s');
  }

  #breach(sentence: string): void {
    if (!this.breaches.includes(sentence)) this.breaches.push(sentence);
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
