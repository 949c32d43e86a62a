// The handshakes with a loader, whose key is for life, under whoever is on the line (docs/protocol.md §4, suites
// `device` and `enroll`): every bit of what either end says changed, said again, or said by or for somebody else.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import nacl from 'tweetnacl';
import { exchangeKeyPair } from '../../shared/crypto/keys.ts';
import { isBlindflashError } from '../../shared/errors/errors.ts';
import { respondSealed, type SealedContexts, type SealedResponder } from '../../shared/sealed/handshake.ts';
import { CHIP_KEY_OFFSETS, SEALED_SUITES, type SealedSuite } from '../../shared/sealed/protocol.ts';
import { startSealedInitiator, type SealedInitiator } from '../fixtures/sealed-initiator.ts';
import { seededRandom } from '../fixtures/seeded.ts';

const PAYLOAD = 64;
const [D_S, D_F] = [new Uint8Array(32).fill(0xd5), new Uint8Array(32).fill(0xdf)];
const DEVICE = nacl.scalarMult.base(D_S);
const LOADER = new Uint8Array(64).fill(7);
const PLAN = new Uint8Array(64).fill(8);
const vendor = exchangeKeyPair('sealed', seededRandom(1));

interface Heard {
  readonly loader?: Uint8Array;
  readonly plan?: Uint8Array;
  readonly device?: Uint8Array;
}
const contextsOf = (
  suite: SealedSuite,
  { loader = LOADER, plan = PLAN, device = DEVICE }: Heard = {},
): SealedContexts => (suite.knowsDevice ? [loader, plan, device] : [loader, plan]);

const chip = (suite: SealedSuite, seed = 2, responderPublic = vendor.publicKey): SealedInitiator =>
  startSealedInitiator({
    suite,
    responderPublic,
    contexts: contextsOf(suite),
    deviceSecret: D_S,
    ...(suite.bringsFileKey && { fileSecret: D_F }),
    facts: new Uint8Array(40).fill(3),
    random: seededRandom(seed),
  });
const answer = (suite: SealedSuite, m1: Uint8Array, heard: Heard = {}, seed = 3): SealedResponder =>
  respondSealed({
    suite,
    staticKey: vendor,
    contexts: contextsOf(suite, heard),
    payload2: new Uint8Array(32).fill(4),
    random: seededRandom(seed),
    m1,
  });

/** How far two ends come: nobody answers, the chip refuses M2, the vendor refuses M3, or there is a session. */
type End = 'no answer' | 'M2 refused' | 'M3 refused' | 'session';

function refused(act: () => void): boolean {
  try {
    act();
    return false;
  } catch (error) {
    assert.ok(isBlindflashError(error), String(error));
    return true;
  }
}

type Change = (message: Uint8Array) => Uint8Array;
const same: Change = (message) => message;

function played(suite: SealedSuite, { m1 = same, m2 = same, m3 = same, heard = {} as Heard, seed = 3 }): End {
  const one = chip(suite);
  let other: SealedResponder | undefined;
  if (refused(() => (other = answer(suite, m1(one.m1.slice()), heard, seed)))) return 'no answer';
  let said = new Uint8Array(0);
  if (refused(() => (said = one.receiveM2(m2(other!.m2.slice())).m3.slice()))) return 'M2 refused';
  return refused(() => other!.receiveM3(m3(said))) ? 'M3 refused' : 'session';
}

const flipped =
  (bit: number): Change =>
  (message) => {
    message[bit >> 3]! ^= 1 << (bit & 7);
    return message;
  };
const replaced =
  (at: number, by: Uint8Array): Change =>
  (message) => {
    message.set(by, at);
    return message;
  };

/** Points whose multiples are zero, as they may be written. */
const LOW_ORDER = (
  JSON.parse(readFileSync(new URL('../vectors/rfc/rfc7748-x25519.json', import.meta.url), 'utf8')) as {
    low_order_u: string[];
  }
).low_order_u.map((u) => Uint8Array.from(Buffer.from(u, 'hex')));

for (const suite of [SEALED_SUITES.device, SEALED_SUITES.enroll] as const) {
  describe(`attack: the handshake of suite ${suite.purpose}`, function () {
    this.timeout(120_000);

    it('control: unchanged it comes to a session', () => {
      assert.equal(played(suite, {}), 'session');
    });

    it('every bit of M1: the chip takes no answer to what it did not say', () => {
      for (let bit = 0; bit < 8 * suite.m1; bit++) {
        assert.notEqual(played(suite, { m1: flipped(bit) }), 'session', `bit ${bit}`);
      }
    });

    it('every bit of M2: the chip refuses, before it uses its key', () => {
      for (let bit = 0; bit < 8 * 128; bit++) {
        assert.equal(played(suite, { m2: flipped(bit) }), 'M2 refused', `bit ${bit}`);
      }
    });

    it('every bit of M3: the vendor refuses', () => {
      for (let bit = 0; bit < 8 * 32; bit++) {
        assert.equal(played(suite, { m3: flipped(bit) }), 'M3 refused', `bit ${bit}`);
      }
    });

    it('M2 and M3 of another handshake are none of this one', () => {
      const other = chip(suite, 9);
      const theirs = answer(suite, other.m1, {}, 10);
      const m3 = other.receiveM2(theirs.m2).m3;
      assert.equal(played(suite, { m2: () => theirs.m2.slice() }), 'M2 refused');
      assert.equal(played(suite, { m3: () => m3.slice() }), 'M3 refused');
      assert.equal(played(suite, { m2: () => answer(suite, chip(suite).m1, {}, 11).m2.slice() }), 'M3 refused');
    });

    it('an M1 said again has another answer, and the M3 of before opens nothing', () => {
      const one = chip(suite);
      const [first, second] = [answer(suite, one.m1, {}, 3), answer(suite, one.m1, {}, 4)];
      const { m3 } = one.receiveM2(first.m2);
      assert.notDeepEqual(first.m2.slice(0, 32), second.m2.slice(0, 32));
      assert.ok(refused(() => second.receiveM3(m3)));
      first.receiveM3(m3);
      assert.ok(
        refused(() => one.receiveM2(second.m2)),
        'the chip takes one M2',
      );
    });

    it('another loader’s hash, another plan, another vendor: the chip refuses', () => {
      assert.equal(played(suite, { heard: { loader: new Uint8Array(64).fill(6) } }), 'M2 refused');
      assert.equal(played(suite, { heard: { plan: new Uint8Array(64).fill(9) } }), 'M2 refused');
      const stranger = exchangeKeyPair('sealed', seededRandom(12));
      const theirs = chip(suite, 2, stranger.publicKey);
      const { m2 } = answer(suite, theirs.m1);
      assert.ok(refused(() => theirs.receiveM2(m2)));
    });

    it('another device’s key on record: no answer, or none that the chip takes', () => {
      const device = nacl.scalarMult.base(new Uint8Array(32).fill(0xee));
      const at = PAYLOAD + CHIP_KEY_OFFSETS.sessions;
      const heard = { device };
      assert.equal(played(suite, { heard }), suite.knowsDevice ? 'no answer' : 'session');
      assert.equal(played(suite, { heard, m1: replaced(at, device) }), 'M2 refused');
    });

    it('keys of low order or not in canonical form are refused by who gets them', () => {
      for (const point of LOW_ORDER) {
        assert.equal(played(suite, { m1: replaced(0, point) }), 'no answer');
        assert.equal(played(suite, { m1: replaced(PAYLOAD + CHIP_KEY_OFFSETS.sessions, point) }), 'no answer');
        assert.equal(played(suite, { m2: replaced(0, point) }), 'M2 refused');
      }
    });
  });
}
