// The rules every plan must keep, checked alike by controller, agent and stub (docs/protocol.md §7, "Rules").
import { sectorAt, sectorsOf, type Chip } from '../chips/chip.ts';
import * as bits from '../chips/option-bits.ts';
import type { OptionWords } from '../chips/option-bits.ts';
import { hexNumber } from '../codec/bytes.ts';
import { fail, type ErrorCode } from '../errors/errors.ts';
import { KINDS, kindRow, type Count, type OptionUse, type PlanKind } from './kinds.ts';
import { hasLoader } from './modes.ts';
import { BOOT_WORDS_BYTES, PLAN_LIMITS, plantsLoader, type Plan, type PlanRange } from './plan.ts';
import { imageStart, LOADER_SECTORS } from './release.ts';

interface Rule {
  readonly code: ErrorCode;
  /** What is wrong, or undefined. */
  readonly broken: (plan: Plan, chip: Chip) => string | undefined;
}

const RULES: readonly Rule[] = [
  { code: 'BF-PLAN-WRONG-CHIP', broken: (plan, chip) => problemIf(plan.devId !== chip.devId, 'the DEV_ID differs') },
  { code: 'BF-PLAN-WRONG-CHIP', broken: flashSize },
  { code: 'BF-PLAN-MALFORMED', broken: idleLimit },
  { code: 'BF-PLAN-MALFORMED', broken: shape },
  { code: 'BF-PLAN-RANGE', broken: sectorsExist },
  { code: 'BF-PLAN-RANGE', broken: rangesAscend },
  { code: 'BF-PLAN-RANGE', broken: (plan, chip) => firstBroken(plan.ranges, (range) => oneRange(range, plan, chip)) },
  { code: 'BF-PLAN-RANGE', broken: bootWords },
  {
    code: 'BF-PLAN-OPTIONS',
    broken: (plan) =>
      problemIf(plan.lock !== 'none' && plan.bootAddress === undefined, 'only a plan with boot words locks'),
  },
  { code: 'BF-PLAN-OPTIONS', broken: planting },
  { code: 'BF-PLAN-OPTIONS', broken: flags },
  { code: 'BF-PLAN-OPTIONS', broken: options },
  { code: 'BF-PLAN-MALFORMED', broken: mode },
  { code: 'BF-PLAN-MALFORMED', broken: behindLoader },
];

/** Throws the code of the first rule the plan breaks on this chip; returns when it keeps all of them. */
export function checkPlan(plan: Plan, chip: Chip): void {
  for (const rule of RULES) {
    const reason = rule.broken(plan, chip);
    if (reason !== undefined) throw fail(rule.code, reason);
  }
}

/** The range to program that holds the boot words, or undefined. */
export function bootRange(plan: Plan): PlanRange | undefined {
  const start = plan.bootAddress;
  if (start === undefined) return undefined;
  return plan.ranges.find(
    (range) =>
      range.use === 'program' && start >= range.address && start + BOOT_WORDS_BYTES <= range.address + range.length,
  );
}

function flashSize(plan: Plan, chip: Chip): string | undefined {
  if (plan.flashKiB === 0) return problemIf(!KINDS[plan.kind].anyFlash, 'the flash size is missing');
  return problemIf(!chip.flashKiB.includes(plan.flashKiB), `${plan.flashKiB} KiB of flash`);
}

function idleLimit(plan: Plan): string | undefined {
  const { least, most } = PLAN_LIMITS.idleMs;
  return problemIf(plan.idleLimitMs < least || plan.idleLimitMs > most, `an idle limit of ${plan.idleLimitMs} ms`);
}

function shape(plan: Plan): string | undefined {
  const wanted = KINDS[plan.kind];
  const uses = (use: PlanRange['use']) => plan.ranges.filter((range) => range.use === use).length;
  return (
    countProblem(wanted.sectors, plan.sectors.length, plan.kind, 'sectors to erase') ??
    countProblem(wanted.programs, uses('program'), plan.kind, 'ranges to program') ??
    countProblem(wanted.digests, uses('digest'), plan.kind, 'ranges to digest only') ??
    problemIf(plan.bootAddress !== undefined && !wanted.boots, `${plan.kind} has no boot words`)
  );
}

function countProblem(wanted: Count, count: number, kind: PlanKind, what: string): string | undefined {
  if (wanted === 'some') return problemIf(count === 0, `${kind} needs ${what}`);
  if (wanted === 'none') return problemIf(count !== 0, `${kind} has no ${what}`);
  return undefined;
}

function sectorsExist(plan: Plan, chip: Chip): string | undefined {
  const known = new Set(sectorsOf(chip, plan.flashKiB).map((sector) => sector.index));
  return firstBroken(plan.sectors, (index) => problemIf(!known.has(index), `there is no sector ${index}`));
}

function rangesAscend(plan: Plan): string | undefined {
  let end = 0;
  return firstBroken(plan.ranges, (range) => {
    const problem = problemIf(range.address < end, `${hexNumber(range.address)} does not follow the range before`);
    end = range.address + range.length;
    return problem;
  });
}

function oneRange(range: PlanRange, plan: Plan, chip: Chip): string | undefined {
  const at = hexNumber(range.address);
  if (range.length === 0) return `the range at ${at} is empty`;
  if (range.address % 4 !== 0 || range.length % 4 !== 0) return `the range at ${at} is not on 4 bytes`;
  const sector = sectorAt(chip, range.address, plan.flashKiB);
  if (sector === undefined) return `${at} is not flash`;
  if (range.address + range.length > sector.base + sector.bytes) return `the range at ${at} leaves its sector`;
  return problemIf(
    range.use === 'program' && !plan.sectors.includes(sector.index),
    `the range at ${at} is to be programmed but its sector ${sector.index} is not erased`,
  );
}

function bootWords(plan: Plan): string | undefined {
  if (plan.bootAddress === undefined) {
    return problemIf(
      KINDS[plan.kind].boots && plan.sectors.includes(0),
      'data is not written to the sector the chip starts from',
    );
  }
  if (plan.bootAddress % 4 !== 0) return 'the boot words are not on 4 bytes';
  return problemIf(bootRange(plan) === undefined, 'the boot words are not inside one range to program');
}

/** A loader is what the chip starts from, and its lock the only option write. */
function planting(plan: Plan, chip: Chip): string | undefined {
  if (!plantsLoader(plan)) return undefined;
  return (
    problemIf(plan.bootAddress !== chip.flashBase, 'a loader that is not at the start of flash') ??
    problemIf(plan.flags.includes('lift write protection'), 'a second option write, to lift write protection')
  );
}

function flags(plan: Plan): string | undefined {
  const allowed = kindRow(plan.kind).flags;
  return (
    firstBroken(plan.flags, (flag) => problemIf(!allowed.includes(flag), `${plan.kind} has no “${flag}”`)) ??
    problemIf(
      plan.flags.includes('keep lifted') && !plan.flags.includes('lift write protection'),
      'what is not lifted is not kept lifted',
    )
  );
}

/** What a kind must and may do to the option bytes. RDP 2 fits none of them. */
const OPTION_RULES: Readonly<Record<OptionUse, (plan: Plan, chip: Chip) => string | undefined>> = {
  kept: ({ kind, options: { mask } }) =>
    problemIf(!bits.sameOptions(mask, bits.NO_OPTION_BITS), `${kind} keeps the option bytes`),
  freed: ({ flashKiB, options: { mask, value } }, chip) =>
    problemIf((mask.optcr & bits.OPTCR.readProtection) !== bits.OPTCR.readProtection, 'unlock changes RDP') ??
    onlyBits(mask, bits.unlockableBits(chip, flashKiB)) ??
    problemIf(
      !bits.sameOptions(value, bits.commonBits(mask, bits.unlockedValue(chip, flashKiB))),
      'unlock sets level 0 and frees',
    ),
  chosen: ({ flashKiB, options: { mask } }, chip) =>
    problemIf(bits.sameOptions(mask, bits.NO_OPTION_BITS), 'no option byte is changed') ??
    onlyBits(mask, bits.changeableBits(chip, flashKiB)),
};

function options(plan: Plan, chip: Chip): string | undefined {
  const { mask, value } = plan.options;
  return (
    problemIf(!bits.isWithin(value, mask), 'an option bit outside the mask') ??
    OPTION_RULES[kindRow(plan.kind).options](plan, chip)
  );
}

/** A kind goes with a mode when the program that works in that mode does it. */
function mode(plan: Plan): string | undefined {
  const { stub, loader } = KINDS[plan.kind];
  return problemIf(hasLoader(plan.mode) ? !loader : loader && !stub, `no ${plan.kind} in the mode ${plan.mode}`);
}

/** What a loader takes, and where the image lies behind it. */
function behindLoader(plan: Plan, chip: Chip): string | undefined {
  if (!hasLoader(plan.mode)) return undefined;
  return (
    problemIf(plan.lock !== 'none', 'a lock, which such a chip has already') ??
    problemIf(plan.flags.includes('lift write protection'), 'a loader lifts no write protection') ??
    problemIf(
      plan.sectors.some((sector) => sector < LOADER_SECTORS),
      'a sector of the loader',
    ) ??
    loaderWords(plan, chip)
  );
}

function loaderWords({ kind, bootAddress, release, cleared = [] }: Plan, chip: Chip): string | undefined {
  if (release === undefined) return problemIf(cleared.length === 0, `${kind} names the keys to clear`);
  const { product, version, floor } = release;
  if (!KINDS[kind].boots) {
    return (
      problemIf(product === 0, `${kind} is for a product, from 1`) ??
      problemIf(version !== 0 || floor !== 0, `${kind} brings no version`)
    );
  }
  return (
    problemIf(bootAddress !== imageStart(chip.flashBase), 'boot words that are not those behind the loader') ??
    problemIf(floor > version, `floor ${floor} above version ${version}`)
  );
}

function onlyBits(mask: OptionWords, allowed: OptionWords): string | undefined {
  return problemIf(
    !bits.isWithin(mask, allowed),
    `option bits ${hexNumber(mask.optcr)}, ${hexNumber(mask.optcr1)} are not all changeable`,
  );
}

function firstBroken<Item>(items: readonly Item[], broken: (item: Item) => string | undefined): string | undefined {
  for (const item of items) {
    const reason = broken(item);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/** What is said of a broken rule; undefined for one that is kept. */
function problemIf(isBroken: boolean, reason: string): string | undefined {
  return isBroken ? reason : undefined;
}
