// What every implementation of the store port must do (controller/store/port.ts). A new one is one more row of STORES.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { jobId, inviteHashOf } from '../../../controller/store/job-record.ts';
import { compileInfo, compileUnlock } from '../../../controller/plan/compile.ts';
import type { JobStore } from '../../../controller/store/port.ts';
import type { BlindflashError } from '../../../shared/errors/errors.ts';
import { STM32F42X } from '../../../shared/chips/index.ts';
import { HomeFixture } from '../../fixtures/home.ts';
import { MemoryJobStore } from './memory-job-store.ts';
import { recordFor } from './job-fixture.ts';

const recordOf = (id: number) => recordFor(compileInfo(STM32F42X, { job: new Uint8Array(16).fill(id) }));
const [FIRST, SECOND] = [recordOf(1), recordOf(2)];
const { room: ROOM } = FIRST;
const [JOB, UID] = ['ab'.repeat(16), 'cd'.repeat(12)];
const receipt = (outcome: string) => ({ text: JSON.stringify({ outcome }), signature: '00' });

let home: HomeFixture;
const STORES: Readonly<Record<string, () => JobStore>> = {
  ledger: () => home.store(),
  memory: () => new MemoryJobStore(),
};

for (const [name, open] of Object.entries(STORES)) {
  describe(`controller: the store port, ${name}`, () => {
    let store: JobStore;
    beforeEach(() => {
      home = new HomeFixture();
      store = open();
    });
    afterEach(() => home.remove());

    it('keeps the latest state of each job and lists their ids in order', async () => {
      assert.deepEqual(await store.jobIds(), []);
      await store.save(SECOND);
      await store.save(FIRST);
      await store.save({ ...FIRST, acknowledged: [1, 5], chipProved: 'incomplete' });
      assert.deepEqual(await store.jobIds(), [jobId(FIRST), jobId(SECOND)]);
      const { acknowledged, chipProved } = await store.load(jobId(FIRST));
      assert.deepEqual({ acknowledged, chipProved }, { acknowledged: [1, 5], chipProved: 'incomplete' });
      for (const id of ['00'.repeat(16), '../keys']) await assert.rejects(store.load(id), { code: 'BF-JOB-UNKNOWN' });
    });

    it('tells of flash an earlier job may have left half erased: this unit’s, or one that was not known', async () => {
      const [uid, other] = ['11'.repeat(12), '22'.repeat(12)];
      const asked = (): Promise<boolean> => store.leftIncomplete(uid, jobId(SECOND));
      for (const [record, expected] of [
        [{ ...FIRST, uid, chipProved: 'written' }, false],
        [{ ...FIRST, uid: other, chipProved: 'incomplete' }, false],
        [{ ...FIRST, uid, chipProved: 'incomplete' }, true],
        [{ ...FIRST, uid: undefined, chipProved: 'incomplete' }, true],
        [{ ...FIRST, uid: undefined, chipProved: 'untouched' }, false],
      ] as const) {
        await store.save(record);
        assert.equal(await asked(), expected);
        assert.equal(await store.leftIncomplete(uid, jobId(FIRST)), false);
      }
    });

    it('an unlock that was given up is about no unit it did not know: such a chip is locked still', async () => {
      const [uid, other] = ['11'.repeat(12), '22'.repeat(12)];
      const { plan } = recordFor(compileUnlock(STM32F42X, { job: new Uint8Array(16).fill(1) }));
      const givenUp = { ...FIRST, plan, chipProved: 'incomplete' } as const;
      for (const [record, expected] of [
        [{ ...givenUp, uid: undefined }, false],
        [{ ...givenUp, uid: other }, false],
        [{ ...givenUp, uid }, true],
      ] as const) {
        await store.save(record);
        assert.equal(await store.leftIncomplete(uid, jobId(SECOND)), expected);
      }
    });

    it('gives a job to one owner at a time, and others meanwhile', async () => {
      const release = await store.claim(jobId(FIRST));
      await assert.rejects(store.claim(jobId(FIRST)), { code: 'BF-JOB-BUSY' });
      await (
        await store.claim(jobId(SECOND))
      )();
      await release();
      await (
        await store.claim(jobId(FIRST))
      )();
      assert.deepEqual(await store.jobIds(), [], 'a job that is held is none that is stored');
    });

    it('keeps one receipt for each job and unit and lists which there are', async () => {
      assert.equal(await store.receipt(JOB, UID), undefined);
      await store.storeReceipt(JOB, UID, receipt('written'));
      await store.storeReceipt(JOB, UID, receipt('lock programmed'));
      await store.storeReceipt('00'.repeat(16), UID, receipt('erased'));
      assert.deepEqual(await store.receipt(JOB, UID), receipt('lock programmed'));
      assert.deepEqual(await store.receipts(), [
        { job: '00'.repeat(16), uid: UID },
        { job: JOB, uid: UID },
      ]);
    });

    it('gives an invite to one of many callers', async () => {
      await store.saveInvite(ROOM);
      const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => store.takeInvite(inviteHashOf(ROOM))));
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
      await assert.rejects(store.takeInvite(inviteHashOf(ROOM)), { code: 'BF-INVITE-USED' });
    });

    it('a transaction sees its own writes, and leaves all of them', async () => {
      await store.saveInvite(ROOM);
      const taken = await store.transaction(async (pending) => {
        const room = await pending.takeInvite(inviteHashOf(ROOM));
        await pending.saveInvite(SECOND.room);
        await pending.takeInvite(inviteHashOf(SECOND.room));
        await pending.save(FIRST);
        await pending.storeReceipt(JOB, UID, receipt('written'));
        assert.equal(jobId(await pending.load(jobId(FIRST))), jobId(FIRST));
        assert.deepEqual(await pending.jobIds(), [jobId(FIRST)]);
        assert.deepEqual(await pending.receipt(JOB, UID), receipt('written'));
        assert.deepEqual(await pending.receipts(), [{ job: JOB, uid: UID }]);
        return room;
      });
      assert.deepEqual(inviteHashOf(taken), inviteHashOf(ROOM));
      assert.deepEqual(await store.jobIds(), [jobId(FIRST)]);
      assert.deepEqual(await store.receipt(JOB, UID), receipt('written'));
      for (const room of [ROOM, SECOND.room]) {
        await assert.rejects(store.takeInvite(inviteHashOf(room)), { code: 'BF-INVITE-USED' });
      }
    });

    it('a transaction that fails leaves nothing behind, and the invite can be taken again', async () => {
      await store.saveInvite(ROOM);
      const failing = store.transaction(async (pending) => {
        await pending.takeInvite(inviteHashOf(ROOM));
        await pending.save(FIRST);
        await pending.storeReceipt(JOB, UID, receipt('written'));
        throw new Error('changed its mind');
      });
      await assert.rejects(failing, /changed its mind/);
      assert.deepEqual([await store.jobIds(), await store.receipts()], [[], []]);
      await store.takeInvite(inviteHashOf(ROOM));
    });

    it('transactions run one after the other, also after one that failed', async () => {
      const steps: string[] = [];
      const long = store.transaction(async () => {
        steps.push('first begins');
        await new Promise((resolve) => setImmediate(resolve));
        steps.push('first ends');
        throw new Error('fails');
      });
      const next = store.transaction(async () => void steps.push('second'));
      await assert.rejects(long, /fails/);
      await next;
      assert.deepEqual(steps, ['first begins', 'first ends', 'second']);
    });
  });
}

describe('controller: the store port, what several processes do', () => {
  beforeEach(() => (home = new HomeFixture()));
  afterEach(() => home.remove());

  it('an invite that another process takes meanwhile: nothing of the transaction is kept', async () => {
    const [store, other] = [home.store(), home.store()];
    await store.saveInvite(ROOM);
    const work = store.transaction(async (pending) => {
      await pending.takeInvite(inviteHashOf(ROOM));
      await pending.save(FIRST);
      await other.takeInvite(inviteHashOf(ROOM));
    });
    await assert.rejects(work, { code: 'BF-INVITE-USED' });
    assert.deepEqual(await other.jobIds(), []);
  });

  it('each sees what the other has kept, at once', async () => {
    const [store, other] = [home.store(), home.store()];
    await store.save(FIRST);
    await other.save({ ...FIRST, acknowledged: [1] });
    assert.deepEqual((await store.load(jobId(FIRST))).acknowledged, [1]);
  });

  it('a job is held against other processes; the error names them and the lock, and one that is no more is passed over', async () => {
    const store = home.store();
    const lock = join(home.home.jobs, `${jobId(FIRST)}.lock`);
    const [token, host] = ['00'.repeat(8), hostname()];
    const holds = (holder: object | string): void => {
      mkdirSync(home.home.jobs, { recursive: true, mode: 0o700 });
      writeFileSync(lock, typeof holder === 'string' ? holder : JSON.stringify(holder), { mode: 0o600 });
    };
    // The parent of this process lives; a process that has ended is waited for, so that its number is nobody's.
    for (const [holder, said] of [
      [{ pid: process.ppid, host, token }, new RegExp(`process ${process.ppid} on ${host}; its lock is ${lock}`)],
      [{ pid: 1, host: 'another.example', token }, /process 1 on another\.example/],
      ['', /one that has just begun/],
    ] as const) {
      holds(holder);
      await assert.rejects(store.claim(jobId(FIRST)), (error: BlindflashError) => {
        assert.equal(error.code, 'BF-JOB-BUSY');
        return said.test(error.detail ?? '');
      });
    }
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    for (const dead of [pid, process.pid]) {
      holds({ pid: dead, host, token });
      const release = await store.claim(jobId(FIRST));
      await assert.rejects(store.claim(jobId(FIRST)), { code: 'BF-JOB-BUSY' });
      await release();
      assert.deepEqual(readdirSync(home.home.jobs), []);
    }
  });

  it('of many who find a lock of nobody, one gets the job', async () => {
    const lock = join(home.home.jobs, `${jobId(FIRST)}.lock`);
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    for (let round = 0; round < 20; round++) {
      mkdirSync(home.home.jobs, { recursive: true, mode: 0o700 });
      writeFileSync(lock, JSON.stringify({ pid, host: hostname(), token: '00'.repeat(8) }), { mode: 0o600 });
      const claims = Array.from({ length: 8 }, () => home.store().claim(jobId(FIRST)));
      const got = (await Promise.allSettled(claims)).filter(({ status }) => status === 'fulfilled');
      assert.equal(got.length, 1);
      await (got[0] as PromiseFulfilledResult<() => Promise<void>>).value();
    }
  });
});
