// H4: whoever copied what the agent keeps. A copy made at any moment, used before or after the honest agent's next
// tunnel, ends in an alarm or is a secret that opens nothing; what it may open meanwhile shows another code and no chip
// (docs/protocol.md §4 "The way back").
import assert from 'node:assert/strict';
import type { Psk } from '../../shared/crypto/keys.ts';
import { secretId } from '../../shared/tunnel/secrets.ts';
import { AgentEnd, credit, ends, frame, opened, settle, type Ends } from '../unit/shared/tunnel-ends.ts';

/**
 * The honest course: three agent processes, each of which talks. Stops before step number `until`;
 * `at` is called before each.
 */
async function course(all: Ends, until: number, at: (step: number) => void = () => {}): Promise<AgentEnd> {
  let agent = all.agent;
  const talk = () => talking(all, agent);
  const restart = async () => {
    all.carrier.leave('agent');
    agent = new AgentEnd(all.clock, `honest ${all.controller.tunnels}`, agent.disk);
    all.carrier.join(agent);
    await settle(all, 300);
  };
  const steps = [() => opened(all), talk, restart, talk, restart, talk];
  for (const [step, act] of [...steps.slice(0, until), undefined].entries()) {
    all.agent.disk = agent.disk;
    at(step);
    await act?.();
  }
  return agent;
}

async function talking(all: Ends, agent: AgentEnd): Promise<void> {
  agent.tunnel.send(credit(1));
  all.controller.tunnel.send(frame(1));
  await settle(all, 300);
}

const STEPS = 6;

/** A process with a copied disk; who was in the room before is pushed out of it. */
async function use(all: Ends, copy: readonly Psk[], seed: string): Promise<AgentEnd> {
  const end = new AgentEnd(all.clock, seed, copy);
  all.carrier.leave('agent');
  all.carrier.join(end);
  await settle(all, 75_000, 250);
  return end;
}

describe('attack: a copy of what the agent keeps', () => {
  for (let copied = 1; copied <= STEPS; copied++) {
    it(`made at step ${copied} and used at the end: opens nothing unless nothing was opened since, or raises the alarm`, async () => {
      const all = ends();
      let copy: readonly Psk[] = [];
      const agent = await course(all, STEPS, (step) => {
        if (step === copied) copy = [...all.agent.disk];
      });
      const tunnels = all.controller.tunnels;
      const thief = await use(all, copy, `late ${copied}`);
      const current = copy.some((secret) => String(secret) === String(agent.disk[0]));
      assert.equal(thief.tunnels > 0, current, 'only the newest secret opens a tunnel');
      assert.equal(all.controller.tunnels - tunnels, current ? 1 : 0);
      if (current) return;
      // Armed since the third process talked: a secret replaced in a tunnel before that one.
      const armed = copy.some((secret) => all.controller.disk.replaced.some((old) => old.armed && String(old.id) === String(secretId(secret)))); // prettier-ignore
      assert.deepEqual(all.controller.spent, armed ? ['second holder'] : []);
      if (copied <= 2) assert.ok(armed, 'two hold the way back, and the vendor hears of it');
    });

    it(`made at step ${copied} and used at once: one tunnel under a code of its own, and the honest agent ends with a reason`, async () => {
      const all = ends();
      const agent = await course(all, copied);
      const before = all.controller.tunnels;
      const thief = await use(all, [...agent.disk], `thief ${copied}`);
      assert.deepEqual(
        [thief.tunnels, all.controller.numbers.at(-1)],
        [1, before + 1],
        'the vendor is told its number',
      );
      assert.ok(!agent.codes.includes(thief.codes[0]!));
      await talking(all, thief);
      const honest = await use(all, agent.disk, 'honest again');
      assert.deepEqual(
        honest.failures.map(({ code }) => code),
        ['BF-INVITE-USED'],
      );
      // The older of two secrets was armed by then; where there was one, the thief's next tunnel arms it.
      if (agent.disk.length === 1) {
        assert.deepEqual(all.controller.spent, []);
        await talking(all, await use(all, thief.disk, 'thief again'));
        await use(all, agent.disk, 'honest once more');
      }
      assert.deepEqual(all.controller.spent, ['second holder']);
    });
  }

  it('the alarm ends every tunnel, spends the invite and is no way to a tunnel for either', async () => {
    const all = ends();
    let copy: readonly Psk[] = [];
    const agent = await course(all, STEPS, (step) => {
      if (step === 1) copy = [...all.agent.disk];
    });
    await use(all, copy, 'alarm');
    assert.deepEqual(all.controller.spent, ['second holder']);
    assert.deepEqual(
      all.controller.failures.map(({ code }) => code),
      ['BF-INVITE-SECOND-HOLDER'],
    );
    assert.deepEqual([all.controller.disk.secret, all.controller.disk.spent], [undefined, 'second holder']);
    const back = await use(all, agent.disk, 'honest again');
    assert.equal(back.tunnels, 0);
  });
});
