// Small images for scenarios: a vector table, a few hand-assembled instructions, and noise behind them.
import type { Image } from '../../controller/image/image.ts';
import { seededRandom } from './seeded.ts';

export const FLASH = 0x08000000;
export const FLASH_BYTES = 0x200000;
/** The first 64 bytes are the boot words; code begins behind them. */
const CODE = 0x40;
const STACK_TOP = 0x20030000;
const VECTORS = 16;
const HARD_FAULT = 3;
/** Thumb `b .` */
const BRANCH_TO_SELF = [0xfe, 0xe7] as const;
/** Thumb `nop` */
const NOP = [0x00, 0xbf] as const;

/** A bootable image at `address`: `loop` no-ops, then a branch to itself; every fault has a handler beside it. Noise fills it up. */
export function bootable(seed: number, length: number, address = FLASH, loop = 4, stackTop = STACK_TOP): Uint8Array {
  const bytes = seededRandom(seed).bytes(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, stackTop, true);
  for (let n = 1; n < VECTORS; n++) view.setUint32(4 * n, (address + CODE + 1) >>> 0, true);
  view.setUint32(4 * HARD_FAULT, (address + CODE + 2 * loop + 5) >>> 0, true);
  const code = [...Array.from({ length: loop }, () => NOP), BRANCH_TO_SELF, NOP, BRANCH_TO_SELF].flat();
  bytes.set(code, CODE);
  return bytes;
}

/** Segments as an image file would give them. */
export function imageOf(...segments: readonly (readonly [address: number, bytes: Uint8Array])[]): Image {
  return {
    format: 'bin',
    segments: segments.map(([address, bytes]) => ({ address, bytes })),
    length: segments.reduce((sum, [, bytes]) => sum + bytes.length, 0),
  };
}

/** The smallest job: one frame of image in sector 0. */
export function tinyImage(seed = 3, length = 256): Image {
  return imageOf([FLASH, bootable(seed, length)]);
}

/** What 2 MiB of flash hold after `image` was put over `before` by a job that erases `sectors` ([address, length] each). */
export function flashAfter(
  before: Uint8Array,
  image: Image,
  sectors: readonly (readonly [address: number, length: number])[],
): Uint8Array {
  const flash = before.slice();
  for (const [address, length] of sectors) flash.fill(0xff, address - FLASH, address - FLASH + length);
  for (const { address, bytes } of image.segments) flash.set(bytes, address - FLASH);
  return flash;
}
