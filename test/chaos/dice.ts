// Chance of a chaos run: everything is drawn from the seed, each part from its own stream, so that leaving one fault
// out does not change the others.
import { seededRandom } from '../fixtures/seeded.ts';

export class Dice {
  readonly #random: ReturnType<typeof seededRandom>;

  constructor(seed: number, stream: number) {
    this.#random = seededRandom((Math.imul(seed, 0x9e3779b1) ^ Math.imul(stream + 1, 0x85ebca6b)) >>> 0);
  }

  /** 0 ≤ n < below. */
  int(below: number): number {
    return this.#random.int(below);
  }
  /** least ≤ n ≤ most. */
  between(least: number, most: number): number {
    return least + this.#random.int(most - least + 1);
  }
  /** True once in `times`. */
  oneIn(times: number): boolean {
    return this.#random.int(times) === 0;
  }
  pick<T>(items: readonly T[]): T {
    return items[this.#random.int(items.length)]!;
  }
  bytes(count: number): Uint8Array {
    return this.#random.bytes(count);
  }
  /** The same bytes with one bit changed. */
  flipped(bytes: Uint8Array): Uint8Array {
    const copy = bytes.slice();
    const bit = this.#random.int(Math.max(1, copy.length * 8));
    if (copy.length > 0) copy[bit >> 3]! ^= 1 << (bit & 7);
    return copy;
  }
}
