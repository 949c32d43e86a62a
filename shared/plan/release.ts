// Which image a device behind a resident loader gets, and where it lies: the words of a plan that has no option bits
// (docs/protocol.md §7, "Behind a loader"; docs/update-files.md §2).
import type { Reader, Writer } from '../codec/bytes.ts';

/** Which image this is, and which ones may follow it. */
export interface Release {
  /** The vendor's number of the product; a loader takes its own alone. */
  readonly product: number;
  /** Versions are numbers; a later one is greater. */
  readonly version: number;
  /** The least version the device takes once this one is complete; at most `version`. */
  readonly floor: number;
}

/** Sectors from the start of flash that are the loader's: 4 of 16 KiB, and where the image begins behind them. */
export const LOADER_SECTORS = 4;
const LOADER_KIB = 64;

/** Where an image behind a loader starts: 0x08010000. @param flashBase of the chip */
export function imageStart(flashBase: number): number {
  return flashBase + LOADER_KIB * 1024;
}

/** What a floor does, in the words people are shown. */
export function floorText({ version, floor }: Pick<Release, 'version' | 'floor'>): string {
  const below = `once this image is complete, nothing below version ${floor} is taken`;
  return floor === version ? below : `${below}; between ${floor} and ${version} an older file may go back`;
}

/** 16 bytes: product, version, floor, 0. */
export function writeRelease(writer: Writer, { product, version, floor }: Release): void {
  writer.u32(product, 'product').u32(version, 'version').u32(floor, 'floor').zeros(4);
}

/** What writeRelease wrote. */
export function readRelease(reader: Reader): Release {
  const release = { product: reader.u32(), version: reader.u32(), floor: reader.u32() };
  reader.zeros(4);
  return release;
}
