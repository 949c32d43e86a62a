// Addresses of an STM32F4 that are not flash, by name, and which ranges of an image are to be left out
// (docs/reference/stm32f4.md §2.1, §2.4; external memory: RM0090 §37.4, for QSPI RM0386 §2.3).
import type { Chip } from '../../shared/chips/index.ts';
import { copyOf } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import { endOf, hexAddress, ADDRESS_SPACE, type Segment } from './segments.ts';

/** A stretch of addresses. */
export interface AddressRange {
  /** As `--skip` and the plan say it. */
  readonly name: string;
  readonly from: number;
  /** First address behind it. */
  readonly end: number;
}

const row = (name: string, from: number, bytes: number): AddressRange => ({ name, from, end: from + bytes });

/** A name may stand for several ranges. */
const REGIONS: readonly AddressRange[] = [
  row('option-bytes', 0x1fffc000, 0x10),
  row('option-bytes', 0x1ffec000, 0x10),
  row('otp', 0x1fff7800, 0x210),
  row('rom', 0x1fff0000, 0x7800),
  row('ccm', 0x10000000, 0x10000),
  row('ram', 0x20000000, 0x20000000),
  row('backup-ram', 0x40024000, 0x1000),
  row('fmc', 0x60000000, 0x30000000),
  row('qspi', 0x90000000, 0x10000000),
  row('sdram', 0xc0000000, 0x20000000),
];
/** Everything but the flash of the chip. */
const OUTSIDE = 'outside-flash';

const REGION_NAMES: readonly string[] = [...new Set(REGIONS.map(({ name }) => name)), OUTSIDE];

/**
 * Reads what `--skip` names: `option-bytes,otp`, `0x90000000-0x90ffffff` (both ends included) or `0x1fffc000+16`.
 * @throws BF-USAGE
 */
export function parseSkip(text: string, chip: Chip): AddressRange[] {
  return text.split(',').flatMap((part) => rangesOf(part.trim(), chip));
}

function rangesOf(part: string, chip: Chip): AddressRange[] {
  if (part.toLowerCase() === OUTSIDE) return outsideFlash(chip);
  const named = REGIONS.filter(({ name }) => name === part.toLowerCase());
  if (named.length > 0) return named;
  const match = /^(0x[0-9a-f]{1,8})(?:-(0x[0-9a-f]{1,8})|\+(0x[0-9a-f]{1,8}|[0-9]{1,10}))$/i.exec(part);
  const from = Number(match?.[1]);
  const end = match?.[2] === undefined ? from + Number(match?.[3]) : Number(match[2]) + 1;
  if (!(from < end && end <= ADDRESS_SPACE)) {
    throw fail(
      'BF-USAGE',
      `--skip takes ${REGION_NAMES.join(', ')}, 0x90000000-0x90ffffff or 0x90000000+16, not ${part}`,
    );
  }
  return [{ name: part, from, end }];
}

function outsideFlash(chip: Chip): AddressRange[] {
  const flashEnd = chip.flashBase + (chip.flashKiB[0] as number) * 1024;
  return [
    { name: OUTSIDE, from: 0, end: chip.flashBase },
    { name: OUTSIDE, from: flashEnd, end: ADDRESS_SPACE },
  ];
}

/** The region an address lies in, or undefined. */
export function regionAt(address: number): string | undefined {
  return REGIONS.find(({ from, end }) => address >= from && address < end)?.name;
}

/** Bytes of an image that were left out. */
export interface Skipped {
  readonly address: number;
  readonly length: number;
  /** What they were left out for. */
  readonly name: string;
}

/** Segments without what lies in one of the ranges, and what that was. */
export function withoutRanges(
  segments: readonly Segment[],
  ranges: readonly AddressRange[],
): { readonly kept: readonly Segment[]; readonly skipped: readonly Skipped[] } {
  let kept = segments;
  const skipped: Skipped[] = [];
  for (const { name, from, end } of ranges) {
    const cut = kept.map((segment) => ({ inside: clip(segment, from, end), segment }));
    skipped.push(...cut.flatMap(({ inside: [one] }) => (one === undefined ? [] : [skippedOf(one, name)])));
    kept = cut.flatMap(({ inside, segment }) =>
      inside.length === 0 ? [segment] : [...clip(segment, 0, from), ...clip(segment, end, ADDRESS_SPACE)],
    );
  }
  return { kept, skipped: joinSkipped(skipped) };
}

/** The part of a segment in from..end, if there is any. */
function clip({ address, bytes }: Segment, from: number, end: number): Segment[] {
  const [first, behind] = [Math.max(address, from), Math.min(address + bytes.length, end)];
  return first < behind ? [{ address: first, bytes: copyOf(bytes, first - address, behind - address) }] : [];
}

function skippedOf(segment: Segment, name: string): Skipped {
  return { address: segment.address, length: endOf(segment) - segment.address, name };
}

/** Neighbours left out for the same reason are one. */
function joinSkipped(skipped: readonly Skipped[]): Skipped[] {
  const joined: Skipped[] = [];
  for (const one of [...skipped].sort((a, b) => a.address - b.address)) {
    const last = joined.at(-1);
    if (last?.name === one.name && last.address + last.length === one.address) {
      joined[joined.length - 1] = { ...last, length: last.length + one.length };
    } else {
      joined.push(one);
    }
  }
  return joined;
}

/** A part left out, as people read it. */
export function describeSkipped({ address, length, name }: Skipped): string {
  return `${length} bytes at ${hexAddress(address)}, ${name}`;
}
