// Every key, tag and nonce of an update file (docs/update-files.md §3, §4), the same for the vendor who seals and the
// device that opens.
import { ascii, concat, copyOf, isZero, u32le, wipe } from '../codec/bytes.ts';
import { deriveKey, hmacSha512, sha512 } from '../crypto/hash.ts';
import { KEY_LABELS } from '../crypto/labels.ts';
import { openBox, sealBox, type BoxPlace } from '../crypto/box.ts';
import { fail } from '../errors/errors.ts';
import { UPDATE_BYTES } from './format.ts';

/** What keys and hashes of update files are made under, ASCII. */
export const UPDATE_LABELS = {
  /** HMAC keys of the two extractions. */
  extractTag: 'blindflash/2 file tag',
  extractFile: 'blindflash/2 file',
  tagKey: 'tag key',
  entryKey: 'entry key',
  tag: 'blindflash/2 tag',
  frame: 'blindflash/2 frame',
} as const;

/** Second byte of a box's nonce: `E` for an entry, `F` for a frame (docs/protocol.md §5). */
export const UPDATE_PURPOSES = { entry: 0x45, frame: 0x46 } as const;

/** Whose device and which files key: what both keys of a device hang on. */
export interface DeviceNames {
  /** S_f, 32 bytes. */
  readonly filesPublic: Uint8Array;
  /** D_f, 32 bytes. */
  readonly devicePublic: Uint8Array;
  /** 12 bytes. */
  readonly uid: Uint8Array;
}

/** Which file: what the keys of one file hang on besides. */
export interface FileNames {
  /** SHA-512 of the header, 64 bytes. */
  readonly headerHash: Uint8Array;
  /** E, 32 bytes. */
  readonly ephemeral: Uint8Array;
}

/**
 * k, 32 bytes: the tag key of a device and a files key, which the device keeps and the vendor derives.
 * @param shared X25519(s_f, D_f) = X25519(d_f, S_f). @throws BF-UPDATE-REFUSED when it is zero
 */
export function entryTagKey(shared: Uint8Array, { filesPublic, devicePublic, uid }: DeviceNames): Uint8Array {
  const prk = hmacSha512(ascii(UPDATE_LABELS.extractTag), nonZero(shared));
  const key = deriveKey(prk, UPDATE_LABELS.tagKey, filesPublic, devicePublic, uid);
  wipe(prk);
  return key;
}

/** The tag of a device's entry, 16 bytes. @param key k. @param headerHash SHA-512 of the header */
export function entryTag(key: Uint8Array, headerHash: Uint8Array, uid: Uint8Array): Uint8Array {
  return copyOf(hmacSha512(key, ascii(UPDATE_LABELS.tag), headerHash, uid), 0, UPDATE_BYTES.tag);
}

/**
 * The key of a device's entry, 32 bytes.
 * @param shared X25519(e, D_f) and X25519(s_f, D_f). @throws BF-UPDATE-REFUSED when one is zero
 */
export function entryKey(
  shared: readonly [ephemeral: Uint8Array, own: Uint8Array],
  device: DeviceNames,
  file: FileNames,
): Uint8Array {
  const ikm = concat(nonZero(shared[0]), nonZero(shared[1]));
  const prk = hmacSha512(ascii(UPDATE_LABELS.extractFile), ikm);
  const { filesPublic, devicePublic, uid } = device;
  const key = deriveKey(prk, UPDATE_LABELS.entryKey, file.headerHash, filesPublic, file.ephemeral, devicePublic, uid);
  wipe(ikm, prk);
  return key;
}

/** What an entry says to its device. */
export interface EntryContent {
  /** 32 bytes. */
  readonly contentKey: Uint8Array;
  /** Hash of frame 1, 32 bytes. */
  readonly firstFrame: Uint8Array;
  /** The root over all ranges with the boot words in place, 64 bytes (docs/protocol.md §8). */
  readonly root: Uint8Array;
}

/** The box of an entry, 144 bytes. */
export function sealEntry(key: Uint8Array, { contentKey, firstFrame, root }: EntryContent): Uint8Array {
  const plaintext = concat(contentKey, firstFrame, root);
  const box = sealBox(key, placeOf('entry', 1), plaintext);
  wipe(plaintext);
  return box;
}

/** Opens the box of an entry; undefined when it was not sealed with this key. */
export function openEntry(key: Uint8Array, box: Uint8Array): EntryContent | undefined {
  const plaintext = openBox(key, placeOf('entry', 1), box);
  if (plaintext === undefined) return undefined;
  const { contentKey, frameHash, root } = UPDATE_BYTES;
  const content = {
    contentKey: copyOf(plaintext, 0, contentKey),
    firstFrame: copyOf(plaintext, contentKey, contentKey + frameHash),
    root: copyOf(plaintext, contentKey + frameHash, contentKey + frameHash + root),
  };
  wipe(plaintext);
  return content;
}

/** What names a frame where it is expected, 32 bytes: SHA-512("blindflash/2 frame" ‖ box)[:32]. */
export function frameHash(box: Uint8Array): Uint8Array {
  return copyOf(sha512(ascii(UPDATE_LABELS.frame), box), 0, UPDATE_BYTES.frameHash);
}

/** The key of one frame and its number. */
export interface FrameKey {
  readonly key: Uint8Array;
  readonly number: number;
}

/** Keys of the frames in order: each its own, from a chain that begins with the content key and goes forward only. */
export class FrameChain {
  #chain: Uint8Array;
  #taken = 0;

  /** Takes a copy of the content key, 32 bytes. */
  constructor(contentKey: Uint8Array) {
    this.#chain = copyOf(contentKey);
  }

  /** The key of the next frame; the chain before it is wiped. */
  next(): FrameKey {
    const epoch = u32le(this.#taken);
    const key = deriveKey(this.#chain, KEY_LABELS.boxKey, epoch);
    const chain = deriveKey(this.#chain, KEY_LABELS.nextChain, epoch);
    wipe(this.#chain);
    this.#chain = chain;
    this.#taken++;
    return { key, number: this.#taken };
  }

  wipe(): void {
    wipe(this.#chain);
  }
}

/** Seals one frame; the key is wiped. */
export function sealFrame({ key, number }: FrameKey, plaintext: Uint8Array): Uint8Array {
  const box = sealBox(key, placeOf('frame', number), plaintext);
  wipe(key);
  return box;
}

/** Opens one frame, or returns undefined; the key is wiped. */
export function openFrame({ key, number }: FrameKey, box: Uint8Array): Uint8Array | undefined {
  const plaintext = openBox(key, placeOf('frame', number), box);
  wipe(key);
  return plaintext;
}

/** An entry is one box of its own; of frames each is an epoch. */
function placeOf(what: keyof typeof UPDATE_PURPOSES, number: number): BoxPlace {
  return { direction: 'r2i', purpose: UPDATE_PURPOSES[what], sequence: number, epoch: number - 1 };
}

/** A shared secret that is not that of a point of low order. */
function nonZero(shared: Uint8Array): Uint8Array {
  if (isZero(shared)) throw fail('BF-UPDATE-REFUSED', 'a shared secret is zero');
  return shared;
}
