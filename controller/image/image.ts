// An image: bytes of a file → tidy segments, checked against the flash of a chip.
import { concat, u32le } from '../../shared/codec/bytes.ts';
import type { Chip } from '../../shared/chips/index.ts';
import { sha512, withDomain } from '../../shared/crypto/hash.ts';
import { fail } from '../../shared/errors/errors.ts';
import { readBin } from './bin.ts';
import { detectFormat, type ImageFormat } from './detect.ts';
import { readElf } from './elf.ts';
import { readHex } from './hex.ts';
import { endOf, hexAddress, tidySegments, type Segment } from './segments.ts';
import { readSrec } from './srec.ts';

export interface Image {
  readonly format: ImageFormat;
  /** Ascending, apart from one another, on whole words. */
  readonly segments: readonly Segment[];
  /** Bytes in all segments. */
  readonly length: number;
}

export interface ImageOptions {
  /** File name, for files whose contents do not tell what they are. */
  readonly name?: string;
  /** Overrides what contents and name say. */
  readonly format?: ImageFormat | undefined;
  /** Where a plain binary belongs. */
  readonly base?: number | undefined;
}

const READERS: Readonly<Record<Exclude<ImageFormat, 'bin'>, (file: Uint8Array) => Segment[]>> = {
  elf: readElf,
  hex: readHex,
  srec: readSrec,
};

/** Reads an image file of any known format. Throws a BF-IMAGE code for everything that is wrong with it. */
export function readImage(file: Uint8Array, options: ImageOptions = {}): Image {
  if (file.length === 0) throw fail('BF-IMAGE-EMPTY', 'the file has no bytes');
  const format = formatOf(file, options);
  const segments = tidySegments(format === 'bin' ? readBin(file, options.base) : READERS[format](file));
  return { format, segments, length: segments.reduce((sum, { bytes }) => sum + bytes.length, 0) };
}

/** A base given for a file nobody recognises means a plain binary. */
function formatOf(file: Uint8Array, { name = '', format, base }: ImageOptions): ImageFormat {
  const found = format ?? detectFormat(file, name) ?? (base === undefined ? undefined : 'bin');
  if (found === undefined) throw fail('BF-IMAGE-FORMAT', name === '' ? undefined : name);
  if (found !== 'bin' && base !== undefined) throw fail('BF-IMAGE-BASE-UNWANTED', `the file is ${found}`);
  return found;
}

/**
 * Checks that all of an image lies in the flash of a chip.
 * @param flashKiB flash size, KiB; the chip's largest unless given.
 * @throws BF-IMAGE-TOO-LARGE or BF-IMAGE-OUTSIDE-FLASH, with the first address that does not fit.
 */
export function checkImageFits(image: Image, chip: Chip, flashKiB: number = chip.flashKiB[0]): void {
  const end = chip.flashBase + flashKiB * 1024;
  const flash = `flash is ${hexAddress(chip.flashBase)}..${hexAddress(end - 1)}`;
  if (image.length > flashKiB * 1024) throw fail('BF-IMAGE-TOO-LARGE', `${image.length} bytes; ${flash}`);
  for (const segment of image.segments) {
    if (segment.address < chip.flashBase || segment.address >= end) {
      throw fail('BF-IMAGE-OUTSIDE-FLASH', `${hexAddress(segment.address)}; ${flash}`);
    }
    if (endOf(segment) > end) {
      throw fail('BF-IMAGE-TOO-LARGE', `it ends at ${hexAddress(endOf(segment) - 1)}; ${flash}`);
    }
  }
}

/**
 * Names the contents of an image whatever its file format: SHA-512("blindflash/2 image" ‖ 00 ‖ for each segment:
 * address 4 ‖ length 4 ‖ bytes). 64 bytes. For the vendor's own records; it never leaves his computer.
 */
export function imageHash(image: Image): Uint8Array {
  const parts = image.segments.flatMap(({ address, bytes }) => [u32le(address), u32le(bytes.length), bytes]);
  return sha512(withDomain('blindflash/2 image', concat(...parts)));
}
