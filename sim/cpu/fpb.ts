// Flash patch and breakpoint unit: six instruction comparators as breakpoints (docs/reference/cortex-m-debug.md §4).
// Literal comparators and remapping are remembered but have no effect. Patches survive system reset.
import type { Device, Width } from '../bus.ts';
import { readIdBlock } from './coresight.ts';

const COMPARATORS = 8;
const INSTRUCTION_COMPARATORS = 6;
const CONTROL_ID = 0x260;

export interface FpbSnapshot {
  enabled: boolean;
  remap: number;
  comparators: Uint32Array;
}

export class Fpb implements Device {
  readonly #changed: (address: number) => void;
  readonly #comparators = new Uint32Array(COMPARATORS);
  #enabled = false;
  #remap = 0;

  /** @param changed told the word address whose breakpoints may have come or gone */
  constructor(changed: (address: number) => void) {
    this.#changed = changed;
  }

  get enabled(): boolean {
    return this.#enabled;
  }
  /** Whether a comparator breaks on the instruction at `pc`. */
  hits(pc: number): boolean {
    if (!this.#enabled) return false;
    for (let i = 0; i < INSTRUCTION_COMPARATORS; i++) if (matches(this.#comparators[i]!, pc)) return true;
    return false;
  }

  powerOn(): void {
    this.#setEnabled(false);
    this.#comparators.fill(0);
    this.#remap = 0;
  }

  read(offset: number): number {
    if (offset === 0) return CONTROL_ID | (this.#enabled ? 1 : 0);
    if (offset === 4) return this.#remap | 0x20000000;
    const index = (offset - 8) >> 2;
    if (index >= 0 && index < COMPARATORS) return this.#comparators[index]!;
    return readIdBlock('fpb', offset, true);
  }

  write(offset: number, value: number, width: Width): void {
    if (width !== 4) return;
    if (offset === 0) {
      if (value & 2) this.#setEnabled((value & 1) !== 0);
      return;
    }
    if (offset === 4) this.#remap = value & 0x1fffffe0;
    const index = (offset - 8) >> 2;
    if (index < 0 || index >= COMPARATORS) return;
    const old = this.#comparators[index]!;
    this.#comparators[index] = value & 0xdffffffd;
    this.#changed(old & 0x1ffffffc);
    this.#changed(value & 0x1ffffffc);
  }

  #setEnabled(enabled: boolean): void {
    this.#enabled = enabled;
    for (const comparator of this.#comparators) this.#changed(comparator & 0x1ffffffc);
  }

  snapshot(): FpbSnapshot {
    return { enabled: this.#enabled, remap: this.#remap, comparators: this.#comparators.slice() };
  }
  restore(from: FpbSnapshot): void {
    for (const comparator of this.#comparators) this.#changed(comparator & 0x1ffffffc);
    this.#comparators.set(from.comparators);
    this.#remap = from.remap;
    this.#setEnabled(from.enabled);
  }
}

/** REPLACE 01 breaks on the lower half-word, 10 on the upper, 11 on both. */
function matches(comparator: number, pc: number): boolean {
  if ((comparator & 1) === 0 || (comparator & 0x1ffffffc) !== (pc & ~3)) return false;
  return ((comparator >>> 30) & (pc & 2 ? 2 : 1)) !== 0;
}
