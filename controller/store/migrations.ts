// The ledger's tables, as numbered steps: a ledger remembers how many of them it has had (user_version) and is given
// the rest. A step that was released is never changed; what is to be different is another step. Pure.
//
// Tables of record keep what they were given: triggers refuse to delete, to change and to replace, whoever asks. What
// is read is checked by its seal or its signature all the same: triggers can be taken away by whoever writes the file,
// which the comparison of the whole schema then shows.
import { onlyValue, type SqlDatabase, type SqlRow } from './sql.ts';
import { fail } from '../../shared/errors/errors.ts';

/** "BFLG": says that a database is a ledger (https://sqlite.org/pragma.html#pragma_application_id). */
const APPLICATION_ID = 0x42464c47;

const MIGRATIONS: readonly string[] = [
  // 1: jobs and invites as the boxes of sealed-text.ts, receipts as they were signed.
  `
  CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 32 AND id NOT GLOB '*[^0-9a-f]*'),
    sealed TEXT NOT NULL
  ) STRICT;
  CREATE TRIGGER jobs_stay BEFORE DELETE ON jobs BEGIN SELECT RAISE(ABORT, 'a job stays'); END;
  CREATE TRIGGER jobs_keep_their_id BEFORE UPDATE OF id ON jobs BEGIN SELECT RAISE(ABORT, 'a job keeps its id'); END;

  CREATE TABLE receipts (
    job TEXT NOT NULL CHECK (length(job) = 32 AND job NOT GLOB '*[^0-9a-f]*'),
    uid TEXT NOT NULL CHECK (length(uid) = 24 AND uid NOT GLOB '*[^0-9a-f]*'),
    text TEXT NOT NULL,
    signature TEXT NOT NULL,
    PRIMARY KEY (job, uid)
  ) STRICT;
  CREATE TRIGGER receipts_stay BEFORE DELETE ON receipts BEGIN SELECT RAISE(ABORT, 'a receipt stays'); END;
  CREATE TRIGGER receipts_keep_their_name BEFORE UPDATE OF job, uid ON receipts
    BEGIN SELECT RAISE(ABORT, 'a receipt keeps its job and unit'); END;

  -- An invite that a job has taken stays as a row without a box, so that it cannot be taken again.
  CREATE TABLE invites (
    id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 32 AND id NOT GLOB '*[^0-9a-f]*'),
    sealed TEXT
  ) STRICT;
  CREATE TRIGGER invites_stay BEFORE DELETE ON invites BEGIN SELECT RAISE(ABORT, 'an invite stays'); END;
  CREATE TRIGGER invites_stay_taken BEFORE UPDATE ON invites WHEN OLD.sealed IS NULL OR NEW.id <> OLD.id
    BEGIN SELECT RAISE(ABORT, 'an invite that was taken stays so'); END;
  CREATE TRIGGER invites_come_once BEFORE INSERT ON invites
    WHEN EXISTS (SELECT 1 FROM invites WHERE id = NEW.id AND sealed IS NULL)
    BEGIN SELECT RAISE(ABORT, 'an invite that was taken stays so'); END;

  -- Steps of the life of this ledger that are done once.
  CREATE TABLE done (step TEXT NOT NULL PRIMARY KEY) STRICT;
  CREATE TRIGGER done_stays BEFORE DELETE ON done BEGIN SELECT RAISE(ABORT, 'what is done stays done'); END;
  `,
  // 2: the device registry (controller/registry/entry.ts), an entry a row. id: SHA-512 of the text, 16 bytes.
  `
  CREATE TABLE device_entries (
    id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    text TEXT NOT NULL,
    signature TEXT NOT NULL,
    uid TEXT NOT NULL GENERATED ALWAYS AS (json_extract(text, '$.uid')) VIRTUAL,
    session_key TEXT GENERATED ALWAYS AS (json_extract(text, '$.sessionKey')) VIRTUAL,
    file_key TEXT GENERATED ALWAYS AS (json_extract(text, '$.fileKey')) VIRTUAL
  ) STRICT;
  CREATE INDEX device_entries_by_uid ON device_entries (uid);
  CREATE INDEX device_entries_by_session_key ON device_entries (session_key);
  CREATE INDEX device_entries_by_file_key ON device_entries (file_key);
  CREATE TRIGGER device_entries_stay BEFORE DELETE ON device_entries
    BEGIN SELECT RAISE(ABORT, 'an entry stays'); END;
  CREATE TRIGGER device_entries_stay_so BEFORE UPDATE ON device_entries
    BEGIN SELECT RAISE(ABORT, 'an entry stays as it is'); END;
  CREATE TRIGGER device_entries_come_once BEFORE INSERT ON device_entries
    WHEN EXISTS (SELECT 1 FROM device_entries WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'an entry stays as it is'); END;
  `,
];

/** Refuses a database that is none of ours or of a later version. @throws BF-LEDGER-DAMAGED, BF-LEDGER-NEWER */
export function requireKnown(database: SqlDatabase): void {
  const [id, version] = [onlyValue(database, 'PRAGMA application_id'), versionOf(database)];
  if (id === 0 && version === 0 && schemaOf(database).length === 0) return;
  if (id !== APPLICATION_ID) throw fail('BF-LEDGER-DAMAGED', 'the file is a database of something else');
  if (version > MIGRATIONS.length) {
    throw fail('BF-LEDGER-NEWER', `its tables are of version ${version}; this program knows ${MIGRATIONS.length}`);
  }
}

/** True when steps are missing. */
export function wantsMigration(database: SqlDatabase): boolean {
  return versionOf(database) < MIGRATIONS.length;
}

/** Takes the steps that are missing; the caller holds a transaction. */
export function migrate(database: SqlDatabase): void {
  for (const step of MIGRATIONS.slice(versionOf(database))) database.script(step);
  database.script(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${MIGRATIONS.length}`);
}

/**
 * Refuses a ledger whose tables and triggers are not exactly those the steps make.
 * @param empty a database without tables, to make them in
 */
export function requireSchema(database: SqlDatabase, empty: SqlDatabase): void {
  migrate(empty);
  const [found, wanted] = [database, empty].map((each) => new Map(schemaOf(each).map(named)));
  for (const name of new Set([...found!.keys(), ...wanted!.keys()])) {
    if (found!.get(name) !== wanted!.get(name)) throw fail('BF-LEDGER-DAMAGED', `its ${name} was altered`);
  }
}

function named({ type, name, sql }: SqlRow): [string, string] {
  return [`${type} ${name}`, String(sql)];
}

function schemaOf(database: SqlDatabase): readonly SqlRow[] {
  return database.all('SELECT type, name, sql FROM sqlite_schema');
}

function versionOf(database: SqlDatabase): number {
  return Number(onlyValue(database, 'PRAGMA user_version'));
}
