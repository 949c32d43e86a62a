// Edge: the way back to an interrupted job, in a file only its owner can read; gone when the job is over
// (docs/protocol.md §4 "The way back", §11, §14). Written synchronously: secrets have to be on disk
// before the tunnel's T3 leaves.
import { rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { copyOf, fromBase64url, fromHex, toBase64url, toHex } from '../../shared/codec/bytes.ts';
import { parseJson } from '../../shared/codec/json.ts';
import { exchangePublic, psk, type Psk } from '../../shared/crypto/keys.ts';
import { fail, isBlindflashError } from '../../shared/errors/errors.ts';
import { holderKey, publicInviteHash, type Invite, type PublicInvite } from '../../shared/tunnel/invite.ts';
import type { OptionWords } from '../../shared/chips/index.ts';
import type { AgentMemory, Consent } from '../session/ports.ts';
import { KnownVendors } from './known-vendors.ts';
import { listOwned, readOwned, writeOwned, writtenAt } from './owned-file.ts';

const VERSION = 2;
const NAME = /^[0-9a-f]{16}\.json$/;
const LARGEST_BYTES = 64 * 1024;
const CODE = 'BF-JOB-STATE';

const hex = (bytes: number): z.ZodString => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
const u32 = z.int().min(0).max(0xffffffff);
const FileSchema = z.strictObject({
  version: z.literal(VERSION),
  expires: z.int().min(0),
  tunnelPublic: hex(32),
  /** V. */
  vendor: hex(32),
  relayUrl: z.string().max(512),
  ticket: z.string().max(1024),
  /** Ed25519 seed of the ticket's holder. */
  holderSeed: hex(32),
  /** The way back, newest first. */
  secrets: z.array(hex(32)).max(2),
  consent: z
    .strictObject({ hash: hex(64), plan: z.string().max(2048), receiptPublic: hex(32), uid: hex(12) })
    .optional(),
  /** Loads of a stub since that consent. */
  loads: z.int().min(0),
  stubLoaded: z.boolean(),
  /** nWRP bits that were set and are to be put back. */
  lifted: z.strictObject({ optcr: u32, optcr1: u32 }).optional(),
  /** A loader was planted; its enrolment follows. */
  planted: z.literal(true).optional(),
});
type FileContent = z.infer<typeof FileSchema>;

/** Where such files lie: `$BLINDFLASH_HOME/agent`, or `~/.blindflash/agent`. */
export function resumeFolder(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environment['BLINDFLASH_HOME'] ?? join(homedir(), '.blindflash'), 'agent');
}

/** An agent's memory on disk. Nothing is written before there is a way back to keep. */
export class ResumeFile implements AgentMemory {
  readonly path: string;
  #content: FileContent;

  private constructor(path: string, content: FileContent) {
    this.path = path;
    this.#content = content;
  }

  /**
   * The memory of a fresh invite; one that is on disk already (the same invite, pasted again) is gone on with.
   * @throws BF-KEYS-PERMISSIONS
   */
  static forInvite(folder: string, invite: Invite): ResumeFile {
    const path = join(folder, `${toHex(publicInviteHash(invite)).slice(0, 16)}.json`);
    const known = readResumeFile(path);
    if (known !== undefined) return known;
    return new ResumeFile(path, {
      version: VERSION,
      expires: invite.expires,
      tunnelPublic: toHex(invite.tunnelPublic),
      vendor: toHex(invite.vendor),
      relayUrl: invite.relayUrl,
      ticket: toBase64url(invite.ticket),
      holderSeed: toHex(copyOf(holderKey(invite.secret).secretKey, 0, 32)),
      secrets: [],
      loads: 0,
      stubLoaded: false,
    });
  }

  /** @internal */
  static of(path: string, content: FileContent): ResumeFile {
    return new ResumeFile(path, content);
  }

  get invite(): PublicInvite {
    const { expires, tunnelPublic, vendor, relayUrl, ticket } = this.#content;
    const key = exchangePublic('tunnel', fromHex(tunnelPublic));
    return { expires, tunnelPublic: key, vendor: fromHex(vendor), relayUrl, ticket: fromBase64url(ticket, CODE) };
  }

  /** 32 bytes. */
  get holderSeed(): Uint8Array {
    return fromHex(this.#content.holderSeed);
  }

  get secrets(): readonly Psk[] {
    return this.#content.secrets.map((secret) => psk(fromHex(secret)));
  }

  get consent(): Consent | undefined {
    const { consent } = this.#content;
    if (consent === undefined) return undefined;
    const { hash, plan, receiptPublic, uid } = consent;
    return {
      hash: fromHex(hash),
      plan: fromBase64url(plan, CODE),
      receiptPublic: fromHex(receiptPublic),
      uid: fromHex(uid),
    };
  }

  get loads(): number {
    return this.#content.loads;
  }

  get stubLoaded(): boolean {
    return this.#content.stubLoaded;
  }

  get lifted(): OptionWords | undefined {
    return this.#content.lifted;
  }

  get planted(): boolean {
    return this.#content.planted === true;
  }

  get vendorKnown(): boolean {
    return this.#vendors().has(this.#content.vendor);
  }

  keepSecrets(secrets: readonly Psk[]): void {
    this.#save({ secrets: secrets.map(toHex) });
  }

  keepConsent({ hash, plan, receiptPublic, uid }: Consent): void {
    const consent = {
      hash: toHex(hash),
      plan: toBase64url(plan),
      receiptPublic: toHex(receiptPublic),
      uid: toHex(uid),
    };
    this.#save({ consent, loads: 0 });
    this.#vendors().add(this.#content.vendor);
  }

  countLoad(): void {
    this.#save({ loads: this.loads + 1, stubLoaded: true });
  }

  noteStubGone(): void {
    if (this.stubLoaded) this.#save({ stubLoaded: false });
  }

  noteLifted(bits: OptionWords | undefined): void {
    this.#save({ lifted: bits });
  }

  notePlanted(): void {
    if (!this.planted) this.#save({ planted: true });
  }

  forget(): void {
    rmSync(this.path, { force: true });
  }

  #vendors(): KnownVendors {
    return new KnownVendors(dirname(this.path));
  }

  #save(change: Partial<FileContent>): void {
    this.#content = { ...this.#content, ...change };
    writeOwned(this.path, JSON.stringify(this.#content));
  }
}

export interface ResumableJobs {
  /** Newest first. */
  readonly jobs: readonly ResumeFile[];
  /** Files of another version, which cannot be gone on with: why, one each. */
  readonly foreign: readonly string[];
}

/**
 * Jobs that can be gone on with; files of expired invites are removed.
 * @param nowMs since 1970
 * @throws BF-KEYS-PERMISSIONS
 */
export function resumableJobs(folder: string, nowMs: number): ResumableJobs {
  const paths = listOwned(folder, nowMs)
    .filter((name) => NAME.test(name))
    .map((name) => join(folder, name));
  const foreign: string[] = [];
  const known = paths.flatMap((path) => {
    try {
      return readResumeFile(path) ?? [];
    } catch (error) {
      if (!isBlindflashError(error, 'BF-VERSION-FILE')) throw error;
      foreign.push(path);
      return [];
    }
  });
  const isOver = (file: ResumeFile): boolean => file.invite.expires * 1000 <= nowMs;
  for (const file of known) if (isOver(file)) file.forget();
  const jobs = known
    .filter((file) => !isOver(file) && file.secrets.length > 0)
    .sort((a, b) => writtenAt(b.path) - writtenAt(a.path));
  return { jobs, foreign };
}

/**
 * A stored memory, or undefined when there is none that is whole.
 * @throws BF-KEYS-PERMISSIONS when somebody else could have written or may read it, BF-VERSION-FILE
 * for one of another version
 */
export function readResumeFile(path: string): ResumeFile | undefined {
  const text = readOwned(path, LARGEST_BYTES);
  if (text === undefined) return undefined;
  const value = tryJson(text);
  const version = z.looseObject({ version: z.int() }).safeParse(value).data?.version;
  if (version !== undefined && version !== VERSION) {
    throw fail('BF-VERSION-FILE', `${path} is of version ${version}, this is version ${VERSION}`);
  }
  const content = FileSchema.safeParse(value);
  return content.success ? ResumeFile.of(path, content.data) : undefined;
}

/** The same job as it is on disk now, if it can still be gone on with: another process may have gone on. */
export function asItIsNow({ path }: ResumeFile): ResumeFile | undefined {
  const now = readResumeFile(path);
  return now !== undefined && now.secrets.length > 0 ? now : undefined;
}

function tryJson(text: string): unknown {
  try {
    return parseJson(text, CODE, 'the file');
  } catch {
    return undefined;
  }
}
