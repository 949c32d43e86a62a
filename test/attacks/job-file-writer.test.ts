// H6: who can write the vendor's folder. Every byte of a job's row is under its seal: what was changed is refused
// with a code, nothing of it is taken, and nothing is written over it (docs/threat-model.md "Writer of them").
import assert from 'node:assert/strict';
import { jobId, type JobRecord } from '../../controller/store/job-record.ts';
import { JobService, type JobRequest } from '../../controller/service/job-service.ts';
import type { Ledger } from '../../controller/store/ledger.ts';
import { homeKey, openText, sealText, type HomeKey } from '../../controller/store/sealed-text.ts';
import { requireChip } from '../../shared/chips/index.ts';
import { silentLog } from '../../shared/ports.ts';
import { verifyEd25519 } from '../../shared/platform/node/verify-signature.ts';
import { HomeFixture } from '../fixtures/home.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';
import { ProductFixture } from '../fixtures/product.ts';
import { IMAGE, TIMEOUTS } from './hostile-jobs.ts';
import { seeded } from '../unit/shared/support.ts';

const KEY = homeKey(seeded('the vendor’s home').bytes(32));

describe('attack: a writer of the vendor’s ledger', function () {
  this.timeout(240_000);
  let home: HomeFixture;
  let ledger: Ledger;
  let record: JobRecord;
  let whole: Buffer;

  const storeWith = (key: HomeKey) => home.store(key, ledger);
  /** The job's row as a plain SQLite program reads and writes it. */
  const stored = (): Buffer =>
    home.plainly((database) => {
      const { sealed } = database.prepare('SELECT CAST(sealed AS BLOB) AS sealed FROM jobs').get();
      return Buffer.from(sealed as Uint8Array);
    });
  const store = (bytes: Uint8Array): void =>
    home.plainly((database) => void database.prepare('UPDATE jobs SET sealed = CAST(? AS TEXT)').run(bytes));
  const service = () =>
    new JobService({
      clock: new ManualClock(1_700_000_000_000),
      random: seeded('service'),
      log: silentLog,
      store: storeWith(KEY),
      verify: verifyEd25519,
      trustedPrograms: () => [],
      dial: () => Promise.reject(new Error('nobody dials')),
    });
  const request = (product: ProductFixture): JobRequest => ({
    kind: 'flash',
    image: IMAGE,
    chip: requireChip(0x419),
    plan: () => product.planFor(IMAGE),
    fixedSize: true,
  });

  before(async () => {
    home = new HomeFixture();
    ledger = home.ledger();
    // A job in the middle of its work, with everything in its record that a job can have.
    const product = new ProductFixture({ seed: 820 });
    const begun = product.record(IMAGE, product.planFor(IMAGE));
    const job = product.startVendor(IMAGE, begun, [], { timeouts: TIMEOUTS });
    job.done.catch(() => {});
    product.runAgent(begun).catch(() => {});
    await product.queue.runUntil(() => (product.saved.at(-1)?.acknowledged.length ?? 0) > 0, 600e9);
    record = product.saved.at(-1)!;
    await storeWith(KEY).save(record);
    whole = stored();
    assert.deepEqual([record.devices.length, record.room.invite.tunnels], [1, 1]);
  });
  after(() => home.remove());

  /** The row is refused with BF-JOB-STATE, by load and by a command that goes on with the job, and stays as it is. */
  async function refused(bytes: Buffer, what: string, commands = true): Promise<void> {
    store(bytes);
    await assert.rejects(storeWith(KEY).load(jobId(record)), { code: 'BF-JOB-STATE' }, what);
    if (commands) {
      const product = new ProductFixture({ seed: 820 });
      const again = service();
      const invite = { keys: product.keys, relayUrl: 'ws://relay.test', validHours: 1 };
      await assert.rejects(again.resume(jobId(record), request(product)), { code: 'BF-JOB-STATE' }, what);
      const renewed = again.resumeUnderNewInvite(jobId(record), request(product), invite);
      await assert.rejects(renewed, { code: 'BF-JOB-STATE' }, what);
      await again.close();
    }
    assert.ok(stored().equals(bytes), `${what}: nothing was written over it`);
  }

  it('control: as it was it opens, and a job goes on with it', async () => {
    store(whole);
    assert.deepEqual(await storeWith(KEY).load(jobId(record)), record);
    const again = service();
    await again.resume(jobId(record), request(new ProductFixture({ seed: 820 })));
    await again.close();
  });

  it('every single byte, changed in a bit: refused', async () => {
    const dice = seeded('bits');
    for (let at = 0; at < whole.length; at++) {
      const bytes = Buffer.from(whole);
      bytes[at]! ^= 1 << (dice.bytes(1)[0]! & 7);
      await refused(bytes, `byte ${at}`, at % 97 === 0);
    }
  });

  it('cut short, lengthened, emptied, joined with another: refused', async () => {
    for (const length of [0, 1, 40, whole.length >> 1, whole.length - 1]) {
      await refused(whole.subarray(0, length), `${length} bytes`);
    }
    await refused(Buffer.concat([whole, whole]), 'twice');
    await refused(Buffer.concat([whole, Buffer.from('\n')]), 'a line feed more');
  });

  it('sealed under keys of his own: refused; of another job or as an invite: refused', async () => {
    const name = { kind: 'job', id: jobId(record) } as const;
    const content = openText(KEY, name, whole.toString());
    const [own, random] = [homeKey(seeded('the writer’s home').bytes(32)), seeded('his nonces')];
    await refused(Buffer.from(sealText(own, name, content, random)), 'another home key');
    const [invite, other] = [{ ...name, kind: 'invite' } as const, { ...name, id: '00'.repeat(16) }];
    for (const from of [invite, other]) {
      const sealed = sealText(KEY, from, content, random);
      await refused(Buffer.from(sealed), 'as it is');
      const relabelled = sealed.replace(`"${from.kind}"`, '"job"').replace(from.id, name.id);
      await refused(Buffer.from(relabelled), 'with this job’s name on it');
    }
  });

  it('sealed by the vendor’s key, but with a field too many, one missing or of another type: refused, never half taken', async () => {
    const name = { kind: 'job', id: jobId(record) } as const;
    const fields = JSON.parse(openText(KEY, name, whole.toString())) as Record<string, unknown>;
    const sealed = (value: object) =>
      Buffer.from(sealText(KEY, name, `${JSON.stringify(value, undefined, 1)}\n`, seeded('n')));
    for (const field of Object.keys(fields)) {
      const others = Object.entries(fields).filter(([name]) => name !== field);
      // Records made before there were devices have no such field: it counts from zero then.
      if (field !== 'imageSessions') await refused(sealed(Object.fromEntries(others)), `without ${field}`, false);
      await refused(sealed({ ...fields, [field]: [{}] }), `${field} of another type`, false);
    }
    await refused(sealed({ ...fields, more: 1 }), 'a field more', false);
  });

  it('an older whole row of the same job: succeeds, as the words say', async () => {
    const older = { ...record, room: { ...record.room, invite: { ...record.room.invite, wrongCodes: 0, answers: 0 } } };
    const newer = {
      ...record,
      room: { ...record.room, invite: { ...record.room.invite, wrongCodes: 2, answers: 31 } },
    };
    await storeWith(KEY).save(older);
    const kept = stored();
    await storeWith(KEY).save(newer);
    store(kept);
    assert.equal((await storeWith(KEY).load(jobId(record))).room.invite.wrongCodes, 0);
  });
});
