// Edge: the vendor's ledger, one SQLite file in his folder that only he can read. Opening it makes or brings up its
// tables, takes over what a home from before the ledger kept as files, and refuses what is damaged, altered or of a
// later version.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Home } from './home.ts';
import { migrate, requireKnown, requireSchema, wantsMigration } from './migrations.ts';
import { onlyValue, type SqlDatabase } from './sql.ts';
import { openSqlite } from './sqlite.ts';
import { hasOldFiles, takeOver, wantsTakeOver } from './take-over.ts';
import { fail, isBlindflashError } from '../../shared/errors/errors.ts';
import type { Log } from '../../shared/ports.ts';
import {
  preparePrivateFile,
  requirePrivateFile,
  requirePrivateFolder,
} from '../../shared/platform/node/private-file.ts';

/** What a ledger works with beside its folder. */
export interface LedgerOptions {
  readonly home: Home;
  readonly log: Log;
  /** Opens a path as a database; SQLite unless given. */
  readonly openDatabase?: (path: string) => SqlDatabase;
}

/** Files SQLite keeps beside the database (https://sqlite.org/walformat.html). */
const COMPANIONS = ['-wal', '-shm', '-journal'];

/** How often, and how long apart, the write-ahead log is asked for. Chosen. */
const [LOG_ATTEMPTS, LOG_PAUSE_MS] = [100, 20];

/**
 * The opening before the next one in this process, over or not; never rejects. While one holds the database over an
 * `await`, another would wait for it without letting it go on.
 */
let lastOpening: Promise<unknown> = Promise.resolve();

/** The ledger of a folder; opened when it is first asked for. */
export class Ledger {
  readonly home: Home;
  readonly #options: LedgerOptions;
  #opened: Promise<SqlDatabase> | undefined;

  constructor(options: LedgerOptions) {
    this.home = options.home;
    this.#options = options;
  }

  /**
   * The open database; made if need be.
   * @throws BF-LEDGER-DAMAGED, BF-LEDGER-NEWER, BF-LEDGER-TAKE-OVER, BF-LEDGER-BUSY, BF-LEDGER-DISK, BF-JOB-BUSY,
   * BF-KEYS-PERMISSIONS, BF-USAGE-FILE
   */
  async database(): Promise<SqlDatabase> {
    await requirePrivateFolder(this.home.folder);
    return (this.#opened ??= this.#open());
  }

  /** The open database, or undefined in a folder that has neither a ledger nor files for one: nothing is made there. */
  async existing(): Promise<SqlDatabase | undefined> {
    if (this.#opened !== undefined) return this.database();
    await requirePrivateFolder(this.home.folder);
    const isThere = (await requirePrivateFile(this.home.ledger)) || (await hasOldFiles(this.home));
    return isThere ? this.database() : undefined;
  }

  /** Closes the database if it is open; what was written is in one file then, unless another process has it open. */
  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    (await opened?.catch(() => undefined))?.close();
  }

  async #open(): Promise<SqlDatabase> {
    const opening = lastOpening.then(() => this.#openNow());
    lastOpening = opening.catch(() => {});
    try {
      return await opening;
    } catch (error) {
      this.#opened = undefined;
      throw error;
    }
  }

  async #openNow(): Promise<SqlDatabase> {
    const { home, log, openDatabase = openSqlite } = this.#options;
    await preparePrivateFile(home.ledger);
    for (const ending of COMPANIONS) await requirePrivateFile(`${home.ledger}${ending}`);
    const database = openDatabase(home.ledger);
    try {
      bringUp(database);
      await useWriteAheadLog(database);
      checkSchema(database, openDatabase(':memory:'));
      requireIntegrity(database);
      if (await wantsTakeOver(database, home)) await takeOver(database, home, log);
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  }
}

/** In one transaction, so that of several processes one makes the tables, and the others see all of them. */
function bringUp(database: SqlDatabase): void {
  database.transaction(() => {
    requireKnown(database);
    if (wantsMigration(database)) migrate(database);
  });
}

/**
 * Readers then go on while somebody writes. The file keeps the setting; changing it takes the file for oneself, for
 * which SQLite does not wait. @throws BF-LEDGER-BUSY
 */
async function useWriteAheadLog(database: SqlDatabase): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      database.script('PRAGMA journal_mode = WAL');
      return;
    } catch (error) {
      if (!isBlindflashError(error, 'BF-LEDGER-BUSY') || attempt === LOG_ATTEMPTS) throw error;
      await sleep(LOG_PAUSE_MS);
    }
  }
}

/** @throws BF-LEDGER-DAMAGED when pages, rows or indexes are not as SQLite writes them */
function requireIntegrity(database: SqlDatabase): void {
  const verdict = onlyValue(database, 'PRAGMA integrity_check(1)');
  if (verdict !== 'ok') throw fail('BF-LEDGER-DAMAGED', String(verdict));
}

function checkSchema(database: SqlDatabase, empty: SqlDatabase): void {
  try {
    requireSchema(database, empty);
  } finally {
    empty.close();
  }
}
