// An attack on Salsa20 (Bernstein, "The Salsa20 family of stream ciphers") where 13 of its 16 words are in registers:
// at one instant of the first double round, when three columns are done and the fourth begins, one snapshot tells all
// eight words of the key. The steps of a quarter-round are taken back with what constants and nonce are known to be.

const ROUNDS = 20;
export const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const;

/** Places of constants, key and input (nonce, or nonce and counter) among the 16 words. */
const AT = { constants: [0, 5, 10, 15], key: [1, 2, 3, 4, 11, 12, 13, 14], input: [6, 7, 8, 9] } as const;

/** The quarter-rounds of a double round: columns, then rows. */
const QUARTERS = [
  [0, 4, 8, 12],
  [5, 9, 13, 1],
  [10, 14, 2, 6],
  [15, 3, 7, 11],
  [0, 1, 2, 3],
  [5, 6, 7, 4],
  [10, 11, 8, 9],
  [15, 12, 13, 14],
] as const;

const turned = (value: number, by: number): number => ((value << by) | (value >>> (32 - by))) >>> 0;
const sum = (a: number, b: number): number => (a + b) >>> 0;
const xor = (a: number, b: number): number => (a ^ b) >>> 0;

/** The words of the key from r0 to r12, if this is such an instant of a call with this input; else undefined. */
export function keyIn(registers: Uint32Array, input: readonly number[]): Uint32Array | undefined {
  const [r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12] = registers as unknown as number[] & { length: 13 };
  if (r9 !== CONSTANTS[1] || r8 !== input[3]) return undefined;
  const [w6, w7, w8] = input as unknown as [number, number, number];
  // Column 0, 4, 8, 12: the new 8 is not in a register, but follows.
  const new8 = xor(w8, turned(sum(r4!, CONSTANTS[0]), 9));
  const w12 = xor(r11!, turned(sum(new8, r4!), 13));
  if (xor(CONSTANTS[0], turned(sum(r11!, new8), 18)) !== r1) return undefined;
  const w4 = xor(r4!, turned(sum(CONSTANTS[0], w12), 7));
  // Column 10, 14, 2, 6.
  if (xor(w6, turned(sum(r2!, r12!), 13)) !== r5) return undefined;
  const w2 = xor(r2!, turned(sum(r12!, CONSTANTS[2]), 9));
  const w14 = xor(r12!, turned(sum(CONSTANTS[2], w6), 7));
  // Column 15, 3, 7, 11: the new 11 was moved out, but the last sum it was in is still there.
  if (xor(w7, turned(sum(r3!, CONSTANTS[3]), 9)) !== r6) return undefined;
  const new11 = (r0! - r6!) >>> 0;
  const w11 = xor(new11, turned(sum(r6!, r3!), 13));
  const w3 = xor(r3!, turned(sum(CONSTANTS[3], w11), 7));
  return Uint32Array.of(r10!, w2, w3, w4, w11, w12, r7!, w14);
}

/** The 16 words before and after the rounds over constants, key and input; `changed` gets each word that is made. */
function rounds(
  key: Uint32Array,
  input: readonly number[],
  changed: (word: number) => void = () => {},
): { before: Uint32Array; after: Uint32Array } {
  const before = new Uint32Array(16);
  AT.constants.forEach((at, i) => (before[at] = CONSTANTS[i]!));
  AT.key.forEach((at, i) => (before[at] = key[i]!));
  AT.input.forEach((at, i) => (before[at] = input[i]!));
  const x = before.slice();
  const quarter = (a: number, b: number, c: number, d: number): void => {
    x[b] = xor(x[b]!, turned(sum(x[a]!, x[d]!), 7));
    x[c] = xor(x[c]!, turned(sum(x[b]!, x[a]!), 9));
    x[d] = xor(x[d]!, turned(sum(x[c]!, x[b]!), 13));
    x[a] = xor(x[a]!, turned(sum(x[d]!, x[c]!), 18));
    [a, b, c, d].forEach((at) => changed(x[at]!));
  };
  for (let i = 0; i < ROUNDS; i += 2) {
    for (const [a, b, c, d] of QUARTERS) {
      quarter(a, b, c, d);
    }
  }
  return { before, after: x };
}

/** The key's words and every word that a quarter-round makes. */
export function wordsMade(key: Uint32Array, input: readonly number[]): number[] {
  const words = [...key];
  rounds(key, input, (word) => words.push(word));
  return words;
}

/** HSalsa20: the key of the stream from a box's key and the first 16 bytes of its nonce. */
export function streamKey(boxKey: Uint32Array, input: readonly number[]): Uint32Array {
  const { after } = rounds(boxKey, input);
  return Uint32Array.from([...AT.constants, ...AT.input], (at) => after[at]!);
}

/** The first block of the stream XOR `cipher`: of a box, 32 bytes that make its tag and 32 of its message. */
export function firstBlock(key: Uint32Array, nonceEnd: readonly number[], cipher: Uint8Array): Uint8Array {
  const { before, after } = rounds(key, [...nonceEnd, 0, 0]);
  const stream = new Uint8Array(Uint32Array.from(after, (word, i) => sum(word, before[i]!)).buffer);
  return stream.map((byte, i) => byte ^ cipher[i]!);
}
