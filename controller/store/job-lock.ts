// Edge: one process at a time works on a job. The lock is a file that only one process can make; it names its
// holder, and a holder that is no more on this computer loses it. Two processes on one record would each count
// answers and wrong codes for themselves, and the later receipt would take the earlier one's place.
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { z } from 'zod';
import { fromUtf8, utf8 } from '../../shared/codec/bytes.ts';
import { parseJson } from '../../shared/codec/json.ts';
import { fail, isBlindflashError, type BlindflashError } from '../../shared/errors/errors.ts';
import { readPrivateFile, removePrivateFile, writePrivateFile } from '../../shared/platform/node/private-file.ts';

const HolderSchema = z.strictObject({
  pid: z.int().min(1),
  host: z.string().max(255),
  token: z.string().regex(/^[0-9a-f]{16}$/),
});
type Holder = z.infer<typeof HolderSchema>;

/** Tokens of the locks this process holds: a lock that names its number may be of an earlier process with it. */
const HELD = new Set<string>();

/** How often a lock may be gone, or stale, between two looks at it. Chosen. */
const ATTEMPTS = 5;

/** Takes the lock; the returned function gives it back. @throws BF-JOB-BUSY naming the holder */
export async function takeLock(path: string): Promise<() => Promise<void>> {
  const token = randomBytes(8).toString('hex');
  const own = JSON.stringify({ pid: process.pid, host: hostname(), token } satisfies Holder);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const held = await textOf(path);
    if (held === undefined ? await madeLock(path, own) : await replacedDeadLock(path, held, own)) {
      HELD.add(token);
      return () => giveBack(path, own, token);
    }
  }
  throw fail('BF-JOB-BUSY', path);
}

/** Makes a lock where there is none; false when another process was faster. */
async function madeLock(path: string, own: string): Promise<boolean> {
  try {
    await writePrivateFile(path, utf8(own), { replace: false, exists: 'BF-JOB-BUSY' });
    return true;
  } catch (error) {
    if (isBlindflashError(error, 'BF-JOB-BUSY')) return false;
    throw error;
  }
}

/**
 * Puts our lock in the place of one whose holder is no more. Whoever does that holds the marker of exactly that
 * lock, so that no two do. Returns whether it is ours now. @throws BF-JOB-BUSY while its holder may live
 */
async function replacedDeadLock(path: string, held: string, own: string): Promise<boolean> {
  const holder = holderOf(held);
  if (holder === undefined || mayLive(holder)) throw busy(path, holder);
  const marker = `${path}.${holder.token}`;
  if (!(await madeLock(marker, own))) throw busy(marker, undefined);
  const isStill = (await textOf(path)) === held;
  if (isStill) await writePrivateFile(path, utf8(own));
  await removePrivateFile(marker);
  return isStill;
}

async function giveBack(path: string, own: string, token: string): Promise<void> {
  HELD.delete(token);
  if ((await textOf(path)) === own) await removePrivateFile(path);
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return fromUtf8(await readPrivateFile(path, { missing: 'BF-JOB-UNKNOWN' }), 'BF-JOB-STATE', 'the lock');
  } catch (error) {
    if (isBlindflashError(error, 'BF-JOB-UNKNOWN')) return undefined;
    throw error;
  }
}

/** Undefined for a lock that is just being written, or that no Blindflash wrote. */
function holderOf(text: string): Holder | undefined {
  try {
    return HolderSchema.safeParse(parseJson(text, 'BF-JOB-STATE', 'the lock')).data;
  } catch {
    return undefined;
  }
}

/** Whether the holder may still run; of a process of another computer that is not known. */
function mayLive({ pid, host, token }: Holder): boolean {
  if (host !== hostname()) return true;
  if (pid === process.pid) return HELD.has(token);
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}

function busy(path: string, holder: Holder | undefined): BlindflashError {
  const who = holder === undefined ? 'one that has just begun' : `${holder.pid} on ${holder.host}`;
  return fail('BF-JOB-BUSY', `process ${who}; its lock is ${path}`);
}
