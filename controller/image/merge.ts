// Several files as one image: what two of them hold at the same address must be the same.
import { equalBytes } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import { endOf, hexAddress, type Segment } from './segments.ts';

/** Segments of one file, each address at most once. */
export interface FilePart {
  readonly name: string;
  readonly segments: readonly Segment[];
}

/**
 * Segments of all files, each address once. @throws BF-IMAGE-OVERLAP naming both files and the address, never a byte.
 */
export function mergeFiles(files: readonly FilePart[]): Segment[] {
  const sorted = files
    .flatMap(({ name, segments }) => segments.map((segment) => ({ name, segment })))
    .sort((a, b) => a.segment.address - b.segment.address);
  const merged: Segment[] = [];
  // Of all segments so far the one that reaches furthest: from the next one's start to its end it holds all there is.
  let furthest: (typeof sorted)[number] | undefined;
  for (const next of sorted) {
    const shared = furthest === undefined ? 0 : overlapOf(furthest.segment, next.segment);
    if (furthest !== undefined) requireSame(furthest, next, shared);
    const { address, bytes } = next.segment;
    if (shared === bytes.length) continue;
    merged.push({ address: address + shared, bytes: bytes.subarray(shared) });
    furthest = next;
  }
  return merged;
}

/** How many of the first bytes of `next` `before` reaches over; `next` begins no earlier. */
function overlapOf(before: Segment, next: Segment): number {
  return Math.max(0, Math.min(endOf(before) - next.address, next.bytes.length));
}

function requireSame(
  before: { readonly name: string; readonly segment: Segment },
  next: { readonly name: string; readonly segment: Segment },
  shared: number,
): void {
  const { address, bytes } = next.segment;
  const from = address - before.segment.address;
  const there = before.segment.bytes.subarray(from, from + shared);
  if (equalBytes(there, bytes.subarray(0, shared))) return;
  const at = hexAddress(address + there.findIndex((byte, index) => byte !== bytes[index]));
  throw fail('BF-IMAGE-OVERLAP', `${before.name} and ${next.name} hold different bytes at ${at}`);
}
