// The Montgomery ladder of RFC 7748 section 5 in the representation of firmware/common/crypto: elements below 2^256
// that are not reduced, so that whoever knows the bits so far knows every word the chip computes with.

const WIDTH = 256n;
const MASK = (1n << WIDTH) - 1n;
const FOLD = 38n;
const A24 = 121665n;

/** x2, z2, x3, z3, and the bit done last. */
export interface Ladder {
  readonly x2: bigint;
  readonly z2: bigint;
  readonly x3: bigint;
  readonly z3: bigint;
  readonly last: number;
}

/** What is over 2^256 comes back times 38, once more if that goes over. */
function fold(sum: bigint): bigint {
  const once = (sum & MASK) + FOLD * (sum >> WIDTH);
  return (once & MASK) + FOLD * (once >> WIDTH);
}
const plus = (a: bigint, b: bigint, times = 1n): bigint => fold(a + times * b);
function minus(a: bigint, b: bigint): bigint {
  let difference = a - b;
  for (let i = 0; i < 2 && difference < 0n; i++) difference += (1n << WIDTH) - FOLD;
  return difference;
}
function times(a: bigint, b: bigint): bigint {
  const product = a * b;
  return fold((product & MASK) + FOLD * (product >> WIDTH));
}

export const startOf = (u: bigint): Ladder => ({ x2: 1n, z2: 0n, x3: u, z3: 1n, last: 0 });

/** A step with the next bit: the ladder behind it, and every element computed on the way. */
export function step(from: Ladder, bit: number, u: bigint): { after: Ladder; elements: readonly bigint[] } {
  const swaps = from.last !== bit;
  const [x2, z2, x3, z3] = swaps ? [from.x3, from.z3, from.x2, from.z2] : [from.x2, from.z2, from.x3, from.z3];
  const a = plus(x2, z2);
  const b = minus(x2, z2);
  const c = plus(x3, z3);
  const d = minus(x3, z3);
  const da = times(d, a);
  const cb = times(c, b);
  const sum = plus(da, cb);
  const difference = minus(da, cb);
  const nextX3 = times(sum, sum);
  const squared = times(difference, difference);
  const nextZ3 = times(squared, u);
  const aa = times(a, a);
  const bb = times(b, b);
  const nextX2 = times(aa, bb);
  const e = minus(aa, bb);
  const wide = plus(aa, e, A24);
  const nextZ2 = times(wide, e);
  return {
    after: { x2: nextX2, z2: nextZ2, x3: nextX3, z3: nextZ3, last: bit },
    elements: [a, b, c, d, da, cb, sum, difference, nextX3, squared, nextZ3, aa, bb, nextX2, e, wide, nextZ2],
  };
}
