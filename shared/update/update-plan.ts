// The plan of an update file: that of docs/protocol.md §7 without a job id, for a device behind its loader, with the
// product, the version and the floor (docs/update-files.md §2).
import { copyOf, isZero, Reader, Writer } from '../codec/bytes.ts';
import { requireChip } from '../chips/index.ts';
import { fail, isBlindflashError } from '../errors/errors.ts';
import { decodePlan, encodePlan, PLAN_HEADER_BYTES, type Plan } from '../plan/plan.ts';
import { checkPlan } from '../plan/rules.ts';
import { MODES, type PlanMode } from '../plan/modes.ts';
import { imageStart, LOADER_SECTORS, readRelease, writeRelease, type Release } from '../plan/release.ts';

/** Modes in which a device has keys of its own. */
const UPDATE_MODES = ['lock-then-load', 'seeded'] as const satisfies readonly PlanMode[];
export type UpdateMode = (typeof UPDATE_MODES)[number];

export interface UpdatePlan {
  readonly mode: UpdateMode;
  readonly release: Release;
  /** Of kind flash; its job id is 16 zero bytes, its mode and its option bits are not looked at. */
  readonly plan: Plan;
}

const JOB = { offset: 8, bytes: 16 } as const;
const MODE_OFFSET = 7;
/** Where a plan of kind options has its option bits. */
const RELEASE = { offset: 48, bytes: 16 } as const;
const MALFORMED = 'BF-UPDATE-MALFORMED';

/** The plan's bytes as they stand in a file. @throws as encodePlan does */
export function encodeUpdatePlan({ mode, release, plan }: UpdatePlan): Uint8Array {
  const bytes = encodePlan({ ...plan, job: new Uint8Array(JOB.bytes) });
  bytes[MODE_OFFSET] = MODES[mode].number;
  const words = new Writer();
  writeRelease(words, release);
  bytes.set(words.finish(), RELEASE.offset);
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
  const mode = UPDATE_MODES.find((name) => MODES[name].number === bytes[MODE_OFFSET]);
  if (mode === undefined) throw fail(MALFORMED, `mode ${bytes[MODE_OFFSET]} has no update files`);
  const reader = new Reader(copyOf(bytes, RELEASE.offset, RELEASE.offset + RELEASE.bytes), MALFORMED, 'plan');
  const release = readRelease(reader);
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
