// image × chip × options → plan (docs/protocol.md §7). Pure and deterministic: the job id comes in.
import { endOf, type Segment } from '../image/segments.ts';
import { checkImageFits, type Image } from '../image/image.ts';
import { requireBehindLoader } from './behind-loader.ts';
import { chooseBootWords, withBootWords, type BootChoice } from './boot.ts';
import {
  commonBits,
  unlockableBits,
  unlockedValue,
  sectorAt,
  sectorNumber,
  sectorsOf,
  type Chip,
  type Sector,
  type Width,
} from '../../shared/chips/index.ts';
import { fail } from '../../shared/errors/errors.ts';
import {
  NO_OPTIONS,
  PLAN_LIMITS,
  type FinalAction,
  type OptionChange,
  type PlanFlag,
  type Plan,
  type PlanKind,
} from '../../shared/plan/plan.ts';
import type { PlanLock, PlanRange, RangeUse } from '../../shared/plan/plan.ts';
import { QUESTION_LIMITS } from '../../shared/sealed/messages.ts';
import { checkPlan } from '../../shared/plan/rules.ts';
import { KINDS } from '../../shared/plan/kinds.ts';
import { DEFAULT_MODE, hasLoader, isPlanMode, PLAN_MODES, satisfiesPolicy } from '../../shared/plan/modes.ts';
import type { AnyMode, PlanMode } from '../../shared/plan/modes.ts';
import type { Release } from '../../shared/plan/release.ts';

/** The stub wipes itself after this long without a sealed command, unless the vendor says otherwise. */
export const DEFAULT_IDLE_MS = 600_000;

export interface PlanOptions {
  /** 16 bytes. */
  readonly job: Uint8Array;
  /** Flash size of the chip, KiB; its largest unless given. */
  readonly flashKiB?: number | undefined;
  /** What the customer reads; at most 64 bytes of UTF-8. */
  readonly label?: string | undefined;
  readonly idleLimitMs?: number | undefined;
  readonly finalAction?: FinalAction | undefined;
  readonly flags?: readonly PlanFlag[] | undefined;
  /** Trust mode asked for; host-blind unless given. */
  readonly mode?: AnyMode | undefined;
  /** Product, version and floor: with a mode that has a loader, and with no other. */
  readonly release?: Release | undefined;
  /** The weakest trust mode the firmware's policy allows. */
  readonly minimumMode?: AnyMode | undefined;
}

export interface FlashOptions extends PlanOptions {
  readonly lock?: PlanLock | undefined;
  /** Widest programming allowed. */
  readonly widest?: Width | undefined;
  /** Where the boot words are; found unless given. */
  readonly boot?: BootChoice | undefined;
  /** Sectors may be skipped across jobs: what the image leaves free in them is checked, too. */
  readonly delta?: boolean | undefined;
  /** Every sector of the chip is erased, not only those the image touches. */
  readonly whole?: boolean | undefined;
}

export interface VerifyOptions extends PlanOptions {
  /** It may be asked where something differs: ranges are cut as finely as a plan allows. */
  readonly where?: boolean | undefined;
}

/** Job of kind flash: erase what the image touches, program it, boot words last. */
export function compileFlash(image: Image, chip: Chip, options: FlashOptions): Plan {
  const flashKiB = options.flashKiB ?? largestFlash(chip);
  checkImageFits(image, chip, flashKiB);
  if (options.release !== undefined) requireBehindLoader(image, chip, flashKiB);
  const boot = chooseBootWords(image, chip, options.boot ?? 'found');
  const segments = boot === undefined ? image.segments : withBootWords(image.segments, boot, chip);
  const programmed = rangesOf(segments, chip, flashKiB, 'program');
  const sectors = options.whole === true ? allSectors(chip, flashKiB) : sectorsTouched(programmed, chip, flashKiB);
  const ranges = options.delta === true ? withFreeParts(programmed, sectors, boot, chip, flashKiB) : programmed;
  return checked(chip, {
    ...common('flash', chip, { ...options, flashKiB }),
    sectors,
    bootAddress: boot,
    widest: options.widest ?? 'x32',
    lock: options.lock ?? 'none',
    ranges,
  });
}

/**
 * The job that plants a loader: nothing of what was there before stays, and the chip is locked in the one option write
 * of its life.
 */
export function compilePlant(loader: Image, chip: Chip, options: PlanOptions): Plan {
  return compileFlash(loader, chip, { ...options, whole: true, lock: 'level 1, sector 0', boot: chip.flashBase });
}

/** Job of kind verify: the stub digests what the image covers; nothing is changed. */
export function compileVerify(image: Image, chip: Chip, options: VerifyOptions): Plan {
  const flashKiB = options.flashKiB ?? largestFlash(chip);
  checkImageFits(image, chip, flashKiB);
  if (options.release !== undefined) requireBehindLoader(image, chip, flashKiB);
  const whole = rangesOf(image.segments, chip, flashKiB, 'digest');
  const ranges = options.where === true ? intoPieces(whole) : whole;
  return checked(chip, { ...common('verify', chip, { ...options, flashKiB }), ranges });
}

/** Job of kind erase. @param sectors numbers, ascending; all of the chip's unless given. */
export function compileErase(chip: Chip, options: PlanOptions & { readonly sectors?: readonly number[] }): Plan {
  const flashKiB = options.flashKiB ?? largestFlash(chip);
  const sectors = options.sectors ?? allSectors(chip, flashKiB);
  return checked(chip, { ...common('erase', chip, { ...options, flashKiB }), sectors });
}

/** Job of kind info: the agent says what is connected; no stub, no change. */
export function compileInfo(chip: Chip, options: PlanOptions): Plan {
  return checked(chip, common('info', chip, { ...options, flashKiB: options.flashKiB ?? 0 }));
}

/** Job of kind reset: the board is reset and runs what is in its flash. */
export function compileReset(chip: Chip, options: PlanOptions): Plan {
  return checked(chip, common('reset', chip, { ...options, flashKiB: options.flashKiB ?? 0 }));
}

/** Job of kind unlock: level 0, and nothing write-protected or set that would keep the chip from starting bank 1. */
export function compileUnlock(chip: Chip, options: PlanOptions): Plan {
  const flashKiB = options.flashKiB ?? 0;
  const mask = unlockableBits(chip, flashKiB);
  const freed = { mask, value: commonBits(mask, unlockedValue(chip, flashKiB)) };
  return checked(chip, { ...common('unlock', chip, { ...options, flashKiB }), options: freed });
}

/** Job of kind options: the bits the vendor chose. */
export function compileOptions(chip: Chip, options: PlanOptions & { readonly change: OptionChange }): Plan {
  const { change, flashKiB = 0 } = options;
  return checked(chip, { ...common('options', chip, { ...options, flashKiB }), options: change });
}

/** Job of kind enroll: the chip behind a loader tells its keys. */
export function compileEnroll(chip: Chip, options: PlanOptions & { readonly release: Release }): Plan {
  const flashKiB = options.flashKiB ?? largestFlash(chip);
  return checked(chip, common('enroll', chip, { ...options, flashKiB }));
}

/** Job of kind keys: the loader takes no more what comes by these of its vendor keys. @param cleared places from 0 */
export function compileKeys(chip: Chip, options: PlanOptions & { readonly cleared: readonly number[] }): Plan {
  const flashKiB = options.flashKiB ?? largestFlash(chip);
  return checked(chip, { ...common('keys', chip, { ...options, flashKiB }), cleared: options.cleared });
}

// ── ranges and sectors ────────────────────────────────────────────────────────────────────────────────────────────

interface Span {
  readonly address: number;
  readonly end: number;
  readonly sector: number;
}

/** Segments cut at sector boundaries; when there are too many, the smallest gaps inside sectors are filled. */
function rangesOf(segments: readonly Segment[], chip: Chip, flashKiB: number, use: RangeUse): PlanRange[] {
  const sectors = sectorsOf(chip, flashKiB);
  const spans = fillSmallestGaps(segments.flatMap((segment) => cutAtSectors(segment, sectors)));
  return spans.map(({ address, end }) => ({ address, length: end - address, use }));
}

/**
 * Ranges cut at multiples of the smallest power of two with which all pieces fit into a plan; no piece is shorter than
 * a question may cover, unless its range is.
 */
function intoPieces(ranges: readonly PlanRange[]): PlanRange[] {
  for (let size: number = QUESTION_LIMITS.leastBytes; ; size *= 2) {
    const pieces = ranges.flatMap((range) => cutAtMultiples(range, size));
    if (pieces.length <= Math.max(PLAN_LIMITS.ranges, ranges.length)) return pieces;
  }
}

function cutAtMultiples({ address, length, use }: PlanRange, size: number): PlanRange[] {
  const end = address + length;
  const cuts: number[] = [];
  for (let at = address - (address % size) + size; at < end; at += size) {
    if (at - (cuts.at(-1) ?? address) >= QUESTION_LIMITS.leastBytes) cuts.push(at);
  }
  if (end - (cuts.at(-1) ?? end) < QUESTION_LIMITS.leastBytes) cuts.pop();
  const starts = [address, ...cuts];
  return starts.map((from, index) => ({ address: from, length: (starts[index + 1] ?? end) - from, use }));
}

function cutAtSectors(segment: Segment, sectors: readonly Sector[]): Span[] {
  return sectors
    .map(({ index, base, bytes }) => ({
      address: Math.max(segment.address, base),
      end: Math.min(endOf(segment), base + bytes),
      sector: index,
    }))
    .filter(({ address, end }) => address < end);
}

/** At most 64 spans: as many of the smallest gaps between neighbours of one sector are closed as it takes. */
function fillSmallestGaps(spans: readonly Span[]): Span[] {
  const surplus = Math.max(0, spans.length - PLAN_LIMITS.ranges);
  const gaps = spans.slice(1).map((right, index) => gapBefore(spans[index] as Span, right, index + 1));
  const closed = new Set(
    gaps
      .filter(({ size }) => Number.isFinite(size))
      .sort((a, b) => a.size - b.size)
      .slice(0, surplus)
      .map(({ index }) => index),
  );
  if (closed.size < surplus) throw fail('BF-PLAN-TOO-LONG', `${spans.length} ranges`);
  const joined: Span[] = [];
  for (const [index, span] of spans.entries()) {
    if (closed.has(index)) joined.push({ ...(joined.pop() as Span), end: span.end });
    else joined.push(span);
  }
  return joined;
}

/**
 * With ranges to check over what is left free in every sector but the boot words', so that a skipped sector is proven
 * to its last byte. A sector whose free parts do not fit into the plan any more goes without, and `--delta` never skips
 * it.
 */
function withFreeParts(
  ranges: readonly PlanRange[],
  sectors: readonly number[],
  boot: number | undefined,
  chip: Chip,
  flashKiB: number,
): PlanRange[] {
  const all = [...ranges];
  for (const sector of sectors.map((index) => sectorNumber(chip, index, flashKiB))) {
    const free = freePartsOf(sector, ranges);
    const isBoot = boot !== undefined && boot >= sector.base && boot < sector.base + sector.bytes;
    if (!isBoot && all.length + free.length <= PLAN_LIMITS.ranges) all.push(...free);
  }
  return all.sort((a, b) => a.address - b.address);
}

/** The parts of a sector that no range covers, as ranges to be checked only. */
function freePartsOf({ base, bytes }: Sector, ranges: readonly PlanRange[]): PlanRange[] {
  const inside = ranges.filter(({ address }) => address >= base && address < base + bytes);
  const starts = [base, ...inside.map(({ address, length }) => address + length)];
  const ends = [...inside.map(({ address }) => address), base + bytes];
  return starts.flatMap((address, index) => {
    const length = (ends[index] as number) - address;
    return length > 0 ? [{ address, length, use: 'digest' as const }] : [];
  });
}

function gapBefore(left: Span, right: Span, index: number): { index: number; size: number } {
  return { index, size: left.sector === right.sector ? right.address - left.end : Number.POSITIVE_INFINITY };
}

function allSectors(chip: Chip, flashKiB: number): number[] {
  return sectorsOf(chip, flashKiB).map(({ index }) => index);
}

function sectorsTouched(ranges: readonly PlanRange[], chip: Chip, flashKiB: number): number[] {
  const indices = ranges.map(({ address }) => sectorAt(chip, address, flashKiB)?.index ?? -1);
  return [...new Set(indices)].sort((a, b) => a - b);
}

// ── what all plans share ──────────────────────────────────────────────────────────────────────────────────────────

function common(kind: PlanKind, chip: Chip, options: PlanOptions & { flashKiB: number }): Plan {
  const mode = requireMode(options.mode ?? DEFAULT_MODE, options.minimumMode);
  return {
    kind,
    mode,
    job: options.job,
    devId: chip.devId,
    flashKiB: options.flashKiB,
    idleLimitMs: options.idleLimitMs ?? DEFAULT_IDLE_MS,
    sectors: [],
    bootAddress: undefined,
    widest: 'x32',
    lock: 'none',
    finalAction: options.finalAction ?? KINDS[kind].finalAction,
    flags: options.flags ?? [],
    options: NO_OPTIONS,
    ...releaseOf(kind, mode, options.release),
    ranges: [],
    label: options.label ?? '',
  };
}

/** A mode with a loader is that of one device, and its plan says which image that gets. @throws BF-USAGE */
function releaseOf(kind: PlanKind, mode: PlanMode, release: Release | undefined): Pick<Plan, 'release'> {
  if (hasLoader(mode) && release === undefined && !KINDS[kind].clearsKeys) {
    throw fail('BF-USAGE', `the mode ${mode} follows from the device the job is for: name it with flash --device UID`);
  }
  return release === undefined ? {} : { release };
}

/** The mode asked for, if this version has it and the policy allows it. */
function requireMode(asked: AnyMode, minimum: AnyMode | undefined): PlanMode {
  if (!isPlanMode(asked)) {
    throw fail('BF-JOB-POLICY', `this version has no mode ${asked}, only ${PLAN_MODES.join(', ')}`);
  }
  if (minimum !== undefined && !satisfiesPolicy(asked, minimum)) {
    throw fail('BF-JOB-POLICY', `the policy asks for ${minimum}; this version offers ${PLAN_MODES.join(', ')}`);
  }
  return asked;
}

function largestFlash(chip: Chip): number {
  return chip.flashKiB[0] as number;
}

function checked(chip: Chip, plan: Plan): Plan {
  checkPlan(plan, chip);
  return plan;
}
