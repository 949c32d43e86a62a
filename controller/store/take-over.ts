// Edge: what a home from before the ledger kept as files goes into the ledger, all of it in one transaction, as it is:
// jobs and invites stay sealed, so that no key is needed. A process that dies on the way leaves the files where they
// were, or a ledger that has them; the next opening goes on. Files of jobs and invites are moved aside afterwards,
// those of receipts stay: they are what is passed on.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Home } from './home.ts';
import { takeLock } from './job-lock.ts';
import { requireSealedForm } from './sealed-text.ts';
import type { SqlDatabase } from './sql.ts';
import { fromUtf8 } from '../../shared/codec/bytes.ts';
import { fail, isBlindflashError } from '../../shared/errors/errors.ts';
import { parseSigned } from '../../shared/plan/receipt.ts';
import { movePrivateFiles, readPrivateFile, requirePrivateFolder } from '../../shared/platform/node/private-file.ts';
import type { Log } from '../../shared/ports.ts';

/** In the table `done` once the receipts of a home are in its ledger. */
const RECEIPTS_DONE = 'receipts taken over';

const SEALED = /^([0-9a-f]{32})\.json$/;
const RECEIPT = /^([0-9a-f]{32})-([0-9a-f]{24})\.receipt$/;

/** A file of an older home. */
interface OldFile {
  readonly path: string;
  readonly id: string;
  /** Of a receipt. */
  readonly uid: string;
}

/** True when the folder has jobs, invites or receipts as files. */
export async function hasOldFiles(home: Home): Promise<boolean> {
  const { jobs, invites, receipts } = await oldFiles(home);
  return jobs.length + invites.length + receipts.length > 0;
}

/** True when there are files the ledger does not have yet, or still has to move aside. */
export async function wantsTakeOver(database: SqlDatabase, home: Home): Promise<boolean> {
  const { jobs, invites } = await oldFiles(home);
  return jobs.length + invites.length > 0 || !areReceiptsDone(database);
}

/**
 * Takes over. A job or invite the ledger knows already is not touched: it may have gone on there.
 * @throws BF-LEDGER-TAKE-OVER naming a file that is none of ours, BF-JOB-BUSY for a job that a process of an older
 * version is at work on. Nothing was taken over then.
 */
export async function takeOver(database: SqlDatabase, home: Home, log: Log): Promise<void> {
  const locks: (() => Promise<void>)[] = [];
  try {
    const found = await database.longTransaction(async () => {
      const { jobs, invites, receipts } = await oldFiles(home);
      for (const file of jobs.filter((each) => !isKnown(database, 'job', each))) {
        locks.push(await takeLock(join(home.jobs, `${file.id}.lock`)));
        await insertSealed(database, 'job', file);
      }
      for (const file of invites.filter((each) => !isKnown(database, 'invite', each))) {
        await insertSealed(database, 'invite', file);
      }
      for (const file of receipts) await insertReceipt(database, file);
      if (!areReceiptsDone(database)) database.run('INSERT INTO done (step) VALUES (?)', RECEIPTS_DONE);
      return { jobs, invites, receipts };
    });
    await moveAside(home, found, log);
  } finally {
    await Promise.all(locks.map((release) => release()));
  }
}

interface OldFiles {
  readonly jobs: readonly OldFile[];
  readonly invites: readonly OldFile[];
  readonly receipts: readonly OldFile[];
}

async function moveAside({ takenOver, ledger }: Home, { jobs, invites, receipts }: OldFiles, log: Log): Promise<void> {
  for (const [files, name] of [
    [jobs, 'jobs'],
    [invites, 'invites'],
  ] as const) {
    if (files.length === 0) continue;
    await movePrivateFiles(
      files.map(({ path }) => path),
      join(takenOver, name),
    );
  }
  if (jobs.length + invites.length + receipts.length === 0) return;
  const counts = { jobs: jobs.length, invites: invites.length, receipts: receipts.length };
  log.info({ ...counts, ledger, aside: takenOver }, 'the ledger has taken over the files of this folder');
}

function areReceiptsDone(database: SqlDatabase): boolean {
  return database.all('SELECT 1 FROM done WHERE step = ?', RECEIPTS_DONE).length > 0;
}

const TABLES = { job: 'jobs', invite: 'invites' } as const;

function isKnown(database: SqlDatabase, kind: keyof typeof TABLES, { id }: OldFile): boolean {
  return database.all(`SELECT 1 FROM ${TABLES[kind]} WHERE id = ?`, id).length > 0;
}

async function insertSealed(database: SqlDatabase, kind: keyof typeof TABLES, { path, id }: OldFile): Promise<void> {
  const text = await textOf(path);
  if (text === undefined) return;
  ours(path, () => requireSealedForm({ kind, id }, text));
  database.run(`INSERT INTO ${TABLES[kind]} (id, sealed) VALUES (?, ?)`, id, text);
}

async function insertReceipt(database: SqlDatabase, { path, id, uid }: OldFile): Promise<void> {
  if (database.all('SELECT 1 FROM receipts WHERE job = ? AND uid = ?', id, uid).length > 0) return;
  const file = await textOf(path);
  if (file === undefined) return;
  const { text, signature } = ours(path, () => parseSigned(file));
  database.run('INSERT INTO receipts (job, uid, text, signature) VALUES (?, ?, ?, ?)', id, uid, text, signature);
}

/** @throws BF-LEDGER-TAKE-OVER where `parse` refuses the file */
function ours<T>(path: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw isBlindflashError(error) ? fail('BF-LEDGER-TAKE-OVER', `${path}: ${error.detail ?? ''}`, error) : error;
  }
}

/** Undefined for a file that another process has moved aside meanwhile. */
async function textOf(path: string): Promise<string | undefined> {
  try {
    return fromUtf8(await readPrivateFile(path, { missing: 'BF-JOB-UNKNOWN' }), 'BF-LEDGER-TAKE-OVER', path);
  } catch (error) {
    if (isBlindflashError(error, 'BF-JOB-UNKNOWN')) return undefined;
    throw error;
  }
}

async function oldFiles({ jobs, invites, receipts }: Home): Promise<OldFiles> {
  return {
    jobs: await filesIn(jobs, SEALED),
    invites: await filesIn(invites, SEALED),
    receipts: await filesIn(receipts, RECEIPT),
  };
}

async function filesIn(folder: string, form: RegExp): Promise<OldFile[]> {
  await requirePrivateFolder(folder);
  const names = await readdir(folder).catch(() => []);
  return names.sort().flatMap((name) => {
    const [, id, uid = ''] = form.exec(name) ?? [];
    return id === undefined ? [] : [{ path: join(folder, name), id, uid }];
  });
}
