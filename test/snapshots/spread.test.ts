// How much of what is secret in SHA-512 and Salsa20 the loader's code has in r0 to r12 at once, instruction by
// instruction: whatever an attack makes of it, it has no more than these words to begin with (docs/loader.md, "Keys").
import assert from 'node:assert/strict';
import type { Board } from '../../sim/board.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import { loaderImage } from '../integration/loader/loader-fixture.ts';
import { boardOf, call, INPUT, OUTPUT, write } from './calls.ts';
import { START, variablesOf } from './chain-key.ts';
import { CONSTANTS, wordsMade } from './salsa20-key.ts';
import { registersOf } from './sampler.ts';
import { build, type Built } from './weak-loader.ts';

/** 128 bits. */
const MOST_WORDS = 4;
/** HMAC's inner pad, eight bytes of it; words of a block, and those of them that a key of 32 bytes has. */
const PAD = 0x3636363636363636n;
const [BLOCK_WORDS, KEY_WORDS] = [16, 4];
const ROUNDS = 80;

/** The most words of `secret` that are in registers at once while the function works. */
function mostAtOnce(
  built: Built,
  name: string,
  args: readonly number[],
  secret: ReadonlySet<number>,
  put: (board: Board) => void,
): number {
  let most = 0;
  call(built, name, args, put, (board) => {
    const held = new Set(registersOf(board).filter((word) => secret.has(word)));
    most = Math.max(most, held.size);
  });
  return most;
}

const read64 = (board: Board, at: number): bigint =>
  BigInt(board.bus.read(at, 4, 'debugger') >>> 0) | (BigInt(board.bus.read(at + 4, 4, 'debugger') >>> 0) << 32n);
const halves = (word: bigint): [low: number, high: number] => [Number(word & 0xffffffffn), Number(word >> 32n)];
const swapped = (word: number): number =>
  ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
const chance = (words: number): number[] => [...new Uint32Array(seededRandom(5).bytes(4 * words).buffer)];

/** The first block of an HMAC with a key of 32 bytes. */
function sha512(built: Built): number {
  const key = chance(2 * KEY_WORDS);
  const block = Array.from({ length: BLOCK_WORDS }, (_, i) =>
    i < KEY_WORDS ? (BigInt(key[2 * i]!) | (BigInt(key[2 * i + 1]!) << 32n)) ^ PAD : PAD,
  );
  const board = boardOf(built);
  const k = Array.from({ length: ROUNDS }, (_, t) => read64(board, built.functions.get('bf_sha512_k')! + 8 * t));
  const secret = new Set(variablesOf(block, BLOCK_WORDS - KEY_WORDS, k).flatMap(halves));
  return mostAtOnce(built, 'bf_sha512_compress', [OUTPUT, INPUT], secret, (on) => {
    write(on, OUTPUT, START.flatMap(halves));
    write(
      on,
      INPUT,
      block.flatMap((word) => halves(word).reverse().map(swapped)),
    );
  });
}

function salsa20(built: Built): number {
  const key = chance(8);
  const input = [0x5302, 0, 3, 0];
  const at = [1, 2, 3, 4, 11, 12, 13, 14];
  const state = Array<number>(16).fill(0);
  CONSTANTS.forEach((word, i) => (state[5 * i] = word));
  input.forEach((word, i) => (state[6 + i] = word));
  at.forEach((place, i) => (state[place] = key[i]!));
  const secret = new Set(wordsMade(Uint32Array.from(key), input));
  return mostAtOnce(built, 'bf_salsa20_rounds', [OUTPUT, INPUT], secret, (on) => write(on, INPUT, state));
}

describe('snapshots: words of secrets in registers at once', function () {
  this.timeout(1_200_000);

  it('no more than four, of SHA-512 and of Salsa20', () => {
    const built = build();
    assert.deepEqual(built.loader, loaderImage(), 'it is the prebuilt loader');
    const most = { sha512: sha512(built), salsa20: salsa20(built) };
    assert.ok(most.sha512 > 0 && most.salsa20 > 0, 'the search sees what is there to be seen');
    assert.ok(most.sha512 <= MOST_WORDS && most.salsa20 <= MOST_WORDS, JSON.stringify(most));
  });

  it('but eight and twelve of those for speed', () => {
    const built = build('registers');
    assert.ok(sha512(built) >= 2 * MOST_WORDS);
    assert.ok(salsa20(built) >= 3 * MOST_WORDS);
  });
});
