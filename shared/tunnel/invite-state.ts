// What the controller has on record about an invite: the one secret that opens the next tunnel, what it needs to notice
// that two hold the way back, and the counts that bound guessing (docs/protocol.md §4, §13). Values and pure functions:
// whoever keeps a state writes it down before anything that rests on it leaves.
import { copyOf, equalBytes, wipe } from '../codec/bytes.ts';
import { sha512 } from '../crypto/hash.ts';
import type { Psk } from '../crypto/keys.ts';
import { secretId, tagKey } from './secrets.ts';

/** Fixed by the specification. */
export const INVITE_LIMITS = { answers: 32, wrongCodes: 3 } as const;
/** Replaced secrets, and T1 so that a replay of one is not taken for a second holder. */
export const INVITE_STATE_LIMITS = { remembered: 64 } as const;
const SEEN = INVITE_STATE_LIMITS.remembered;

export interface ReplacedSecret {
  /** 8 bytes. */
  readonly id: Uint8Array;
  /** 32 bytes; opens nothing. */
  readonly tagKey: Uint8Array;
  /** Number of the tunnel it was replaced in, 1.. */
  readonly tunnel: number;
  /** An agent of a later tunnel is known to have deleted it. */
  readonly armed: boolean;
}

/** Why an invite is spent. */
export const SPENT_REASONS = ['answers', 'codes', 'second holder', 'vendor'] as const;
export type SpentReason = (typeof SPENT_REASONS)[number];

export interface InviteState {
  /** R_k, 32 bytes; undefined once the invite is spent. */
  readonly secret: Psk | undefined;
  /** Tunnels confirmed so far. */
  readonly tunnels: number;
  readonly replaced: readonly ReplacedSecret[];
  /** Freshly made T2 since a code was typed right or a chip proved its D. */
  readonly answers: number;
  /** Wrong codes over all tunnels. */
  readonly wrongCodes: number;
  /** First 16 bytes of SHA-512 of the T1 that were answered. */
  readonly seen: readonly Uint8Array[];
  readonly spent: SpentReason | undefined;
}

/** The state of an invite nobody has used. */
export function newInviteState(secret: Psk): InviteState {
  return { secret, tunnels: 0, replaced: [], answers: 0, wrongCodes: 0, seen: [], spent: undefined };
}

/** A fresh T2 to this T1 is about to leave. */
export function withAnswer(state: InviteState, t1: Uint8Array): InviteState {
  return { ...state, answers: state.answers + 1, seen: [...state.seen, digestOf(t1)].slice(-SEEN) };
}

/** A right T3 came: `next` takes the place of the secret that opened the tunnel. */
export function withTunnel(state: InviteState, next: Psk): InviteState {
  const tunnels = state.tunnels + 1;
  const old = state.secret;
  const replaced = old === undefined ? state.replaced : [...state.replaced, replacedBy(old, tunnels)];
  return { ...state, secret: next, tunnels, replaced: replaced.slice(-SEEN) };
}

/** An agent's box in tunnel number `tunnel` acknowledged one of ours: secrets replaced in earlier tunnels are armed. */
export function withAcknowledged(state: InviteState, tunnel: number): InviteState {
  const mayArm = (old: ReplacedSecret): boolean => !old.armed && old.tunnel < tunnel;
  if (!state.replaced.some(mayArm)) return state;
  return { ...state, replaced: state.replaced.map((old) => (mayArm(old) ? { ...old, armed: true } : old)) };
}

/** The code was typed right, or a chip on record proved its D. */
export function withProof(state: InviteState): InviteState {
  return state.answers === 0 ? state : { ...state, answers: 0 };
}

/** A code of six characters was wrong. */
export function withWrongCode(state: InviteState): InviteState {
  const wrongCodes = state.wrongCodes + 1;
  return wrongCodes < INVITE_LIMITS.wrongCodes ? { ...state, wrongCodes } : spend({ ...state, wrongCodes }, 'codes');
}

/** The invite and all its secrets are of no use any more. */
export function spend(state: InviteState, why: SpentReason): InviteState {
  if (state.spent !== undefined) return state;
  const { secret, replaced } = state;
  const left = secret === undefined ? replaced : [...replaced, replacedBy(secret, state.tunnels + 1)];
  return { ...state, secret: undefined, replaced: left, spent: why };
}

/** True for a T1 that was answered before. */
export function wasSeen(state: InviteState, t1: Uint8Array): boolean {
  const digest = digestOf(t1);
  return state.seen.some((known) => equalBytes(known, digest));
}

/** Wipes what opens something. */
export function wipeInviteState(state: InviteState): void {
  wipe(state.secret);
}

function replacedBy(secret: Psk, tunnel: number): ReplacedSecret {
  return { id: secretId(secret), tagKey: tagKey(secret), tunnel, armed: false };
}

function digestOf(t1: Uint8Array): Uint8Array {
  return copyOf(sha512(t1), 0, 16);
}
