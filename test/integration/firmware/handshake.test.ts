// The handshake as the stub makes it, checked by the controller's own code (docs/protocol.md §4, §8).
import assert from 'node:assert/strict';
import { controlAddress } from '../../fixtures/f42x.ts';
import { decodeStubFacts } from '../../../shared/sealed/payloads.ts';
import { Bench } from './bench.ts';
import { active, smallPlan } from './jobs.ts';
import { Vendor } from './vendor.ts';

function offered(options = {}): { bench: Bench; vendor: Vendor } {
  const bench = Bench.booted(options);
  const vendor = new Vendor(bench, smallPlan());
  vendor.giveJob();
  bench.runUntil(() => bench.state === 'offered', 1000, 'M1');
  return { bench, vendor };
}

describe('stub handshake', () => {
  it('reaches active with M3 that the controller accepts, and says what it read on the chip', () => {
    const uid = Uint8Array.from({ length: 12 }, (_, i) => 0xa0 + i);
    const { bench, vendor } = offered({ uid });
    vendor.shake();
    const facts = decodeStubFacts(vendor.facts);
    assert.deepEqual(facts, {
      uid,
      idcode: bench.word(0xe0042000),
      flashKiB: 2048,
      stubVersion: 0x0100,
      optcr: 0x0fffaaed,
      optcr1: 0x0fff0000,
      handshake: 1,
      widest: 'x32',
    });
    assert.equal(bench.control('HANDSHAKES'), 1);
  });
  for (const [volts, widest] of [
    [3.3, 'x32'],
    [2.85, 'x16'],
    [2.6, 'x16'],
    [2.3, 'x8'],
    [1.9, 'x8'],
  ] as const) {
    it(`offers ${widest} at ${volts} V`, () => {
      const { vendor } = offered({ supplyVolts: volts });
      vendor.shake();
      assert.equal(decodeStubFacts(vendor.facts).widest, widest);
    });
  }

  it('says M3 only after a good confirm_r: any changed byte of M2 aborts', () => {
    for (const at of [0, 31, 32, 64, 79, 80, 95, 96, 127]) {
      const { bench, vendor } = offered();
      vendor.answer((m2) => void (m2[at]! ^= 0x40));
      bench.runUntil(() => bench.state === 'aborted', 1000, 'abort');
      assert.equal(bench.error, 6, `byte ${at}`);
      assert.deepEqual(bench.read(controlAddress('M3'), 32), new Uint8Array(32));
      assert.equal(bench.status.reply, 0);
    }
  });
  for (const [what, point] of [
    ['zero', new Uint8Array(32)],
    ['one', Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : 0))],
  ] as const) {
    it(`refuses the point ${what} of low order`, () => {
      const { bench, vendor } = offered();
      vendor.answer((m2) => m2.set(point, 0));
      bench.runUntil(() => bench.state === 'aborted', 1000, 'abort');
      assert.equal(bench.error, 20);
    });
  }

  it('does not know a controller with another sealed key', () => {
    const { bench } = offered();
    const other = new Vendor(bench, smallPlan(), 6);
    (other.keys.secretKey as Uint8Array)[0]! ^= 8;
    other.answer();
    bench.runUntil(() => bench.state === 'aborted', 1000, 'abort');
    assert.equal(bench.error, 6);
  });

  it('draws a new ephemeral and nonce for every handshake, on every board', () => {
    const seen = new Set<string>();
    for (const seed of [1, 2]) {
      const { bench } = offered({ seed });
      for (let i = 1; i <= 4; i++) {
        const m1 = Buffer.from(bench.read(controlAddress('M1'), 64)).toString('hex');
        seen.add(m1.slice(0, 64)).add(m1.slice(64));
        bench.commandTo('handshake', 'offered');
      }
    }
    assert.equal(seen.size, 16);
  });
  it('makes sixteen handshakes and no more', () => {
    const { bench, vendor } = offered();
    for (let i = 2; i <= 16; i++) {
      bench.commandTo('handshake', 'offered');
    }
    vendor.shake();
    assert.equal(decodeStubFacts(vendor.facts).handshake, 16);
    bench.commandTo('handshake', 'refused');
    assert.equal(bench.error, 19);
  });
  it('lets a new handshake replace a running session, whose boxes are then worth nothing', () => {
    const { bench, vendor } = active();
    const old = vendor.session;
    vendor.send({ name: 'PING' });
    vendor.reply();
    bench.commandTo('handshake', 'offered');
    assert.equal(bench.control('HANDSHAKES'), 2);
    assert.equal(bench.status.accepted, 0);
    assert.equal(bench.status.reply, 0);
    assert.equal(bench.control('REPLY_ACK'), 0);
    vendor.shake();
    assert.equal(vendor.ask({ name: 'PING' }).name, 'PONG');
    const { box } = old.seal(new Uint8Array(176));
    vendor.place(box, 2);
    bench.runUntil(() => bench.state === 'aborted', 1000, 'abort');
    assert.equal(bench.error, 7);
    assert.equal(bench.detail, 2);
  });
  it('repeats nothing of an earlier session: a frame left in the ring is not taken', () => {
    const { bench, vendor } = active();
    vendor.send({ name: 'PING' });
    vendor.reply();
    bench.commandTo('handshake', 'offered');
    vendor.shake();
    bench.runMs(300);
    assert.equal(bench.state, 'active');
    assert.equal(bench.status.accepted, 0);
  });
  it('refuses when the random generator has failed meanwhile', () => {
    const { bench } = offered();
    bench.board.rng.fault = 'repeating';
    bench.commandTo('handshake', 'refused');
    assert.equal(bench.error, 3);
  });
  it('wipes itself when nobody answers within the idle limit', () => {
    const bench = Bench.booted();
    new Vendor(bench, smallPlan({ idleLimitMs: 1000 })).giveJob();
    bench.runUntil(() => bench.state === 'offered', 1000, 'M1');
    bench.runMs(800);
    assert.equal(bench.state, 'offered');
    bench.runMs(500);
    assert.equal(bench.state, 'expired');
    assert.equal(bench.error, 15);
    bench.commandTo('handshake', 'offered');
  });
});
