// Time, chance and a network that misbehaves on request, for the tests of shared/.
import { createHash, createPublicKey, verify as nodeVerify } from 'node:crypto';
import type { Verify } from '../../../shared/crypto/keys.ts';
import type { Random } from '../../../shared/ports.ts';
import { BlindflashError, type ErrorCode } from '../../../shared/errors/errors.ts';
import assert from 'node:assert/strict';

/** Bytes from SHA-512(seed ‖ counter): the same for the same seed. */
export function seeded(seed: string): Random {
  let counter = 0;
  return {
    bytes(count) {
      const parts: Buffer[] = [];
      for (let length = 0; length < count; length += 64) {
        parts.push(createHash('sha512').update(`${seed}/${counter++}`).digest());
      }
      return new Uint8Array(Buffer.concat(parts).subarray(0, count));
    },
  };
}

/** A source that gives exactly these pieces, in this order. */
export function scripted(...pieces: readonly Uint8Array[]): Random {
  const left = [...pieces];
  return {
    bytes(count) {
      const piece = left.shift();
      assert.equal(piece?.length, count);
      return new Uint8Array(piece as Uint8Array);
    },
  };
}

/** Asserts that `run` throws a BlindflashError with this code. */
export function refuses(code: ErrorCode | readonly ErrorCode[], run: () => unknown, note?: string): void {
  const codes: readonly ErrorCode[] = typeof code === 'string' ? [code] : code;
  assert.throws(
    run,
    (error) => error instanceof BlindflashError && codes.includes(error.code),
    note ?? `expected ${codes.join(' or ')}`,
  );
}

/** Runs a decoder on foreign input: it may only return or throw a coded error that is not an internal one. */
export function onlyCoded(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof BlindflashError)) throw error;
    assert.ok(!error.code.startsWith('BF-INTERNAL'), `${error.code}: ${error.message}`);
  }
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

export function unhex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'));
}

/**
 * Copies of `bytes` with one bit flipped: every bit of the first `all` bytes, and one (not the
 * same) of each other byte.
 */
export function* flips(bytes: Uint8Array, all = bytes.length): Generator<Uint8Array> {
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    if (bit >= 8 * all && bit % 8 !== (bit >> 3) % 8) continue;
    const copy = new Uint8Array(bytes);
    copy[bit >> 3] ^= 1 << (bit & 7);
    yield copy;
  }
}

/** Ed25519 by Node. */
export const verify: Verify = (publicKey, message, signature) => {
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), publicKey]);
  return nodeVerify(null, message, createPublicKey({ key: der, format: 'der', type: 'spki' }), signature);
};
