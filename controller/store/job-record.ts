// The record of a job: everything a later process of the vendor needs to go on with it, and nothing that would open a
// sealed session or show firmware (docs/protocol.md §4, §8, §11). Its form on disk: job-form.ts.
import { imageHash, type Image } from '../image/image.ts';
import { toHex } from '../../shared/codec/bytes.ts';
import { publicInviteHash, type PublicInvite } from '../../shared/tunnel/invite.ts';
import { exchangePublic } from '../../shared/crypto/keys.ts';
import { decodePlan, encodePlan, type Plan } from '../../shared/plan/plan.ts';
import type { BoardState } from '../../shared/tunnel/bodies.ts';
import type { InviteState } from '../../shared/tunnel/invite-state.ts';

/**
 * The vendor's half of an invite: how the controller gets to the room it leads to, and what it knows of the invite.
 * Secret, except for the parts in PublicInvite.
 */
export interface RoomRecord {
  readonly relayUrl: string;
  /** Seconds since 1970, of the invite and both tickets. */
  readonly expires: number;
  /** X25519 secret of the tunnel, fresh for this invite, 32 bytes. */
  readonly tunnelSecret: Uint8Array;
  readonly tunnelPublic: Uint8Array;
  /** V, whose jobs and receipts the invite leads to; 32 bytes. */
  readonly vendor: Uint8Array;
  readonly agentTicket: Uint8Array;
  readonly controllerTicket: Uint8Array;
  /** Ed25519 seed that presents the controller's ticket, 32 bytes. */
  readonly holderSeed: Uint8Array;
  /** The way back, and the counts that bound guessing. */
  readonly invite: InviteState;
}

/**
 * How the vendor makes sure of the customer's computer: a code for every new key of the chip, one for the job, none
 * (docs/protocol.md §8, §13).
 */
export const CODE_POLICIES = ['each', 'once', 'waived'] as const;
export type CodePolicy = (typeof CODE_POLICIES)[number];
/** What became of it, as the receipt says it. */
export const CODE_STATES = ['typed', 'waived'] as const;
export type CodeState = (typeof CODE_STATES)[number];

/** Approved keys kept for one job; the oldest go first. */
export const MOST_APPROVED_KEYS = 64;

/** A key of the chip that was approved and confirmed (docs/protocol.md §8, "D"). */
export interface ApprovedKey {
  /** D, 32 bytes. */
  readonly key: Uint8Array;
  /** 24 digits. */
  readonly uid: string;
  /** Questions about flash (§8, "Questions") that the stub with this key certainly still answers. */
  readonly questionsLeft: number;
}

/**
 * What is known of the board's flash from what the chip authenticated and from what was sent to it; never
 * from what an agent says.
 */
export const CHIP_PROVED = {
  untouched: 'nothing was sent to the chip that changes its flash',
  incomplete: 'flash was being changed, and the chip has not proved what is in it now',
  erased: 'the chip has proved that the sectors agreed to are erased',
  written: 'the chip has proved that the complete image is in flash',
} as const satisfies Partial<Record<BoardState, string>>;
export type ChipProved = keyof typeof CHIP_PROVED;

export interface JobRecord {
  readonly room: RoomRecord;
  /** Canonical bytes. */
  readonly plan: Uint8Array;
  /** imageHash() of the image, 64 bytes; undefined for jobs without one. */
  readonly imageHash: Uint8Array | undefined;
  /** Milliseconds since 1970. */
  readonly created: number;
  /** UID of the first unit that proved itself or was sent what changes flash, 24 digits; another one stops the job. */
  readonly uid: string | undefined;
  /** Sectors whose digests the stub of that unit has confirmed. */
  readonly acknowledged: readonly number[];
  readonly codePolicy: CodePolicy;
  /** How the latest tunnel that had to be asked for was approved under this invite; undefined before. */
  readonly code: CodeState | undefined;
  /** Approved keys of the chip, which need no code any more under this invite. */
  readonly devices: readonly ApprovedKey[];
  /** Sealed sessions in which frames of the image left, behind a loader; otherwise 0. */
  readonly imageSessions: number;
  readonly chipProved: ChipProved;
  /** How the agent said it left the board: its own word. */
  readonly agentSays: BoardState | undefined;
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
export function newRecord(
  room: RoomRecord,
  plan: Plan,
  image: Image | undefined,
  created: number,
  codePolicy: CodePolicy,
): JobRecord {
  return {
    room,
    plan: encodePlan(plan),
    imageHash: image === undefined ? undefined : imageHash(image),
    created,
    uid: undefined,
    acknowledged: [],
    codePolicy,
    code: undefined,
    devices: [],
    imageSessions: 0,
    chipProved: 'untouched',
    agentSays: undefined,
    finished: false,
  };
}

/** What the customer's invite says to everybody. */
export function publicInviteOf(room: RoomRecord): PublicInvite {
  const { expires, relayUrl, vendor, agentTicket } = room;
  return { expires, relayUrl, vendor, ticket: agentTicket, tunnelPublic: exchangePublic('tunnel', room.tunnelPublic) };
}

/** SHA-512 of the public invite; 64 bytes. */
export function inviteHashOf(room: RoomRecord): Uint8Array {
  return publicInviteHash(publicInviteOf(room));
}
