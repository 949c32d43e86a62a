// The handshake of the sealed session: M1 from the chip, M2, M3 (docs/protocol.md §4, "Sealed session"). The
// controller's half is what the product runs; the chip's half stands in firmware/ and, for tests and vectors, here.
import nacl from 'tweetnacl';
import { assertBytes, concat, copyOf, equalBytes, isZero, Reader, wipe } from '../codec/bytes.ts';
import type { ExchangeKeyPair, ExchangePublic } from '../crypto/keys.ts';
import {
  agree,
  CONFIRM_BYTES,
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
  let state: HandshakeState = 'waiting for M3';
  const end = (next: HandshakeState): void => {
    state = next;
    schedule.wipe();
  };
  return {
    m2: concat(unconfirmed, confirmR),
    deviceKey,
    get state() {
      return state;
    },
    receiveM3(m3) {
      if (state !== 'waiting for M3') throw refusal(SEALED_PROTOCOL, `a confirmation while ${state}`);
      if (!equalBytes(schedule.confirmI(), m3)) {
        end('dead');
        throw refusal(SEALED_PROTOCOL, 'the confirmation is wrong');
      }
      const result = schedule.result('r');
      end('confirmed');
      return result;
    },
    wipe: () => end(state === 'confirmed' ? 'confirmed' : 'dead'),
  };
}

export interface SealedInitiatorOptions {
  readonly responderPublic: ExchangePublic<'sealed'>;
  readonly contexts: SealedContexts;
  /** d, 32 bytes: the secret half of the chip's key pair. */
  readonly deviceSecret: Uint8Array;
  /** The 40 bytes of payload1 before D. */
  readonly facts: Uint8Array;
  readonly random: Random;
}

export interface SealedInitiator {
  /** e_i 32 ‖ nonce_i 32 ‖ payload1 72. */
  readonly m1: Uint8Array;
  readonly state: HandshakeState;
  /** Checks confirm_r; returns M3, the result and payload2. @throws BF-STUB-AUTHENTICATION */
  receiveM2(m2: Uint8Array): { m3: Uint8Array; result: HandshakeResult; payload2: Uint8Array };
}

/** The chip's half: draws the ephemeral and the nonce (in this order, 32 bytes each) and makes M1. */
export function startSealedInitiator(options: SealedInitiatorOptions): SealedInitiator {
  const { responderPublic, contexts, random } = options;
  assertBytes(options.facts, 'facts', DEVICE_KEY_OFFSET);
  const [secret, deviceSecret] = [copyOf(random.bytes(EPHEMERAL_BYTES)), copyOf(options.deviceSecret)];
  const m1 = concat(
    nacl.scalarMult.base(secret),
    random.bytes(NONCE_BYTES),
    options.facts,
    nacl.scalarMult.base(deviceSecret),
  );
  let state: HandshakeState = 'waiting for M2';
  const end = (next: HandshakeState): void => {
    state = next;
    wipe(secret, deviceSecret);
  };
  const attempt = (m2: Uint8Array) => {
    const opened = splitM2(m2);
    const transcript = transcriptOf(SEALED_PROTOCOL, [responderPublic, ...contexts], m1, opened.unconfirmed);
    const schedule = new KeySchedule(SEALED_PROTOCOL, transcript, [
      agree(SEALED_PROTOCOL, secret, opened.ephemeral),
      agree(SEALED_PROTOCOL, secret, responderPublic),
      NO_PSK,
    ]);
    if (!equalBytes(schedule.confirmR(), opened.confirm)) {
      throw refusal(SEALED_PROTOCOL, 'the answer does not fit the key it was asked from');
    }
    schedule.mixDevice(agree(SEALED_PROTOCOL, deviceSecret, opened.ephemeral));
    const done = { m3: schedule.confirmI(), result: schedule.result('i'), payload2: opened.payload };
    schedule.wipe();
    return done;
  };
  return {
    m1: copyOf(m1),
    get state() {
      return state;
    },
    receiveM2(m2) {
      if (state !== 'waiting for M2') throw refusal(SEALED_PROTOCOL, `an answer while ${state}`);
      try {
        const done = attempt(m2);
        end('confirmed');
        return done;
      } catch (error) {
        end('dead');
        throw error;
      }
    },
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

function splitM2(m2: Uint8Array) {
  const reader = new Reader(m2, SEALED_PROTOCOL.codes.handshake, 'M2');
  const ephemeral = reader.bytes(EPHEMERAL_BYTES);
  reader.bytes(NONCE_BYTES);
  const payload = reader.bytes(SEALED_BYTES.payload2);
  const unconfirmed = copyOf(m2, 0, reader.offset);
  const confirm = reader.bytes(CONFIRM_BYTES);
  reader.end();
  return { ephemeral, payload, unconfirmed, confirm };
}
