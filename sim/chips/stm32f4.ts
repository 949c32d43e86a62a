// The F4 family as the virtual chip sees it: own transcription of docs/reference stm32f427 §1.1, §1.4, §2.2-§2.4.
// The agent has its own table; a difference between the two is a finding, so nothing is imported from there.

/** A span of RAM. */
export interface RamRow {
  readonly name: string;
  readonly base: number;
  readonly size: number;
  readonly fetchable: boolean;
}

export interface ChipRow {
  readonly devId: number;
  readonly revId: number;
  readonly flashKb: number;
  /** Sector sizes of one bank, KiB. */
  readonly bankSectorsKb: readonly number[];
  readonly banks: 1 | 2;
  readonly ram: readonly RamRow[];
  readonly rng: boolean;
  readonly ccm: boolean;
  readonly backupSram: boolean;
  /** Highest HCLK, MHz, without and with over-drive. */
  readonly maxMhz: readonly [plain: number, overDrive: number];
}

const KB = 1024;
const upTo = (count128: number) => [16, 16, 16, 16, 64, ...Array<number>(count128).fill(128)];
const sram = (sizeKb: number): RamRow => ({ name: 'SRAM', base: 0x20000000, size: sizeKb * KB, fetchable: true });
const CCM: RamRow = { name: 'CCM', base: 0x10000000, size: 64 * KB, fetchable: false };

export const CHIPS = {
  stm32f427: {
    devId: 0x419,
    revId: 0x2003,
    flashKb: 2048,
    bankSectorsKb: upTo(7),
    banks: 2,
    ram: [sram(192), CCM],
    rng: true,
    ccm: true,
    backupSram: true,
    maxMhz: [168, 180],
  },
  stm32f429: {
    devId: 0x419,
    revId: 0x2003,
    flashKb: 2048,
    bankSectorsKb: upTo(7),
    banks: 2,
    ram: [sram(192), CCM],
    rng: true,
    ccm: true,
    backupSram: true,
    maxMhz: [168, 180],
  },
  stm32f405: {
    devId: 0x413,
    revId: 0x101f,
    flashKb: 1024,
    bankSectorsKb: upTo(7),
    banks: 1,
    ram: [sram(128), CCM],
    rng: true,
    ccm: true,
    backupSram: true,
    maxMhz: [168, 168],
  },
  stm32f446: {
    devId: 0x421,
    revId: 0x1000,
    flashKb: 512,
    bankSectorsKb: upTo(3),
    banks: 1,
    ram: [sram(128)],
    rng: false,
    ccm: false,
    backupSram: true,
    maxMhz: [168, 180],
  },
  stm32f469: {
    devId: 0x434,
    revId: 0x1000,
    flashKb: 2048,
    bankSectorsKb: upTo(7),
    banks: 2,
    ram: [sram(320), CCM],
    rng: true,
    ccm: true,
    backupSram: true,
    maxMhz: [168, 180],
  },
  stm32f411: {
    devId: 0x431,
    revId: 0x1000,
    flashKb: 512,
    bankSectorsKb: upTo(3),
    banks: 1,
    ram: [sram(128)],
    rng: false,
    ccm: false,
    backupSram: false,
    maxMhz: [100, 100],
  },
  stm32f401: {
    devId: 0x433,
    revId: 0x1000,
    flashKb: 512,
    bankSectorsKb: upTo(3),
    banks: 1,
    ram: [sram(96)],
    rng: false,
    ccm: false,
    backupSram: false,
    maxMhz: [84, 84],
  },
} as const satisfies Record<string, ChipRow>;

export type ChipName = keyof typeof CHIPS;

/** A flash sector. `snb` is its code in FLASH_CR. */
export interface Sector {
  readonly index: number;
  readonly bank: 0 | 1;
  /** Byte offset in main flash. */
  readonly offset: number;
  readonly size: number;
  readonly snb: number;
}

/** Sectors of `chip` in order: numbers run 0…11 and 12…23, SNB skips 0x0C-0x0F (§2.2). */
export function sectorsOf(chip: ChipRow): Sector[] {
  const sectors: Sector[] = [];
  let offset = 0;
  for (let bank = 0; bank < chip.banks; bank++)
    chip.bankSectorsKb.forEach((sizeKb, i) => {
      sectors.push({ index: bank * 12 + i, bank: bank as 0 | 1, offset, size: sizeKb * KB, snb: bank * 16 + i });
      offset += sizeKb * KB;
    });
  return sectors;
}
