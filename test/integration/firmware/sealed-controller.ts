// The controller's side of a sealed session for the stub's tests: job, handshake, frames and replies
// through the mailbox's RAM.
import { concat } from '../../../shared/codec/bytes.ts';
import { exchangeKeyPairFrom } from '../../../shared/crypto/keys.ts';
import type { BoxSession } from '../../../shared/crypto/session.ts';
import { CONTROL, JOB, slotAddress } from '../../../shared/mailbox/layout.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { controlAddress, COMMAND_RING, MEMORY, REPLY_RING } from '../../fixtures/f42x.ts';
import { encodePlan, planHash, type Plan } from '../../../shared/plan/plan.ts';
import type { Random } from '../../../shared/ports.ts';
import { respondSealed, type SealedResponder } from '../../../shared/sealed/handshake.ts';
import { SEALED_SUITES } from '../../../shared/sealed/protocol.ts';
import { decodeReply, encodeCommand, type Command, type Reply } from '../../../shared/sealed/messages.ts';
import { encodeSessionChoice } from '../../../shared/sealed/payloads.ts';
import type { FirmwareFixture } from './firmware-fixture.ts';

const TRAILER_BYTES = 16;
export const VENDOR_SEED = 5;

/** CRC-32 bit by bit, on purpose not as the stub does it. */
export function crc32(...parts: Uint8Array[]): number {
  let crc = 0xffffffff;
  for (const byte of concat(...parts)) {
    crc ^= byte;
    for (let i = 0; i < 8; i++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/** Little-endian words. */
export function words(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  values.forEach((value, i) => new DataView(bytes.buffer).setUint32(4 * i, value, true));
  return bytes;
}

export class SealedController {
  readonly fixture: FirmwareFixture;
  readonly planBytes: Uint8Array;
  readonly keys = exchangeKeyPairFrom('sealed', seededRandom(77).bytes(32));
  readonly #random: Random;
  readonly #hostEntropy: Uint8Array;
  #responder: SealedResponder | undefined;
  session!: BoxSession;
  #sent = 0;
  #fetched = 0;
  /** Payload of the last M1. */
  facts = new Uint8Array(0);
  /** Plaintexts of all replies. */
  readonly opened: Uint8Array[] = [];

  constructor(fixture: FirmwareFixture, plan: Plan | Uint8Array, seed = VENDOR_SEED) {
    this.fixture = fixture;
    this.planBytes = plan instanceof Uint8Array ? plan : encodePlan(plan);
    this.#random = seededRandom(seed);
    this.#hostEntropy = this.#random.bytes(32);
  }

  /** Puts the job into the job area and tells the stub. */
  giveJob(change: (job: Uint8Array) => void = () => {}): void {
    const length = JOB.fields.plan + this.planBytes.length;
    const job = concat(words(JOB.magic, length), this.keys.publicKey, this.#hostEntropy, this.planBytes);
    change(job);
    this.fixture.write(MEMORY.job.address, job);
    this.fixture.setControl('JOB_LENGTH', length);
    this.fixture.command('job');
  }

  /** Reads M1 and makes M2 for it, of a payload that `change` may make another one. */
  respond(change: (payload2: Uint8Array) => void = () => {}): Uint8Array {
    const { fixture } = this;
    const payload2 = encodeSessionChoice(this.#random.bytes(16));
    change(payload2);
    const m1 = fixture.read(controlAddress('M1'), CONTROL.M1.size);
    this.#responder = respondSealed({
      suite: SEALED_SUITES.sealed,
      staticKey: this.keys,
      contexts: [fixture.read(controlAddress('STUB_HASH'), 64), planHash(this.planBytes)],
      payload2,
      random: this.#random,
      m1,
    });
    this.facts = m1.slice(64);
    this.#sent = this.#fetched = 0;
    return this.#responder.m2.slice();
  }

  /** Answers M1 with M2. */
  answer(change: (m2: Uint8Array) => void = () => {}): void {
    const m2 = this.respond();
    change(m2);
    this.fixture.write(controlAddress('M2'), m2);
    this.fixture.command('m2');
  }

  /** Takes M3; throws when the stub's confirmation is wrong. */
  confirm(): void {
    this.session = this.#responder!.receiveM3(this.fixture.read(controlAddress('M3'), 32)).session;
  }

  /** From state waiting to active. */
  connect(): void {
    this.giveJob();
    this.fixture.runUntil(() => this.fixture.state === 'offered', 1000, 'M1');
    this.shake();
  }
  /** From state offered to active. */
  shake(): void {
    this.answer();
    this.fixture.runUntil(() => this.fixture.state === 'active', 1000, 'M3');
    this.confirm();
  }

  /** Seals and places a plaintext. Returns its sequence. */
  sendPlain(plaintext: Uint8Array, change: (slot: Uint8Array) => void = () => {}): number {
    const { sequence, box } = this.session.seal(plaintext);
    this.place(box, sequence, change);
    return sequence;
  }
  send(command: Command): number {
    return this.sendPlain(encodeCommand(command));
  }
  /** Writes a slot; `change` may damage box ‖ trailer first. */
  place(box: Uint8Array, sequence: number, change: (slot: Uint8Array) => void = () => {}): void {
    this.#waitForSlot(sequence);
    const trailer = words(box.length, crc32(box, words(box.length), words(sequence)), 0, sequence);
    const slot = concat(box, trailer);
    change(slot);
    this.fixture.write(slotAddress(COMMAND_RING, sequence) + COMMAND_RING.slotSize - slot.length, slot);
    this.#sent = sequence;
  }

  /** Waits for the next reply and opens it. */
  reply(limitMs = 20_000): Reply {
    const next = this.#fetched + 1;
    const end = slotAddress(REPLY_RING, next) + REPLY_RING.slotSize;
    this.fixture.runUntil(() => ((this.fixture.status.reply - next) & 0xff) < 128, limitMs, `reply ${next}`);
    const box = this.fixture.read(end - TRAILER_BYTES - 192, 192);
    const [length, crc, zero, sequence] = [0, 4, 8, 12].map((at) => this.fixture.word(end - TRAILER_BYTES + at));
    if (length !== 192 || zero !== 0 || sequence !== next) throw new Error(`trailer of reply ${next}`);
    if (crc !== crc32(box, words(192), words(next))) throw new Error(`CRC of reply ${next}`);
    this.#fetched = next;
    this.fixture.setControl('REPLY_ACK', next);
    const plaintext = this.session.open(box, next);
    this.opened.push(plaintext.slice());
    return decodeReply(plaintext);
  }
  /** Sends a command and returns its reply. */
  ask(command: Command): Reply {
    this.send(command);
    return this.reply();
  }

  /** All frames sent have been accepted. */
  settle(): void {
    this.fixture.runUntil(() => this.fixture.status.accepted === (this.#sent & 0xffff), 20_000, `frame ${this.#sent}`);
  }
  #waitForSlot(sequence: number): void {
    const free = () => {
      const accepted = this.fixture.status.accepted;
      const behind = (sequence - accepted) & 0xffff;
      return behind <= COMMAND_RING.slots;
    };
    this.fixture.runUntil(free, 20_000, `room for frame ${sequence}`);
  }
}
