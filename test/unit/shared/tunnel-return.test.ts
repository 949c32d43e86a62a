// A tunnel that comes back after its link or a process was lost, and whoever replays T1 (docs/protocol.md §4, §6).
// Crashes around every write and message are in way-back.test.ts.
import assert from 'node:assert/strict';
import { psk } from '../../../shared/crypto/keys.ts';
import { newInviteState } from '../../../shared/tunnel/invite-state.ts';
import {
  AgentEnd,
  ControllerEnd,
  credit,
  ends,
  fair,
  frame,
  inviteSecret,
  isTag,
  opened,
  settle,
  type Ends,
} from './tunnel-ends.ts';

/** An open tunnel in which both have heard the other. */
async function talking(): Promise<Ends> {
  const all = await opened();
  all.agent.tunnel.send(credit(1));
  all.controller.tunnel.send(frame(1));
  await settle(all, 500);
  return all;
}

function nextAgent(all: Ends, disk = all.agent.disk): AgentEnd {
  const next = new AgentEnd(all.clock, `agent ${all.clock.now()}`, disk);
  all.carrier.leave('agent');
  all.carrier.join(next);
  return next;
}

describe('tunnel: coming back, and coming uninvited', () => {
  it('the next agent process opens a tunnel with the secret it kept', async () => {
    const all = await talking();
    const next = nextAgent(all);
    await settle(all, 200);
    next.tunnel.send(credit(2));
    all.controller.tunnel.send(frame(5));
    await settle(all, 200);
    assert.deepEqual([all.controller.words, next.words], [[1, 2], [5]]);
    assert.deepEqual(all.controller.numbers, [1, 2]);
    assert.notEqual(next.codes[0], all.agent.codes[0]);
    assert.equal(await all.controller.tunnel.checkCode(all.agent.codes[0]), 'wrong', 'a code is of one tunnel');
    assert.equal(await all.controller.tunnel.checkCode(next.codes[0]), 'right');
    assert.deepEqual([next.disk.length, all.controller.disk.replaced.length], [1, 2]);
  });

  it('the next controller process is found by the living agent', async () => {
    const all = await talking();
    all.carrier.leave('controller');
    all.controller.tunnel.close();
    const next = new ControllerEnd(all.clock, 'second process', all.controller.disk);
    all.carrier.join(next);
    await settle(all, 10_000);
    assert.deepEqual([next.numbers, all.agent.tunnels], [[2], 2]);
    next.tunnel.send(frame(9));
    all.agent.tunnel.send(credit(3));
    await settle(all, 200);
    assert.deepEqual([next.words, all.agent.words], [[3], [1, 9]]);
  });

  it('a controller that lost everything before T3 came is found with the older secret', async () => {
    const all = ends();
    all.carrier.weather = (body) => (body[0] === 0x03 ? [] : [0]);
    await opened(all);
    all.carrier.leave('controller');
    all.carrier.weather = fair;
    const next = new ControllerEnd(all.clock, 'second process', newInviteState(inviteSecret()));
    all.carrier.join(next);
    await settle(all, 20_000);
    assert.equal(next.tunnels, 1);
    assert.deepEqual(all.agent.disk[0], next.disk.secret);
  });

  it('the older secret is asked with when the newest is unanswered for 5 s, and not before', async () => {
    const all = ends({ agent: [psk(new Uint8Array(32).fill(3)), inviteSecret()] });
    await opened(all);
    await settle(all, 4500);
    assert.equal(new Set(all.carrier.carried.filter(isTag(0x01)).map(({ body }) => String(body))).size, 1);
    assert.equal(all.agent.tunnels, 0);
    await settle(all, 1000);
    assert.deepEqual([all.agent.tunnels, all.controller.tunnels], [1, 1]);
  });

  it('answers that fit nothing do not keep an agent with a live session from the next controller', async () => {
    const all = await talking();
    all.carrier.leave('controller');
    const second = new ControllerEnd(all.clock, 'second process', all.controller.disk);
    let spoiled = 0;
    all.carrier.weather = (body, from) => {
      if (from === 'controller' && body[0] === 0x02 && spoiled++ < 3) body[20] ^= 1;
      return [0];
    };
    all.carrier.join(second);
    await settle(all, 20_000);
    assert.ok(spoiled > 3);
    assert.equal(second.tunnels, 1);
    assert.deepEqual(all.agent.failures, []);
  });

  it('an agent with a secret that was replaced gets no answer, before it is armed, and disturbs nobody', async () => {
    const all = await talking();
    const late = nextAgent(all, [inviteSecret()]);
    await settle(all, 70_000, 250);
    assert.deepEqual([late.tunnels, late.failures[0]?.code], [0, 'BF-INVITE-USED']);
    assert.deepEqual([all.controller.spent, all.controller.failures], [[], []]);
    all.carrier.leave('agent');
    all.carrier.join(all.agent);
    all.agent.tunnel.send(credit(4));
    await settle(all, 5000);
    assert.deepEqual(all.controller.words, [1, 4]);
    assert.equal(all.controller.tunnels, 1);
  });

  it('replayed T1, T2 and T3 of every tunnel so far evict nobody and raise no alarm', async () => {
    const all = await talking();
    const second = nextAgent(all);
    await settle(all, 200);
    second.tunnel.send(credit(2));
    all.controller.tunnel.send(frame(2));
    await settle(all, 500);
    assert.ok(
      all.controller.disk.replaced.some(({ armed }) => armed),
      'the first secret is armed',
    );
    for (const { from, body } of all.carrier.carried.filter(({ body }) => body[0] <= 0x03)) {
      await all.carrier.inject(from === 'agent' ? 'controller' : 'agent', body);
    }
    second.tunnel.send(credit(3));
    await settle(all, 500);
    assert.deepEqual(all.controller.words, [1, 2, 3]);
    assert.deepEqual(all.controller.numbers, [1, 2]);
    assert.deepEqual([second.failures, all.controller.failures, all.controller.spent], [[], [], []]);
  });

  it('T1 that name the right secret under a wrong tag are not answered, not counted and evict nobody', async () => {
    const all = await talking();
    const before = all.controller.disk;
    const t1 = all.carrier.carried.find(isTag(0x01))!.body;
    for (let i = 0; i < 12; i++) {
      const forged = t1.slice();
      forged[1 + i] ^= 0x40;
      await all.carrier.inject('controller', forged);
      await all.carrier.inject('controller', Uint8Array.of(0x03, ...new Uint8Array(64).fill(i)));
    }
    all.agent.tunnel.send(credit(2));
    await settle(all, 500);
    assert.deepEqual(all.controller.words, [1, 2]);
    assert.deepEqual([all.controller.tunnels, all.controller.disk.answers], [1, before.answers]);
  });

  it('boxes of the old session that come late do not harm the new one', async () => {
    const all = await opened();
    all.carrier.weather = (body, from) => {
      // The controller goes on in the old session while T3 is under way: its first box arrives
      // after the new session began.
      if (from === 'agent' && body[0] === 0x03 && all.controller.words.length === 0) {
        all.controller.tunnel.send(frame(1));
      }
      return [0];
    };
    const next = nextAgent(all);
    await settle(all, 300);
    all.carrier.weather = fair;
    all.controller.tunnel.send(frame(2));
    next.tunnel.send(credit(2));
    await settle(all, 10_000);
    assert.deepEqual([all.controller.words, next.words.at(-1), next.failures], [[2], 2, []]);
  });

  it('a reopened tunnel takes the place of the one that lived, on the agent’s word alone', async () => {
    const all = await talking();
    all.agent.tunnel.reopen();
    await settle(all, 500);
    assert.deepEqual([all.agent.tunnels, all.controller.numbers], [2, [1, 2]]);
    all.agent.tunnel.send(credit(2));
    all.controller.tunnel.send(frame(2));
    await settle(all, 500);
    assert.deepEqual(
      [all.controller.words, all.agent.words],
      [
        [1, 2],
        [1, 2],
      ],
    );
    assert.equal(await all.controller.tunnel.checkCode(all.agent.codes[1]), 'right');
  });

  it('a tunnel that is to be reopened while the link is away waits for the link, however long', async () => {
    const all = await talking();
    all.carrier.leave('agent');
    all.agent.tunnel.reopen();
    await settle(all, 15 * 60_000, 1000);
    assert.deepEqual(all.agent.failures, []);
    all.carrier.join(all.agent);
    await settle(all, 1000);
    assert.deepEqual([all.agent.tunnels, all.agent.failures], [2, []]);
  });

  it('a T3 that never arrived is no tunnel for ever: after a minute without a word another is opened', async () => {
    const all = ends();
    all.carrier.weather = (body) => (body[0] === 0x03 || body[0] === 0x10 ? [] : [0]);
    await opened(all);
    all.agent.tunnel.send(credit(1));
    assert.deepEqual([all.agent.tunnels, all.controller.tunnels], [1, 0]);
    await settle(all, 61_000, 500);
    all.carrier.weather = fair;
    await settle(all, 30_000, 500);
    assert.deepEqual([all.controller.tunnels, all.agent.failures], [1, []]);
    assert.equal(await all.controller.tunnel.checkCode(all.agent.codes.at(-1)!), 'right');
  });

  it('a closed tunnel has no timer and hears nothing', async () => {
    const all = await opened();
    all.agent.tunnel.send(credit(1));
    all.agent.tunnel.close();
    all.controller.tunnel.close();
    assert.equal(all.clock.waiting, 0);
    await all.carrier.run();
    assert.deepEqual(all.controller.messages, []);
  });
});
