// The handshake as the stub makes it, checked by the controller's own code (docs/protocol.md §4, §8).
import assert from 'node:assert/strict';
import { controlAddress } from '../../fixtures/f42x.ts';
import { decodeStubFacts } from '../../../shared/sealed/payloads.ts';
import { FirmwareFixture } from './firmware-fixture.ts';
import { active, smallPlan } from './sample-jobs.ts';
import { SealedController } from './sealed-controller.ts';

function offered(options = {}): { fixture: FirmwareFixture; controller: SealedController } {
  const fixture = FirmwareFixture.booted(options);
  const controller = new SealedController(fixture, smallPlan());
  controller.giveJob();
  fixture.runUntil(() => fixture.state === 'offered', 1000, 'M1');
  return { fixture, controller };
}

describe('stub handshake', () => {
  it('reaches active with M3 that the controller accepts, and says what it read on the chip', () => {
    const uid = Uint8Array.from({ length: 12 }, (_, i) => 0xa0 + i);
    const { fixture, controller } = offered({ uid });
    controller.shake();
    const facts = decodeStubFacts(controller.facts);
    assert.deepEqual(facts, {
      uid,
      idcode: fixture.word(0xe0042000),
      flashKiB: 2048,
      stubVersion: 0x0200,
      optcr: 0x0fffaaed,
      optcr1: 0x0fff0000,
      keyKind: 'ram',
      handshake: 1,
      widest: 'x32',
      deviceKey: fixture.read(controlAddress('M1') + 104, 32),
    });
    assert.equal(fixture.control('HANDSHAKES'), 1);
  });
  for (const [volts, widest] of [
    [3.3, 'x32'],
    [2.85, 'x16'],
    [2.6, 'x16'],
    [2.3, 'x8'],
    [1.9, 'x8'],
  ] as const) {
    it(`offers ${widest} at ${volts} V`, () => {
      const { controller } = offered({ supplyVolts: volts });
      controller.shake();
      assert.equal(decodeStubFacts(controller.facts).widest, widest);
    });
  }

  it('says M3 only after a good confirm_r: any changed byte of M2 aborts', () => {
    for (const at of [0, 31, 32, 64, 79, 80, 95, 96, 127]) {
      const { fixture, controller } = offered();
      controller.answer((m2) => void (m2[at]! ^= 0x40));
      fixture.runUntil(() => fixture.state === 'aborted', 1000, 'abort');
      assert.equal(fixture.error, 6, `byte ${at}`);
      assert.deepEqual(fixture.read(controlAddress('M3'), 32), new Uint8Array(32));
      assert.equal(fixture.status.reply, 0);
    }
  });
  for (const [what, at, value, detail] of [
    ['of version 1', 16, 1, 1],
    ['of version 3', 16, 3, 3],
    ['with a set reserved byte', 31, 1, 95],
  ] as const) {
    it(`refuses a payload ${what}, though its confirm_r is right`, () => {
      const { fixture, controller } = offered();
      const m2 = controller.respond((payload2) => void (payload2[at] = value));
      fixture.write(controlAddress('M2'), m2);
      fixture.commandTo('m2', 'aborted');
      assert.deepEqual([fixture.error, fixture.detail], [6, detail]);
      assert.deepEqual(fixture.read(controlAddress('M3'), 32), new Uint8Array(32));
    });
  }

  it('does not know a controller with another sealed key', () => {
    const { fixture } = offered();
    const other = new SealedController(fixture, smallPlan(), 6);
    (other.keys.secretKey as Uint8Array)[0]! ^= 8;
    other.answer();
    fixture.runUntil(() => fixture.state === 'aborted', 1000, 'abort');
    assert.equal(fixture.error, 6);
  });

  it('draws a new ephemeral and nonce for every handshake, on every board', () => {
    const seen = new Set<string>();
    for (const seed of [1, 2]) {
      const { fixture } = offered({ seed });
      for (let i = 1; i <= 4; i++) {
        const m1 = Buffer.from(fixture.read(controlAddress('M1'), 64)).toString('hex');
        seen.add(m1.slice(0, 64)).add(m1.slice(64));
        fixture.commandTo('handshake', 'offered');
      }
    }
    assert.equal(seen.size, 16);
  });
  it('makes sixteen handshakes and no more', () => {
    const { fixture, controller } = offered();
    for (let i = 2; i <= 16; i++) {
      fixture.commandTo('handshake', 'offered');
    }
    controller.shake();
    assert.equal(decodeStubFacts(controller.facts).handshake, 16);
    fixture.commandTo('handshake', 'refused');
    assert.equal(fixture.error, 19);
  });
  it('lets a new handshake replace a running session, whose boxes are then worth nothing', () => {
    const { fixture, controller } = active();
    const old = controller.session;
    controller.send({ name: 'PING' });
    controller.reply();
    fixture.commandTo('handshake', 'offered');
    assert.equal(fixture.control('HANDSHAKES'), 2);
    assert.equal(fixture.status.accepted, 0);
    assert.equal(fixture.status.reply, 0);
    assert.equal(fixture.control('REPLY_ACK'), 0);
    controller.shake();
    assert.equal(controller.ask({ name: 'PING' }).name, 'PONG');
    const { box } = old.seal(new Uint8Array(176));
    controller.place(box, 2);
    fixture.runUntil(() => fixture.state === 'aborted', 1000, 'abort');
    assert.equal(fixture.error, 7);
    assert.equal(fixture.detail, 2);
  });
  it('repeats nothing of an earlier session: a frame left in the ring is not taken', () => {
    const { fixture, controller } = active();
    controller.send({ name: 'PING' });
    controller.reply();
    fixture.commandTo('handshake', 'offered');
    controller.shake();
    fixture.runMs(300);
    assert.equal(fixture.state, 'active');
    assert.equal(fixture.status.accepted, 0);
  });
  it('refuses when the random generator has failed meanwhile', () => {
    const { fixture } = offered();
    fixture.board.rng.fault = 'repeating';
    fixture.commandTo('handshake', 'refused');
    assert.equal(fixture.error, 3);
  });
  it('wipes itself when nobody answers within the idle limit', () => {
    const fixture = FirmwareFixture.booted();
    new SealedController(fixture, smallPlan({ idleLimitMs: 1000 })).giveJob();
    fixture.runUntil(() => fixture.state === 'offered', 1000, 'M1');
    fixture.runMs(800);
    assert.equal(fixture.state, 'offered');
    fixture.runMs(500);
    assert.equal(fixture.state, 'expired');
    assert.equal(fixture.error, 15);
    fixture.commandTo('handshake', 'offered');
  });
});
