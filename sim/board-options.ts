// What a virtual board is made of, and what a saved one consists of.
import type { BoardTimeSnapshot } from './board-time.ts';
import type { ChipName } from './chips/stm32f4.ts';
import type { FlashTiming } from './peripherals/flash-timing.ts';
import type { ModelSwitches } from './peripherals/model-switches.ts';
import type { RdpLevel } from './peripherals/option-bytes.ts';
import type { BootMode } from './peripherals/syscfg.ts';

export interface BoardOptions {
  /** Default stm32f427. */
  chip?: ChipName;
  /** Seed of everything left to chance on this board. Default 1. */
  seed?: number;
  /** Program errors that only warn otherwise are answered with bus errors. */
  strict?: boolean;
  /** Content of main flash from its start; the rest is erased. */
  flash?: Uint8Array;
  /** 96-bit unique id, 12 bytes as they lie at 0x1FFF7A10. */
  uid?: Uint8Array;
  /** Default 3.3. */
  supplyVolts?: number;
  rdp?: RdpLevel;
  /** Option bytes as FLASH_OPTCR and FLASH_OPTCR1 show them; factory values otherwise. `rdp` wins over them. */
  optcr?: number;
  optcr1?: number;
  switches?: Partial<ModelSwitches>;
  /** How long flash takes. Default typ. */
  flashTiming?: FlashTiming;
  /** Boot pins. Default flash. */
  boot?: BootMode;
  /** Crystal on HSE, Hz; 0: none. Default 8 MHz. */
  hseHz?: number;
  /** By how much HSI is off, as a part of its 16 MHz; the data sheet allows -0.08 to 0.05. Default 0. */
  hsiDeviation?: number;
  /** Time NRST takes to rise once nobody pulls it, ns: a capacitor or a reset chip stretches it. Default 0. */
  nrstRiseNs?: number;
  /** A battery on V_BAT keeps the backup domain while the board is off. */
  battery?: boolean;
}

/** Everything about a board; restoring it into another board of the same options forks the run. */
export interface BoardSnapshot {
  readonly time: BoardTimeSnapshot;
  readonly core: unknown;
  readonly soc: unknown;
  readonly board: PhysicalState;
  readonly warnings: readonly string[];
}

export interface PhysicalState {
  supplied: boolean;
  powerUps: number;
  /** Who pulls the reset line low. */
  probePullsNrst: boolean;
  buttonPressed: boolean;
  stopped: boolean;
  brownOut: boolean;
  /** In Standby: as the domain is off, or kept on by DBG_STANDBY. */
  standby: 'off' | 'kept' | undefined;
  supplyVolts: number;
  boot: BootMode;
}
