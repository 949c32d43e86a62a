// Chance of the lock-step programs: one seed, one program.

const SPECIAL = [0, 1, 0xffffffff, 0x80000000, 0x7fffffff, 0x8000, 0x80008000, 0x7fff7fff, 0xff00ff00, 31, 32, 33];

/** xorshift32: the whole program follows from the seed. */
export class Dice {
  #x: number;
  constructor(seed: number) {
    this.#x = seed | 0 || 1;
  }
  word(): number {
    this.#x ^= this.#x << 13;
    this.#x ^= this.#x >>> 17;
    this.#x ^= this.#x << 5;
    return this.#x >>> 0;
  }
  /** 0 … n - 1. */
  below(n: number): number {
    return this.word() % n;
  }
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }
  /** Corner values every third time. */
  value(): number {
    return this.below(3) === 0 ? this.pick(SPECIAL) : this.word();
  }
  shuffled<T>(from: readonly T[]): T[] {
    const items = [...from];
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [items[i], items[j]] = [items[j]!, items[i]!];
    }
    return items;
  }
}
