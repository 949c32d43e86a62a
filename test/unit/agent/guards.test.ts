// What an agent does not put up with, on a virtual board: other keys than the invite's, another session's
// answer, another key of the chip in one tunnel, ends that are none, more than one yes covers (docs/protocol.md
// §3, §4, §6, §8, §10, §11, §14).
import assert from 'node:assert/strict';
import { cleanText } from '../../../shared/codec/foreign-text.ts';
import { exchangeKeyPairFrom, signingKeyPairFrom } from '../../../shared/crypto/keys.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { AgentFixture, fixtureWithVendor, imageOf, isDebugOn, TWO_SECTORS } from './agent-fixture.ts';
import { INVITE, smallPlan, type ControllerPeer } from './support.ts';
import { SealedVendor } from './vendor.ts';

const sealed1s = (peer: ControllerPeer): number => peer.received.filter(({ name }) => name === 'SEALED1').length;

/** How often a stub was put into RAM. */
const loads = (fixture: AgentFixture): number =>
  fixture.probe.accesses.filter(({ kind, address }) => kind === 'write' && address === 0x20000000).length;

describe('agent session, guards', function () {
  this.timeout(60_000);

  describe('whose job', () => {
    const OTHERS = {
      'a sealed key': { sealedPublic: exchangeKeyPairFrom('sealed', seededRandom(900).bytes(32)).publicKey },
      'a receipt key': { receiptPublic: signingKeyPairFrom('receipt', seededRandom(901).bytes(32)).publicKey },
    };
    for (const [what, change] of Object.entries(OTHERS)) {
      it(`refuses ${what} that is not the invite’s, and asks nobody`, async () => {
        const fixture = new AgentFixture();
        const peer = fixture.controller();
        const outcome = await fixture.play(async () => {
          await peer.expect('HELLO');
          peer.sendJob(smallPlan(), change);
          assert.equal((await peer.expect('PROBLEM')).problem.code, 'BF-JOB-OTHER-VENDOR');
        });
        assert.equal(outcome.error?.code, 'BF-JOB-OTHER-VENDOR');
        assert.deepEqual([fixture.customer.sheets.length, isDebugOn(fixture)], [0, false]);
      });
    }

    it('refuses them from a controller that comes back, too', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan());
      const outcome = await fixture.play(async () => {
        await vendor.begin();
        const next = fixture.controller(peer.state);
        await next.expect('HELLO');
        next.sendJob(vendor.planBytes, OTHERS['a sealed key']);
      });
      assert.equal(outcome.error?.code, 'BF-JOB-OTHER-VENDOR');
    });
  });

  describe('what a yes covers', () => {
    it('is asked with the vendor’s fingerprint, the word of this sheet and the code of this tunnel', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan());
      await fixture.play(async () => {
        await vendor.propose();
        peer.giveUp();
      });
      const [sheet] = fixture.customer.sheets;
      assert.deepEqual(sheet?.vendor, INVITE.vendor);
      assert.equal(sheet?.vendorKnown, false);
      assert.ok(sheet?.lines.some((line) => line.trim().startsWith(`${sheet.word}: it stands for this plan`)));
      assert.deepEqual(fixture.customer.asked, fixture.customer.codes);
    });

    it('does not cover another unit', async () => {
      const plan = smallPlan();
      const { fixture, vendor } = fixtureWithVendor(plan);
      void fixture.agent();
      await fixture.drive(vendor.begin());
      fixture.killAgent();
      const other = new AgentFixture({ uid: Uint8Array.from({ length: 12 }, (_, at) => 0xa0 + at) });
      const peer = other.controller(fixture.peer.state);
      Object.assign(other.memory, { secrets: fixture.memory.secrets, consent: fixture.memory.consent });
      await other.play(async () => {
        await new SealedVendor(peer, plan).propose();
        peer.giveUp();
      });
      assert.equal(other.customer.sheets.length, 1);
    });

    it('is asked for once more when eight loads are used up, counted over processes', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan());
      const outcome = await fixture.play(async () => {
        await vendor.propose();
        fixture.memory.loads = 8;
        await vendor.shake();
        fixture.hardware.board.powerOff();
        await peer.expect('PROBLEM');
        fixture.hardware.board.powerOn();
        fixture.customer.answer = () => {
          assert.equal(loads(fixture), 1, 'none before the answer');
          return Promise.resolve(true);
        };
        peer.send({ name: 'RESTART' });
        await vendor.propose();
        assert.equal(fixture.memory.loads, 1, 'counted from 0 again');
        peer.giveUp();
      });
      assert.equal(fixture.customer.sheets.length, 2);
      assert.equal(outcome.byVendor, true);
    });

    it('a no to that is told, and nothing is loaded', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan());
      const outcome = await fixture.play(async () => {
        await vendor.propose();
        fixture.memory.loads = 8;
        await vendor.shake();
        fixture.hardware.board.powerOff();
        await peer.expect('PROBLEM');
        fixture.hardware.board.powerOn();
        fixture.customer.answer = () => Promise.resolve(false);
        peer.send({ name: 'RESTART' });
        assert.equal((await peer.expect('PROBLEM')).problem.code, 'BF-JOB-DECLINED');
      });
      assert.equal(outcome.result, 'declined');
      assert.equal(loads(fixture), 1);
    });

    it('a question on the screen outlives the tunnel it came by', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan());
      let say: (yes: boolean) => void = () => {};
      fixture.customer.answer = () => new Promise((resolve) => (say = resolve));
      const outcome = await fixture.play(async () => {
        const { hello } = await peer.expect('HELLO');
        peer.sendJob(vendor.planBytes);
        await peer.expect('SHEET');
        const next = fixture.controller(peer.state);
        assert.deepEqual((await next.expect('HELLO')).hello.target, hello.target, 'HELLO does not wait for the answer');
        const again = new SealedVendor(next, smallPlan());
        next.sendJob(again.planBytes);
        await next.expect('SHEET');
        say(true);
        assert.equal((await next.expect('CONSENT')).yes, true);
        await again.shake();
        next.giveUp();
      });
      assert.equal(outcome.byVendor, true);
      assert.equal(fixture.customer.sheets.length, 1);
    });

    it('an answer to another sheet is none', async () => {
      const { fixture, peer } = fixtureWithVendor(smallPlan());
      const answers: ((yes: boolean) => void)[] = [];
      fixture.customer.answer = () => new Promise((resolve) => void answers.push(resolve));
      await fixture.play(async () => {
        await peer.expect('HELLO');
        peer.sendJob(smallPlan());
        await peer.expect('SHEET');
        const next = fixture.controller(peer.state);
        await next.expect('HELLO');
        next.sendJob(smallPlan({ label: 'another' }));
        await next.expect('SHEET');
        answers[0]?.(true);
        await new Promise<void>((resolve) => fixture.clock.after(100, resolve));
        assert.equal(next.names().includes('CONSENT'), false);
        assert.equal(fixture.customer.sheets.length, 2);
        answers[1]?.(true);
        assert.equal((await next.expect('CONSENT')).yes, true);
        next.giveUp();
      });
    });

    it('BYE ends a session whose question is on the screen', async () => {
      const { fixture, peer } = fixtureWithVendor(smallPlan());
      fixture.customer.answer = () => new Promise(() => {});
      const outcome = await fixture.play(async () => {
        await peer.expect('HELLO');
        peer.sendJob(smallPlan());
        await peer.expect('SHEET');
        peer.giveUp();
        await peer.expect('LEFT');
      });
      assert.equal(outcome.byVendor, true);
    });
  });

  describe('which message when', () => {
    it('a second JOB in a tunnel ends it', async () => {
      for (const when of ['asked', 'agreed'] as const) {
        const { fixture, peer, vendor } = fixtureWithVendor(smallPlan());
        if (when === 'asked') fixture.customer.answer = () => new Promise(() => {});
        const outcome = await fixture.play(async () => {
          await peer.expect('HELLO');
          peer.sendJob(vendor.planBytes);
          await peer.expect(when === 'asked' ? 'SHEET' : 'SEALED1');
          peer.sendJob(vendor.planBytes);
          assert.equal((await peer.expect('PROBLEM')).problem.code, 'BF-TUNNEL-ORDER', when);
        });
        assert.equal(outcome.error?.code, 'BF-TUNNEL-ORDER', when);
      }
    });

    it('an answer for another session says that somebody sits between, and does not reach the chip', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan());
      const outcome = await fixture.play(async () => {
        await vendor.propose();
        await vendor.answer(() => {}, seededRandom(5).bytes(16));
        const { problem } = await peer.expect('PROBLEM');
        assert.equal(problem.code, 'BF-TUNNEL-ORDER');
        assert.match(cleanText(problem.detail), /sit between/);
      });
      assert.equal(outcome.error?.code, 'BF-TUNNEL-ORDER');
      const intoM2 = fixture.probe.accesses.filter(({ kind, address }) => kind === 'write' && address === 0x2002d150);
      assert.deepEqual(intoM2, []);
    });

    it('a frame that came before is as wrong as one that skips', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan());
      const outcome = await fixture.play(async () => {
        await vendor.begin();
        vendor.send({ name: 'PING' });
        peer.send({ name: 'FRAME', sequence: 1, box: new Uint8Array(192) });
      });
      assert.equal(outcome.error?.code, 'BF-TUNNEL-ORDER');
    });

    it('drops SEALED2 and FRAME that belong to nothing, and goes on', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan());
      const outcome = await fixture.play(async () => {
        await vendor.propose();
        peer.send({ name: 'FRAME', sequence: 5, box: new Uint8Array(192) });
        await vendor.shake();
        peer.send({ name: 'SEALED2', m2: new Uint8Array(128) });
        await vendor.finish(imageOf(8192));
      });
      assert.equal(outcome.result, 'done');
    });

    it('CREDIT begins at 0 again with every sealed session and never falls within one', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan(TWO_SECTORS));
      await fixture.play(async () => {
        await vendor.beginErasing();
        peer.send({ name: 'RESTART' });
        await vendor.shake();
        await vendor.finish(imageOf(32768));
      });
      const sessions: number[][] = [];
      for (const message of peer.received) {
        if (message.name === 'SEALED3') sessions.push([]);
        if (message.name === 'CREDIT') sessions.at(-1)?.push(message.upTo);
      }
      assert.equal(sessions.length, 2);
      for (const told of sessions) {
        assert.equal(told[0], 2048);
        assert.deepEqual(
          told,
          [...told].sort((a, b) => a - b),
        );
      }
      const accepted = peer.received.flatMap((message) => (message.name === 'PROGRESS' ? [message.accepted] : []));
      assert.equal(Math.max(...accepted) <= 20, true, 'commands, not bytes');
    });
  });

  describe('a tunnel that another has replaced', () => {
    it('says nothing in the new one, and what it had said is forgotten', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan());
      let loading: () => void = () => {};
      const isLoading = new Promise<void>((resolve) => (loading = resolve));
      let goOn: () => void = () => {};
      const gate = new Promise<void>((resolve) => (goOn = resolve));
      const write = fixture.probe.writeMemory.bind(fixture.probe);
      fixture.probe.writeMemory = async (address, bytes, width) => {
        if (address === 0x20000000) {
          loading();
          await gate;
        }
        return write(address, bytes, width);
      };
      const outcome = await fixture.play(async () => {
        await vendor.propose();
        await isLoading;
        peer.giveUp();
        await new Promise<void>((resolve) => fixture.clock.after(50, resolve));
        const next = fixture.controller(peer.state);
        await new Promise<void>((resolve) => fixture.clock.after(5000, resolve));
        assert.deepEqual([next.tunnels, next.names()], [1, []], 'the new tunnel stands, the agent is busy');
        goOn();
        await next.expect('HELLO');
        assert.deepEqual(next.names(), ['HELLO'], 'the offer belonged to the tunnel before');
        next.giveUp('BF-JOB-POLICY');
      });
      assert.equal(outcome.error?.code, 'BF-JOB-POLICY');
    });
  });

  describe('the key of the chip', () => {
    it('is the same after a failed box, a new controller and a new agent, each in one more tunnel at most', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan());
      void fixture.agent();
      await fixture.drive(
        (async () => {
          await vendor.begin();
          peer.send({ name: 'FRAME', sequence: 1, box: new Uint8Array(192) });
          await peer.expect('PROBLEM');
          peer.send({ name: 'RESTART' });
          await vendor.shake();
        })(),
      );
      assert.equal(peer.tunnels, 1);
      fixture.killAgent();
      const outcome = await fixture.play(async () => {
        await vendor.propose();
        await vendor.shake();
        await vendor.finish(imageOf(8192));
      });
      assert.equal(outcome.result, 'done');
      assert.equal(vendor.deviceKeys.length, 3);
      assert.equal(new Set(vendor.deviceKeys).size, 1);
    });

    it('another one after the idle limit is told in a new tunnel only', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan({ idleLimitMs: 1000 }));
      const outcome = await fixture.play(async () => {
        await vendor.begin();
        await peer.expect('PROBLEM');
        const before = sealed1s(peer);
        peer.send({ name: 'RESTART' });
        peer.send({ name: 'RESTART' });
        await vendor.propose();
        assert.deepEqual([peer.tunnels, sealed1s(peer)], [2, before]);
        await vendor.shake();
        await vendor.finish(imageOf(8192));
      });
      assert.equal(outcome.result, 'done');
      assert.equal(new Set(vendor.deviceKeys).size, 2);
    });

    it('an offer that waited for its answer beyond the idle limit is told as expired', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan({ idleLimitMs: 1000 }));
      await fixture.play(async () => {
        await vendor.propose();
        await new Promise<void>((resolve) => fixture.clock.after(3000, resolve));
        await vendor.answer();
        assert.equal((await peer.expect('PROBLEM')).problem.code, 'BF-JOB-EXPIRED');
        peer.giveUp();
      });
    });

    it('of another unit than the probe has looked at is not told at all', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan());
      const read = fixture.probe.readMemory.bind(fixture.probe);
      fixture.probe.readMemory = async (address, length, width) => {
        const bytes = await read(address, length, width);
        return address === 0x1fff7a10 ? bytes.map((byte) => byte ^ 1) : bytes;
      };
      await fixture.play(async () => {
        await vendor.propose();
        assert.equal((await peer.expect('PROBLEM')).problem.code, 'BF-JOB-OTHER-BOARD');
        assert.equal(sealed1s(peer), 0);
        peer.giveUp('BF-JOB-OTHER-BOARD');
      });
    });
  });

  describe('codes', () => {
    it('shows sixteen, then a person has to start again', async () => {
      const fixture = new AgentFixture();
      let peer = fixture.controller();
      const outcome = await fixture.play(async () => {
        for (let tunnel = 1; tunnel <= 16; tunnel++) {
          await peer.expect('HELLO');
          peer = fixture.controller(peer.state);
        }
        assert.equal((await peer.expect('PROBLEM')).problem.code, 'BF-INVITE-CODES');
      });
      assert.equal(outcome.error?.code, 'BF-INVITE-CODES');
      assert.equal(fixture.customer.codes.length, 16);
      assert.equal(new Set(fixture.customer.codes).size, 16);
    });
  });

  describe('the way back', () => {
    it('is two secrets in one write, and one once the vendor’s first box came', async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan());
      const writes: number[] = [];
      const keep = fixture.memory.keepSecrets.bind(fixture.memory);
      fixture.memory.keepSecrets = (secrets) => {
        writes.push(secrets.length);
        keep(secrets);
      };
      await fixture.play(async () => {
        await vendor.begin();
        peer.giveUp();
      });
      assert.deepEqual(writes, [2, 1]);
    });
  });
});
