// The vendor's side of a sealed session with a loader: job, handshake of its suites, commands and replies over the
// serial link (docs/serial-link.md; docs/protocol.md §4, §8).
import { concat, u32le } from '../../../shared/codec/bytes.ts';
import type { ExchangeKeyPair } from '../../../shared/crypto/keys.ts';
import type { BoxSession } from '../../../shared/crypto/session.ts';
import { JOB } from '../../../shared/mailbox/layout.ts';
import { encodePlan, planHash, type Plan, type PlanRange } from '../../../shared/plan/plan.ts';
import { respondSealed, type SealedResponder } from '../../../shared/sealed/handshake.ts';
import { decodeReply, encodeCommand, type Command, type Reply } from '../../../shared/sealed/messages.ts';
import { decodeStubFacts, encodeSessionChoice } from '../../../shared/sealed/payloads.ts';
import { SEALED_SUITES, type SealedSuite } from '../../../shared/sealed/protocol.ts';
import { STATUS } from '../../../shared/serial/packets.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { CONFIG, FLASH, IMAGE, LOADER_PARTS, rootOf, vendorKeys, type LoaderPart } from './loader-fixture.ts';
import type { LoaderLink } from './loader-link.ts';

const SUITES: Readonly<Record<'device' | 'enroll', SealedSuite>> = SEALED_SUITES;
/** Offsets in the plan of what this version of shared/plan cannot say yet: kind, mode, the four words. */
const AT = { kind: 6, mode: 7, words: 48 } as const;
const KIND = { flash: 1, verify: 2, erase: 3, enroll: 8, keys: 9 } as const;
export const MODE = { hostBlind: 1, lockThenLoad: 2, seeded: 3 } as const;
const DATA_MOST = 4032;
const BOOT_BYTES = 64;

export interface LoaderPlan {
  /** The part it is for; the F427 unless given. */
  readonly part?: LoaderPart;
  readonly kind: keyof typeof KIND;
  readonly mode?: number;
  /** product, version, floor; or the mask of keys. */
  readonly words?: readonly number[];
  readonly ranges?: readonly PlanRange[];
  readonly sectors?: readonly number[];
  readonly bootAddress?: number | undefined;
  readonly finalAction?: 'halt' | 'run';
  readonly idleLimitMs?: number;
}

/** The plan's bytes. */
export function loaderPlan(what: LoaderPlan): Uint8Array {
  const flashes = what.kind === 'flash';
  const ranges = what.ranges ?? [];
  const plan: Plan = {
    kind: 'flash',
    mode: 'host-blind',
    job: seededRandom(4).bytes(16),
    devId: LOADER_PARTS[what.part ?? 'stm32f427'].devId,
    flashKiB: LOADER_PARTS[what.part ?? 'stm32f427'].flashKiB,
    idleLimitMs: what.idleLimitMs ?? 60_000,
    sectors: what.sectors ?? [],
    bootAddress: 'bootAddress' in what ? what.bootAddress : flashes ? IMAGE : undefined,
    widest: 'x32',
    lock: 'none',
    finalAction: what.finalAction ?? 'halt',
    flags: [],
    options: { mask: { optcr: 0, optcr1: 0 }, value: { optcr: 0, optcr1: 0 } },
    ranges,
    label: 'loader',
  };
  const bytes = encodePlan(plan);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  bytes[AT.kind] = KIND[what.kind];
  bytes[AT.mode] = what.mode ?? MODE.lockThenLoad;
  (what.words ?? (flashes ? [CONFIG.product, 7, 3] : [])).forEach((word, i) =>
    view.setUint32(AT.words + 4 * i, word, true),
  );
  return bytes;
}

/** A plan for an image of one range from IMAGE on, and how it is written. */
export function installPlan(image: Uint8Array, more: Partial<LoaderPlan> = {}): Uint8Array {
  const sectors = image.length <= 0x10000 ? [4] : [4, 5];
  return loaderPlan({
    kind: 'flash',
    sectors,
    ranges: [{ address: IMAGE, length: image.length, use: 'program' }],
    ...more,
  });
}

export class LoaderController {
  readonly link: LoaderLink;
  readonly planBytes: Uint8Array;
  readonly suite: keyof typeof SUITES;
  readonly keys: ExchangeKeyPair<'sealed'>;
  readonly #random;
  readonly #suites;
  #responder: SealedResponder | undefined;
  #loaderHash = new Uint8Array(0);
  session!: BoxSession;
  facts!: ReturnType<typeof decodeStubFacts>;
  #sent = 0;
  #fetched = 0;

  constructor(link: LoaderLink, planBytes: Uint8Array, { keys = vendorKeys, seed = 5, suites = SUITES } = {}) {
    this.link = link;
    this.planBytes = planBytes;
    this.suite = planBytes[AT.kind] === KIND.enroll ? 'enroll' : 'device';
    this.keys = keys;
    this.#random = seededRandom(seed);
    this.#suites = suites;
  }

  /** Sequence of the last command. */
  get sent(): number {
    return this.#sent;
  }
  get loaderHash(): Uint8Array {
    return this.#loaderHash;
  }
  job(): Uint8Array {
    const length = JOB.fields.plan + this.planBytes.length;
    return concat(u32le(JOB.magic), u32le(length), this.keys.publicKey, this.#random.bytes(32), this.planBytes);
  }
  /** STATUS as the loader tells it now. */
  status(): Record<keyof typeof STATUS, number> {
    while (this.link.take('status') !== undefined);
    this.link.again(0x84);
    return statusOf(this.link.await('status'));
  }
  /** Gives the job; M1's body. */
  offer(): Uint8Array {
    this.link.send('job', this.job());
    return this.link.await('m1');
  }
  /** M2 for the body of an M1. @param device D_s as the vendor knows it; that of M1 unless given */
  answer(m1Body: Uint8Array, device?: Uint8Array): Uint8Array {
    const suite = this.#suites[this.suite];
    const m1 = m1Body.slice(0, suite.m1);
    this.#loaderHash = m1Body.slice(suite.m1);
    this.facts = decodeStubFacts(m1.slice(64));
    const known = device ?? this.facts.deviceKey;
    this.#responder = respondSealed({
      suite,
      staticKey: this.keys,
      contexts: [this.#loaderHash, planHash(this.planBytes), ...(suite.knowsDevice ? ([known] as const) : [])] as never,
      payload2: encodeSessionChoice(this.#random.bytes(16)),
      random: this.#random,
      m1,
    });
    this.#sent = this.#fetched = 0;
    return this.#responder.m2.slice();
  }
  confirm(m3: Uint8Array): void {
    this.session = this.#responder!.receiveM3(m3).session;
  }
  /** From the job to a session. */
  connect(limitMs = 2000): void {
    this.link.send('m2', this.answer(this.offer()));
    this.confirm(this.link.await('m3', limitMs));
  }
  sendPlain(plaintext: Uint8Array, change: (box: Uint8Array) => void = () => {}): void {
    const { sequence, box } = this.session.seal(plaintext);
    change(box);
    this.link.send('command', concat(u32le(sequence), box));
    this.#sent = sequence;
  }
  send(command: Command, change?: (box: Uint8Array) => void): void {
    this.sendPlain(encodeCommand(command), change);
  }
  reply(limitMs = 20_000): Reply {
    const body = this.link.await('reply', limitMs);
    const sequence = new DataView(body.buffer, body.byteOffset).getUint32(0, true);
    if (sequence !== this.#fetched + 1) throw new Error(`reply ${sequence} after ${this.#fetched}`);
    this.#fetched = sequence;
    this.link.send('fetched', u32le(sequence));
    return decodeReply(this.session.open(body.slice(4), sequence));
  }
  ask(command: Command, limitMs?: number): Reply {
    this.send(command);
    return this.reply(limitMs);
  }
  /** Waits until all that was sent is accepted. */
  settle(limitMs = 20_000): void {
    const end = this.link.board.time.now + limitMs * 1e6;
    while (this.status().accepted !== this.#sent) {
      if (this.link.board.time.now > end) throw new Error(`command ${this.#sent} is not accepted`);
      this.link.run(5);
    }
  }
  /** Sends an image of one range, never more commands than there is room for. */
  sendImage(image: Uint8Array): void {
    for (let at = BOOT_BYTES; at < image.length; at += DATA_MOST) {
      const data = image.slice(at, Math.min(at + DATA_MOST, image.length));
      while (this.status().credit <= this.#sent) this.link.run(5);
      this.send({ name: 'IMAGE', address: IMAGE + at, data });
    }
  }
  /** Erases, sends, ends: the whole of an install. Returns the reply WRITTEN. */
  install(image: Uint8Array, sectors: readonly number[] = [4]): Reply {
    for (const sector of sectors) this.ask({ name: 'ERASE', sector });
    this.sendImage(image);
    const written = this.ask(this.final(image), 30_000);
    this.ask({ name: 'END' });
    return written;
  }
  final(image: Uint8Array, ...more: readonly (readonly [number, Uint8Array])[]): Command {
    const erased = image.slice();
    erased.fill(0xff, 0, BOOT_BYTES);
    return { name: 'FINAL', root: rootOf(IMAGE, erased, ...more), bootWords: image.slice(0, BOOT_BYTES) };
  }
}

export function statusOf(body: Uint8Array): Record<keyof typeof STATUS, number> {
  const view = new DataView(body.buffer, body.byteOffset);
  const read = ({ offset, size }: { offset: number; size: number }): number =>
    size === 1 ? view.getUint8(offset) : view.getUint32(offset, true);
  return Object.fromEntries(Object.entries(STATUS).map(([name, field]) => [name, read(field)])) as never;
}

/** What main flash of the board holds from IMAGE on. */
export const installed = (link: LoaderLink, bytes: number): Uint8Array =>
  link.board.flash.bytes.slice(IMAGE - FLASH, IMAGE - FLASH + bytes);
