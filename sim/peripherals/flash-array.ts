// The main flash array: sectors, erase to ones, programming that only clears bits, and what an interrupted operation
// leaves behind (docs/reference/stm32f4.md §2.2, §3.5).
import { sectorsOf, type ChipRow, type Sector } from '../chips/stm32f4.ts';
import { DataCache } from './flash-cache.ts';
import { nextWord, type RandomState } from './random.ts';

export const FLASH_BASE = 0x08000000;
const STEP_SHIFT = 14;
const STEP = 1 << STEP_SHIFT;

/** How an array is cut into sectors. */
interface Layout {
  readonly sectors: readonly Sector[];
  /** Sector by 16 KiB step. */
  readonly bySteps: readonly Sector[];
}

/** Every chip's two layouts, made once: each release of a reset asks for one. */
const layouts = new Map<ChipRow, { whole?: Layout; split?: Layout }>();

function layoutOf(chip: ChipRow, split: boolean): Layout {
  const known = layouts.get(chip) ?? {};
  layouts.set(chip, known);
  return (known[split ? 'split' : 'whole'] ??= makeLayout(sectorsOf(chip, split)));
}

function makeLayout(sectors: readonly Sector[]): Layout {
  return { sectors, bySteps: sectors.flatMap((sector) => Array<Sector>(sector.size / STEP).fill(sector)) };
}

export class FlashArray {
  /** Content as data reads see it; equal to the array unless a stale data-cache line hides it. */
  readonly bytes: Uint8Array;
  readonly cache: DataCache;
  #layout: Layout;

  /** @param changed told which bytes changed, as offsets. */
  constructor(chip: ChipRow, changed: (offset: number, length: number) => void) {
    this.bytes = new Uint8Array(chip.flashKb * 1024).fill(0xff);
    this.#layout = layoutOf(chip, false);
    this.cache = new DataCache(this.bytes, changed);
  }
  get sectors(): readonly Sector[] {
    return this.#layout.sectors;
  }
  /** Cuts the array into sectors; `split`: into the two banks that DB1M makes of a part of 1 MB. */
  layOut(chip: ChipRow, split: boolean): void {
    this.#layout = layoutOf(chip, split);
  }
  sectorAt(offset: number): Sector {
    return this.#layout.bySteps[offset >>> STEP_SHIFT]!;
  }
  /** Offset in the array of a bus address, through the home address or the alias at 0. */
  offsetOf(address: number): number {
    return address >= FLASH_BASE ? address - FLASH_BASE : address;
  }
  /** Sets [offset, offset + length) to ones. */
  erase(offset: number, length: number): void {
    this.cache.mutate(offset, length, () => this.bytes.fill(0xff, offset, offset + length));
  }
  /** Clears the bits that are 0 in `data`. */
  program(offset: number, data: Uint8Array): void {
    this.cache.mutate(offset, data.length, () => {
      for (let i = 0; i < data.length; i++) this.bytes[offset + i]! &= data[i]!;
    });
    this.cache.written(offset, data);
  }
  /** Turns bits of one byte over. */
  disturb(offset: number, bits: number): void {
    this.cache.mutate(offset, 1, () => (this.bytes[offset]! ^= bits));
  }
  /** An erase that did not finish: some bits are ones already, some still hold what they held. */
  eraseHalfway(offset: number, length: number, random: RandomState): void {
    const draw = densityOf(random);
    this.cache.mutate(offset, length, () => scatter(this.bytes, offset, length, draw, (old, noise) => old | noise));
  }
  /** A program that did not finish: some of the bits to clear are cleared. */
  programHalfway(offset: number, data: Uint8Array, random: RandomState): void {
    const draw = densityOf(random);
    this.cache.mutate(offset, data.length, () =>
      scatter(this.bytes, offset, data.length, draw, (old, noise, i) => old & (data[i]! | noise)),
    );
  }
}

/** Picks how far the interrupted operation got: words of noise with a quarter, half or three quarters of ones. */
function densityOf(random: RandomState): () => number {
  const kind = nextWord(random) % 3;
  if (kind === 0) return () => nextWord(random) & nextWord(random);
  if (kind === 1) return () => nextWord(random);
  return () => nextWord(random) | nextWord(random);
}

function scatter(
  bytes: Uint8Array,
  offset: number,
  length: number,
  draw: () => number,
  change: (old: number, noise: number, index: number) => number,
): void {
  let noise = 0;
  for (let i = 0; i < length; i++) {
    noise = (i & 3) === 0 ? draw() : noise >>> 8;
    bytes[offset + i] = change(bytes[offset + i]!, noise & 0xff, i);
  }
}
