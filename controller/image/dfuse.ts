// ST's DfuSe file (UM0391, "DfuSe file format specification"): a prefix, images of elements with addresses, a suffix
// with a CRC-32. Little-endian throughout.
import { ascii, copyOf, equalBytes } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import type { Segment } from './segments.ts';

export const DFUSE_MAGIC = ascii('DfuSe');
const PREFIX_BYTES = 11;
const TARGET_MAGIC = ascii('Target');
const TARGET_BYTES = 274;
const SUFFIX_BYTES = 16;
const SUFFIX_MAGIC = ascii('UFD');
const CRC_POLYNOMIAL = 0xedb88320;

/** A place in the file; every step forward is checked. */
class Place {
  readonly #file: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  #at: number;

  constructor(file: Uint8Array, at: number, end: number) {
    this.#file = file;
    this.#view = new DataView(file.buffer, file.byteOffset, file.byteLength);
    this.#at = at;
    this.#end = end;
  }

  get at(): number {
    return this.#at;
  }

  /** The next `length` bytes. */
  take(length: number, what: string): Uint8Array {
    if (length > this.#end - this.#at) throw malformed(`${what} should end at byte ${this.#at + length}`);
    this.#at += length;
    return copyOf(this.#file, this.#at - length, this.#at);
  }

  word(what: string): number {
    this.take(4, what);
    return this.#view.getUint32(this.#at - 4, true);
  }
}

/**
 * The elements of all images in the file.
 * @throws BF-IMAGE-DFUSE for a plain DFU file, for a wrong CRC, and for one whose parts do not fit one another.
 */
export function readDfuse(file: Uint8Array): Segment[] {
  const end = checkedEnd(file);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file[5] !== 1) throw malformed(`version ${file[5] ?? 0} of the format`);
  if (view.getUint32(6, true) !== end) throw malformed(`it says ${view.getUint32(6, true)} bytes and has ${end}`);
  const place = new Place(file, PREFIX_BYTES, end);
  const segments: Segment[] = [];
  for (let target = 0; target < (file[10] ?? 0); target++) segments.push(...readTarget(place));
  if (place.at !== end) throw malformed(`${end - place.at} bytes belong to no image`);
  return segments;
}

function readTarget(place: Place): Segment[] {
  const head = place.take(TARGET_BYTES, 'the head of an image');
  if (!equalBytes(head.subarray(0, 6), TARGET_MAGIC)) throw malformed('an image does not begin with “Target”');
  const view = new DataView(head.buffer);
  const [bytes, elements] = [view.getUint32(266, true), view.getUint32(270, true)];
  const start = place.at;
  const segments: Segment[] = [];
  // Each turn takes eight bytes at least, so that a number without elements behind it ends soon.
  for (let element = 0; element < elements; element++) segments.push(readElement(place));
  if (place.at - start !== bytes) throw malformed(`an image says ${bytes} bytes and has ${place.at - start}`);
  return segments;
}

function readElement(place: Place): Segment {
  const what = 'an element';
  const [address, length] = [place.word(what), place.word(what)];
  return { address, bytes: place.take(length, what) };
}

/** Where the suffix begins, once it is known to be whole. */
function checkedEnd(file: Uint8Array): number {
  if (!equalBytes(file.subarray(0, DFUSE_MAGIC.length), DFUSE_MAGIC)) {
    throw malformed('it is a plain DFU file, which says no address');
  }
  const end = file.length - SUFFIX_BYTES;
  if (end < PREFIX_BYTES) throw malformed(`${file.length} bytes are less than prefix and suffix`);
  const suffix = file.subarray(end);
  if (!equalBytes(suffix.subarray(8, 11), SUFFIX_MAGIC) || suffix[11] !== SUFFIX_BYTES) {
    throw malformed('the suffix is missing');
  }
  const wanted = new DataView(file.buffer, file.byteOffset, file.byteLength).getUint32(end + 12, true);
  if (crcOf(file.subarray(0, end + 12)) !== wanted) throw malformed('the CRC is wrong');
  return end;
}

/** CRC-32 of ISO 3309 without the inversion at its end. */
function crcOf(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc % 2 === 0 ? 0 : CRC_POLYNOMIAL);
  }
  return crc >>> 0;
}

function malformed(detail: string) {
  return fail('BF-IMAGE-DFUSE', detail);
}
