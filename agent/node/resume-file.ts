// Edge: the way back to an interrupted job, in a file only its owner can read; gone when the job is over (docs/protocol.md §4
// "Resume secret", §11). Written synchronously: the secret has to be on disk before the tunnel's T3 leaves.
import {
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { copyOf, fromBase64url, fromHex, toBase64url, toHex } from '../../shared/codec/bytes.ts';
import { exchangePublic, psk, type Psk } from '../../shared/crypto/keys.ts';
import { fail } from '../../shared/errors/errors.ts';
import { holderKey, publicInviteHash, type Invite, type PublicInvite } from '../../shared/tunnel/invite.ts';
import type { AgentMemory } from '../session/ports.ts';

const OWNER_ONLY = { file: 0o600, folder: 0o700, others: 0o077 } as const;
const NAME = /^[0-9a-f]{16}\.json$/;
const LARGEST_BYTES = 64 * 1024;

const hex = (bytes: number): z.ZodString => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
const FileSchema = z.strictObject({
  version: z.literal(1),
  expires: z.int().min(0),
  tunnelPublic: hex(32),
  relayUrl: z.string().max(512),
  ticket: z.string().max(1024),
  /** Ed25519 seed of the ticket's holder. */
  holderSeed: hex(32),
  resumeSecret: hex(32).optional(),
  consented: hex(64).optional(),
  stubLoaded: z.boolean(),
});
type FileContent = z.infer<typeof FileSchema>;

/** Where such files lie: `$BLINDFLASH_HOME/agent`, or `~/.blindflash/agent`. */
export function resumeFolder(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environment['BLINDFLASH_HOME'] ?? join(homedir(), '.blindflash'), 'agent');
}

/** An agent's memory on disk. Nothing is written before there is a resume secret to keep. */
export class ResumeFile implements AgentMemory {
  readonly path: string;
  #content: FileContent;

  private constructor(path: string, content: FileContent) {
    this.path = path;
    this.#content = content;
  }

  /** The memory of a fresh invite; one that is on disk already (the same invite, pasted again) is gone on with. */
  static forInvite(folder: string, invite: Invite): ResumeFile {
    const path = join(folder, `${toHex(publicInviteHash(invite)).slice(0, 16)}.json`);
    const known = readResumeFile(path);
    if (known !== undefined) return known;
    return new ResumeFile(path, {
      version: 1,
      expires: invite.expires,
      tunnelPublic: toHex(invite.tunnelPublic),
      relayUrl: invite.relayUrl,
      ticket: toBase64url(invite.ticket),
      holderSeed: toHex(copyOf(holderKey(invite.secret).secretKey, 0, 32)),
      stubLoaded: false,
    });
  }

  /** @internal */
  static of(path: string, content: FileContent): ResumeFile {
    return new ResumeFile(path, content);
  }

  get invite(): PublicInvite {
    const { expires, tunnelPublic, relayUrl, ticket } = this.#content;
    const key = exchangePublic('tunnel', fromHex(tunnelPublic));
    return { expires, tunnelPublic: key, relayUrl, ticket: fromBase64url(ticket, 'BF-JOB-STATE') };
  }

  /** 32 bytes. */
  get holderSeed(): Uint8Array {
    return fromHex(this.#content.holderSeed);
  }

  get resumeSecret(): Psk | undefined {
    const { resumeSecret } = this.#content;
    return resumeSecret === undefined ? undefined : psk(fromHex(resumeSecret));
  }

  get consented(): Uint8Array | undefined {
    const { consented } = this.#content;
    return consented === undefined ? undefined : fromHex(consented);
  }

  get stubLoaded(): boolean {
    return this.#content.stubLoaded;
  }

  saveSecret(secret: Psk): void {
    this.#save({ resumeSecret: toHex(secret) });
  }

  saveConsent(planHash: Uint8Array): void {
    this.#save({ consented: toHex(planHash) });
  }

  saveStubLoaded(loaded: boolean): void {
    if (loaded !== this.stubLoaded) this.#save({ stubLoaded: loaded });
  }

  forget(): void {
    rmSync(this.path, { force: true });
  }

  #save(change: Partial<FileContent>): void {
    this.#content = { ...this.#content, ...change };
    writeWhole(this.path, JSON.stringify(this.#content));
  }
}

/** Jobs that can be gone on with, newest first; files of expired invites are removed. @param nowSeconds since 1970 */
export function resumableJobs(folder: string, nowSeconds: number): ResumeFile[] {
  const files = listFolder(folder).map((name) => join(folder, name));
  const known = files.flatMap((path) => readResumeFile(path) ?? []);
  for (const file of known) if (file.invite.expires <= nowSeconds) file.forget();
  return known
    .filter((file) => file.invite.expires > nowSeconds && file.resumeSecret !== undefined)
    .sort((a, b) => statSync(b.path).mtimeMs - statSync(a.path).mtimeMs);
}

/** A stored memory, or undefined when there is none that is whole. @throws BF-KEYS-PERMISSIONS when others may read it */
export function readResumeFile(path: string): ResumeFile | undefined {
  const text = readOwned(path);
  if (text === undefined) return undefined;
  const content = FileSchema.safeParse(parseJson(text));
  return content.success ? ResumeFile.of(path, content.data) : undefined;
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => NAME.test(name));
  } catch {
    return [];
  }
}

function readOwned(path: string): string | undefined {
  try {
    const { mode, size } = statSync(path);
    if (process.platform !== 'win32' && (mode & OWNER_ONLY.others) !== 0) throw fail('BF-KEYS-PERMISSIONS', path);
    return size > LARGEST_BYTES ? undefined : readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** After a crash the file is either the old or the new one, and never anybody else's to read. */
function writeWhole(path: string, text: string): void {
  try {
    mkdirSync(join(path, '..'), { recursive: true, mode: OWNER_ONLY.folder });
    const draft = `${path}.new`;
    rmSync(draft, { force: true });
    const file = openSync(draft, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, OWNER_ONLY.file);
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, path);
  } catch (error) {
    throw fail('BF-USAGE-FILE', path, error);
  }
}
