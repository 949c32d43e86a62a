// The driver port under the ledger: what its store asks of a database, in SQL as SQLite speaks it. Calls return when
// the database has answered.

/** A value in a row or for a `?`. */
export type SqlValue = string | number | null;

/** A row by the names of its columns. */
export type SqlRow = Readonly<Record<string, SqlValue>>;

/** An open database. What it throws is coded: BF-LEDGER-…, BF-USAGE-FILE. */
export interface SqlDatabase {
  /** Rows of a query. */
  all(sql: string, ...values: readonly SqlValue[]): readonly SqlRow[];
  /** Runs one statement. @returns how many rows it changed */
  run(sql: string, ...values: readonly SqlValue[]): number;
  /** Runs statements that take no values and give no rows. */
  script(sql: string): void;
  /**
   * Runs `work` in a transaction that takes the place of the only writer first. All of it is on disk when this has
   * returned, and nothing of it when it throws.
   */
  transaction<T>(work: () => T): T;
  /**
   * The same for work that waits for something else meanwhile. Whoever asks this connection for anything in that time
   * is in the transaction too, and other connections of this process must not wait for it.
   */
  longTransaction<T>(work: () => Promise<T>): Promise<T>;
  close(): void;
}

/** The one value of a query that gives one row of one column. */
export function onlyValue(database: SqlDatabase, sql: string): SqlValue | undefined {
  return Object.values(database.all(sql)[0] ?? {})[0];
}
