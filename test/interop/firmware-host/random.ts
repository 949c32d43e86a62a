// Seeded bytes for differential tests: plain ones, and ones whose 32-bit limbs sit where carries are made.

const EDGES = [0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffda, 0xffffffed, 0xfffffffe, 0xffffffff] as const;

/** A small generator (xorshift32); the same seed gives the same run. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1;
  }

  /** A uniform 32-bit number. */
  word(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state;
  }

  /** A number in 0..n-1. */
  below(n: number): number {
    return Math.floor((this.word() / 2 ** 32) * n);
  }

  /** `n` uniform bytes. */
  bytes(n: number): Uint8Array {
    return Uint8Array.from({ length: n }, () => this.word() >>> 24);
  }

  /** `n` bytes (a multiple of 4) of which about half the little-endian limbs are edge values. */
  limbs(n: number): Uint8Array {
    const view = new DataView(new ArrayBuffer(n));
    for (let at = 0; at < n; at += 4) view.setUint32(at, this.#limb(), true);
    return new Uint8Array(view.buffer);
  }

  #limb(): number {
    return this.below(2) === 0 ? EDGES[this.below(EDGES.length)] : this.word();
  }
}
