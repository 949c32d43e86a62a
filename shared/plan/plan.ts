// The plan: one canonical byte string that customer, controller and stub agree on (docs/protocol.md §7). Codec and
// hash; the rules about chips and kinds are in rules.ts.
import { assertBytes, ascii, fromUtf8, Reader, utf8, Writer, U32_MAX } from '../codec/bytes.ts';
import { foreignText, isForeignText, rawText, type ForeignText } from '../codec/foreign-text.ts';
import { WIDTHS, type Width } from '../chips/chip.ts';
import { NO_OPTION_BITS, type OptionWords } from '../chips/option-bits.ts';
import { sha512, withDomain } from '../crypto/hash.ts';
import { fail } from '../errors/errors.ts';
import { KINDS, type PlanKind } from './kinds.ts';
import { hasLoader, modeRow, PLAN_MODES, type PlanMode } from './modes.ts';
import { readCleared, readRelease, writeCleared, writeRelease, type Release } from './release.ts';

export type { PlanKind } from './kinds.ts';
export type { PlanMode } from './modes.ts';
/**
 * level 1: read protection. level 1, sector 0: with it, in the same option write, sector 0 is write-protected: what a
 * loader is planted with.
 */
export const LOCKS = { none: 0, 'level 1': 1, 'level 1, sector 0': 2 } as const;
export type PlanLock = keyof typeof LOCKS;
export const FINAL_ACTIONS = { halt: 0, run: 1 } as const;
export type FinalAction = keyof typeof FINAL_ACTIONS;
/**
 * always erase: a flash job erases every sector of the plan, blank ones as well. lift write protection: the agent lifts
 * nWRP of the plan's sectors before the first erase and puts it back after END. keep lifted: it is not put back.
 */
export const FLAGS = { 'always erase': 1, 'lift write protection': 2, 'keep lifted': 4 } as const;
export type PlanFlag = keyof typeof FLAGS;
/** program: written and digested; digest: only digested. */
export const RANGE_USES = { program: 1, digest: 2 } as const;
export type RangeUse = keyof typeof RANGE_USES;

export const PLAN_LIMITS = {
  ranges: 64,
  labelBytes: 64,
  bytes: 1536,
  idleMs: { least: 1000, most: 3_600_000 },
} as const;
/** The boot words: the first 16 words of a vector table. */
export const BOOT_WORDS_BYTES = 64;
/** What the hash of a plan begins with. */
export const PLAN_DOMAIN = 'blindflash/2 plan';
export const PLAN_HEADER_BYTES = 64;
const RANGE_BYTES = 12;
/** Stands for "no boot words". */
export const NO_ADDRESS = U32_MAX;
export const PLAN_MAGIC = ascii('BFP2');
const MALFORMED = 'BF-PLAN-MALFORMED';

export interface PlanRange {
  /** First byte, a multiple of 4. */
  readonly address: number;
  /** Bytes, a multiple of 4. */
  readonly length: number;
  readonly use: RangeUse;
}

/** Which bits of the option bytes a job changes, and to what. */
export interface OptionChange {
  readonly mask: OptionWords;
  /** Nothing outside the mask. */
  readonly value: OptionWords;
}

/** The option bytes stay as they are. */
export const NO_OPTIONS: OptionChange = { mask: NO_OPTION_BITS, value: NO_OPTION_BITS };

export interface Plan {
  readonly kind: PlanKind;
  readonly mode: PlanMode;
  /** 16 bytes. */
  readonly job: Uint8Array;
  readonly devId: number;
  /** KiB; 0 = any size, where the kind leaves it open (`anyFlash`). */
  readonly flashKiB: number;
  /** Milliseconds without a sealed command after which the stub wipes itself. */
  readonly idleLimitMs: number;
  /** Sector numbers to erase, ascending. */
  readonly sectors: readonly number[];
  /** Address of the 64 bytes written last; undefined for every kind but flash. */
  readonly bootAddress: number | undefined;
  /** Widest programming allowed. */
  readonly widest: Width;
  readonly lock: PlanLock;
  readonly finalAction: FinalAction;
  /** In the order of FLAGS. */
  readonly flags: readonly PlanFlag[];
  readonly options: OptionChange;
  /** In the modes with a loader and in no other; kinds that clear keys have `cleared` in its place. */
  readonly release?: Release;
  /** Of kinds that clear keys: ascending places, from 0, of vendor keys in the loader's config it takes no more. */
  readonly cleared?: readonly number[];
  /** Ascending. */
  readonly ranges: readonly PlanRange[];
  /** What the vendor calls the job; at most 64 bytes of UTF-8; foreign in a plan that was read. */
  readonly label: string | ForeignText;
}

/** True for a plan that plants a loader: its lock is the one option write in the chip's life. */
export function plantsLoader({ lock }: Pick<Plan, 'lock'>): boolean {
  return lock === 'level 1, sector 0';
}

/** The canonical bytes. Throws BF-PLAN-TOO-LONG, or BF-INTERNAL-ARGUMENT for values the format cannot hold. */
export function encodePlan(plan: Plan): Uint8Array {
  const label = utf8(isForeignText(plan.label) ? rawText(plan.label) : plan.label);
  if (plan.ranges.length > PLAN_LIMITS.ranges) throw fail('BF-PLAN-TOO-LONG', `${plan.ranges.length} ranges`);
  if (label.length > PLAN_LIMITS.labelBytes) throw fail('BF-PLAN-TOO-LONG', `a label of ${label.length} bytes`);
  const length = planLength(plan.ranges.length, label.length);
  const writer = new Writer()
    .bytes(PLAN_MAGIC)
    .u16(length)
    .u8(KINDS[plan.kind].number, 'kind')
    .u8(modeRow(plan.mode).number, 'mode')
    .bytes(plan.job, 'job', 16)
    .u16(plan.devId, 'devId')
    .u16(plan.flashKiB, 'flashKiB')
    .u32(plan.idleLimitMs, 'idleLimitMs')
    .u32(sectorMask(plan.sectors), 'sectors')
    .u32(plan.bootAddress ?? NO_ADDRESS, 'bootAddress')
    .u8(WIDTHS[plan.widest], 'widest')
    .u8(LOCKS[plan.lock], 'lock')
    .u8(FINAL_ACTIONS[plan.finalAction], 'finalAction')
    .u8(plan.ranges.length)
    .u8(label.length)
    .u8(flagByte(plan.flags))
    .zeros(2);
  writeWords(writer, plan);
  for (const range of plan.ranges) {
    writer.u32(range.address, 'address').u32(range.length, 'length').u32(RANGE_USES[range.use], 'use');
  }
  return writer.bytes(label).padTo(length).finish();
}

/** Reads a plan; whatever is not exactly what encodePlan would write throws BF-PLAN-MALFORMED. */
export function decodePlan(bytes: Uint8Array): Plan {
  assertBytes(bytes, 'plan');
  const reader = new Reader(bytes, MALFORMED, 'plan');
  reader.expect(PLAN_MAGIC, 'the beginning');
  const length = reader.u16();
  if (length !== bytes.length) reader.refuse(`${bytes.length} bytes instead of ${length}`);
  if (length > PLAN_LIMITS.bytes || length % 4 !== 0) reader.refuse(`a length of ${length} bytes`);
  const head = {
    kind: kindOf(reader),
    mode: modeOf(reader),
    job: reader.bytes(16),
    devId: reader.u16(),
    flashKiB: reader.u16(),
    idleLimitMs: reader.u32(),
    sectors: sectorList(reader.u32()),
    bootAddress: addressOrNone(reader.u32()),
    widest: named(reader, WIDTHS, reader.u8(), 'width'),
    lock: named(reader, LOCKS, reader.u8(), 'lock'),
    finalAction: named(reader, FINAL_ACTIONS, reader.u8(), 'final action'),
  };
  const [rangeCount, labelBytes] = [reader.u8(), reader.u8()];
  const flags = flagList(reader, reader.u8());
  reader.zeros(2);
  const words = readWords(reader, head);
  if (rangeCount > PLAN_LIMITS.ranges) reader.refuse(`${rangeCount} ranges`);
  if (labelBytes > PLAN_LIMITS.labelBytes) reader.refuse(`a label of ${labelBytes} bytes`);
  if (length !== planLength(rangeCount, labelBytes)) reader.refuse('the length does not fit the contents');
  const ranges = Array.from({ length: rangeCount }, () => readRange(reader));
  const label = foreignText(fromUtf8(reader.bytes(labelBytes), MALFORMED, 'the label'));
  reader.zeros(reader.remaining);
  return { ...head, flags, ...words, ranges, label };
}

/**
 * SHA-512("blindflash/2 plan" ‖ 00 ‖ plan), 64 bytes. Hash the bytes you hold, not a re-encoding of somebody else's.
 */
export function planHash(planBytes: Uint8Array): Uint8Array {
  return sha512(withDomain(PLAN_DOMAIN, planBytes));
}

/** Bit n for sector n. */
function sectorMask(sectors: readonly number[]): number {
  let mask = 0;
  let last = -1;
  for (const sector of sectors) {
    if (!Number.isInteger(sector) || sector <= last || sector > 31) {
      throw fail('BF-INTERNAL-ARGUMENT', `sectors must ascend and lie in 0..31, not ${sector}`);
    }
    mask += 2 ** sector;
    last = sector;
  }
  return mask;
}

function sectorList(mask: number): number[] {
  return Array.from({ length: 32 }, (_, sector) => sector).filter((sector) => Math.floor(mask / 2 ** sector) % 2 === 1);
}

function flagByte(flags: readonly PlanFlag[]): number {
  return flags.reduce((byte, flag) => byte | FLAGS[flag], 0);
}

function flagList(reader: Reader, byte: number): PlanFlag[] {
  const flags = (Object.keys(FLAGS) as PlanFlag[]).filter((flag) => (byte & FLAGS[flag]) !== 0);
  if (flagByte(flags) !== byte) reader.refuse(`unknown flags 0x${byte.toString(16)}`);
  return flags;
}

/**
 * The 16 bytes behind the flags: what is done to the option bytes or, behind a loader, which image it is or which keys
 * it takes no more.
 */
function writeWords(writer: Writer, { kind, mode, options, release, cleared }: Plan): void {
  const { clearsKeys } = KINDS[kind];
  const fits = (value: unknown, wanted: boolean): boolean => (value !== undefined) === (wanted && hasLoader(mode));
  if (!fits(release, !clearsKeys) || !fits(cleared, clearsKeys)) {
    throw fail('BF-INTERNAL-ARGUMENT', `the words of ${kind} in the mode ${mode}`);
  }
  if (release !== undefined) return writeRelease(writer, release);
  if (cleared !== undefined) return writeCleared(writer, cleared);
  const { mask, value } = options;
  writer
    .u32(mask.optcr, 'OPTCR mask')
    .u32(value.optcr, 'OPTCR value')
    .u32(mask.optcr1, 'OPTCR1 mask')
    .u32(value.optcr1, 'OPTCR1 value');
}

function readWords(
  reader: Reader,
  { kind, mode }: Pick<Plan, 'kind' | 'mode'>,
): Pick<Plan, 'options' | 'release' | 'cleared'> {
  if (!hasLoader(mode)) return { options: readOptions(reader) };
  const words = KINDS[kind].clearsKeys ? { cleared: readCleared(reader) } : { release: readRelease(reader) };
  return { options: NO_OPTIONS, ...words };
}

function readOptions(reader: Reader): OptionChange {
  const [optcrMask, optcr, optcr1Mask, optcr1] = [reader.u32(), reader.u32(), reader.u32(), reader.u32()];
  return { mask: { optcr: optcrMask, optcr1: optcr1Mask }, value: { optcr, optcr1 } };
}

function planLength(ranges: number, labelBytes: number): number {
  return PLAN_HEADER_BYTES + RANGE_BYTES * ranges + 4 * Math.ceil(labelBytes / 4);
}

function addressOrNone(address: number): number | undefined {
  return address === NO_ADDRESS ? undefined : address;
}

function readRange(reader: Reader): PlanRange {
  return {
    address: reader.u32(),
    length: reader.u32(),
    use: named(reader, RANGE_USES, reader.u32(), 'use of a range'),
  };
}

function kindOf(reader: Reader): PlanKind {
  const value = reader.u8();
  const kinds = Object.keys(KINDS) as PlanKind[];
  return kinds.find((kind) => KINDS[kind].number === value) ?? reader.refuse(`unknown kind ${value}`);
}

function modeOf(reader: Reader): PlanMode {
  const value = reader.u8();
  return PLAN_MODES.find((mode) => modeRow(mode).number === value) ?? reader.refuse(`unknown mode ${value}`);
}

/** The name behind a number of a table; a number that is not in it is refused. */
function named<Table extends Record<string, number>>(
  reader: Reader,
  table: Table,
  value: number,
  what: string,
): keyof Table & string {
  const name = Object.keys(table).find((key) => table[key] === value);
  if (name === undefined) reader.refuse(`unknown ${what} ${value}`);
  return name;
}
