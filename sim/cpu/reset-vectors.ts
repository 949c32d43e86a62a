// Where the core starts: stack pointer and entry from the first two words of the memory shown at 0 (ARMv7-M B1.5.5).
import { BusFault } from '../bus.ts';
import type { BusMap } from './bus-map.ts';
import type { CpuState } from './state.ts';

/** False when a vector could not be fetched. */
export function loadResetVectors(s: CpuState, bus: BusMap): boolean {
  try {
    s.r[13] = bus.read(0, 4, 'cpu') & ~3;
    const entry = bus.read(4, 4, 'cpu');
    s.r[15] = entry & ~1;
    s.thumb = entry & 1;
    return true;
  } catch (error) {
    if (!(error instanceof BusFault)) throw error;
    // A vector fetch that is refused brings ones, as people saw it at read protection level 1.
    s.r[13] = 0xfffffffc;
    return false;
  }
}
