// Images and old contents for the bench, from seeds.
import type { Image } from '../../controller/image/image.ts';
import { sectorNumber, type Chip } from '../../shared/chips/index.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import { seededRandom } from '../../test/fixtures/seeded.ts';

const FLASH = 0x08000000;
const FLASH_BYTES = 2 * 1024 * 1024;

/** Random bytes behind a vector table a chip could start from. @param ff share of 4 KB blocks that are FF */
export function randomImage(kiB: number, seed: number, ff = 0): Image {
  const random = seededRandom(seed);
  const bytes = random.bytes(kiB * 1024);
  for (let at = 4096; at < bytes.length; at += 4096) if (random.int(1000) < ff * 1000) bytes.fill(0xff, at, at + 4096);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x20010000, true);
  view.setUint32(4, FLASH + 0x201, true);
  return { format: 'bin', segments: [{ address: FLASH, bytes }], length: bytes.length };
}

/**
 * A chip that an earlier job has written: the image in its sectors, but for a byte in each of these;
 * something else elsewhere.
 */
export function earlierContents({ segments }: Image, plan: Plan, chip: Chip, changed: readonly number[]): Uint8Array {
  const flash = oldContents(true);
  const sectors = plan.sectors.map((index) => sectorNumber(chip, index, plan.flashKiB));
  for (const { base, bytes } of sectors) flash.fill(0xff, base - FLASH, base - FLASH + bytes);
  for (const { address, bytes } of segments) flash.set(bytes, address - FLASH);
  for (const { index, base } of sectors) if (changed.includes(index)) flash[base - FLASH + 1]! ^= 1;
  return flash;
}

/** A chip full of something else, or an empty one. */
export function oldContents(full: boolean): Uint8Array {
  return new Uint8Array(FLASH_BYTES).fill(full ? 0x5a : 0xff);
}
