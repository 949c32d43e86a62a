// A job that goes on: with what its record shows, on another size of chip, after a disk that
// failed (docs/protocol.md §11).
import assert from 'node:assert/strict';
import { compileFlash, type FlashOptions } from '../../../controller/plan/compile.ts';
import { planAgain } from '../../../controller/service/plan-again.ts';
import { requireChip, STM32F42X } from '../../../shared/chips/index.ts';
import { BlindflashError } from '../../../shared/errors/errors.ts';
import { failing, JOB, JobFixture, recordFor, sampleImage, stopsAt5, type JobFixtureOptions } from './job-fixture.ts';
import { MemoryJobStore } from './memory-job-store.ts';

describe('controller: --resume', () => {
  /** A job interrupted after sector 1 is acknowledged, and what is needed to go on. */
  async function interrupted() {
    const fixture = new JobFixture({ faults: stopsAt5() });
    await fixture.until(() => fixture.store.saved.some(({ acknowledged }) => acknowledged.includes(1)));
    fixture.running.interrupt();
    await fixture.finish().catch(() => {});
    const { board, store, agent } = fixture;
    return { board, store, record: store.last, resume: agent.secrets };
  }

  it('skips acknowledged sectors the stub confirms, never the boot sector, and does not ask for the code again', async () => {
    const fixture = new JobFixture(await interrupted());
    const result = await fixture.finish();
    assert.deepEqual(result.skipped, [1]);
    assert.equal(fixture.asked.length, 0);
    const first = fixture.agent.commands.slice(0, 2).map(({ name }) => name);
    assert.deepEqual(first, ['ERASE', 'DIGEST']);
    assert.equal(fixture.store.stored.size, 1);
  });

  it('writes a sector again whose digest does not agree', async () => {
    const state = await interrupted();
    state.board.flash[0x4010] ^= 0xff;
    const fixture = new JobFixture(state);
    const result = await fixture.finish();
    assert.deepEqual(result.skipped, []);
  });

  it('skips nothing the record does not show', async () => {
    const state = await interrupted();
    const fixture = new JobFixture({ ...state, record: { ...state.record, acknowledged: [] } });
    assert.deepEqual((await fixture.finish()).skipped, []);
  });

  it('refuses another unit', async () => {
    const state = await interrupted();
    state.board.uid = new Uint8Array(12).fill(1);
    await failing('BF-JOB-OTHER-BOARD', state);
  });

  it('signs at most one receipt per job and unit', async () => {
    const first = new JobFixture({ faults: { keepsBoard: true } });
    const { receipt } = await first.finish();
    const { board, store, agent } = first;
    const record = { ...store.last, finished: false };
    const again = new JobFixture({ board, store, record, resume: agent.secrets });
    const second = await again.finish();
    assert.deepEqual(second.receipt, receipt);
    assert.equal(store.stored.size, 1);
    assert.deepEqual(store.outcomes, ['written']);
  });
});

describe('controller: --resume of a finished job', () => {
  /** A job that is done, and what is needed to come back to it. */
  async function done() {
    const fixture = new JobFixture({ faults: { keepsBoard: true } });
    await fixture.finish();
    const { board, store, agent } = fixture;
    return { board, store, record: store.last, resume: agent.secrets };
  }

  it('a chip that is locked by now does not tell its id: its customer hears that the job is done all the same', async () => {
    const locked = { rdp: 1, optcr: 0x0fff55ed, uid: '00'.repeat(12), flashKiB: 0 } as const;
    const hello: NonNullable<JobFixtureOptions['faults']>['hello'] = (told) => ({
      ...told,
      target: { ...told.target, ...locked },
    });
    const fixture = new JobFixture({ ...(await done()), faults: { hello } });
    await fixture.finish();
    assert.equal(fixture.agent.bye?.done, true);
  });

  it('another board is told that it is another one', async () => {
    const state = await done();
    state.board.uid = new Uint8Array(12).fill(1);
    const { fixture } = await failing('BF-JOB-OTHER-BOARD', state);
    assert.equal(fixture.agent.bye?.done, false);
  });

  it('trouble on the vendor’s side is not told as a failure of the job: the agent waits', async () => {
    const state = await done();
    state.store.receipt = () => Promise.reject(new BlindflashError('BF-USAGE-FILE', 'the disk is away'));
    const { fixture } = await failing('BF-USAGE-FILE', state);
    assert.equal(fixture.agent.bye, undefined);
  });
});

describe('controller: --resume on a chip of another size than the plan was made for', () => {
  const image = sampleImage();
  const smaller: NonNullable<JobFixtureOptions['faults']>['hello'] = (told) => ({
    ...told,
    target: { ...told.target, flashKiB: 1024 },
  });
  const making = (options: Partial<FlashOptions>) => (job: Uint8Array, flashKiB: number | undefined) =>
    compileFlash(image, STM32F42X, { job, flashKiB, ...options });
  const locking = { lock: 'level 1', label: 'locks' } as const;
  const record = recordFor(making(locking)(JOB, undefined), image);

  it('the same options: the plan is made again, and locks as before', () => {
    const plan = planAgain(record, making(locking), 1024);
    assert.deepEqual({ lock: plan.lock, flashKiB: plan.flashKiB }, { lock: 'level 1', flashKiB: 1024 });
  });

  it('an option left out: nothing is planned without it, and the job waits for the right command', async () => {
    const chip = requireChip(0x413);
    for (const make of [
      making({ label: 'locks' }),
      making({ lock: 'level 1' }),
      (job: Uint8Array) => compileFlash(image, chip, { job, ...locking }),
      () => assert.fail('cannot be planned'),
    ]) {
      assert.throws(() => planAgain(record, make, 1024), { code: 'BF-USAGE' });
    }
    const planFor = (flashKiB: number) => planAgain(record, making({}), flashKiB);
    const { fixture } = await failing('BF-USAGE', { image, record, planFor, faults: { hello: smaller } });
    assert.ok(!fixture.agent.names.includes('JOB') && !fixture.agent.names.includes('BYE'));
    assert.equal(fixture.running.resumable, true);
  });
});

describe('controller: a disk that is slow', () => {
  it('a sector is told as written once that is on record, and the events keep their order', async () => {
    const store = new MemoryJobStore();
    const save = store.save.bind(store);
    let release = (): void => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    store.save = async (record) => {
      if (record.acknowledged.includes(1)) await released;
      await save(record);
    };
    const fixture = new JobFixture({ store });
    await fixture.until(() => fixture.agent.commands.some(({ name }) => name === 'END'));
    const told = () => fixture.events.flatMap((event) => (event.type === 'sector' ? [event.sector] : []));
    assert.ok(!told().includes(1), 'told before it was stored');
    release();
    await fixture.finish();
    const types = fixture.events.map(({ type }) => type);
    assert.deepEqual(told(), [0, 1, 5]);
    assert.ok(types.indexOf('written') > types.lastIndexOf('sector'));
  });
});

describe('controller: a disk that cannot store the resume secret', () => {
  it('no box leaves, so that the secret before still opens the job', async () => {
    const store = new MemoryJobStore();
    store.save = async ({ room }) => {
      if (room.invite.tunnels > 0) throw new BlindflashError('BF-USAGE-FILE', 'the disk is full');
    };
    const fixture = new JobFixture({ store });
    await assert.rejects(fixture.finish(), { code: 'BF-USAGE-FILE' });
    const later = fixture.clock.now() + 1000;
    await fixture.until(() => fixture.clock.now() > later);
    assert.deepEqual(fixture.agent.names, []);
    assert.equal(fixture.agent.secrets.length, 2, 'the agent keeps the secret that opened the tunnel');
    assert.equal(fixture.running.resumable, true);
  });
});
