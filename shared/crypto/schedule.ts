// The key schedule of docs/protocol.md §4, the same for every purpose: a hash over the whole transcript, confirmation
// both ways, two chains and an exporter. The messages themselves belong to shared/tunnel/handshake.ts and
// shared/sealed/handshake.ts.
import nacl from 'tweetnacl';
import { ascii, concat, copyOf, isZero, wipe, Writer } from '../codec/bytes.ts';
import { fail, type BlindflashError } from '../errors/errors.ts';
import { deriveKey, hmacSha512, sha512 } from './hash.ts';
import { EXTRACTION_KEYS, KEY_LABELS, type ChipKeyMix } from './labels.ts';
import type { HandshakeProtocol } from './protocol.ts';
import { BoxSession, type Role } from './session.ts';

export const EPHEMERAL_BYTES = 32;
export const NONCE_BYTES = 32;
export const CONFIRM_BYTES = 32;

/** What both ends have once the other is confirmed. */
export interface HandshakeResult {
  /** 32 bytes that both ends and nobody else know. */
  readonly exporter: Uint8Array;
  readonly session: BoxSession;
  /** th, 64 bytes: the hash of everything said. */
  readonly transcript: Uint8Array;
}

/** th: SHA-512 of suite, purpose, contexts and both messages, each with its length in two bytes in front; 64 bytes. */
export function transcriptOf(
  protocol: HandshakeProtocol,
  contexts: readonly Uint8Array[],
  m1: Uint8Array,
  unconfirmedM2: Uint8Array,
): Uint8Array {
  const writer = new Writer().prefixed(ascii(protocol.suite)).prefixed(ascii(protocol.purpose));
  for (const part of [...contexts, m1, unconfirmedM2]) writer.prefixed(part);
  return sha512(writer.finish());
}

/** X25519 of 32-byte values. @throws the protocol's refusal when the result is all zero (a point of low order). */
export function agree(protocol: HandshakeProtocol, secret: Uint8Array, point: Uint8Array): Uint8Array {
  const shared = nacl.scalarMult(secret, point);
  if (isZero(shared)) throw refusal(protocol, 'the shared secret is zero');
  return shared;
}

/** True for a 32-byte X25519 public key that is the little-endian form of a number below 2^255 − 19. */
export function isCanonical(publicKey: Uint8Array): boolean {
  const [low = 0, ...rest] = publicKey;
  const top = rest.pop() ?? 0xff;
  return top < 0x7f || (top === 0x7f && (low < 0xed || rest.some((byte) => byte !== 0xff)));
}

/** True for a point of low order (RFC 7748 §6.1): every agreement with it is zero. */
export function isLowOrder(publicKey: Uint8Array): boolean {
  return isZero(nacl.scalarMult(new Uint8Array(publicKey.length).fill(1), publicKey));
}

export function refusal(protocol: HandshakeProtocol, reason: string): BlindflashError {
  return fail(protocol.codes.handshake, reason);
}

/** The keys of one handshake at one end, from the moment both ephemerals are known. */
export class KeySchedule {
  readonly #protocol: HandshakeProtocol;
  readonly #transcript: Uint8Array;
  readonly #prk0: Uint8Array;
  #prk: Uint8Array;

  /** @param secrets X25519(e_i, e_r), X25519(e_i, S_r) and the psk, 32 bytes each; the first two are wiped. */
  constructor(
    protocol: HandshakeProtocol,
    transcript: Uint8Array,
    secrets: readonly [ee: Uint8Array, es: Uint8Array, psk: Uint8Array],
  ) {
    this.#protocol = protocol;
    this.#transcript = transcript;
    const ikm = concat(...secrets);
    this.#prk0 = hmacSha512(ascii(EXTRACTION_KEYS.shared), ikm);
    this.#prk = this.#prk0;
    wipe(ikm, secrets[0], secrets[1]);
  }

  get transcript(): Uint8Array {
    return this.#transcript;
  }

  /** What the responder proves itself with, 32 bytes. */
  confirmR(): Uint8Array {
    const key = deriveKey(this.#prk0, KEY_LABELS.confirmR, this.#transcript);
    const mac = copyOf(hmacSha512(key, this.#transcript), 0, CONFIRM_BYTES);
    wipe(key);
    return mac;
  }

  /** Mixes X25519 of the chip's own keys and e_r, 32 bytes each (wiped), into everything that follows. */
  mixChipKeys(mix: ChipKeyMix, ...se: readonly Uint8Array[]): void {
    const key = deriveKey(this.#prk0, KEY_LABELS[mix], this.#transcript);
    this.#prk = hmacSha512(ascii(EXTRACTION_KEYS[mix]), key, ...se);
    wipe(key, ...se);
  }

  /** What the initiator proves itself with, 32 bytes, over th ‖ confirm_r ‖ `more`. */
  confirmI(...more: readonly Uint8Array[]): Uint8Array {
    const [key, confirmR] = [deriveKey(this.#prk, KEY_LABELS.confirmI, this.#transcript), this.confirmR()];
    const mac = copyOf(hmacSha512(key, this.#transcript, confirmR, ...more), 0, CONFIRM_BYTES);
    wipe(key);
    return mac;
  }

  /** The session this end works with. */
  result(role: Role): HandshakeResult {
    const key = (label: string) => deriveKey(this.#prk, label, this.#transcript);
    const chains = { i2r: key(KEY_LABELS.chainI2r), r2i: key(KEY_LABELS.chainR2i) };
    const session = new BoxSession(role, this.#protocol, chains);
    wipe(chains.i2r, chains.r2i);
    return { exporter: key(KEY_LABELS.exporter), session, transcript: copyOf(this.#transcript) };
  }

  wipe(): void {
    wipe(this.#prk0, this.#prk);
  }
}
