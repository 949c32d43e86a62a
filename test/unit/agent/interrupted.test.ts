// The session, interrupted, on a virtual board: everything put back on every way out, and every way back
// (docs/protocol.md §11).
import assert from 'node:assert/strict';
import {
  debugWords,
  imageOf,
  isDebugOn,
  MAILBOX,
  fixtureWithVendor,
  AgentFixture,
  TWO_SECTORS,
} from './agent-fixture.ts';
import { smallPlan } from './support.ts';
import { SealedVendor } from './vendor.ts';

describe('agent session, interrupted', function () {
  this.timeout(60_000);

  describe('interruptions', () => {
    it('Ctrl-C at the consent question leaves the board untouched', async () => {
      const fixture = new AgentFixture();
      const peer = fixture.controller();
      fixture.customer.answer = () => {
        fixture.stop.abort();
        return new Promise(() => {});
      };
      const outcome = await fixture.play(async () => {
        await peer.expect('HELLO');
        peer.sendJob(smallPlan());
        const { problem } = await peer.expect('PROBLEM');
        assert.deepEqual([problem.code, problem.board], ['BF-JOB-INTERRUPTED', 'untouched']);
        assert.equal((await peer.expect('LEFT')).left.board, 'untouched');
      });
      assert.equal(outcome.error?.code, 'BF-JOB-INTERRUPTED');
      assert.equal(isDebugOn(fixture), false);
    });

    it('Ctrl-C in the middle wipes the keys, restores, tells both sides; the next agent finishes the job', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan(TWO_SECTORS));
      const interrupted = await fixture.play(async () => {
        await vendor.beginErasing();
        fixture.stop.abort();
        const { problem } = await peer.expect('PROBLEM');
        assert.deepEqual([problem.code, problem.board], ['BF-JOB-INTERRUPTED', 'incomplete']);
        assert.equal((await peer.expect('LEFT')).left.board, 'incomplete');
      });
      assert.deepEqual([interrupted.result, interrupted.board], ['failed', 'incomplete']);
      assert.equal(isDebugOn(fixture), false);
      assert.equal(fixture.word(0x2002d004) >>> 24, 8, 'the stub has wiped its keys, the chip’s own included');
      const asked = fixture.customer.sheets.length;
      const outcome = await fixture.play(async () => {
        assert.equal(await vendor.propose(), true);
        await vendor.shake();
        await vendor.finish(imageOf(32768));
      });
      assert.deepEqual([outcome.result, outcome.board], ['done', 'running']);
      assert.equal(fixture.customer.sheets.length, asked, 'the customer is not asked twice for one plan');
      assert.equal(fixture.memory.consent, undefined, 'nothing is kept of a job that is over');
    });

    it('an unplugged probe ends the job with its own code and keeps the way back', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan());
      const outcome = await fixture.play(async () => {
        await vendor.beginErasing();
        fixture.hardware.usb.unplug();
        const { problem } = await peer.expect('PROBLEM');
        assert.deepEqual([problem.code, problem.board], ['BF-PROBE-UNPLUGGED', 'incomplete']);
      });
      assert.deepEqual([outcome.error?.code, outcome.board], ['BF-PROBE-UNPLUGGED', 'incomplete']);
      assert.notEqual(fixture.memory.secrets.length, 0);
      assert.equal(fixture.memory.stubLoaded, true);
    });
  });

  describe('ways back', () => {
    it('a killed agent is followed by one that halts and resets nothing, and asks nobody', async () => {
      const { fixture, vendor } = fixtureWithVendor(smallPlan(TWO_SECTORS));
      const original = debugWords(fixture);
      void fixture.agent();
      await fixture.drive(vendor.beginErasing());
      fixture.killAgent();
      const asked = fixture.customer.sheets.length;
      let outside: string[] = ['not looked'];
      const outcome = await fixture.play(async () => {
        assert.equal(await vendor.propose(), true);
        await vendor.shake();
        outside = fixture.probe.outside(...MAILBOX);
        await vendor.finish(imageOf(32768));
      });
      assert.deepEqual(
        outside,
        ['read e0042000+4'],
        'no halt, no reset; DEV_ID only, to know where to look for the stub',
      );
      assert.deepEqual([outcome.result, outcome.board], ['done', 'running']);
      assert.equal(fixture.customer.sheets.length, asked);
      assert.deepEqual(debugWords(fixture), original, 'restored to what the first agent found');
      assert.deepEqual(fixture.hardware.board.flash.bytes.slice(0, 32768), imageOf(32768).slice(0, 32768));
    });

    it('on another part the stub is found where that part has it', async () => {
      const { fixture, vendor } = fixtureWithVendor(smallPlan({ ...TWO_SECTORS, devId: 0x413, flashKiB: 1024 }), {
        chip: 'stm32f405',
        flash: imageOf(4096).slice(0, 0x100000),
      });
      void fixture.agent();
      await fixture.drive(vendor.beginErasing());
      fixture.killAgent();
      const loaded = (): number =>
        fixture.probe.accesses.filter(({ kind, address }) => kind === 'write' && address === 0x20000000).length;
      const outcome = await fixture.play(async () => {
        assert.equal(await vendor.propose(), true);
        await vendor.shake();
        assert.equal(loaded(), 0, 'it is gone on with, not loaded again');
        await vendor.finish(imageOf(32768));
      });
      assert.deepEqual([outcome.result, outcome.board], ['done', 'running']);
      assert.deepEqual(fixture.hardware.board.flash.bytes.slice(0, 32768), imageOf(32768).slice(0, 32768));
    });

    it('a new controller process gets a new sealed session without another question', async () => {
      const fixture = new AgentFixture();
      const plan = smallPlan(TWO_SECTORS);
      const lost = new SealedVendor(fixture.controller(), plan);
      const agent = fixture.agent();
      await fixture.drive(lost.beginErasing());
      const peer = fixture.controller(fixture.peer.state);
      const vendor = new SealedVendor(peer, plan);
      const outcome = await fixture.drive(
        (async () => {
          assert.equal(await vendor.propose(), true);
          peer.send({ name: 'RESTART' });
          await vendor.shake();
          await vendor.finish(imageOf(32768));
          return agent;
        })(),
      );
      assert.deepEqual([outcome.result, outcome.board], ['done', 'running']);
      assert.equal(fixture.customer.sheets.length, 1);
      assert.equal(peer.received.filter(({ name }) => name === 'SEALED1').length, 1, 'RESTART crossed an offer');
    });

    it('another plan in the same room needs another yes', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan());
      const outcome = await fixture.play(async () => {
        await vendor.begin();
        fixture.customer.answer = () => Promise.resolve(false);
        const next = fixture.controller(peer.state);
        await next.expect('HELLO');
        next.sendJob(smallPlan({ label: 'another' }));
        assert.equal((await next.expect('CONSENT')).yes, false);
      });
      assert.equal(fixture.customer.sheets.length, 2);
      assert.deepEqual([outcome.result, outcome.board], ['declined', 'running']);
    });

    it('a board that lost its power is given a new stub on RESTART, and its new key is told in a new tunnel', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan());
      const outcome = await fixture.play(async () => {
        await vendor.beginErasing();
        fixture.hardware.board.powerOff();
        const { problem } = await peer.expect('PROBLEM');
        assert.match(problem.code, /^BF-(TARGET|STUB)-/);
        assert.equal(problem.board, 'incomplete');
        fixture.hardware.board.powerOn();
        const before = peer.received.filter(({ name }) => name === 'SEALED1').length;
        peer.send({ name: 'RESTART' });
        assert.equal(await vendor.propose(), true, 'HELLO of another tunnel');
        assert.equal(peer.tunnels, 2);
        assert.equal(
          peer.received.filter(({ name }) => name === 'SEALED1').length,
          before,
          'no other key in the first',
        );
        await vendor.shake();
        await vendor.finish(imageOf(8192));
      });
      assert.deepEqual([outcome.result, outcome.board], ['done', 'running']);
      assert.equal(fixture.customer.sheets.length, 1, 'the yes covers the same unit');
      assert.equal(new Set(fixture.customer.codes).size, 2, 'the code of the new tunnel is shown');
      assert.equal(new Set(vendor.deviceKeys).size, 2);
    });

    it('a reset button pressed in the middle is noticed and told', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan());
      const outcome = await fixture.play(async () => {
        await vendor.begin();
        fixture.hardware.board.assertNrst();
        fixture.hardware.board.releaseNrst();
        const { problem } = await peer.expect('PROBLEM');
        assert.deepEqual([problem.code, problem.board], ['BF-STUB-SILENT', 'untouched']);
        peer.giveUp();
      });
      assert.equal(outcome.result, 'failed');
      assert.equal(isDebugOn(fixture), false);
    });

    it('a lost link costs nothing but time', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan(TWO_SECTORS));
      const outcome = await fixture.play(async () => {
        await vendor.begin();
        for (const ms of [320, 700, 900]) fixture.clock.after(ms, () => fixture.loseLink(100));
        await vendor.finish(imageOf(32768));
      });
      assert.deepEqual([outcome.result, outcome.board], ['done', 'running']);
      assert.equal(peer.received.filter(({ name }) => name === 'SEALED1').length, 1);
      assert.equal(
        fixture.customer.said.some((text) => text.includes('interrupted')),
        true,
      );
      assert.deepEqual(fixture.hardware.board.flash.bytes.slice(0, 32768), imageOf(32768).slice(0, 32768));
    });

    it('an idle limit that runs out is told as such', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan({ idleLimitMs: 1000 }));
      await fixture.play(async () => {
        await vendor.begin();
        const { problem } = await peer.expect('PROBLEM');
        assert.deepEqual([problem.code, problem.board], ['BF-JOB-EXPIRED', 'waiting']);
        peer.giveUp();
      });
    });
  });
});
