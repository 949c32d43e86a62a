// A board that is locked is let go of before BYE, and a chip hears what came behind M2 (docs/protocol.md §6, §8), on a
// virtual board.
import assert from 'node:assert/strict';
import type { BoxSession } from '../../../shared/crypto/session.ts';
import { encodeCommand } from '../../../shared/sealed/messages.ts';
import { fixtureWithVendor, imageOf } from './agent-fixture.ts';
import { smallPlan } from './support.ts';

const LOCK = { lock: 'level 1' } as const;
const IMAGE = imageOf(8192);
const LOCKED = { outcome: 'lock programmed', lock: { asked: true, optcr: 0x0fff55ed } } as const;

describe('agent session: a locked board', function () {
  this.timeout(60_000);

  it('is let go of as soon as the chip has said LOCKED and ENDED; done is said when BYE says so', async () => {
    const { fixture, peer, vendor } = fixtureWithVendor(smallPlan(LOCK));
    const outcome = await fixture.play(async () => {
      await vendor.begin();
      await vendor.write(IMAGE);
      await vendor.ask({ name: 'LOCK' });
      await vendor.ask({ name: 'END' });
      assert.equal((await peer.expect('LEFT')).left.board, 'locked');
      assert.equal(fixture.memory.consent !== undefined, true, 'it waits for the receipt');
      peer.bye(vendor.receipt(LOCKED));
    });
    assert.deepEqual([outcome.result, outcome.board], ['done', 'locked']);
    assert.deepEqual(outcome.receipt, vendor.receipt(LOCKED));
  });

  it('is not let go of when OPTCR reads level 0', async () => {
    const { fixture, peer, vendor } = fixtureWithVendor(smallPlan(LOCK));
    const outcome = await fixture.play(async () => {
      await vendor.begin();
      await vendor.write(IMAGE);
      await vendor.ask({ name: 'END' });
      peer.bye(vendor.receipt(LOCKED));
      assert.equal((await peer.expect('PROBLEM')).problem.code, 'BF-JOB-NOT-LOCKED');
    });
    assert.equal(outcome.error?.code, 'BF-JOB-NOT-LOCKED');
  });

  it('a vendor who lost what the chip said, and sends the job again, hears that the chip is locked', async () => {
    const { fixture, vendor } = fixtureWithVendor(smallPlan(LOCK));
    const running = fixture.agent();
    await fixture.drive(
      (async () => {
        await vendor.begin();
        await vendor.write(IMAGE);
        await vendor.ask({ name: 'LOCK' });
        await vendor.ask({ name: 'END' });
        await fixture.peer.expect('LEFT');
      })(),
    );
    const peer = fixture.controller(fixture.peer.state);
    await fixture.drive(
      (async () => {
        await peer.expect('HELLO');
        peer.sendJob(vendor.planBytes);
        assert.equal((await peer.expect('PROBLEM')).problem.code, 'BF-TARGET-RDP1');
        assert.equal((await peer.expect('LEFT')).left.board, 'locked', 'said again in the new tunnel');
      })(),
    );
    assert.equal((await fixture.drive(running)).board, 'locked');
  });
});

describe('agent session: what comes behind M2', function () {
  this.timeout(60_000);

  it('is obeyed once the chip has taken M2', async () => {
    const { fixture, vendor, peer } = fixtureWithVendor(smallPlan());
    const outcome = await fixture.play(async () => {
      await vendor.propose();
      const responder = await vendor.answer();
      vendor.session = responder.session;
      vendor.send({ name: 'ERASE', sector: 0 });
      responder.receiveM3((await peer.expect('SEALED3')).m3);
      assert.equal((await vendor.reply()).name, 'ERASED');
      vendor.send({ name: 'ABORT' });
      peer.send({ name: 'BYE', done: false, failure: { code: 'BF-JOB-INTERRUPTED', detail: '' } });
    });
    assert.equal(outcome.board, 'incomplete');
  });

  it('is dropped when the chip refuses M2, and changes nothing', async () => {
    const { fixture, vendor, peer } = fixtureWithVendor(smallPlan());
    const before = fixture.hardware.board.flash.bytes.slice();
    const outcome = await fixture.play(async () => {
      await vendor.propose();
      const responder = await vendor.answer((m2) => (m2[120]! ^= 1));
      const { sequence, box } = (responder.session as BoxSession).seal(encodeCommand({ name: 'ERASE', sector: 0 }));
      peer.send({ name: 'FRAME', sequence, box });
      await peer.expect('PROBLEM');
      peer.send({ name: 'RESTART' });
      await vendor.shake();
      peer.send({ name: 'BYE', done: false, failure: { code: 'BF-JOB-INTERRUPTED', detail: '' } });
    });
    assert.equal(outcome.board, 'running', 'nothing was touched: the program in it runs again');
    assert.deepEqual(fixture.hardware.board.flash.bytes, before);
  });
});
