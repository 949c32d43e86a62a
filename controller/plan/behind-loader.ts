// An image for a device with a loader in its first sectors: it begins behind it, or it cannot start there
// (docs/update-files.md §2).
import type { Image } from '../image/image.ts';
import { hexAddress } from '../image/segments.ts';
import { sectorsOf, type Chip } from '../../shared/chips/index.ts';
import { fail } from '../../shared/errors/errors.ts';
import { imageStart, LOADER_SECTORS } from '../../shared/plan/release.ts';

/** @throws BF-IMAGE-BEHIND-LOADER with the line of the linker script that is to be changed */
export function requireBehindLoader({ segments }: Image, chip: Chip, flashKiB?: number): void {
  const start = imageStart(chip.flashBase);
  const first = segments[0]?.address;
  if (first === start) return;
  const sectors = sectorsOf(chip, flashKiB).filter(({ index }) => index >= LOADER_SECTORS);
  const kib = sectors.reduce((sum, { bytes }) => sum + bytes, 0) / 1024;
  const line = `FLASH (rx) : ORIGIN = ${hexAddress(start)}, LENGTH = ${kib}K`;
  throw fail('BF-IMAGE-BEHIND-LOADER', `it begins at ${hexAddress(first ?? 0)}; the line is: ${line}`);
}
