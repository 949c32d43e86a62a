// The vendor's half of a sealed session over the tunnel, written for these tests from docs/protocol.md §8 and §9.
import { createHash } from 'node:crypto';
import { respondSealed, type SealedResponder } from '../../../shared/sealed/handshake.ts';
import { SEALED_SUITES } from '../../../shared/sealed/protocol.ts';
import { toHex } from '../../../shared/codec/bytes.ts';
import type { BoxSession } from '../../../shared/crypto/session.ts';
import { encodePlan, planHash, type Plan } from '../../../shared/plan/plan.ts';
import {
  decodeReply,
  encodeCommand,
  IMAGE_DATA_BYTES,
  rootDigest,
  type Command,
  type Reply,
} from '../../../shared/sealed/messages.ts';
import { encodeSessionChoice } from '../../../shared/sealed/payloads.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { signCustomerCopy, type Receipt, type SignedText } from '../../../shared/plan/receipt.ts';
import { FLASH, VENDOR, type ControllerPeer } from './support.ts';

export const sha512 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha512').update(bytes).digest());

export class SealedVendor {
  readonly planBytes: Uint8Array;
  readonly #peer: ControllerPeer;
  readonly #plan: Plan;
  session: BoxSession | undefined;
  /** D of each SEALED1 answered, hexadecimal. */
  readonly deviceKeys: string[] = [];
  #uid = '00'.repeat(12);

  constructor(peer: ControllerPeer, plan: Plan) {
    this.#peer = peer;
    this.#plan = plan;
    this.planBytes = encodePlan(plan);
  }

  /** HELLO, JOB, CONSENT. */
  async propose(): Promise<boolean> {
    const { hello } = await this.#peer.expect('HELLO');
    this.#uid = hello.target.uid;
    this.#peer.sendJob(this.planBytes);
    return (await this.#peer.expect('CONSENT')).yes;
  }

  /** SEALED1 … SEALED3. */
  async shake(): Promise<void> {
    const responder = await this.answer();
    const { m3 } = await this.#peer.expect('SEALED3');
    this.session = responder.receiveM3(m3).session;
  }

  /** HELLO to SEALED3. */
  async begin(): Promise<void> {
    await this.propose();
    await this.shake();
  }

  /** HELLO to the first sector erased. */
  async beginErasing(): Promise<void> {
    await this.begin();
    await this.ask({ name: 'ERASE', sector: 0 });
  }

  /** Everything that is left of a job. */
  async finish(image: Uint8Array): Promise<void> {
    await this.write(image);
    await this.ask({ name: 'END' });
    this.#peer.bye(this.receipt());
  }

  /** The customer's copy of this job's receipt; `change` makes it another's. */
  receipt(change: Partial<Receipt> = {}): SignedText {
    const plan = this.#plan;
    const receipt: Receipt = {
      version: 'blindflash receipt 2',
      job: toHex(plan.job),
      planHash: toHex(planHash(this.planBytes)),
      mode: plan.mode,
      outcome: 'written',
      uid: this.#uid,
      devId: plan.devId,
      flashKiB: plan.flashKiB,
      imageDigest: '11'.repeat(64),
      salt: '22'.repeat(16),
      source: 'stub',
      sectorsByEqual: 0,
      erase: { sectors: 1, blank: 0, atOnce: false },
      time: { people: 0, network: 0, erase: 0, program: 0, check: 0 },
      code: 'typed',
      ranges: plan.ranges.length,
      bytes: 0,
      wordsProgrammed: 0,
      psize: 'x32',
      stubHash: '33'.repeat(64),
      sealedAt: '2026-11-30T12:00:00Z',
      lock: { asked: false, optcr: null },
      statement: 'Whoever completed this session reported this.',
      vendorKey: toHex(VENDOR.receipt.publicKey),
      ...change,
    };
    return signCustomerCopy(receipt, VENDOR.receipt);
  }

  /** Answers the next SEALED1; `change` may damage M2 first, `sessionId` be another tunnel's. */
  async answer(change: (m2: Uint8Array) => void = () => {}, sessionId?: Uint8Array): Promise<SealedResponder> {
    const { m1, stubHash } = await this.#peer.expect('SEALED1');
    this.deviceKeys.push(toHex(m1.slice(-32)));
    const responder = respondSealed({
      suite: SEALED_SUITES.sealed,
      staticKey: VENDOR.sealed,
      contexts: [stubHash, planHash(this.planBytes)],
      payload2: encodeSessionChoice(sessionId ?? this.#peer.tunnel.sealedSessionId(m1)),
      random: seededRandom(m1[1] ?? 0),
      m1,
    });
    const m2 = responder.m2.slice();
    change(m2);
    this.#peer.send({ name: 'SEALED2', m2 });
    return responder;
  }

  send(command: Command): void {
    const session = this.session as BoxSession;
    this.#peer.send({ name: 'FRAME', ...session.seal(encodeCommand(command)) });
  }

  async reply(): Promise<Reply> {
    const { sequence, box } = await this.#peer.expect('REPLY');
    const session = this.session as BoxSession;
    if (sequence !== session.received + 1) throw new Error(`reply ${sequence} after ${session.received}`);
    return decodeReply(session.open(box));
  }

  ask(command: Command): Promise<Reply> {
    this.send(command);
    return this.reply();
  }

  /** Erase, image, FINAL, END. `image` is main flash from its start. */
  async write(image: Uint8Array): Promise<Reply> {
    const plan = this.#plan;
    for (const sector of plan.sectors) this.send({ name: 'ERASE', sector });
    for (const range of plan.ranges) this.#sendRange(range.address, range.length, image);
    for (let left = plan.sectors.length; left > 0; left--) await this.reply();
    const boot = plan.bootAddress as number;
    const bootWords = image.slice(boot - FLASH, boot - FLASH + 64);
    return this.ask({ name: 'FINAL', root: this.#root(image, boot), bootWords });
  }

  #sendRange(address: number, length: number, image: Uint8Array): void {
    let at = address === this.#plan.bootAddress ? address + 64 : address;
    while (at < address + length) {
      const count = Math.min(IMAGE_DATA_BYTES, address + length - at);
      this.send({ name: 'IMAGE', address: at, data: image.slice(at - FLASH, at - FLASH + count) });
      at += count;
    }
  }

  /** Before the boot words are in place. */
  #root(image: Uint8Array, boot: number): Uint8Array {
    const blank = image.slice();
    blank.fill(0xff, boot - FLASH, boot - FLASH + 64);
    return rootDigest(
      this.#plan.ranges.map(({ address, length }) => ({
        address,
        length,
        digest: sha512(blank.subarray(address - FLASH, address - FLASH + length)),
      })),
    );
  }
}
