// Behaviour of the chip that no document settles, as switches with defaults (docs/reference/stm32f4.md §5.5;
// docs/simulation.md lists them with their sources).
import type { CutOptions } from './option-bytes.ts';

/** What the debug port did, in the order a session does it. */
export type DebugEvent = 'line-reset' | 'power-up-request' | 'ap-transaction' | 'c-debugen';

export interface ModelSwitches {
  /** Which debug activity trips the intrusion latch. */
  latchTrip: DebugEvent;
  /** Booting from SRAM trips the latch, cleared by a power reset only or by any reset; or it does not trip it. */
  latchOnSramBoot: 'until-power-reset' | 'until-reset' | 'no';
  latchOnSystemMemoryBoot: boolean;
  /** Leaving Standby clears the latch (only if DBG_STANDBY = 0). */
  standbyClears: boolean;
  rtcBkpReadableAtL1: boolean;
  /** Reads of 0x1FFFC000/0x1FFEC000; FLASH_OPTCR stays readable either way. */
  optBytesReadableAtL1: boolean;
  otpReadableAtL1: boolean;
  /** A debugger reaches a sleeping core although DBG_SLEEP or DBG_STOP is 0 (the letter of RM0090 §38.16.1). */
  sleepingCoreAnswers: boolean;
  /** r0-r12 after a system reset; a power reset clears them. */
  registersAtReset: 'zero' | 'kept';
  /** What an option write leaves that a reset or a power cut broke off. */
  cutOptions: CutOptions;
  /** When a read protection level of 1 is in force: after the next power-on, or as soon as its option write ends. */
  rdpInForce: 'from-power-on' | 'at-once';
  /** What ends an intrusion that a debugger caused. */
  latchEnds: 'power-reset' | 'any-reset';
  /** What a debugger gets of unique id and flash size while level 1 blocks it. */
  identityAtL1: 'refused' | 'zero' | 'readable';
  /** Reads of backup SRAM while level 1 blocks, by who asks. */
  bkpSramReadableByDebuggerAtL1: boolean;
  bkpSramReadableByCpuAtL1: boolean;
  bkpSramReadableByDmaAtL1: boolean;
  /** Which port of a DMA controller reaches backup SRAM: the peripheral port of DMA2, every port, or none. */
  dmaReachesBkpSram: 'peripheral-port' | 'any-port' | 'no';
  /** The first protected word a debugger reads after a power reset is let through before the latch trips. */
  wordBeforeLatch: boolean;
  /** Write protected sectors survive the mass erase of leaving level 1. */
  wrpSurvivesRegression: boolean;
  /** Backup SRAM over a loss of power: as the backup regulator and V_BAT have it, always kept, or always lost. */
  bkpSramAtPowerOff: 'by-regulator' | 'kept' | 'lost';
  /** Flags of a system reset in RCC_CSR: the true ones, or those of a power reset as well. */
  resetFlags: 'true' | 'power-too';
  /** A sector whose erase was broken off reads the same each time, or some of its bits do not. */
  cutErase: 'stable' | 'weak';
  /** An unaligned access to Device memory: UsageFault, or split as in Normal memory. */
  unalignedDevice: 'faults' | 'splits';
}

export const DEFAULT_SWITCHES = {
  latchTrip: 'ap-transaction',
  latchOnSramBoot: 'until-power-reset',
  latchOnSystemMemoryBoot: false,
  standbyClears: true,
  rtcBkpReadableAtL1: true,
  optBytesReadableAtL1: false,
  otpReadableAtL1: false,
  sleepingCoreAnswers: false,
  registersAtReset: 'kept',
  cutOptions: 'torn',
  rdpInForce: 'from-power-on',
  latchEnds: 'power-reset',
  identityAtL1: 'refused',
  bkpSramReadableByDebuggerAtL1: false,
  bkpSramReadableByCpuAtL1: false,
  bkpSramReadableByDmaAtL1: false,
  dmaReachesBkpSram: 'peripheral-port',
  wordBeforeLatch: false,
  wrpSurvivesRegression: false,
  bkpSramAtPowerOff: 'by-regulator',
  resetFlags: 'true',
  cutErase: 'stable',
  unalignedDevice: 'faults',
} as const satisfies ModelSwitches;
