// An image: bytes of files → tidy segments, checked against the flash of a chip.
import { concat, u32le } from '../../shared/codec/bytes.ts';
import type { Chip } from '../../shared/chips/index.ts';
import { sha512, withDomain } from '../../shared/crypto/hash.ts';
import { fail, isBlindflashError } from '../../shared/errors/errors.ts';
import { readBin } from './bin.ts';
import { detectFormat, isUtf16Text, type ImageFormat } from './detect.ts';
import { readDfuse } from './dfuse.ts';
import { readElf } from './elf.ts';
import { readHex } from './hex.ts';
import { mergeFiles } from './merge.ts';
import { regionAt, withoutRanges, type Skipped, type AddressRange } from './regions.ts';
import { endOf, hexAddress, requireDistinct, tidySegments, type Segment } from './segments.ts';
import { readSrec } from './srec.ts';
import { readUf2 } from './uf2.ts';

export interface Image {
  readonly format: ImageFormat;
  /** Ascending, apart from one another, on whole words. */
  readonly segments: readonly Segment[];
  /** Bytes in all segments. */
  readonly length: number;
  /** What of the files was left out. */
  readonly skipped?: readonly Skipped[];
}

export interface ImageOptions {
  /** File name, for files whose contents do not tell what they are. */
  readonly name?: string;
  /** Overrides what contents and name say. */
  readonly format?: ImageFormat | undefined;
  /** Where a plain binary belongs. */
  readonly base?: number | undefined;
}

/** A file of an image. */
export interface ImageFile extends ImageOptions {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** An image of one or more files, and what of them it is. */
export interface LoadedImage extends Image {
  readonly files: readonly { readonly name: string; readonly format: ImageFormat }[];
  readonly skipped: readonly Skipped[];
}

const READERS: Readonly<Record<Exclude<ImageFormat, 'bin'>, (file: Uint8Array) => Segment[]>> = {
  elf: readElf,
  hex: readHex,
  srec: readSrec,
  dfuse: readDfuse,
  uf2: readUf2,
};

/** Reads an image file of any known format. Throws a BF-IMAGE code for everything that is wrong with it. */
export function readImage(file: Uint8Array, options: ImageOptions = {}): Image {
  const { format, segments } = readFile(file, options);
  return imageOf(format, tidySegments(segments));
}

/**
 * Reads files that are one image, a loader and an application for example, without what lies in the ranges to skip.
 * @throws as readImage does, naming the file when there are several; BF-IMAGE-OVERLAP when two files contradict each
 *   other.
 */
export function readImages(files: readonly ImageFile[], skip: readonly AddressRange[] = []): LoadedImage {
  const parts = files.map((file) => readPart(file, skip, files.length > 1));
  const [first] = parts;
  if (first === undefined) throw fail('BF-IMAGE-EMPTY', 'no file was named');
  return {
    ...imageOf(first.format, tidySegments(mergeFiles(parts))),
    files: parts.map(({ name, format }) => ({ name, format })),
    skipped: parts.flatMap(({ skipped }) => skipped),
  };
}

function imageOf(format: ImageFormat, segments: readonly Segment[]): Image {
  return { format, segments, length: segments.reduce((sum, { bytes }) => sum + bytes.length, 0) };
}

function readPart(file: ImageFile, skip: readonly AddressRange[], isOneOfSeveral: boolean) {
  try {
    const { format, segments } = readFile(file.bytes, file);
    const { kept, skipped } = withoutRanges(requireDistinct(segments), skip);
    return { name: file.name, format, segments: kept, skipped };
  } catch (error) {
    if (!isOneOfSeveral || !isBlindflashError(error)) throw error;
    throw fail(error.code, error.detail === undefined ? file.name : `${file.name}: ${error.detail}`, error);
  }
}

function readFile(file: Uint8Array, options: ImageOptions): { format: ImageFormat; segments: Segment[] } {
  if (file.length === 0) throw fail('BF-IMAGE-EMPTY', 'the file has no bytes');
  const format = formatOf(file, options);
  return { format, segments: format === 'bin' ? readBin(file, options.base) : READERS[format](file) };
}

/** A base given for a file nobody recognises means a plain binary. */
function formatOf(file: Uint8Array, { name = '', format, base }: ImageOptions): ImageFormat {
  if (format !== 'bin' && isUtf16Text(file)) throw fail('BF-IMAGE-UTF16', name === '' ? undefined : name);
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
      const region = regionAt(segment.address);
      const where = region === undefined ? '' : ` (${region}: --skip ${region} leaves it out)`;
      throw fail('BF-IMAGE-OUTSIDE-FLASH', `${hexAddress(segment.address)}${where}; ${flash}`);
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
