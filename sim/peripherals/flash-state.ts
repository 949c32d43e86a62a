// The mutable state of the flash interface, what it needs of the rest of the chip, and what follows from the state for
// reads: wait states, and which code in the instruction cache is stale.
import type { FlashArray } from './flash-array.ts';
import { breakOff, type Operation, type OperationTargets } from './flash-operation.ts';
import type { FlashTiming } from './flash-timing.ts';
import type { KeyLock } from './key-lock.ts';
import type { OptionBytes } from './option-bytes.ts';
import { bit, type Context } from './part.ts';
import { nextWord, type RandomState } from './random.ts';
import type { ReadProtection } from './read-protection.ts';

/** FLASH_ACR: the wait states' mask, and the bit numbers of cache enables and resets (RM0090 §3.9.1). */
export const ACR = { latency: 0xf, icen: 9, dcen: 10, icrst: 11, dcrst: 12 } as const;
/** What the controller asks of the rest of the chip. */
export interface FlashNeighbours {
  readonly options: OptionBytes;
  readonly protection: ReadProtection;
  /** OTP data (512 bytes) and lock bytes (16). */
  readonly otp: Uint8Array;
  readonly timing: FlashTiming;
  readonly seed: number;
  supplyVolts(): number;
  wipeBackupSram(): void;
}

export interface FlashState {
  acr: number;
  sr: number;
  cr: number;
  optcr: number;
  optcr1: number;
  lock: KeyLock;
  optionLock: KeyLock;
  operation: Operation | undefined;
  /** 128-bit line the last data read came from; wait states are paid when it changes. */
  lastLine: number;
  /** Sectors changed while the instruction cache was on and not reset since. */
  staleCode: number[];
  held: boolean;
  /** Two banks by DB1M, as the option bytes said at the last reset. */
  split: boolean;
  stalls: number;
  storeStalls: number;
  random: RandomState;
  /** Spans of the array whose erase was broken off and whose cells are weak; their own chance. */
  weak: Span[];
  flickers: RandomState;
}

/** Bytes [from, to) of the array. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** The registers after any reset. */
export const freshRegisters = () => ({
  acr: 0,
  sr: 0,
  cr: 0,
  lastLine: -1,
  staleCode: [] as number[],
  lock: { stage: 'locked' } as KeyLock,
  optionLock: { stage: 'locked' } as KeyLock,
  operation: undefined as Operation | undefined,
});

/**
 * A data read: LATENCY cycles per 128-bit line, none for a line just read or cached; weak cells are other than the last
 * time. Fetches are taken as hidden by prefetch.
 */
export function waitStates(state: FlashState, array: FlashArray, offset: number): number {
  flicker(state, array, offset);
  const line = offset >>> 4;
  const hit = (bit(state.acr, ACR.dcen) && array.cache.touch(offset)) || line === state.lastLine;
  state.lastLine = line;
  return hit ? 0 : state.acr & ACR.latency;
}

/** What an operation that came to its end leaves behind beside the content of the array. */
export function noteEnded(state: FlashState, array: FlashArray, operation: Operation): void {
  noteErased(state, operation);
  noteStaleCode(state, array, operation);
}

/** Power or reset broke into the running operation at `nowNs`. */
export function settleBroken(state: FlashState, targets: OperationTargets, nowNs: number): void {
  const operation = state.operation!;
  breakOff(operation, targets, nowNs, state.random);
  if (targets.switches.cutErase === 'weak') noteWeak(state, operation);
}

/** Remembers the sectors that an erase changed below the instruction cache. */
function noteStaleCode(state: FlashState, array: FlashArray, operation: Operation): void {
  if (!bit(state.acr, ACR.icen) || operation.kind !== 'erase') return;
  const end = operation.offset + operation.length;
  for (const { index, offset } of array.sectors) {
    if (offset >= operation.offset && offset < end) state.staleCode.push(index);
  }
}

/** Warns of a fetch from a sector that changed below the instruction cache. */
export function warnStaleCode(state: FlashState, index: number, context: Context): void {
  if (!state.staleCode.includes(index)) return;
  context.warn(`fetch from sector ${index}, erased while the instruction cache was on and not reset since`);
}

/** An erase that came to its end leaves no weak cell behind. */
function noteErased(state: FlashState, operation: Operation): void {
  if (state.weak.length === 0) return;
  if (operation.kind === 'option' && operation.wipeUntilNs !== undefined) state.weak = [];
  if (operation.kind !== 'erase') return;
  const { offset: from, length } = operation;
  const to = from + length;
  state.weak = state.weak.flatMap((span) =>
    [
      { from: span.from, to: Math.min(span.to, from) },
      { from: Math.max(span.from, to), to: span.to },
    ].filter((rest) => rest.from < rest.to),
  );
}

/** The cells of an erase that was broken off are weak. */
function noteWeak(state: FlashState, operation: Operation): void {
  if (operation.kind !== 'erase') return;
  noteErased(state, operation);
  state.weak.push({ from: operation.offset, to: operation.offset + operation.length });
}

/** One bit in 32 or so of the word about to be read at `offset`, if it is weak, reads as chance has it. */
function flicker(state: FlashState, array: FlashArray, offset: number): void {
  if (!state.weak.some(({ from, to }) => from <= offset && offset < to)) return;
  const word = offset & ~3;
  const draw = nextWord(state.flickers);
  array.disturb(word + (draw & 3), 1 << ((draw >>> 2) & 7));
}

/** Whether a read cannot go straight to the array: it waits, costs, fails or deserves a warning. */
export function needsLook(state: FlashState, { options, protection }: FlashNeighbours): boolean {
  return (
    state.held ||
    state.operation !== undefined ||
    protection.blocking ||
    options.sprmod ||
    state.weak.length > 0 ||
    state.staleCode.length > 0 ||
    (state.acr & (ACR.latency | (1 << ACR.dcen))) !== 0
  );
}
