// Every bit of every handshake message and of a box, flipped (docs/threat-model.md, "flip any bit"):
// refused by whoever reads it.
import assert from 'node:assert/strict';
import { readOffer, SealedHandshake } from '../../controller/job/sealed-session.ts';
import { toHex } from '../../shared/codec/bytes.ts';
import { exchangeKeyPair, psk } from '../../shared/crypto/keys.ts';
import { isBlindflashError } from '../../shared/errors/errors.ts';
import { controlAddress } from '../fixtures/f42x.ts';
import { silentLog } from '../../shared/ports.ts';
import { encodeCommand } from '../../shared/sealed/messages.ts';
import { encodeStubFacts } from '../../shared/sealed/payloads.ts';
import { startSealedInitiator } from '../fixtures/sealed-initiator.ts';
import { SEALED_SUITES } from '../../shared/sealed/protocol.ts';
import { AgentTunnel } from '../../shared/tunnel/agent-tunnel.ts';
import { ControllerTunnel } from '../../shared/tunnel/controller-tunnel.ts';
import { TunnelAnswer, TunnelAttempt } from '../../shared/tunnel/handshake.ts';
import { newInviteState } from '../../shared/tunnel/invite-state.ts';
import type { TunnelMessage, TunnelSide } from '../../shared/tunnel/messages.ts';
import { TunnelResponder } from '../../shared/tunnel/responder.ts';
import type { BoardSnapshot } from '../../sim/board.ts';
import { EventQueue } from '../../sim/event-queue.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import { bitFlips } from '../fixtures/tamper.ts';
import { FirmwareFixture } from '../integration/firmware/firmware-fixture.ts';
import { active, smallPlan } from '../integration/firmware/sample-jobs.ts';
import { SealedController } from '../integration/firmware/sealed-controller.ts';

/**
 * The real stub takes a fifth of a second for an M2, so by default it is shown one bit of each byte, another in each.
 */
const M2_STRIDE = process.env['SCENARIO_FULL'] === undefined ? 9 : 1;

function refusedBy(code: RegExp): (error: unknown) => boolean {
  return (error) => isBlindflashError(error) && code.test(error.code);
}

describe('bit flips in the tunnel handshake', () => {
  const random = seededRandom(1);
  const keyPair = exchangeKeyPair('tunnel', random);
  const publicInviteHash = random.bytes(64);
  const secret = psk(random.bytes(32));
  const begin = () => new TunnelAttempt({ controllerPublic: keyPair.publicKey, publicInviteHash, secret, random });
  const state = newInviteState(secret);
  const responder = () => new TunnelResponder({ keyPair, publicInviteHash, random });

  it('T1: the vendor answers no altered one', () => {
    const { t1 } = begin();
    for (const { bit, flipped } of bitFlips(t1)) {
      assert.equal(responder().receiveT1(flipped, state).kind, 'drop', `bit ${bit}`);
    }
    assert.equal(responder().receiveT1(t1, state).kind, 'answer', 'the honest one is still answered');
  });
  it('T2 and T3: every altered one is refused by its reader, and the honest one still taken', function () {
    this.timeout(60_000);
    const agent = begin();
    const vendor = new TunnelAnswer({ keyPair, publicInviteHash, secret, random, t1: agent.t1 });
    for (const { bit, flipped } of bitFlips(vendor.t2)) {
      assert.equal(agent.receiveT2(flipped), undefined, `T2 bit ${bit}`);
    }
    const { t3 } = agent.receiveT2(vendor.t2)!;
    for (const { bit, flipped } of bitFlips(t3)) {
      assert.equal(vendor.receiveT3(flipped), undefined, `T3 bit ${bit}`);
    }
    assert.ok(vendor.receiveT3(t3));
  });
});

/** Two ends on one queue with an attacker between them. */
function tunnelPair(meddle: (body: Uint8Array, from: TunnelSide) => Uint8Array) {
  const queue = new EventQueue();
  const random = seededRandom(2);
  const keyPair = exchangeKeyPair('tunnel', random);
  const heard: { agent: TunnelMessage[]; controller: TunnelMessage[] } = { agent: [], controller: [] };
  const ended: string[] = [];
  const common = { publicInviteHash: new Uint8Array(64).fill(7), clock: queue, random, log: silentLog };
  const secret = psk(new Uint8Array(32).fill(9));
  const events = (side: TunnelSide) => ({
    onOpened: () => {},
    onMessage: (message: TunnelMessage) => void heard[side].push(message),
    onFailed: ({ code }: { code: string }) => void ended.push(code),
  });
  const agent = new AgentTunnel({
    ...common,
    controllerPublic: keyPair.publicKey,
    secrets: [secret],
    events: { ...events('agent'), keepSecrets: () => {} },
  });
  const controller = new ControllerTunnel({
    ...common,
    keyPair,
    state: newInviteState(secret),
    events: { ...events('controller'), keep: () => Promise.resolve(), onSpent: () => {} },
  });
  const wire = (from: TunnelSide, to: AgentTunnel | ControllerTunnel) => (body: Uint8Array) => {
    const sent = meddle(body.slice(), from);
    queue.after(1, () => to.receive(sent));
  };
  controller.attachLink(wire('controller', agent));
  agent.attachLink(wire('agent', controller));
  return { queue, agent, controller, heard, ended };
}

describe('bit flips in the tunnel itself', function () {
  this.timeout(60_000);

  it('one bit of each byte of T1, T2, T3 on the wire: no tunnel, or the honest copy opens it', async () => {
    for (const [tag, length] of [
      [1, 97],
      [2, 113],
      [3, 65],
    ] as const) {
      for (let byte = 0; byte < length; byte += 4) {
        let struck = false;
        const pair = tunnelPair((body) => {
          if (body[0] === tag && !struck && (struck = true)) body[byte]! ^= 1 << (byte & 7);
          return body;
        });
        await pair.queue.runUntil(() => pair.queue.now() > 12_000 || pair.ended.length > 0, 60e9);
        assert.ok(struck);
        const [a, c] = [pair.agent.state, pair.controller.state];
        if (a === 'open' && c === 'open') continue;
        assert.ok(pair.heard.agent.length + pair.heard.controller.length === 0, `tag ${tag} byte ${byte}: ${a}/${c}`);
      }
    }
  });

  it('every bit of one tunnel box: the box is not delivered altered; the session ends coded, or the honest copy comes', async () => {
    const length = 5 + 16 + 5;
    const expected = { name: 'SHEET' } as const;
    let ends = 0;
    let harmless = 0;
    for (let bit = 0; bit < 8 * length; bit++) {
      let boxes = 0;
      const pair = tunnelPair((body, from) => {
        if (from === 'agent' && body[0] === 0x10 && ++boxes === 2) body[bit >>> 3]! ^= 1 << (bit & 7);
        return body;
      });
      await pair.queue.runUntil(() => pair.controller.state === 'open', 5e9);
      pair.agent.send({ name: 'SHEET' });
      await pair.queue.runUntil(() => pair.heard.controller.length === 1, 10e9);
      pair.agent.send({ name: 'SHEET' });
      await pair.queue.runUntil(() => pair.heard.controller.length === 2 || pair.ended.length > 0, 60e9);
      assert.deepEqual([...new Set(pair.heard.controller.map(({ name }) => name))], [expected.name], `bit ${bit}`);
      if (pair.ended.length > 0) {
        assert.deepEqual(pair.ended, ['BF-TUNNEL-AUTHENTICATION'], `bit ${bit}`);
        ends++;
      } else {
        harmless++;
      }
    }
    // Tag and number are only there to drop by; everything under the authenticator ends the session.
    assert.deepEqual([ends, harmless], [8 * (length - 5), 8 * 5]);
  });
});

describe('bit flips in the sealed handshake, at the controller', function () {
  this.timeout(60_000);
  const random = seededRandom(4);
  const keyPair = exchangeKeyPair('sealed', random);
  const stubHash = random.bytes(64);
  const planHash = random.bytes(64);
  const suite = SEALED_SUITES.sealed;
  const controller = () => new SealedHandshake({ suite, keyPair, planHash, random });
  const rules = { suite, keyPair, allowedStubs: [toHex(stubHash)], checkFacts: () => {} };
  const sessionId = random.bytes(16);
  const answer = (vendor: SealedHandshake, hash: Uint8Array, m1: Uint8Array): Uint8Array =>
    vendor.answer(readOffer(hash, m1, rules), sessionId);
  const stub = (entropy = random) =>
    startSealedInitiator({
      suite,
      responderPublic: keyPair.publicKey,
      contexts: [stubHash, planHash],
      deviceSecret: new Uint8Array(32).fill(0xd0),
      facts: encodeStubFacts({
        uid: new Uint8Array(12).fill(1),
        idcode: 0x20036419,
        flashKiB: 2048,
        stubVersion: 0x200,
        optcr: 0x0fffaaed,
        optcr1: 0x0fff0000,
        keyKind: 'ram',
        handshake: 1,
        widest: 'x32',
      }),
      random: entropy,
    });

  it('M1: altered facts, points and nonces never lead to a session', () => {
    const { m1 } = stub(seededRandom(5));
    for (const { bit, flipped } of bitFlips(m1)) {
      // A stub takes one M2: each altered M1 has one of its own, with the same ephemeral.
      const honest = stub(seededRandom(5));
      let m2: Uint8Array;
      try {
        m2 = answer(controller(), stubHash, flipped);
      } catch (error) {
        assert.ok(isBlindflashError(error), `bit ${bit}`);
        continue;
      }
      assert.throws(() => honest.receiveM2(m2), refusedBy(/^BF-STUB-AUTHENTICATION$/), `bit ${bit}`);
    }
  });
  it('M3: every altered one is refused, and what was offered is forgotten', () => {
    const honest = stub();
    const vendor = controller();
    const { m3 } = honest.receiveM2(answer(vendor, stubHash, honest.m1));
    assert.ok('session' in vendor.confirm(m3));
    const again = stub();
    for (const { bit, flipped } of bitFlips(m3)) {
      const fresh = controller();
      answer(fresh, stubHash, again.m1);
      assert.ok('cure' in fresh.confirm(flipped), `bit ${bit}`);
    }
  });
  it('the stub hash beside M1: every bit', () => {
    for (const { flipped } of bitFlips(stubHash)) {
      assert.throws(() => answer(controller(), flipped, stub().m1), refusedBy(/^BF-STUB-UNKNOWN$/));
    }
  });
});

describe('bit flips at the real stub', function () {
  this.timeout(400_000);

  it(`M2, every ${M2_STRIDE === 1 ? '' : `${M2_STRIDE}th `}bit: no session, no M3, nothing in flash touched`, () => {
    const fixture = FirmwareFixture.booted();
    const vendor = new SealedController(fixture, smallPlan());
    vendor.giveJob();
    fixture.runUntil(() => fixture.state === 'offered', 1000, 'M1');
    const m2 = vendor.respond();
    const offered = fixture.board.snapshot();
    const before = Buffer.from(fixture.board.flash.bytes);
    for (const { bit, flipped } of bitFlips(m2, M2_STRIDE)) {
      fixture.board.restore(offered);
      fixture.write(controlAddress('M2'), flipped);
      fixture.command('m2');
      fixture.runUntil(() => fixture.state !== 'offered', 1000, `an answer to bit ${bit}`);
      assert.equal(fixture.state, 'aborted', `bit ${bit}`);
      assert.deepEqual(fixture.read(controlAddress('M3'), 32), new Uint8Array(32), `bit ${bit}`);
      assert.equal(before.compare(fixture.board.flash.bytes), 0);
    }
    fixture.board.restore(offered);
    fixture.write(controlAddress('M2'), m2);
    fixture.command('m2');
    fixture.runUntil(() => fixture.state === 'active', 1000, 'the honest M2');
  });

  it('every bit of one sealed box, CRC made to fit: aborted, one word said about it, flash untouched', () => {
    const { fixture, controller: vendor } = active(smallPlan());
    const { sequence, box } = vendor.session.seal(encodeCommand({ name: 'ERASE', sector: 0 }));
    flipAll(fixture, fixture.board.snapshot(), vendor, box, sequence, 1);
  });
  it('an image frame likewise, a bit of every 16 bytes', () => {
    const { fixture, controller: vendor } = active(smallPlan());
    const data = seededRandom(8).bytes(4032);
    const { sequence, box } = vendor.session.seal(encodeCommand({ name: 'IMAGE', address: 0x08000040, data }));
    flipAll(fixture, fixture.board.snapshot(), vendor, box, sequence, 131);
  });
});

function flipAll(
  fixture: FirmwareFixture,
  from: BoardSnapshot,
  vendor: SealedController,
  box: Uint8Array,
  sequence: number,
  stride: number,
) {
  const before = Buffer.from(fixture.board.flash.bytes);
  for (const { bit, flipped } of bitFlips(box, stride)) {
    fixture.board.restore(from);
    vendor.place(flipped, sequence);
    fixture.runUntil(() => fixture.state !== 'active', 1000, `an answer to bit ${bit}`);
    assert.equal(fixture.state, 'aborted', `bit ${bit}`);
    assert.equal(fixture.error, 7, `bit ${bit}`);
    assert.equal(fixture.status.reply, 1);
    assert.equal(before.compare(fixture.board.flash.bytes), 0);
  }
}
