// Whether a plan can be carried out under the option bytes a chip has (docs/protocol.md §7, "Flags"): asked by agent
// and controller before anything is erased.
import { sectorAt, type Chip } from '../chips/chip.ts';
import { sectorRuns } from '../chips/option-words.ts';
import { NWRP_MASK, OPTCR, sectorProtection, writeProtectionBits, type OptionWords } from '../chips/option-bits.ts';
import { fail } from '../errors/errors.ts';
import { KINDS } from './kinds.ts';
import { plantsLoader, type Plan } from './plan.ts';

/** The parts whose flash DB1M divides into two banks, with other sectors (RM0090 §3.4, table 9). */
const DUAL_BANK_KIB = 1024;

/**
 * Refuses a plan that would erase, program or read what is protected, or whose sectors BFB2 puts elsewhere.
 * @throws BF-TARGET-BANK2-BOOT, BF-TARGET-DUAL-BANK, BF-TARGET-PCROP, BF-TARGET-WRITE-PROTECTED
 */
export function requireUnprotected(plan: Plan, chip: Chip, words: OptionWords): void {
  if (changesProtection(plan) && sectorProtection(chip, plan.flashKiB, words).how === 'code') {
    throw fail('BF-TARGET-PCROP', 'nWRP bits mean PCROP while SPRMOD is set');
  }
  if (!KINDS[plan.kind].stub) return;
  if (KINDS[plan.kind].writes && chip.banks === 2 && (words.optcr & OPTCR.bank2Boot) !== 0) {
    throw fail('BF-TARGET-BANK2-BOOT', `OPTCR 0x${words.optcr.toString(16)}`);
  }
  if (chip.banks === 2 && plan.flashKiB === DUAL_BANK_KIB && (words.optcr & OPTCR.dualBank) !== 0) {
    throw fail('BF-TARGET-DUAL-BANK', `OPTCR 0x${words.optcr.toString(16)}`);
  }
  const { how, sectors } = protectedSectors(plan, chip, words);
  if (sectors.length === 0) return;
  if (how === 'code') throw fail('BF-TARGET-PCROP', sectorRuns(sectors));
  if (!plan.flags.includes('lift write protection')) throw fail('BF-TARGET-WRITE-PROTECTED', sectorRuns(sectors));
}

/** A plan of chosen option bits with some of nWRP, or one that protects sector 0 with its lock. */
function changesProtection(plan: Plan): boolean {
  const {
    kind,
    options: { mask },
  } = plan;
  if (plantsLoader(plan)) return true;
  return KINDS[kind].options === 'chosen' && ((mask.optcr | mask.optcr1) & NWRP_MASK) !== 0;
}

/** The nWRP bits a plan that lifts has to set, on a chip with these words. */
export function bitsToLift(plan: Plan, chip: Chip, words: OptionWords): OptionWords {
  const { how, sectors } = protectedSectors(plan, chip, words);
  const lifts = how === 'write' && plan.flags.includes('lift write protection');
  return writeProtectionBits(lifts ? sectors : []);
}

/** Those of the plan's sectors that are protected from what it does: from being written, or from being read too. */
export function protectedSectors(plan: Plan, chip: Chip, words: OptionWords): ReturnType<typeof sectorProtection> {
  const { how, sectors } = sectorProtection(chip, plan.flashKiB, words);
  const read = plan.ranges.flatMap(({ address }) => sectorAt(chip, address, plan.flashKiB)?.index ?? []);
  const touched = new Set(how === 'code' ? [...plan.sectors, ...read] : plan.sectors);
  return { how, sectors: sectors.filter((sector) => touched.has(sector)) };
}
