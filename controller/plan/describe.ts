// A plan in words for the vendor: what will be erased, written and locked, how long it takes,
// and what the mode is worth.
import { hexAddress } from '../image/segments.ts';
import { describeBoot } from './boot.ts';
import type { Image } from '../image/image.ts';
import { describeSkipped } from '../image/regions.ts';
import { estimate, type Duration } from './estimate.ts';
import { toHex } from '../../shared/codec/bytes.ts';
import { quotable } from '../../shared/codec/foreign-text.ts';
import { sectorNumber, type Chip } from '../../shared/chips/index.ts';
import { encodePlan, planHash, type Plan } from '../../shared/plan/plan.ts';
import { KINDS } from '../../shared/plan/kinds.ts';
import { optionChangeLines } from '../../shared/plan/option-changes.ts';
import { hasLoader, lockText, modeRow } from '../../shared/plan/modes.ts';
import { clearedText, floorText } from '../../shared/plan/release.ts';

/** Lines without ends. With the image it says what of its files is left out and why its boot words are those. */
export function describePlan(plan: Plan, chip: Chip, image?: Image): string[] {
  const label = quotable(plan.label);
  return [
    `job      ${toHex(plan.job)}${label === '' ? '' : `  “${label}”`}`,
    `does     ${KINDS[plan.kind].forVendor}`,
    `chip     ${chip.parts.join(', ')}${plan.flashKiB === 0 ? '' : `, ${plan.flashKiB} KiB of flash`}`,
    ...(image?.skipped ?? []).map((part) => `skip     ${describeSkipped(part)}`),
    ...plan.sectors.map((index) => describeSector(index, plan, chip)),
    ...blankLines(plan),
    ...plan.ranges.map(
      ({ address, length, use }) =>
        `${use === 'program' ? 'write' : 'check'}    ${length} bytes at ${hexAddress(address)}`,
    ),
    ...(KINDS[plan.kind].boots ? hanging('boot     ', describeBoot(plan, chip, image)) : []),
    ...releaseLines(plan),
    ...flagLines(plan),
    ...optionChangeLines(plan).map(([name, text]) => `set      ${name}: ${text}`),
    ...(KINDS[plan.kind].boots ? [`lock     ${lockWord(plan)}`] : []),
    ...(KINDS[plan.kind].hasFinalAction
      ? [`then     ${plan.finalAction === 'run' ? 'reset and run' : 'leave halted'}`]
      : []),
    ...describeTimes(plan, chip),
    `hash     ${toHex(planHash(encodePlan(plan)))}`,
  ];
}

/** What the mode stops and does not stop, for jobs that carry an image. */
export function describeTrust(plan: Plan): string[] {
  const row = modeRow(plan.mode);
  return [
    `Mode ${plan.mode}: ${row.setUp}`,
    ...row.stops.map((text) => `  stops          ${text}`),
    ...row.doesNotStop.map((text) => `  does NOT stop  ${text}`),
    ...(KINDS[plan.kind].boots ? [lockText(plan)] : []),
  ];
}

/** Which image a device behind a loader gets, for which product the job is, or which keys the loader forgets. */
function releaseLines({ kind, release, cleared }: Plan): string[] {
  if (cleared !== undefined) return [`clears   key ${clearedText(cleared)} of the loader’s config, for ever`];
  if (release === undefined) return [];
  const { product, version } = release;
  if (!KINDS[kind].boots) return [`product  ${product}`];
  return [`product  ${product}, version ${version}; ${floorText(release)}`];
}

const LOCK_WORDS = {
  none: 'none',
  'level 1': 'RDP level 1',
  'level 1, sector 0': 'RDP level 1 and write protection of sector 0, in one write',
} as const satisfies Record<Plan['lock'], string>;

function lockWord({ mode, lock }: Plan): string {
  if (hasLoader(mode)) return 'there already, RDP level 1';
  return LOCK_WORDS[lock];
}

/** A heading, and further lines below what follows it. */
function hanging(heading: string, lines: readonly string[]): string[] {
  return lines.map((line, index) => (index === 0 ? heading : ' '.repeat(heading.length)).concat(line));
}

/** What becomes of sectors that hold nothing, in a job that erases. */
function blankLines({ sectors, flags }: Plan): string[] {
  if (sectors.length === 0) return [];
  if (flags.includes('always erase')) return ['blank    sectors that read blank are erased as well'];
  return ['blank    sectors that read blank are left as they are, if nothing of this job was written yet'];
}

/** What becomes of write protection in a job that erases. */
function flagLines({ flags }: Plan): string[] {
  if (!flags.includes('lift write protection')) return [];
  const back = flags.includes('keep lifted') ? 'and stays lifted' : 'and is put back at the end';
  return [`lift     write protection of these sectors, if any: it is lifted ${back}`];
}

function describeSector(index: number, plan: Plan, chip: Chip): string {
  const { base, bytes } = sectorNumber(chip, index, plan.flashKiB);
  return `erase    sector ${index}, ${bytes / 1024} KiB at ${hexAddress(base)}`;
}

function describeTimes(plan: Plan, chip: Chip): string[] {
  if (plan.sectors.length === 0) return [];
  const { erase, program } = estimate(plan, chip);
  const programs = KINDS[plan.kind].programs === 'some' ? `, programming ${spanText(program)}` : '';
  return [`time     on the chip: erasing ${spanText(erase)}${programs}`];
}

function spanText({ typical, most }: Duration): string {
  return `${(typical / 1000).toFixed(1)} s (at most ${(most / 1000).toFixed(1)} s)`;
}
