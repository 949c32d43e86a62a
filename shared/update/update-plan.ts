// The plan of an update file: that of docs/protocol.md §7 without a job id, for a device behind its loader, with the
// product, the version and the floor (docs/update-files.md §2).
import { copyOf, isZero, Reader, Writer } from '../codec/bytes.ts';
import { requireChip } from '../chips/index.ts';
import { fail, isBlindflashError } from '../errors/errors.ts';
import { decodePlan, encodePlan, PLAN_HEADER_BYTES, type Plan } from '../plan/plan.ts';
import { checkPlan } from '../plan/rules.ts';
import { MODES, type AnyMode } from '../plan/modes.ts';

/** Modes in which a device has keys of its own, by their byte in the plan. */
const UPDATE_MODES = { 'lock-then-load': 2, seeded: 3 } as const satisfies Partial<Record<AnyMode, number>>;
export type UpdateMode = keyof typeof UPDATE_MODES;

/** Which image this is, and which ones may follow it. */
export interface Release {
  /** The vendor's number of the product; a loader takes its own alone. */
  readonly product: number;
  /** Versions are numbers; a later one is greater. */
  readonly version: number;
  /** The least version the device takes once this one is complete; at most `version`. */
  readonly floor: number;
}

/** What a floor does, in the words people are shown. */
export function floorText({ version, floor }: Pick<Release, 'version' | 'floor'>): string {
  const below = `once this image is complete, nothing below version ${floor} is taken`;
  return floor === version ? below : `${below}; between ${floor} and ${version} an older file may go back`;
}

export interface UpdatePlan {
  readonly mode: UpdateMode;
  readonly release: Release;
  /** Of kind flash; its job id is 16 zero bytes, its mode and its option bits are not looked at. */
  readonly plan: Plan;
}

/** Sectors from the start of flash that are the loader's: 4 of 16 KiB, and where the image begins behind them. */
export const LOADER_SECTORS = 4;
const LOADER_KIB = 64;
const JOB = { offset: 8, bytes: 16 } as const;
const MODE_OFFSET = 7;
/** Where a plan of kind options has its option bits. */
const RELEASE = { offset: 48, bytes: 16 } as const;
const MALFORMED = 'BF-UPDATE-MALFORMED';

/** Where an image behind a loader starts: 0x08010000. @param flashBase of the chip */
export function imageStart(flashBase: number): number {
  return flashBase + LOADER_KIB * 1024;
}

/** The plan's bytes as they stand in a file. @throws as encodePlan does */
export function encodeUpdatePlan({ mode, release, plan }: UpdatePlan): Uint8Array {
  const bytes = encodePlan({ ...plan, job: new Uint8Array(JOB.bytes) });
  bytes[MODE_OFFSET] = UPDATE_MODES[mode];
  const { product, version, floor } = release;
  const facts = new Writer().u32(product, 'product').u32(version, 'version').u32(floor, 'floor').zeros(4).finish();
  bytes.set(facts, RELEASE.offset);
  return bytes;
}

/**
 * Reads the plan of a file and holds it against the rules of docs/protocol.md §7 and docs/update-files.md §2.
 * @throws BF-UPDATE-MALFORMED
 */
export function decodeUpdatePlan(bytes: Uint8Array): UpdatePlan {
  try {
    const read = readPlan(bytes);
    checkUpdatePlan(read);
    return read;
  } catch (error) {
    if (!isBlindflashError(error) || error.code === MALFORMED) throw error;
    throw fail(MALFORMED, error.message, error);
  }
}

function readPlan(bytes: Uint8Array): UpdatePlan {
  if (bytes.length < PLAN_HEADER_BYTES) throw fail(MALFORMED, `a plan of ${bytes.length} bytes`);
  const mode = (Object.keys(UPDATE_MODES) as UpdateMode[]).find((name) => UPDATE_MODES[name] === bytes[MODE_OFFSET]);
  if (mode === undefined) throw fail(MALFORMED, `mode ${bytes[MODE_OFFSET]} has no update files`);
  const reader = new Reader(copyOf(bytes, RELEASE.offset, RELEASE.offset + RELEASE.bytes), MALFORMED, 'plan');
  const release = { product: reader.u32(), version: reader.u32(), floor: reader.u32() };
  reader.zeros(4);
  const common = copyOf(bytes);
  common[MODE_OFFSET] = MODES['host-blind'].number;
  common.fill(0, RELEASE.offset, RELEASE.offset + RELEASE.bytes);
  return { mode, release, plan: decodePlan(common) };
}

/** Holds a plan against all its rules. @throws BF-UPDATE-MALFORMED, BF-PLAN-*, or that the chip is not known */
export function checkUpdatePlan({ plan, release }: UpdatePlan): void {
  const chip = requireChip(plan.devId);
  checkPlan(plan, chip);
  const broken: readonly (readonly [boolean, string])[] = [
    [plan.kind !== 'flash', `a plan of kind ${plan.kind}`],
    [!isZero(plan.job), 'a job id'],
    [plan.bootAddress !== imageStart(chip.flashBase), 'boot words that are not those behind the loader'],
    [plan.sectors.some((sector) => sector < LOADER_SECTORS), 'a sector of the loader'],
    [plan.ranges.some(({ use }) => use !== 'program'), 'a range that is only compared'],
    [plan.lock !== 'none', 'a lock, which such a chip has already'],
    [plan.flags.length > 0, 'flags'],
    [release.floor > release.version, `floor ${release.floor} above version ${release.version}`],
  ];
  for (const [isBroken, what] of broken) if (isBroken) throw fail(MALFORMED, what);
}
