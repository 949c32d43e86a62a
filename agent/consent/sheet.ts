// The consent sheet: what the customer is asked to say yes to, in plain lines. Pure.
// docs/product.md §2, §5; docs/protocol.md §7. Everything foreign on it has gone through quotable.
import { hexNumber, toHex } from '../../shared/codec/bytes.ts';
import {
  findChip,
  knownChip,
  sectorNumber,
  OPTCR,
  sectorProtection,
  sectorRuns,
  type Sector,
  type SectorProtection,
} from '../../shared/chips/index.ts';
import { quotable } from '../../shared/codec/foreign-text.ts';
import type { Plan, PlanRange, RangeUse } from '../../shared/plan/plan.ts';
import { KINDS } from '../../shared/plan/kinds.ts';
import { optionChangeLines } from '../../shared/plan/option-changes.ts';
import { hasLoader, IMAGE_RULES_TEXT, lockText, modeRow } from '../../shared/plan/modes.ts';
import { clearedText, floorText } from '../../shared/plan/release.ts';
import { protectedSectors } from '../../shared/plan/protection.ts';
import { fingerprintText } from '../../shared/tunnel/invite.ts';
import type { Reached } from '../target/reach.ts';
import type { ProbeInfo } from '../probe/probe.ts';
import type { BoardIdentity } from '../target/target-session.ts';
import { SHEET_WIDTH, wrapText } from './plain-text.ts';

export interface SheetInput {
  readonly plan: Plan;
  /** SHA-512 of the plan's bytes as they arrived, 64 bytes. */
  readonly planHash: Uint8Array;
  /** To be typed for a yes to this sheet (docs/protocol.md §14). */
  readonly word: string;
  /** The sheet before, just answered, was for something else. */
  readonly another: boolean;
  /** V, 32 bytes (§3). */
  readonly vendor: Uint8Array;
  /** Somebody at this computer has said yes to a job of this vendor before. */
  readonly vendorKnown: boolean;
  readonly board: BoardIdentity;
  readonly probe: ProbeInfo;
  /** SHA-512 of the stub that would be run, 64 bytes; undefined for kinds that run none. */
  readonly stubHash: Uint8Array | undefined;
  /** True when a stub of an earlier attempt is still in the chip's RAM. */
  readonly stubRuns: boolean;
  /** How the chip was reached. */
  readonly reached: Reached;
}

export interface ConsentSheet {
  readonly lines: readonly string[];
  readonly plan: Plan;
  readonly planHash: Uint8Array;
  /** V, 32 bytes. */
  readonly vendor: Uint8Array;
  readonly vendorKnown: boolean;
  /** Hexadecimal digits that stand on this sheet only: typing them is the yes. */
  readonly word: string;
}

/** What people compare by voice: fewer digits can be made to agree by whoever chooses the plan. */
const SHORT_DIGITS = 40;
const ANOTHER_TEXT =
  'ANOTHER SHEET than the one you have just answered: your answer to that one counts for nothing here.';

export type Section = readonly [title: string, ...paragraphs: readonly string[]];

const FINAL_TEXTS = {
  run: 'Finally the board is reset and runs what is in its flash.',
  halt: 'Finally the chip is reset and left halted, until the board is switched off and on.',
} as const satisfies Record<Plan['finalAction'], string>;
/** With a lock in force at once a reset does not start the program (docs/simulation.md, `--rdp-in-force`). */
const RUN_LOCKED_TEXT = 'Finally the board is reset; it runs what is in its flash once it was switched off and on.';

const KNOWN_TEXT = 'This computer has said yes to this vendor before.';
const NEW_TEXT =
  'This computer meets this vendor for the first time: let him read the fingerprint to you, by voice, and compare.';
const UNPROVED_TEXT =
  'A fingerprint is no secret and can be shown by anybody: whether it is this vendor the chip checks, before it takes an image. Until then only the code tells you.';
const QUESTIONS_TEXT =
  'the vendor’s guesses at what is there now are answered with “equal” or “not equal”, at most 256 times each time our program is ' +
  'started, which one yes covers 8 times; a right guess tells him that he was right';
const WRITTEN_TEXT = 'the vendor learns whether what arrived is what he sent';

const UNTOUCHED_TEXT =
  'Nothing has been changed yet: only registers that say which chip this is were read, and it was not stopped. The vendor has ' +
  'been told what stands under “Your board”.';
const RESTARTED_TEXT =
  'Nothing has been written to it yet. Its program did not let the probe in, so the chip was reset: the program was stopped before its ' +
  'first instruction, stands still now, and starts anew in the end.';
const REACHED_TEXTS = {
  running: UNTOUCHED_TEXT,
  halted:
    'Nothing has been written to it yet. Its program sleeps and did not let the probe in, so it was stopped; it stands still until this is over.',
  'under reset': RESTARTED_TEXT,
  'by button': RESTARTED_TEXT,
} as const satisfies Record<Reached, string>;
const LOADER_ASKED_TEXT =
  'Nothing has been changed yet: the loader on the chip was asked who it is, over the serial line. No probe is used. The vendor has ' +
  'been told what stands under “Your board”.';
const STUB_RUNS_TEXT =
  'An earlier attempt left our program running in the chip’s RAM; what it changed before, it has changed. Since then nothing ' +
  'was touched.';
const PROTECTED_TEXT =
  'The chip is read-protected (level 1). The first access by a probe may have stopped the product on it: switch the board off and ' +
  'on if so.';
const DATA_TEXT = 'This is data: it is written in order, and what your board starts from is not touched.';
/** A cut option write leaves a chip that does not start (docs/reference/stm32f4.md §4). */
const OPTION_WRITE_TEXT =
  'While option bytes are written, for less than a second or, where the chip erases itself, up to half a minute, ' +
  'do not touch the board, its reset button or its supply: a write that is cut off leaves a chip ' +
  'that runs nothing until everything on it is erased.';

const BLANK_TEXTS = {
  left: '  One that reads blank may be left as it is, if nothing of this job was written yet.',
  erased: '  One that reads blank is erased as well.',
} as const;

const LOCK_NOTES = [
  `  ${OPTION_WRITE_TEXT}`,
  '  The lock is taken away again by a job of the vendor (`blindflash unlock`), which erases everything on the chip.',
];
const LOCK_STEP_TEXTS = {
  none: [],
  'level 1': [
    'Read protection level 1 is set. From then on nobody reads the flash by probe. The board does not run until it was switched off and on.',
    ...LOCK_NOTES,
  ],
  'level 1, sector 0': [
    'Read protection level 1 is set, and sector 0 is write-protected. From then on nobody reads the flash by probe, and only the ' +
      'vendor’s loader, which this job writes, installs programs on this board. It does not run until it was switched off and on.',
    ...LOCK_NOTES,
    '  Then you are asked to switch the board off and on, and the loader is asked for the keys it makes, over the serial line, on a sheet ' +
      'of its own.',
  ],
} as const satisfies Record<Plan['lock'], readonly string[]>;

/** The sheet of a plan that has been checked against its chip. */
export function consentSheet(input: SheetInput): ConsentSheet {
  const { plan, planHash, vendor, vendorKnown } = input;
  const lines = sections(input).flatMap(sectionLines);
  return { lines, plan, planHash, vendor, vendorKnown, word: input.word };
}

function sections(input: SheetInput): Section[] {
  const { plan } = input;
  return [
    [`CONSENT SHEET: ${KINDS[plan.kind].forCustomer}`, ...(input.another ? [ANOTHER_TEXT] : []), ...whoLines(plan)],
    ['The vendor', ...vendorLines(input)],
    ['Your board', ...boardLines(input)],
    ['What will be done, and nothing else', ...numbered(stepLines(input))],
    ...trustSections(plan),
    ['So far', ...soFarLines(input)],
    ['Plan hash (the vendor can compare it)', ...hashLines(input.planHash)],
    ['The word of this sheet', `${input.word}: it stands for this plan, vendor, board and program together.`],
  ];
}

export function sectionLines([title, ...paragraphs]: Section): string[] {
  const body = paragraphs.flatMap((text) => wrapText(`  ${text}`, SHEET_WIDTH, hangOf(text)));
  return [title, ...body, ''];
}

/** Continued lines stand under the text, behind a number or dash. */
function hangOf(text: string): string {
  const mark = /^(?:\s*(?:\d+\.|-)\s)?\s*/.exec(text)?.[0] ?? '';
  return ' '.repeat(2 + mark.length);
}

function whoLines(plan: Plan): string[] {
  const label = quotable(plan.label, 80);
  const name =
    label === ''
      ? ['The vendor gave this job no name.']
      : ['The vendor calls this job (his words, unchecked):', `  "${label}"`];
  return [...name, `Job ${toHex(plan.job)}`];
}

function vendorLines({ vendor, vendorKnown }: SheetInput): string[] {
  return [`Fingerprint ${fingerprintText(vendor)}`, vendorKnown ? KNOWN_TEXT : NEW_TEXT, UNPROVED_TEXT];
}

function boardLines({ plan, board, probe }: SheetInput): string[] {
  const chip = findChip(board.devId)?.name ?? 'unknown chip';
  const size = board.flashKiB === 0 ? 'flash size not read' : `${board.flashKiB} KiB of flash`;
  const revision = board.revId === 0 ? 'not read' : hexNumber(board.revId, 4);
  const id = board.uid.every((byte) => byte === 0) ? 'not read' : toHex(board.uid);
  const { how, sectors } = protectionOf(board);
  const protection =
    sectors.length === 0
      ? []
      : [
          `${how === 'write' ? 'Write-protected' : 'Protected against reading and writing (PCROP)'}: ${sectorRuns(sectors)}`,
        ];
  return [
    `${chip}, DEV_ID ${hexNumber(board.devId, 3)}, revision ${revision}, ${size}, read protection level ${board.rdp}`,
    `Unique id ${id}`,
    ...protection,
    `${hasLoader(plan.mode) ? 'By' : 'Probe'} ${quotable(`${probe.kind} ${probe.firmware} ${probe.serial ?? ''}`.replace(/ {2,}/g, ' '), 80)}`,
  ];
}

// ── steps ───────────────────────────────────────────────────────────────────────────────────────────────────────────

function stepLines(input: SheetInput): (readonly string[])[] {
  const { plan } = input;
  const steps = [
    liftStep(input),
    ramStep(input),
    loaderStep(input),
    eraseStep(plan),
    rangeStep(plan, 'program'),
    rangeStep(plan, 'digest'),
    bootStep(plan),
    optionsStep(input),
  ];
  const rest = [LOCK_STEP_TEXTS[plan.lock], KINDS[plan.kind].hasFinalAction ? [finalText(plan)] : []];
  const all = [...steps, ...rest].filter((step) => step.length > 0);
  return all.length > 0 ? all : [['Nothing more: the vendor has been told what stands under “Your board”.']];
}

export function finalText({ lock, finalAction }: Plan): string {
  return lock !== 'none' && finalAction === 'run' ? RUN_LOCKED_TEXT : FINAL_TEXTS[finalAction];
}

/** Both option writes of a job that lifts: what is lifted, and whether it comes back. */
function liftStep({ plan, board }: SheetInput): string[] {
  const { sectors } = protectedSectors(plan, knownChip(plan.devId), board);
  if (!plan.flags.includes('lift write protection') || sectors.length === 0) return [];
  const back = plan.flags.includes('keep lifted') ? 'It stays lifted.' : 'At the end it is put back.';
  return [
    `The write protection of ${sectorRuns(sectors)} is lifted: settings (option bytes) of the chip are written. ${back}`,
    `  ${OPTION_WRITE_TEXT}`,
  ];
}

/** Jobs that change option bytes and nothing else. */
function optionsStep({ plan, board }: SheetInput): string[] {
  const lines = optionChangeLines(plan).map(([name, text]) => `  ${name}: ${text}`);
  if (lines.length === 0) return [];
  if (KINDS[plan.kind].options !== 'freed') {
    return ['Settings (option bytes) of the chip are changed:', ...lines, `  ${OPTION_WRITE_TEXT}`];
  }
  const open = board.rdp === 0 && !(findChip(board.devId)?.banks === 2 && (board.optcr & OPTCR.codeProtection) !== 0);
  const first = open
    ? 'The chip is not locked: only what follows is set, and nothing is erased.'
    : 'EVERYTHING in the flash of the chip is erased, by the chip itself, and its read protection taken away:';
  return [
    first,
    ...lines,
    `  ${OPTION_WRITE_TEXT}`,
    '  Then you are asked to switch the board off and on, and that is looked for.',
  ];
}

function ramStep({ plan, stubHash }: SheetInput): string[] {
  if (stubHash === undefined || hasLoader(plan.mode)) return [];
  return [
    'The product on the board stops: the chip is reset, and a program of ours runs in its RAM, which alone writes flash and refuses ' +
      `everything that is not on this sheet. When we leave it, or nothing arrives for ${plan.idleLimitMs / 1000} s, it forgets its keys.`,
    `  program ${toHex(stubHash).slice(0, 16)}… (SHA-512)`,
  ];
}

function loaderStep({ plan, stubHash }: SheetInput): string[] {
  if (stubHash === undefined || !hasLoader(plan.mode)) return [];
  return [
    'The loader in the flash of the chip does the work, and refuses everything that is not on this sheet. When nothing arrives for ' +
      `${plan.idleLimitMs / 1000} s, it forgets the keys of the session.`,
    `  ${loaderText(plan)}`,
    `  program ${toHex(stubHash).slice(0, 16)}… (SHA-512)`,
  ];
}

/** What a loader is asked for. */
function loaderText({ kind, release, cleared = [] }: Plan): string {
  if (release === undefined) {
    return (
      `it forgets key ${clearedText(cleared)} of the keys of its vendor, for ever: nothing that comes by such a key is taken any ` +
      'more, whoever has it'
    );
  }
  const { version, product } = release;
  if (KINDS[kind].boots) return `version ${version} of product ${product}; ${floorText(release)}`;
  if (!KINDS[kind].enrols) return `product ${product}`;
  return `the vendor learns the public keys of the chip, for product ${product}, and puts them on record`;
}

export function eraseStep(plan: Plan): string[] {
  if (plan.sectors.length === 0) return [];
  const sectors = plan.sectors.map((index) => sectorNumber(knownChip(plan.devId), index, plan.flashKiB));
  const total = sectors.reduce((sum, sector) => sum + sector.bytes, 0);
  return [
    `Erase ${count(sectors.length, 'sector')}, ${total / 1024} KiB; what is in them is lost:`,
    ...sectors.map(sectorLine),
    plan.flags.includes('always erase') ? BLANK_TEXTS.erased : BLANK_TEXTS.left,
  ];
}

function sectorLine(sector: Sector): string {
  return `  sector ${String(sector.index).padStart(2)}  ${spanText(sector.base, sector.bytes)}  ${sector.bytes / 1024} KiB`;
}

const RANGE_TEXTS = {
  program: { title: 'Program and check', told: `${WRITTEN_TEXT}; before that, ${QUESTIONS_TEXT}` },
  digest: { title: 'Compare without changing', told: QUESTIONS_TEXT },
} as const satisfies Record<RangeUse, { readonly title: string; readonly told: string }>;

function rangeStep(plan: Plan, use: RangeUse): string[] {
  const ranges = plan.ranges.filter((range) => range.use === use);
  if (ranges.length === 0) return [];
  const total = ranges.reduce((sum, range) => sum + range.length, 0);
  const { title, told } = RANGE_TEXTS[use];
  return [`${title} ${count(ranges.length, 'range')}, ${total} bytes; ${told}:`, ...ranges.map(rangeLine)];
}

export function rangeLine(range: PlanRange): string {
  return `  ${spanText(range.address, range.length)}  ${range.length} bytes`;
}

export function bootStep(plan: Plan): string[] {
  if (plan.bootAddress === undefined) return KINDS[plan.kind].boots ? [DATA_TEXT] : [];
  return [
    `The words the chip starts from, at ${hexNumber(plan.bootAddress, 8)}, are written last, when all else has been checked.`,
  ];
}

/** Numbers the first line of each step; the lines below it stay where they are. */
export function numbered(steps: readonly (readonly string[])[]): string[] {
  return steps.flatMap(([first = '', ...others], index) => [
    `${index + 1}. ${first}`,
    ...others.map((line) => `   ${line}`),
  ]);
}

// ── trust ───────────────────────────────────────────────────────────────────────────────────────────────────────────

export function trustSections(plan: Plan): Section[] {
  const trust = modeRow(plan.mode);
  const mode: Section = [
    `Trust mode ${plan.mode}`,
    trust.setUp,
    ...trust.stops.map((text) => `- stops ${text}`),
    ...trust.doesNotStop.map((text) => `- does not stop ${text}`),
  ];
  const after: Section = ['Know this before you say yes', IMAGE_RULES_TEXT, lockText(plan)];
  return KINDS[plan.kind].boots ? [mode, after] : [mode];
}

function soFarLines({ plan, board, stubRuns, reached }: SheetInput): string[] {
  if (hasLoader(plan.mode)) return [LOADER_ASKED_TEXT];
  return [stubRuns ? STUB_RUNS_TEXT : REACHED_TEXTS[reached], ...(board.rdp === 1 ? [PROTECTED_TEXT] : [])];
}

export function hashLines(hash: Uint8Array): string[] {
  const text = toHex(hash);
  return [`short  ${text.slice(0, SHORT_DIGITS)}`, `full   ${text.slice(0, 64)}`, `       ${text.slice(64)}`];
}

// ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────────────

function protectionOf(board: BoardIdentity): SectorProtection {
  const chip = findChip(board.devId);
  return chip === undefined || board.rdp !== 0
    ? { how: 'write', sectors: [] }
    : sectorProtection(chip, board.flashKiB, board);
}

function spanText(address: number, bytes: number): string {
  return `${hexNumber(address, 8)}..${hexNumber(address + bytes - 1, 8)}`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
