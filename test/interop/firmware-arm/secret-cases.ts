// Calls of the shipped functions that must look the same whatever the secrets are: same lengths,
// same places, other bytes.

import nacl from 'tweetnacl';
import { Chance } from '../firmware-host/random.ts';
import type { Program } from './program.ts';

/** Where the bytes of a secret come from: constants first, then chance. */
export type Secrets = (length: number) => Uint8Array;

export interface SecretCase {
  readonly name: string;
  /** The case of taint.c that marks the same function's secrets. */
  readonly taint: string;
  readonly build: (p: Program, secret: Secrets) => void;
}

const TAG = 16;
const FRAME = 4096;
const NONCE = Uint8Array.from({ length: 24 }, (_, i) => 200 - i);
/** Whole and partial blocks of the cipher, the MAC and the first block's remainder. */
const BOX_LENGTHS = [0, 1, 15, 31, 32, 33, 64, 95, 96, 100, 333, FRAME] as const;
const HASH_LENGTHS = [0, 1, 111, 112, 127, 128, 129, 300, 1000] as const;

/** Secrets of run number `i`: all zero, all one, then random. */
export function secretsOf(i: number, seed: number): Secrets {
  const chance = new Chance(seed + i);
  if (i < 2) return (length) => new Uint8Array(length).fill(i === 0 ? 0 : 0xff);
  return (length) => chance.bytes(length);
}

function x25519(place: number): SecretCase {
  return {
    name: `X25519, strings ${place} past a word`,
    taint: 'x25519',
    build: (p, secret) => {
      p.place = place;
      p.call('bf_x25519', p.output(32), p.put(secret(32)), p.put(secret(32)));
    },
  };
}

const x25519Base: SecretCase = {
  name: 'X25519 of the base point',
  taint: 'x25519_base',
  build: (p, secret) => p.call('bf_x25519_base', p.output(32), p.put(secret(32))),
};

const seal: SecretCase = {
  name: `secretbox seal, ${BOX_LENGTHS.length} lengths`,
  taint: 'secretbox_seal',
  build: (p, secret) => {
    for (const length of BOX_LENGTHS) {
      const [m, n, key, out] = [p.put(secret(length)), p.put(NONCE), p.put(secret(32)), p.output(length + TAG)];
      p.call('bf_secretbox_seal', out, m, length, n, key);
    }
  },
};

const open: SecretCase = {
  name: `secretbox open of a good box, ${BOX_LENGTHS.length} lengths`,
  taint: 'secretbox_open',
  build: (p, secret) => {
    for (const length of BOX_LENGTHS) {
      const key = secret(32);
      const box = nacl.secretbox(secret(length), NONCE, key);
      const [c, n, k, out] = [p.put(box), p.put(NONCE), p.put(key), p.output(length)];
      p.call('bf_secretbox_open', out, c, box.length, n, k);
    }
  },
};

/** Each run's tag is wrong in another byte, or all over. */
function refuse(where: 'one byte' | 'every byte'): SecretCase {
  return {
    name: `secretbox open, tag wrong in ${where === 'one byte' ? 'a byte that varies' : where}`,
    taint: 'secretbox_refuse',
    build: (p, secret) => {
      const key = secret(32);
      const wrong = secret(1)[0]! % TAG;
      const good = nacl.secretbox(secret(100), NONCE, key);
      const box = good.map((byte, i) => (where === 'every byte' || i === wrong ? ~byte : byte));
      const [c, n, k, out] = [p.put(box), p.put(NONCE), p.put(key), p.output(100)];
      p.call('bf_secretbox_open', out, c, box.length, n, k);
    },
  };
}

const sha512: SecretCase = {
  name: `SHA-512, ${HASH_LENGTHS.length} lengths`,
  taint: 'sha512',
  build: (p, secret) => {
    for (const length of HASH_LENGTHS) {
      const [state, data, out] = [p.structure(512), p.put(secret(length)), p.output(64)];
      p.call('bf_sha512_init', state);
      p.call('bf_sha512_update', state, data, length);
      p.call('bf_sha512_final', state, out);
    }
  },
};

function parts(p: Program, at: number, length: number): number {
  const array = p.structure(8);
  p.write(array, new Uint8Array(Uint32Array.of(at, length).buffer));
  return array;
}

const hmac: SecretCase = {
  name: 'HMAC-SHA-512, keys of 32 and 200 bytes',
  taint: 'hmac',
  build: (p, secret) => {
    for (const length of [32, 200]) {
      const [key, data, out] = [p.put(secret(length)), p.put(secret(100)), p.output(64)];
      p.call('bf_hmac_parts', out, key, length, parts(p, data, 100), 1);
    }
  },
};

const hkdf: SecretCase = {
  name: 'HKDF-Expand of 64 bytes',
  taint: 'hkdf_expand',
  build: (p, secret) => {
    const [prk, info, out] = [p.put(secret(64)), p.put(secret(40)), p.output(64)];
    p.call('bf_hkdf_expand', out, 64, prk, 64, parts(p, info, 40), 1);
  },
};

const equal: SecretCase = {
  name: 'compare, equal or different anywhere',
  taint: 'equal',
  build: (p, secret) => p.call('bf_equal', p.put(secret(16)), p.put(secret(16)), 16),
};

export const SECRET_CASES: readonly SecretCase[] = [
  x25519(0),
  x25519(1),
  x25519Base,
  seal,
  open,
  refuse('one byte'),
  refuse('every byte'),
  sha512,
  hmac,
  hkdf,
  equal,
];

/** The control and the deliberately bad variants of bad.c. */
export const VARIANTS = ['fine', 'bad_branch', 'bad_index', 'bad_divisor'] as const;

export function variantCase(name: (typeof VARIANTS)[number]): SecretCase {
  return {
    name,
    taint: name,
    build: (p, secret) => {
      const out = p.room(32);
      p.write(out, new Uint8Array(32));
      p.call(name, out, p.put(secret(32)));
    },
  };
}
