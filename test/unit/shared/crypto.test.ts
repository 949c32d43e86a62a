// Hash, keys, boxes, sessions and handshake: against Wycheproof, RFC 5869's rules in OpenSSL, NaCl, and against an enemy
// who may alter, drop, repeat, reorder and cut everything (docs/protocol.md §4, §5).
import assert from 'node:assert/strict';
import { createHash, createHmac, hkdfSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import nacl from 'tweetnacl';
import { hkdfExpand, hmacSha512, sha512 } from '../../../shared/crypto/hash.ts';
import { respond, startInitiator, type Initiator, type Responder } from '../../../shared/crypto/handshake.ts';
import { exchangeKeyPair, exchangePublic, noPsk, psk } from '../../../shared/crypto/keys.ts';
import { BoxSession } from '../../../shared/crypto/session.ts';
import { flips, hex, refuses, seeded, unhex } from './support.ts';
import { TUNNEL_PROTOCOL } from '../../../shared/tunnel/protocol.ts';
import { SEALED_PROTOCOL } from '../../../shared/sealed/protocol.ts';

const load = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../vectors/${name}`, import.meta.url), 'utf8'));

interface MacTest {
  key: string;
  msg: string;
  tag: string;
  result: string;
}
interface KdfTest {
  ikm: string;
  salt: string;
  info: string;
  size: number;
  okm: string;
  result: string;
}
interface Groups<Test> {
  testGroups: { tagSize?: number; tests: Test[] }[];
}

describe('crypto/hash', () => {
  it('HMAC-SHA-512 as Wycheproof says', () => {
    let count = 0;
    for (const group of (load('wycheproof/hmac_sha512_test.json') as Groups<MacTest>).testGroups) {
      for (const test of group.tests) {
        const mac = hmacSha512(unhex(test.key), unhex(test.msg)).subarray(0, (group.tagSize as number) / 8);
        assert.equal(hex(mac) === test.tag, test.result === 'valid');
        count++;
      }
    }
    assert.equal(count, 174);
  });

  it('HKDF-Expand as Wycheproof says, with the extract step from OpenSSL', () => {
    let count = 0;
    for (const group of (load('wycheproof/hkdf_sha512_test.json') as Groups<KdfTest>).testGroups) {
      for (const test of group.tests) {
        const salt = test.salt === '' ? Buffer.alloc(64) : Buffer.from(test.salt, 'hex');
        const prk = createHmac('sha512', salt).update(Buffer.from(test.ikm, 'hex')).digest();
        if (test.result === 'valid') assert.equal(hex(hkdfExpand(prk, unhex(test.info), test.size)), test.okm);
        else refuses('BF-INTERNAL-ARGUMENT', () => hkdfExpand(prk, unhex(test.info), test.size));
        count++;
      }
    }
    assert.equal(count, 83);
  });

  it('agrees with OpenSSL on any input', () => {
    const bytes = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(bytes, bytes, bytes, (a, b, c) => {
        assert.equal(hex(sha512(a, b)), createHash('sha512').update(a).update(b).digest('hex'));
        assert.equal(hex(hmacSha512(a, b, c)), createHmac('sha512', a).update(b).update(c).digest('hex'));
        const prk = createHmac('sha512', a).update(b).digest();
        assert.equal(hex(hkdfExpand(prk, c, 100)), Buffer.from(hkdfSync('sha512', b, a, c, 100)).toString('hex'));
      }),
      { numRuns: 60 },
    );
  });
});

const chains = () => ({ i2r: new Uint8Array(32).fill(1), r2i: new Uint8Array(32).fill(2) });
const pair = () =>
  [new BoxSession('i', SEALED_PROTOCOL, chains()), new BoxSession('r', SEALED_PROTOCOL, chains())] as const;

describe('crypto/session', () => {
  it('carries both directions across epoch boundaries', () => {
    const [a, b] = pair();
    for (let i = 1; i <= 130; i++) {
      assert.deepEqual(b.open(a.seal(Uint8Array.of(i)).box), Uint8Array.of(i));
      assert.deepEqual(a.open(b.seal(Uint8Array.of(i, i)).box, i), Uint8Array.of(i, i));
    }
    assert.deepEqual([a.sent, a.received, b.sent, b.received], [130, 130, 130, 130]);
  });

  it('never makes the same box twice, in either direction or purpose', () => {
    const sessions = [
      ...pair(),
      new BoxSession('i', TUNNEL_PROTOCOL, chains()),
      new BoxSession('r', TUNNEL_PROTOCOL, { i2r: chains().r2i, r2i: chains().i2r }),
    ];
    const boxes = sessions.flatMap((session) =>
      Array.from({ length: 70 }, () => hex(session.seal(new Uint8Array(4)).box)),
    );
    assert.equal(new Set(boxes).size, boxes.length);
  });

  it('a number out of turn is refused and changes nothing', () => {
    const [a, b] = pair();
    const boxes = [a.seal(Uint8Array.of(1)).box, a.seal(Uint8Array.of(2)).box, a.seal(Uint8Array.of(3)).box];
    b.open(boxes[0], 1);
    refuses('BF-TUNNEL-ORDER', () => b.open(boxes[0], 1), 'replay');
    refuses('BF-TUNNEL-ORDER', () => b.open(boxes[2], 3), 'gap');
    assert.deepEqual(b.open(boxes[1], 2), Uint8Array.of(2));
  });

  const attacks: [string, (boxes: Uint8Array[]) => Uint8Array][] = [
    ['replayed', (boxes) => boxes[0]],
    ['reordered', (boxes) => boxes[2]],
    ['cut', (boxes) => boxes[1].subarray(0, boxes[1].length - 1)],
    ['cut to less than a tag', (boxes) => boxes[1].subarray(0, 15)],
    ['lengthened', (boxes) => Uint8Array.of(...boxes[1], 0)],
    ['empty', () => new Uint8Array(0)],
  ];
  for (const [name, attack] of attacks) {
    it(`a ${name} box ends the session for good`, () => {
      const [a, b] = pair();
      const boxes = [1, 2, 3].map((n) => a.seal(new Uint8Array(40).fill(n)).box);
      b.open(boxes[0]);
      refuses('BF-STUB-AUTHENTICATION', () => b.open(attack(boxes)));
      assert.equal(b.dead, true);
      refuses('BF-STUB-AUTHENTICATION', () => b.open(boxes[1]), 'even the right box');
      refuses('BF-STUB-AUTHENTICATION', () => b.seal(new Uint8Array(1)), 'and sending');
    });
  }

  it('every flipped bit is noticed', () => {
    const [a] = pair();
    const { box } = a.seal(Uint8Array.of(1, 2, 3, 4));
    for (const bad of flips(box)) refuses('BF-STUB-AUTHENTICATION', () => pair()[1].open(bad));
  });

  it('left-overs before the first box do not end the session', () => {
    const [a, b] = pair();
    assert.equal(b.openFirst(new Uint8Array(40)), undefined);
    assert.deepEqual(b.openFirst(a.seal(Uint8Array.of(9)).box), Uint8Array.of(9));
    refuses('BF-TUNNEL-ORDER', () => b.openFirst(a.seal(Uint8Array.of(9)).box));
  });
});

interface Changes {
  responderPsk?: Uint8Array;
  otherKey?: boolean;
  responderContexts?: Uint8Array[];
  tries?: number;
}

const staticKey = exchangeKeyPair('sealed', seeded('static'));
const other = exchangeKeyPair('sealed', seeded('other'));
const contexts = [new Uint8Array(64).fill(7), new Uint8Array(64).fill(8)];

/** An initiator and a way to answer its (perhaps altered) M1. */
function ends(changes: Changes = {}): { initiator: Initiator; answer: (m1: Uint8Array) => Responder } {
  const initiator = startInitiator({
    protocol: SEALED_PROTOCOL,
    responderPublic: staticKey.publicKey,
    contexts,
    psk: psk(new Uint8Array(32).fill(5)),
    payload1: new Uint8Array(40).fill(3),
    random: seeded('initiator'),
    ...(changes.tries === undefined ? {} : { tries: changes.tries }),
  });
  const answer = (m1: Uint8Array) =>
    respond({
      protocol: SEALED_PROTOCOL,
      staticKey: changes.otherKey ? { ...other, publicKey: staticKey.publicKey } : staticKey,
      contexts: changes.responderContexts ?? contexts,
      pskFor: () => psk(changes.responderPsk ?? new Uint8Array(32).fill(5)),
      payload2: new Uint8Array(32).fill(4),
      random: seeded('responder'),
      m1,
    });
  return { initiator, answer };
}

describe('crypto/handshake', () => {
  it('agrees, says its state, and works once', () => {
    const { initiator, answer } = ends();
    assert.equal(initiator.state, 'waiting for M2');
    const responder = answer(initiator.m1);
    assert.equal(responder.state, 'waiting for M3');
    const { m3, result } = initiator.receiveM2(responder.m2);
    const other = responder.receiveM3(m3);
    assert.deepEqual([initiator.state, responder.state], ['confirmed', 'confirmed']);
    assert.deepEqual(result.exporter, other.exporter);
    assert.deepEqual(other.session.open(result.session.seal(Uint8Array.of(1)).box), Uint8Array.of(1));
    assert.deepEqual(result.session.open(other.session.seal(Uint8Array.of(2)).box), Uint8Array.of(2));
    refuses('BF-STUB-AUTHENTICATION', () => initiator.receiveM2(responder.m2));
    refuses('BF-STUB-AUTHENTICATION', () => responder.receiveM3(m3));
  });

  it('a flipped bit of M1 (of its key: each, 255 too) is refused by the initiator', () => {
    const { initiator, answer } = ends({ tries: 10_000 });
    for (const [i, bad] of [...flips(initiator.m1, 32)].entries()) {
      const { m2 } = answer(bad);
      refuses('BF-STUB-AUTHENTICATION', () => initiator.receiveM2(m2), `bit ${i}`);
    }
    const last = ends();
    refuses('BF-STUB-AUTHENTICATION', () => last.initiator.receiveM2(new Uint8Array(128)));
    assert.equal(last.initiator.state, 'dead');
  }).timeout(120_000);

  it('a flipped bit of M2 (of its key: each) is refused, and each size but the right one', () => {
    const { initiator, answer } = ends({ tries: 10_000 });
    const responder = answer(initiator.m1);
    for (const [i, bad] of [...flips(responder.m2, 32)].entries()) {
      refuses('BF-STUB-AUTHENTICATION', () => initiator.receiveM2(bad), `bit ${i}`);
    }
    for (const size of [0, 31, 127, 129]) {
      refuses('BF-STUB-AUTHENTICATION', () => initiator.receiveM2(new Uint8Array(size)));
    }
    initiator.receiveM2(responder.m2);
  }).timeout(120_000);

  it('every flipped bit of M3 is refused', () => {
    const { initiator, answer } = ends();
    const { m3 } = initiator.receiveM2(answer(initiator.m1).m2);
    for (const bad of flips(m3)) {
      const responder = answer(initiator.m1);
      refuses('BF-STUB-AUTHENTICATION', () => responder.receiveM3(bad));
      refuses('BF-STUB-AUTHENTICATION', () => responder.receiveM3(m3), 'dead after the failure');
    }
  }).timeout(120_000);

  const wrongs: [string, Changes][] = [
    ['another psk', { responderPsk: new Uint8Array(32).fill(6) }],
    ['another static key behind the right public key', { otherKey: true }],
    ['another context', { responderContexts: [contexts[0], new Uint8Array(64)] }],
    ['a missing context', { responderContexts: [contexts[0]] }],
    ['exchanged contexts', { responderContexts: [contexts[1], contexts[0]] }],
  ];
  for (const [name, changes] of wrongs) {
    it(`${name} is refused`, () => {
      const { initiator, answer } = ends(changes);
      refuses('BF-STUB-AUTHENTICATION', () => initiator.receiveM2(answer(initiator.m1).m2));
    });
  }

  it('points of low order are refused on both sides', () => {
    const lowOrder = lowOrderPoints();
    assert.ok(lowOrder.length >= 5);
    for (const point of lowOrder) {
      const { initiator, answer } = ends();
      const m1 = initiator.m1.slice();
      m1.set(point);
      refuses('BF-STUB-AUTHENTICATION', () => answer(m1));
      const m2 = answer(initiator.m1).m2.slice();
      m2.set(point);
      refuses('BF-STUB-AUTHENTICATION', () => initiator.receiveM2(m2));
      const misled = startInitiator({
        protocol: SEALED_PROTOCOL,
        responderPublic: exchangePublic('sealed', point),
        contexts,
        psk: noPsk(),
        payload1: new Uint8Array(40),
        random: seeded('misled'),
      });
      refuses('BF-STUB-AUTHENTICATION', () => misled.receiveM2(answer(misled.m1).m2));
    }
  });

  it('a psk the responder does not have is refused before anything is drawn', () => {
    const { initiator } = ends();
    refuses('BF-STUB-AUTHENTICATION', () =>
      respond({
        protocol: SEALED_PROTOCOL,
        staticKey: exchangeKeyPair('sealed', seeded('static')),
        contexts,
        pskFor: () => undefined,
        payload2: new Uint8Array(32),
        random: { bytes: () => assert.fail('chance was asked') },
        m1: initiator.m1,
      }),
    );
  });
});

/** Wycheproof's low-order inputs: those whose shared secret is zero. */
function lowOrderPoints(): Uint8Array[] {
  const { testGroups } = load('wycheproof/x25519_test.json') as Groups<{ public: string; shared: string }>;
  const zero = '00'.repeat(32);
  const points = testGroups.flatMap((group) => group.tests.filter((test) => test.shared === zero));
  return [...new Set(points.map((test) => test.public))].map(unhex);
}

describe('tweetnacl, as far as we lean on it', () => {
  it('X25519 as Wycheproof says', () => {
    const { testGroups } = load('wycheproof/x25519_test.json') as Groups<{
      private: string;
      public: string;
      shared: string;
    }>;
    const tests = testGroups.flatMap((group) => group.tests);
    for (const test of tests.filter((_, i) => i % 4 === 0)) {
      assert.equal(hex(nacl.scalarMult(unhex(test.private), unhex(test.public))), test.shared);
    }
  });

  it('secretbox as NaCl says', () => {
    const { secretbox } = load('nacl/nacl-kat.json') as {
      secretbox: { key: string; nonce: string; msg: string; box: string }[];
    };
    for (const { key, nonce, msg, box } of secretbox) {
      assert.equal(hex(nacl.secretbox(unhex(msg), unhex(nonce), unhex(key))), box);
    }
  });
});
