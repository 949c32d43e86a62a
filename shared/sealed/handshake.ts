// The controller's half of the sealed handshake: M1 from the chip, M2, M3 (docs/protocol.md §4, "Sealed session"). The
// chip's half is in firmware/common/sealed.c.
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
  type HandshakeState,
} from '../crypto/schedule.ts';
import type { Random } from '../ports.ts';
import { DEVICE_KEY_OFFSET, SEALED_BYTES, SEALED_PROTOCOL } from './protocol.ts';

const NO_PSK = new Uint8Array(32);

/** stub hash and plan hash, 64 bytes each. */
export type SealedContexts = readonly [stubHash: Uint8Array, planHash: Uint8Array];

export interface SealedResponderOptions {
  readonly staticKey: ExchangeKeyPair<'sealed'>;
  readonly contexts: SealedContexts;
  readonly payload2: Uint8Array;
  readonly random: Random;
  /** 136 bytes. */
  readonly m1: Uint8Array;
}

export interface SealedResponder {
  /** e_r 32 ‖ nonce_r 32 ‖ payload2 32 ‖ confirm_r 32. */
  readonly m2: Uint8Array;
  readonly state: HandshakeState;
  /** D, the chip's public key, 32 bytes: not authenticated before receiveM3 has returned. */
  readonly deviceKey: Uint8Array;
  /**
   * The session of the result. Nobody but the chip of this M1 opens its boxes; that the chip is there at all is not
   * known before receiveM3 has returned.
   */
  readonly session: BoxSession;
  /** Checks confirm_i. @throws BF-STUB-AUTHENTICATION */
  receiveM3(m3: Uint8Array): HandshakeResult;
  wipe(): void;
}

/** D of an M1. @throws BF-STUB-AUTHENTICATION when M1 has another length, or D is not canonical, zero, e_i or S_r */
export function deviceKeyOf(m1: Uint8Array, responderPublic: Uint8Array): Uint8Array {
  const { ephemeral, deviceKey } = splitM1(m1);
  const known = equalBytes(deviceKey, ephemeral) || equalBytes(deviceKey, responderPublic);
  if (known || isZero(deviceKey) || !isCanonical(deviceKey)) {
    throw refusal(SEALED_PROTOCOL, 'the key of the chip is none it could have made');
  }
  return deviceKey;
}

/** Answers an M1: draws the ephemeral and the nonce (in this order, 32 bytes each), derives all keys and makes M2. */
export function respondSealed(options: SealedResponderOptions): SealedResponder {
  const { staticKey, random, m1 } = options;
  assertBytes(options.payload2, 'payload2', SEALED_BYTES.payload2);
  const deviceKey = deviceKeyOf(m1, staticKey.publicKey);
  const { ephemeral } = splitM1(m1);
  const secret = copyOf(random.bytes(EPHEMERAL_BYTES));
  const unconfirmed = concat(nacl.scalarMult.base(secret), random.bytes(NONCE_BYTES), options.payload2);
  let schedule: KeySchedule;
  let confirmR: Uint8Array;
  try {
    const contexts = [staticKey.publicKey, ...options.contexts];
    schedule = new KeySchedule(SEALED_PROTOCOL, transcriptOf(SEALED_PROTOCOL, contexts, m1, unconfirmed), [
      agree(SEALED_PROTOCOL, secret, ephemeral),
      agree(SEALED_PROTOCOL, staticKey.secretKey, ephemeral),
      NO_PSK,
    ]);
    confirmR = schedule.confirmR();
    schedule.mixDevice(agree(SEALED_PROTOCOL, secret, deviceKey));
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
    deviceKey,
    session: result.session,
    get state() {
      return state;
    },
    receiveM3(m3) {
      if (state !== 'waiting for M3') throw refusal(SEALED_PROTOCOL, `a confirmation while ${state}`);
      if (!equalBytes(schedule.confirmI(), m3)) {
        end('dead');
        throw refusal(SEALED_PROTOCOL, 'the confirmation is wrong');
      }
      end('confirmed');
      return result;
    },
    wipe: () => end(state === 'confirmed' ? 'confirmed' : 'dead'),
  };
}

function splitM1(m1: Uint8Array): { ephemeral: Uint8Array; deviceKey: Uint8Array } {
  const reader = new Reader(m1, SEALED_PROTOCOL.codes.handshake, 'M1');
  const ephemeral = reader.bytes(EPHEMERAL_BYTES);
  reader.bytes(NONCE_BYTES + DEVICE_KEY_OFFSET);
  const deviceKey = reader.bytes(32);
  reader.end();
  return { ephemeral, deviceKey };
}
