// The record of a job: everything a later process of the vendor needs to go on with it, and nothing that would open a
// sealed session or show firmware (docs/protocol.md §11). Kept by controller/store/file-job-store.ts.
import { z } from 'zod';
import { imageHash, type Image } from '../image/image.ts';
import { equalBytes, fromHex, toHex } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import type { PublicInvite } from '../../shared/tunnel/invite.ts';
import { exchangePublic } from '../../shared/crypto/keys.ts';
import { decodePlan, encodePlan, type Plan } from '../../shared/plan/plan.ts';
import { BOARD, type Board } from '../../shared/tunnel/bodies.ts';

/** How the controller gets to its room, and what it knows of the invite. Secret, except for the parts in PublicInvite. */
export interface RoomRecord {
  readonly relayUrl: string;
  /** Seconds since 1970, of the invite and both tickets. */
  readonly expires: number;
  /** X25519 secret of the tunnel, fresh for this invite, 32 bytes. */
  readonly tunnelSecret: Uint8Array;
  readonly tunnelPublic: Uint8Array;
  readonly agentTicket: Uint8Array;
  readonly controllerTicket: Uint8Array;
  /** Ed25519 seed that presents the controller's ticket, 32 bytes. */
  readonly holderSeed: Uint8Array;
  /** The invite's one-time secret; gone once the first tunnel is confirmed. */
  readonly inviteSecret: Uint8Array | undefined;
  readonly resumeSecret: Uint8Array | undefined;
  /** The vendor has confirmed the code of a tunnel of this invite (or waived it). */
  readonly codeConfirmed: boolean;
}

export interface JobRecord {
  readonly room: RoomRecord;
  /** Canonical bytes. */
  readonly plan: Uint8Array;
  /** imageHash() of the image, 64 bytes; undefined for jobs without one. */
  readonly imageHash: Uint8Array | undefined;
  /** Milliseconds since 1970. */
  readonly created: number;
  /** UID of the first unit, 24 digits; another one stops the job. */
  readonly uid: string | undefined;
  /** Sectors whose digests the stub of that unit has confirmed. */
  readonly acknowledged: readonly number[];
  /** What is known of the board. */
  readonly board: Board;
  readonly finished: boolean;
}

/** The job's id as people see it: 32 digits. */
export function jobId(record: JobRecord): string {
  return toHex(planOf(record).job);
}

export function planOf(record: JobRecord): Plan {
  return decodePlan(record.plan);
}

/** The record of a job that nobody has begun. @param created milliseconds since 1970 */
export function newRecord(room: RoomRecord, plan: Plan, image: Image | undefined, created: number): JobRecord {
  return {
    room,
    plan: encodePlan(plan),
    imageHash: image === undefined ? undefined : imageHash(image),
    created,
    uid: undefined,
    acknowledged: [],
    board: 'untouched',
    finished: false,
  };
}

/** Makes a plan for a job id and a flash size (KiB; undefined: the chip's largest), as a command was told to. */
export type PlanMaker = (job: Uint8Array, flashKiB: number | undefined) => Plan;

/**
 * The job's plan for another flash size. @throws BF-USAGE when `make` would not have made the plan on record: a resumed job must not
 * lose its lock, or erase other sectors, because an option was left out.
 */
export function planAgain(record: JobRecord, make: PlanMaker, flashKiB: number): Plan {
  const { job, flashKiB: before } = planOf(record);
  if (!makesIt(record, () => make(job, before))) {
    throw fail(
      'BF-USAGE',
      `the chip has ${flashKiB} KiB of flash; to plan for it, repeat the options the job was begun with`,
    );
  }
  return make(job, flashKiB);
}

function makesIt({ plan }: JobRecord, make: () => Plan): boolean {
  try {
    return equalBytes(encodePlan(make()), plan);
  } catch {
    return false;
  }
}

/** What the customer's invite says to everybody. */
export function publicInviteOf(room: RoomRecord): PublicInvite {
  const { expires, relayUrl, agentTicket } = room;
  return { expires, relayUrl, ticket: agentTicket, tunnelPublic: exchangePublic('tunnel', room.tunnelPublic) };
}

// ── as JSON ───────────────────────────────────────────────────────────────────────────────────────────────────────

const bytes = (least: number, most = least) =>
  z
    .string()
    .regex(/^([0-9a-f]{2})*$/)
    .refine((text) => text.length >= 2 * least && text.length <= 2 * most)
    .transform((text) => fromHex(text));
const optionalBytes = (length: number) => z.union([z.null().transform(() => undefined), bytes(length)]);

const RoomSchema = z.strictObject({
  relayUrl: z.string().min(1).max(512),
  expires: z.int().min(0),
  tunnelSecret: bytes(32),
  tunnelPublic: bytes(32),
  agentTicket: bytes(1, 512),
  controllerTicket: bytes(1, 512),
  holderSeed: bytes(32),
  inviteSecret: optionalBytes(32),
  resumeSecret: optionalBytes(32),
  codeConfirmed: z.boolean(),
});

const JobSchema = z.strictObject({
  version: z.literal('blindflash job 1'),
  created: z.int().min(0),
  plan: bytes(48, 1536),
  imageHash: optionalBytes(64),
  uid: z.union([z.null().transform(() => undefined), z.string().regex(/^[0-9a-f]{24}$/)]),
  acknowledged: z.array(z.int().min(0).max(31)).max(32),
  board: z.enum(Object.keys(BOARD) as [Board, ...Board[]]),
  finished: z.boolean(),
  room: RoomSchema,
});

const RoomFileSchema = z.strictObject({ version: z.literal('blindflash room 1'), room: RoomSchema });

/** The file form. */
export function formatJob(record: JobRecord): string {
  return toJson({ version: 'blindflash job 1', ...record });
}

/** Reads the file form. Throws BF-JOB-STATE for anything else. */
export function parseJob(text: string): JobRecord {
  const { created, plan, imageHash, uid, acknowledged, board, finished, room } = parse(JobSchema, text);
  requirePlan(plan);
  return { created, plan, imageHash, uid, acknowledged, board, finished, room };
}

function requirePlan(plan: Uint8Array): void {
  try {
    decodePlan(plan);
  } catch (error) {
    throw fail('BF-JOB-STATE', 'plan', error);
  }
}

/** An invite's room before it belongs to a job. */
export function formatRoom(room: RoomRecord): string {
  return toJson({ version: 'blindflash room 1', room });
}

/** Throws BF-JOB-STATE. */
export function parseRoom(text: string): RoomRecord {
  return parse(RoomFileSchema, text).room;
}

function toJson(value: unknown): string {
  const plain = (_: string, part: unknown) => (part instanceof Uint8Array ? toHex(part) : part);
  return `${JSON.stringify(withNulls(value), plain, 1)}\n`;
}

/** What is not there is written as null, so that a missing field is an altered file. */
function withNulls(value: unknown): unknown {
  if (value === undefined) return null;
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, withNulls(part)]));
}

function parse<T>(schema: z.ZodType<T>, text: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw fail('BF-JOB-STATE', 'the file is not JSON');
  }
  const checked = schema.safeParse(value);
  if (!checked.success) throw fail('BF-JOB-STATE', checked.error.issues[0]?.path.join('.'));
  return checked.data;
}
