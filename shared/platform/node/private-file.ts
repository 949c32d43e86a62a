// Edge: files only their owner may read (keys, passphrases, invites, job state), replaced whole or not at all. What
// somebody else could have put there, or could read, is refused (docs/threat-model.md).
import { constants, type Stats } from 'node:fs';
import { mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { fail, isBlindflashError, type ErrorCode } from '../../errors/errors.ts';

const OWNER_ONLY_FILE = 0o600;
const OWNER_ONLY_FOLDER = 0o700;
/** Group and others: may not touch a file at all, may not put anything into a folder. */
const FORBIDDEN = { file: 0o077, folder: 0o022 } as const;
const LARGEST_BYTES = 16 * 1024 * 1024;
/** A file that is not whole yet; nothing but this module makes names like it. */
const DRAFT = /^\..+\.draft-[0-9a-f]{12}$/;
/** A draft this much older than a new file belongs to a process that is no more. Chosen. */
const DRAFT_MS = 3_600_000;

export interface PrivateFileCodes {
  /** Thrown when the file is not there. */
  readonly missing?: ErrorCode;
  /** Thrown when the file exists and `replace` is false. */
  readonly exists?: ErrorCode;
  /** False refuses to touch a file that exists. */
  readonly replace?: boolean;
  /** The path as errors name it, where what was named may be a secret in a path's place. */
  readonly shownAs?: string;
}

/**
 * Reads a file that must be a plain one and its owner's alone. A pipe or device is refused at once, not waited for.
 * @throws BF-KEYS-PERMISSIONS when it is another user's, or group or others may touch it (POSIX), `missing`
 *   (BF-KEYS-MISSING) when it is not there, BF-USAGE-FILE for anything else that goes wrong.
 */
export async function readPrivateFile(path: string, codes: PrivateFileCodes = {}): Promise<Uint8Array> {
  return guarded(path, codes, async () => {
    const { O_RDONLY, O_NONBLOCK = 0 } = constants;
    const file = await open(path, O_RDONLY | O_NONBLOCK);
    try {
      const stats = await file.stat();
      requireOwn(codes.shownAs ?? path, stats, 'file');
      if (stats.size > LARGEST_BYTES) throw fail('BF-USAGE-FILE', `${codes.shownAs ?? path} is too large`);
      return new Uint8Array(await file.readFile());
    } finally {
      await file.close();
    }
  });
}

/**
 * Writes a file that is its owner's alone (0600), making its folder (0700) if need be. The new content takes the place
 * of the old in one step; after a crash the file is either old or new. Once this has resolved, file and folder are on
 * disk. Drafts that a crash left in the folder are removed.
 * @throws `exists` (BF-KEYS-EXIST) when it must not be replaced, BF-USAGE-FILE for anything else that goes wrong.
 */
export async function writePrivateFile(path: string, bytes: Uint8Array, codes: PrivateFileCodes = {}): Promise<void> {
  await guarded(path, codes, async () => {
    const folder = dirname(path);
    await mkdir(folder, { recursive: true, mode: OWNER_ONLY_FOLDER });
    const writtenAt = codes.replace === false ? await writeNew(path, bytes) : await replaceWhole(path, bytes);
    await syncFolder(folder);
    await removeDrafts(folder, writtenAt);
  });
}

/**
 * Makes an empty file that is its owner's alone, for a program that changes it in place (a database), unless it is
 * there. One that is there is refused as `readPrivateFile` does.
 * @throws BF-KEYS-PERMISSIONS, BF-USAGE-FILE
 */
export async function preparePrivateFile(path: string): Promise<void> {
  await guarded(path, {}, async () => {
    await mkdir(dirname(path), { recursive: true, mode: OWNER_ONLY_FOLDER });
    try {
      await writeNew(path, new Uint8Array(0));
      await syncFolder(dirname(path));
    } catch (error) {
      if (errno(error) !== 'EEXIST') throw error;
    }
    requireOwn(path, await stat(path), 'file');
  });
}

/**
 * Refuses a file as `readPrivateFile` does, unread. False when it is not there.
 * @throws BF-KEYS-PERMISSIONS, BF-USAGE-FILE
 */
export async function requirePrivateFile(path: string): Promise<boolean> {
  return guarded(path, {}, async () => {
    const stats = await statIfThere(path);
    if (stats !== undefined) requireOwn(path, stats, 'file');
    return stats !== undefined;
  });
}

/**
 * Moves files into a folder of their owner's, which is made (0700) if need be; a name that is taken there gets a
 * number. Files that are gone are passed over. All of it is on disk once this has resolved. @throws BF-USAGE-FILE
 */
export async function movePrivateFiles(paths: readonly string[], folder: string): Promise<void> {
  await guarded(folder, {}, async () => {
    await mkdir(folder, { recursive: true, mode: OWNER_ONLY_FOLDER });
    for (const path of paths) await renameInto(path, folder);
    for (const each of new Set([folder, dirname(folder), ...paths.map((path) => dirname(path))])) {
      await syncFolder(each);
    }
  });
}

async function renameInto(path: string, folder: string): Promise<void> {
  const name = basename(path);
  for (let count = 1; ; count++) {
    const target = join(folder, count === 1 ? name : `${name}.${count}`);
    if ((await statIfThere(target)) !== undefined) continue;
    return rename(path, target).catch((error: unknown) => {
      if (errno(error) !== 'ENOENT') throw error;
    });
  }
}

/** Removes a file, on disk too. False when it is not there; of several callers one hears true. @throws BF-USAGE-FILE */
export async function removePrivateFile(path: string): Promise<boolean> {
  try {
    await unlink(path);
    await syncFolder(dirname(path));
    return true;
  } catch (error) {
    if (errno(error) === 'ENOENT') return false;
    throw fail('BF-USAGE-FILE', `${path}: ${errno(error)}`, error);
  }
}

/**
 * Refuses a folder that is another user's (not root's), or to which others may write (POSIX): they could put their
 * files in place of ours. One that is not there is nobody's. @throws BF-KEYS-PERMISSIONS, BF-USAGE-FILE
 */
export async function requirePrivateFolder(path: string): Promise<void> {
  await guarded(path, {}, async () => {
    const stats = await statIfThere(path);
    if (stats !== undefined) requireOwn(path, stats, 'folder');
  });
}

async function statIfThere(path: string): Promise<Stats | undefined> {
  return stat(path).catch((error: unknown) => {
    if (errno(error) === 'ENOENT') return undefined;
    throw error;
  });
}

function requireOwn(path: string, stats: Stats, what: keyof typeof FORBIDDEN): void {
  const isKind = what === 'file' ? stats.isFile() : stats.isDirectory();
  if (!isKind) throw fail('BF-USAGE-FILE', `${path} is no plain ${what}`);
  if (process.platform === 'win32') return;
  const isRoots = what === 'folder' && stats.uid === 0;
  if (!isRoots && stats.uid !== process.getuid?.()) {
    throw fail('BF-KEYS-PERMISSIONS', `${path} belongs to another user`);
  }
  if ((stats.mode & FORBIDDEN[what]) !== 0) {
    throw fail('BF-KEYS-PERMISSIONS', `${path} has mode ${(stats.mode & 0o777).toString(8)}`);
  }
}

/** @returns when the new file was written, milliseconds since 1970 */
async function replaceWhole(path: string, bytes: Uint8Array): Promise<number> {
  const draft = join(dirname(path), `.${basename(path)}.draft-${randomBytes(6).toString('hex')}`);
  try {
    const writtenAt = await writeNew(draft, bytes);
    await rename(draft, path);
    return writtenAt;
  } catch (error) {
    await unlink(draft).catch(() => {});
    throw error;
  }
}

async function writeNew(path: string, bytes: Uint8Array): Promise<number> {
  const { O_CREAT, O_EXCL, O_WRONLY } = constants;
  const file = await open(path, O_CREAT | O_EXCL | O_WRONLY, OWNER_ONLY_FILE);
  try {
    await file.writeFile(bytes);
    await file.sync();
    return (await file.stat()).mtimeMs;
  } finally {
    await file.close();
  }
}

/** A new name, or one that is gone, is on disk only once its folder is. Windows has no such call. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const file = await open(folder, constants.O_RDONLY);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function removeDrafts(folder: string, writtenAt: number): Promise<void> {
  for (const name of (await readdir(folder)).filter((each) => DRAFT.test(each))) {
    const path = join(folder, name);
    const stats = await stat(path).catch(() => undefined);
    if (stats !== undefined && writtenAt - stats.mtimeMs > DRAFT_MS) await unlink(path).catch(() => {});
  }
}

async function guarded<T>(path: string, codes: PrivateFileCodes, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isBlindflashError(error)) throw error;
    const [kind, shown] = [errno(error), codes.shownAs ?? path];
    // What the system says names the path.
    const cause = codes.shownAs === undefined ? error : undefined;
    if (kind === 'ENOENT') throw fail(codes.missing ?? 'BF-KEYS-MISSING', shown, cause);
    if (kind === 'EEXIST') throw fail(codes.exists ?? 'BF-KEYS-EXIST', shown, cause);
    throw fail('BF-USAGE-FILE', `${shown}: ${kind}`, cause);
  }
}

function errno(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}
