// What the tests compute in place of tweetnacl (test/fixtures/remembered.ts) is what tweetnacl computes, and what
// Wycheproof says.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import nacl from 'tweetnacl';
import { fromHex } from '../../../shared/codec/bytes.ts';
import { own } from '../../fixtures/remembered.ts';
import { seededRandom } from '../../fixtures/seeded.ts';

interface Vector {
  readonly private: string;
  readonly public: string;
  readonly shared: string;
}
const vectors = (
  JSON.parse(readFileSync(new URL('../../vectors/wycheproof/x25519_test.json', import.meta.url), 'utf8')) as {
    readonly testGroups: readonly { readonly tests: readonly Vector[] }[];
  }
).testGroups.flatMap(({ tests }) => tests);

describe('tweetnacl’s functions under the tests', () => {
  const random = seededRandom(8);

  it('X25519 agrees with tweetnacl and with Wycheproof, points of small order among them', () => {
    assert.ok(vectors.length > 500);
    for (const vector of vectors) {
      const [scalar, point] = [fromHex(vector.private), fromHex(vector.public)];
      const fast = nacl.scalarMult(scalar, point);
      assert.deepEqual(fast, fromHex(vector.shared));
      assert.deepEqual(nacl.scalarMult(scalar, point), fast, 'remembered');
    }
    // Tweetnacl itself, a few of each kind: it takes a millisecond for each.
    for (const { private: scalar, public: point, shared } of vectors.filter((_, i) => i % 10 === 0)) {
      assert.deepEqual(own.scalarMult(fromHex(scalar), fromHex(point)), fromHex(shared));
    }
  });

  it('public halves and signatures are the same', () => {
    for (const secret of [new Uint8Array(32), new Uint8Array(32).fill(0xff), random.bytes(32)]) {
      assert.deepEqual(nacl.scalarMult.base(secret), own.base(secret));
      const pair = nacl.sign.keyPair.fromSeed(secret);
      assert.deepEqual(pair, own.fromSeed(secret));
      for (const length of [0, 1, 200]) {
        const message = random.bytes(length);
        assert.deepEqual(nacl.sign.detached(message, pair.secretKey), own.detached(message, pair.secretKey));
      }
      const mixed = Uint8Array.from([...secret, ...random.bytes(32)]);
      assert.deepEqual(nacl.sign.detached(secret, mixed), own.detached(secret, mixed));
    }
  });

  it('SHA-512 is the same around every end of a block', () => {
    for (let length = 0; length < 300; length++) {
      const message = random.bytes(length);
      const hash = nacl.hash(message);
      assert.deepEqual(hash, own.hash(message), `${length} bytes`);
      assert.equal(Object.getPrototypeOf(hash), Uint8Array.prototype);
    }
  });

  it('what tweetnacl refuses is refused', () => {
    const short = new Uint8Array(31);
    assert.throws(() => nacl.scalarMult(short, new Uint8Array(32)), /bad n size/);
    assert.throws(() => nacl.scalarMult(new Uint8Array(32), short), /bad p size/);
    assert.throws(() => nacl.sign.keyPair.fromSeed(short), /bad seed size/);
    assert.throws(() => nacl.sign.detached(short, short), /bad secret key size/);
    assert.throws(() => nacl.hash('' as unknown as Uint8Array), /unexpected type/);
  });
});
