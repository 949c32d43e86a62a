// What leaves behind M2 before the chip has proved itself, and what does not (docs/protocol.md §8, "Before M3").
import assert from 'node:assert/strict';
import { SealedSession, type SealedPeer } from '../../../controller/job/sealed-session.ts';
import { compileErase, compileFlash, compileVerify } from '../../../controller/plan/compile.ts';
import { STM32F42X } from '../../../shared/chips/index.ts';
import { BoxSession } from '../../../shared/crypto/session.ts';
import { SEALED_SUITES } from '../../../shared/sealed/protocol.ts';
import type { Command } from '../../../shared/sealed/messages.ts';
import { FLASH } from '../../fixtures/images.ts';
import { JOB, JobFixture, sampleImage, type JobFixtureOptions } from './job-fixture.ts';
import { MemoryJobStore } from './memory-job-store.ts';
import { ScriptedBoard } from './scripted-agent.ts';

const image = sampleImage();

/** The job, everything that leaves before M3 heard. */
async function withoutM3(options: JobFixtureOptions = {}): Promise<JobFixture> {
  const fixture = new JobFixture({ ...options, faults: { ...options.faults, keepsM3: true } });
  await fixture.until(() => fixture.agent.names.includes('SEALED2'));
  const later = fixture.clock.now() + 2000;
  await fixture.until(() => fixture.clock.now() > later);
  return fixture;
}

const sent = ({ agent }: JobFixture): string[] =>
  agent.commands.map((command) => (command.name === 'ERASE' ? `ERASE ${command.sector}` : command.name));

describe('controller: before M3', () => {
  it('the first two sectors are erased already, and nothing of the image has left', async () => {
    const fixture = await withoutM3();
    assert.deepEqual(sent(fixture), ['ERASE 0', 'ERASE 1']);
    fixture.agent.giveM3();
    await fixture.finish();
    assert.deepEqual(fixture.flash(FLASH, 9000), image.segments[0]!.bytes);
    assert.equal(sent(fixture).filter((command) => command === 'ERASE 1').length, 1);
  });

  it('that flash is being changed is on record before an ERASE leaves, with the unit', async () => {
    const seen: unknown[] = [];
    const store = new MemoryJobStore();
    const command = (): boolean => {
      const { chipProved, uid, devices } = store.last;
      seen.push([chipProved, uid, devices.length]);
      return false;
    };
    await withoutM3({ store, faults: { command } });
    assert.deepEqual(seen[0], ['incomplete', '404142434445464748494a4b', 0]);
  });

  it('--delta: the questions have left, and are counted once the key of the chip is on record', async () => {
    const plan = compileFlash(image, STM32F42X, { job: JOB, delta: true });
    const board = new ScriptedBoard();
    for (const { address } of image.segments) board.flash.fill(0xff, address - FLASH, address - FLASH + 0x8000);
    for (const { address, bytes } of image.segments) board.flash.set(bytes, address - FLASH);
    const fixture = await withoutM3({ plan, image, board, delta: true });
    assert.deepEqual(sent(fixture), ['ERASE 0', 'DIGEST', 'DIGEST']);
    fixture.agent.giveM3();
    const { skipped } = await fixture.finish();
    assert.deepEqual(skipped, [1]);
    assert.equal(fixture.store.last.devices[0]?.questionsLeft, 256 - board.questions);
  });

  it('a verify job asks, an erase job erases', async () => {
    const verify = await withoutM3({ image, plan: compileVerify(image, STM32F42X, { job: JOB }) });
    assert.deepEqual(sent(verify), ['DIGEST']);
    const plan = compileErase(STM32F42X, { job: JOB, flashKiB: 2048 });
    const erase = await withoutM3({ image: undefined, plan });
    assert.equal(sent(erase).length, 25);
    assert.ok(sent(erase).every((command) => command.startsWith('ERASE')));
    erase.agent.giveM3();
    await erase.finish();
  });

  it('an M3 that is wrong costs a new session, and the job ends well', async () => {
    let wrong = 1;
    const m3 = (right: Uint8Array): Uint8Array => (wrong-- > 0 ? right.map((byte) => byte ^ 1) : right);
    const fixture = new JobFixture({ faults: { m3 } });
    await fixture.finish();
    assert.equal(fixture.agent.names.filter((name) => name === 'RESTART').length, 1);
    assert.deepEqual(sent(fixture).slice(0, 2), ['ERASE 0', 'ERASE 1']);
    assert.deepEqual(fixture.flash(FLASH, 9000), image.segments[0]!.bytes);
  });

  it('a session that is not confirmed refuses everything else, and more than 32 of these', () => {
    const chains = { i2r: new Uint8Array(32), r2i: new Uint8Array(32).fill(1) };
    const peer = { session: new BoxSession('r', SEALED_SUITES.sealed, chains) } as unknown as SealedPeer;
    const session = new SealedSession(peer, () => {});
    const refused = (command: Command): void =>
      assert.throws(() => session.ask(command, 'ENDED', () => {}), /BF-INTERNAL-ARGUMENT|before the chip has proved/);
    assert.throws(() => session.image({ name: 'IMAGE', address: FLASH, data: new Uint8Array(4) }), /proved itself/);
    for (const name of ['LOCK', 'END', 'PING'] as const) refused({ name });
    refused({ name: 'FINAL', root: new Uint8Array(64), bootWords: new Uint8Array(64) });
    assert.equal(session.sent, 0);
    for (let sector = 0; session.mayGoAhead; sector++) session.ask({ name: 'ERASE', sector }, 'ERASED', () => {});
    assert.equal(session.sent, 32);
    session.confirm();
    session.image({ name: 'IMAGE', address: FLASH, data: new Uint8Array(4) });
  });
});

describe('controller: an agent that leaves a locked board before BYE', () => {
  const plan = compileFlash(image, STM32F42X, { job: JOB, lock: 'level 1' });

  it('hears BYE all the same, and has to have heard it before anybody goes', async () => {
    const fixture = new JobFixture({ image, plan, faults: { leavesLocked: true } });
    const result = await fixture.finish();
    assert.equal(result.agentSays, 'locked');
    assert.equal(fixture.agent.bye?.done, true);
    assert.deepEqual(fixture.store.outcomes, ['written', 'lock programmed']);
  });

  it('of any other plan it ends the job', async () => {
    const fixture = new JobFixture({ image, faults: { leavesLocked: true } });
    await assert.rejects(fixture.finish(), /left the board/);
  });
});
