// The record of a job and the vendor's half of an invite as one JSON object each: strict, every field there. The ledger
// keeps them sealed (sealed-text.ts).
import { z } from 'zod';
import {
  CHIP_PROVED,
  CODE_POLICIES,
  CODE_STATES,
  MOST_APPROVED_KEYS,
  type ChipProved,
  type JobRecord,
  type RoomRecord,
} from './job-record.ts';
import { fromHex, toHex } from '../../shared/codec/bytes.ts';
import { parseJson } from '../../shared/codec/json.ts';
import { psk } from '../../shared/crypto/keys.ts';
import { fail } from '../../shared/errors/errors.ts';
import { decodePlan, PLAN_HEADER_BYTES, PLAN_LIMITS } from '../../shared/plan/plan.ts';
import { BOARD_STATES, type BoardState } from '../../shared/tunnel/bodies.ts';
import { INVITE_STATE_LIMITS, SPENT_REASONS } from '../../shared/tunnel/invite-state.ts';

const bytes = (least: number, most = least) =>
  z
    .string()
    .regex(/^([0-9a-f]{2})*$/)
    .refine((text) => text.length >= 2 * least && text.length <= 2 * most)
    .transform((text) => fromHex(text));

const count = z.int().min(0).max(0xffffffff);
const optional = <T extends z.ZodType>(schema: T) => z.union([z.null().transform(() => undefined), schema]);

const InviteSchema = z.strictObject({
  secret: optional(bytes(32).transform((secret) => psk(secret))),
  tunnels: count,
  replaced: z
    .array(z.strictObject({ id: bytes(8), tagKey: bytes(32), tunnel: count, armed: z.boolean() }))
    .max(INVITE_STATE_LIMITS.remembered + 1),
  answers: count,
  wrongCodes: count,
  seen: z.array(bytes(16)).max(INVITE_STATE_LIMITS.remembered),
  spent: optional(z.enum(SPENT_REASONS)),
});

const RoomSchema = z.strictObject({
  relayUrl: z.string().min(1).max(512),
  expires: z.int().min(0),
  tunnelSecret: bytes(32),
  tunnelPublic: bytes(32),
  vendor: bytes(32),
  agentTicket: bytes(1, 512),
  controllerTicket: bytes(1, 512),
  holderSeed: bytes(32),
  invite: InviteSchema,
});

const JobSchema = z.strictObject({
  version: z.literal('blindflash job 2'),
  created: z.int().min(0),
  plan: bytes(PLAN_HEADER_BYTES, PLAN_LIMITS.bytes),
  imageHash: optional(bytes(64)),
  uid: optional(z.string().regex(/^[0-9a-f]{24}$/)),
  acknowledged: z.array(z.int().min(0).max(31)).max(32),
  codePolicy: z.enum(CODE_POLICIES),
  code: optional(z.enum(CODE_STATES)),
  devices: z
    .array(z.strictObject({ key: bytes(32), uid: z.string().regex(/^[0-9a-f]{24}$/), questionsLeft: count }))
    .max(MOST_APPROVED_KEYS),
  /** Records made before there were devices have none. */
  imageSessions: count.default(0),
  chipProved: z.enum(Object.keys(CHIP_PROVED) as [ChipProved, ...ChipProved[]]),
  agentSays: optional(z.enum(Object.keys(BOARD_STATES) as [BoardState, ...BoardState[]])),
  finished: z.boolean(),
  room: RoomSchema,
});

const StoredRoomSchema = z.strictObject({ version: z.literal('blindflash room 2'), room: RoomSchema });

/** A record as text. */
export function formatJob(record: JobRecord): string {
  return toJson({ version: 'blindflash job 2', ...record });
}

/** Reads what formatJob wrote. Throws BF-JOB-STATE for anything else. */
export function parseJob(text: string): JobRecord {
  const { room, plan, imageHash, created, uid, acknowledged, codePolicy, code, ...rest } = parse(JobSchema, text);
  const { devices, imageSessions, chipProved, agentSays, finished } = rest;
  requirePlan(plan);
  return {
    room,
    plan,
    imageHash,
    created,
    uid,
    acknowledged,
    codePolicy,
    code,
    devices,
    imageSessions,
    chipProved,
    agentSays,
    finished,
  };
}

function requirePlan(plan: Uint8Array): void {
  try {
    decodePlan(plan);
  } catch (error) {
    throw fail('BF-JOB-STATE', 'plan', error);
  }
}

/** The vendor's half of an invite, before it belongs to a job, as text. */
export function formatRoom(room: RoomRecord): string {
  return toJson({ version: 'blindflash room 2', room });
}

/** Reads what formatRoom wrote. Throws BF-JOB-STATE for anything else. */
export function parseRoom(text: string): RoomRecord {
  return parse(StoredRoomSchema, text).room;
}

function toJson(value: unknown): string {
  const plain = (_: string, part: unknown) => (part instanceof Uint8Array ? toHex(part) : part);
  return `${JSON.stringify(withNulls(value), plain, 1)}\n`;
}

/** What is not there is written as null, so that a missing field is an alteration. */
function withNulls(value: unknown): unknown {
  if (value === undefined) return null;
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, withNulls(part)]));
}

function parse<T>(schema: z.ZodType<T>, text: string): T {
  const checked = schema.safeParse(parseJson(text, 'BF-JOB-STATE', 'the file'));
  if (!checked.success) throw fail('BF-JOB-STATE', checked.error.issues[0]?.path.join('.'));
  return checked.data;
}
