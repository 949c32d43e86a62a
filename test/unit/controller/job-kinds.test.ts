// Kinds of plan other than flash, and the lock (docs/protocol.md §9, §10).
import assert from 'node:assert/strict';
import { compileErase, compileFlash, compileInfo, compileVerify } from '../../../controller/plan/compile.ts';
import { STM32F42X } from '../../../shared/chips/index.ts';
import { verifyReceipt } from '../../../shared/plan/receipt.ts';
import { verifyEd25519 } from '../../../shared/platform/node/verify-signature.ts';
import { failing, JOB, JobFixture, recordFor, sampleImage, type JobFixtureOptions } from './job-fixture.ts';
import { MemoryJobStore } from './memory-job-store.ts';
import { FLASH } from '../../fixtures/images.ts';
import { ScriptedBoard } from './scripted-agent.ts';

describe('controller: other kinds and the lock', () => {
  const image = sampleImage();

  it('locks after the receipt is stored, and says so in it', async () => {
    const plan = compileFlash(image, STM32F42X, { job: JOB, lock: 'level 1' });
    const store = new MemoryJobStore();
    let storedBeforeLock = -1;
    const faults: JobFixtureOptions['faults'] = {
      command: ({ name }) => {
        if (name === 'LOCK') storedBeforeLock = store.outcomes.length;
        return false;
      },
    };
    const fixture = new JobFixture({ image, plan, store, faults });
    const result = await fixture.finish();
    assert.equal(storedBeforeLock, 1);
    assert.deepEqual(store.outcomes, ['written', 'lock programmed']);
    const receipt = verifyReceipt(result.receipt!, verifyEd25519);
    assert.deepEqual(receipt.lock, { asked: true, optcr: 0x0fff55ed });
    assert.equal(store.stored.size, 1);
  });

  it('ends unsuccessfully when written but not locked', async () => {
    const plan = compileFlash(image, STM32F42X, { job: JOB, lock: 'level 1' });
    const { fixture, error } = await failing('BF-JOB-NOT-LOCKED', { image, plan, faults: { lockFails: true } });
    assert.match(error.detail ?? '', /has proved that the complete image is in flash/);
    assert.equal(fixture.agent.bye?.done, false);
    assert.deepEqual(fixture.store.outcomes, ['written', 'written']);
  });

  it('verifies without changing anything', async () => {
    const board = new ScriptedBoard();
    for (const { address, bytes } of image.segments) board.flash.set(bytes, address - FLASH);
    const plan = compileVerify(image, STM32F42X, { job: JOB });
    const fixture = new JobFixture({ image, plan, board });
    const result = await fixture.finish();
    assert.deepEqual([...new Set(fixture.agent.commands.map(({ name }) => name))], ['DIGEST', 'END']);
    const { outcome, source, sectorsByEqual, statement } = verifyReceipt(result.receipt!, verifyEd25519);
    assert.deepEqual({ outcome, source, sectorsByEqual }, { outcome: 'verified', source: 'vendor', sectorsByEqual: 3 });
    assert.match(statement, /answered .equal. to the digest .* the vendor’s own/);
    const questions = fixture.agent.commands.filter(({ name }) => name === 'DIGEST');
    assert.equal(questions.length, 1, 'one question over all ranges');
    board.flash[0x20001] ^= 1;
    const { fixture: other, error } = await failing('BF-JOB-DIFFERS', { image, plan, board });
    // The customer is told the detail, and has no such option.
    assert.match(error.detail ?? '', /^nothing was sent/);
    assert.match(error.remedy, /--where/);
    assert.equal(other.agent.commands.length, 1);
    const where = await failing('BF-JOB-DIFFERS', { image, plan, board, where: true });
    assert.match(where.error.detail ?? '', /^in 0x08020000\.\./);
  });

  it('erases the sectors of the plan and no others', async () => {
    const plan = compileErase(STM32F42X, { job: JOB, sectors: [2, 12] });
    const fixture = new JobFixture({ plan, record: recordFor(plan) });
    const result = await fixture.finish();
    assert.ok(fixture.flash(FLASH + 0x8000, 0x4000).every((byte) => byte === 0xff));
    assert.ok(fixture.flash(FLASH, 0x8000).every((byte) => byte === 0));
    const receipt = verifyReceipt(result.receipt!, verifyEd25519);
    assert.equal(receipt.outcome, 'erased');
    assert.equal(receipt.imageDigest, null);
  });

  it('looks at a board without a stub and without a receipt', async () => {
    const plan = compileInfo(STM32F42X, { job: JOB });
    const fixture = new JobFixture({ plan, record: recordFor(plan) });
    const result = await fixture.finish();
    assert.equal(result.receipt, undefined);
    assert.equal(result.hello.target.uid, '404142434445464748494a4b');
    assert.ok(!fixture.agent.names.includes('SEALED2'));
    assert.ok(fixture.agent.bye?.done);
  });
});
