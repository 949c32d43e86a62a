// Jobs and open invites at rest: only the vendor's keys open them, nobody else changes them, and a call that has
// returned is on disk.
import assert from 'node:assert/strict';
import fsPromises from 'node:fs/promises';
import {
  chmodSync,
  chownSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import nacl from 'tweetnacl';
import { inviteLine, roomHash } from '../../../controller/job/invite.ts';
import { jobId } from '../../../controller/job/job-record.ts';
import { compileInfo } from '../../../controller/plan/compile.ts';
import { FileJobStore } from '../../../controller/store/file-job-store.ts';
import { homeFolder } from '../../../controller/store/home.ts';
import { homeKey, openFile, sealFile } from '../../../controller/store/sealed-file.ts';
import { STM32F42X } from '../../../shared/chips/index.ts';
import { fromHex, utf8 } from '../../../shared/codec/bytes.ts';
import { hmacSha512 } from '../../../shared/crypto/hash.ts';
import { refuses, seeded } from '../shared/support.ts';
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
  const text = sealFile(KEY, NAME, 'content', seeded('nonce'));

  it('are boxed as the form says, under a key for this file alone', () => {
    const { kind, id, nonce, box } = JSON.parse(text) as Record<string, string>;
    // HKDF-Expand to 32 bytes is the first half of one HMAC over info ‖ 01 (RFC 5869).
    const info = new Uint8Array([...utf8('blindflash/2 file'), ...utf8(kind!), ...fromHex(id!), 1]);
    const key = hmacSha512(KEY, info).slice(0, 32);
    assert.deepEqual(nacl.secretbox.open(fromHex(box!), fromHex(nonce!), key), utf8('content'));
    assert.equal(openFile(KEY, NAME, text), 'content');
  });

  it('have a fresh nonce each time', () => {
    const random = seeded('two');
    const nonces = [1, 2].map(() => (JSON.parse(sealFile(KEY, NAME, 'content', random)) as { nonce: string }).nonce);
    assert.notEqual(nonces[0], nonces[1]);
  });

  it('do not open with another key, as another kind or under another id', () => {
    refuses('BF-JOB-STATE', () => openFile(OTHER_KEY, NAME, text));
    for (const name of [
      { ...NAME, kind: 'invite' as const },
      { ...NAME, id: '0'.repeat(32) },
    ]) {
      refuses('BF-JOB-STATE', () => openFile(KEY, name, text), 'as it is');
      const relabelled = JSON.stringify({ ...JSON.parse(text), ...name }, undefined, 1) + '\n';
      refuses('BF-JOB-STATE', () => openFile(KEY, name, relabelled), 'relabelled');
    }
  });

  it('are refused when any byte is another, missing or too many', () => {
    const bytes = utf8(text);
    for (let at = 0; at < bytes.length; at++) {
      for (const bit of [0x01, 0x20]) {
        const flipped = bytes.map((byte, index) => (index === at ? byte ^ bit : byte));
        refuses('BF-JOB-STATE', () => openFile(KEY, NAME, new TextDecoder().decode(flipped)), `byte ${at}`);
      }
    }
    for (const bad of [text.slice(1), text.trimEnd(), `${text} `, text.replace('\n', ''), '']) {
      refuses('BF-JOB-STATE', () => openFile(KEY, NAME, bad), JSON.stringify(bad.slice(0, 40)));
    }
  });

  it('of an older version are named as such', () => {
    for (const version of ['blindflash job 1', 'blindflash room 1']) {
      const open = () => openFile(KEY, NAME, JSON.stringify({ version, room: {} }));
      assert.throws(open, { code: 'BF-JOB-STATE', detail: 'an older version of Blindflash wrote the file' });
    }
  });
});

describe('controller: the sealed store', () => {
  let folder: string;
  let store: FileJobStore;
  const open = (homeKeyOfStore = KEY) =>
    new FileJobStore(homeFolder(folder), { homeKey: async () => homeKeyOfStore, random: seeded('nonces') });
  const only = (name: 'jobs' | 'invites'): string => {
    const files = readdirSync(join(folder, name));
    assert.equal(files.length, 1);
    return join(folder, name, files[0]!);
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'blindflash-'));
    store = open();
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('shows a reader no secret of a job or an invite, in no spelling', async () => {
    await store.save(RECORD);
    await store.saveInvite(ROOM);
    for (const file of [only('jobs'), only('invites')]) {
      const text = readFileSync(file, 'utf8');
      assert.deepEqual(Object.keys(JSON.parse(text)), ['version', 'kind', 'id', 'nonce', 'box']);
      for (const [what, secret] of Object.entries(SECRETS)) {
        for (const form of ['hex', 'base64', 'base64url'] as const) {
          const spelt = Buffer.from(secret).toString(form).replace(/=+$/, '');
          assert.ok(!text.includes(spelt), `${what} in ${basename(file)}`);
        }
      }
      assert.ok(!text.includes(inviteLine(ROOM)) && !text.includes('relay'));
    }
  });

  it('gives back what it was given, and nothing to other keys', async () => {
    await store.save(RECORD);
    await store.saveInvite(ROOM);
    assert.deepEqual(await store.load(ID), RECORD);
    await assert.rejects(open(OTHER_KEY).load(ID), { code: 'BF-JOB-STATE' });
    await assert.rejects(open(OTHER_KEY).takeInvite(roomHash(ROOM)), { code: 'BF-JOB-STATE' });
    assert.deepEqual(await store.takeInvite(roomHash(ROOM)), ROOM);
  });

  it('asks for no key to list, and for none to read or keep receipts', async () => {
    await store.save(RECORD);
    const keyless = new FileJobStore(homeFolder(folder), {
      homeKey: () => Promise.reject(new Error('asked')),
      random: seeded('nonces'),
    });
    await keyless.storeReceipt(ID, DEVICE.uid, { text: '{}', signature: '00'.repeat(64) });
    assert.ok((await keyless.receipt(ID, DEVICE.uid)) !== undefined);
    assert.deepEqual(await keyless.jobIds(), [ID]);
    assert.deepEqual(await keyless.receipts(), [{ job: ID, uid: DEVICE.uid }]);
    await assert.rejects(keyless.load(ID), /asked/);
    await assert.rejects(keyless.save(RECORD), /asked/);
  });

  it('refuses a file under another file’s name', async () => {
    const second = recordFor(compileInfo(STM32F42X, { job: new Uint8Array(16).fill(4) }));
    await store.save(RECORD);
    renameSync(only('jobs'), join(folder, 'jobs', `${jobId(second)}.json`));
    await assert.rejects(store.load(jobId(second)), { code: 'BF-JOB-STATE' });
  });

  it('refuses a folder others may write to, or that is another user’s', async function () {
    if (process.platform === 'win32') return;
    await store.save(RECORD);
    for (const path of [folder, join(folder, 'jobs')]) {
      for (const mode of [0o720, 0o702]) {
        chmodSync(path, mode);
        await assert.rejects(store.load(ID), { code: 'BF-KEYS-PERMISSIONS' });
        await assert.rejects(store.save(RECORD), { code: 'BF-KEYS-PERMISSIONS' });
        chmodSync(path, 0o700);
      }
      if (process.getuid?.() !== 0) continue;
      chownSync(path, 1, 1);
      await assert.rejects(store.load(ID), { code: 'BF-KEYS-PERMISSIONS' });
      chownSync(path, 0, 0);
    }
    assert.deepEqual(await store.load(ID), RECORD);
  });

  it('removes drafts a crash left, but neither fresh ones nor anybody else’s files', async () => {
    await store.save(RECORD);
    const draft = (name: string, ageHours: number): void => {
      const path = join(folder, 'jobs', name);
      writeFileSync(path, 'half');
      const at = Date.now() / 1000 - ageHours * 3600;
      utimesSync(path, at, at);
    };
    draft(`.${ID}.json.draft-0123456789ab`, 2);
    draft(`.${ID}.json.draft-ba9876543210`, 0);
    draft('.editor-0123456789ab', 2);
    await store.save(RECORD);
    assert.deepEqual(readdirSync(join(folder, 'jobs')).sort(), [
      `.${ID}.json.draft-ba9876543210`,
      '.editor-0123456789ab',
      `${ID}.json`,
    ]);
    assert.deepEqual(await store.jobIds(), [ID]);
  });

  it('has file and folder on disk before a call returns', async function () {
    if (process.platform === 'win32') return;
    const steps = await recordSteps(async () => {
      await store.transaction((pending) => pending.save({ ...RECORD, acknowledged: [] }));
    });
    assert.deepEqual(steps, ['sync draft', 'rename', 'sync jobs']);
    const taking = await recordSteps(async () => {
      await store.saveInvite(ROOM);
      await store.takeInvite(roomHash(ROOM));
    });
    assert.deepEqual(taking, ['sync draft', 'rename', 'sync invites', 'unlink', 'sync invites']);
  });
});

/** What reaches the disk, in order, until `work` has resolved: files that are synced, names that change. */
async function recordSteps(work: () => Promise<void>): Promise<string[]> {
  const steps: string[] = [];
  const real = { open: fsPromises.open, rename: fsPromises.rename, unlink: fsPromises.unlink };
  fsPromises.open = async (path, ...rest) => {
    const file = await real.open(path, ...rest);
    const name = basename(String(path));
    const sync = file.sync.bind(file);
    file.sync = async () => {
      await sync();
      steps.push(`sync ${name.includes('.draft-') ? 'draft' : name}`);
    };
    return file;
  };
  fsPromises.rename = async (...paths) => {
    await real.rename(...paths);
    steps.push('rename');
  };
  fsPromises.unlink = async (path) => {
    await real.unlink(path);
    steps.push('unlink');
  };
  syncBuiltinESMExports();
  try {
    await work();
    return [...steps];
  } finally {
    Object.assign(fsPromises, real);
    syncBuiltinESMExports();
  }
}
