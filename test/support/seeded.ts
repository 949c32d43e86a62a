// Chance for tests: a small seeded generator (SplitMix32), deterministic on every machine.
import type { Random } from '../../shared/ports.ts';

/** A deterministic Random; the same seed gives the same bytes. */
export function seededRandom(seed: number): Random & { int(below: number): number } {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  return {
    bytes: (count) => Uint8Array.from({ length: count }, () => next() & 0xff),
    int: (below) => next() % below,
  };
}
