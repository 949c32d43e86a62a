// Files that are their owner's alone: on disk when a call has returned, whole or not at all, and nobody else's.
import assert from 'node:assert/strict';
import fsPromises from 'node:fs/promises';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import {
  movePrivateFiles,
  preparePrivateFile,
  removePrivateFile,
  requirePrivateFile,
  writePrivateFile,
} from '../../../../shared/platform/node/private-file.ts';
import { utf8 } from '../../../../shared/codec/bytes.ts';

describe('platform: private files', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'blindflash-'))));
  afterEach(() => rmSync(folder, { recursive: true }));
  const at = (...names: string[]): string => join(folder, ...names);

  it('have drafts of a crash removed beside them, but neither fresh ones nor anybody else’s files', async () => {
    const name = 'some.json';
    await writePrivateFile(at(name), utf8('1'));
    const draft = (draftName: string, ageHours: number): void => {
      writeFileSync(at(draftName), 'half');
      const time = Date.now() / 1000 - ageHours * 3600;
      utimesSync(at(draftName), time, time);
    };
    draft(`.${name}.draft-0123456789ab`, 2);
    draft(`.${name}.draft-ba9876543210`, 0);
    draft('.editor-0123456789ab', 2);
    await writePrivateFile(at(name), utf8('2'));
    assert.deepEqual(readdirSync(folder).sort(), ['.editor-0123456789ab', `.${name}.draft-ba9876543210`, name]);
  });

  it('are on disk before a call returns, with their folder', async function () {
    if (process.platform === 'win32') return;
    const jobs = at('jobs');
    assert.deepEqual(await recordSteps(() => writePrivateFile(join(jobs, 'a'), utf8('1'))), [
      'sync draft',
      'rename',
      'sync jobs',
    ]);
    assert.deepEqual(await recordSteps(() => movePrivateFiles([join(jobs, 'a')], at('aside'))), [
      'rename',
      'sync aside',
      `sync ${basename(folder)}`,
      'sync jobs',
    ]);
    const removed = await recordSteps(async () => void (await removePrivateFile(at('aside', 'a'))));
    assert.deepEqual(removed, ['unlink', 'sync aside']);
    assert.deepEqual(await recordSteps(() => preparePrivateFile(join(jobs, 'empty'))), ['sync empty', 'sync jobs']);
  });

  it('that a program changes in place are made empty and 0600, and left as they are when they are there', async () => {
    await preparePrivateFile(at('new', 'ledger'));
    assert.equal(readFileSync(at('new', 'ledger'), 'utf8'), '');
    if (process.platform !== 'win32') assert.equal(statSync(at('new', 'ledger')).mode & 0o777, 0o600);
    await writePrivateFile(at('new', 'ledger'), utf8('content'));
    await preparePrivateFile(at('new', 'ledger'));
    assert.equal(readFileSync(at('new', 'ledger'), 'utf8'), 'content');
  });

  it('are refused when others may touch them, and are no folder', async function () {
    if (process.platform === 'win32') return;
    assert.equal(await requirePrivateFile(at('none')), false);
    await writePrivateFile(at('some'), utf8('1'));
    assert.equal(await requirePrivateFile(at('some')), true);
    chmodSync(at('some'), 0o640);
    for (const refused of [requirePrivateFile(at('some')), preparePrivateFile(at('some'))]) {
      await assert.rejects(refused, { code: 'BF-KEYS-PERMISSIONS' });
    }
    for (const refused of [requirePrivateFile(folder), preparePrivateFile(folder)]) {
      await assert.rejects(refused, { code: 'BF-USAGE-FILE' });
    }
  });

  it('are moved without taking another’s place, and those that are gone are passed over', async () => {
    for (const content of ['1', '2']) {
      await writePrivateFile(at('in', 'a'), utf8(content));
      await movePrivateFiles([at('in', 'a'), at('in', 'gone')], at('aside'));
    }
    assert.deepEqual(readdirSync(at('aside')).sort(), ['a', 'a.2']);
    assert.deepEqual([readFileSync(at('aside', 'a'), 'utf8'), readFileSync(at('aside', 'a.2'), 'utf8')], ['1', '2']);
    assert.deepEqual(readdirSync(at('in')), []);
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
