// A tunnel that comes back after its link or a process was lost, and whoever replays T1 (docs/protocol.md §4, §6).
import assert from 'node:assert/strict';
import { psk } from '../../../shared/crypto/keys.ts';
import { inviteSecret, fair, ends, opened, settle, credit, frame, End } from './tunnel-ends.ts';

describe('tunnel: coming back, and coming uninvited', () => {
  it('the next agent process opens a tunnel with the resume secret', () => {
    const all = opened();
    all.agent.tunnel.send(credit(1));
    settle(all, 200);
    const { resumeSecret } = all.agent.confirmed[0];
    all.carrier.leave('agent');
    all.agent.tunnel.close();
    const next = new End('agent', all.clock, 'second process', { resume: resumeSecret });
    all.carrier.join('agent', next);
    settle(all, 200);
    next.tunnel.send(credit(2));
    all.controller.tunnel.send(frame(5));
    settle(all, 200);
    assert.deepEqual([all.controller.words, next.words], [[1, 2], [5]]);
    assert.deepEqual(next.confirmed, all.controller.confirmed.slice(1));
    assert.equal(next.confirmed[0].resumed, true);
    assert.deepEqual(next.confirmed[0].resumeSecret, resumeSecret);
    assert.notEqual(next.confirmed[0].code, all.agent.confirmed[0].code);
  });

  it('the next controller process is found by the living agent', () => {
    const all = opened();
    all.agent.tunnel.send(credit(1));
    settle(all, 200);
    const { resumeSecret } = all.controller.confirmed[0];
    all.carrier.leave('controller');
    all.controller.tunnel.close();
    const next = new End('controller', all.clock, 'second process', { resume: resumeSecret });
    all.carrier.join('controller', next);
    settle(all, 10_000);
    assert.equal(next.confirmed.length, 1);
    assert.equal(all.agent.confirmed.length, 2);
    next.tunnel.send(frame(9));
    all.agent.tunnel.send(credit(3));
    settle(all, 200);
    assert.deepEqual([next.words, all.agent.words], [[3], [9]]);
  });

  it('a controller that lost everything before T3 came is found with the invite’s secret', () => {
    const all = ends();
    all.carrier.weather = (body) => (body[0] === 0x03 ? [] : [0]);
    all.carrier.join('controller', all.controller);
    all.carrier.join('agent', all.agent);
    all.carrier.run();
    all.carrier.leave('controller');
    all.carrier.weather = fair;
    const next = new End('controller', all.clock, 'second process', { invite: inviteSecret() });
    all.carrier.join('controller', next);
    settle(all, 20_000);
    assert.equal(next.confirmed.length, 1);
    assert.deepEqual(next.confirmed[0].resumeSecret, all.agent.confirmed.at(-1)?.resumeSecret);
  });

  it('an agent with both secrets falls back to the invite when the resume secret is not answered', () => {
    const all = ends({ agent: { invite: inviteSecret(), resume: psk(new Uint8Array(32).fill(3)) } });
    all.carrier.join('controller', all.controller);
    all.carrier.join('agent', all.agent);
    settle(all, 6000);
    assert.deepEqual([all.agent.confirmed.length, all.controller.confirmed.length], [1, 1]);
    assert.equal(all.agent.confirmed[0].resumed, false);
  });

  it('an agent that has only a resume secret the controller never got says so within a minute or so', () => {
    const all = ends({ agent: { resume: psk(new Uint8Array(32).fill(7)) } });
    all.carrier.join('controller', all.controller);
    all.carrier.join('agent', all.agent);
    settle(all, 50_000);
    assert.equal(all.agent.failures.length, 0);
    settle(all, 20_000);
    assert.equal(all.agent.failures[0]?.code, 'BF-TUNNEL-TIMEOUT');
  });

  it('answers that fit nothing do not keep an agent with a live session from the next controller', () => {
    const all = opened();
    all.agent.tunnel.send(credit(1));
    all.controller.tunnel.send(frame(1));
    settle(all, 500);
    const resume = psk(all.agent.confirmed[0].resumeSecret);
    all.carrier.leave('controller');
    const second = new End('controller', all.clock, 'second process', { resume });
    let spoiled = 0;
    all.carrier.weather = (body, from) => {
      if (from === 'controller' && body[0] === 0x02 && spoiled++ < 3) body[20] ^= 1;
      return [0];
    };
    all.carrier.join('controller', second);
    settle(all, 20_000);
    assert.equal(spoiled > 3, true);
    assert.equal(second.confirmed.length, 1);
    assert.deepEqual(all.agent.failures, []);
  });

  it('a second use of the invite is refused, reported once, and disturbs nobody', () => {
    const all = opened();
    const thief = new End('agent', all.clock, 'thief', { invite: inviteSecret() });
    all.carrier.leave('agent');
    all.carrier.join('agent', thief);
    settle(all, 50_000);
    assert.deepEqual([thief.confirmed.length, thief.failures.length], [0, 0]);
    settle(all, 20_000);
    assert.equal(thief.confirmed.length, 0);
    assert.equal(thief.failures[0]?.code, 'BF-INVITE-USED');
    assert.deepEqual(
      all.controller.refusals.map((error) => error.code),
      ['BF-INVITE-USED'],
    );
    all.carrier.leave('agent');
    all.carrier.join('agent', all.agent);
    all.agent.tunnel.send(credit(4));
    settle(all, 5000);
    assert.deepEqual(all.controller.words, [4]);
    assert.equal(all.controller.confirmed.length, 1);
  });

  it('replayed T1, T2 and T3 of the invite and of a resumed tunnel evict nobody', () => {
    const all = opened();
    const { resumeSecret } = all.agent.confirmed[0];
    const second = new End('agent', all.clock, 'second process', { resume: resumeSecret });
    all.carrier.leave('agent');
    all.carrier.join('agent', second);
    settle(all, 200);
    second.tunnel.send(credit(1));
    settle(all, 200);
    const old = all.carrier.carried.filter(({ body }) => body[0] <= 0x03);
    for (const { from, body } of old) all.carrier.inject(from === 'agent' ? 'controller' : 'agent', body);
    second.tunnel.send(credit(2));
    settle(all, 500);
    assert.deepEqual(all.controller.words, [1, 2]);
    assert.equal(all.controller.confirmed.length, 2);
    assert.deepEqual([second.failures, all.controller.failures], [[], []]);
  });

  it('a flood of T1 with the resume id is bounded and evicts nobody', () => {
    const all = opened();
    for (let i = 0; i < 12; i++) {
      const t1 = new Uint8Array(81);
      t1.set([0x01, 9, i], 0);
      t1[65] = 2;
      all.carrier.inject('controller', t1);
      all.carrier.inject('controller', Uint8Array.of(0x03, ...new Uint8Array(32).fill(i)));
    }
    all.agent.tunnel.send(credit(1));
    settle(all, 500);
    assert.deepEqual(all.controller.words, [1]);
    assert.equal(all.controller.confirmed.length, 1);
  });

  it('boxes of the old session that come late do not harm the new one', () => {
    const all = opened();
    const { resumeSecret } = all.agent.confirmed[0];
    all.carrier.leave('agent');
    const next = new End('agent', all.clock, 'second process', { resume: resumeSecret });
    all.carrier.weather = (body, from) => {
      // The controller goes on in the old session while T3 is under way: its first box arrives after the new session began.
      if (from === 'agent' && body[0] === 0x03 && all.controller.words.length === 0) {
        all.controller.tunnel.send(frame(1));
      }
      return [0];
    };
    all.carrier.join('agent', next);
    settle(all, 300);
    all.carrier.weather = fair;
    all.controller.tunnel.send(frame(2));
    next.tunnel.send(credit(2));
    settle(all, 10_000);
    assert.deepEqual([all.controller.words, next.words, next.failures], [[2], [2], []]);
  });

  it('a closed tunnel has no timer and hears nothing', () => {
    const all = opened();
    all.agent.tunnel.send(credit(1));
    all.agent.tunnel.close();
    all.controller.tunnel.close();
    assert.equal(all.clock.waiting, 0);
    all.carrier.run();
    assert.deepEqual(all.controller.messages, []);
  });
});
