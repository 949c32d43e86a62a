// One running flash operation: its span, its end, and how it ends or breaks off (docs/reference/stm32f4.md §3.4, §3.5,
// §4, §5.1).
import { FLASH_BASE, type FlashArray } from './flash-array.ts';
import { OTP_BASE } from './memories.ts';
import type { ModelSwitches } from './model-switches.ts';
import type { OptionBytes, OptionByteWords } from './option-bytes.ts';
import type { RandomState } from './random.ts';

/** First of the two option areas. */
const OPTION_BASE = 0x1fffc000;

interface Timed {
  readonly startNs: number;
  readonly endNs: number;
  /** Bit per bank whose reads stall. */
  readonly banks: number;
}
export type Operation = Timed &
  (
    | { readonly kind: 'program'; readonly area: 'main' | 'otp'; readonly offset: number; readonly data: Uint8Array }
    | { readonly kind: 'erase'; readonly offset: number; readonly length: number; readonly sector: number | undefined }
    /** `wipeUntilNs`: leaving read protection level 1 erases flash and backup SRAM first, until then. */
    | { readonly kind: 'option'; readonly next: OptionByteWords; readonly wipeUntilNs: number | undefined }
  );

/** What operations act on. */
export interface OperationTargets {
  readonly array: FlashArray;
  readonly otp: Uint8Array;
  readonly options: OptionBytes;
  readonly switches: ModelSwitches;
  wipeBackupSram(): void;
}

/** The operation ran to its end. */
export function complete(operation: Operation, targets: OperationTargets): void {
  if (operation.kind === 'erase') return targets.array.erase(operation.offset, operation.length);
  if (operation.kind === 'program') return programAll(operation, targets);
  if (operation.wipeUntilNs !== undefined) wipe(targets);
  if (!targets.options.dead) targets.options.words = { ...operation.next };
}

/** Power or reset broke into the operation at `nowNs`. */
export function breakOff(operation: Operation, targets: OperationTargets, nowNs: number, random: RandomState): void {
  const { array, options } = targets;
  if (operation.kind === 'erase') return array.eraseHalfway(operation.offset, operation.length, random);
  if (operation.kind === 'program') {
    if (operation.area === 'main') return array.programHalfway(operation.offset, operation.data, random);
    return programAll(operation, targets);
  }
  const { wipeUntilNs } = operation;
  if (wipeUntilNs !== undefined && nowNs < wipeUntilNs) return array.eraseHalfway(0, array.bytes.length, random);
  if (wipeUntilNs !== undefined) wipe(targets);
  options.interrupt(operation.next, random, targets.switches.cutOptions);
}

function programAll(operation: Operation & { kind: 'program' }, { array, otp }: OperationTargets): void {
  if (operation.area === 'main') return array.program(operation.offset, operation.data);
  operation.data.forEach((byte, i) => (otp[operation.offset + i]! &= byte));
}

function wipe({ array, options, switches, wipeBackupSram }: OperationTargets): void {
  for (const { index, offset, size } of array.sectors) {
    if (!switches.wrpSurvivesRegression || !options.isWriteProtected(index)) array.erase(offset, size);
  }
  wipeBackupSram();
}

/** One boundary of an array operation, for tests that cut power exactly there. */
export interface FlashJournalEntry {
  readonly kind: 'erase' | 'program' | 'option';
  readonly phase: 'start' | 'end';
  /** Bus address of the first byte; the option area's address for options. */
  readonly address: number;
  /** Sector number of a sector erase. */
  readonly sector: number | undefined;
  readonly atNs: number;
}

/** Bus address of the first byte an operation changes; the option area's for options. */
export function addressOf(operation: Operation): number {
  if (operation.kind === 'option') return OPTION_BASE;
  const otp = operation.kind === 'program' && operation.area === 'otp';
  return (otp ? OTP_BASE : FLASH_BASE) + operation.offset;
}
