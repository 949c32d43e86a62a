// Opens an update file as a device does (docs/update-files.md §5). The product's is in C on the chip; this one is what
// tests and vectors hold the format against. Nothing reaches flash that the entry of this device does not vouch for.
import { copyOf, equalBytes, isZero, wipe } from '../codec/bytes.ts';
import { sectorAt, sectorNumber, requireChip, type Chip } from '../chips/index.ts';
import { sha512 } from '../crypto/hash.ts';
import { isCanonical } from '../crypto/schedule.ts';
import { fail } from '../errors/errors.ts';
import { BOOT_WORDS_BYTES, type PlanRange } from '../plan/plan.ts';
import { decodeCommand, rootDigest, type Command } from '../sealed/messages.ts';
import { filesKeyId, UPDATE_BYTES, type UpdateHeader } from './format.ts';
import { entryKey, entryTag, FrameChain, frameHash, openEntry, openFrame } from './keys.ts';
import type { DeviceNames, EntryContent, FileNames } from './keys.ts';
import type { UpdateParts } from './parser.ts';

/** What a device has in its key slot and knows of itself. */
export interface UpdateDevice extends DeviceNames {
  /** k for this files key, 32 bytes. */
  readonly tagKey: Uint8Array;
  /** X25519 of d_f with a public key: what is to happen for a genuine tag only. */
  readonly agree: (publicKey: Uint8Array) => Uint8Array;
  readonly devId: number;
  readonly flashKiB: number;
  readonly product: number;
  /** The least version it takes. */
  readonly floor: number;
}

/** The flash behind the loader. */
export interface UpdateFlash {
  erase(sector: number): void;
  program(address: number, bytes: Uint8Array): void;
  read(address: number, length: number): Uint8Array;
}

/** What becomes of a frame. */
export type FrameFate = 'taken' | 'dropped';

/** An entry that was opened, and where in the chain of frames the device is. */
interface Opened {
  readonly content: EntryContent;
  readonly chain: FrameChain;
  /** Hash of the frame that is next; zeros after the last. */
  expected: Uint8Array;
}

export class UpdateReader implements UpdateParts {
  readonly #device: UpdateDevice;
  readonly #flash: UpdateFlash;
  readonly #chip: Chip;
  #header: UpdateHeader | undefined;
  #names: FileNames | undefined;
  #tag: Uint8Array = new Uint8Array(UPDATE_BYTES.tag);
  #opened: Opened | undefined;
  readonly #erased = new Set<number>();
  /** Where the next IMAGE may begin. */
  #from = 0;
  #written = false;
  #ended = false;
  /** What became of each frame, in their order. */
  readonly fates: FrameFate[] = [];

  constructor(device: UpdateDevice, flash: UpdateFlash) {
    this.#device = device;
    this.#flash = flash;
    this.#chip = requireChip(device.devId);
  }

  /** The boot words are in place and the vendor's last command was taken. */
  get complete(): boolean {
    return this.#ended;
  }

  header(header: UpdateHeader, bytes: Uint8Array): void {
    const { plan, release } = header.plan;
    const { devId, flashKiB, product, floor, filesPublic, tagKey, uid } = this.#device;
    if (plan.devId !== devId || plan.flashKiB !== flashKiB) throw refused('it is for another chip');
    if (release.product !== product) throw refused(`it is for product ${release.product}`);
    if (release.version < floor) throw refused(`version ${release.version} is below the floor ${floor}`);
    if (!equalBytes(header.filesKeyId, filesKeyId(filesPublic))) throw refused('it was sealed with another files key');
    if (!isCanonical(header.ephemeral)) throw refused('its ephemeral key is not canonical');
    this.#header = header;
    this.#names = { headerHash: sha512(bytes), ephemeral: header.ephemeral };
    this.#tag = entryTag(tagKey, this.#names.headerHash, uid);
  }

  /** The first entry that has our tag is opened; d_f is used for no other. */
  entry(entry: Uint8Array): void {
    const isOurs = equalBytes(copyOf(entry, 0, UPDATE_BYTES.tag), this.#tag);
    if (!isOurs || this.#opened !== undefined || this.#names === undefined) return;
    const { agree, filesPublic } = this.#device;
    const shared = [agree(this.#names.ephemeral), agree(filesPublic)] as const;
    const key = entryKey(shared, this.#device, this.#names);
    const content = openEntry(key, copyOf(entry, UPDATE_BYTES.tag));
    wipe(key, ...shared);
    if (content === undefined) throw refused('the entry of this device was changed');
    this.#opened = { content, chain: new FrameChain(content.contentKey), expected: content.firstFrame };
  }

  /** Takes the frame that is expected; any other is dropped unopened. */
  frame(box: Uint8Array): void {
    if (this.#opened === undefined) throw refused('it has no entry for this device');
    const fate = this.#isExpected(box, this.#opened) ? 'taken' : 'dropped';
    this.fates.push(fate);
    if (fate === 'taken') this.#take(box, this.#opened);
  }

  #isExpected(box: Uint8Array, { expected }: Opened): boolean {
    return !this.#ended && equalBytes(frameHash(box), expected);
  }

  #take(box: Uint8Array, opened: Opened): void {
    const plaintext = openFrame(opened.chain.next(), box);
    if (plaintext === undefined) throw refused('a frame that is the vendor’s does not open');
    const end = plaintext.length - UPDATE_BYTES.frameHash;
    opened.expected = copyOf(plaintext, end);
    const command = decodeCommand(copyOf(plaintext, 0, end));
    this.#obey(command, opened);
    wipe(plaintext);
    if (command.name === 'END') this.#finish(opened);
  }

  #finish({ expected, chain, content }: Opened): void {
    if (!isZero(expected)) throw refused('the last frame names another');
    this.#ended = true;
    chain.wipe();
    wipe(content.contentKey);
  }

  #obey(command: Command, opened: Opened): void {
    if (this.#written !== (command.name === 'END')) throw refused(`${command.name} out of order`);
    switch (command.name) {
      case 'ERASE':
        return this.#erase(command.sector);
      case 'IMAGE':
        return this.#program(command.address, command.data);
      case 'FINAL':
        return this.#final(command.bootWords, opened.content.root);
      case 'END':
        return;
      default:
        throw refused(`${command.name} does not belong into a file`);
    }
  }

  #erase(sector: number): void {
    if (!this.#plan.sectors.includes(sector) || this.#erased.has(sector)) throw refused(`erase of sector ${sector}`);
    if (this.#erased.size === 0 && sector !== this.#sectorOf(this.#boot)) {
      throw refused('the boot words’ sector is first');
    }
    this.#erased.add(sector);
    this.#flash.erase(sector);
  }

  #program(address: number, data: Uint8Array): void {
    const end = address + data.length;
    const isInside = ({ address: from, length }: PlanRange) => address >= from && end <= from + length;
    const overBoot = address < this.#boot + BOOT_WORDS_BYTES && end > this.#boot;
    const isErased = this.#erased.has(this.#sectorOf(address));
    if (!this.#plan.ranges.some(isInside) || overBoot || !isErased || address < this.#from) {
      throw refused(`data for 0x${address.toString(16)}`);
    }
    this.#from = end;
    this.#flash.program(address, data);
  }

  /** The boot words leave here only when flash as it is, and they laid over it, make the root of the entry. */
  #final(bootWords: Uint8Array, whole: Uint8Array): void {
    const erased = new Uint8Array(BOOT_WORDS_BYTES).fill(0xff);
    if (!this.#plan.sectors.every((sector) => this.#erased.has(sector))) throw refused('a sector was not erased');
    if (!equalBytes(this.#flash.read(this.#boot, BOOT_WORDS_BYTES), erased)) {
      throw refused('boot words in place already');
    }
    if (!equalBytes(this.#root(bootWords), whole)) throw refused('the root is another');
    if (!this.#restIsBlank()) throw refused('a sector holds more than the plan says');
    this.#flash.program(this.#boot, bootWords);
    this.#written = true;
  }

  /** The root over flash as it is, with these 64 bytes laid over where the boot words are. */
  #root(bootWords: Uint8Array): Uint8Array {
    const digested = this.#plan.ranges.map(({ address, length }) => {
      const bytes = this.#flash.read(address, length);
      const at = this.#boot - address;
      if (at >= 0 && at < length) bytes.set(bootWords, at);
      return { address, length, digest: sha512(bytes) };
    });
    return rootDigest(digested);
  }

  #restIsBlank(): boolean {
    return this.#plan.sectors.every((index) => {
      const { base, bytes } = sectorNumber(this.#chip, index, this.#plan.flashKiB);
      const content = this.#flash.read(base, bytes);
      for (const { address, length } of this.#plan.ranges) {
        if (address >= base && address < base + bytes) content.fill(0xff, address - base, address - base + length);
      }
      return content.every((byte) => byte === 0xff);
    });
  }

  get #plan() {
    if (this.#header === undefined) throw refused('there is no header');
    return this.#header.plan.plan;
  }

  get #boot(): number {
    return this.#plan.bootAddress as number;
  }

  #sectorOf(address: number): number {
    return sectorAt(this.#chip, address, this.#plan.flashKiB)?.index ?? -1;
  }
}

/** The device takes nothing more of this file. */
function refused(why: string) {
  return fail('BF-UPDATE-REFUSED', why);
}
