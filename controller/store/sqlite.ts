// Edge: the driver port over SQLite. A transaction that has returned survives the loss of power: synchronous=FULL
// (https://sqlite.org/pragma.html#pragma_synchronous).
import { DatabaseSync } from '@photostructure/sqlite';
import type { SqlDatabase, SqlRow, SqlValue } from './sql.ts';
import { fail, isBlindflashError, type ErrorCode } from '../../shared/errors/errors.ts';

/** How long a call waits for another process that writes, milliseconds. Chosen: a take-over of many files fits. */
const BUSY_MS = 10_000;

/** Each connection's own settings. */
const SETTINGS = `
  PRAGMA synchronous = FULL;
  PRAGMA foreign_keys = ON;
  PRAGMA recursive_triggers = ON;
  PRAGMA trusted_schema = OFF;
  PRAGMA cell_size_check = ON;
  PRAGMA mmap_size = 0;
`;

/**
 * Primary result codes (https://sqlite.org/rescode.html) and what a person is told of them. Our statements are fixed
 * texts: one that a file does not understand says that its tables are not ours.
 */
const CODES: Readonly<Record<number, ErrorCode>> = {
  1: 'BF-LEDGER-DAMAGED', // SQLITE_ERROR
  3: 'BF-USAGE-FILE', // SQLITE_PERM
  5: 'BF-LEDGER-BUSY', // SQLITE_BUSY
  6: 'BF-LEDGER-BUSY', // SQLITE_LOCKED
  8: 'BF-USAGE-FILE', // SQLITE_READONLY
  10: 'BF-LEDGER-DISK', // SQLITE_IOERR
  11: 'BF-LEDGER-DAMAGED', // SQLITE_CORRUPT
  13: 'BF-LEDGER-DISK', // SQLITE_FULL
  14: 'BF-USAGE-FILE', // SQLITE_CANTOPEN
  26: 'BF-LEDGER-DAMAGED', // SQLITE_NOTADB
};

/**
 * Opens a file as a database, or a new one in memory.
 * @param path of a file that is there, or `:memory:`. @throws BF-LEDGER-DAMAGED, BF-LEDGER-BUSY, BF-LEDGER-DISK,
 * BF-USAGE-FILE
 */
export function openSqlite(path: string): SqlDatabase {
  return coded(path, () => {
    const database = new DatabaseSync(path, { timeout: BUSY_MS, defensive: true });
    try {
      database.exec(SETTINGS);
    } catch (error) {
      database.close();
      throw error;
    }
    return new SqliteDatabase(database, path);
  });
}

type Connection = InstanceType<typeof DatabaseSync>;

class SqliteDatabase implements SqlDatabase {
  readonly #database: Connection;
  readonly #path: string;
  /** Prepared statements by their text: there are as many as the program has. */
  readonly #statements = new Map<string, ReturnType<Connection['prepare']>>();

  constructor(database: Connection, path: string) {
    this.#database = database;
    this.#path = path;
  }

  all(sql: string, ...values: readonly SqlValue[]): readonly SqlRow[] {
    return coded(this.#path, () => this.#rows(sql, values));
  }

  run(sql: string, ...values: readonly SqlValue[]): number {
    return coded(this.#path, () => this.#prepared(sql).run(...values).changes);
  }

  /** The library names no code for a row that fails behind the first: then the file cannot be read to its end. */
  #rows(sql: string, values: readonly SqlValue[]): SqlRow[] {
    const statement = this.#prepared(sql);
    try {
      return statement.all(...values) as SqlRow[];
    } catch (error) {
      if (resultCode(error) !== 0) throw error;
      statement.get(...values);
      throw fail('BF-LEDGER-DAMAGED', `${this.#path}: ${(error as Error).message}`, error);
    }
  }

  #prepared(sql: string): ReturnType<Connection['prepare']> {
    const prepared = this.#statements.get(sql) ?? this.#database.prepare(sql);
    this.#statements.set(sql, prepared);
    return prepared;
  }

  script(sql: string): void {
    coded(this.#path, () => this.#database.exec(sql));
  }

  transaction<T>(work: () => T): T {
    this.script('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.script('COMMIT');
      return result;
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  async longTransaction<T>(work: () => Promise<T>): Promise<T> {
    this.script('BEGIN IMMEDIATE');
    try {
      const result = await work();
      this.script('COMMIT');
      return result;
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  /** Some errors have ended the transaction already (https://sqlite.org/lang_transaction.html). */
  #rollBack(): void {
    if (this.#database.isTransaction) this.script('ROLLBACK');
  }

  /**
   * The library finalizes statements when memory is collected, and so long the connection stays: the log is brought
   * into the file here, so that a copy of the file alone is whole. Where that cannot be, the log keeps the rest.
   */
  close(): void {
    try {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {
      // Another process reads, the disk is full, or the file is damaged, which the next opening says.
    }
    this.#database.close();
  }
}

function coded<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = isBlindflashError(error) ? undefined : CODES[resultCode(error) & 0xff];
    throw code === undefined ? error : fail(code, `${path}: ${(error as Error).message}`, error);
  }
}

/** SQLite's extended result code; 0 for an error that is none of its own. */
function resultCode(error: unknown): number {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : 0;
}
