// Suites that compare the stub's C with other implementations on seeded inputs: tweetnacl, node:crypto, and BigInt for
// the arithmetic neither shows.

import { createHmac, hkdfSync } from 'node:crypto';
import nacl from 'tweetnacl';
import { hex, type Case, type Suite } from './host.ts';
import { Chance } from './random.ts';

const P = 2n ** 255n - 19n;
const POLY_P = 2n ** 130n - 5n;
const BLOCK = 128;
const MAX_FACTOR = 2 ** 26 - 1; // what fe_add_times allows

function times<T>(n: number, make: (i: number) => T): T[] {
  return Array.from({ length: n }, (_, i) => make(i));
}

function toInt(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, b) => (sum << 8n) | BigInt(b), 0n);
}

function toBytes(value: bigint, len: number): Uint8Array {
  return Uint8Array.from({ length: len }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

function power(base: bigint, exponent: bigint): bigint {
  if (exponent === 0n) return 1n;
  const half = power(base, exponent >> 1n);
  return (exponent & 1n) === 1n ? (((half * half) % P) * base) % P : (half * half) % P;
}

/** Field elements at most 2 away from the borders 0, p, 2p, 2^255 and 2^256. */
function borders(): Uint8Array[] {
  const near = [0n, P, 2n * P, 2n ** 255n, 2n ** 256n].flatMap((v) => times(5, (i) => v + BigInt(i) - 2n));
  return near.filter((v) => v >= 0n && v < 2n ** 256n).map((v) => toBytes(v, 32));
}

/** What `fe` answers, each reduced modulo p, but the last (frozen) as it stands. */
function fieldWant(a: bigint, b: bigint, k: bigint): string {
  const values = [a + k * b, a - b, a * b, a * a, power(a % P, P - 2n), a];
  return values.map((v) => hex(toBytes(((v % P) + P) % P, 32))).join(' ');
}

/** Field elements in hex, each modulo p. */
export function reduceAll(words: readonly string[]): string {
  return words.map((w) => hex(toBytes(toInt(Buffer.from(w, 'hex')) % P, 32))).join(' ');
}

function reduceAllButLast(answer: string): string {
  const words = answer.split(' ');
  return [reduceAll(words.slice(0, -1)), ...words.slice(-1)].join(' ');
}

function fieldCase(chance: Chance, a: Uint8Array, b: Uint8Array): Case {
  const k = [1, 121665, MAX_FACTOR][chance.below(3)];
  const ask = `fe ${hex(a)} ${hex(b)} ${k}`;
  return { ask, want: fieldWant(toInt(a), toInt(b), BigInt(k)), by: reduceAllButLast };
}

/** Every pair of border values (a difference can wrap twice only there), then pairs with biased limbs. */
function field(chance: Chance, n: number): Suite {
  const edge = borders();
  const pairs = edge.flatMap((a) => edge.map((b) => fieldCase(chance, a, b)));
  const biased = times(n, () => fieldCase(chance, chance.limbs(32), chance.limbs(32)));
  return { name: 'field arithmetic against BigInt, borders and biased limbs', cases: [...pairs, ...biased] };
}

function x25519(chance: Chance, n: number): Suite {
  const one = (i: number): Case => {
    const [scalar, u] = i % 2 === 0 ? [chance.limbs(32), chance.limbs(32)] : [chance.bytes(32), chance.bytes(32)];
    const out = nacl.scalarMult(scalar, u);
    return { ask: `x25519 ${hex(scalar)} ${hex(u)}`, want: `${out.every((b) => b === 0) ? 1 : 0} ${hex(out)}` };
  };
  const base = (): Case => {
    const scalar = chance.bytes(32);
    return { ask: `x25519-base ${hex(scalar)}`, want: hex(nacl.scalarMult.base(scalar)) };
  };
  return { name: 'x25519 against tweetnacl', cases: [...times(n, one), ...times(n / 10, base)] };
}

/** The tag by definition: clamped r, h = (h + block) r modulo 2^130 - 5, plus s: RFC 8439 section 2.5 word for word. */
export function polyTag(m: Uint8Array, key: Uint8Array): Uint8Array {
  const r = toInt(key.subarray(0, 16)) & 0x0ffffffc0ffffffc0ffffffc0fffffffn;
  let h = 0n;
  for (let at = 0; at < m.length; at += 16) {
    const block = m.subarray(at, at + 16);
    h = ((h + toInt(block) + (1n << BigInt(8 * block.length))) * r) % POLY_P;
  }
  return toBytes(h + toInt(key.subarray(16)), 16);
}

function poly1305(chance: Chance, n: number): Suite {
  const one = (): Case => {
    const m = chance.limbs(80).subarray(0, chance.below(81));
    const key = chance.limbs(32);
    return { ask: `poly1305 ${hex(m)} ${hex(key)}`, want: hex(polyTag(m, key)) };
  };
  return { name: 'poly1305 against BigInt, biased limbs', cases: times(n, one) };
}

function boxCases(m: Uint8Array, nonce: Uint8Array, key: Uint8Array): Case[] {
  const box = hex(nacl.secretbox(m, nonce, key));
  return [
    { ask: `seal ${hex(m)} ${hex(nonce)} ${hex(key)}`, want: box },
    { ask: `open ${box} ${hex(nonce)} ${hex(key)}`, want: `0 ${hex(m)}` },
  ];
}

/** Lengths to 700 and a few of a frame's size; `open` itself also tries in place and moved down. */
function secretbox(chance: Chance, n: number): Suite {
  const length = (i: number) => (i % 50 === 0 ? 4000 + chance.below(200) : chance.below(700));
  return {
    name: 'secretbox against tweetnacl, apart, in place and moved down',
    cases: times(n, (i) => boxCases(chance.bytes(length(i)), chance.limbs(24), chance.limbs(32))).flat(),
  };
}

/** A message of up to 500 bytes in up to five parts, empty ones among them. */
function parts(chance: Chance): Uint8Array[] {
  return times(1 + chance.below(5), () => chance.bytes(chance.below(2) * chance.below(2 * BLOCK)));
}

function hash(chance: Chance, n: number): Suite {
  const one = (): Case => {
    const list = parts(chance);
    return { ask: `sha512 ${list.map(hex).join(' ')}`, want: hex(nacl.hash(Buffer.concat(list))) };
  };
  return { name: 'sha512 against tweetnacl, random splits', cases: times(n, one) };
}

/** Keys shorter than, as long as and longer than a block. */
function hmac(chance: Chance, n: number): Suite {
  const mac = (): Case => {
    const key = chance.bytes(chance.below(BLOCK + 40));
    const list = parts(chance);
    const want = createHmac('sha512', key).update(Buffer.concat(list)).digest('hex');
    return { ask: `hmac ${hex(key)} ${list.map(hex).join(' ')}`, want };
  };
  const expand = (): Case => {
    const [salt, ikm, info, len] = [chance.bytes(16), chance.bytes(32), parts(chance), 1 + chance.below(64)];
    const prk = createHmac('sha512', salt).update(ikm).digest('hex');
    const okm = new Uint8Array(hkdfSync('sha512', ikm, salt, Buffer.concat(info), len));
    return { ask: `hkdf-expand ${prk} ${len} ${info.map(hex).join(' ')}`, want: `0 ${hex(okm)}` };
  };
  return { name: 'hmac and hkdf against node:crypto, in parts', cases: [...times(n, mac), ...times(n, expand)] };
}

/** Every primitive with its strings at each offset 0..7 past a 16-byte border. */
function misaligned(chance: Chance): Suite {
  const at = (place: number): Case[] => {
    const [scalar, u, m, key] = [chance.bytes(32), chance.bytes(32), chance.bytes(333), chance.bytes(32)];
    return [
      { ask: `place ${place}`, want: 'ok' },
      { ask: `x25519 ${hex(scalar)} ${hex(u)}`, want: `0 ${hex(nacl.scalarMult(scalar, u))}` },
      ...boxCases(m, chance.bytes(24), key),
      { ask: `poly1305 ${hex(m)} ${hex(key)}`, want: hex(polyTag(m, key)) },
      { ask: `sha512 ${hex(m)} ${hex(m)}`, want: hex(nacl.hash(Buffer.concat([m, m]))) },
      { ask: `hmac ${hex(key)} ${hex(m)}`, want: createHmac('sha512', key).update(m).digest('hex') },
      { ask: `wipe ${'a5'.repeat(29)}`, want: `a5${'00'.repeat(27)}a5` },
    ];
  };
  return { name: 'misalignment 0..7', cases: times(8, at).flat() };
}

function flip(bytes: Uint8Array, bit: number): Uint8Array {
  return bytes.map((b, i) => (i === bit >> 3 ? b ^ (1 << (bit & 7)) : b));
}

/** Every bit of tag, ciphertext, nonce and key in turn; every truncation; one byte more. All fail, nothing written. */
function tamper(chance: Chance): Suite {
  const [m, nonce, key] = [chance.bytes(41), chance.bytes(24), chance.bytes(32)];
  const box = nacl.secretbox(m, nonce, key);
  const open = (b: Uint8Array, n: Uint8Array, k: Uint8Array): Case => {
    return { ask: `open ${hex(b)} ${hex(n)} ${hex(k)}`, want: '1 -' };
  };
  return {
    name: 'tampered boxes fail and leave the buffer untouched',
    cases: [
      ...times(8 * box.length, (i) => open(flip(box, i), nonce, key)),
      ...times(8 * nonce.length, (i) => open(box, flip(nonce, i), key)),
      ...times(8 * key.length, (i) => open(box, nonce, flip(key, i))),
      ...times(box.length, (len) => open(box.subarray(0, len), nonce, key)),
      open(Uint8Array.from([...box, 0]), nonce, key),
    ],
  };
}

/** Equal strings, and strings that differ in one bit at each place. */
function equal(chance: Chance): Suite {
  const a = chance.bytes(16);
  return {
    name: 'constant-time compare',
    cases: [
      { ask: `equal ${hex(a)} ${hex(a)}`, want: '1' },
      { ask: 'equal - -', want: '1' },
      ...times(128, (bit) => ({ ask: `equal ${hex(a)} ${hex(flip(a, bit))}`, want: '0' })),
    ],
  };
}

/** All suites that need chance, from one seed. `scale` 1 is a few thousand cases each. */
export function differentialSuites(seed: number, scale: number): Suite[] {
  const chance = new Chance(seed);
  return [
    field(chance, 4000 * scale),
    x25519(chance, 1000 * scale),
    poly1305(chance, 5000 * scale),
    secretbox(chance, 2000 * scale),
    hash(chance, 1500 * scale),
    hmac(chance, 750 * scale),
    misaligned(chance),
    tamper(chance),
    equal(chance),
  ];
}
