// Which image a device behind a resident loader gets, and where it lies, or which vendor keys it takes no more: in
// these modes they lie where other plans have their option bits (docs/protocol.md §7, "Behind a loader";
// docs/update-files.md §2).
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

/** Vendor keys in the config of a loader. */
export const LOADER_KEYS = 4;

/** 16 bytes: a bit for each key that is taken no more, then zeros. @param cleared places from 0 */
export function writeCleared(writer: Writer, cleared: readonly number[]): void {
  writer.u32(
    cleared.reduce((mask, place) => mask | (1 << place), 0),
    'keys to clear',
  );
  writer.zeros(12);
}

/** What writeCleared wrote, ascending. */
export function readCleared(reader: Reader): number[] {
  const mask = reader.u32();
  reader.zeros(12);
  if (mask >>> LOADER_KEYS !== 0) reader.refuse(`keys to clear 0x${mask.toString(16)}`);
  return Array.from({ length: LOADER_KEYS }, (_, place) => place).filter((place) => (mask & (1 << place)) !== 0);
}

/** As people count them: by the place among the `--key` of `loader make`, from 1. */
export function clearedText(cleared: readonly number[]): string {
  return cleared.map((place) => String(place + 1)).join(', ');
}
