// `npm run test:snapshots`: somebody with the reset line breaks sessions off at instants of his choice and reads r0 to
// r12, which a reset leaves (docs/loader.md, "Keys"). Each attack succeeds against a build with the weakness it is for.
// `BLINDFLASH_SNAPSHOTS=20000` takes as many snapshots of uses of the device's key, and every instant of an opening.
import assert from 'node:assert/strict';
import { brokenOff, uses, type Uses } from './device-key.ts';
import { opening, openedByBoxKey, openedByChain, type Opening } from './frames.ts';
import { follow, tellingWords } from './ladder-follower.ts';
import { REGISTERS } from './sampler.ts';
import { afterReset } from './under-reset.ts';
import { weakLoader } from './weak-loader.ts';

const MANY = 20_000;
const FEW = 12_000;
const COUNT = Number(process.env.BLINDFLASH_SNAPSHOTS ?? FEW);
/** Cycles from one snapshot of an opening to the next. */
const STRIDE = COUNT >= MANY ? 1 : 3;
/** Instants at which a session is really broken off. */
const REALLY = 5;
const WORDS = 8;
/** Words of d_s that leave no less than 128 bits to try. */
const HARMLESS = 4;

describe('snapshots: the device’s key', function () {
  this.timeout(1_200_000);
  const attack = ({ sessions, publicKey }: Uses): Uint8Array | undefined =>
    follow(
      sessions.map(({ point, snapshots }) => ({ point, words: tellingWords(snapshots) })),
      publicKey,
    );
  const wordsSeen = ({ sessions, secretWords }: Uses): number => {
    const seen = sessions.flatMap(({ snapshots }) => snapshots.flatMap(({ registers }) => [...registers]));
    return new Set(seen.filter((word) => secretWords.includes(word))).size;
  };

  it('is worked out, bit by bit, where the ladder is not blinded', () => {
    const found = attack(uses(COUNT, weakLoader('ladder')));
    assert.notEqual(found, undefined);
  });

  it('is not from as many snapshots of the loader, nor do they hold more of its words than may be known', () => {
    const taken = uses(COUNT);
    const count = taken.sessions.reduce((sum, { snapshots }) => sum + snapshots.length, 0);
    assert.ok(count > (COUNT * 3) / 4, `${count} snapshots`);
    assert.equal(taken.secretWords.length, WORDS);
    assert.equal(attack(taken), undefined);
    const words = wordsSeen(taken);
    console.log(`      ${count} snapshots, ${words} of ${WORDS} words of the key seen`);
    assert.ok(words <= HARMLESS, `${words} words seen`);
  });

  it('a snapshot is what a reset at that instant leaves for a debugger', () => {
    const [first] = uses(REALLY * 10).sessions;
    assert.ok(first!.snapshots.length > REALLY);
    for (const { at, registers } of first!.snapshots.slice(0, REALLY)) {
      const { board } = brokenOff(at);
      assert.deepEqual(afterReset(board), registers, `${at}`);
    }
    assert.equal(REGISTERS, first!.snapshots[0]!.registers.length);
  });
});

describe('snapshots: commands on the way', function () {
  this.timeout(1_200_000);
  type Attack = (registers: Uint32Array, all: Opening) => number[];
  const most = (all: Opening, attack: Attack): number[] =>
    all.snapshots.map((registers) => attack(registers, all)).reduce((a, b) => (b.length > a.length ? b : a), []);

  it('one snapshot of an opening tells all of them where one key is for many and Salsa20 has 13 words in registers', () => {
    const all = opening(64, STRIDE, weakLoader('registers', 'epochs'));
    assert.deepEqual(
      most(all, openedByBoxKey),
      all.frames.map(({ sequence }) => sequence),
    );
  });

  it('one of them where each has its key; but all behind it where SHA-512 shows four variables at once', () => {
    const all = opening(1, STRIDE, weakLoader('registers'));
    const [, , opened] = all.frames.map(({ sequence }) => sequence);
    assert.deepEqual(most(all, openedByBoxKey), [opened]);
    assert.deepEqual(most(all, openedByChain), all.frames.map(({ sequence }) => sequence).slice(2));
  });

  it('none of the loader’s', () => {
    const all = opening(1, STRIDE);
    assert.ok(all.snapshots.length > 10_000);
    assert.deepEqual(most(all, openedByBoxKey), []);
    assert.deepEqual(most(all, openedByChain), []);
  });
});
