// What an agent says is its own word: apart from what the chip proved, bounded, and not stored as what we know
// (docs/protocol.md §6).
import assert from 'node:assert/strict';
import { compileFlash } from '../../../controller/plan/compile.ts';
import { STM32F42X } from '../../../shared/chips/index.ts';
import { rawText } from '../../../shared/codec/foreign-text.ts';
import { BlindflashError } from '../../../shared/errors/errors.ts';
import { failing, JOB, JobFixture, sampleImage, type JobFixtureOptions } from './job-fixture.ts';
import type { ScriptedAgent } from './scripted-agent.ts';

/** An agent that floods at the first IMAGE. */
const flooding = (flood: (agent: ScriptedAgent) => void): NonNullable<JobFixtureOptions['faults']> => ({
  command: ({ name }, agent) => {
    if (name !== 'IMAGE') return false;
    flood(agent);
    return true;
  },
});

describe('controller: the agent’s word', () => {
  it('LEFT never says what the chip has proved: a lying agent leaves the record as it was', async () => {
    const { fixture, error } = await failing('BF-JOB-DECLINED', { faults: { decline: true, left: 'written' } });
    const { chipProved, agentSays, finished } = fixture.store.last;
    assert.deepEqual(
      { chipProved, agentSays, finished },
      { chipProved: 'untouched', agentSays: 'written', finished: false },
    );
    assert.match(error.detail ?? '', /nothing was sent to the chip.*; the agent says: the complete image is in flash/);
    assert.deepEqual(fixture.eventsOf('left'), [{ type: 'left', agentSays: 'written', chipProved: 'untouched' }]);
  });

  it('what the chip proved stays when the agent says less', async () => {
    const fixture = new JobFixture({ faults: { left: 'untouched' } });
    const { chipProved, agentSays } = await fixture.finish();
    assert.deepEqual([chipProved, agentSays], ['written', 'untouched']);
  });

  it('from the erase on flash is not proved to be complete, whatever the agent says', async () => {
    const faults: JobFixtureOptions['faults'] = {
      left: 'written',
      reply: (reply) => (reply.name === 'DIGEST' ? { ...reply, equal: false } : reply),
    };
    const { fixture } = await failing('BF-JOB-VERIFY', { faults });
    assert.deepEqual([fixture.store.last.chipProved, fixture.store.last.agentSays], ['incomplete', 'written']);
  });

  for (const code of ['BF-JOB-DECLINED', 'BF-KEYS-PASSPHRASE', 'BF-INVITE-SECOND-HOLDER', 'BF-IMAGE-EMPTY', 'NEWS']) {
    it(`PROBLEM ${code} before the code was right ends no job and spends nothing: it may be anybody’s word`, async () => {
      const fixture = new JobFixture({ type: () => undefined });
      await fixture.until(() => fixture.asked.length === 1);
      fixture.agent.problem(code.startsWith('BF-') ? code : 'BF-NEWS', 'untouched');
      await assert.rejects(fixture.finish(), { code: 'BF-TUNNEL-CLOSED' });
      const { invite } = fixture.store.last.room;
      assert.deepEqual([fixture.running.resumable, invite.spent, fixture.revoked], [true, undefined, 0]);
    });
  }

  it('PROBLEM with a code that is the vendor’s own to say is told as what it is, at any time', async () => {
    for (const code of ['BF-KEYS-PASSPHRASE', 'BF-INVITE-SECOND-HOLDER', 'BF-JOB-CODE-REFUSED', 'BF-JOB-VERIFY']) {
      const faults = { command: (_: unknown, agent: ScriptedAgent) => (agent.problem(code), true) };
      const { error } = await failing('BF-STUB-ABORTED', { faults });
      assert.match(error.detail ?? '', new RegExp(`the agent reports ${code}: “scripted”`));
    }
  });

  it('what is wrong with the vendor’s files is told to no agent but by its code', async () => {
    const fixture = new JobFixture({ type: () => undefined });
    await fixture.until(() => fixture.asked.length === 1);
    fixture.store.save = () =>
      Promise.reject(new BlindflashError('BF-KEYS-PERMISSIONS', '/home/vendor/jobs has mode 775'));
    await fixture.type('000-000').catch(() => {});
    await assert.rejects(fixture.finish(), /mode 775/);
    const { bye } = fixture.agent;
    assert.equal(bye?.done === false && rawText(bye.failure.detail), '');
  });

  it('the second LEFT is not told', async () => {
    const fixture = new JobFixture({});
    await fixture.until(() => fixture.agent.bye !== undefined);
    fixture.agent.send({ name: 'LEFT', left: { board: 'written' } });
    await fixture.finish();
    assert.equal(fixture.eventsOf('left').length, 1);
  });

  for (const name of ['SHEET', 'PROBLEM'] as const) {
    const one = (agent: ScriptedAgent): void =>
      name === 'SHEET' ? agent.send({ name }) : agent.problem('BF-STUB-AUTHENTICATION');

    it(`nine ${name} within a second end the tunnel`, async () => {
      const { fixture } = await failing('BF-TUNNEL-FLOOD', {
        faults: flooding((agent) => {
          for (let i = 0; i < 9; i++) one(agent);
        }),
      });
      assert.ok(fixture.eventsOf(name === 'SHEET' ? 'sheet' : 'problem').length <= 8);
      assert.equal(fixture.running.resumable, true);
    });
  }

  it('65 SHEET in a tunnel end it, however slowly they come; only one that belongs to the phase is told', async () => {
    const fixture = new JobFixture({ faults: { command: () => true } });
    await fixture.until(() => fixture.agent.commands.length > 0);
    const told = fixture.eventsOf('sheet').length;
    for (let sent = told; sent < 64; sent++) {
      fixture.agent.send({ name: 'SHEET' });
      const later = fixture.clock.now() + 500;
      await fixture.until(() => fixture.clock.now() > later);
    }
    assert.equal(fixture.eventsOf('sheet').length, told, 'the customer has agreed long ago');
    fixture.agent.send({ name: 'SHEET' });
    await assert.rejects(fixture.finish(), { code: 'BF-TUNNEL-FLOOD' });
  });

  it('a relay that repeats that the agent is there is told once', async () => {
    const fixture = new JobFixture({ type: () => undefined });
    await fixture.until(() => fixture.asked.length === 1);
    for (let again = 0; again < 100; again++) fixture.connect();
    fixture.disconnect();
    assert.deepEqual(
      fixture.eventsOf('peer').map(({ present }) => present),
      [true, false],
    );
  });

  it('a room is ended once its job is over and the agent has left; not before', async () => {
    const done = new JobFixture({});
    await done.finish();
    assert.deepEqual([done.revoked, done.store.last.room.invite.spent], [1, 'vendor']);
    const waits = new JobFixture({ faults: { keepsBoard: true } });
    await waits.finish();
    assert.deepEqual([waits.revoked, waits.store.last.room.invite.spent], [0, undefined]);
    const interrupted = new JobFixture({});
    await interrupted.until(() => interrupted.agent.commands.length > 0);
    interrupted.running.interrupt();
    await assert.rejects(interrupted.finish());
    assert.equal(interrupted.revoked, 0);
  });

  it('JOB carries both keys of the vendor', async () => {
    const image = sampleImage();
    const fixture = new JobFixture({ image, plan: compileFlash(image, STM32F42X, { job: JOB }) });
    await fixture.finish();
    const job = fixture.agent.received.find((message) => message.name === 'JOB')!;
    assert.deepEqual([job.sealedPublic.length, job.receiptPublic.length], [32, 32]);
    assert.match(
      rawText(fixture.agent.bye?.done === true ? fixture.agent.bye.customer.receipt! : (undefined as never)),
      /"code":"typed"/,
    );
  });
});
