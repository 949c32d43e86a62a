// Edge: the vendor's key file, its passphrase, and scrypt.
import { scrypt } from 'node:crypto';
import { dirname } from 'node:path';
import { formatKeys, needsPassphrase, parseKeys, type Kdf, type VendorKeys } from './keys.ts';
import { fromUtf8, utf8 } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import type { Random } from '../../shared/ports.ts';
import { readPrivateFile, requirePrivateFolder, writePrivateFile } from '../../shared/platform/node/private-file.ts';

const MIB = 1024 * 1024;

/** scrypt of node:crypto, off the main thread. */
export const scryptKdf: Kdf = (passphrase, salt, { logN, r, p }) =>
  new Promise((resolve, reject) => {
    const N = 2 ** logN;
    scrypt(passphrase.normalize('NFKC'), salt, 32, { N, r, p, maxmem: 128 * N * r + 32 * MIB }, (error, key) => {
      if (error === null) resolve(new Uint8Array(key));
      else reject(error);
    });
  });

/** Asks the person for a line that is not shown while it is typed. */
export interface HiddenPrompt {
  askHidden(question: string): Promise<string>;
}

/** Where a passphrase comes from: a file or `-` for standard input, else the person at the terminal. */
export interface PassphraseSource {
  readonly file: string | undefined;
  readonly prompt: HiddenPrompt;
}

/** What keys without a passphrase are worth, said whenever they are made or used. */
export const UNPROTECTED_HOME =
  'WARNING: these keys have no passphrase: whoever can read this folder can sign invites and receipts as you, and take your place in ' +
  'every unfinished job.';

export interface LoadedKeys {
  readonly keys: VendorKeys;
  /** A passphrase protects them. */
  readonly isProtected: boolean;
}

/** Reads keys. @throws BF-KEYS-MISSING, BF-KEYS-PERMISSIONS, BF-KEYS-OLD, BF-KEYS-DAMAGED, BF-KEYS-PASSPHRASE */
export async function loadKeys(path: string, source: PassphraseSource): Promise<LoadedKeys> {
  const text = await readKeyText(path);
  const isProtected = needsPassphrase(text);
  // Whoever named a passphrase knows his keys to have one: these are somebody else's.
  if (!isProtected && source.file !== undefined) {
    throw fail('BF-KEYS-DAMAGED', 'they have no passphrase; if they are yours, leave --passphrase-file out');
  }
  const passphrase = isProtected ? await askPassphrase(source) : undefined;
  return { keys: await parseKeys(text, passphrase, scryptKdf), isProtected };
}

/** The text of a key file; its public half needs no passphrase. */
export async function readKeyText(path: string): Promise<string> {
  await requirePrivateFolder(dirname(path));
  return fromUtf8(await readPrivateFile(path, { missing: 'BF-KEYS-MISSING' }), 'BF-KEYS-DAMAGED', 'the key file');
}

/** Writes new keys; a file that is there already is never replaced. @throws BF-KEYS-EXIST */
export async function storeKeys(
  path: string,
  keys: VendorKeys,
  passphrase: string | undefined,
  random: Random,
): Promise<void> {
  await requirePrivateFolder(dirname(path));
  const text = await formatKeys(keys, passphrase, scryptKdf, random);
  await writePrivateFile(path, utf8(text), { replace: false, exists: 'BF-KEYS-EXIST' });
}

/** A new passphrase, asked for twice; from a file or standard input once. */
export async function newPassphrase(source: PassphraseSource): Promise<string> {
  if (source.file !== undefined) return requireSome(await askPassphrase(source));
  const first = requireSome(await source.prompt.askHidden('New passphrase: '));
  if ((await source.prompt.askHidden('The same again: ')) !== first) {
    throw fail('BF-KEYS-PASSPHRASE', 'the two differ; nothing was written');
  }
  return first;
}

async function askPassphrase({ file, prompt }: PassphraseSource): Promise<string> {
  if (file === undefined || file === '-') return prompt.askHidden(file === '-' ? '' : 'Passphrase of the keys: ');
  // Whoever types the passphrase in the file's place has shown it to this computer already; errors
  // and logs do not repeat it.
  const bytes = await readPrivateFile(file, { missing: 'BF-USAGE-FILE', shownAs: 'the passphrase file' });
  return fromUtf8(bytes, 'BF-USAGE-FILE', 'the passphrase file').replace(/\r?\n$/, '');
}

function requireSome(passphrase: string): string {
  if (passphrase.length === 0) {
    throw fail('BF-KEYS-PASSPHRASE', 'it is empty; --no-passphrase leaves it out on purpose');
  }
  return passphrase;
}
