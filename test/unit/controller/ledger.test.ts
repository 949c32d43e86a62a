// The ledger as a file: what is damaged, altered or of a later version is refused with its code, a disk that is full
// loses nothing that was kept, and a plain SQLite program changes nothing unseen.
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { jobId, inviteHashOf } from '../../../controller/store/job-record.ts';
import { compileInfo } from '../../../controller/plan/compile.ts';
import { openSqlite } from '../../../controller/store/sqlite.ts';
import { STM32F42X } from '../../../shared/chips/index.ts';
import { isBlindflashError } from '../../../shared/errors/errors.ts';
import { HomeFixture } from '../../fixtures/home.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { recordFor } from './job-fixture.ts';

const recordOf = (id: number) => recordFor(compileInfo(STM32F42X, { job: new Uint8Array(16).fill(id) }));
const [FIRST, SECOND] = [recordOf(1), recordOf(2)];
const [JOB, UID] = [jobId(FIRST), 'cd'.repeat(12)];
const RECEIPT = { text: '{"outcome":"written"}', signature: '00'.repeat(64) };

describe('controller: the ledger', () => {
  let home: HomeFixture;
  beforeEach(async () => {
    home = new HomeFixture();
  });
  afterEach(() => home.remove());

  /** A ledger with one of everything, closed. */
  async function filled(): Promise<void> {
    const ledger = home.ledger();
    const store = home.store(undefined, ledger);
    await store.save(FIRST);
    await store.saveInvite(FIRST.room);
    await store.storeReceipt(JOB, UID, RECEIPT);
    await ledger.close();
  }

  it('waits for the disk at each commit, and keeps the rules of its tables', async () => {
    await filled();
    const database = openSqlite(home.home.ledger);
    const settings = ['journal_mode', 'synchronous', 'foreign_keys', 'recursive_triggers', 'trusted_schema'];
    const values = settings.map((name) => Object.values(database.all(`PRAGMA ${name}`)[0] ?? {})[0]);
    database.close();
    assert.deepEqual(values, ['wal', 2, 1, 1, 0]);
  });

  it('is whole in one file when nobody has it open', async () => {
    await filled();
    assert.equal(statSync(`${home.home.ledger}-wal`, { throwIfNoEntry: false })?.size ?? 0, 0);
  });

  it('is made by a library without the fault in SQLite’s write-ahead log that 3.51.3 mended', () => {
    const database = openSqlite(':memory:');
    const [row] = database.all('SELECT sqlite_version() AS version');
    database.close();
    const [major, minor, patch] = String(row!['version']).split('.').map(Number);
    assert.ok(major! * 1e6 + minor! * 1e3 + patch! >= 3_051_003, String(row!['version']));
  });

  it('of a later version is refused, and left as it is', async () => {
    await filled();
    home.plainly((database) => database.exec('PRAGMA user_version = 99; CREATE TABLE later (x)'));
    const before = readFileSync(home.home.ledger);
    await assert.rejects(home.store().jobIds(), { code: 'BF-LEDGER-NEWER' });
    assert.ok(readFileSync(home.home.ledger).equals(before));
  });

  it('that is a database of something else, or none, is refused and left as it is', async () => {
    home.plainly((database) => database.exec('CREATE TABLE notes (text)'));
    const foreign = readFileSync(home.home.ledger);
    chmodSync(home.home.ledger, 0o600);
    for (const bytes of [foreign, Buffer.alloc(9000, 'something else '), foreign.subarray(0, 5000)]) {
      writeFileSync(home.home.ledger, bytes);
      await assert.rejects(home.store().jobIds(), { code: 'BF-LEDGER-DAMAGED' });
      assert.ok(readFileSync(home.home.ledger).equals(bytes));
    }
  });

  it('with any byte changed: opened as it was, or refused with a code of a ledger or of a job', async () => {
    await filled();
    const whole = readFileSync(home.home.ledger);
    const dice = seededRandom(5);
    // By chance, and wherever the id of the job is written: in its row and in the index.
    const places = Array.from({ length: 300 }, () => Buffer.from(dice.bytes(4)).readUInt32LE() % whole.length);
    for (let at = whole.indexOf(JOB); at >= 0; at = whole.indexOf(JOB, at + 1)) places.push(at + 5);
    let refused = 0;
    for (const at of places) {
      const bytes = Buffer.from(whole);
      bytes[at]! ^= 1 << (dice.bytes(1)[0]! & 7);
      writeFileSync(home.home.ledger, bytes);
      try {
        const store = home.store();
        assert.deepEqual(await store.jobIds(), [JOB]);
        assert.deepEqual(await store.load(JOB), FIRST);
        await store.receipt(JOB, UID);
      } catch (error) {
        if (!isBlindflashError(error)) throw error;
        assert.match(error.code, /^BF-(LEDGER-DAMAGED|LEDGER-NEWER|LEDGER-DISK|JOB-STATE)$/, `byte ${at}`);
        refused++;
      }
      await home.closeAll();
    }
    assert.ok(refused > 10);
  });

  it('with a table, trigger or index more, less or other is refused', async () => {
    await filled();
    const whole = readFileSync(home.home.ledger);
    for (const change of [
      'DROP TRIGGER jobs_stay',
      'CREATE TABLE more (x)',
      'CREATE INDEX more ON jobs (sealed)',
      'ALTER TABLE jobs ADD COLUMN more TEXT',
      "CREATE TRIGGER more AFTER UPDATE ON jobs BEGIN UPDATE receipts SET text = ''; END",
      'DROP TABLE receipts',
    ]) {
      home.plainly((database) => database.exec(change));
      await assert.rejects(home.store().jobIds(), { code: 'BF-LEDGER-DAMAGED', detail: /altered/ }, change);
      writeFileSync(home.home.ledger, whole);
    }
  });

  it('lets a plain SQLite program neither delete rows, rename them, nor bring a taken invite back', async () => {
    await filled();
    await home.store().takeInvite(inviteHashOf(FIRST.room));
    for (const change of [
      'DELETE FROM jobs',
      "UPDATE jobs SET id = replace(id, '0', '1')",
      'DELETE FROM receipts',
      "UPDATE receipts SET uid = replace(uid, 'c', '1')",
      'DELETE FROM invites',
      "UPDATE invites SET sealed = 'x'",
      "REPLACE INTO invites (id, sealed) SELECT id, 'x' FROM invites",
      'DELETE FROM done',
      'INSERT INTO jobs (id, sealed) VALUES (1, 2)',
    ]) {
      assert.throws(() => home.plainly((database) => database.exec(change)), /stay|keep|CHECK/, change);
    }
    const other = "UPDATE jobs SET sealed = replace(sealed, 'a', 'b')";
    home.plainly((database) => database.exec(other));
    await assert.rejects(home.store().load(JOB), { code: 'BF-JOB-STATE' });
  });

  it('on a disk that is full at any page keeps what it had, says so, and goes on when there is room', async () => {
    await filled();
    const pages = readFileSync(home.home.ledger).length / 4096;
    let failed = 0;
    for (let more = 0; more < 12; more++) {
      const openDatabase = (path: string) => {
        const database = openSqlite(path);
        database.script(`PRAGMA max_page_count = ${pages + more}`);
        return database;
      };
      const store = home.store(undefined, home.ledger({ openDatabase }));
      const changed = { ...FIRST, acknowledged: [more + 1] };
      const work = store.transaction(async (pending) => {
        await pending.save(changed);
        await pending.takeInvite(inviteHashOf(FIRST.room));
        await pending.save(SECOND);
        await pending.storeReceipt(jobId(SECOND), UID, { ...RECEIPT, text: 'x'.repeat(20_000) });
      });
      const error = await work.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      await home.closeAll();
      if (error === undefined) break;
      failed++;
      assert.ok(isBlindflashError(error, 'BF-LEDGER-DISK'), String(error));
      const after = home.store();
      assert.deepEqual((await after.load(JOB)).acknowledged, []);
      assert.deepEqual([await after.jobIds(), (await after.receipts()).length], [[JOB], 1]);
      await home.closeAll();
    }
    assert.ok(failed >= 4, `${failed} pages`);
    assert.deepEqual(await home.store().jobIds(), [JOB, jobId(SECOND)]);
    await assert.rejects(home.store().takeInvite(inviteHashOf(FIRST.room)), { code: 'BF-INVITE-USED' });
  });
});
