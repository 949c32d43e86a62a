// Edge: small files in a folder of this user's alone, read and written at once (the way back has to be on disk before a
// message leaves). What somebody else could have put there, or could read, is refused (docs/threat-model.md).
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
  type Stats,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fail, isBlindflashError } from '../../shared/errors/errors.ts';

const OWNER_ONLY = { file: 0o600, folder: 0o700 } as const;
/** Group and others: may not touch a file at all, may not write to the folder. */
const FORBIDDEN = { file: 0o077, folder: 0o022 } as const;
const DRAFT = '.new';
/** A draft this old belongs to a process that is no more. Chosen. */
const DRAFT_MS = 60_000;

/**
 * The text of a file, or undefined when there is none or it is too long to be one of ours.
 * @throws BF-KEYS-PERMISSIONS when it is no plain file, another user's, or others may touch it; BF-USAGE-FILE
 */
export function readOwned(path: string, largestBytes: number): string | undefined {
  return guarded(path, () => {
    requireOwn(dirname(path), lstatSync(dirname(path)), 'folder');
    // Neither a symbolic link is followed nor a pipe waited for.
    const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
    const file = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      const stats = fstatSync(file);
      requireOwn(path, stats, 'file');
      return stats.size > largestBytes ? undefined : readFileSync(file, 'utf8');
    } finally {
      closeSync(file);
    }
  });
}

/**
 * Writes a file as a whole: after a crash it is either the old or the new one.
 * @throws BF-KEYS-PERMISSIONS, BF-USAGE-FILE
 */
export function writeOwned(path: string, text: string): void {
  const folder = dirname(path);
  guarded(path, () => {
    mkdirSync(folder, { recursive: true, mode: OWNER_ONLY.folder });
    requireOwn(folder, lstatSync(folder), 'folder');
    const draft = `${path}${DRAFT}`;
    rmSync(draft, { force: true });
    const { O_CREAT, O_EXCL, O_WRONLY } = constants;
    synced(openSync(draft, O_CREAT | O_EXCL | O_WRONLY, OWNER_ONLY.file), (file) => writeSync(file, text));
    renameSync(draft, path);
    if (process.platform !== 'win32') synced(openSync(folder, constants.O_RDONLY), () => {});
    return undefined;
  });
}

/** Names in a folder, without the drafts; those a crash left behind are removed. @param nowMs since 1970 */
export function listOwned(folder: string, nowMs: number): string[] {
  const names = guarded(folder, () => readdirSync(folder)) ?? [];
  for (const name of names.filter((each) => each.endsWith(DRAFT))) removeDraft(join(folder, name), nowMs);
  return names.filter((name) => !name.endsWith(DRAFT));
}

/** When a file was written last, milliseconds since 1970; 0 when it is not there. */
export function writtenAt(path: string): number {
  return lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function removeDraft(path: string, nowMs: number): void {
  if (nowMs - writtenAt(path) > DRAFT_MS) rmSync(path, { force: true });
}

function requireOwn(path: string, stats: Stats, what: keyof typeof FORBIDDEN): void {
  const isKind = what === 'file' ? stats.isFile() : stats.isDirectory();
  if (!isKind) throw fail('BF-KEYS-PERMISSIONS', `${path} is no plain ${what}`);
  if (process.platform === 'win32') return;
  if (stats.uid !== process.getuid?.()) throw fail('BF-KEYS-PERMISSIONS', `${path} belongs to another user`);
  if ((stats.mode & FORBIDDEN[what]) !== 0) {
    throw fail('BF-KEYS-PERMISSIONS', `${path} has mode ${(stats.mode & 0o777).toString(8)}`);
  }
}

function synced(file: number, work: (file: number) => unknown): void {
  try {
    work(file);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Undefined when the file or its folder is not there. */
function guarded<T>(path: string, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (isBlindflashError(error)) throw error;
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') return undefined;
    if (code === 'ELOOP') throw fail('BF-KEYS-PERMISSIONS', `${path} is a symbolic link`, error);
    throw fail('BF-USAGE-FILE', path, error);
  }
}
