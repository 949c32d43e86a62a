// A loader on a virtual board takes an update file over the serial link, packet by packet (docs/serial-link.md;
// docs/update-files.md §5); whom it is sealed for, and by whom.
import { concat, copyOf, equalBytes, u32le } from '../../../shared/codec/bytes.ts';
import { sha512 } from '../../../shared/crypto/hash.ts';
import { exchangeKeyPairFrom } from '../../../shared/crypto/keys.ts';
import { CHIP_ERRORS } from '../../../shared/errors/chip-errors.ts';
import { STATES } from '../../../shared/mailbox/layout.ts';
import type { STATUS } from '../../../shared/serial/packets.ts';
import { ENTRIES_MOST } from '../../../shared/serial/packets.ts';
import type { Release } from '../../../shared/plan/release.ts';
import { entryTag } from '../../../shared/update/keys.ts';
import type { Recipient, UpdateContent } from '../../../shared/update/seal.ts';
import { LOADER_MAP } from '../../../controller/loader/config.ts';
import type { Board } from '../../../sim/board.ts';
import { uidFromSeed } from '../../../sim/peripherals/memories.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { sealFor, updateContent } from '../../fixtures/update-files.ts';
import { partsOf, type UpdateFileParts } from '../../fixtures/update-parts.ts';
import { statusOf } from './loader-controller.ts';
import { CONFIG, FLASH } from './loader-fixture.ts';
import type { LoaderLink } from './loader-link.ts';

/** The vendor's key pair of these boards, as one for files. */
const FILES_KEY = exchangeKeyPairFrom('files', seededRandom(77).bytes(32));
export const RELEASE = { product: CONFIG.product, version: 7, floor: 3 } as const;

/** Where the first key slot has d_f, D_f, k. */
export const SLOT = {
  fileSecret: LOADER_MAP.slots + 4 + 64,
  filePublic: LOADER_MAP.slots + 4 + 96,
  tags: LOADER_MAP.slots + 4 + 128,
} as const;

/** A board as its enrolment would have proven it. @param seed that it was made with */
export function recipientOf({ flash }: Board, seed = 1): Recipient {
  const at = SLOT.filePublic - FLASH;
  return { uid: uidFromSeed(seed), devicePublic: flash.bytes.slice(at, at + 32) };
}

/** Some other device. */
export function stranger(number: number): Recipient {
  const random = seededRandom(5000 + number);
  const uid = random.bytes(12);
  const devicePublic = random.bytes(32);
  return { uid, devicePublic: devicePublic.with(31, devicePublic[31]! & 0x7f) as Uint8Array };
}

/** What a file of this program holds, for boards of CONFIG's product. */
export const contentOf = (program: Uint8Array, release: Partial<Release> = {}): UpdateContent =>
  updateContent(program, { release: { ...RELEASE, ...release } });

/** A file for these devices, in its parts. */
export const fileFor = (recipients: readonly Recipient[], content: UpdateContent, seed = 77): UpdateFileParts =>
  partsOf(sealFor(recipients, content, seed, { filesKey: FILES_KEY }));

/** The same file with the board's entry behind all others: nothing depends on their order. */
export function ownEntryLast(parts: UpdateFileParts, { flash }: Board): UpdateFileParts {
  const tagKey = flash.bytes.slice(SLOT.tags - FLASH, SLOT.tags - FLASH + 32);
  const tag = entryTag(tagKey, sha512(parts.header), uidFromSeed(1));
  const isOwn = (entry: Uint8Array): boolean => equalBytes(copyOf(entry, 0, tag.length), tag);
  const others = parts.entries.filter((entry) => !isOwn(entry));
  return { ...parts, entries: [...others, ...parts.entries.filter(isOwn)] };
}

type Parts = Omit<UpdateFileParts, 'decoded'>;

export class UpdateLine {
  readonly link: LoaderLink;
  #sent: number;

  /** @param sent packets of a file that this loader has taken already */
  constructor(link: LoaderLink, sent = 0) {
    this.link = link;
    this.#sent = sent;
  }

  /** STATUS as the loader tells it now. */
  status(): Record<keyof typeof STATUS, number> {
    while (this.link.take('status') !== undefined);
    this.link.again(0x84);
    return statusOf(this.link.await('status'));
  }
  /** The state's name. */
  get state(): string {
    const code = this.status().state & 0x3f;
    return Object.entries(STATES).find(([, number]) => number === code)?.[0] ?? `state ${code}`;
  }
  /** Name of the error that STATUS tells. */
  get error(): string | undefined {
    const { error } = this.status();
    return Object.entries(CHIP_ERRORS).find(([, { number }]) => number === error)?.[0];
  }
  header(header: Uint8Array): void {
    this.#sent = 0;
    this.link.send('file', header);
  }
  entries(entries: readonly Uint8Array[]): void {
    for (let at = 0; at < entries.length; at += ENTRIES_MOST) {
      this.#give('entries', concat(...entries.slice(at, at + ENTRIES_MOST)));
    }
  }
  frame(frame: Uint8Array): void {
    this.#give('frame', frame);
  }
  #give(name: 'entries' | 'frame', body: Uint8Array): void {
    this.#sent++;
    this.link.send(name, concat(u32le(this.#sent), body));
  }
  /** Waits until all that was sent is worked off, or the loader takes no more of it. */
  settle(limitMs = 60_000): void {
    const end = this.link.board.time.now + limitMs * 1e6;
    for (;;) {
      const { accepted, state } = this.status();
      const isBusy = (state & 0x40) !== 0;
      if (!isBusy && (accepted === this.#sent || (state & 0x3f) > STATES.locked)) return;
      if (this.link.board.time.now > end) throw new Error(`${accepted} of ${this.#sent} worked off`);
      this.link.run(5);
    }
  }
  /** Header and entries, until the loader has opened one or refused. The state then. */
  open({ header, entries }: Pick<Parts, 'header' | 'entries'>, limitMs?: number): string {
    this.header(header);
    this.link.runUntil(() => (this.status().state & 0x40) === 0, 1000, 'answer to the header');
    this.entries(entries);
    this.settle(limitMs);
    return this.state;
  }
  /** Frames, never more than there is room for, until the loader takes no more. The state at the end. */
  frames(frames: readonly Uint8Array[]): string {
    for (const frame of frames) {
      for (;;) {
        const { credit, state } = this.status();
        if ((state & 0x3f) > STATES.locked) return this.state;
        if (credit > this.#sent) break;
        this.link.run(5);
      }
      this.frame(frame);
    }
    this.settle();
    return this.state;
  }
  /** A whole file. The state at its end. */
  install(parts: Parts): string {
    const state = this.open(parts);
    return state === 'active' ? this.frames(parts.frames) : state;
  }
}
