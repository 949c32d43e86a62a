// What a chip is to plan, agent and controller: identity, flash geometry, times, RAM. Rows are in stm32f4.ts.
import { fail } from '../errors/errors.ts';

/**
 * Widest store the flash controller may be given. The number is the plan's (docs/protocol.md §7) and FLASH_CR.PSIZE's.
 */
export const WIDTHS = { x8: 0, x16: 1, x32: 2 } as const;
export type Width = keyof typeof WIDTHS;

export type SectorKiB = 16 | 64 | 128;

/** Milliseconds, typical and at most, for one sector at a width. */
export interface EraseTime {
  readonly typical: number;
  readonly most: number;
}
export type EraseTimes = Readonly<Record<SectorKiB, Readonly<Record<Width, EraseTime>>>>;

export interface RamSpan {
  readonly name: string;
  readonly base: number;
  readonly bytes: number;
  /** False for CCM: no instruction fetch. */
  readonly executable: boolean;
}

export interface Chip {
  readonly name: string;
  /** Marketing numbers that report this DEV_ID. */
  readonly parts: readonly string[];
  readonly devId: number;
  readonly flashBase: number;
  /** Flash sizes the size register may report, KiB, largest first. */
  readonly flashKiB: readonly number[];
  /** Sector sizes of one bank, KiB, in address order. */
  readonly bankSectorsKiB: readonly SectorKiB[];
  /** Two banks only when the flash is larger than one bank's sectors. */
  readonly banks: 1 | 2;
  /** Number of the first sector of bank 2. */
  readonly bank2FirstSector: number;
  readonly eraseMs: EraseTimes;
  /** Microseconds to program one unit of any width. */
  readonly programUs: { readonly typical: number; readonly most: number };
  readonly ram: readonly RamSpan[];
  /** Has a random generator. A stub refuses a chip without one: nothing else on it is a source of keys. */
  readonly random: boolean;
  /** Has the 4 KiB of backup SRAM. A loader keeps its secrets there, where no debugger reads at level 1. */
  readonly backupSram: boolean;
  readonly uidAddress: number;
  readonly flashSizeAddress: number;
  /**
   * Name of the stub for it, which is that of its layout (shared/mailbox/layout.ts) and of its file;
   * undefined: there is none.
   */
  readonly stub: string | undefined;
  /** The resident loader for it, which is that of its file (docs/loader.md, "Parts"); undefined: there is none. */
  readonly loader: LoaderName | undefined;
}

/** Prebuilt loaders. */
export type LoaderName = 'stm32f42x' | 'stm32f4';

export interface Sector {
  /** As the plan and the reference manual number it. */
  readonly index: number;
  readonly bank: 1 | 2;
  readonly base: number;
  readonly bytes: number;
  /** Code for FLASH_CR.SNB. */
  readonly snb: number;
}

const KIB = 1024;

/**
 * Sectors of a chip in address order, for the flash size its size register reports (KiB; unless given, the largest).
 */
export function sectorsOf(chip: Chip, flashKiB: number = largest(chip)): readonly Sector[] {
  const end = chip.flashBase + flashKiB * KIB;
  const sectors: Sector[] = [];
  let base = chip.flashBase;
  for (const bank of chip.banks === 1 ? ([1] as const) : ([1, 2] as const)) {
    for (const [position, sizeKiB] of chip.bankSectorsKiB.entries()) {
      if (base >= end) return sectors;
      sectors.push(sectorRow(chip, bank, position, base, sizeKiB * KIB));
      base += sizeKiB * KIB;
    }
  }
  return sectors;
}

/** The sector that holds `address`, or undefined. */
export function sectorAt(chip: Chip, address: number, flashKiB?: number): Sector | undefined {
  return sectorsOf(chip, flashKiB).find((sector) => address >= sector.base && address < sector.base + sector.bytes);
}

/** The sector with this number. Throws BF-INTERNAL-ARGUMENT when the chip has none. */
export function sectorNumber(chip: Chip, index: number, flashKiB?: number): Sector {
  const sector = sectorsOf(chip, flashKiB).find((row) => row.index === index);
  if (sector === undefined) throw fail('BF-INTERNAL-ARGUMENT', `${chip.name} has no sector ${index}`);
  return sector;
}

/** Milliseconds one sector takes to erase at a width. */
export function eraseTime(chip: Chip, sector: Sector, width: Width): EraseTime {
  return chip.eraseMs[(sector.bytes / KIB) as SectorKiB][width];
}

/** True if [address, address + length) lies in one RAM span of the chip. */
export function inRam(chip: Chip, address: number, length: number): boolean {
  return chip.ram.some((span) => address >= span.base && address + length <= span.base + span.bytes);
}

function largest(chip: Chip): number {
  return chip.flashKiB[0] ?? 0;
}

/** SNB is the sector's number in bank 1; in bank 2 bit 4 is set and the count starts again. */
function sectorRow(chip: Chip, bank: 1 | 2, position: number, base: number, bytes: number): Sector {
  const index = bank === 1 ? position : chip.bank2FirstSector + position;
  return { index, bank, base, bytes, snb: bank === 1 ? position : 0x10 + position };
}
