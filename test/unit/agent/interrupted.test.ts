// The session, interrupted, on the virtual desk: everything put back on every way out, and every way back (docs/protocol.md §11).
import assert from 'node:assert/strict';
import { debugWords, imageOf, isDebugOn, MAILBOX, meet, Scene, TWO_SECTORS } from './scene.ts';
import { smallPlan } from './support.ts';
import { SealedVendor } from './vendor.ts';

describe('agent session, interrupted', function () {
  this.timeout(60_000);

  describe('interruptions', () => {
    it('Ctrl-C at the consent question leaves the board untouched', async () => {
      const scene = new Scene();
      const peer = scene.controller();
      scene.customer.answer = () => {
        scene.stop.abort();
        return new Promise(() => {});
      };
      const outcome = await scene.play(async () => {
        await peer.expect('HELLO');
        peer.sendJob(smallPlan());
        const { problem } = await peer.expect('PROBLEM');
        assert.deepEqual([problem.code, problem.board], ['BF-JOB-INTERRUPTED', 'untouched']);
        assert.equal((await peer.expect('LEFT')).left.board, 'untouched');
      });
      assert.equal(outcome.error?.code, 'BF-JOB-INTERRUPTED');
      assert.equal(isDebugOn(scene), false);
    });

    it('Ctrl-C in the middle wipes the keys, restores, tells both sides; the next agent finishes the job', async () => {
      const { scene, peer, vendor } = meet(smallPlan(TWO_SECTORS));
      const interrupted = await scene.play(async () => {
        await vendor.beginErasing();
        scene.stop.abort();
        const { problem } = await peer.expect('PROBLEM');
        assert.deepEqual([problem.code, problem.board], ['BF-JOB-INTERRUPTED', 'incomplete']);
        assert.equal((await peer.expect('LEFT')).left.board, 'incomplete');
      });
      assert.deepEqual([interrupted.result, interrupted.board], ['failed', 'incomplete']);
      assert.equal(isDebugOn(scene), false);
      assert.equal(scene.word(0x2002d004) >>> 24, 7, 'the stub has wiped its keys');
      const asked = scene.customer.sheets.length;
      const outcome = await scene.play(async () => {
        assert.equal(await vendor.propose(), true);
        await vendor.shake();
        await vendor.finish(imageOf(32768));
      });
      assert.deepEqual([outcome.result, outcome.board], ['done', 'running']);
      assert.equal(scene.customer.sheets.length, asked, 'the customer is not asked twice for one plan');
      assert.equal(scene.memory.resumeSecret, undefined, 'nothing is kept of a job that is over');
    });

    it('an unplugged probe ends the job with its own code and keeps the way back', async () => {
      const { scene, peer, vendor } = meet(smallPlan());
      const outcome = await scene.play(async () => {
        await vendor.beginErasing();
        scene.desk.usb.unplug();
        const { problem } = await peer.expect('PROBLEM');
        assert.deepEqual([problem.code, problem.board], ['BF-PROBE-UNPLUGGED', 'incomplete']);
      });
      assert.deepEqual([outcome.error?.code, outcome.board], ['BF-PROBE-UNPLUGGED', 'waiting']);
      assert.notEqual(scene.memory.resumeSecret, undefined);
      assert.equal(scene.memory.stubLoaded, true);
    });
  });

  describe('ways back', () => {
    it('a killed agent is followed by one that halts and resets nothing, and asks nobody', async () => {
      const { scene, vendor } = meet(smallPlan(TWO_SECTORS));
      const original = debugWords(scene);
      void scene.agent();
      await scene.drive(vendor.beginErasing());
      scene.killAgent();
      const asked = scene.customer.sheets.length;
      let outside: string[] = ['not looked'];
      const outcome = await scene.play(async () => {
        assert.equal(await vendor.propose(), true);
        await vendor.shake();
        outside = scene.probe.outside(...MAILBOX);
        await vendor.finish(imageOf(32768));
      });
      assert.deepEqual(
        outside,
        ['read e0042000+4'],
        'no halt, no reset; DEV_ID only, to know where to look for the stub',
      );
      assert.deepEqual([outcome.result, outcome.board], ['done', 'running']);
      assert.equal(scene.customer.sheets.length, asked);
      assert.deepEqual(debugWords(scene), original, 'restored to what the first agent found');
      assert.deepEqual(scene.desk.board.flash.bytes.slice(0, 32768), imageOf(32768).slice(0, 32768));
    });

    it('on another part the stub is found where that part has it', async () => {
      const { scene, vendor } = meet(smallPlan({ ...TWO_SECTORS, devId: 0x413, flashKiB: 1024 }), {
        chip: 'stm32f405',
        flash: imageOf(4096).slice(0, 0x100000),
      });
      void scene.agent();
      await scene.drive(vendor.beginErasing());
      scene.killAgent();
      const loaded = (): number =>
        scene.probe.accesses.filter(({ kind, address }) => kind === 'write' && address === 0x20000000).length;
      const outcome = await scene.play(async () => {
        assert.equal(await vendor.propose(), true);
        await vendor.shake();
        assert.equal(loaded(), 0, 'it is gone on with, not loaded again');
        await vendor.finish(imageOf(32768));
      });
      assert.deepEqual([outcome.result, outcome.board], ['done', 'running']);
      assert.deepEqual(scene.desk.board.flash.bytes.slice(0, 32768), imageOf(32768).slice(0, 32768));
    });

    it('a killed agent is followed by one that serves the same sealed session on, if the controller goes on', async () => {
      const { scene, peer, vendor } = meet(smallPlan());
      void scene.agent();
      await scene.drive(vendor.beginErasing());
      scene.killAgent();
      const pong = await scene.drive(
        (async () => {
          void scene.agent();
          await peer.expect('HELLO');
          return vendor.ask({ name: 'PING' });
        })(),
      );
      assert.equal(pong.name, 'PONG');
    });

    it('a new controller process gets a new sealed session without another question', async () => {
      const scene = new Scene();
      const plan = smallPlan(TWO_SECTORS);
      const lost = new SealedVendor(scene.controller(), plan);
      const agent = scene.agent();
      await scene.drive(lost.beginErasing());
      const secret = scene.peer.resumeSecret;
      const peer = scene.controller(secret);
      const vendor = new SealedVendor(peer, plan);
      const outcome = await scene.drive(
        (async () => {
          assert.equal(await vendor.propose(), true);
          peer.send({ name: 'RESTART' });
          await vendor.shake();
          await vendor.finish(imageOf(32768));
          return agent;
        })(),
      );
      assert.deepEqual([outcome.result, outcome.board], ['done', 'running']);
      assert.equal(scene.customer.sheets.length, 1);
      assert.equal(peer.received.filter(({ name }) => name === 'SEALED1').length, 1, 'RESTART crossed an offer');
    });

    it('another plan in the same room needs another yes', async () => {
      const { scene, peer, vendor } = meet(smallPlan());
      const outcome = await scene.play(async () => {
        await vendor.begin();
        scene.customer.answer = () => Promise.resolve(false);
        peer.sendJob(smallPlan({ label: 'another' }));
        assert.equal((await peer.expect('CONSENT')).yes, false);
      });
      assert.equal(scene.customer.sheets.length, 2);
      assert.deepEqual([outcome.result, outcome.board], ['declined', 'running']);
    });

    it('a board that lost its power is given a new stub on RESTART', async () => {
      const { scene, peer, vendor } = meet(smallPlan());
      const outcome = await scene.play(async () => {
        await vendor.beginErasing();
        scene.desk.board.powerOff();
        const { problem } = await peer.expect('PROBLEM');
        assert.match(problem.code, /^BF-(TARGET|STUB)-/);
        assert.equal(problem.board, 'incomplete');
        scene.desk.board.powerOn();
        peer.send({ name: 'RESTART' });
        await vendor.shake();
        await vendor.finish(imageOf(8192));
      });
      assert.deepEqual([outcome.result, outcome.board], ['done', 'running']);
      assert.equal(scene.customer.sheets.length, 1);
    });

    it('a reset button pressed in the middle is noticed and told', async () => {
      const { scene, peer, vendor } = meet(smallPlan());
      const outcome = await scene.play(async () => {
        await vendor.begin();
        scene.desk.board.assertNrst();
        scene.desk.board.releaseNrst();
        const { problem } = await peer.expect('PROBLEM');
        assert.deepEqual([problem.code, problem.board], ['BF-STUB-SILENT', 'untouched']);
        peer.bye(false);
      });
      assert.equal(outcome.result, 'failed');
      assert.equal(isDebugOn(scene), false);
    });

    it('a lost link costs nothing but time', async () => {
      const { scene, peer, vendor } = meet(smallPlan(TWO_SECTORS));
      const outcome = await scene.play(async () => {
        await vendor.begin();
        for (const ms of [320, 700, 900]) scene.clock.after(ms, () => scene.loseLink(100));
        await vendor.finish(imageOf(32768));
      });
      assert.deepEqual([outcome.result, outcome.board], ['done', 'running']);
      assert.equal(peer.received.filter(({ name }) => name === 'SEALED1').length, 1);
      assert.equal(
        scene.customer.said.some((text) => text.includes('interrupted')),
        true,
      );
      assert.deepEqual(scene.desk.board.flash.bytes.slice(0, 32768), imageOf(32768).slice(0, 32768));
    });

    it('an idle limit that runs out is told as such', async () => {
      const { scene, peer, vendor } = meet(smallPlan({ idleLimitMs: 1000 }));
      await scene.play(async () => {
        await vendor.begin();
        const { problem } = await peer.expect('PROBLEM');
        assert.deepEqual([problem.code, problem.board], ['BF-JOB-EXPIRED', 'waiting']);
        peer.bye(false);
      });
    });
  });
});
