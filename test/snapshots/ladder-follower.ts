// An attack on a key that is used again and again: bit by bit from the top, what would the chip compute with if the
// next one were 0, and what if it were 1; and which of these words have been seen in registers?
import nacl from 'tweetnacl';
import { startOf, step, type Ladder } from './ladder.ts';

const BITS = 255;
/** Bits that clamping fixes: the top one is 1, the last three are 0. */
const TOP = 254;
const LOW = 3;
/** Guesses kept from one bit to the next. */
const KEPT = 4;
/** Words that any code holds: counts, masks, small numbers. */
const PLAIN = 1 << 16;

/** What was seen while the key met one point. */
export interface Sighting {
  /** The point, 32 bytes little endian: it goes over the line. */
  readonly point: Uint8Array;
  readonly words: ReadonlySet<number>;
}
interface Guess {
  readonly bits: readonly number[];
  readonly ladders: readonly Ladder[];
  readonly score: number;
}

const numberOf = (bytes: Uint8Array): bigint => bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

/** Words of registers that say something. */
export function tellingWords(snapshots: readonly { readonly registers: Uint32Array }[]): Set<number> {
  const words = snapshots.flatMap(({ registers }) => [...registers]);
  return new Set(words.filter((word) => word >= PLAIN && word < 2 ** 32 - PLAIN));
}

function seenOf(element: bigint, words: ReadonlySet<number>): number {
  let seen = 0;
  for (let rest = element; rest > 0n; rest >>= 32n) if (words.has(Number(rest & 0xffffffffn))) seen++;
  return seen;
}

function extended(guess: Guess, bit: number, sightings: readonly Sighting[], points: readonly bigint[]): Guess {
  let { score } = guess;
  const ladders = guess.ladders.map((ladder, i) => {
    const { after, elements } = step(ladder, bit, points[i]!);
    for (const element of elements) score += seenOf(element, sightings[i]!.words);
    return after;
  });
  return { bits: [...guess.bits, bit], ladders, score };
}

function secretOf(bits: readonly number[]): Uint8Array {
  const secret = new Uint8Array(32);
  bits.forEach((bit, i) => (secret[(TOP - i) >> 3]! |= bit << ((TOP - i) & 7)));
  return secret;
}

/** The clamped secret half of `publicKey`, if what was seen tells it. */
export function follow(sightings: readonly Sighting[], publicKey: Uint8Array): Uint8Array | undefined {
  const points = sightings.map(({ point }) => numberOf(point));
  let guesses: Guess[] = [{ bits: [], ladders: points.map(startOf), score: 0 }];
  for (let i = BITS; i-- > 0;) {
    const possible = i === TOP ? [1] : i < LOW ? [0] : [0, 1];
    const next = guesses.flatMap((guess) => possible.map((bit) => extended(guess, bit, sightings, points)));
    guesses = next.sort((a, b) => b.score - a.score).slice(0, KEPT);
  }
  return guesses
    .map(({ bits }) => secretOf(bits))
    .find((secret) => nacl.scalarMult.base(secret).every((byte, i) => byte === publicKey[i]));
}
