// The F4 family as the virtual chip sees it: own transcription of docs/reference/stm32f4.md §1.1, §1.4, §2.2-§2.4,
// §3.1; widths of LATENCY and VOS from ST's device headers (cmsis_device_f4) and the register tables of stm32-rs. The
// agent has its own table; a difference between the two is a finding, so nothing is imported from there.

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
  /** Sector sizes of each of the two banks that option DB1M makes of this part, KiB; absent where it does nothing. */
  readonly splitSectorsKb?: readonly number[];
  readonly ram: readonly RamRow[];
  readonly rng: boolean;
  readonly ccm: boolean;
  readonly backupSram: boolean;
  /** FPv4-SP beside the core. */
  readonly fpu: boolean;
  readonly flashRegisters: FlashRegistersRow;
  /** Width of PWR_CR.VOS: one bit (0 scale 2, 1 scale 1) on the F405 class, two (1-3: scales 3-1) on all others. */
  readonly vosBits: 1 | 2;
  /** Highest HCLK, MHz, without and with over-drive. */
  readonly maxMhz: readonly [plain: number, overDrive: number];
}

/** How a part's flash interface differs from the F42x's (§3.1 notes b and c). */
export interface FlashRegistersRow {
  /** Width of CR.SNB. */
  readonly snbBits: 4 | 5;
  /** Width of ACR.LATENCY. */
  readonly latencyBits: 3 | 4;
  /** CR.MER1 and OPTCR1 exist. */
  readonly secondBank: boolean;
  /** PCROP: OPTCR.SPRMOD, SR.RDERR. */
  readonly pcrop: boolean;
  /** nWRP bits in OPTCR that exist, counted from bit 16. */
  readonly wrpBits: number;
}

const KB = 1024;
const upTo = (count128: number) => [16, 16, 16, 16, 64, ...Array<number>(count128).fill(128)];
const sram = (sizeKb: number): RamRow => ({ name: 'SRAM', base: 0x20000000, size: sizeKb * KB, fetchable: true });
const CCM: RamRow = { name: 'CCM', base: 0x10000000, size: 64 * KB, fetchable: false };

/** Flash interfaces: F42x and F469 with two banks; F405 class; the smaller parts with PCROP in one bank. */
const DUAL: FlashRegistersRow = { snbBits: 5, latencyBits: 4, secondBank: true, pcrop: true, wrpBits: 12 };
const F405_FLASH: FlashRegistersRow = { snbBits: 4, latencyBits: 3, secondBank: false, pcrop: false, wrpBits: 12 };
const smallFlash = (wrpBits: number): FlashRegistersRow => ({
  snbBits: 4,
  latencyBits: 4,
  secondBank: false,
  pcrop: true,
  wrpBits,
});

const F42X = {
  devId: 0x419,
  revId: 0x2003,
  flashKb: 2048,
  bankSectorsKb: upTo(7),
  banks: 2,
  ram: [sram(192), CCM],
  rng: true,
  ccm: true,
  backupSram: true,
  fpu: true,
  flashRegisters: DUAL,
  vosBits: 2,
  maxMhz: [168, 180],
} as const satisfies ChipRow;

/** The F427 and F429 of 1 MB: one bank, or two of 512 KB with DB1M. */
const F42X_1MB = { ...F42X, flashKb: 1024, banks: 1, splitSectorsKb: upTo(3) } as const satisfies ChipRow;

const F405 = {
  devId: 0x413,
  revId: 0x101f,
  flashKb: 1024,
  bankSectorsKb: upTo(7),
  banks: 1,
  ram: [sram(128), CCM],
  rng: true,
  ccm: true,
  backupSram: true,
  fpu: true,
  flashRegisters: F405_FLASH,
  vosBits: 1,
  maxMhz: [168, 168],
} as const satisfies ChipRow;

/** What the parts of at most 512 KiB without RNG and CCM have in common. */
const SMALL = { bankSectorsKb: upTo(3), banks: 1, rng: false, ccm: false, fpu: true, vosBits: 2 } as const;

export const CHIPS = {
  stm32f427: F42X,
  stm32f427xg: F42X_1MB,
  stm32f429: F42X,
  stm32f429xg: F42X_1MB,
  stm32f439: F42X,
  stm32f405: F405,
  stm32f407: F405,
  stm32f446: {
    ...SMALL,
    devId: 0x421,
    revId: 0x1000,
    flashKb: 512,
    ram: [sram(128)],
    backupSram: true,
    flashRegisters: smallFlash(8),
    maxMhz: [168, 180],
  },
  stm32f469: { ...F42X, devId: 0x434, revId: 0x1000, ram: [sram(320), CCM] },
  stm32f411: {
    ...SMALL,
    devId: 0x431,
    revId: 0x1000,
    flashKb: 512,
    ram: [sram(128)],
    backupSram: false,
    flashRegisters: smallFlash(8),
    maxMhz: [100, 100],
  },
  stm32f401: {
    ...SMALL,
    devId: 0x433,
    revId: 0x1000,
    flashKb: 512,
    ram: [sram(96)],
    backupSram: false,
    flashRegisters: smallFlash(8),
    maxMhz: [84, 84],
  },
  stm32f401xc: {
    ...SMALL,
    devId: 0x423,
    revId: 0x1000,
    flashKb: 256,
    bankSectorsKb: upTo(1),
    ram: [sram(64)],
    backupSram: false,
    flashRegisters: smallFlash(6),
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

/** Sectors of `chip` in order: numbers run 0…11 and 12…23, SNB skips 0x0C-0x0F (§2.2); `split`: with DB1M (§2.3). */
export function sectorsOf(chip: ChipRow, split = false): Sector[] {
  const sectors: Sector[] = [];
  let offset = 0;
  const halves = split ? chip.splitSectorsKb : undefined;
  for (let bank = 0; bank < (halves ? 2 : chip.banks); bank++) {
    (halves ?? chip.bankSectorsKb).forEach((sizeKb, i) => {
      sectors.push({ index: bank * 12 + i, bank: bank as 0 | 1, offset, size: sizeKb * KB, snb: bank * 16 + i });
      offset += sizeKb * KB;
    });
  }
  return sectors;
}
