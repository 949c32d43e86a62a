// What nobody at the customer's desk may find, and how it is looked for: runs of two words or more of a secret at any
// alignment in memory, single words in registers. The session's secrets are worked out by node:crypto, apart from
// shared/crypto (docs/protocol.md §4, §5).
import { createHash, createHmac } from 'node:crypto';
import nacl from 'tweetnacl';
import { seededRandom } from '../fixtures/seeded.ts';

/** A run of a secret: where in which one. */
interface Place {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly at: number;
}

const FILTER_BITS = 20;
const MULTIPLIER = 0x9e3779b1;
const WORD = 4;
const ALL_ONES = 0xffffffff;
const bucket = (word: number): number => Math.imul(word, MULTIPLIER) >>> (32 - FILTER_BITS);
const wordAt = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;

/** Secrets by name. */
export class Secrets {
  readonly #places = new Map<number, Place[]>();
  readonly #filter = new Uint8Array(1 << FILTER_BITS);
  /** Aligned words of keys, which are looked for in registers. */
  readonly #keyWords = new Map<number, string>();

  /** @param key its single words count, too, where they are found in a register */
  add(name: string, bytes: Uint8Array, key = true): void {
    const own = bytes.slice();
    for (let at = 0; at + WORD <= own.length; at++) {
      const word = wordAt(own, at);
      if (word === 0 || word === ALL_ONES) continue;
      this.#filter[bucket(word)] = 1;
      const places = this.#places.get(word) ?? [];
      places.push({ name, bytes: own, at });
      this.#places.set(word, places);
      if (key && at % WORD === 0) this.#keyWords.set(word, name);
    }
  }
  addAll(secrets: Readonly<Record<string, Uint8Array>>): void {
    for (const [name, bytes] of Object.entries(secrets)) this.add(name, bytes);
  }
  /** Names of the secrets of which two words in a row lie in `memory`, whose start is on a word. */
  inMemory(memory: Uint8Array): Set<string> {
    const names = new Set<string>();
    const words = new Uint32Array(memory.buffer, memory.byteOffset, memory.length >>> 2);
    for (let i = 0; i + 1 < words.length; i++) {
      const word = words[i]!;
      if (this.#filter[bucket(word)] === 0) continue;
      for (const { name, bytes, at } of this.#places.get(word) ?? []) {
        if (at + 2 * WORD <= bytes.length && wordAt(bytes, at + WORD) === words[i + 1]) names.add(name);
      }
    }
    return names;
  }
  /** Names of the keys of which a word is among `words`. */
  amongWords(words: Iterable<number>): Set<string> {
    const names = new Set<string>();
    for (const word of words) {
      const name = this.#keyWords.get(word >>> 0);
      if (name !== undefined) names.add(name);
    }
    return names;
  }
}

/** The fields of a key slot that are secret (docs/loader.md, "Keys"). */
const SLOT = { sessionSecret: 4, fileSecret: 68, tags: 132, length: 32 } as const;

/** Secrets of a slot, as it lies in flash. */
export function slotSecrets(slot: Uint8Array): Record<string, Uint8Array> {
  const part = (at: number): Uint8Array => slot.slice(at, at + SLOT.length);
  return { d_s: part(SLOT.sessionSecret), d_f: part(SLOT.fileSecret), k: part(SLOT.tags) };
}

const lp = (bytes: Uint8Array): Buffer => Buffer.concat([Buffer.from([bytes.length & 0xff, bytes.length >> 8]), bytes]);
const sha512 = (...parts: readonly Uint8Array[]): Buffer => createHash('sha512').update(Buffer.concat(parts)).digest();
const hmac = (key: Uint8Array | string, ...parts: readonly Uint8Array[]): Buffer =>
  createHmac('sha512', key).update(Buffer.concat(parts)).digest();
const expand = (key: Uint8Array, ...info: readonly Uint8Array[]): Buffer =>
  hmac(key, ...info, Uint8Array.of(1)).subarray(0, 32);
const number = (value: number): Buffer => Buffer.from([value, 0, 0, 0]);

const SUITE = {
  enroll: 'blindflash/2 I1K1 X25519 XSalsa20Poly1305 SHA512',
  device: 'blindflash/2 K1K1 X25519 XSalsa20Poly1305 SHA512',
} as const;

export interface Handshake {
  readonly suite: keyof typeof SUITE;
  readonly vendor: { readonly publicKey: Uint8Array; readonly secretKey: Uint8Array };
  /** Seed of the vendor's side. */
  readonly seed: number;
  readonly planBytes: Uint8Array;
  readonly m1Body: Uint8Array;
  readonly m2: Uint8Array;
  /** The slot of the device. */
  readonly slot: Uint8Array;
}
/** Boxes of a session whose keys are looked for. */
const BOXES = 12;
const M1_BYTES = { enroll: 168, device: 136 } as const;

/** Named secrets of a session with a loader. */
export function sessionSecrets(of: Handshake): Record<string, Uint8Array> {
  const { suite, vendor, m2 } = of;
  const m1 = of.m1Body.subarray(0, M1_BYTES[suite]);
  const random = seededRandom(of.seed);
  random.bytes(32 + 16);
  const ephemeral = random.bytes(32);
  const { d_s: session, d_f: file } = slotSecrets(of.slot);
  const th = sha512(
    lp(Buffer.from(SUITE[suite])),
    lp(Buffer.from(suite)),
    lp(vendor.publicKey),
    lp(of.m1Body.subarray(m1.length)),
    lp(sha512(Buffer.from('blindflash/2 plan\0'), of.planBytes)),
    ...(suite === 'device' ? [lp(m1.subarray(104, 136))] : []),
    lp(m1),
    lp(m2.subarray(0, 96)),
  );
  const ee = nacl.scalarMult(ephemeral, m1.subarray(0, 32));
  const es = nacl.scalarMult(vendor.secretKey, m1.subarray(0, 32));
  const se = nacl.scalarMult(session!, m2.subarray(0, 32));
  const sf = nacl.scalarMult(file!, m2.subarray(0, 32));
  const prk0 = hmac('blindflash/2 extract', ee, es, new Uint8Array(32));
  const mixed = suite === 'enroll' ? [se, sf] : [se];
  const prk = hmac(`blindflash/2 ${suite}`, expand(prk0, Buffer.from(suite), th), ...mixed);
  const secrets: Record<string, Uint8Array> = { ee, es, se, prk0, prk };
  if (suite === 'enroll') secrets['sf'] = sf;
  for (const label of ['chain i2r', 'chain r2i']) {
    let chain = expand(prk, Buffer.from(label), th);
    for (let box = 0; box < BOXES; box++) {
      secrets[`${label} ${box}`] = chain;
      secrets[`box key of ${label} ${box}`] = expand(chain, Buffer.from('box key'), number(box));
      chain = expand(chain, Buffer.from('next chain'), number(box));
    }
  }
  return Object.fromEntries(Object.entries(secrets).map(([name, bytes]) => [`${suite}: ${name}`, bytes]));
}

export interface SealedFile {
  readonly header: Uint8Array;
  readonly entries: readonly Uint8Array[];
  readonly filesPublic: Uint8Array;
  readonly uid: Uint8Array;
}
/** E in the header, D_f in the slot. */
const AT = { ephemeral: 32, filePublic: 100, tag: 16 } as const;
const FRAMES = 8;

/** Named secrets of an update file on the device with this slot (docs/update-files.md §3, §4). */
export function fileSecrets(slot: Uint8Array, of: SealedFile): Record<string, Uint8Array> {
  const { header, filesPublic, uid } = of;
  const secret = slotSecrets(slot)['d_f']!;
  const ephemeral = header.slice(AT.ephemeral, AT.ephemeral + 32);
  const agreed = [ephemeral, filesPublic].map((point) => nacl.scalarMult(secret, point));
  const prk = hmac('blindflash/2 file', ...agreed);
  const names = [sha512(header), filesPublic, ephemeral, slot.subarray(AT.filePublic, AT.filePublic + 32), uid];
  const entryKey = expand(prk, Buffer.from('entry key'), ...names);
  const nonce = Buffer.alloc(24);
  nonce.set([2, 0x45], 0);
  nonce[16] = 1;
  const opened = of.entries.map((entry) => nacl.secretbox.open(entry.slice(AT.tag), nonce, entryKey)).find(Boolean);
  if (!opened) throw new Error('no entry is for this device');
  const secrets: Record<string, Uint8Array> = { 'file: prk': prk, 'file: entry key': entryKey };
  let chain: Uint8Array = opened.slice(0, 32);
  for (let frame = 0; frame < FRAMES; frame++) {
    secrets[`file: chain ${frame}`] = chain;
    secrets[`file: frame key ${frame}`] = expand(chain, Buffer.from('box key'), number(frame));
    chain = expand(chain, Buffer.from('next chain'), number(frame));
  }
  return secrets;
}
