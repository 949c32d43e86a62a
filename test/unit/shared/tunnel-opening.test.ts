// How a tunnel opens over a network that loses, repeats, delays and exchanges what it carries
// (docs/protocol.md §4, §11).
import assert from 'node:assert/strict';
import { psk } from '../../../shared/crypto/keys.ts';
import { refuses } from './support.ts';
import { fair, ends, opened, settle, credit, frame, isTag, AgentEnd, ControllerEnd } from './tunnel-ends.ts';

describe('tunnel: opening', () => {
  it('opens by the invite; both ends have the same code and the same way back', async () => {
    const { agent, controller } = await opened();
    assert.equal(agent.tunnels, 1);
    assert.deepEqual(controller.numbers, [1]);
    assert.match(agent.codes[0], /^[0-9A-HJKMNP-TV-Z]{3}-[0-9A-HJKMNP-TV-Z]{3}$/);
    assert.equal(await controller.tunnel.checkCode(agent.codes[0]), 'right');
    assert.deepEqual(agent.disk[0], controller.disk.secret);
    assert.deepEqual([agent.tunnel.state, controller.tunnel.state], ['open', 'open']);
  });

  it('before T3 leaves both secrets are on disk in one write, afterwards the newest alone', async () => {
    const all = ends();
    const seen: [boolean, number][] = [];
    all.agent.onWrite = () => seen.push([all.carrier.carried.some(isTag(0x03)), all.agent.disk.length]);
    const [invite] = all.agent.disk;
    await opened(all);
    assert.equal(all.agent.disk.length, 2);
    assert.deepEqual(all.agent.disk[1], invite);
    all.controller.tunnel.send(frame(1));
    await settle(all, 500);
    assert.deepEqual(seen, [
      [false, 1],
      [true, 2],
    ]);
    assert.deepEqual(all.agent.disk, [all.controller.disk.secret]);
  });

  it('an agent that cannot write the way back down lets no T3 leave', async () => {
    const all = ends();
    all.agent.onWrite = () => {
      throw new Error('the disk is full');
    };
    await opened(all);
    await settle(all, 2000);
    assert.equal(all.carrier.carried.some(isTag(0x03)), false);
    assert.deepEqual([all.agent.failures.length, all.agent.tunnels, all.controller.tunnels], [1, 0, 0]);
  });

  it('the owner of the agent is told before T3 leaves, and what he sends then comes after it', async () => {
    const all = ends();
    let seen: number[] = [];
    all.agent.onOpened = () => {
      seen = all.carrier.carried.map(({ body }) => body[0]);
      all.agent.tunnel.send(credit(7));
    };
    await opened(all);
    assert.equal(seen.includes(0x03), false);
    assert.deepEqual(all.controller.words, [7]);
  });

  it('no box of the controller leaves before its owner has stored the resume secret: one that dies earlier is not locked out', async () => {
    const all = ends();
    const stored = all.controller.slowDisk();
    all.agent.onOpened = () => all.agent.tunnel.send(credit(1));
    await opened(all);
    all.controller.tunnel.send(frame(1));
    await settle(all, 2000);
    assert.deepEqual(all.controller.words, [1], 'it hears');
    const boxes = () => all.carrier.carried.filter(({ from, body }) => from === 'controller' && body[0] === 0x10);
    assert.equal(boxes().length, 0, 'and says nothing');

    const second = new ControllerEnd(all.clock, 'second process', all.controller.disk);
    all.carrier.leave('controller');
    all.carrier.join(second);
    await settle(all, 12_000);
    assert.deepEqual(second.numbers, [1], 'the secret on its disk still opens a tunnel');
    assert.deepEqual(all.agent.failures, []);

    stored();
  });

  it('what the controller has said meanwhile leaves when the resume secret is stored', async () => {
    const all = ends();
    const stored = all.controller.slowDisk();
    await opened(all);
    all.controller.tunnel.send(frame(1));
    all.carrier.relink();
    await settle(all, 1000);
    assert.deepEqual(all.agent.words, []);
    stored();
    await settle(all, 100);
    assert.deepEqual(all.agent.words, [1]);
  });

  it('a second tunnel opened while the secret of the first is being stored waits for its own storing', async () => {
    const all = ends();
    const stored: (() => void)[] = [];
    let tunnels = 0;
    all.controller.keepsBy = (state) => {
      if (state.tunnels === tunnels) return Promise.resolve();
      tunnels = state.tunnels;
      return new Promise((resolve) => stored.push(resolve));
    };
    await opened(all);
    all.carrier.relink();
    await settle(all, 5000);
    assert.equal(stored.length, 2, 'an agent that hears nothing opens another tunnel');
    all.controller.tunnel.send(frame(2));
    for (const [index, words] of [[], [2]].entries()) {
      stored[index]!();
      await settle(all, 1000);
      assert.deepEqual(all.agent.words, words);
    }
  });

  it('a resume secret that cannot be stored: nothing is said, and nothing breaks', async () => {
    const all = ends();
    all.controller.keepsBy = ({ tunnels }) =>
      tunnels === 0 ? Promise.resolve() : Promise.reject(new Error('the disk is full'));
    await opened(all);
    all.controller.tunnel.send(frame(1));
    await settle(all, 2000);
    assert.deepEqual(all.agent.words, []);
  });

  it('no T2 leaves before its count is on record, and none when it cannot be stored', async () => {
    for (const broken of [false, true]) {
      const all = ends();
      let stored = (): void => {};
      all.controller.keepsBy = () =>
        broken ? Promise.reject(new Error('the disk is full')) : new Promise((resolve) => (stored = resolve));
      await opened(all);
      assert.equal(all.carrier.carried.some(isTag(0x02)), false);
      stored();
      await settle(all, 200);
      assert.equal(all.carrier.carried.some(isTag(0x02)), !broken);
    }
  });

  it('T1 travels again byte for byte, and gets the same T2', async () => {
    const all = ends();
    all.carrier.weather = (body) => (body[0] === 0x03 || body[0] === 0x02 ? [] : [0]);
    await opened(all);
    all.carrier.relink();
    await settle(all, 6000);
    const t1 = all.carrier.carried.filter(isTag(0x01));
    const t2 = all.carrier.carried.filter(isTag(0x02));
    assert.ok(t1.length >= 3 && t2.length >= 3);
    for (const item of t1) assert.deepEqual(item.body, t1[0].body);
    for (const item of t2) assert.deepEqual(item.body, t2[0].body);
    all.carrier.weather = fair;
    await settle(all, 6000);
    assert.equal(all.controller.tunnels, 1);
  });

  it('a lost T3 is made up for on rejoining, and by time alone', async () => {
    for (const relink of [true, false]) {
      const all = ends();
      all.carrier.weather = (body) => (body[0] === 0x03 ? [] : [0]);
      all.agent.onOpened = () => all.agent.tunnel.send(credit(1));
      await opened(all);
      assert.equal(all.controller.tunnels, 0);
      all.carrier.weather = fair;
      if (relink) all.carrier.relink();
      await settle(all, relink ? 200 : 12_000);
      assert.deepEqual([all.controller.tunnels, all.controller.words], [1, [1]]);
    }
  });

  it('an agent with a secret the controller never had gets no answer and says so after a minute', async () => {
    const all = await opened(ends({ agent: [psk(new Uint8Array(32))] }));
    await settle(all, 50_000);
    assert.equal(all.agent.failures.length, 0);
    await settle(all, 20_000);
    assert.deepEqual(
      all.agent.failures.map((error) => error.code),
      ['BF-INVITE-USED'],
    );
    assert.equal(all.agent.tunnels + all.controller.tunnels, 0);
    assert.equal(all.controller.disk.answers, 0, 'and it is counted nowhere');
    assert.equal(all.agent.tunnel.state, 'failed');
  });

  it('an agent of an invite that is spent hears so', async () => {
    const all = await opened();
    await all.controller.tunnel.spend('vendor');
    const late = new AgentEnd(all.clock, 'late', all.agent.disk);
    all.carrier.leave('agent');
    all.carrier.join(late);
    await settle(all, 500);
    assert.deepEqual(
      late.failures.map((error) => error.code),
      ['BF-INVITE-SPENT'],
    );
  });

  it('a pending answer is forgotten after 60 s', async () => {
    const all = ends();
    const held: Uint8Array[] = [];
    all.carrier.weather = (body, from) => {
      if (from === 'controller' && body[0] === 0x02) held.push(body.slice());
      return body[0] === 0x03 || held.length > 1 ? [] : [0];
    };
    await opened(all);
    assert.equal(all.agent.tunnels, 1);
    const t3 = all.carrier.carried.find(isTag(0x03))!.body;
    all.carrier.leave('agent');
    await settle(all, 61_000, 500);
    await all.carrier.inject('controller', t3);
    assert.equal(all.controller.tunnels, 0);
  });

  it('nothing can be sent before', () => {
    refuses('BF-TUNNEL-CLOSED', () => ends().agent.tunnel.send(credit(1)));
  });

  it('an altered T1, T2 or T3 confirms nothing', async () => {
    for (const tag of [0x01, 0x02, 0x03]) {
      for (const offset of [1, 33, 65, 73, -1]) {
        const all = ends();
        all.carrier.weather = (body) => {
          if (body[0] === tag) body[offset < 0 ? body.length - 1 : Math.min(offset, body.length - 1)] ^= 4;
          return [0];
        };
        await settle(await opened(all), 500);
        assert.equal(all.controller.tunnels, 0, `tag ${tag}, byte ${offset}`);
      }
    }
  });
});
