// Keys by purpose. Each purpose has a type of its own, so that a key of one cannot be handed to another
// (docs/protocol.md §4 table; a key pair is used for one thing only).
import nacl from 'tweetnacl';
import { assertBytes, copyOf } from '../codec/bytes.ts';
import type { Random } from '../ports.ts';

declare const purpose: unique symbol;
type Branded<Name extends string> = Uint8Array & { readonly [purpose]: Name };

/** X25519 key pairs: the invite's tunnel key, the vendor's sealed key and his files key, an update file's own pair. */
export type ExchangePurpose = 'tunnel' | 'sealed' | 'files';
export type ExchangePublic<P extends ExchangePurpose> = Branded<`${P} public`>;
export type ExchangeSecret<P extends ExchangePurpose> = Branded<`${P} secret`>;

/**
 * Ed25519 key pairs: tenant (signs tickets), holder (presents one), receipt (signs what the vendor puts on record,
 * each kind under a domain of its own: receipts, entries of the device registry).
 */
export type SigningPurpose = 'tenant' | 'holder' | 'receipt';
export type SigningPublic<P extends SigningPurpose> = Branded<`${P} public`>;
export type SigningSecret<P extends SigningPurpose> = Branded<`${P} secret`>;

/** 32 bytes both ends of a handshake know beforehand. */
export type Psk = Branded<'psk'>;

export interface ExchangeKeyPair<P extends ExchangePurpose> {
  /** 32 bytes. */
  readonly publicKey: ExchangePublic<P>;
  /** 32 bytes. */
  readonly secretKey: ExchangeSecret<P>;
}

export interface SigningKeyPair<P extends SigningPurpose> {
  /** 32 bytes. */
  readonly publicKey: SigningPublic<P>;
  /** 64 bytes: seed ‖ public key. */
  readonly secretKey: SigningSecret<P>;
}

/** Copies 32 bytes into a public key of the purpose named by the type parameter. */
export function exchangePublic<P extends ExchangePurpose>(_purpose: P, bytes: Uint8Array): ExchangePublic<P> {
  return checkedCopy(bytes, 'public key', 32) as ExchangePublic<P>;
}

/** X25519 pair from a 32-byte secret (copied). */
export function exchangeKeyPairFrom<P extends ExchangePurpose>(_purpose: P, secret: Uint8Array): ExchangeKeyPair<P> {
  const secretKey = checkedCopy(secret, 'secret key', 32);
  return {
    publicKey: nacl.scalarMult.base(secretKey) as ExchangePublic<P>,
    secretKey: secretKey as ExchangeSecret<P>,
  };
}

/** A fresh X25519 pair. */
export function exchangeKeyPair<P extends ExchangePurpose>(purposeOfKey: P, random: Random): ExchangeKeyPair<P> {
  return exchangeKeyPairFrom(purposeOfKey, random.bytes(32));
}

/** Ed25519 pair from a 32-byte seed. */
export function signingKeyPairFrom<P extends SigningPurpose>(_purpose: P, seed: Uint8Array): SigningKeyPair<P> {
  assertBytes(seed, 'seed', 32);
  return nacl.sign.keyPair.fromSeed(seed) as unknown as SigningKeyPair<P>;
}

/** Ed25519 signature, 64 bytes, over exactly `message` (the caller puts the domain in front). */
export function signBytes<P extends SigningPurpose>(secretKey: SigningSecret<P>, message: Uint8Array): Uint8Array {
  assertBytes(secretKey, 'secretKey', 64);
  return nacl.sign.detached(message, secretKey);
}

/**
 * Checks a detached Ed25519 signature by a raw 32-byte key; false for anything malformed. An edge gives the one of
 * node:crypto, which refuses S ≥ L (tweetnacl does not).
 */
export type Verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

/**
 * X25519 of several secrets with one public key after another, 32 bytes each; the results are in the order of the
 * secrets. A result may be all zero (a point of low order): the caller refuses that. An edge gives the one of
 * node:crypto, which is many times as fast as tweetnacl's.
 */
export type ExchangeMany = (secrets: readonly Uint8Array[]) => (publicKey: Uint8Array) => Uint8Array[];

/** Copies 32 bytes into a pre-shared key. */
export function psk(bytes: Uint8Array): Psk {
  return checkedCopy(bytes, 'psk', 32) as Psk;
}

function checkedCopy(bytes: Uint8Array, name: string, length: number): Uint8Array {
  assertBytes(bytes, name, length);
  return copyOf(bytes);
}
