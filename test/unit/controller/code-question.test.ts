// The question for the code: asked before JOB, typed by the vendor, worth one tunnel, three wrong ones
// (docs/protocol.md §13).
import assert from 'node:assert/strict';
import { compileInfo } from '../../../controller/plan/compile.ts';
import type { AgentLine } from '../../../controller/job/agent-line.ts';
import { CodeQuestion } from '../../../controller/job/code-question.ts';
import type { ChipKeyApproval } from '../../../controller/job/chip-key-approval.ts';
import type { JobRecorder } from '../../../controller/job/job-recorder.ts';
import type { JobEvent, JobOptions } from '../../../controller/job/ports.ts';
import { BlindflashError } from '../../../shared/errors/errors.ts';
import { STM32F42X } from '../../../shared/chips/index.ts';
import { verifyReceipt } from '../../../shared/plan/receipt.ts';
import { verifyEd25519 } from '../../../shared/platform/node/verify-signature.ts';
import { ManualClock } from '../../fixtures/manual-clock.ts';
import { failing, JOB, JobFixture, recordFor, stopsAt5 } from './job-fixture.ts';
import { ScriptedAgent } from './scripted-agent.ts';

const nobodyTypes = (): undefined => undefined;

/** A job whose vendor is asked for the first time and has not typed anything. */
async function asked(options: ConstructorParameters<typeof JobFixture>[0] = {}): Promise<JobFixture> {
  const fixture = new JobFixture({ type: nobodyTypes, ...options });
  await fixture.until(() => fixture.asked.length === 1);
  return fixture;
}

/** Lets this much time go by. */
async function wait(fixture: JobFixture, ms: number): Promise<void> {
  const end = fixture.clock.now() + ms;
  await fixture.until(() => fixture.clock.now() >= end, 2 * ms);
}

describe('controller: the code', () => {
  it('is asked for before JOB: until it was typed right the agent gets no message at all', async () => {
    const fixture = await asked();
    await wait(fixture, 10_000);
    assert.deepEqual(fixture.agent.names, []);
    assert.equal(await fixture.type(), 'right');
    await fixture.finish();
    assert.equal(fixture.agent.names[0], 'JOB');
  });

  it('names invite and customer and how often one may still be wrong; nothing the vendor’s side tells or keeps has the code', async () => {
    const fixture = await asked();
    const shown = fixture.agent.codes[0]!;
    const [question] = fixture.asked;
    assert.match(question!.invite, /^[0-9a-f]{4}-[0-9a-f]{4}$/);
    const { tunnel, customer, again, triesLeft } = question!;
    assert.deepEqual(
      { tunnel, customer, again, triesLeft },
      { tunnel: 1, customer: 'test', again: undefined, triesLeft: 3 },
    );
    const everything = JSON.stringify([fixture.events, fixture.store.saved, fixture.running.record]);
    for (const form of [shown, shown.replace('-', '')]) assert.ok(!everything.includes(form));
  });

  it('is taken in any spelling; what has not six characters is asked again, uncounted', async () => {
    const fixture = await asked();
    const shown = fixture.agent.codes[0]!;
    for (const bad of ['', 'ABC', 'ABC-DEFG', 'ABC-DU!']) assert.equal(await fixture.type(bad), 'malformed');
    assert.deepEqual([fixture.asked.at(-1)!.again, fixture.asked.at(-1)!.triesLeft], ['malformed', 3]);
    const spelt = shown.toLowerCase().replace('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l');
    assert.equal(await fixture.type(spelt), 'right');
    await fixture.finish();
  });

  it('three wrong ones spend the invite; the agent hears it, the job goes on under another', async () => {
    const { fixture, error } = await failing('BF-INVITE-SPENT', { type: () => '000-000' });
    assert.deepEqual(fixture.answers, ['wrong', 'wrong', 'spent']);
    assert.match(error.detail ?? '', /three wrong codes/);
    assert.deepEqual(fixture.agent.names, ['BYE']);
    assert.equal(fixture.running.resumable, true);
    const { invite } = fixture.store.last.room;
    assert.deepEqual([invite.spent, invite.secret, invite.wrongCodes], ['codes', undefined, 3]);
    assert.deepEqual(fixture.eventsOf('spent'), [{ type: 'spent', why: 'codes' }]);
    assert.equal(fixture.revoked, 1);
  });

  it('the thirty-third T1 gets no answer: the invite is spent, both ends are told, the job needs another', async () => {
    const fresh = recordFor(compileInfo(STM32F42X, { job: JOB }));
    const record = { ...fresh, room: { ...fresh.room, invite: { ...fresh.room.invite, answers: 32 } } };
    const { fixture, error } = await failing('BF-INVITE-SPENT', { record });
    assert.match(error.detail ?? '', /answered 32 times/);
    await fixture.until(() => fixture.agent.failed !== undefined, 1000);
    assert.equal(fixture.agent.failed?.code, 'BF-INVITE-SPENT');
    assert.deepEqual([fixture.store.last.room.invite.spent, fixture.revoked], ['answers', 1]);
    assert.equal(fixture.running.resumable, true);
  });

  it('a tunnel that lives goes on when somebody spends the invite beside it', async () => {
    const fresh = recordFor(compileInfo(STM32F42X, { job: JOB }));
    const record = { ...fresh, room: { ...fresh.room, invite: { ...fresh.room.invite, answers: 31 } } };
    const fixture = await asked({ record });
    fixture.beside(new ScriptedAgent(fixture.board, record, fixture.clock, {}, fixture.agent.secrets));
    await fixture.until(() => fixture.eventsOf('spent').length === 1);
    assert.equal(await fixture.type(), 'right');
    await fixture.finish();
    assert.deepEqual(fixture.eventsOf('spent'), [{ type: 'spent', why: 'answers' }]);
  });

  it('a wrong code is one of three also when somebody has spent the invite beside the tunnel', async () => {
    const fresh = recordFor(compileInfo(STM32F42X, { job: JOB }));
    const record = { ...fresh, room: { ...fresh.room, invite: { ...fresh.room.invite, answers: 31 } } };
    const fixture = await asked({ record });
    fixture.beside(new ScriptedAgent(fixture.board, record, fixture.clock, {}, fixture.agent.secrets));
    await fixture.until(() => fixture.eventsOf('spent').length === 1);
    assert.deepEqual([await fixture.type('000-000'), await fixture.type('000-000')], ['wrong', 'wrong']);
    assert.equal(await fixture.type('000-000'), 'spent');
    await assert.rejects(fixture.finish(), { code: 'BF-INVITE-SPENT' });
  });

  it('wrong ones are counted over processes: two, then a kill, then one', async () => {
    const first = await asked();
    await first.type('000-000');
    assert.equal(await first.type('000-000'), 'wrong');
    // Nothing is said or stored at the kill: what is on disk is all there is.
    const record = first.store.saved.at(-1)!;
    const { board, agent } = first;
    const second = await asked({ board, record, resume: agent.secrets });
    assert.equal(second.asked[0]!.triesLeft, 1);
    assert.equal(await second.type('000-000'), 'spent');
    await assert.rejects(second.finish(), { code: 'BF-INVITE-SPENT' });
  });

  it('a new tunnel voids the question: what is typed for the one before counts for nothing, right or wrong', async () => {
    const fixture = await asked();
    const [before] = fixture.asked;
    const old = fixture.agent.codes[0]!;
    fixture.replaceAgent();
    await fixture.until(() => fixture.asked.length === 2);
    assert.deepEqual(fixture.eventsOf('codeVoid'), [{ type: 'codeVoid', tunnel: 1 }]);
    assert.equal(await fixture.type(old, before), 'void');
    assert.equal(await fixture.type('000-000', before), 'void');
    assert.equal(fixture.running.record.room.invite.wrongCodes, 0);
    assert.deepEqual(fixture.agent.names, []);
    assert.equal(await fixture.type(), 'right');
    await fixture.finish();
    assert.deepEqual(
      fixture.eventsOf('tunnel').map(({ number }) => number),
      [1, 2],
    );
  });

  it('a right code whose tunnel was replaced while it went to disk is worth nothing in the new one', async () => {
    let stored: (verdict: 'right') => void = () => {};
    const line = { tunnel: 1, checkCode: () => new Promise((resolve) => (stored = resolve)) };
    const settled: string[] = [];
    const question = new CodeQuestion(
      { callbacks: {}, clock: new ManualClock() } as unknown as JobOptions,
      line as unknown as AgentLine,
      { record: recordFor(compileInfo(STM32F42X, { job: JOB })) } as JobRecorder,
      { settle: (code: string) => settled.push(code) } as unknown as ChipKeyApproval,
    );
    question.ask();
    const answer = question.answer('ABC-DEF', 1);
    question.drop();
    line.tunnel = 2;
    question.ask();
    stored('right');
    assert.equal(await answer, 'void');
    assert.deepEqual([settled, question.right], [[], undefined]);
  });

  it('is waited for half an hour, and then goes on under a new invite only', async () => {
    const fixture = await asked();
    await wait(fixture, 29 * 60_000);
    assert.deepEqual(fixture.agent.names, []);
    await assert.rejects(fixture.finish(120_000), { code: 'BF-JOB-CODE-REFUSED' });
    assert.equal(fixture.agent.bye?.done, false);
    assert.equal(fixture.agent.commands.length, 0);
    assert.deepEqual([fixture.running.resumable, fixture.store.last.room.invite.spent], [true, 'vendor']);
    assert.equal(fixture.revoked, 1);
    const { room } = recordFor(compileInfo(STM32F42X, { job: JOB }));
    const { board, store } = fixture;
    const again = new JobFixture({ board, store, record: { ...store.last, room, code: undefined, devices: [] } });
    const { receipt } = await again.finish();
    assert.equal(verifyReceipt(receipt!, verifyEd25519).outcome, 'written');
    assert.equal(again.asked.length, 1);
  });

  it('the half hour begins with the first question of a tunnel: an agent that comes and goes, or begins anew, does not stretch it', async () => {
    const fixture = await asked();
    const began = fixture.clock.now();
    let over = false;
    fixture.running.done.catch(() => (over = true));
    for (let round = 0; round < 8 && !over; round++) {
      fixture.disconnect();
      await wait(fixture, 4 * 60_000);
      fixture.connect();
      fixture.agent.greet();
      await wait(fixture, 60_000);
    }
    await assert.rejects(fixture.finish(), { code: 'BF-JOB-CODE-REFUSED' });
    const minutes = (fixture.clock.now() - began) / 60_000;
    assert.ok(minutes >= 30 && minutes < 36, `${minutes} min`);
  });

  it('a disk that cannot count a wrong code ends the job', async () => {
    const fixture = await asked();
    fixture.store.save = () => Promise.reject(new BlindflashError('BF-USAGE-FILE', 'the disk is full'));
    await assert.rejects(fixture.type('000-000'));
    await assert.rejects(fixture.finish());
    assert.deepEqual(fixture.agent.names, []);
  });

  it('waived is not asked for, and the receipt says so', async () => {
    const fixture = new JobFixture({ codePolicy: 'waived' });
    const { receipt } = await fixture.finish();
    assert.equal(fixture.asked.length, 0);
    assert.equal(verifyReceipt(receipt!, verifyEd25519).code, 'waived');
  });

  it('asked once, the receipt says what that is worth', async () => {
    const once = await new JobFixture({ codePolicy: 'once' }).finish();
    const each = await new JobFixture({}).finish();
    const sentence = /until the job is over, the memory and the disk of the customer’s computer are worth the image/;
    assert.match(verifyReceipt(once.receipt!, verifyEd25519).statement, sentence);
    assert.doesNotMatch(verifyReceipt(each.receipt!, verifyEd25519).statement, sentence);
  });

  it('is asked for by a job without a stub as well', async () => {
    const plan = compileInfo(STM32F42X, { job: JOB });
    const fixture = new JobFixture({ plan, record: recordFor(plan) });
    await fixture.finish();
    assert.equal(fixture.asked.length, 1);
  });

  it('the number and the time of every tunnel are told, never its code', async () => {
    const fixture = new JobFixture({ faults: stopsAt5() });
    await fixture.until(() => fixture.store.saved.some(({ acknowledged }) => acknowledged.includes(1)));
    fixture.replaceAgent();
    await fixture.finish();
    const told = fixture.eventsOf('tunnel');
    assert.deepEqual(
      told.map((event: JobEvent) => Object.keys(event).sort()),
      [
        ['at', 'number', 'type'],
        ['at', 'number', 'type'],
      ],
    );
    assert.ok(told[0]!.at <= told[1]!.at);
  });
});
