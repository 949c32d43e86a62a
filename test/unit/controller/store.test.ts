// What every implementation of the store port must do (controller/store/port.ts). A new one is one more row of STORES.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { roomHash } from '../../../controller/job/invite.ts';
import { jobId } from '../../../controller/job/job-record.ts';
import { compileInfo } from '../../../controller/plan/compile.ts';
import { FileJobStore } from '../../../controller/store/file-job-store.ts';
import { homeKey } from '../../../controller/store/sealed-file.ts';
import { homeFolder } from '../../../controller/store/home.ts';
import type { JobStore } from '../../../controller/store/port.ts';
import { STM32F42X } from '../../../shared/chips/index.ts';
import { MemoryJobStore } from './memory-job-store.ts';
import { seeded } from '../shared/support.ts';
import { recordFor } from './job-fixture.ts';

const recordOf = (id: number) => recordFor(compileInfo(STM32F42X, { job: new Uint8Array(16).fill(id) }));
const [FIRST, SECOND] = [recordOf(1), recordOf(2)];
const { room: ROOM } = FIRST;
const [JOB, UID] = ['ab'.repeat(16), 'cd'.repeat(12)];
const receipt = (outcome: string) => ({ text: JSON.stringify({ outcome }), signature: '00' });

const SEALED = { homeKey: async () => homeKey(seeded('home').bytes(32)), random: seeded('nonces') };
let folder: string;
const STORES: Readonly<Record<string, () => JobStore>> = {
  files: () => new FileJobStore(homeFolder(folder), SEALED),
  memory: () => new MemoryJobStore(),
};

for (const [name, open] of Object.entries(STORES)) {
  describe(`controller: the store port, ${name}`, () => {
    let store: JobStore;
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'blindflash-'));
      store = open();
    });
    afterEach(() => rmSync(folder, { recursive: true }));

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
      const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => store.takeInvite(roomHash(ROOM))));
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
      await assert.rejects(store.takeInvite(roomHash(ROOM)), { code: 'BF-INVITE-USED' });
    });

    it('a transaction sees its own writes, and leaves all of them', async () => {
      await store.saveInvite(ROOM);
      const taken = await store.transaction(async (pending) => {
        const room = await pending.takeInvite(roomHash(ROOM));
        await pending.saveInvite(SECOND.room);
        await pending.takeInvite(roomHash(SECOND.room));
        await pending.save(FIRST);
        await pending.storeReceipt(JOB, UID, receipt('written'));
        assert.equal(jobId(await pending.load(jobId(FIRST))), jobId(FIRST));
        assert.deepEqual(await pending.jobIds(), [jobId(FIRST)]);
        assert.deepEqual(await pending.receipt(JOB, UID), receipt('written'));
        assert.deepEqual(await pending.receipts(), [{ job: JOB, uid: UID }]);
        return room;
      });
      assert.deepEqual(roomHash(taken), roomHash(ROOM));
      assert.deepEqual(await store.jobIds(), [jobId(FIRST)]);
      assert.deepEqual(await store.receipt(JOB, UID), receipt('written'));
      for (const room of [ROOM, SECOND.room]) {
        await assert.rejects(store.takeInvite(roomHash(room)), { code: 'BF-INVITE-USED' });
      }
    });

    it('a transaction that fails leaves nothing behind, and the invite can be taken again', async () => {
      await store.saveInvite(ROOM);
      const failing = store.transaction(async (pending) => {
        await pending.takeInvite(roomHash(ROOM));
        await pending.save(FIRST);
        await pending.storeReceipt(JOB, UID, receipt('written'));
        throw new Error('changed its mind');
      });
      await assert.rejects(failing, /changed its mind/);
      assert.deepEqual([await store.jobIds(), await store.receipts()], [[], []]);
      await store.takeInvite(roomHash(ROOM));
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

describe('controller: the store port, what only files do', () => {
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'blindflash-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('an invite whose job could not be written is there again', async () => {
    const store = new FileJobStore(homeFolder(folder), SEALED);
    await store.saveInvite(ROOM);
    await store.save(SECOND);
    mkdirSync(join(folder, 'jobs', `${jobId(FIRST)}.json`));
    const work = store.transaction(async (pending) => {
      await pending.takeInvite(roomHash(ROOM));
      await pending.save(FIRST);
    });
    await assert.rejects(work, { code: 'BF-USAGE-FILE' });
    assert.equal(readdirSync(join(folder, 'invites')).length, 1);
  });
});
