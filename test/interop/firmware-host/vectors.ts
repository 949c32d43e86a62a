// Suites made from test/vectors (origins in its README): published answers, none computed by the code under test.

import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import nacl from 'tweetnacl';
import { hex, type Case, type Suite } from './host.ts';

const ZERO = '00'.repeat(32);
const RFC_ITERATIONS = 1000;

interface Wycheproof<T> {
  readonly testGroups: readonly { readonly tagSize?: number; readonly tests: readonly T[] }[];
}
type XdhTest = { readonly public: string; readonly private: string; readonly shared: string };
type MacTest = { readonly key: string; readonly msg: string; readonly tag: string; readonly result: string };
type HkdfTest = { ikm: string; salt: string; info: string; size: number; okm: string; result: string };

interface Rfc7748 {
  readonly x25519: readonly { readonly scalar: string; readonly u: string; readonly out: string }[];
  readonly iterated: { readonly start: string; readonly after_1: string; readonly after_1000: string };
  readonly dh: Readonly<Record<'alice_sk' | 'alice_pk' | 'bob_sk' | 'bob_pk' | 'shared', string>>;
  readonly low_order_u: readonly string[];
}

interface Generated {
  readonly len: number;
  readonly key: string;
  readonly nonce: string;
  readonly box?: string;
  readonly tag?: string;
  readonly box_sha256?: string;
}
type Core = { readonly key: string; readonly in: string; readonly out: string };
type Stream = { key: string; nonce: string; len: number; ic?: string; stream?: string; sha256?: string };
type Box = { readonly key: string; readonly nonce: string; readonly msg: string; readonly box: string };

interface NaclKat {
  readonly hsalsa20: readonly Core[];
  readonly salsa20_core: readonly Core[];
  readonly salsa20_stream: readonly Stream[];
  readonly xsalsa20_stream: readonly Stream[];
  readonly poly1305: readonly { readonly key: string; readonly msg: string; readonly tag: string }[];
  readonly secretbox: readonly Box[];
  readonly box: readonly (Omit<Box, 'key'> & { alice_sk: string; bob_pk: string; dh: string; beforenm: string })[];
  readonly secretbox_generated: readonly Generated[];
}

/** The sealed session of protocol.json: what both ends draw, and what they arrive at. */
interface SealedVector {
  readonly input: Readonly<Record<'static_secret' | 'e_i_secret' | 'e_r_secret' | 'd_secret', string>> & {
    readonly contexts: readonly [stubHash: string, planHash: string];
  };
  readonly static_public: string;
  readonly m1: string;
  readonly m2: string;
  readonly m3: string;
  readonly th: string;
  readonly prk: string;
  readonly chain_i2r: string;
  readonly chain_r2i: string;
}

interface Sha512Kat {
  readonly fips180_4: readonly { readonly msg: string; readonly digest: string }[];
  readonly lengths: readonly string[];
  readonly million_a: string;
}

function read<T>(path: string): T {
  return JSON.parse(readFileSync(resolve(import.meta.dirname, '../../vectors', path), 'utf8')) as T;
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

function sha256(text: string): string {
  return createHash('sha256').update(bytes(text)).digest('hex');
}

function x25519(scalar: string, u: string, out: string): Case {
  return { ask: `x25519 ${scalar} ${u}`, want: `${out === ZERO ? 1 : 0} ${out}` };
}

function x25519Wycheproof(): Suite {
  const { testGroups } = read<Wycheproof<XdhTest>>('wycheproof/x25519_test.json');
  const tests = testGroups.flatMap((g) => g.tests);
  return { name: 'x25519, Wycheproof', cases: tests.map((t) => x25519(t.private, t.public, t.shared)) };
}

/** RFC 7748: the two single cases, 1 and 1,000 iterations, the DH example, low-order points with bit 255 off and on. */
function x25519Rfc(): Suite {
  const { x25519: single, iterated: it, dh, low_order_u: low } = read<Rfc7748>('rfc/rfc7748-x25519.json');
  const highBit = (u: string) => u.slice(0, 62) + (parseInt(u.slice(62), 16) | 0x80).toString(16);
  return {
    name: `x25519, RFC 7748 with ${RFC_ITERATIONS} iterations`,
    cases: [
      ...single.map((t) => x25519(t.scalar, t.u, t.out)),
      { ask: `x25519-iterate ${it.start} ${it.start} 1`, want: it.after_1 },
      { ask: `x25519-iterate ${it.start} ${it.start} ${RFC_ITERATIONS}`, want: it.after_1000 },
      { ask: `x25519-base ${dh.alice_sk}`, want: dh.alice_pk },
      { ask: `x25519-base ${dh.bob_sk}`, want: dh.bob_pk },
      x25519(dh.alice_sk, dh.bob_pk, dh.shared),
      x25519(dh.bob_sk, dh.alice_pk, dh.shared),
      ...low.flatMap((u) => [x25519(dh.alice_sk, u, ZERO), x25519(dh.bob_sk, highBit(u), ZERO)]),
    ],
  };
}

function core(kat: NaclKat): Suite {
  return {
    name: 'hsalsa20 and salsa20 core, NaCl',
    cases: [
      ...kat.hsalsa20.map((t) => ({ ask: `hsalsa20 ${t.in} ${t.key}`, want: t.out })),
      ...kat.salsa20_core.map((t) => ({ ask: `salsa20-core ${t.in} ${t.key}`, want: t.out })),
    ],
  };
}

function streamCase(t: Stream): Case {
  const counter = BigInt(t.ic ?? '0');
  const ask = `stream ${t.nonce} ${t.key} ${counter & 0xffffffffn} ${counter >> 32n} ${t.len}`;
  return t.stream === undefined ? { ask, want: t.sha256 ?? '', by: sha256 } : { ask, want: t.stream };
}

function stream(kat: NaclKat): Suite {
  return {
    name: 'xsalsa20 and salsa20 streams, 4 MiB and counter carry among them',
    cases: [...kat.xsalsa20_stream, ...kat.salsa20_stream].map(streamCase),
  };
}

function poly1305(kat: NaclKat): Suite {
  return {
    name: 'poly1305, NaCl, RFC 8439 and edges',
    cases: kat.poly1305.map((t) => ({ ask: `poly1305 ${hex(t.msg)} ${t.key}`, want: t.tag })),
  };
}

/** NaCl's box is X25519, HSalsa20 over 16 zero bytes, then secretbox: all three are here. */
function box(kat: NaclKat): Suite {
  return {
    name: 'secretbox and box, NaCl',
    cases: [
      ...kat.secretbox.flatMap((t) => sealAndOpen(t)),
      ...kat.box.flatMap((t) => [
        x25519(t.alice_sk, t.bob_pk, t.dh),
        { ask: `hsalsa20 ${'00'.repeat(16)} ${t.dh}`, want: t.beforenm },
        ...sealAndOpen({ ...t, key: t.beforenm }),
      ]),
    ],
  };
}

function sealAndOpen(t: Box): Case[] {
  return [
    { ask: `seal ${hex(t.msg)} ${t.nonce} ${t.key}`, want: t.box },
    { ask: `open ${t.box} ${t.nonce} ${t.key}`, want: `0 ${hex(t.msg)}` },
  ];
}

/** Sealing must give the recorded box; opening is then asked with tweetnacl's box, which the first case vouches for. */
function generatedCases(t: Generated): Case[] {
  const msg = Uint8Array.from({ length: t.len }, (_, i) => 7 * i + t.len);
  const sealed = hex(nacl.secretbox(msg, bytes(t.nonce), bytes(t.key)));
  const ask = `seal ${hex(msg)} ${t.nonce} ${t.key}`;
  const seal = t.box === undefined ? { ask, want: t.box_sha256 ?? '', by: sha256 } : { ask, want: t.box };
  return [seal, { ask: `open ${sealed} ${t.nonce} ${t.key}`, want: `0 ${hex(msg)}` }];
}

function generated(kat: NaclKat): Suite {
  return {
    name: 'secretbox, every length 0..320 and up to 16384',
    cases: kat.secretbox_generated.flatMap(generatedCases),
  };
}

/** Every length whole, and each cut in two and in three at places that walk over the block. */
function sha512(): Suite {
  const kat = read<Sha512Kat>('sha2/sha512-kat.json');
  const cut = (msg: Uint8Array, at: readonly number[]) =>
    [0, ...at].map((from, i) => hex(msg.subarray(from, at[i] ?? msg.length))).join(' ');
  const lengths = kat.lengths.flatMap((want, len) => {
    const msg = Uint8Array.from({ length: len }, (_, i) => i % 251);
    const half = (len * 37) % (len + 1);
    const third = Math.floor(half / 2);
    return [[], [half], [third, half]].map((at) => ({ ask: `sha512 ${cut(msg, at)}`, want }));
  });
  return {
    name: 'sha512, FIPS 180-4, every length 0..300, split updates, a million a',
    cases: [
      ...kat.fips180_4.map((t) => ({ ask: `sha512 ${hex(t.msg)}`, want: t.digest })),
      ...lengths,
      ...[1, 127, 128, 129, 1000].map((n) => ({ ask: `sha512-repeat 61 1000000 ${n}`, want: kat.million_a })),
    ],
  };
}

/** Wycheproof truncates some tags; a case marked invalid must not reproduce the given tag. */
function hmac(): Suite {
  const { testGroups } = read<Wycheproof<MacTest>>('wycheproof/hmac_sha512_test.json');
  const same = (tag: string) => (answer: string) => (answer.startsWith(tag) ? 'valid' : 'invalid');
  const tests = testGroups.flatMap((g) => g.tests);
  return {
    name: 'hmac-sha512, Wycheproof',
    cases: tests.map((t) => ({ ask: `hmac ${hex(t.key)} ${hex(t.msg)}`, want: t.result, by: same(t.tag) })),
  };
}

/** The stub expands to one block and refuses more. */
const HKDF_MOST = 64;

/** Extract is one HMAC (its value from node:crypto); expand takes the info whole and cut in two. */
function hkdfCases(t: HkdfTest): Case[] {
  const prk = createHmac('sha512', bytes(t.salt)).update(bytes(t.ikm)).digest('hex');
  const cut = Math.floor(t.info.length / 4) * 2;
  const want = t.result === 'valid' && t.size <= HKDF_MOST ? `0 ${t.okm}` : '1 -';
  return [
    { ask: `hmac ${hex(t.salt)} ${hex(t.ikm)}`, want: prk },
    { ask: `hkdf-expand ${prk} ${t.size} ${hex(t.info)}`, want },
    { ask: `hkdf-expand ${prk} ${t.size} ${hex(t.info.slice(0, cut))} ${hex(t.info.slice(cut))}`, want },
  ];
}

function hkdf(): Suite {
  const { testGroups } = read<Wycheproof<HkdfTest>>('wycheproof/hkdf_sha512_test.json');
  return { name: 'hkdf-sha512, Wycheproof', cases: testGroups.flatMap((g) => g.tests).flatMap(hkdfCases) };
}

const ascii = (text: string): string => Buffer.from(text, 'ascii').toString('hex');
const hmacOf = (key: string, data: string): string =>
  createHmac('sha512', bytes(key)).update(bytes(data)).digest('hex');
const agreed = (secret: string, point: string): string => hex(nacl.scalarMult(bytes(secret), bytes(point)));
const prefixed = (text: string): string => hex(Uint8Array.of((text.length / 2) & 0xff, text.length >> 9)) + text;

/**
 * The stub's half of the sealed handshake (docs/protocol.md §4), one primitive after the other: every value that
 * protocol.json has is its own, what lies between comes from tweetnacl and node:crypto.
 */
function sealedHandshake(): Suite {
  const { sealed } = read<{ sealed: SealedVector }>('protocol.json');
  const { input, static_public, m1, m2, m3, th, prk, chain_i2r, chain_r2i } = sealed;
  const [e_r, unconfirmed, confirm_r, D] = [m2.slice(0, 64), m2.slice(0, 192), m2.slice(192), m1.slice(208)];
  const [ee, es, se] = [
    agreed(input.e_i_secret, e_r),
    agreed(input.e_i_secret, static_public),
    agreed(input.d_secret, e_r),
  ];
  const prk0 = hmacOf(ascii('blindflash/2 extract'), ee + es + ZERO);
  const expanded = (from: string, label: string): string => hmacOf(from, `${ascii(label)}${th}01`).slice(0, 64);
  const expand = (from: string, label: string, want: string): Case => ({
    ask: `hkdf-expand ${from} 32 ${ascii(label)} ${th}`,
    want: `0 ${want}`,
  });
  const start = (want: string) => (answer: string) => answer.slice(0, want.length);
  const confirm = (from: string, label: string, parts: string, want: string): Case[] => [
    expand(from, label, expanded(from, label)),
    { ask: `hmac ${expanded(from, label)} ${parts}`, want, by: start(want) },
  ];
  const said = [
    ascii('blindflash/2 I1K1 X25519 XSalsa20Poly1305 SHA512'),
    ascii('sealed'),
    static_public,
    ...input.contexts,
    m1,
    unconfirmed,
  ];
  return {
    name: 'sealed handshake of protocol.json, step by step',
    cases: [
      { ask: `x25519-base ${input.e_i_secret}`, want: m1.slice(0, 64) },
      { ask: `x25519-base ${input.d_secret}`, want: D },
      { ask: `sha512 ${said.map(prefixed).join(' ')}`, want: th },
      x25519(input.e_i_secret, e_r, ee),
      x25519(input.static_secret, m1.slice(0, 64), es),
      x25519(input.e_r_secret, D, se),
      { ask: `hmac ${ascii('blindflash/2 extract')} ${ee + es + ZERO}`, want: prk0 },
      ...confirm(prk0, 'confirm r', th, confirm_r),
      expand(prk0, 'device', expanded(prk0, 'device')),
      { ask: `hmac ${ascii('blindflash/2 device')} ${expanded(prk0, 'device')} ${se}`, want: prk },
      ...confirm(prk, 'confirm i', `${th} ${confirm_r}`, m3),
      expand(prk, 'chain i2r', chain_i2r),
      expand(prk, 'chain r2i', chain_r2i),
    ],
  };
}

/** All suites that come from files. */
export function vectorSuites(): Suite[] {
  const kat = read<NaclKat>('nacl/nacl-kat.json');
  return [
    x25519Wycheproof(),
    x25519Rfc(),
    core(kat),
    stream(kat),
    poly1305(kat),
    box(kat),
    generated(kat),
    sha512(),
    hmac(),
    hkdf(),
    sealedHandshake(),
  ];
}
