// An attack on an HMAC-SHA-512 whose key has 32 bytes: that key is the first four words of a block whose other words
// are known, so four words of the state, one of each of the first four rounds, tell it. Where e, f, g and what h is in
// are in registers at once, one snapshot of the fifth round has them (FIPS 180-4 §6.4.2).

const M = (1n << 64n) - 1n;
/** Of the fifth round, counted from 0. */
const ROUND = 4;
/** Sixteens of rounds that are left during the first. */
const SIXTEENS = 5;
const K = [0x428a2f98d728ae22n, 0x7137449123ef65cdn, 0xb5c0fbcfec4d3b2fn, 0xe9b5dba58189dbbcn, 0x3956c25bf348b538n];
/** SHA-512's first state. */
export const START = [
  0x6a09e667f3bcc908n,
  0xbb67ae8584caa73bn,
  0x3c6ef372fe94f82bn,
  0xa54ff53a5f1d36f1n,
  0x510e527fade682d1n,
  0x9b05688c2b3e6c1fn,
  0x1f83d9abfb41bd6bn,
  0x5be0cd19137e2179n,
] as const;

type State = [bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint];

const right = (x: bigint, n: bigint): bigint => ((x >> n) | (x << (64n - n))) & M;
const sigma0 = (x: bigint): bigint => right(x, 28n) ^ right(x, 34n) ^ right(x, 39n);
const sigma1 = (x: bigint): bigint => right(x, 14n) ^ right(x, 18n) ^ right(x, 41n);
const choice = (e: bigint, f: bigint, g: bigint): bigint => g ^ (e & (f ^ g));
const majority = (a: bigint, b: bigint, c: bigint): bigint => (a & b) | (c & (a | b));
const wide = (low: number, high: number): bigint => BigInt(low) | (BigInt(high) << 32n);

/**
 * All that 80 rounds make of a block, from the first state on, and that not everybody knows: the new a and e of each,
 * T1 and T2, and words of the schedule. `known` words of the block are the last ones.
 * @param k the constants of the rounds
 */
export function variablesOf(block: readonly bigint[], known: number, k: readonly bigint[]): bigint[] {
  const w = [...block];
  const variables = block.slice(0, block.length - known);
  let [a, b, c, d, e, f, g, h] = START as readonly bigint[] as State;
  k.forEach((constant, t) => {
    if (t >= block.length) {
      const [two, seven, fifteen, sixteen] = [2, 7, 15, 16].map((back) => w[t - back]!) as [
        bigint,
        bigint,
        bigint,
        bigint,
      ];
      const small1 = right(two, 19n) ^ right(two, 61n) ^ (two >> 6n);
      const small0 = right(fifteen, 1n) ^ right(fifteen, 8n) ^ (fifteen >> 7n);
      w.push((small1 + seven + small0 + sixteen) & M);
      variables.push(w[t]!);
    }
    const t1 = (h + sigma1(e) + choice(e, f, g) + constant + w[t]!) & M;
    const t2 = (sigma0(a) + majority(a, b, c)) & M;
    [a, b, c, d, e, f, g, h] = [(t1 + t2) & M, a, b, c, (d + t1) & M, e, f, g];
    variables.push(t1, a, e);
    if (t > 0) variables.push(t2);
  });
  return variables;
}

/** The words of the block whose rounds gave these four values of e, first round first. */
function wordsOf(es: readonly bigint[]): bigint[] {
  let [a, b, c, d, e, f, g, h] = START as readonly bigint[] as State;
  return es.map((next, i) => {
    const t1 = (next - d) & M;
    const word = (t1 - h - sigma1(e) - choice(e, f, g) - K[i]!) & M;
    const nextA = (t1 + sigma0(a) + majority(a, b, c)) & M;
    [a, b, c, d, e, f, g, h] = [nextA, a, b, c, next, e, f, g];
    return word;
  });
}

/** The 32 bytes that the block begins with, for each of what this may be an instant of; none where it cannot be one. */
export function blocksIn(registers: Uint32Array): Uint8Array[] {
  const [r0, r1, r2, r3, r4, r5, r6, r7, , , , r11] = registers as unknown as number[] & { length: 13 };
  if (r11 !== SIXTEENS) return [];
  const e = wide(r4!, r5!);
  const g = wide(r2!, r3!);
  const h = (wide(r6!, r7!) - sigma1(e) - K[ROUND]!) & M;
  const lows = [r0!, (r0! ^ r2!) >>> 0];
  const highs = [r1!, (r1! ^ r3!) >>> 0];
  const fs = [wide(lows[0]!, highs[0]!), wide(lows[1]!, highs[0]!), wide(lows[1]!, highs[1]!)];
  return fs.map((f) => {
    const block = new Uint8Array(32);
    const view = new DataView(block.buffer);
    wordsOf([h, g, f, e]).forEach((word, i) => view.setBigUint64(8 * i, word));
    return block;
  });
}
