// How a tunnel opens over a network that loses, repeats, delays and exchanges what it carries (docs/protocol.md §4, §11).
import assert from 'node:assert/strict';
import { psk } from '../../../shared/crypto/keys.ts';
import { refuses } from './support.ts';
import { inviteSecret, fair, ends, opened, settle, credit, frame, isTag, End } from './tunnel-ends.ts';

describe('tunnel: opening', () => {
  it('opens by the invite; both ends show the same code and keep the same resume secret', () => {
    const { agent, controller } = opened();
    assert.equal(agent.confirmed.length, 1);
    assert.deepEqual(agent.confirmed, controller.confirmed);
    assert.match(agent.confirmed[0].code, /^[0-9A-HJKMNP-TV-Z]{3}-[0-9A-HJKMNP-TV-Z]{3}$/);
    assert.equal(agent.confirmed[0].resumed, false);
    assert.deepEqual([agent.tunnel.state, controller.tunnel.state], ['open', 'open']);
  });

  it('the owner of the agent is told before T3 leaves, and what he sends then comes after it', () => {
    const all = ends();
    let seen: number[] = [];
    all.agent.onConfirmed = () => {
      seen = all.carrier.carried.map(({ body }) => body[0]);
      all.agent.tunnel.send(credit(7));
    };
    all.carrier.join('controller', all.controller);
    all.carrier.join('agent', all.agent);
    all.carrier.run();
    assert.equal(seen.includes(0x03), false);
    assert.deepEqual(all.controller.words, [7]);
  });

  it('no box of the controller leaves before its owner has stored the resume secret: one that dies earlier is not locked out', async () => {
    const all = ends();
    const stored = all.controller.slowDisk();
    all.agent.onConfirmed = () => all.agent.tunnel.send(credit(1));
    all.carrier.join('controller', all.controller);
    all.carrier.join('agent', all.agent);
    all.carrier.run();
    all.controller.tunnel.send(frame(1));
    settle(all, 2000);
    assert.deepEqual(all.controller.words, [1], 'it hears');
    const boxes = () => all.carrier.carried.filter(({ from, body }) => from === 'controller' && body[0] === 0x10);
    assert.equal(boxes().length, 0, 'and says nothing');

    const second = new End('controller', all.clock, 'second process', { invite: inviteSecret() });
    all.carrier.leave('controller');
    all.carrier.join('controller', second);
    settle(all, 12_000);
    assert.equal(second.confirmed.length, 1, 'the invite still opens a tunnel');
    assert.equal(second.confirmed[0].resumed, false);
    assert.deepEqual(all.agent.failures, []);

    stored();
    await Promise.resolve();
  });

  it('what the controller has said meanwhile leaves when the resume secret is stored', async () => {
    const all = ends();
    const stored = all.controller.slowDisk();
    all.carrier.join('controller', all.controller);
    all.carrier.join('agent', all.agent);
    all.carrier.run();
    all.controller.tunnel.send(frame(1));
    all.carrier.relink();
    settle(all, 1000);
    assert.deepEqual(all.agent.words, []);
    stored();
    await Promise.resolve();
    await Promise.resolve();
    settle(all, 100);
    assert.deepEqual(all.agent.words, [1]);
  });

  it('a second tunnel opened while the secret of the first is being stored waits for its own storing', async () => {
    const all = ends();
    const stored: (() => void)[] = [];
    all.controller.keepsBy(() => new Promise((resolve) => stored.push(resolve)));
    all.carrier.join('controller', all.controller);
    all.carrier.join('agent', all.agent);
    all.carrier.run();
    all.carrier.relink();
    settle(all, 5000);
    assert.equal(stored.length, 2, 'an agent that hears nothing opens another tunnel');
    all.controller.tunnel.send(frame(2));
    for (const [index, words] of [[], [2]].entries()) {
      stored[index]!();
      await Promise.resolve();
      settle(all, 1000);
      assert.deepEqual(all.agent.words, words);
    }
  });

  it('a resume secret that cannot be stored: nothing is said, and nothing breaks', async () => {
    const all = ends();
    all.controller.keepsBy(() => Promise.reject(new Error('the disk is full')));
    all.carrier.join('controller', all.controller);
    all.carrier.join('agent', all.agent);
    all.carrier.run();
    all.controller.tunnel.send(frame(1));
    await new Promise((resolve) => setImmediate(resolve));
    settle(all, 2000);
    assert.deepEqual(all.agent.words, []);
  });

  it('T1 travels again byte for byte, and gets the same T2', () => {
    const all = ends();
    all.carrier.weather = (body) => (body[0] === 0x03 || body[0] === 0x02 ? [] : [0]);
    all.carrier.join('controller', all.controller);
    all.carrier.join('agent', all.agent);
    all.carrier.run();
    all.carrier.relink();
    settle(all, 6000);
    const t1 = all.carrier.carried.filter(isTag(0x01));
    const t2 = all.carrier.carried.filter(isTag(0x02));
    assert.ok(t1.length >= 3 && t2.length >= 3);
    for (const item of t1) assert.deepEqual(item.body, t1[0].body);
    for (const item of t2) assert.deepEqual(item.body, t2[0].body);
    all.carrier.weather = fair;
    settle(all, 6000);
    assert.equal(all.controller.confirmed.length, 1);
  });

  it('a lost T3 is made up for on rejoining, and by time alone', () => {
    for (const relink of [true, false]) {
      const all = ends();
      all.carrier.weather = (body) => (body[0] === 0x03 ? [] : [0]);
      all.agent.onConfirmed = () => all.agent.tunnel.send(credit(1));
      all.carrier.join('controller', all.controller);
      all.carrier.join('agent', all.agent);
      all.carrier.run();
      assert.equal(all.controller.confirmed.length, 0);
      all.carrier.weather = fair;
      if (relink) all.carrier.relink();
      settle(all, relink ? 200 : 12_000);
      assert.deepEqual([all.controller.confirmed.length, all.controller.words], [1, [1]]);
    }
  });

  for (const [name, agentSecret, controllerSecret] of [['psk', psk(new Uint8Array(32)), inviteSecret()]] as const) {
    it(`a controller with another ${name} is refused in words`, () => {
      const all = ends({ agent: { invite: agentSecret }, controller: { invite: controllerSecret } });
      all.carrier.join('controller', all.controller);
      all.carrier.join('agent', all.agent);
      settle(all, 1000);
      assert.deepEqual(
        all.agent.failures.map((error) => error.code),
        ['BF-TUNNEL-HANDSHAKE'],
      );
      assert.equal(all.agent.confirmed.length + all.controller.confirmed.length, 0);
      assert.equal(all.agent.tunnel.state, 'failed');
    });
  }

  it('nothing can be sent before', () => {
    refuses('BF-TUNNEL-CLOSED', () => ends().agent.tunnel.send(credit(1)));
  });

  it('an altered T1, T2 or T3 confirms nothing', () => {
    for (const tag of [0x01, 0x02, 0x03]) {
      for (const offset of [1, 33, 65, -1]) {
        const all = ends();
        all.carrier.weather = (body) => {
          if (body[0] === tag) body[offset < 0 ? body.length - 1 : Math.min(offset, body.length - 1)] ^= 4;
          return [0];
        };
        all.carrier.join('controller', all.controller);
        all.carrier.join('agent', all.agent);
        settle(all, 500);
        assert.equal(all.controller.confirmed.length, 0, `tag ${tag}, byte ${offset}`);
      }
    }
  });
});
