// The least time a job can take: what the data sheet gives for its erases and words (docs/reference/stm32f4.md §3.8,
// x32, typical).
import type { Image } from '../../controller/image/image.ts';
import { sectorNumber, type Chip } from '../../shared/chips/index.ts';
import type { ErasedHow } from '../../shared/sealed/messages.ts';
import type { Plan } from '../../shared/plan/plan.ts';

/** Sector size in bytes → erase time at x32, ms. */
const ERASE_MS: Readonly<Record<number, number>> = { 0x4000: 250, 0x10000: 550, 0x20000: 1000 };
/** Everything at once, ms. */
const ERASE_ALL_MS = 8000;
const WORD_MS = 0.016;

/** How a sector came to be erased. */
export interface Erased {
  readonly sector: number;
  readonly how: ErasedHow;
}

export interface Floor {
  readonly erase: number;
  readonly words: number;
  readonly total: number;
}

/**
 * Milliseconds for this image in the sectors that were erased or blank; words that are FF are not programmed. Where
 * everything is erased at once, the sector of the boot words, which is erased before, is not counted apart.
 */
export function floorOf(image: Image, plan: Plan, chip: Chip, sectors: readonly Erased[]): Floor {
  const inside = sectors.map(({ sector }) => sectorNumber(chip, sector, plan.flashKiB));
  const eraseMs = ({ sector }: Erased) => ERASE_MS[sectorNumber(chip, sector, plan.flashKiB).bytes] ?? Number.NaN;
  const oneByOne = sectors.filter(({ how }) => how === 'erased').reduce((sum, one) => sum + eraseMs(one), 0);
  const erase = sectors.some(({ how }) => how === 'all at once') ? ERASE_ALL_MS : oneByOne;
  let words = 0;
  for (const { address, bytes } of image.segments) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at < bytes.length; at += 4) {
      const here = inside.some(({ base, bytes: size }) => address + at >= base && address + at < base + size);
      if (here && view.getUint32(at, true) !== 0xffffffff) words += WORD_MS;
    }
  }
  return { erase, words, total: erase + words };
}
