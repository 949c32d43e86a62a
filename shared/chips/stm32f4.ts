// The STM32F4 family. RM0090 Rev 21 §3.4 (sectors), §38.6.1 (DEV_ID), §39 (UID and size registers);
// DS9405 Rev 13 table 48 (times). Rows other than F42x/F43x come from the device headers and open tools.
import type { Chip, EraseTimes, LoaderName, RamSpan, SectorKiB } from './chip.ts';

const KIB = 1024;
const FAMILY = {
  flashBase: 0x08000000,
  bank2FirstSector: 12,
  uidAddress: 0x1fff7a10,
  flashSizeAddress: 0x1fff7a22,
  programUs: { typical: 16, most: 100 },
} as const;

const ERASE_MS = {
  16: { x8: { typical: 400, most: 800 }, x16: { typical: 300, most: 600 }, x32: { typical: 250, most: 500 } },
  64: { x8: { typical: 1200, most: 2400 }, x16: { typical: 700, most: 1400 }, x32: { typical: 550, most: 1100 } },
  128: { x8: { typical: 2000, most: 4000 }, x16: { typical: 1300, most: 2600 }, x32: { typical: 1000, most: 2000 } },
} as const satisfies EraseTimes;

/** 4 × 16 KiB, 64 KiB, then `large` × 128 KiB. */
const sectors = (large: number): readonly SectorKiB[] => [16, 16, 16, 16, 64, ...Array<SectorKiB>(large).fill(128)];
const sram = (sizeKiB: number): RamSpan => ({ name: 'SRAM', base: 0x20000000, bytes: sizeKiB * KIB, executable: true });
const CCM: RamSpan = { name: 'CCM', base: 0x10000000, bytes: 64 * KIB, executable: false };

/** STM32F427, F429, F437, F439: the chip this project is about. */
export const STM32F42X = {
  ...FAMILY,
  name: 'STM32F42x/F43x',
  parts: ['STM32F427', 'STM32F429', 'STM32F437', 'STM32F439'],
  devId: 0x419,
  flashKiB: [2048, 1024, 512],
  bankSectorsKiB: sectors(7),
  banks: 2,
  eraseMs: ERASE_MS,
  ram: [sram(192), CCM],
  random: true,
  backupSram: true,
  stub: 'stm32f42x',
  loader: 'stm32f42x',
} as const satisfies Chip;

/** The stub for all parts but the F42x/F43x. It refuses those without a random generator: F401, F411, F446. */
const STUB = 'stm32f4';

type Row = readonly [
  name: string,
  parts: string,
  devId: number,
  flashKiB: readonly number[],
  /** Sectors of 128 KiB in a bank. */
  large: number,
  banks: 1 | 2,
  ram: readonly RamSpan[],
  random: boolean,
  backupSram: boolean,
  stub?: string,
  loader?: LoaderName,
];

/** One row a DEV_ID. Backup SRAM: ST's device headers have BKPSRAM_BASE or not (cmsis_device_f4). */
const OTHERS: readonly Row[] = [
  ['STM32F40x/F41x', 'F405 F407 F415 F417', 0x413, [1024, 512], 7, 1, [sram(128), CCM], true, true, STUB, 'stm32f4'],
  ['STM32F446', 'F446', 0x421, [512, 256], 3, 1, [sram(128)], false, true, STUB],
  ['STM32F401xB/C', 'F401xB F401xC', 0x423, [256, 128], 1, 1, [sram(64)], false, false, STUB],
  ['STM32F401xD/E', 'F401xD F401xE', 0x433, [512, 384], 3, 1, [sram(96)], false, false, STUB],
  ['STM32F411', 'F411', 0x431, [512, 256], 3, 1, [sram(128)], false, false, STUB],
  ['STM32F469/F479', 'F469 F479', 0x434, [2048, 1024, 512], 7, 2, [sram(320), CCM], true, true, STUB, 'stm32f42x'],
  ['STM32F412', 'F412', 0x441, [1024, 512], 7, 1, [sram(256)], true, false],
  ['STM32F410', 'F410', 0x458, [128, 64], 0, 1, [sram(32)], true, false],
  ['STM32F413/F423', 'F413 F423', 0x463, [1536, 1024], 11, 1, [sram(320)], true, false],
];

export const STM32F4: readonly Chip[] = [
  STM32F42X,
  ...OTHERS.map(([name, parts, devId, flashKiB, large, banks, ram, random, backupSram, stub, loader]): Chip => {
    return {
      ...FAMILY,
      name,
      parts: parts.split(' ').map((part) => `STM32${part}`),
      devId,
      flashKiB,
      bankSectorsKiB: sectors(large),
      banks,
      eraseMs: ERASE_MS,
      ram,
      random,
      backupSram,
      stub,
      loader,
    };
  }),
];
