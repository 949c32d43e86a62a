// The whole state of the core as plain data, for snapshots of a board.
import type { DebugUnitSnapshot } from './debug-unit.ts';
import type { DwtSnapshot } from './dwt.ts';
import type { SystemRegisters } from './exceptions.ts';
import type { FpbSnapshot } from './fpb.ts';
import type { NvicSnapshot } from './nvic.ts';
import type { ScsSnapshot } from './scs.ts';
import type { CpuStateSnapshot } from './state.ts';
import type { SysTickSnapshot } from './systick.ts';

/** In WFI until an interrupt, in WFE until an event or interrupt. */
export type Sleep = 'no' | 'interrupt' | 'event';

/** Plain data; survives structuredClone. Memory contents are the board's. */
export interface CortexM4Snapshot {
  state: CpuStateSnapshot;
  system: SystemRegisters;
  nvic: NvicSnapshot;
  scs: ScsSnapshot;
  sysTick: SysTickSnapshot;
  debug: DebugUnitSnapshot;
  fpb: FpbSnapshot;
  dwt: DwtSnapshot;
  fpu: unknown;
  inReset: boolean;
  halted: boolean;
  lockedUp: boolean;
  sleep: Sleep;
}
