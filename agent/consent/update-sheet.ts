// The sheet of an update file: what the customer is asked to say yes to, in plain lines. Pure. It puts side by side
// what the file says of itself and what the loader says of its chip; neither is proven to this computer.
import { toHex } from '../../shared/codec/bytes.ts';
import { findChip, protectionLevel } from '../../shared/chips/index.ts';
import { quotable } from '../../shared/codec/foreign-text.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import { floorText } from '../../shared/plan/release.ts';
import { IDENT_FLAGS, type Ident } from '../../shared/serial/packets.ts';
import type { UpdateFile } from '../update/update-file.ts';
import {
  bootStep,
  eraseStep,
  finalText,
  hashLines,
  numbered,
  rangeLine,
  sectionLines,
  trustSections,
  type Section,
} from './sheet.ts';

export interface UpdateSheetInput {
  readonly file: UpdateFile;
  readonly ident: Ident;
  /** What the serial port is called. */
  readonly port: string;
  /** To be typed for a yes to this sheet. */
  readonly word: string;
}

export interface UpdateSheet {
  readonly lines: readonly string[];
  /** SHA-512 of the header, 64 bytes: what the device knows the file by. */
  readonly headerHash: Uint8Array;
  readonly word: string;
}

const TITLE = 'CONSENT SHEET: install an update file';
const VENDOR_TEXT =
  'This computer cannot tell whose file it is. The loader on the chip can: it takes files of the vendor keys it was made with, sealed ' +
  'for this chip, and changes nothing before it knows.';
const SO_FAR_TEXT =
  'Nothing has been changed yet: the loader on the chip was asked who it is, over the serial line. No probe and no network is used, ' +
  'and nobody is told.';
const CUT_TEXT =
  'From the first erase to the end the board has no program. If cable or power goes meanwhile, repeat the command with the same file.';
const LOADER_TEXT =
  'The loader in the flash of the chip does the work. It opens the file, and drops every part that is not the vendor’s.';

/** The sheet of a file for a board; both have been compared. */
export function updateSheet(input: UpdateSheetInput): UpdateSheet {
  const lines = sections(input).flatMap(sectionLines);
  return { lines, headerHash: input.file.headerHash, word: input.word };
}

/** The plan as a loader carries it out: it leaves no sector because it reads blank. */
function planOf({ header }: UpdateFile): Plan {
  const { plan, mode, release } = header.plan;
  return { ...plan, mode, release, flags: ['always erase'] };
}

function sections({ file, ident, port, word }: UpdateSheetInput): Section[] {
  const plan = planOf(file);
  return [
    [TITLE, ...fileLines(file)],
    ['The vendor', `The file names his files key ${toHex(file.header.filesKeyId)}.`, VENDOR_TEXT],
    ['Your board', ...boardLines(ident, port)],
    ['What will be done, and nothing else', ...numbered(stepsOf(plan))],
    ...trustSections(plan),
    ['So far', SO_FAR_TEXT, CUT_TEXT],
    ['Header hash (the vendor can compare it)', ...hashLines(file.headerHash)],
    ['The word of this sheet', `${word}: it stands for this file and this board together.`],
  ];
}

function fileLines({ header, name, bytes }: UpdateFile): string[] {
  const { release, plan } = header.plan;
  const label = quotable(plan.label, 80);
  return [
    `File ${quotable(name, 80)}, ${bytes} bytes. It says of itself:`,
    `version ${release.version} of product ${release.product}; ${floorText(release)}`,
    ...(label === '' ? [] : [`the vendor calls it (his words, unchecked): "${label}"`]),
  ];
}

function boardLines({ devId, flashKiB, optcr, uid, ...ident }: Ident, port: string): string[] {
  const chip = findChip(devId)?.name ?? 'unknown chip';
  const runs =
    (ident.flags & IDENT_FLAGS.image) === 0
      ? 'It has no image that is complete.'
      : `It runs version ${ident.imageVersion}.`;
  return [
    `${chip}, ${flashKiB} KiB of flash, read protection level ${protectionLevel(optcr)}`,
    `Unique id ${toHex(uid)}`,
    `Product ${ident.product}. ${runs} It takes version ${ident.floor} or later.`,
    `Loader ${toHex(ident.loaderHash).slice(0, 16)}… (SHA-512), at ${quotable(port, 80)}`,
  ];
}

function stepsOf(plan: Plan): string[][] {
  const total = plan.ranges.reduce((sum, { length }) => sum + length, 0);
  return [
    [LOADER_TEXT],
    eraseStep(plan),
    [`Program and check ${total} bytes:`, ...plan.ranges.map(rangeLine)],
    bootStep(plan),
    [finalText(plan)],
  ];
}
