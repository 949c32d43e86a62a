// Segments: the contiguous pieces of an image, in one tidy order. Pure; knows no file format and no chip.
import { copyOf, hexNumber } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';

/** A contiguous run of bytes of an image. */
export interface Segment {
  /** Address of the first byte. */
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** What erased flash reads, and what fills every gap. */
export const ERASED_BYTE = 0xff;
const WORD = 4;
export const ADDRESS_SPACE = 2 ** 32;

/**
 * Sorts segments, drops empty ones, joins those that touch or share a word, and fills up to whole words with FF.
 * @throws BF-IMAGE-OVERLAP when an address occurs twice, BF-IMAGE-OUTSIDE-FLASH beyond 4 GiB, BF-IMAGE-EMPTY.
 */
export function tidySegments(segments: readonly Segment[]): Segment[] {
  const sorted = requireDistinct(segments);
  if (sorted.length === 0) throw fail('BF-IMAGE-EMPTY');
  return groupsOf(sorted).map(joined);
}

/** First address behind a segment. */
export function endOf(segment: Segment): number {
  return segment.address + segment.bytes.length;
}

/** `0x08000000` */
export function hexAddress(address: number): string {
  return hexNumber(address);
}

/**
 * The segments that hold anything, in the order of their addresses. @throws BF-IMAGE-OVERLAP, BF-IMAGE-OUTSIDE-FLASH
 */
export function requireDistinct(segments: readonly Segment[]): Segment[] {
  const sorted = segments.filter(({ bytes }) => bytes.length > 0).sort((a, b) => a.address - b.address);
  let end = 0;
  for (const segment of sorted) {
    if (segment.address < end) throw fail('BF-IMAGE-OVERLAP', `${hexAddress(segment.address)} occurs twice`);
    end = endOf(segment);
    if (end > ADDRESS_SPACE) throw fail('BF-IMAGE-OUTSIDE-FLASH', `the image runs past ${hexAddress(0xffffffff)}`);
  }
  return sorted;
}

/** Neighbours whose words touch belong together. */
function groupsOf(sorted: readonly Segment[]): Segment[][] {
  const groups: Segment[][] = [];
  for (const segment of sorted) {
    const last = groups.at(-1)?.at(-1);
    if (last !== undefined && wordStart(segment.address) <= wordEnd(endOf(last))) groups.at(-1)?.push(segment);
    else groups.push([segment]);
  }
  return groups;
}

function joined(group: readonly Segment[]): Segment {
  const address = wordStart((group[0] as Segment).address);
  const bytes = new Uint8Array(wordEnd(endOf(group.at(-1) as Segment)) - address).fill(ERASED_BYTE);
  for (const segment of group) bytes.set(segment.bytes, segment.address - address);
  return { address, bytes };
}

/** The bytes [address, address + length) of tidy segments; what none of them holds reads FF. */
export function bytesAt(segments: readonly Segment[], address: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length).fill(ERASED_BYTE);
  for (const segment of segments) {
    const from = Math.max(segment.address, address);
    const to = Math.min(endOf(segment), address + length);
    if (from < to) bytes.set(copyOf(segment.bytes, from - segment.address, to - segment.address), from - address);
  }
  return bytes;
}

function wordStart(address: number): number {
  return address - (address % WORD);
}

function wordEnd(address: number): number {
  return wordStart(address + WORD - 1);
}
