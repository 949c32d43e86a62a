// Where a plan lies in flash, as offsets from its start; computed here from the data sheet's sector
// table, not by the product.
import type { Plan } from '../../shared/plan/plan.ts';

export const FLASH_BASE = 0x08000000;
const KIB = 1024;
/** RM0090: per bank four sectors of 16 KiB, one of 64, seven of 128. */
const BANK = [16, 16, 16, 16, 64, 128, 128, 128, 128, 128, 128, 128];
const SIZES = [...BANK, ...BANK];

type OffsetRange = readonly [from: number, to: number];

/** Sectors the plan erases, or all others. */
export function sectorBounds(plan: Plan, which: 'inside' | 'outside'): OffsetRange[] {
  let at = 0;
  return SIZES.flatMap((size, sector) => {
    const from = at;
    at += size * KIB;
    return plan.sectors.includes(sector) === (which === 'inside') ? [[from, at] as const] : [];
  });
}

export function inPlan(plan: Plan): OffsetRange[] {
  return sectorBounds(plan, 'inside');
}
