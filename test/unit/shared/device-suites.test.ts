// The handshakes with a loader, whose key is for life (docs/protocol.md §4, suites `device` and `enroll`): which keys
// are taken, what is mixed in, and what each way of leaving something out comes to.
import assert from 'node:assert/strict';
import nacl from 'tweetnacl';

import { concat } from '../../../shared/codec/bytes.ts';
import { exchangeKeyPair } from '../../../shared/crypto/keys.ts';
import { agree, KeySchedule, transcriptOf } from '../../../shared/crypto/schedule.ts';
import { respondSealed, type SealedContexts } from '../../../shared/sealed/handshake.ts';
import { startSealedInitiator } from '../../fixtures/sealed-initiator.ts';
import { decodeStubFacts } from '../../../shared/sealed/payloads.ts';
import { SEALED_SUITES, suiteFor, type SealedSuite } from '../../../shared/sealed/protocol.ts';
import { hex, refuses, seeded } from './support.ts';

const { sealed, device, enroll } = SEALED_SUITES;
const staticKey = exchangeKeyPair('sealed', seeded('vendor'));
const [deviceSecret, fileSecret] = [new Uint8Array(32).fill(0xd5), new Uint8Array(32).fill(0xdf)];
const [deviceKey, fileKey] = [nacl.scalarMult.base(deviceSecret), nacl.scalarMult.base(fileSecret)];
const hashes = [new Uint8Array(64).fill(7), new Uint8Array(64).fill(8)] as const;
const contextsOf = (suite: SealedSuite): SealedContexts => (suite.knowsDevice ? [...hashes, deviceKey] : hashes);
const P = (low: number, top = 0x7f) => Uint8Array.of(low, ...new Uint8Array(30).fill(0xff), top);

const chip = (suite: SealedSuite, contexts = contextsOf(suite)) =>
  startSealedInitiator({
    suite,
    responderPublic: staticKey.publicKey,
    contexts,
    deviceSecret,
    ...(suite.bringsFileKey && { fileSecret }),
    facts: new Uint8Array(40).fill(3),
    random: seeded('chip'),
  });
const answer = (suite: SealedSuite, m1: Uint8Array, contexts = contextsOf(suite), random = seeded('controller')) =>
  respondSealed({ suite, staticKey, contexts, payload2: new Uint8Array(32).fill(4), random, m1 });
const neverAsked = { ...seeded('nothing'), bytes: () => assert.fail('chance was asked') };
const put = (m1: Uint8Array, at: number, bytes: Uint8Array) => {
  const changed = m1.slice();
  changed.set(bytes, at);
  return changed;
};

for (const suite of [device, enroll]) {
  describe(`suite ${suite.purpose}`, () => {
    it('agrees, and its boxes have a key each', () => {
      const one = chip(suite);
      const other = answer(suite, one.m1);
      const { m3, result } = one.receiveM2(other.m2);
      const { session } = other.receiveM3(m3);
      for (let number = 1; number <= 3; number++) {
        const { box } = session.seal(Uint8Array.of(number));
        assert.deepEqual(result.session.open(box, number), Uint8Array.of(number));
      }
      assert.deepEqual(other.chipKeys, { deviceKey, ...(suite.bringsFileKey && { fileKey }) });
    });

    it('takes no ephemeral that is not canonical, on either side', () => {
      // 2^255 − 19 + 9 is the base point over again.
      const { m1 } = chip(suite);
      for (const bytes of [P(0xed), P(0xf6), P(0xff), P(0, 0xff)]) {
        refuses('BF-STUB-AUTHENTICATION', () => answer(suite, put(m1, 0, bytes), contextsOf(suite), neverAsked));
        refuses('BF-STUB-AUTHENTICATION', () => chip(suite).receiveM2(put(answer(suite, m1).m2, 0, bytes)));
      }
    });

    it('is no other suite: the same bytes under another name lead to no session', () => {
      for (const other of [sealed, device, enroll]) {
        if (other.purpose === suite.purpose || other.m1 !== suite.m1) continue;
        const { m2 } = answer(other, chip(suite).m1);
        refuses('BF-STUB-AUTHENTICATION', () => chip(suite).receiveM2(m2), other.purpose);
      }
    });

    it('an M1 as long as another suite’s is refused', () => {
      refuses('BF-STUB-AUTHENTICATION', () => answer(suite, chip(suite === device ? enroll : device).m1));
    });
  });
}

describe('suite device', () => {
  it('takes only the device on record, and draws nothing for another', () => {
    const { m1 } = chip(device);
    const recorded = (key: Uint8Array) => () => answer(device, m1, [...hashes, key], neverAsked);
    refuses('BF-STUB-AUTHENTICATION', recorded(fileKey));
    refuses('BF-STUB-AUTHENTICATION', recorded(deviceKey.map((byte, at) => (at === 31 ? byte ^ 0x80 : byte))));
    refuses('BF-INTERNAL-ARGUMENT', () => answer(device, m1, hashes, neverAsked));
    refuses('BF-INTERNAL-ARGUMENT', recorded(deviceKey.slice(1)));
  });

  it('D is in the transcript: a chip that thinks it is another one gets no session', () => {
    const confused = chip(device, [...hashes, fileKey]);
    const { m2 } = answer(device, confused.m1);
    refuses('BF-STUB-AUTHENTICATION', () => confused.receiveM2(m2));
  });
});

describe('suite enroll', () => {
  it('and the stub’s have no device on record', () => {
    for (const suite of [enroll, sealed]) {
      refuses('BF-STUB-AUTHENTICATION', () => answer(suite, chip(suite).m1, [...hashes, deviceKey]), suite.purpose);
    }
  });

  it('takes no D_f that is no key, or is one of the others', () => {
    const { m1 } = chip(enroll);
    const refused = [new Uint8Array(32), P(0xed), P(0xff), deviceKey, m1.slice(0, 32), staticKey.publicKey];
    for (const key of refused) {
      refuses('BF-STUB-AUTHENTICATION', () => answer(enroll, put(m1, 136, key), hashes, neverAsked), hex(key));
    }
    // Order 1, 2 and 8: canonical, and their secret with anybody is zero.
    for (const point of [Uint8Array.of(1, ...new Uint8Array(31)), P(0xec)]) {
      for (const at of [104, 136]) refuses('BF-STUB-AUTHENTICATION', () => answer(enroll, put(m1, at, point)));
    }
  });

  it('proves both secrets: one of them alone, or they the other way round, is refused', () => {
    const secret = new Uint8Array(32).fill(0x21);
    const m1 = concat(nacl.scalarMult.base(secret), new Uint8Array(72).fill(3), deviceKey, fileKey);
    const m3With = (mixed: (e: Uint8Array) => readonly Uint8Array[]) => {
      const responder = answer(enroll, m1);
      const transcript = transcriptOf(enroll, [staticKey.publicKey, ...hashes], m1, responder.m2.slice(0, 96));
      const e = responder.m2.slice(0, 32);
      const schedule = new KeySchedule(enroll, transcript, [
        agree(enroll, secret, e),
        agree(enroll, secret, staticKey.publicKey),
        new Uint8Array(32),
      ]);
      assert.equal(hex(schedule.confirmR()), hex(responder.m2.slice(96)), 'everything else is right');
      schedule.mixChipKeys('enroll', ...mixed(e));
      return () => responder.receiveM3(schedule.confirmI());
    };
    const [s, f] = [(e: Uint8Array) => agree(enroll, deviceSecret, e), (e: Uint8Array) => agree(enroll, fileSecret, e)];
    const none = () => new Uint8Array(32);
    for (const mixed of [[s], [f], [f, s], [s, none], [none, f], []] as const) {
      refuses(
        'BF-STUB-AUTHENTICATION',
        m3With((e) => mixed.map((one: (e: Uint8Array) => Uint8Array) => one(e))),
      );
    }
    assert.equal(m3With((e) => [s(e), f(e)])().transcript.length, 64);
  });

  it('is the only one whose payload is longer, and only with a key for life', () => {
    const payload = (kind: number, length: number) =>
      concat(new Uint8Array(28), Uint8Array.of(kind, 1, 2), new Uint8Array(9), new Uint8Array(length - 40).fill(5));
    assert.deepEqual(decodeStubFacts(payload(2, 104)).fileKey, new Uint8Array(32).fill(5));
    assert.equal(decodeStubFacts(payload(2, 72)).fileKey, undefined);
    refuses('BF-TUNNEL-MESSAGE', () => decodeStubFacts(payload(1, 104)));
    for (const length of [71, 73, 103, 105]) {
      refuses('BF-TUNNEL-MESSAGE', () => decodeStubFacts(payload(2, length)), String(length));
    }
  });
});

describe('the suite of a job', () => {
  it('follows from the kind of its key and from whether it enrols', () => {
    assert.equal(suiteFor(1, false), sealed);
    assert.equal(suiteFor(2, false), device);
    assert.equal(suiteFor(2, true), enroll);
    for (const [kind, enrols] of [
      [1, true],
      [3, false],
    ] as const) {
      refuses('BF-INTERNAL-ARGUMENT', () => suiteFor(kind, enrols));
    }
  });
});
