// Ends of a job that an agent does not take for one, on a virtual board (docs/protocol.md §8, §10, §11).
import assert from 'node:assert/strict';
import type { Receipt } from '../../../shared/plan/receipt.ts';
import { fixtureWithVendor, imageOf } from './agent-fixture.ts';
import { quietPlan, smallPlan } from './support.ts';

describe('agent session, guards', function () {
  this.timeout(60_000);

  describe('the end of a job', () => {
    const BAD: readonly [string, Partial<Receipt>][] = [
      ['of another job', { job: '00'.repeat(16) }],
      ['for another plan', { planHash: '00'.repeat(64) }],
      ['for another unit', { uid: '00'.repeat(12) }],
      ['with an outcome of another kind', { outcome: 'erased', imageDigest: null }],
      ['with a lock nobody planned', { outcome: 'lock programmed' }],
    ];
    for (const [what, change] of BAD) {
      it(`is none with a receipt ${what}`, async () => {
        const { fixture, peer, vendor } = fixtureWithVendor(smallPlan());
        const outcome = await fixture.play(async () => {
          await vendor.begin();
          await vendor.write(imageOf(8192));
          await vendor.ask({ name: 'END' });
          peer.bye(vendor.receipt(change));
        });
        assert.deepEqual([outcome.result, outcome.error?.code], ['failed', 'BF-JOB-RECEIPT']);
        assert.equal(outcome.receipt, undefined);
      });
    }

    for (const [outcome, code] of [
      ['written', 'BF-JOB-RECEIPT'],
      ['lock programmed', 'BF-JOB-NOT-LOCKED'],
    ] as const) {
      it(`is none when a planned lock was not set, though the receipt says “${outcome}”`, async () => {
        const { fixture, peer, vendor } = fixtureWithVendor(smallPlan({ lock: 'level 1' }));
        const end = await fixture.play(async () => {
          await vendor.begin();
          await vendor.write(imageOf(8192));
          await vendor.ask({ name: 'END' });
          peer.bye(vendor.receipt({ outcome, lock: { asked: true, optcr: 0x0fff55ed } }));
        });
        assert.deepEqual([end.result, end.error?.code], ['failed', code]);
      });
    }

    it('is none with a receipt that was altered, or without one', async () => {
      for (const spoil of ['altered', 'missing'] as const) {
        const { fixture, peer, vendor } = fixtureWithVendor(smallPlan());
        const outcome = await fixture.play(async () => {
          await vendor.begin();
          await vendor.write(imageOf(8192));
          await vendor.ask({ name: 'END' });
          const { text, signature } = vendor.receipt();
          peer.bye(spoil === 'missing' ? undefined : { text: text.replace('"bytes":0', '"bytes":1'), signature });
        });
        assert.deepEqual([outcome.result, outcome.error?.code], ['failed', 'BF-JOB-RECEIPT'], spoil);
      }
    });

    it('is none when the chip did nothing, whatever the receipt says', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan());
      const outcome = await fixture.play(async () => {
        await vendor.begin();
        peer.bye(vendor.receipt());
      });
      assert.deepEqual([outcome.result, outcome.error?.code], ['failed', 'BF-JOB-NOT-DONE']);
      assert.equal(fixture.memory.secrets.length > 0, true, 'it can be gone on with');
    });

    it('is none when the image was written and then the erasing began anew', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan());
      const outcome = await fixture.play(async () => {
        await vendor.begin();
        await vendor.write(imageOf(8192));
        peer.send({ name: 'RESTART' });
        await vendor.shake();
        await vendor.ask({ name: 'ERASE', sector: 0 });
        peer.bye(vendor.receipt());
      });
      assert.deepEqual([outcome.result, outcome.error?.code], ['failed', 'BF-JOB-NOT-DONE']);
    });

    it('is one for a later process, which saw nothing of the work but holds the yes and the vendor’s keys', async () => {
      const { fixture, vendor } = fixtureWithVendor(smallPlan());
      void fixture.agent();
      await fixture.drive(
        (async () => {
          await vendor.begin();
          await vendor.write(imageOf(8192));
          await vendor.ask({ name: 'END' });
        })(),
      );
      fixture.killAgent();
      fixture.memory.noteStubGone();
      const peer = fixture.controller(fixture.peer.state);
      const outcome = await fixture.play(async () => {
        await peer.expect('HELLO');
        peer.bye(vendor.receipt());
      });
      assert.deepEqual([outcome.result, outcome.board], ['done', 'unknown']);
      assert.deepEqual(outcome.receipt, vendor.receipt());
    });

    it('of a kind without a receipt needs a yes', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(quietPlan('info'));
      fixture.customer.answer = () => new Promise(() => {});
      const outcome = await fixture.play(async () => {
        await peer.expect('HELLO');
        peer.sendJob(vendor.planBytes);
        await peer.expect('SHEET');
        peer.bye();
      });
      assert.deepEqual([outcome.result, outcome.error?.code], ['failed', 'BF-JOB-REFUSED']);
    });
  });
});
