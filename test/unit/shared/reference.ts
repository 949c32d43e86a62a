// The key schedule of docs/protocol.md §4 and §5 a second time, from node:crypto alone (OpenSSL): what the vectors in
// test/vectors/protocol.json are made with. Nothing of shared/crypto is imported here.
import { createHash, createHmac, createPrivateKey, createPublicKey, diffieHellman, hkdfSync } from 'node:crypto';

const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex');
const SPKI = Buffer.from('302a300506032b656e032100', 'hex');

export const sha512 = (...parts: Uint8Array[]): Buffer => createHash('sha512').update(Buffer.concat(parts)).digest();
export const hmac = (key: Uint8Array, ...parts: Uint8Array[]): Buffer =>
  createHmac('sha512', key).update(Buffer.concat(parts)).digest();

const privateKey = (secret: Uint8Array) =>
  createPrivateKey({ key: Buffer.concat([PKCS8, secret]), format: 'der', type: 'pkcs8' });
const publicKey = (point: Uint8Array) =>
  createPublicKey({ key: Buffer.concat([SPKI, point]), format: 'der', type: 'spki' });

const x25519 = (secret: Uint8Array, point: Uint8Array): Buffer =>
  diffieHellman({ privateKey: privateKey(secret), publicKey: publicKey(point) });
export const x25519Public = (secret: Uint8Array): Buffer =>
  createPublicKey(privateKey(secret)).export({ format: 'der', type: 'spki' }).subarray(-32);

/** HKDF-Expand by hand for one block; checked against hkdfSync elsewhere. */
export const expand = (prk: Uint8Array, label: string, context: Uint8Array = Buffer.alloc(0)): Buffer =>
  hmac(prk, Buffer.from(label, 'ascii'), context, Buffer.of(1)).subarray(0, 32);

/** HKDF with OpenSSL's own implementation, for the comparison with expand(): extract then expand. */
export const opensslHkdf = (ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Buffer =>
  Buffer.from(hkdfSync('sha512', ikm, salt, info, length));

const lp = (bytes: Uint8Array): Buffer => {
  const head = Buffer.alloc(2);
  head.writeUInt16LE(bytes.length);
  return Buffer.concat([head, bytes]);
};

const ascii = (text: string): Buffer => Buffer.from(text, 'ascii');

interface Ends {
  readonly staticSecret: Uint8Array;
  /** After S_r public. */
  readonly contexts: readonly Uint8Array[];
  readonly initiatorSecret: Uint8Array;
  readonly initiatorNonce: Uint8Array;
  readonly responderSecret: Uint8Array;
  readonly responderNonce: Uint8Array;
  readonly payload2: Uint8Array;
}

export interface TunnelInput extends Ends {
  /** R of the way back. */
  readonly secret: Uint8Array;
  /** SHA-512(public invite). */
  readonly inviteHash: Uint8Array;
}

export interface SealedInput extends Ends {
  /** The 40 bytes of payload1 before D. */
  readonly facts: Uint8Array;
  readonly deviceSecret: Uint8Array;
  /** Of an enrolment. */
  readonly fileSecret?: Uint8Array;
}

/** What names a sealed handshake: flow and purpose. */
export type SealedPurpose = 'sealed' | 'device' | 'enroll';
const FLOWS = { sealed: 'I1K1', device: 'K1K1', enroll: 'I1K1' } as const;
/** Label and extraction the chip's keys come in under. */
const MIXES = { sealed: 'device', device: 'device', enroll: 'enroll' } as const;

function keysOf(prk: Buffer, th: Buffer) {
  return {
    chainI2r: expand(prk, 'chain i2r', th),
    chainR2i: expand(prk, 'chain r2i', th),
    exporter: expand(prk, 'exporter', th),
  };
}

function begin(purpose: string, flow: string, input: Ends, m1: Buffer, psk: Uint8Array) {
  const staticPublic = x25519Public(input.staticSecret);
  const responderPublic = x25519Public(input.responderSecret);
  const m2Head = Buffer.concat([responderPublic, input.responderNonce, input.payload2]);
  const suite = `blindflash/2 ${flow} X25519 XSalsa20Poly1305 SHA512`;
  const names = [ascii(suite), ascii(purpose), staticPublic, ...input.contexts, m1, m2Head];
  const th = sha512(...names.map(lp));
  const ee = x25519(input.initiatorSecret, responderPublic);
  const es = x25519(input.initiatorSecret, staticPublic);
  const prk0 = hmac(ascii('blindflash/2 extract'), ee, es, psk);
  const confirmR = hmac(expand(prk0, 'confirm r', th), th).subarray(0, 32);
  return { staticPublic, responderPublic, th, prk0, confirmR, m2: Buffer.concat([m2Head, confirmR]) };
}

/** The tunnel's handshake of §4 seen from above. */
export function referenceTunnel(input: TunnelInput) {
  const e = x25519Public(input.initiatorSecret);
  const payload1 = Buffer.concat([expand(input.secret, 'blindflash/2 id').subarray(0, 8), Buffer.alloc(8)]);
  const committed = [ascii('blindflash/2 commit'), Buffer.of(0), e, input.inviteHash, payload1, input.initiatorNonce];
  const untagged = Buffer.concat([e, sha512(...committed).subarray(0, 32), payload1]);
  const tag = hmac(expand(input.secret, 'blindflash/2 t1'), untagged).subarray(0, 16);
  const m1 = Buffer.concat([untagged, tag]);
  const { prk0, th, confirmR, ...rest } = begin('tunnel', 'NK1psk2', input, m1, input.secret);
  const confirmI = hmac(expand(prk0, 'confirm i', th), th, confirmR, input.initiatorNonce).subarray(0, 32);
  return { ...rest, m1, m3: Buffer.concat([input.initiatorNonce, confirmI]), th, prk: prk0, ...keysOf(prk0, th) };
}

/** The sealed session's handshake of §4 seen from above. */
export function referenceSealed(purpose: SealedPurpose, input: SealedInput) {
  const e = x25519Public(input.initiatorSecret);
  const secrets = [input.deviceSecret, ...(input.fileSecret === undefined ? [] : [input.fileSecret])];
  const m1 = Buffer.concat([e, input.initiatorNonce, input.facts, ...secrets.map(x25519Public)]);
  const begun = begin(purpose, FLOWS[purpose], input, m1, Buffer.alloc(32));
  const { prk0, th, confirmR, responderPublic, ...rest } = begun;
  const mix = MIXES[purpose];
  const mixed = secrets.map((secret) => x25519(secret, responderPublic));
  const prk = hmac(ascii(`blindflash/2 ${mix}`), expand(prk0, mix, th), ...mixed);
  const m3 = hmac(expand(prk, 'confirm i', th), th, confirmR).subarray(0, 32);
  return { ...rest, m1, m3, th, prk, ...keysOf(prk, th) };
}

/** Box key of an epoch, walking the chain from its beginning. */
export function referenceBoxKey(chain: Uint8Array, epoch: number): Buffer {
  let current: Uint8Array = chain;
  for (let e = 0; e < epoch; e++) current = expand(current, 'next chain', word(e));
  return expand(current, 'box key', word(epoch));
}

/** Epochs have 64 boxes, or one where the chip's key is for life. */
export function referenceEpoch(purpose: 'tunnel' | SealedPurpose, sequence: number): number {
  return purpose === 'device' || purpose === 'enroll' ? sequence - 1 : Math.floor((sequence - 1) / 64);
}

/** The 24-byte nonce of §5. */
export function referenceNonce(direction: 1 | 2, purpose: 'tunnel' | SealedPurpose, sequence: number): Buffer {
  const nonce = Buffer.alloc(24);
  nonce[0] = direction;
  nonce[1] = purpose === 'tunnel' ? 0x54 : 0x53;
  nonce.writeUInt32LE(referenceEpoch(purpose, sequence), 8);
  nonce.writeUInt32LE(sequence, 16);
  return nonce;
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

// ── secretbox: XSalsa20 by its definition (no other XSalsa20 is at hand), Poly1305 with BigInt ───────────────────────

export function referenceSecretbox(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array): Buffer {
  const constants = Buffer.from('expand 32-byte k', 'ascii');
  const subkey = hsalsa20(key, nonce.subarray(0, 16), constants);
  const stream = salsa20Stream(subkey, nonce.subarray(16, 24), constants, 32 + plaintext.length);
  const ciphertext = Buffer.from(plaintext.map((byte, i) => byte ^ stream[32 + i]));
  return Buffer.concat([poly1305(stream.subarray(0, 32), ciphertext), ciphertext]);
}

const POSITIONS = { constants: [0, 5, 10, 15], key: [1, 2, 3, 4, 11, 12, 13, 14], input: [6, 7, 8, 9] };

function salsaState(key: Uint8Array, input: Uint8Array, constants: Uint8Array): Uint32Array {
  const state = new Uint32Array(16);
  const fill = (positions: number[], bytes: Uint8Array) =>
    positions.forEach((position, i) => (state[position] = Buffer.from(bytes).readUInt32LE(4 * i)));
  fill(POSITIONS.constants, constants);
  fill(POSITIONS.key, key);
  fill(POSITIONS.input, input);
  return state;
}

function salsaRounds(start: Uint32Array): Uint32Array {
  const x = new Uint32Array(start);
  const rotate = (value: number, by: number) => ((value << by) | (value >>> (32 - by))) >>> 0;
  const quarter = (a: number, b: number, c: number, d: number) => {
    x[b] ^= rotate((x[a] + x[d]) >>> 0, 7);
    x[c] ^= rotate((x[b] + x[a]) >>> 0, 9);
    x[d] ^= rotate((x[c] + x[b]) >>> 0, 13);
    x[a] ^= rotate((x[d] + x[c]) >>> 0, 18);
  };
  for (let round = 0; round < 10; round++) {
    for (const i of [0, 5, 10, 15]) quarter(i, (i + 4) % 16, (i + 8) % 16, (i + 12) % 16);
    for (const i of [0, 5, 10, 15]) {
      const row = i - (i % 4);
      quarter(i, row + ((i + 1) % 4), row + ((i + 2) % 4), row + ((i + 3) % 4));
    }
  }
  return x;
}

function wordsToBytes(words: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * words.length);
  words.forEach((value, i) => bytes.writeUInt32LE(value >>> 0, 4 * i));
  return bytes;
}

function hsalsa20(key: Uint8Array, input: Uint8Array, constants: Uint8Array): Buffer {
  const x = salsaRounds(salsaState(key, input, constants));
  return wordsToBytes([...POSITIONS.constants, ...POSITIONS.input].map((position) => x[position]));
}

function salsa20Stream(key: Uint8Array, nonce: Uint8Array, constants: Uint8Array, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let block = 0; 64 * block < length; block++) {
    const input = Buffer.alloc(16);
    input.set(nonce);
    input.writeUInt32LE(block, 8);
    const start = salsaState(key, input, constants);
    const end = salsaRounds(start);
    blocks.push(wordsToBytes([...end].map((value, i) => (value + start[i]) >>> 0)));
  }
  return Buffer.concat(blocks).subarray(0, length);
}

function poly1305(key: Uint8Array, message: Uint8Array): Buffer {
  const number = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex') || '0'}`);
  const r = number(key.subarray(0, 16)) & 0x0ffffffc0ffffffc0ffffffc0fffffffn;
  let accumulator = 0n;
  for (let i = 0; i < message.length; i += 16) {
    accumulator =
      ((accumulator + number(Buffer.concat([message.subarray(i, i + 16), Buffer.of(1)]))) * r) % ((1n << 130n) - 5n);
  }
  const tag = (accumulator + number(key.subarray(16, 32))) & ((1n << 128n) - 1n);
  return Buffer.from(tag.toString(16).padStart(32, '0'), 'hex').reverse();
}
