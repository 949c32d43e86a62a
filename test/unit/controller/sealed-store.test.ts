// Jobs and open invites at rest: only the vendor's keys open them, nobody else changes them, and a call that has
// returned is on disk.
import assert from 'node:assert/strict';
import { chmodSync, chownSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import nacl from 'tweetnacl';
import { inviteLine } from '../../../controller/job/invite.ts';
import { jobId, inviteHashOf } from '../../../controller/store/job-record.ts';
import { compileInfo } from '../../../controller/plan/compile.ts';
import { homeKey, openText, sealText } from '../../../controller/store/sealed-text.ts';
import { STM32F42X } from '../../../shared/chips/index.ts';
import { fromHex, utf8 } from '../../../shared/codec/bytes.ts';
import { hmacSha512 } from '../../../shared/crypto/hash.ts';
import { HomeFixture } from '../../fixtures/home.ts';
import { refuses, seeded } from '../shared/support.ts';
import type { LedgerJobStore } from '../../../controller/store/ledger-job-store.ts';
import { recordFor } from './job-fixture.ts';

const KEY = homeKey(seeded('home').bytes(32));
const OTHER_KEY = homeKey(seeded('another home').bytes(32));
const FRESH = recordFor(compileInfo(STM32F42X, { job: new Uint8Array(16).fill(3) }));
const DEVICE = { key: seeded('D').bytes(32), uid: 'ab'.repeat(12), questionsLeft: 256 };
const RECORD = {
  ...FRESH,
  uid: DEVICE.uid,
  devices: [DEVICE],
  acknowledged: [1, 5],
  imageHash: seeded('image').bytes(64),
};
const ID = jobId(RECORD);
const { room: ROOM } = RECORD;

/** Everything in a record that a reader of the file could use or learn from. */
const SECRETS = {
  'tunnel key': ROOM.tunnelSecret,
  'invite secret': ROOM.invite.secret!,
  'holder seed': ROOM.holderSeed,
  'controller’s ticket': ROOM.controllerTicket,
  'agent’s ticket': ROOM.agentTicket,
  D: DEVICE.key,
  UID: fromHex(DEVICE.uid),
  plan: RECORD.plan,
  'image hash': RECORD.imageHash,
};

describe('controller: sealed files', () => {
  const NAME = { kind: 'job', id: ID } as const;
  const text = sealText(KEY, NAME, 'content', seeded('nonce'));

  it('are boxed as the form says, under a key for this file alone', () => {
    const { kind, id, nonce, box } = JSON.parse(text) as Record<string, string>;
    // HKDF-Expand to 32 bytes is the first half of one HMAC over info ‖ 01 (RFC 5869).
    const info = new Uint8Array([...utf8('blindflash/2 file'), ...utf8(kind!), ...fromHex(id!), 1]);
    const key = hmacSha512(KEY, info).slice(0, 32);
    assert.deepEqual(nacl.secretbox.open(fromHex(box!), fromHex(nonce!), key), utf8('content'));
    assert.equal(openText(KEY, NAME, text), 'content');
  });

  it('have a fresh nonce each time', () => {
    const random = seeded('two');
    const nonces = [1, 2].map(() => (JSON.parse(sealText(KEY, NAME, 'content', random)) as { nonce: string }).nonce);
    assert.notEqual(nonces[0], nonces[1]);
  });

  it('do not open with another key, as another kind or under another id', () => {
    refuses('BF-JOB-STATE', () => openText(OTHER_KEY, NAME, text));
    for (const name of [
      { ...NAME, kind: 'invite' as const },
      { ...NAME, id: '0'.repeat(32) },
    ]) {
      refuses('BF-JOB-STATE', () => openText(KEY, name, text), 'as it is');
      const relabelled = JSON.stringify({ ...JSON.parse(text), ...name }, undefined, 1) + '\n';
      refuses('BF-JOB-STATE', () => openText(KEY, name, relabelled), 'relabelled');
    }
  });

  it('are refused when any byte is another, missing or too many', () => {
    const bytes = utf8(text);
    for (let at = 0; at < bytes.length; at++) {
      for (const bit of [0x01, 0x20]) {
        const flipped = bytes.map((byte, index) => (index === at ? byte ^ bit : byte));
        refuses('BF-JOB-STATE', () => openText(KEY, NAME, new TextDecoder().decode(flipped)), `byte ${at}`);
      }
    }
    for (const bad of [text.slice(1), text.trimEnd(), `${text} `, text.replace('\n', ''), '']) {
      refuses('BF-JOB-STATE', () => openText(KEY, NAME, bad), JSON.stringify(bad.slice(0, 40)));
    }
  });

  it('of an older version are named as such', () => {
    for (const version of ['blindflash job 1', 'blindflash room 1']) {
      const open = () => openText(KEY, NAME, JSON.stringify({ version, room: {} }));
      assert.throws(open, { code: 'BF-JOB-STATE', detail: 'an older version of Blindflash wrote the file' });
    }
  });
});

describe('controller: the sealed store', () => {
  let home: HomeFixture;
  let store: LedgerJobStore;
  const open = (key = KEY) => home.store(key);
  /** Of the only job and the only invite, as anybody reads them. */
  const boxes = (): string[] =>
    home.plainly((database) =>
      database
        .prepare('SELECT sealed FROM jobs UNION ALL SELECT sealed FROM invites')
        .all()
        .map(({ sealed }: { sealed: string }) => sealed),
    );
  beforeEach(() => {
    home = new HomeFixture();
    store = open();
  });
  afterEach(() => home.remove());

  it('shows a reader no secret of a job or an invite, in no spelling', async () => {
    await store.save(RECORD);
    await store.saveInvite(ROOM);
    const texts = boxes();
    assert.equal(texts.length, 2);
    for (const text of texts) {
      assert.deepEqual(Object.keys(JSON.parse(text)), ['version', 'kind', 'id', 'nonce', 'box']);
    }
    for (const name of readdirSync(home.folder)) {
      const file = readFileSync(join(home.folder, name));
      for (const [what, secret] of Object.entries(SECRETS)) {
        assert.ok(!file.includes(Buffer.from(secret)), `${what} in ${name}`);
        for (const form of ['hex', 'base64', 'base64url'] as const) {
          const spelt = Buffer.from(secret).toString(form).replace(/=+$/, '');
          assert.ok(!file.includes(spelt), `${what} in ${name}`);
        }
      }
      assert.ok(!file.includes(inviteLine(ROOM)) && !file.includes('relay'));
    }
  });

  it('gives back what it was given, and nothing to other keys', async () => {
    await store.save(RECORD);
    await store.saveInvite(ROOM);
    assert.deepEqual(await store.load(ID), RECORD);
    await assert.rejects(open(OTHER_KEY).load(ID), { code: 'BF-JOB-STATE' });
    await assert.rejects(open(OTHER_KEY).takeInvite(inviteHashOf(ROOM)), { code: 'BF-JOB-STATE' });
    assert.deepEqual(await store.takeInvite(inviteHashOf(ROOM)), ROOM);
  });

  it('asks for no key to list, and for none to read or keep receipts', async () => {
    await store.save(RECORD);
    const keyless = home.keylessStore();
    await keyless.storeReceipt(ID, DEVICE.uid, { text: '{}', signature: '00'.repeat(64) });
    assert.ok((await keyless.receipt(ID, DEVICE.uid)) !== undefined);
    assert.deepEqual(await keyless.jobIds(), [ID]);
    assert.deepEqual(await keyless.receipts(), [{ job: ID, uid: DEVICE.uid }]);
    await assert.rejects(keyless.load(ID), /asked/);
    await assert.rejects(keyless.save(RECORD), /asked/);
  });

  it('keeps each receipt as a file too, and writes one again that is gone', async () => {
    const key = { job: ID, uid: DEVICE.uid };
    await store.storeReceipt(ID, DEVICE.uid, { text: '{"a":1}', signature: '00' });
    await store.storeReceipt(ID, DEVICE.uid, { text: '{"a":2}', signature: '01' });
    const path = join(home.home.receipts, `${ID}-${DEVICE.uid}.receipt`);
    assert.equal(readFileSync(path, 'utf8'), '{"a":2}\n01\n');
    rmSync(path);
    assert.equal(await store.receiptFile(key), path);
    assert.equal(readFileSync(path, 'utf8'), '{"a":2}\n01\n');
    await assert.rejects(store.receiptFile({ ...key, job: '00'.repeat(16) }), { code: 'BF-JOB-UNKNOWN' });
  });

  it('is its owner’s alone: the ledger, what SQLite keeps beside it, and the folder', async function () {
    if (process.platform === 'win32') return;
    rmSync(home.folder, { recursive: true });
    await store.save(RECORD);
    const modes = ['', 'ledger.db', 'ledger.db-wal', 'ledger.db-shm'].map(
      (name) => statSync(join(home.folder, name)).mode & 0o777,
    );
    assert.deepEqual(modes, [0o700, 0o600, 0o600, 0o600]);
  });

  it('refuses a folder or a file of the ledger others may touch, or that is another user’s', async function () {
    if (process.platform === 'win32') return;
    await store.save(RECORD);
    const file = (name: string) => [join(home.folder, name), 0o600, [0o640, 0o604]] as const;
    for (const [path, mode, wrong] of [
      [home.folder, 0o700, [0o720, 0o702]],
      ...['ledger.db', 'ledger.db-wal', 'ledger.db-shm'].map(file),
    ] as const) {
      for (const each of wrong) {
        chmodSync(path, each);
        await assert.rejects(open().load(ID), { code: 'BF-KEYS-PERMISSIONS' }, `${path} ${each.toString(8)}`);
        await assert.rejects(open().save(RECORD), { code: 'BF-KEYS-PERMISSIONS' });
        chmodSync(path, mode);
      }
      if (process.getuid?.() !== 0) continue;
      chownSync(path, 1, 1);
      await assert.rejects(open().load(ID), { code: 'BF-KEYS-PERMISSIONS' });
      chownSync(path, 0, 0);
    }
    assert.deepEqual(await open().load(ID), RECORD);
  });

  it('makes nothing in a folder in which there is nothing, to say so', async () => {
    assert.deepEqual([await store.jobIds(), await store.receipts()], [[], []]);
    await assert.rejects(store.load(ID), { code: 'BF-JOB-UNKNOWN' });
    assert.deepEqual(readdirSync(home.folder), []);
  });
});
