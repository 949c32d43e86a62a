// The loader's own SHA-512 and Salsa20, which keep few words in registers, compute what OpenSSL and tweetnacl do.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import nacl from 'tweetnacl';
import { seededRandom } from '../fixtures/seeded.ts';
import { loaderImage } from '../integration/loader/loader-fixture.ts';
import { call, INPUT, OUTPUT, write } from './calls.ts';
import { START } from './chain-key.ts';
import { CONSTANTS } from './salsa20-key.ts';
import { build, type Built } from './weak-loader.ts';

const CASES = 8;
const BLOCK_BYTES = 128;
/** What a message of one block leaves for its padding: a byte 80, and its length in 16 bytes (FIPS 180-4 §5.1.2). */
const MOST_MESSAGE = 111;
const TAG_BYTES = 16;

const wordsOf = (bytes: Uint8Array): number[] => [...new Uint32Array(bytes.slice().buffer)];
const bytesOf = (words: readonly number[]): Uint8Array => new Uint8Array(Uint32Array.from(words).buffer);

function result(built: Built, name: string, words: number, put: Parameters<typeof call>[3]): number[] {
  const board = call(built, name, [OUTPUT, INPUT], put);
  return Array.from({ length: words }, (_, i) => board.bus.read(OUTPUT + 4 * i, 4, 'debugger') >>> 0);
}

/** SHA-512 of a message that fits into one block. */
function digest(built: Built, message: Uint8Array): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES);
  block.set(message);
  block[message.length] = 0x80;
  new DataView(block.buffer).setUint32(BLOCK_BYTES - 4, 8 * message.length);
  const state = START.flatMap((word) => [Number(word & 0xffffffffn), Number(word >> 32n)]);
  const made = result(built, 'bf_sha512_compress', 16, (board) => {
    write(board, OUTPUT, state);
    write(board, INPUT, wordsOf(block));
  });
  const bytes = new DataView(new ArrayBuffer(64));
  for (let i = 0; i < 8; i++) {
    bytes.setUint32(8 * i, made[2 * i + 1]!);
    bytes.setUint32(8 * i + 4, made[2 * i]!);
  }
  return new Uint8Array(bytes.buffer);
}

/** The twenty rounds over a key of 32 bytes and an input of 16. */
function rounds(built: Built, key: Uint8Array, input: Uint8Array): { before: number[]; after: number[] } {
  const before = Array<number>(16).fill(0);
  const [k, words] = [wordsOf(key), wordsOf(input)];
  CONSTANTS.forEach((word, i) => (before[5 * i] = word));
  [1, 2, 3, 4, 11, 12, 13, 14].forEach((place, i) => (before[place] = k[i]!));
  [6, 7, 8, 9].forEach((place, i) => (before[place] = words[i]!));
  return { before, after: result(built, 'bf_salsa20_rounds', 16, (board) => write(board, INPUT, before)) };
}

/** Bytes 32 to 63 of XSalsa20's stream: what a box of 32 zeros holds behind its tag. */
function stream(built: Built, key: Uint8Array, nonce: Uint8Array): Uint8Array {
  const { after: mixed } = rounds(built, key, nonce.subarray(0, 16));
  const subkey = bytesOf([0, 5, 10, 15, 6, 7, 8, 9].map((place) => mixed[place]!));
  const input = new Uint8Array(16);
  input.set(nonce.subarray(16));
  const { before, after } = rounds(built, subkey, input);
  return bytesOf(after.map((word, i) => (word + before[i]!) >>> 0)).slice(32);
}

describe('snapshots: functions that keep few words in registers', function () {
  this.timeout(120_000);
  const built = build();
  const random = seededRandom(77);

  it('are those of the prebuilt loader', () => assert.deepEqual(built.loader, loaderImage()));

  it('SHA-512 computes what OpenSSL computes', () => {
    for (let i = 0; i < CASES; i++) {
      const message = random.bytes(Math.floor((i * MOST_MESSAGE) / (CASES - 1)));
      assert.deepEqual(digest(built, message), new Uint8Array(createHash('sha512').update(message).digest()));
    }
  });

  it('Salsa20 computes what tweetnacl computes', () => {
    for (let i = 0; i < CASES; i++) {
      const [key, nonce] = [random.bytes(32), random.bytes(24)];
      const box = nacl.secretbox(new Uint8Array(32), nonce, key);
      assert.deepEqual(stream(built, key, nonce), box.slice(TAG_BYTES));
    }
  });
});
