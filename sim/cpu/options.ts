// What a core is built with.
import type { BoardTime } from '../board-time.ts';
import type { CoreEvents } from '../core-port.ts';
import type { BusMap } from './bus-map.ts';

export interface CortexM4Options {
  readonly time: BoardTime;
  readonly bus: BusMap;
  readonly events: CoreEvents;
  /** DBGMCU DEV_ID, shown as part number in the ROM table's peripheral id: 0x419 for F42x. */
  readonly idcodePart: number;
  /** Fits the FPv4-SP unit; none by default. */
  readonly fpu?: boolean;
  /** r0-r12 keep what they hold over a system reset; zeros by default. */
  readonly keepRegisters?: boolean;
  /** Unaligned accesses to Device memory are split; they fault by default. */
  readonly unalignedDevice?: boolean;
}
