// The private peripheral bus: where the core's own devices answer. ARMv7-M B3.1, B3.2.
import type { BusMap } from './bus-map.ts';
import { idOnlyBlock, romTable } from './coresight.ts';
import type { Dwt } from './dwt.ts';
import type { Fpb } from './fpb.ts';
import type { Scs } from './scs.ts';

/**
 * Maps the core's devices; of ITM, TPIU and ETM there is only the identification. `part` shows in the ROM table.
 * `tracing`: DEMCR.TRCENA.
 */
export function mapPrivateBus(
  bus: BusMap,
  { dwt, fpb, scs }: { dwt: Dwt; fpb: Fpb; scs: Scs },
  part: number,
  tracing: () => boolean,
): void {
  bus.addDevice(0xe0000000, 0x1000, idOnlyBlock('itm', tracing), 'ITM');
  bus.addDevice(0xe0001000, 0x1000, dwt, 'DWT');
  bus.addDevice(0xe0002000, 0x1000, fpb, 'FPB');
  bus.addDevice(0xe000e000, 0x1000, scs, 'SCS');
  bus.addDevice(0xe0040000, 0x1000, idOnlyBlock('tpiu', tracing), 'TPIU');
  bus.addDevice(0xe0041000, 0x1000, idOnlyBlock('etm', tracing), 'ETM');
  bus.addDevice(0xe00ff000, 0x1000, romTable(part), 'ROM table');
}
