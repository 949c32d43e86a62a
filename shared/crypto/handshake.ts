// The handshake of docs/protocol.md §4, for any protocol that describes itself (protocol.ts).
// Noise NK message flow with a PSK slot; keys from a hash over the whole transcript; confirmation both ways.
import nacl from 'tweetnacl';
import { ascii, assertBytes, concat, copyOf, equalBytes, isZero, Reader, wipe, Writer } from '../codec/bytes.ts';
import { fail, type BlindflashError } from '../errors/errors.ts';
import type { Random } from '../ports.ts';
import { deriveKey, hmacSha512, sha512 } from './hash.ts';
import type { ExchangeKeyPair, ExchangePublic, ExchangePurpose, Psk } from './keys.ts';
import { KEY_LABELS } from './labels.ts';
import type { HandshakeProtocol } from './protocol.ts';
import { BoxSession, type Role } from './session.ts';

const EPHEMERAL_BYTES = 32;
const NONCE_BYTES = 32;
export const CONFIRM_BYTES = 32;

/** Sizes of the three messages of a protocol, bytes. */
export function messageSizes(protocol: HandshakeProtocol): { m1: number; m2: number; m3: number } {
  const head = EPHEMERAL_BYTES + NONCE_BYTES;
  return {
    m1: head + protocol.payload1Bytes,
    m2: head + protocol.payload2Bytes + CONFIRM_BYTES,
    m3: CONFIRM_BYTES,
  };
}

/** What both ends have once the other is confirmed. */
export interface HandshakeResult {
  /** 32 bytes that both ends and nobody else know; codes and resume secrets come from it. */
  readonly exporter: Uint8Array;
  readonly session: BoxSession;
  /** payload2 for the initiator, payload1 for the responder. */
  readonly peerPayload: Uint8Array;
  /** th, 64 bytes: the hash of everything said. */
  readonly transcript: Uint8Array;
}

/** Readable state of an end; `dead` after the last allowed failure or wipe(). */
export type HandshakeState = 'waiting for M2' | 'waiting for M3' | 'confirmed' | 'dead';

/** S_r public key first, then the further contexts in the order of the table in §4. */
export type Contexts = readonly Uint8Array[];

export interface InitiatorOptions<P extends ExchangePurpose> {
  readonly protocol: HandshakeProtocol<P>;
  readonly responderPublic: ExchangePublic<P>;
  /** Everything after S_r public: tunnel [SHA-512(public invite)], sealed [stub hash, plan hash]. 64 bytes each. */
  readonly contexts: Contexts;
  readonly psk: Psk;
  readonly payload1: Uint8Array;
  readonly random: Random;
  /** How many M2 may fail before this end is dead; 1 unless said. */
  readonly tries?: number;
}

export interface Initiator {
  /** e_i 32 ‖ nonce_i 32 ‖ payload1. */
  readonly m1: Uint8Array;
  readonly state: HandshakeState;
  /** Checks confirm_r; returns M3 and the result. Throws the protocol's refusal. */
  receiveM2(m2: Uint8Array): { m3: Uint8Array; result: HandshakeResult };
  wipe(): void;
}

export interface ResponderOptions<P extends ExchangePurpose> {
  readonly protocol: HandshakeProtocol<P>;
  readonly staticKey: ExchangeKeyPair<P>;
  readonly contexts: Contexts;
  /** The PSK for this payload1, or undefined to refuse it. */
  readonly pskFor: (payload1: Uint8Array) => Psk | undefined;
  readonly payload2: Uint8Array;
  readonly random: Random;
  readonly m1: Uint8Array;
  /** How many M3 may fail before this end is dead; 1 unless said. */
  readonly tries?: number;
}

export interface Responder {
  /** e_r 32 ‖ nonce_r 32 ‖ payload2 ‖ confirm_r 32. */
  readonly m2: Uint8Array;
  readonly state: HandshakeState;
  /** payload1 as received: not authenticated before receiveM3 has returned. */
  readonly payload1: Uint8Array;
  /** Checks confirm_i. Throws the protocol's refusal. */
  receiveM3(m3: Uint8Array): HandshakeResult;
  wipe(): void;
}

/** Begins a handshake as initiator: draws the ephemeral and the nonce (in this order, 32 bytes each) and makes M1. */
export function startInitiator<P extends ExchangePurpose>(options: InitiatorOptions<P>): Initiator {
  const { protocol, responderPublic, random } = options;
  assertBytes(options.payload1, 'payload1', protocol.payload1Bytes);
  assertBytes(responderPublic, 'responderPublic', 32);
  assertBytes(options.psk, 'psk', 32);
  const secret = copyOf(random.bytes(EPHEMERAL_BYTES));
  const sharedPsk = copyOf(options.psk);
  const m1 = concat(nacl.scalarMult.base(secret), random.bytes(NONCE_BYTES), options.payload1);
  const contexts = [copyOf(responderPublic), ...options.contexts.map((context) => copyOf(context))];
  let triesLeft = options.tries ?? 1;
  let state: HandshakeState = 'waiting for M2';

  const end = (next: HandshakeState) => {
    state = next;
    wipe(secret, sharedPsk);
  };

  const attempt = (m2: Uint8Array) => {
    const opened = splitM2(protocol, m2);
    const keys = schedule(protocol, contexts, m1, opened.unconfirmed, [
      exchange(protocol, secret, opened.ephemeral),
      exchange(protocol, secret, responderPublic),
      sharedPsk,
    ]);
    const good = equalBytes(keys.confirmR, opened.confirm);
    const result = good ? finish('i', protocol, keys, opened.payload) : undefined;
    const m3 = copyOf(keys.confirmI);
    wipeKeys(keys);
    if (result === undefined) throw refused(protocol, 'the answer does not fit the key it was asked from');
    return { m3, result };
  };

  return {
    m1: copyOf(m1),
    get state() {
      return state;
    },
    receiveM2(m2) {
      if (state !== 'waiting for M2') throw refused(protocol, `an answer while ${state}`);
      try {
        const done = attempt(m2);
        end('confirmed');
        return done;
      } catch (error) {
        if (--triesLeft <= 0) end('dead');
        throw error;
      }
    },
    wipe: () => end(state === 'confirmed' ? 'confirmed' : 'dead'),
  };
}

/** Answers an M1: draws the ephemeral and the nonce (in this order), derives all keys and makes M2. */
export function respond<P extends ExchangePurpose>(options: ResponderOptions<P>): Responder {
  const { protocol, staticKey, random } = options;
  assertBytes(options.payload2, 'payload2', protocol.payload2Bytes);
  const opened = splitM1(protocol, options.m1);
  const sharedPsk = options.pskFor(copyOf(opened.payload));
  if (sharedPsk === undefined) throw refused(protocol, 'no key for this psk id');
  assertBytes(sharedPsk, 'psk', 32);

  const secret = copyOf(random.bytes(EPHEMERAL_BYTES));
  const unconfirmed = concat(nacl.scalarMult.base(secret), random.bytes(NONCE_BYTES), options.payload2);
  const contexts = [staticKey.publicKey, ...options.contexts];
  let keys: Keys;
  try {
    keys = schedule(protocol, contexts, options.m1, unconfirmed, [
      exchange(protocol, secret, opened.ephemeral),
      exchange(protocol, staticKey.secretKey, opened.ephemeral),
      sharedPsk,
    ]);
  } finally {
    wipe(secret);
  }
  let triesLeft = options.tries ?? 1;
  let state: HandshakeState = 'waiting for M3';

  const end = (next: HandshakeState) => {
    state = next;
    wipeKeys(keys);
  };

  return {
    m2: concat(unconfirmed, keys.confirmR),
    payload1: opened.payload,
    get state() {
      return state;
    },
    receiveM3(m3) {
      if (state !== 'waiting for M3') throw refused(protocol, `a confirmation while ${state}`);
      if (!equalBytes(keys.confirmI, m3)) {
        if (--triesLeft <= 0) end('dead');
        throw refused(protocol, 'the confirmation is wrong');
      }
      const result = finish('r', protocol, keys, opened.payload);
      end('confirmed');
      return result;
    },
    wipe: () => end(state === 'confirmed' ? 'confirmed' : 'dead'),
  };
}

// ── the schedule ──────────────────────────────────────────────────────────────────────────────────────────────────

interface Keys {
  readonly transcript: Uint8Array;
  readonly confirmR: Uint8Array;
  readonly confirmI: Uint8Array;
  readonly i2r: Uint8Array;
  readonly r2i: Uint8Array;
  readonly exporter: Uint8Array;
}

/** All keys of §4 from the transcript and the three secrets X25519(e_i,e_r), X25519(e_i,S_r), psk, which are wiped. */
function schedule(
  protocol: HandshakeProtocol,
  contexts: Contexts,
  m1: Uint8Array,
  unconfirmedM2: Uint8Array,
  secrets: readonly Uint8Array[],
): Keys {
  const transcript = hashTranscript(protocol, contexts, m1, unconfirmedM2);
  const ikm = concat(...secrets);
  const prk = hmacSha512(ascii(protocol.extract), ikm);
  const key = (label: string) => deriveKey(prk, label, transcript);
  const [keyR, keyI] = [key(KEY_LABELS.confirmR), key(KEY_LABELS.confirmI)];
  const confirmR = copyOf(hmacSha512(keyR, transcript), 0, CONFIRM_BYTES);
  const confirmI = copyOf(hmacSha512(keyI, transcript, confirmR), 0, CONFIRM_BYTES);
  const keys = {
    transcript,
    confirmR,
    confirmI,
    i2r: key(KEY_LABELS.chainI2r),
    r2i: key(KEY_LABELS.chainR2i),
    exporter: key(KEY_LABELS.exporter),
  };
  wipe(...secrets.slice(0, 2), ikm, prk, keyR, keyI);
  return keys;
}

function hashTranscript(
  protocol: HandshakeProtocol,
  contexts: Contexts,
  m1: Uint8Array,
  unconfirmedM2: Uint8Array,
): Uint8Array {
  const writer = new Writer().prefixed(ascii(protocol.suite)).prefixed(ascii(protocol.purpose));
  for (const part of [...contexts, m1, unconfirmedM2]) writer.prefixed(part);
  return sha512(writer.finish());
}

/** X25519; an all-zero result (a point of low order) is refused. */
function exchange(protocol: HandshakeProtocol, secret: Uint8Array, point: Uint8Array): Uint8Array {
  const shared = nacl.scalarMult(secret, point);
  if (isZero(shared)) throw refused(protocol, 'the shared secret is zero');
  return shared;
}

function finish(role: Role, protocol: HandshakeProtocol, keys: Keys, peerPayload: Uint8Array): HandshakeResult {
  return {
    exporter: copyOf(keys.exporter),
    session: new BoxSession(role, protocol, keys),
    peerPayload: copyOf(peerPayload),
    transcript: copyOf(keys.transcript),
  };
}

function wipeKeys(keys: Keys): void {
  wipe(keys.confirmR, keys.confirmI, keys.i2r, keys.r2i, keys.exporter);
}

// ── the messages ──────────────────────────────────────────────────────────────────────────────────────────────────

function splitM1(protocol: HandshakeProtocol, m1: Uint8Array): { ephemeral: Uint8Array; payload: Uint8Array } {
  const reader = new Reader(m1, protocol.codes.handshake, 'M1');
  const ephemeral = reader.bytes(EPHEMERAL_BYTES);
  reader.bytes(NONCE_BYTES);
  const payload = reader.bytes(protocol.payload1Bytes);
  reader.end();
  return { ephemeral, payload };
}

function splitM2(protocol: HandshakeProtocol, m2: Uint8Array) {
  const reader = new Reader(m2, protocol.codes.handshake, 'M2');
  const ephemeral = reader.bytes(EPHEMERAL_BYTES);
  reader.bytes(NONCE_BYTES);
  const payload = reader.bytes(protocol.payload2Bytes);
  const unconfirmed = copyOf(m2, 0, reader.offset);
  const confirm = reader.bytes(CONFIRM_BYTES);
  reader.end();
  return { ephemeral, payload, unconfirmed, confirm };
}

function refused(protocol: HandshakeProtocol, reason: string): BlindflashError {
  return fail(protocol.codes.handshake, reason);
}
