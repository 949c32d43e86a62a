// Hash, keys, boxes, sessions, schedule and the sealed handshake: against Wycheproof, RFC 5869's rules in OpenSSL,
// NaCl, and against an enemy who may alter, drop, repeat, reorder and cut everything (docs/protocol.md §4, §5).
import assert from 'node:assert/strict';
import { createHash, createHmac, hkdfSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import nacl from 'tweetnacl';
import { hkdfExpand, hmacSha512, sha512 } from '../../../shared/crypto/hash.ts';
import { exchangeKeyPair, exchangePublic } from '../../../shared/crypto/keys.ts';
import { isCanonical, KeySchedule, transcriptOf } from '../../../shared/crypto/schedule.ts';
import { BoxSession } from '../../../shared/crypto/session.ts';
import { flips, hex, refuses, seeded, unhex } from './support.ts';
import { TUNNEL_PROTOCOL } from '../../../shared/tunnel/protocol.ts';
import { respondSealed, type SealedContexts } from '../../../shared/sealed/handshake.ts';
import { startSealedInitiator } from '../../fixtures/sealed-initiator.ts';
import { SEALED_SUITES } from '../../../shared/sealed/protocol.ts';

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
  [new BoxSession('i', SEALED_SUITES.sealed, chains()), new BoxSession('r', SEALED_SUITES.sealed, chains())] as const;

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
  otherKey?: boolean;
  contexts?: SealedContexts;
}

const staticKey = exchangeKeyPair('sealed', seeded('static'));
const other = exchangeKeyPair('sealed', seeded('other'));
const contexts: SealedContexts = [new Uint8Array(64).fill(7), new Uint8Array(64).fill(8)];
const deviceSecret = new Uint8Array(32).fill(0x0d);

/** A chip and a way to answer its (perhaps altered) M1. */
function sealedEnds(changes: Changes = {}) {
  const chip = () =>
    startSealedInitiator({
      suite: SEALED_SUITES.sealed,
      responderPublic: staticKey.publicKey,
      contexts,
      deviceSecret,
      facts: new Uint8Array(40).fill(3),
      random: seeded('initiator'),
    });
  const answer = (m1: Uint8Array) =>
    respondSealed({
      suite: SEALED_SUITES.sealed,
      staticKey: changes.otherKey ? { ...other, publicKey: staticKey.publicKey } : staticKey,
      contexts: changes.contexts ?? contexts,
      payload2: new Uint8Array(32).fill(4),
      random: seeded('responder'),
      m1,
    });
  return { chip, answer };
}

describe('sealed handshake', () => {
  it('agrees, says its state, and works once', () => {
    const { chip, answer } = sealedEnds();
    const initiator = chip();
    assert.equal(initiator.state, 'waiting for M2');
    const responder = answer(initiator.m1);
    assert.equal(responder.state, 'waiting for M3');
    assert.deepEqual(responder.chipKeys.deviceKey, nacl.scalarMult.base(deviceSecret));
    const { m3, result, payload2 } = initiator.receiveM2(responder.m2);
    assert.deepEqual(payload2, new Uint8Array(32).fill(4));
    const end = responder.receiveM3(m3);
    assert.deepEqual([initiator.state, responder.state], ['confirmed', 'confirmed']);
    assert.deepEqual(result.exporter, end.exporter);
    assert.deepEqual(end.session.open(result.session.seal(Uint8Array.of(1)).box), Uint8Array.of(1));
    assert.deepEqual(result.session.open(end.session.seal(Uint8Array.of(2)).box), Uint8Array.of(2));
    refuses('BF-STUB-AUTHENTICATION', () => initiator.receiveM2(responder.m2));
    refuses('BF-STUB-AUTHENTICATION', () => responder.receiveM3(m3));
  });

  it('a flipped bit of M1 (of its keys: each, 255 too) is refused, at the latest by the chip', () => {
    const { chip, answer } = sealedEnds();
    const { m1 } = chip();
    assert.equal(m1.length, 136);
    for (const [i, bad] of [...flips(m1, 32)].entries()) {
      refuses('BF-STUB-AUTHENTICATION', () => chip().receiveM2(answer(bad).m2), `bit ${i}`);
    }
    for (const bad of flips(m1.subarray(104))) {
      refuses('BF-STUB-AUTHENTICATION', () =>
        chip().receiveM2(answer(Uint8Array.of(...m1.subarray(0, 104), ...bad)).m2),
      );
    }
  }).timeout(120_000);

  it('a flipped bit of M2 (of its key: each) is refused, and each size but the right one', () => {
    const { chip, answer } = sealedEnds();
    const { m2 } = answer(chip().m1);
    for (const [i, bad] of [...flips(m2, 32)].entries()) {
      const initiator = chip();
      refuses('BF-STUB-AUTHENTICATION', () => initiator.receiveM2(bad), `bit ${i}`);
      assert.equal(initiator.state, 'dead');
    }
    for (const size of [0, 31, 127, 129]) {
      refuses('BF-STUB-AUTHENTICATION', () => chip().receiveM2(new Uint8Array(size)));
    }
    for (const size of [104, 135, 137]) refuses('BF-STUB-AUTHENTICATION', () => answer(new Uint8Array(size).fill(9)));
    chip().receiveM2(m2);
  }).timeout(120_000);

  it('every flipped bit of M3 is refused', () => {
    const { chip, answer } = sealedEnds();
    const { m1 } = chip();
    const { m3 } = chip().receiveM2(answer(m1).m2);
    for (const bad of flips(m3)) {
      const responder = answer(m1);
      refuses('BF-STUB-AUTHENTICATION', () => responder.receiveM3(bad));
      refuses('BF-STUB-AUTHENTICATION', () => responder.receiveM3(m3), 'dead after the failure');
    }
  }).timeout(120_000);

  const wrongs: [string, Changes][] = [
    ['another static key behind the right public key', { otherKey: true }],
    ['another stub hash', { contexts: [new Uint8Array(64), contexts[1]] }],
    ['another plan hash', { contexts: [contexts[0], new Uint8Array(64)] }],
    ['exchanged contexts', { contexts: [contexts[1], contexts[0]] }],
  ];
  for (const [name, changes] of wrongs) {
    it(`${name} is refused`, () => {
      const { chip, answer } = sealedEnds(changes);
      const initiator = chip();
      refuses('BF-STUB-AUTHENTICATION', () => initiator.receiveM2(answer(initiator.m1).m2));
    });
  }

  it('who shows D without having d gets an answer that it can read, and cannot confirm', () => {
    const { answer } = sealedEnds();
    const claims = (m1: Uint8Array) => {
      const claimed = m1.slice();
      claimed.set(nacl.scalarMult.base(deviceSecret), 104);
      return claimed;
    };
    const thief = ownSchedule();
    const responder = answer(claims(thief.m1));
    const { confirmRFits, m3 } = thief.finish(claims(thief.m1), responder.m2);
    assert.equal(confirmRFits, true, 'everything but d is right');
    refuses('BF-STUB-AUTHENTICATION', () => responder.receiveM3(m3));
  });

  it('D is mixed in after confirm r and into everything behind it', () => {
    const schedule = () =>
      new KeySchedule(SEALED_SUITES.sealed, new Uint8Array(64), [
        new Uint8Array(32),
        new Uint8Array(32),
        new Uint8Array(32),
      ]);
    const [without, with1, with2] = [schedule(), schedule(), schedule()];
    with1.mixChipKeys('chipKey', new Uint8Array(32).fill(1));
    with2.mixChipKeys('chipKey', new Uint8Array(32).fill(2));
    const all = [without, with1, with2];
    assert.equal(new Set(all.map((one) => hex(one.confirmR()))).size, 1);
    assert.equal(new Set(all.map((one) => hex(one.confirmI()))).size, 3);
    assert.equal(new Set(all.map((one) => hex(one.result('i').exporter))).size, 3);
    assert.equal(new Set(all.map((one) => hex(one.result('i').session.seal(new Uint8Array(9)).box))).size, 3);
  });

  it('points of low order are refused on both sides, as ephemeral, as static key and as D', () => {
    const lowOrder = lowOrderPoints();
    assert.ok(lowOrder.length >= 5);
    const { chip, answer } = sealedEnds();
    for (const point of lowOrder) {
      for (const at of [0, 104]) {
        const m1 = chip().m1.slice();
        m1.set(point, at);
        refuses('BF-STUB-AUTHENTICATION', () => answer(m1));
      }
      const m2 = answer(chip().m1).m2.slice();
      m2.set(point);
      refuses('BF-STUB-AUTHENTICATION', () => chip().receiveM2(m2));
      const misled = startSealedInitiator({
        suite: SEALED_SUITES.sealed,
        responderPublic: exchangePublic('sealed', point),
        contexts,
        deviceSecret,
        facts: new Uint8Array(40),
        random: seeded('misled'),
      });
      refuses('BF-STUB-AUTHENTICATION', () => misled.receiveM2(answer(misled.m1).m2));
    }
  });

  it('D that is not canonical, zero, the ephemeral or the vendor’s key is refused before anything is drawn', () => {
    const { m1 } = sealedEnds().chip();
    const p = (low: number, top = 0x7f) => Uint8Array.of(low, ...new Uint8Array(30).fill(0xff), top);
    const refused: [string, Uint8Array][] = [
      ['zero', new Uint8Array(32)],
      ['p', p(0xed)],
      ['p + 9', p(0xf6)],
      ['2^255 − 1', p(0xff)],
      ['bit 255 set', Uint8Array.of(9, ...new Uint8Array(30), 0x80)],
      ['e_i', m1.slice(0, 32)],
      ['S_r', staticKey.publicKey],
    ];
    const refuse = (key: Uint8Array, note: string) => {
      const bad = m1.slice();
      bad.set(key, 104);
      const random = { bytes: () => assert.fail('chance was asked') };
      const payload2 = new Uint8Array(32);
      refuses(
        'BF-STUB-AUTHENTICATION',
        () => respondSealed({ suite: SEALED_SUITES.sealed, staticKey, contexts, payload2, random, m1: bad }),
        note,
      );
    };
    for (const [note, key] of refused) refuse(key, note);
    assert.equal(isCanonical(p(0xec)), true, 'p − 1 is a number below p');
    assert.equal(isCanonical(Uint8Array.of(...new Uint8Array(31).fill(0xff), 0x7e)), true);
  });
});

/** An initiator who knows everything public and his own ephemeral, and takes 0 for X25519(d, e_r). */
function ownSchedule() {
  const secret = new Uint8Array(32).fill(0x21);
  const m1 = Uint8Array.of(...nacl.scalarMult.base(secret), ...new Uint8Array(104).fill(3));
  const finish = (sent: Uint8Array, m2: Uint8Array) => {
    const known = [staticKey.publicKey, contexts[0], contexts[1]];
    const transcript = transcriptOf(SEALED_SUITES.sealed, known, sent, m2.slice(0, 96));
    const [e, none] = [m2.slice(0, 32), new Uint8Array(32)];
    const shared = [nacl.scalarMult(secret, e), nacl.scalarMult(secret, staticKey.publicKey), none] as const;
    const schedule = new KeySchedule(SEALED_SUITES.sealed, transcript, shared);
    const confirmRFits = hex(schedule.confirmR()) === hex(m2.slice(96));
    schedule.mixChipKeys('chipKey', new Uint8Array(32));
    return { confirmRFits, m3: schedule.confirmI() };
  };
  return { m1, finish };
}

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
