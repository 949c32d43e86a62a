// Questions about flash: one a sector or one a plan, never about a few bytes, never one too many
// (docs/protocol.md §8, §9, §11).
import assert from 'node:assert/strict';
import { compileFlash, compileVerify } from '../../../controller/plan/compile.ts';
import type { Question } from '../../../controller/plan/steps.ts';
import { STM32F42X } from '../../../shared/chips/index.ts';
import { verifyReceipt } from '../../../shared/plan/receipt.ts';
import { verifyEd25519 } from '../../../shared/platform/node/verify-signature.ts';
import { failing, JOB, JobFixture, sampleImage, type JobFixtureOptions } from './job-fixture.ts';
import { FLASH } from '../../fixtures/images.ts';
import { ScriptedBoard } from './scripted-agent.ts';

const questionsOf = (fixture: JobFixture): Question[] =>
  fixture.agent.commands.filter((command): command is Question => command.name === 'DIGEST');

/** A board that holds the image already, in sectors that are 00 elsewhere. */
function boardWith(image = sampleImage()): ScriptedBoard {
  const board = new ScriptedBoard();
  for (const { address, bytes } of image.segments) board.flash.set(bytes, address - FLASH);
  return board;
}

/** A finished job but for its record, to be done again with everything acknowledged. */
async function acknowledged(image = sampleImage()): Promise<JobFixtureOptions> {
  const fixture = new JobFixture({ image, faults: { keepsBoard: true } });
  await fixture.finish();
  const { board, store, agent } = fixture;
  return { image, board, store, record: { ...store.last, finished: false }, resume: agent.secrets };
}

describe('controller: questions about flash', () => {
  it('--resume asks once a sector, over all its ranges, before it writes', async () => {
    const fixture = new JobFixture(await acknowledged());
    const { skipped, receipt } = await fixture.finish();
    assert.deepEqual(skipped, [1, 5]);
    const ranges = questionsOf(fixture).map(({ first, count }) => [first, count]);
    assert.deepEqual(ranges, [
      [1, 1],
      [2, 1],
      [0, 1],
    ]);
    assert.equal(fixture.board.questions, 3, 'FINAL is one; the boot sector was erased in this session: free');
    assert.equal(fixture.store.last.devices[0]?.questionsLeft, 253);
    // The receipt is the first one's: at most one for a job and a unit.
    assert.equal(verifyReceipt(receipt!, verifyEd25519).sectorsByEqual, 0);
  });

  it('the receipt counts the sectors that rest on the answer equal', async () => {
    const state = await acknowledged();
    (state.store as JobFixture['store']).stored.clear();
    const { receipt } = await new JobFixture(state).finish();
    assert.equal(verifyReceipt(receipt!, verifyEd25519).sectorsByEqual, 2);
  });

  it('a sector with fewer than 1024 bytes is written, not asked about', async () => {
    const fixture = new JobFixture(await acknowledged(sampleImage('small', [9000, 1020, 20000])));
    const { skipped } = await fixture.finish();
    assert.deepEqual(skipped, [5]);
    const outside = questionsOf(fixture)[0]!;
    assert.deepEqual([outside.first, outside.count], [2, 1]);
  });

  it('when they run out a sector is written; they are off on record before one is asked', async () => {
    const state = await acknowledged();
    const [device] = state.record!.devices;
    const record = { ...state.record!, devices: [{ ...device!, questionsLeft: 2 }] };
    state.board!.questions = 254;
    const one = new JobFixture({ ...state, record });
    const before: (number | undefined)[] = [];
    one.agent.faults.command = ({ name }) => {
      if (name === 'DIGEST') before.push(one.store.last.devices[0]?.questionsLeft);
      return false;
    };
    assert.deepEqual((await one.finish()).skipped, [1]);
    assert.equal(before[0], 1);
    assert.equal(one.store.last.devices[0]?.questionsLeft, 0, 'the last one was kept for FINAL');
    assert.equal(state.board!.questions, 256);
  });

  it('sixteen resumes of a job whose stub answers nothing more still end in a receipt', async () => {
    const state = await acknowledged();
    const [device] = state.record!.devices;
    state.board!.questions = 256;
    const record = { ...state.record!, devices: [{ ...device!, questionsLeft: 0 }] };
    const fixture = new JobFixture({ ...state, record });
    const result = await fixture.finish();
    assert.deepEqual(result.skipped, []);
    assert.ok(result.receipt !== undefined);
  });

  it('--delta asks about whole sectors only, left-overs included', async () => {
    const image = sampleImage('delta', [9000, 5000, 20000]);
    const plan = compileFlash(image, STM32F42X, { job: JOB, delta: true });
    const dirty = new JobFixture({ image, plan, delta: true, board: boardWith(image) });
    assert.deepEqual((await dirty.finish()).skipped, [], 'what the image leaves free is not FF');
    const clean = boardWith(image);
    clean.flash.fill(0xff, 0x4000 + 5000, 0x8000);
    const fixture = new JobFixture({ image, plan, delta: true, board: clean });
    assert.deepEqual((await fixture.finish()).skipped, [1]);
    assert.ok(questionsOf(fixture).every(({ count }) => count >= 1));
  });

  it('verify: one question over all ranges; piece by piece only when it is wrong and the place is asked for', async () => {
    const image = sampleImage('where', [9000, 1020, 20000]);
    const board = boardWith(image);
    board.flash[0x20001] ^= 1;
    board.flash[0x22fff] ^= 1;
    const plan = compileVerify(image, STM32F42X, { job: JOB, where: true });
    const plain = await failing('BF-JOB-DIFFERS', { image, plan, board });
    assert.equal(questionsOf(plain.fixture).length, 1);
    const { fixture, error } = await failing('BF-JOB-DIFFERS', { image, plan, board, where: true });
    // 9000 bytes are cut at each 1024 but the last, 1020 join what follows, 20000 are 19 pieces.
    const asked = questionsOf(fixture).map(({ first, count }) => [first, count]);
    assert.deepEqual(asked.slice(0, 3), [
      [0, plan.ranges.length],
      [0, 1],
      [1, 1],
    ]);
    assert.deepEqual(asked[9], [8, 2]);
    assert.equal(
      asked.reduce((sum, [, count]) => sum + count!, 0),
      2 * plan.ranges.length,
    );
    assert.match(
      error.detail ?? '',
      /^in 0x08004000\.\.0x080043fb, 0x08020000\.\.0x080203ff, 0x08022c00\.\.0x08022fff, \d+ of 30020 bytes; all else is equal/,
    );
  });

  it('a wrong answer to a sector just written ends the job, with the sector named', async () => {
    const faults: JobFixtureOptions['faults'] = {
      reply: (reply) => (reply.name === 'DIGEST' && reply.answers > 3 ? { ...reply, equal: false } : reply),
    };
    const { error } = await failing('BF-JOB-VERIFY', { faults });
    assert.match(error.detail ?? '', /sector \d does not hold what was written to it/);
  });
});
