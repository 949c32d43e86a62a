// The chips this version knows, by DEV_ID.
import { fail } from '../errors/errors.ts';
import type { Chip, LoaderName } from './chip.ts';
import { STM32F4 } from './stm32f4.ts';

export * from './chip.ts';
export * from './option-bits.ts';
export * from './option-words.ts';
export { STM32F42X } from './stm32f4.ts';

export const CHIPS: readonly Chip[] = STM32F4;

/** The row of a DEV_ID (bits 11:0 of DBGMCU_IDCODE), or undefined. */
export function findChip(devId: number): Chip | undefined {
  return CHIPS.find((chip) => chip.devId === devId);
}

/** The row of a DEV_ID. Throws BF-TARGET-WRONG-CHIP for one this version does not know. */
export function knownChip(devId: number): Chip {
  const chip = findChip(devId);
  if (chip === undefined) throw fail('BF-TARGET-WRONG-CHIP', `DEV_ID 0x${devId.toString(16)}`);
  return chip;
}

/** The row of a DEV_ID that has a stub. Throws BF-TARGET-WRONG-CHIP for all others. */
export function requireChip(devId: number): Chip & { readonly stub: string } {
  const chip = findChip(devId);
  const seen = `DEV_ID 0x${devId.toString(16).padStart(3, '0')}`;
  if (chip === undefined) throw fail('BF-TARGET-WRONG-CHIP', seen);
  if (chip.stub === undefined) throw fail('BF-TARGET-WRONG-CHIP', `${seen} is a ${chip.name}`);
  return { ...chip, stub: chip.stub };
}

/** The resident loader for a chip. Throws BF-TARGET-NO-LOADER, with what the chip lacks, when there is none. */
export function requireLoader({ name, random, backupSram, loader }: Chip): LoaderName {
  if (loader !== undefined) return loader;
  const lacks = [...(random ? [] : ['no random generator']), ...(backupSram ? [] : ['no backup SRAM'])];
  throw fail('BF-TARGET-NO-LOADER', `${name} has ${lacks.join(' and ')}`);
}
