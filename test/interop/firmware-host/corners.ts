// Suites for single corners that other implementations are known to have got wrong (pitfalls of the cryptography
// reference, section 9), each aimed at one of them.

import { createHash } from 'node:crypto';
import nacl from 'tweetnacl';
import { polyTag } from './differential.ts';
import { hex, type Case, type Suite } from './host.ts';
import { Chance } from './random.ts';

const BLOCK = 128;
const P = 2n ** 255n - 19n;

function toBytes(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

function times<T>(n: number, make: (i: number) => T): T[] {
  return Array.from({ length: n }, (_, i) => make(i));
}

/**
 * Where the padding needs a second block, and one less; after 0 to 8 whole blocks, whole and cut before the last bytes.
 */
function sha512Padding(chance: Chance): Suite {
  const residues = [0, 1, 110, 111, 112, 113, 119, 120, 127];
  const one = (length: number): Case[] => {
    const m = chance.bytes(length);
    const want = createHash('sha512').update(m).digest('hex');
    const cut = Math.max(0, length - 2);
    return [
      { ask: `sha512 ${hex(m)}`, want },
      { ask: `sha512 ${hex(m.subarray(0, cut))} ${hex(m.subarray(cut))}`, want },
    ];
  };
  return {
    name: 'sha512 padding at 111 and 112 modulo 128',
    cases: times(9, (blocks) => residues.flatMap((r) => one(blocks * BLOCK + r))).flat(),
  };
}

/**
 * With r = 1 the accumulator is the plain sum of the blocks, so three blocks can place it at 2^130 - 5 + d exactly.
 * Then every length of a last block of FFs, with r of all ones before clamping.
 */
function polyCorners(): Suite {
  const one = (m: Uint8Array, key: Uint8Array): Case => ({
    ask: `poly1305 ${hex(m)} ${hex(key)}`,
    want: hex(polyTag(m, key)),
  });
  const full = 2n ** 128n - 1n;
  const around = (d: bigint): Uint8Array => {
    const sum = 2n ** 128n - 5n + d;
    const first = sum > full ? full : sum;
    return Uint8Array.from([first, sum - first, 0n].flatMap((block) => [...toBytes(block).subarray(0, 16)]));
  };
  const key = (r: number, s: number) =>
    Uint8Array.from({ length: 32 }, (_, i) => (i < 16 ? (r === 1 ? +(i === 0) : 0xff) : s));
  const sums = times(24, (i) => around(BigInt(i - 12)));
  return {
    name: 'poly1305 at 2^130 - 5, clamping, short last block',
    cases: [
      ...sums.flatMap((m) => [one(m, key(1, 0)), one(m, key(1, 0xff))]),
      ...times(50, (length) => one(new Uint8Array(length).fill(0xff), key(0xff, 0xff))),
    ],
  };
}

/** What does not change the result: bit 255 of u, the five clamped bits of the scalar, and p added to a small u. */
function x25519Ignored(chance: Chance): Suite {
  const change = (bytes: Uint8Array, at: number, bits: number) => bytes.map((b, i) => (i === at ? b ^ bits : b));
  const same = (k: Uint8Array, u: Uint8Array, like: Uint8Array): Case => {
    const out = nacl.scalarMult(k, like);
    return { ask: `x25519 ${hex(k)} ${hex(u)}`, want: `${out.every((b) => b === 0) ? 1 : 0} ${hex(out)}` };
  };
  const clamped = (k: Uint8Array, u: Uint8Array): Case[] =>
    [1, 2, 4]
      .map((bit) => same(change(k, 0, bit), u, u))
      .concat([0x80, 0x40].map((bit) => same(change(k, 31, bit), u, u)));
  const fields = times(6, () => [chance.bytes(32), change(chance.bytes(32), 31, 0)] as const);
  const low = (u: Uint8Array) => change(u, 31, u[31]! & 0x80);
  return {
    name: 'x25519: bit 255 of u, clamping, non-canonical u',
    cases: [
      ...fields.map(([k, u]) => same(k, change(low(u), 31, 0x80), low(u))),
      ...fields.flatMap(([k, u]) => clamped(k, u)),
      ...times(19, (j) => same(fields[0]![0], toBytes(P + BigInt(j)), toBytes(BigInt(j)))),
    ],
  };
}

/** All corner suites. */
export function cornerSuites(seed: number): Suite[] {
  const chance = new Chance(seed);
  return [sha512Padding(chance), polyCorners(), x25519Ignored(chance)];
}
