// Which sectors the stub is told it may leave because they read blank, when everything is erased at once, and what the
// receipt says of both and of the time (docs/protocol.md §8, §10).
import assert from 'node:assert/strict';
import { flashPlan } from '../../../cli/vendor/flash.ts';
import { JobClock } from '../../../controller/job/job-clock.ts';
import type { JobRecord } from '../../../controller/store/job-record.ts';
import { compileErase, compileFlash } from '../../../controller/plan/compile.ts';
import { describePlan } from '../../../controller/plan/describe.ts';
import { toHex } from '../../../shared/codec/bytes.ts';
import { STM32F42X } from '../../../shared/chips/index.ts';
import { fail } from '../../../shared/errors/errors.ts';
import type { Plan } from '../../../shared/plan/plan.ts';
import type { Command, ErasedHow } from '../../../shared/sealed/messages.ts';
import { ManualClock } from '../../fixtures/manual-clock.ts';
import { imageOf } from '../../fixtures/images.ts';
import { JOB, JobFixture, recordFor, sampleImage, stopsAt5, type JobFixtureOptions } from './job-fixture.ts';
import { MemoryJobStore } from './memory-job-store.ts';
import { ScriptedBoard } from './scripted-agent.ts';

const FLASH = 0x08000000;
const image = sampleImage();
const plan = (flags: Plan['flags'] = []) => compileFlash(image, STM32F42X, { job: JOB, label: 'test', flags });
const UNIT = toHex(new ScriptedBoard().uid);
const ALL = 255;

const erases = ({ agent }: JobFixture) =>
  agent.commands.flatMap((command: Command) => (command.name === 'ERASE' ? [command] : []));
/** Whether each ERASE lets the stub leave what reads blank. */
const trusts = (fixture: JobFixture) => erases(fixture).map(({ unlessBlank }) => unlessBlank === true);

/** A store with a record of another job, changed. */
async function storeWith(change: Partial<JobRecord>): Promise<MemoryJobStore> {
  const store = new MemoryJobStore();
  const other = new Uint8Array(16).fill(9);
  const record = recordFor(compileFlash(image, STM32F42X, { job: other, label: 'other' }), image);
  await store.save({ ...record, ...change });
  return store;
}

async function finished(options: JobFixtureOptions = {}): Promise<JobFixture> {
  const fixture = new JobFixture(options);
  await fixture.finish();
  return fixture;
}

describe('controller: sectors that read blank', () => {
  it('may be left by a job that has changed nothing yet, every one of them', async () => {
    assert.deepEqual(trusts(await finished()), [true, true, true]);
  });

  it('are erased when the plan says so', async () => {
    assert.deepEqual(trusts(await finished({ plan: plan(['always erase']) })), [false, false, false]);
  });

  it('are erased by a job that may have left a cut erase itself', async () => {
    const first = new JobFixture({ faults: stopsAt5() });
    await first.until(() => first.store.saved.some(({ acknowledged }) => acknowledged.includes(1)));
    first.running.interrupt();
    await first.finish().catch(() => {});
    const { board, store, agent } = first;
    assert.equal(store.last.chipProved, 'incomplete');
    const again = await finished({ board, store, record: store.last, resume: agent.secrets });
    assert.ok(trusts(again).length > 0);
    assert.ok(trusts(again).every((trust) => !trust));
  });

  const OTHERS: readonly [string, Partial<JobRecord>, boolean][] = [
    ['did not come to its end on this unit', { uid: UNIT, chipProved: 'incomplete' }, false],
    ['has changed nothing on this unit', { uid: UNIT, chipProved: 'untouched' }, true],
    ['did not come to its end on another unit', { uid: '11'.repeat(12), chipProved: 'incomplete' }, true],
    ['did not come to its end on a unit it never knew', { uid: undefined, chipProved: 'incomplete' }, false],
    [
      'took protection away from a unit it never knew',
      { uid: undefined, chipProved: 'incomplete', finished: true },
      true,
    ],
  ];
  for (const [what, change, trust] of OTHERS) {
    it(`${trust ? 'may be left' : 'are erased'} when another job ${what}`, async () => {
      assert.deepEqual(trusts(await finished({ store: await storeWith(change) })), [trust, trust, trust]);
    });
  }

  it('are erased when a record cannot be read', async () => {
    const store = await storeWith({ uid: '11'.repeat(12), chipProved: 'untouched' });
    store.load = () => Promise.reject(fail('BF-JOB-UNKNOWN'));
    assert.deepEqual(trusts(await finished({ store })), [false, false, false]);
  });

  it('are erased when the vendor says --always-erase, and only then', () => {
    const args = { chip: 'stm32f427', image: [] };
    const flags = (always?: boolean) =>
      flashPlan({ ...args, 'always-erase': always }, image, STM32F42X, JOB, 2048).flags;
    assert.deepEqual([flags(), flags(false), flags(true)], [[], [], ['always erase']]);
  });

  it('the vendor reads in the plan what becomes of them', () => {
    const line = (of: Plan) => describePlan(of, STM32F42X, image).filter((text) => text.startsWith('blank'));
    assert.match(line(plan())[0]!, /left as they are, if nothing of this job was written yet/);
    assert.match(line(plan(['always erase']))[0]!, /erased as well/);
  });
});

describe('controller: everything at once', () => {
  const whole = imageOf([FLASH, sampleImage('image', [0x200000, 4, 4]).segments[0]!.bytes]);
  const options = { image: whole, plan: compileFlash(whole, STM32F42X, { job: JOB, label: 'test', delta: true }) };
  const first = (fixture: JobFixture) => fixture.agent.commands[0];

  it('is asked for first by a plan over every sector, and by no other', async () => {
    const over = new JobFixture(options);
    await over.until(() => over.agent.commands.length > 0);
    assert.deepEqual(first(over), { name: 'ERASE', sector: ALL, unlessBlank: true });
    over.running.interrupt();
    await over.finish().catch(() => {});
    const fixture = await finished();
    assert.ok(erases(fixture).every(({ sector }) => sector !== ALL));
  });

  it('is not asked for when a sector may be skipped', async () => {
    const over = new JobFixture({ ...options, delta: true });
    await over.until(() => over.agent.commands.length > 1);
    assert.ok(erases(over).length > 0);
    assert.ok(erases(over).every(({ sector }) => sector !== ALL));
    over.running.interrupt();
    await over.finish().catch(() => {});
  });

  it('is asked for first by an erase of the whole chip', async () => {
    const fixture = await finished({ image: undefined, plan: compileErase(STM32F42X, { job: JOB, flashKiB: 2048 }) });
    assert.deepEqual(
      erases(fixture).map(({ sector }) => sector),
      [ALL, ...Array.from({ length: 24 }, (_, sector) => sector)],
    );
  });
});

describe('controller: the receipt of what was erased', () => {
  /** The receipt when the stub says of the sectors, everything included, how they were erased. */
  async function receiptWhen(how: (sector: number) => ErasedHow, options: JobFixtureOptions = {}) {
    const fixture = await finished({
      ...options,
      faults: { reply: (reply) => (reply.name === 'ERASED' ? { ...reply, how: how(reply.sector) } : reply) },
    });
    return JSON.parse([...fixture.store.stored.values()][0]!.text);
  }

  it('counts erased sectors and those left apart', async () => {
    const { erase } = await receiptWhen((sector) => (sector === 5 ? 'erased' : 'blank'));
    assert.deepEqual(erase, { sectors: 1, blank: 2, atOnce: false });
  });

  it('counts what was erased at once as erased, and says that it was', async () => {
    const chip = { image: undefined, plan: compileErase(STM32F42X, { job: JOB, flashKiB: 2048 }) };
    assert.deepEqual((await receiptWhen(() => 'all at once', chip)).erase, { sectors: 24, blank: 0, atOnce: true });
    assert.deepEqual((await receiptWhen(() => 'blank', chip)).erase, { sectors: 0, blank: 24, atOnce: false });
  });

  it('says what the chip says of its time', async () => {
    const { time } = await receiptWhen(() => 'erased');
    assert.deepEqual([time.erase, time.program, time.check], [300, 200, 100]);
  });
});

describe('controller: where the time of a run goes', () => {
  function run(): { clock: ManualClock; job: JobClock } {
    const clock = new ManualClock();
    clock.advanceNow(5000);
    return { clock, job: new JobClock(clock) };
  }

  it('people are waited for until they come, type and answer; what is left is the network', () => {
    const { clock, job } = run();
    clock.advanceNow(1000);
    job.enter('code');
    clock.advanceNow(2000);
    job.enter('consent');
    clock.advanceNow(4000);
    job.enter('working');
    clock.advanceNow(900);
    job.worked({ erase: 300, program: 200, check: 100 });
    assert.deepEqual(job.times, { people: 7000, network: 300, erase: 300, program: 200, check: 100 });
    assert.equal(job.ended.durationMs, 7900);
  });

  it('a chip that claims more than there was leaves nothing for the network, never less', () => {
    const { clock, job } = run();
    job.enter('working');
    clock.advanceNow(100);
    job.worked({ erase: 4e9, program: 0, check: 0 });
    assert.equal(job.times.network, 0);
  });
});
