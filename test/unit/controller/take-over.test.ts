// What a home from before the ledger kept as files: all of it is in the ledger afterwards, whatever was killed on the
// way, and nothing that is not ours gets there.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { inviteHashOf } from '../../../controller/store/job-record.ts';
import { silentLog, type LogFields } from '../../../shared/ports.ts';
import { FileSteps } from '../../fixtures/file-steps.ts';
import { HomeFixture } from '../../fixtures/home.ts';
import { fillOldHome, IDS, RECEIPTS, RECORDS, requireAll, ROOM } from '../../fixtures/old-home.ts';

describe('controller: taking over a home of files', () => {
  let home: HomeFixture;
  beforeEach(() => (home = new HomeFixture()));
  afterEach(() => home.remove());

  it('has all of it in the ledger, needs no key, moves jobs and invites aside, leaves receipts, and says so in the log', async () => {
    fillOldHome(home);
    writeFileSync(join(home.home.jobs, 'notes.txt'), 'somebody’s own');
    const lines: [LogFields, string][] = [];
    const log = { ...silentLog, info: (fields: LogFields, message: string) => void lines.push([fields, message]) };
    const kept = readFileSync(join(home.home.jobs, `${IDS[0]}.json`));
    await home.ledger({ log }).database();
    assert.deepEqual(lines, [
      [
        { jobs: 3, invites: 1, receipts: 3, ledger: home.home.ledger, aside: home.home.takenOver },
        'the ledger has taken over the files of this folder',
      ],
    ]);
    assert.deepEqual(readdirSync(home.home.jobs), ['notes.txt']);
    assert.deepEqual(readdirSync(home.home.invites), []);
    assert.equal(readdirSync(home.home.receipts).length, 3);
    assert.ok(readFileSync(join(home.home.takenOver, 'jobs', `${IDS[0]}.json`)).equals(kept));
    await requireAll(home);
  });

  it('is done by whatever reads first, a list without keys as well', async () => {
    fillOldHome(home);
    const store = home.keylessStore();
    assert.deepEqual(await store.jobIds(), IDS);
    assert.deepEqual(await store.receipts(), RECEIPTS);
  });

  it('takes no job back that has gone on, and no invite that was taken', async () => {
    fillOldHome(home);
    const store = home.store();
    await store.save({ ...RECORDS[0]!, acknowledged: [7] });
    await store.takeInvite(inviteHashOf(ROOM));
    await home.closeAll();
    // Somebody puts the old files back, or a crash left them.
    fillOldHome(home);
    rmSync(join(home.home.jobs, `${IDS[1]}.json`));
    const again = home.store();
    assert.deepEqual((await again.load(IDS[0]!)).acknowledged, [7]);
    await assert.rejects(again.takeInvite(inviteHashOf(ROOM)), { code: 'BF-INVITE-USED' });
    assert.deepEqual(readdirSync(home.home.jobs), []);
    assert.ok(existsSync(join(home.home.takenOver, 'jobs', `${IDS[0]}.json.2`)));
  });

  it('refuses all of it when a file is none of ours, names it, and goes on when it is gone', async () => {
    const sealed = (name: string) => join(home.home.jobs, `${name}.json`);
    fillOldHome(home);
    const whole = readFileSync(sealed(IDS[1]!), 'utf8');
    for (const bad of [whole.slice(1), '', '{}', readFileSync(sealed(IDS[0]!), 'utf8'), `${whole} `]) {
      home.writeOldText({ kind: 'job', id: IDS[1]! }, bad);
      await assert.rejects(home.store().jobIds(), { code: 'BF-LEDGER-TAKE-OVER', detail: new RegExp(IDS[1]!) });
      assert.equal(readdirSync(home.home.jobs).length, 3, 'no file was moved, no lock is left');
      const taken = home.plainly((database) => database.prepare('SELECT id FROM jobs').all() as unknown[]);
      assert.deepEqual(taken, []);
    }
    home.writeOldText({ kind: 'job', id: IDS[1]! }, whole);
    home.writeOldReceipt(IDS[0]!, 'ee'.repeat(12), 'one line');
    await assert.rejects(home.store().receipts(), { code: 'BF-LEDGER-TAKE-OVER', detail: /eeee/ });
    rmSync(join(home.home.receipts, `${IDS[0]}-${'ee'.repeat(12)}.receipt`));
    await requireAll(home);
  });

  it('waits for nobody: a job that a process of an older version is at work on is refused', async () => {
    fillOldHome(home);
    const lock = join(home.home.jobs, `${IDS[1]}.lock`);
    writeFileSync(lock, JSON.stringify({ pid: process.ppid, host: hostname(), token: '00'.repeat(8) }), {
      mode: 0o600,
    });
    await assert.rejects(home.store().jobIds(), { code: 'BF-JOB-BUSY', detail: new RegExp(`${process.ppid}`) });
    assert.deepEqual(readdirSync(home.home.jobs).length, 4);
    rmSync(lock);
    await requireAll(home);
  });

  it('several at once in one process: all of them have it', async () => {
    fillOldHome(home);
    const lists = await Promise.all(Array.from({ length: 4 }, () => home.store().jobIds()));
    assert.deepEqual(lists, [IDS, IDS, IDS, IDS]);
  });

  it('ends at any step without a loss: the next opening has everything', async function () {
    this.timeout(120_000);
    let last = 0;
    for (let step = 1; last === 0; step++) {
      const one = new HomeFixture();
      fillOldHome(one);
      let reached = 0;
      const steps = new FileSteps((at) => {
        reached = at;
        if (at >= step) throw new Error('killed');
      });
      const { openDatabase } = steps;
      await steps
        .during(async () => void (await one.ledger({ openDatabase }).database()))
        .catch((error: unknown) => {
          if (reached < step) throw error;
        });
      if (reached < step) last = reached;
      await requireAll(one, `killed at step ${step}`);
      const left = readdirSync(one.home.jobs).filter((name) => !name.endsWith('.lock'));
      assert.deepEqual(left, [], `killed at step ${step}`);
      await one.remove();
    }
    assert.ok(last > 60, `${last} steps`);
  });
});
