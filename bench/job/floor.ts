// The least time a job can take: what the data sheet gives for its erases and words (docs/reference/stm32f4.md §3.8,
// x32, typical).
import type { Image } from '../../controller/image/image.ts';
import { sectorNumber, type Chip } from '../../shared/chips/index.ts';
import type { Plan } from '../../shared/plan/plan.ts';

/** Sector size in bytes → erase time at x32, ms. */
const ERASE_MS: Readonly<Record<number, number>> = { 0x4000: 250, 0x10000: 550, 0x20000: 1000 };
const WORD_MS = 0.016;

export interface Floor {
  readonly erase: number;
  readonly words: number;
  readonly total: number;
}

/** Milliseconds for this image; words that are FF are not programmed. */
export function floorOf(image: Image, plan: Plan, chip: Chip, sectors: readonly number[] = plan.sectors): Floor {
  const inside = sectors.map((index) => sectorNumber(chip, index, plan.flashKiB));
  const erase = inside.reduce((sum, { bytes }) => sum + (ERASE_MS[bytes] ?? Number.NaN), 0);
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
