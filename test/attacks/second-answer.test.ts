// H1: no T1 is answered twice by the agent, and no nonce is committed to twice, whoever crashes
// when (docs/protocol.md §4).
import assert from 'node:assert/strict';
import { psk } from '../../shared/crypto/keys.ts';
import { newInviteState } from '../../shared/tunnel/invite-state.ts';
import { TunnelAttempt } from '../../shared/tunnel/handshake.ts';
import { hex, seeded } from '../unit/shared/support.ts';
import {
  AgentEnd,
  ControllerEnd,
  ends,
  inviteSecret,
  isTag,
  keyPair,
  opened,
  publicInviteHash,
  settle,
  type Ends,
} from '../unit/shared/tunnel-ends.ts';

/** T2 of `count` more controllers that hold the invite's secret, all valid answers to this T1. */
async function otherAnswers(all: Ends, t1: Uint8Array, count: number): Promise<Uint8Array[]> {
  const answers: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const other = new ControllerEnd(all.clock, `other ${i}`, newInviteState(inviteSecret()));
    other.tunnel.attachLink((body) => void answers.push(body));
    other.tunnel.receive(t1);
    for (let turn = 0; turn < 4; turn++) await Promise.resolve();
  }
  assert.equal(answers.filter(([tag]) => tag === 0x02).length, count);
  return answers;
}

const t3s = (all: Ends): Uint8Array[] => all.carrier.carried.filter(isTag(0x03)).map(({ body }) => body);

describe('attack: a second T2 for one T1', () => {
  it('before T3 has arrived: no second T3, no new code', async () => {
    const all = ends();
    all.carrier.weather = (body) => (body[0] === 0x03 ? [] : [0]);
    await opened(all);
    const t1 = all.carrier.carried.find(isTag(0x01))!.body;
    for (const t2 of await otherAnswers(all, t1, 3)) await all.carrier.inject('agent', t2);
    await settle(all, 4000);
    assert.equal(all.agent.codes.length, 1);
    assert.equal(new Set(t3s(all).map(hex)).size, 1);
  });

  it('two at once: the first is answered and the second is not', async () => {
    const all = ends();
    all.carrier.weather = (body) => (body[0] === 0x02 ? [] : [0]);
    await opened(all);
    const t1 = all.carrier.carried.find(isTag(0x01))!.body;
    for (const t2 of await otherAnswers(all, t1, 2)) all.agent.tunnel.receive(t2);
    await settle(all, 200);
    assert.deepEqual([all.agent.codes.length, new Set(t3s(all).map(hex)).size], [1, 1]);
  });

  it('to each of two T1, of the newest secret and of the one before: one is answered, and no second code is shown', async () => {
    const all = ends();
    const two = new AgentEnd(all.clock, 'two', [psk(new Uint8Array(32).fill(0x77)), inviteSecret()]);
    const t1s: Uint8Array[] = [];
    const t3s: Uint8Array[] = [];
    two.tunnel.attachLink((body) => {
      if (body[0] === 0x01) t1s.push(body.slice());
      if (body[0] === 0x03) t3s.push(body.slice());
    });
    await settle(all, 6000);
    const both = [...new Map(t1s.map((t1) => [hex(t1), t1])).values()];
    assert.equal(both.length, 2, 'unanswered for a while it asks with both');
    for (const [i, secret] of [psk(new Uint8Array(32).fill(0x77)), inviteSecret()].entries()) {
      const other = new ControllerEnd(all.clock, `holder ${i}`, newInviteState(secret));
      const answers: Uint8Array[] = [];
      other.tunnel.attachLink((body) => void answers.push(body));
      for (const t1 of both) other.tunnel.receive(t1);
      for (let turn = 0; turn < 4; turn++) await Promise.resolve();
      assert.equal(answers.filter(([tag]) => tag === 0x02).length, 1);
      for (const t2 of answers) two.tunnel.receive(t2);
    }
    assert.deepEqual([two.codes.length, new Set(t3s.map(hex)).size], [1, 1]);
    two.tunnel.close();
  });

  it('after the tunnel is confirmed: dropped, the tunnel lives', async () => {
    const all = await opened();
    const t1 = all.carrier.carried.find(isTag(0x01))!.body;
    for (const t2 of await otherAnswers(all, t1, 3)) await all.carrier.inject('agent', t2);
    all.agent.tunnel.send({ name: 'CREDIT', upTo: 5 });
    await settle(all, 500);
    assert.deepEqual([all.agent.codes.length, all.controller.words, t3s(all).length], [1, [5], 1]);
  });

  for (const crash of ['before', 'after'] as const) {
    it(`after the agent was killed ${crash} it wrote the way back down: its next process knows nothing of that T1`, async () => {
      const all = ends();
      all.agent.onWrite = () => {
        if (crash === 'before') throw new Error('killed');
      };
      all.carrier.weather = (body) => (body[0] === 0x03 ? [] : [0]);
      await opened(all);
      const t1 = all.carrier.carried.find(isTag(0x01))!.body;
      all.carrier.weather = () => [];
      const next = new AgentEnd(all.clock, 'next process', all.agent.disk);
      all.carrier.leave('agent');
      all.carrier.join(next);
      for (const t2 of await otherAnswers(all, t1, 3)) await all.carrier.inject('agent', t2);
      await settle(all, 4000);
      assert.deepEqual([next.codes, t3s(all).length], [[], crash === 'before' ? 0 : 1]);
    });
  }

  it('a T2 that does not fit leaves the T1 as it is, and is no way to make the agent draw another', async () => {
    const all = ends();
    all.carrier.weather = (body) => (body[0] === 0x02 ? [] : [0]);
    await opened(all);
    const t1 = all.carrier.carried.find(isTag(0x01))!.body;
    const [good] = await otherAnswers(all, t1, 1);
    for (let at = 1; at < good!.length; at++) {
      const bad = good!.slice();
      bad[at]! ^= 1 << (at % 8);
      await all.carrier.inject('agent', bad);
    }
    await settle(all, 12_000);
    assert.equal(new Set(all.carrier.carried.filter(isTag(0x01)).map(({ body }) => hex(body))).size, 1);
    await all.carrier.inject('agent', good!);
    assert.equal(all.agent.codes.length, 1, 'the right one still opens it');
  });
});

describe('attack: a nonce that is committed to twice', () => {
  it('10,000 attempts begun and abandoned: every nonce_i, e_i and commitment is new', () => {
    const random = seeded('crashes');
    const options = { controllerPublic: keyPair.publicKey, publicInviteHash, secret: psk(new Uint8Array(32)) };
    const seen = new Set<string>();
    const drawn: string[] = [];
    const watched = {
      bytes: (count: number) => {
        const bytes = random.bytes(count);
        drawn.push(hex(bytes));
        return bytes;
      },
    };
    for (let i = 0; i < 10_000; i++) seen.add(hex(new TunnelAttempt({ ...options, random: watched }).t1.slice(32, 64)));
    assert.equal(seen.size, 10_000);
    assert.equal(new Set(drawn).size, 20_000, 'e_i and nonce_i are drawn afresh by every attempt');
  }).timeout(120_000);

  it('once a T3 has left, the agent’s next T1 names other bytes throughout', async () => {
    const all = ends();
    all.carrier.weather = (body) => (body[0] === 0x03 ? [] : [0]);
    await opened(all);
    const [first] = all.carrier.carried.filter(isTag(0x01));
    all.carrier.leave('controller');
    all.carrier.join(new ControllerEnd(all.clock, 'next controller', newInviteState(inviteSecret())));
    await settle(all, 20_000);
    const later = all.carrier.carried.filter(isTag(0x01)).filter(({ body }) => hex(body) !== hex(first!.body));
    assert.ok(later.length > 0);
    for (const { body } of later) {
      assert.notEqual(hex(body.slice(1, 33)), hex(first!.body.slice(1, 33)));
      assert.notEqual(hex(body.slice(33, 65)), hex(first!.body.slice(33, 65)));
    }
    const nonces = t3s(all).map((t3) => hex(t3.slice(1, 33)));
    assert.equal(new Set(nonces).size, new Set(t3s(all).map(hex)).size);
  });
});
