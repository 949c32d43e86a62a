// The controller's half of the sealed handshake: M1 from the chip, M2, M3, in each of its suites (docs/protocol.md §4,
// "Sealed session"). The chip's half is in firmware/common.
import nacl from 'tweetnacl';
import { assertBytes, concat, copyOf, equalBytes, isZero, Reader, wipe } from '../codec/bytes.ts';
import type { ExchangeKeyPair } from '../crypto/keys.ts';
import type { BoxSession } from '../crypto/session.ts';
import {
  agree,
  EPHEMERAL_BYTES,
  isCanonical,
  KeySchedule,
  NONCE_BYTES,
  refusal,
  transcriptOf,
  type HandshakeResult,
} from '../crypto/schedule.ts';
import type { Random } from '../ports.ts';
import type { ChipKeys } from './payloads.ts';
import { CHIP_KEY_OFFSETS, SEALED_BYTES, type SealedSuite } from './protocol.ts';

const NO_PSK = new Uint8Array(32);
const KEY_BYTES = 32;

/**
 * Hash of the program on the chip, hash of the plan, 64 bytes each; where the suite knows the device, its D_s as the
 * registry has it, 32 bytes.
 */
export type SealedContexts = readonly [programHash: Uint8Array, planHash: Uint8Array, device?: Uint8Array];

export interface SealedResponderOptions {
  readonly suite: SealedSuite;
  readonly staticKey: ExchangeKeyPair<'sealed'>;
  readonly contexts: SealedContexts;
  readonly payload2: Uint8Array;
  readonly random: Random;
  /** As long as the suite says. */
  readonly m1: Uint8Array;
}

/**
 * How far an end of the handshake is; `dead` after the last allowed failure or wipe(). Only the chip, the initiator,
 * waits for M2.
 */
export type HandshakeState = 'waiting for M2' | 'waiting for M3' | 'confirmed' | 'dead';

export interface SealedResponder {
  /** e_r 32 ‖ nonce_r 32 ‖ payload2 32 ‖ confirm_r 32. */
  readonly m2: Uint8Array;
  readonly state: HandshakeState;
  /** Not authenticated before receiveM3 has returned. */
  readonly chipKeys: ChipKeys;
  /**
   * The session of the result. Nobody but the chip of this M1 opens its boxes; that the chip is there at all is not
   * known before receiveM3 has returned.
   */
  readonly session: BoxSession;
  /** Checks confirm_i. @throws BF-STUB-AUTHENTICATION */
  receiveM3(m3: Uint8Array): HandshakeResult;
  wipe(): void;
}

/**
 * The chip's keys in an M1. @throws BF-STUB-AUTHENTICATION when M1 has another length, or one of them is not canonical,
 * zero, e_i, S_r or the other
 */
export function chipKeysOf(suite: SealedSuite, m1: Uint8Array, responderPublic: Uint8Array): ChipKeys {
  const { ephemeral, keys } = splitM1(suite, m1);
  const taken = [ephemeral, responderPublic];
  for (const key of keys) {
    if (taken.some((other) => equalBytes(other, key)) || isZero(key) || !isCanonical(key)) {
      throw refusal(suite, 'the key of the chip is none it could have made');
    }
    taken.push(key);
  }
  const [deviceKey, fileKey] = keys as [Uint8Array, Uint8Array?];
  return { deviceKey, ...(fileKey && { fileKey }) };
}

/** Answers an M1: draws the ephemeral and the nonce (in this order, 32 bytes each), derives all keys and makes M2. */
export function respondSealed(options: SealedResponderOptions): SealedResponder {
  const { suite, staticKey, contexts, random, m1 } = options;
  assertBytes(options.payload2, 'payload2', SEALED_BYTES.payload2);
  const chipKeys = chipKeysOf(suite, m1, staticKey.publicKey);
  requireKnown(suite, contexts, chipKeys.deviceKey);
  const { ephemeral } = splitM1(suite, m1);
  requireCanonical(suite, ephemeral);
  const secret = copyOf(random.bytes(EPHEMERAL_BYTES));
  const unconfirmed = concat(nacl.scalarMult.base(secret), random.bytes(NONCE_BYTES), options.payload2);
  let schedule: KeySchedule;
  let confirmR: Uint8Array;
  try {
    const transcript = transcriptOf(suite, contextsOf(staticKey.publicKey, contexts), m1, unconfirmed);
    schedule = new KeySchedule(suite, transcript, [
      agree(suite, secret, ephemeral),
      agree(suite, staticKey.secretKey, ephemeral),
      NO_PSK,
    ]);
    confirmR = schedule.confirmR();
    const mixed = [chipKeys.deviceKey, chipKeys.fileKey].filter((key) => key !== undefined);
    schedule.mixChipKeys(suite.mix, ...mixed.map((key) => agree(suite, secret, key)));
  } finally {
    wipe(secret);
  }
  const result = schedule.result('r');
  let state: HandshakeState = 'waiting for M3';
  const end = (next: HandshakeState): void => {
    state = next;
    schedule.wipe();
    if (next === 'dead') result.session.wipe();
  };
  return {
    m2: concat(unconfirmed, confirmR),
    chipKeys,
    session: result.session,
    get state() {
      return state;
    },
    receiveM3(m3) {
      if (state !== 'waiting for M3') throw refusal(suite, `a confirmation while ${state}`);
      if (!equalBytes(schedule.confirmI(), m3)) {
        end('dead');
        throw refusal(suite, 'the confirmation is wrong');
      }
      end('confirmed');
      return result;
    },
    wipe: () => end(state === 'confirmed' ? 'confirmed' : 'dead'),
  };
}

/** Contexts of the transcript. */
export function contextsOf(responderPublic: Uint8Array, contexts: SealedContexts): readonly Uint8Array[] {
  return [responderPublic, ...contexts.filter((context) => context !== undefined)];
}

/** A suite that knows its device has its key as a context, and M1 shows that key; the others have none. */
function requireKnown(suite: SealedSuite, [, , device]: SealedContexts, shown: Uint8Array): void {
  if (suite.knowsDevice) assertBytes(device, 'the key of the device', KEY_BYTES);
  if (device === undefined) return;
  if (!suite.knowsDevice || !equalBytes(device, shown)) {
    throw refusal(suite, 'the key of the chip is not the one on record');
  }
}

/** Where the chip's key is for life, ephemerals are taken in canonical form only. */
export function requireCanonical(suite: SealedSuite, ephemeral: Uint8Array): void {
  if (suite.keyKind === 'device' && !isCanonical(ephemeral)) throw refusal(suite, 'the ephemeral key is not canonical');
}

function splitM1(suite: SealedSuite, m1: Uint8Array): { ephemeral: Uint8Array; keys: readonly Uint8Array[] } {
  const reader = new Reader(m1, suite.codes.handshake, 'M1');
  const ephemeral = reader.bytes(EPHEMERAL_BYTES);
  reader.bytes(NONCE_BYTES + CHIP_KEY_OFFSETS.sessions);
  const keys = [reader.bytes(KEY_BYTES)];
  if (suite.bringsFileKey) keys.push(reader.bytes(KEY_BYTES));
  reader.end();
  return { ephemeral, keys };
}
