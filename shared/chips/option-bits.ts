// The option bytes as FLASH_OPTCR and FLASH_OPTCR1 show them (RM0090 §3.9.10, §3.9.11; docs/reference/stm32f4.md §4):
// where each field lies, and what a plan may do to it (docs/protocol.md §7).
import { sectorsOf, type Chip } from './chip.ts';

/** The two registers, unsigned 32 bit. OPTCR1 is 0 where there is no second bank. */
export interface OptionWords {
  readonly optcr: number;
  readonly optcr1: number;
}

/** Fields of OPTCR, as masks. */
export const OPTCR = {
  brownOut: 0x0000000c,
  bank2Boot: 0x00000010,
  softwareWatchdog: 0x00000020,
  noResetInStop: 0x00000040,
  noResetInStandby: 0x00000080,
  readProtection: 0x0000ff00,
  dualBank: 0x40000000,
  codeProtection: 0x80000000,
} as const satisfies Record<string, number>;

/** RDP as it lies in OPTCR: level 0. */
const RDP_OPEN = 0x0000aa00;
/** First of the twelve nWRP bits of a bank, in OPTCR as in OPTCR1, and all of them as a mask. */
const NWRP_SHIFT = 16;
const NWRP_BITS = 12;
export const NWRP_MASK = 0x0fff0000;
/** Settings of OPTCR that the kind `options` chooses: brown-out level, watchdog, resets in Stop and Standby. */
export const USER_BITS = OPTCR.brownOut | OPTCR.softwareWatchdog | OPTCR.noResetInStop | OPTCR.noResetInStandby;

export const NO_OPTION_BITS: OptionWords = { optcr: 0, optcr1: 0 };

/** The nWRP bits of these sectors: sectors 0..11 in OPTCR, 12..23 in OPTCR1. */
export function writeProtectionBits(sectors: readonly number[]): OptionWords {
  let [optcr, optcr1] = [0, 0];
  for (const sector of sectors) {
    const bit = 2 ** (NWRP_SHIFT + (sector % NWRP_BITS));
    if (sector < NWRP_BITS) optcr |= bit;
    else optcr1 |= bit;
  }
  return { optcr: optcr >>> 0, optcr1: optcr1 >>> 0 };
}

/** The bits `options` may change: USER_BITS and nWRP of existing sectors. */
export function changeableBits(chip: Chip, flashKiB: number): OptionWords {
  const { optcr, optcr1 } = existingWriteProtection(chip, flashKiB);
  return { optcr: (optcr | USER_BITS) >>> 0, optcr1 };
}

/** The bits `unlock` may change: RDP, nWRP, and what a cut option write leaves set that keeps a chip from starting. */
export function unlockableBits(chip: Chip, flashKiB: number): OptionWords {
  const { optcr, optcr1 } = existingWriteProtection(chip, flashKiB);
  const bank = chip.banks === 2 ? OPTCR.codeProtection | OPTCR.bank2Boot | OPTCR.dualBank : 0;
  return { optcr: (optcr | OPTCR.readProtection | bank) >>> 0, optcr1 };
}

/** What the bits of `unlock` become: level 0, no code protection, one bank to start from, no sector write-protected. */
export function unlockedValue(chip: Chip, flashKiB: number): OptionWords {
  const { optcr, optcr1 } = existingWriteProtection(chip, flashKiB);
  return { optcr: (optcr | RDP_OPEN) >>> 0, optcr1 };
}

/** The read protection level: RDP is AA for level 0, CC for level 2, anything else level 1 (RM0090 §3.9.10). */
export function protectionLevel(optcr: number): 0 | 1 | 2 {
  const code = (optcr & OPTCR.readProtection) >>> 8;
  return code === 0xaa ? 0 : code === 0xcc ? 2 : 1;
}

/** True if every bit of `part` is in `whole`. */
export function isWithin(part: OptionWords, whole: OptionWords): boolean {
  return (part.optcr & ~whole.optcr) === 0 && (part.optcr1 & ~whole.optcr1) === 0;
}

/** The bits of both. */
export function commonBits(a: OptionWords, b: OptionWords): OptionWords {
  return { optcr: (a.optcr & b.optcr) >>> 0, optcr1: (a.optcr1 & b.optcr1) >>> 0 };
}

/** True if they are the same. */
export function sameOptions(a: OptionWords, b: OptionWords): boolean {
  return a.optcr === b.optcr && a.optcr1 === b.optcr1;
}

function existingWriteProtection(chip: Chip, flashKiB: number): OptionWords {
  const sectors = flashKiB === 0 ? sectorsOf(chip) : sectorsOf(chip, flashKiB);
  return writeProtectionBits(sectors.map(({ index }) => index));
}

/** What the words become when these bits are changed. */
export function withOptionBits(now: OptionWords, mask: OptionWords, value: OptionWords): OptionWords {
  return {
    optcr: ((now.optcr & ~mask.optcr) | value.optcr) >>> 0,
    optcr1: ((now.optcr1 & ~mask.optcr1) | value.optcr1) >>> 0,
  };
}

/** What keeps sectors from being written: nWRP alone, or PCROP, which keeps them from being read as well. */
export interface SectorProtection {
  readonly how: 'write' | 'code';
  /** Ascending. */
  readonly sectors: readonly number[];
}

/**
 * The sectors these words protect: a bit of 0 is write protection, with SPRMOD set a bit of 1 is PCROP (RM0090
 * §3.7.5).
 */
export function sectorProtection(chip: Chip, flashKiB: number, { optcr, optcr1 }: OptionWords): SectorProtection {
  const how = chip.banks === 2 && (optcr & OPTCR.codeProtection) !== 0 ? 'code' : 'write';
  const isSet = (sector: number): boolean => {
    const bits = writeProtectionBits([sector]);
    return ((bits.optcr & optcr) | (bits.optcr1 & optcr1)) !== 0;
  };
  const all = flashKiB === 0 ? sectorsOf(chip) : sectorsOf(chip, flashKiB);
  const sectors = all.map(({ index }) => index).filter((index) => isSet(index) === (how === 'code'));
  return { how, sectors };
}
