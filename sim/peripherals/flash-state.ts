// The mutable state of the flash interface, what it needs of the rest of the chip, and what follows from the state for
// reads: wait states, and which code in the instruction cache is stale.
import type { FlashArray } from './flash-array.ts';
import type { Operation } from './flash-operation.ts';
import type { FlashTiming } from './flash-timing.ts';
import type { KeyLock } from './key-lock.ts';
import type { OptionBytes } from './option-bytes.ts';
import { bit, type Context } from './part.ts';
import type { RandomState } from './random.ts';
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

/** LATENCY cycles per 128-bit line, none for a line just read or cached. Fetches are taken as hidden by prefetch. */
export function waitStates(state: FlashState, array: FlashArray, offset: number): number {
  const line = offset >>> 4;
  const hit = (bit(state.acr, ACR.dcen) && array.cache.touch(offset)) || line === state.lastLine;
  state.lastLine = line;
  return hit ? 0 : state.acr & ACR.latency;
}

/** Remembers the sectors that an erase changed below the instruction cache. */
export function noteStaleCode(state: FlashState, array: FlashArray, operation: Operation): void {
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

/** Whether a read cannot go straight to the array: it waits, costs, fails or deserves a warning. */
export function needsLook(state: FlashState, { options, protection }: FlashNeighbours): boolean {
  return (
    state.held ||
    state.operation !== undefined ||
    protection.blocking ||
    options.sprmod ||
    state.staleCode.length > 0 ||
    (state.acr & (ACR.latency | (1 << ACR.dcen))) !== 0
  );
}
