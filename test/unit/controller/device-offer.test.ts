// What a controller lets through of a loader's M1 (docs/protocol.md §4, §8): its hash, its kind of key, its lock, and
// that nobody looks in.
import assert from 'node:assert/strict';

import { checkFacts } from '../../../controller/job/checks.ts';
import { readOffer } from '../../../controller/job/sealed-session.ts';
import { toHex } from '../../../shared/codec/bytes.ts';
import { exchangeKeyPair } from '../../../shared/crypto/keys.ts';
import { startSealedInitiator } from '../../fixtures/sealed-initiator.ts';
import { encodeStubFacts, type BootFacts, type StubFacts } from '../../../shared/sealed/payloads.ts';
import { SEALED_SUITES, type SealedSuite } from '../../../shared/sealed/protocol.ts';
import type { Hello } from '../../../shared/tunnel/bodies.ts';
import { smallPlan } from '../../fixtures/plans.ts';
import { refuses, seeded } from '../shared/support.ts';

const { sealed, device, enroll } = SEALED_SUITES;
const keyPair = exchangeKeyPair('sealed', seeded('vendor'));
const loaderHash = new Uint8Array(64).fill(0x4c);
const uid = new Uint8Array(12).fill(0xa5);
const quiet: BootFacts = { resetFlags: 0x0e000000, debug: 0, watchers: 0 };
const LEVEL_0 = 0x0fffaaed;
const LEVEL_1 = 0x0ffe55ed;
const LEVEL_2 = 0x0ffecced;

const facts = (change: Partial<StubFacts> = {}): StubFacts => ({
  uid,
  idcode: 0x20036419,
  flashKiB: 2048,
  stubVersion: 0x200,
  optcr: LEVEL_1,
  optcr1: 0x0fff0000,
  keyKind: 'device',
  handshake: 1,
  widest: 'x32',
  boot: quiet,
  ...change,
});
const hello = {
  target: { devId: 0x419, revId: 0, uid: toHex(uid), flashKiB: 2048, rdp: 1, optcr: LEVEL_1, optcr1: 0 },
} as unknown as Hello;

function offer(suite: SealedSuite, told: StubFacts, allowed = loaderHash) {
  const { m1 } = startSealedInitiator({
    suite,
    responderPublic: keyPair.publicKey,
    contexts: [loaderHash, new Uint8Array(64)],
    deviceSecret: new Uint8Array(32).fill(0xd5),
    ...(suite.bringsFileKey && { fileSecret: new Uint8Array(32).fill(0xdf) }),
    facts: encodeStubFacts(told),
    random: seeded('chip'),
  });
  const plan = smallPlan({ sectors: [4], bootAddress: undefined, ranges: [] });
  return readOffer(loaderHash, m1, {
    suite,
    keyPair,
    allowedStubs: [toHex(allowed)],
    checkFacts: (read) => checkFacts(read, plan, undefined, hello),
  });
}

describe('controller: the offer of a loader', () => {
  it('is taken from a locked chip that nobody looks into, with the keys it brings', () => {
    assert.equal(offer(device, facts()).fileKey, undefined);
    assert.equal(offer(enroll, facts()).fileKey?.length, 32);
  });

  it('is refused from a chip that is not at level 1', () => {
    for (const suite of [device, enroll]) {
      refuses('BF-TARGET-UNLOCKED', () => offer(suite, facts({ optcr: LEVEL_0 })));
      refuses('BF-TARGET-RDP2', () => offer(suite, facts({ optcr: LEVEL_2 })));
    }
  });

  it('is refused while a debugger, breakpoints or trace are on', () => {
    for (const boot of [
      { ...quiet, debug: 1 },
      { ...quiet, watchers: 1 },
      { ...quiet, watchers: 2 },
    ]) {
      refuses('BF-TARGET-WATCHED', () => offer(device, facts({ boot })));
    }
  });

  it('is refused from a loader whose hash is not known', () => {
    refuses('BF-LOADER-UNKNOWN', () => offer(device, facts(), new Uint8Array(64).fill(0x4d)));
  });

  it('a key of one kind is no key of the other', () => {
    const { boot, ...inRam } = facts({ keyKind: 'ram', optcr: LEVEL_0 });
    assert.ok(boot);
    refuses('BF-STUB-AUTHENTICATION', () => offer(device, inRam));
    refuses('BF-STUB-AUTHENTICATION', () => offer(sealed, facts()));
  });
});
