// Edge: files only their owner may read (keys, resume secrets, job state), replaced whole or not at all.
import { constants } from 'node:fs';
import { mkdir, open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { fail, isBlindflashError, type ErrorCode } from '../../errors/errors.ts';

const OWNER_ONLY_FILE = 0o600;
const OWNER_ONLY_FOLDER = 0o700;
const OTHERS = 0o077;
const LARGEST_BYTES = 16 * 1024 * 1024;

export interface PrivateFileCodes {
  /** Thrown when the file is not there. */
  readonly missing?: ErrorCode;
  /** Thrown when the file exists and `replace` is false. */
  readonly exists?: ErrorCode;
  /** False refuses to touch a file that exists. */
  readonly replace?: boolean;
}

/**
 * Reads a file that must belong to its owner alone.
 * @throws BF-KEYS-PERMISSIONS when group or others may touch it (POSIX), `missing` (BF-KEYS-MISSING) when it is not
 *   there, BF-USAGE-FILE for anything else that goes wrong.
 */
export async function readPrivateFile(path: string, codes: PrivateFileCodes = {}): Promise<Uint8Array> {
  return guarded(path, codes, async () => {
    const file = await open(path, 'r');
    try {
      const { mode, size } = await file.stat();
      if (process.platform !== 'win32' && (mode & OTHERS) !== 0) {
        throw fail('BF-KEYS-PERMISSIONS', `${path} has mode ${(mode & 0o777).toString(8)}`);
      }
      if (size > LARGEST_BYTES) throw fail('BF-USAGE-FILE', `${path} is too large`);
      return new Uint8Array(await file.readFile());
    } finally {
      await file.close();
    }
  });
}

/**
 * Writes a file that is its owner's alone (0600), making its folder (0700) if need be. The new content takes the place
 * of the old in one step; after a crash the file is either old or new.
 * @throws `exists` (BF-KEYS-EXIST) when it must not be replaced, BF-USAGE-FILE for anything else that goes wrong.
 */
export async function writePrivateFile(path: string, bytes: Uint8Array, codes: PrivateFileCodes = {}): Promise<void> {
  await guarded(path, codes, async () => {
    await mkdir(dirname(path), { recursive: true, mode: OWNER_ONLY_FOLDER });
    if (codes.replace === false) await writeNew(path, bytes);
    else await replaceWhole(path, bytes);
  });
}

/** Removes a file. False when it is not there; of several callers one hears true. @throws BF-USAGE-FILE */
export async function removePrivateFile(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (errno(error) === 'ENOENT') return false;
    throw fail('BF-USAGE-FILE', `${path}: ${errno(error)}`, error);
  }
}

async function replaceWhole(path: string, bytes: Uint8Array): Promise<void> {
  const draft = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  try {
    await writeNew(draft, bytes);
    await rename(draft, path);
  } catch (error) {
    await unlink(draft).catch(() => {});
    throw error;
  }
}

async function writeNew(path: string, bytes: Uint8Array): Promise<void> {
  const { O_CREAT, O_EXCL, O_WRONLY } = constants;
  const file: FileHandle = await open(path, O_CREAT | O_EXCL | O_WRONLY, OWNER_ONLY_FILE);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function guarded<T>(path: string, codes: PrivateFileCodes, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isBlindflashError(error)) throw error;
    const kind = errno(error);
    if (kind === 'ENOENT') throw fail(codes.missing ?? 'BF-KEYS-MISSING', path, error);
    if (kind === 'EEXIST') throw fail(codes.exists ?? 'BF-KEYS-EXIST', path, error);
    throw fail('BF-USAGE-FILE', `${path}: ${kind}`, error);
  }
}

function errno(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}
