// The controller's ordered work: plan × image → sealed commands and what the chip must answer (docs/protocol.md §8,
// §9). How many commands there are and how long each is depends on the plan alone, never on the bytes of the image.
import { bytesAt, ERASED_BYTE } from '../image/segments.ts';
import type { Image } from '../image/image.ts';
import { sectorAt, sectorsOf, type Chip } from '../../shared/chips/index.ts';
import { sha512 } from '../../shared/crypto/hash.ts';
import { fail } from '../../shared/errors/errors.ts';
import { BOOT_WORDS_BYTES, type Plan, type PlanRange } from '../../shared/plan/plan.ts';
import {
  ERASE_ALL,
  IMAGE_DATA_BYTES,
  SHORT_IMAGE_BYTES,
  QUESTION_LIMITS,
  rootDigest,
  writtenRoot,
  type Command,
} from '../../shared/sealed/messages.ts';

/** Short IMAGE commands in place of a long one, at most: two take less time even where a command costs 12 ms. */
const MOST_SHORT = 2;

/** A range of the plan with what its flash must hold. */
export interface ExpectedRange extends PlanRange {
  /** Position in the plan. */
  readonly index: number;
  readonly sector: number;
  /** SHA-512 while the boot words are still erased; equal to `after` where there are none. */
  readonly before: Uint8Array;
  /** SHA-512 when everything is written. */
  readonly after: Uint8Array;
}

export interface Expectation {
  readonly ranges: readonly ExpectedRange[];
  /** Roots of §8 over all ranges with the boot words erased, and in place. */
  readonly rootBefore: Uint8Array;
  readonly rootAfter: Uint8Array;
  /** What WRITTEN has to tell. */
  readonly written: Uint8Array;
}

/** What the chip must hold for this plan once the image is written, as digests. */
export function expectedDigests(plan: Plan, image: Image, chip: Chip): Expectation {
  const ranges = plan.ranges.map((range, index): ExpectedRange => {
    const bytes = bytesAt(image.segments, range.address, range.length);
    const after = sha512(bytes);
    const before = sha512(withoutBootWords(bytes, range, plan.bootAddress));
    return { ...range, index, sector: sectorOf(range, chip, plan), before, after };
  });
  const rootBefore = rootOver(ranges, 'before');
  return { ranges, rootBefore, rootAfter: rootOver(ranges, 'after'), written: writtenOf(plan, image, rootBefore) };
}

function writtenOf(plan: Plan, image: Image, rootBefore: Uint8Array): Uint8Array {
  if (plan.bootAddress === undefined) return rootBefore;
  return writtenRoot(rootBefore, bytesAt(image.segments, plan.bootAddress, BOOT_WORDS_BYTES));
}

function rootOver(ranges: readonly ExpectedRange[], which: 'before' | 'after'): Uint8Array {
  return rootDigest(ranges.map((range) => ({ ...range, digest: range[which] })));
}

/** The sector of the boot words: erased first, never skipped. Undefined for data and for every kind but flash. */
export function bootSector(plan: Plan, chip: Chip): number | undefined {
  return plan.bootAddress === undefined ? undefined : sectorAt(chip, plan.bootAddress, plan.flashKiB)?.index;
}

/** True when the plan digests a sector to its last byte: what is not programmed in it must read FF. */
export function coversSector(expected: Expectation, sector: number, bytes: number): boolean {
  const inside = expected.ranges.filter((range) => range.sector === sector);
  return inside.reduce((sum, { length }) => sum + length, 0) === bytes;
}

/** ERASE of one sector. @param unlessBlank what reads blank is left as it is */
export function eraseStep(sector: number, unlessBlank: boolean): Command {
  return unlessBlank ? { name: 'ERASE', sector, unlessBlank } : { name: 'ERASE', sector };
}

/** ERASE of everything that is not erased yet, for a plan that erases all of the chip. */
export function eraseAllStep(unlessBlank: boolean): Command {
  return eraseStep(ERASE_ALL, unlessBlank);
}

/** True when the plan erases every sector of the chip. */
export function erasesAll({ sectors, flashKiB }: Plan, chip: Chip): boolean {
  return sectors.length === sectorsOf(chip, flashKiB).length;
}

/** A question whether a run of ranges holds what it must. */
export type Question = Command & { readonly name: 'DIGEST' };

/**
 * Whether all ranges of a sector hold what they must; undefined for a sector without any. `before`:
 * boot words still erased.
 */
export function sectorQuestion(expected: Expectation, sector: number, which: 'before' | 'after'): Question | undefined {
  return questionAbout(
    expected.ranges.filter((range) => range.sector === sector),
    which,
  );
}

/** Whether all ranges of the plan hold what they must. */
export function planQuestion(expected: Expectation): Question {
  const question = questionAbout(expected.ranges, 'after');
  if (question === undefined) throw fail('BF-INTERNAL-ARGUMENT', 'a plan without ranges has no digest');
  return question;
}

/**
 * True when the stub answers this question about what the session has not erased (docs/protocol.md §8, "Questions").
 */
export function mayAsk(expected: Expectation, { first, count }: Question): boolean {
  return count === expected.ranges.length || !isShort(expected, { first, count });
}

/** As how many a question about what the session has not erased counts. */
export function questionCost(expected: Expectation, question: Question): number {
  return isShort(expected, question) ? QUESTION_LIMITS.shortCost : 1;
}

function isShort({ ranges }: Expectation, { first, count }: Pick<Question, 'first' | 'count'>): boolean {
  const asked = ranges.slice(first, first + count);
  return asked.reduce((sum, { length }) => sum + length, 0) < QUESTION_LIMITS.leastBytes;
}

/** Sectors that hold a range, ascending. */
export function sectorsOfRanges(expected: Expectation): number[] {
  return [...new Set(expected.ranges.map(({ sector }) => sector))].sort((a, b) => a - b);
}

/** Whether ranges hold what they must. @param ranges consecutive in the plan */
export function questionAbout(ranges: readonly ExpectedRange[], which: 'before' | 'after'): Question | undefined {
  const [first] = ranges;
  if (first === undefined) return undefined;
  return { name: 'DIGEST', first: first.index, count: ranges.length, expected: rootOver(ranges, which) };
}

/** IMAGE commands of a sector in ascending addresses, without the boot words; runs of FF travel like all else. */
export function* imageSteps(
  plan: Plan,
  image: Image,
  expected: Expectation,
  sector: number,
): Generator<Command & { readonly name: 'IMAGE' }> {
  for (const range of expected.ranges) {
    if (range.sector === sector && range.use === 'program') {
      for (const { address, length } of imageCommandsOf(range, plan.bootAddress)) {
        yield { name: 'IMAGE', address, data: bytesAt(image.segments, address, length) };
      }
    }
  }
}

/** FINAL: the root as it must stand, and the boot words; zeros where there are none. */
export function finalStep(plan: Plan, image: Image, expected: Expectation): Command {
  const boot = plan.bootAddress;
  const bootWords =
    boot === undefined ? new Uint8Array(BOOT_WORDS_BYTES) : bytesAt(image.segments, boot, BOOT_WORDS_BYTES);
  return { name: 'FINAL', root: expected.rootBefore, bootWords };
}

/** Image bytes that IMAGE commands carry for a sector, or for all of the plan: the length of the progress bar. */
export function imageBytes(plan: Plan, expected: Expectation, sector?: number): number {
  return expected.ranges
    .filter((range) => range.use === 'program' && (sector === undefined || range.sector === sector))
    .flatMap((range) => imageCommandsOf(range, plan.bootAddress))
    .reduce((sum, { length }) => sum + length, 0);
}

interface ImagePiece {
  readonly address: number;
  readonly length: number;
}

/** A range without the boot words, cut into what an IMAGE command holds. */
function imageCommandsOf(range: PlanRange, boot: number | undefined): ImagePiece[] {
  const end = range.address + range.length;
  const pieces =
    boot === undefined || boot < range.address || boot >= end
      ? [{ address: range.address, length: range.length }]
      : [
          { address: range.address, length: boot - range.address },
          { address: boot + BOOT_WORDS_BYTES, length: end - boot - BOOT_WORDS_BYTES },
        ];
  return pieces.flatMap(cutIntoCommands);
}

/** A rest that a few short commands hold travels in them: a long one takes the probe eight times as long. */
function cutIntoCommands({ address, length }: ImagePiece): ImagePiece[] {
  const rest = length % IMAGE_DATA_BYTES;
  const short = rest <= MOST_SHORT * SHORT_IMAGE_BYTES ? rest : 0;
  const long = cut({ address, length: length - short }, IMAGE_DATA_BYTES);
  return [...long, ...cut({ address: address + length - short, length: short }, SHORT_IMAGE_BYTES)];
}

function cut({ address, length }: ImagePiece, most: number): ImagePiece[] {
  return Array.from({ length: Math.ceil(length / most) }, (_, index) => ({
    address: address + index * most,
    length: Math.min(most, length - index * most),
  }));
}

function withoutBootWords(bytes: Uint8Array, range: PlanRange, boot: number | undefined): Uint8Array {
  if (boot === undefined || boot < range.address || boot >= range.address + range.length) return bytes;
  const start = boot - range.address;
  return new Uint8Array(bytes).fill(ERASED_BYTE, start, start + BOOT_WORDS_BYTES);
}

function sectorOf(range: PlanRange, chip: Chip, plan: Plan): number {
  const sector = sectorAt(chip, range.address, plan.flashKiB);
  if (sector === undefined) throw fail('BF-PLAN-RANGE', 'a range lies outside flash');
  return sector.index;
}
