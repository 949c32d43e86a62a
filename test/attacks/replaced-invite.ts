// Who replaces an invite plays vendor to the customer and customer to the vendor, and wants both to see the same code.
// Here he plays that game against codes of 12 bits: against the handshake of the product, and against one with the
// order of version 1, which a hook of these tests brings back: the nonce of the initiator in the clear in T1.
import { createHash, createHmac } from 'node:crypto';
import nacl from 'tweetnacl';
import { exchangeKeyPair, psk, type Psk } from '../../shared/crypto/keys.ts';
import { TunnelAnswer, TunnelAttempt } from '../../shared/tunnel/handshake.ts';
import { normalizeCode } from '../../shared/tunnel/secrets.ts';
import { TUNNEL_PROTOCOL } from '../../shared/tunnel/protocol.ts';
import { scripted, seeded } from '../unit/shared/support.ts';

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
export const TOY_CODES = 2 ** 12;

/** The first 12 bits of a code. */
export function toyCode(code: string): number {
  const [a, b, c] = [...normalizeCode(code)!.replace('-', '')].map((letter) => ALPHABET.indexOf(letter));
  return (a! << 7) | (b! << 2) | (c! >> 3);
}

/** The invite the customer was sent, and the one he got. */
const GENUINE = { keyPair: exchangeKeyPair('tunnel', seeded('vendor')), hash: new Uint8Array(64).fill(1) };
const REPLACED = { keyPair: exchangeKeyPair('tunnel', seeded('mallory')), hash: new Uint8Array(64).fill(2) };
const secret = (): Psk => psk(new Uint8Array(32).fill(0x33));

/** The customer's end under the replaced invite. */
export function customer(seed: string): TunnelAttempt {
  const random = seeded(`customer ${seed}`);
  const { keyPair, hash } = REPLACED;
  return new TunnelAttempt({ controllerPublic: keyPair.publicKey, publicInviteHash: hash, secret: secret(), random });
}

/** The code of a tunnel to the vendor that the attacker opens with the genuine invite; he cannot choose it either. */
export function codeAtVendor(seed: string): string {
  const attacker = new TunnelAttempt({
    controllerPublic: GENUINE.keyPair.publicKey,
    publicInviteHash: GENUINE.hash,
    secret: secret(),
    random: seeded(`attacker ${seed}`),
  });
  const vendor = new TunnelAnswer({
    keyPair: GENUINE.keyPair,
    publicInviteHash: GENUINE.hash,
    secret: secret(),
    random: seeded(`vendor ${seed}`),
    t1: attacker.t1,
  });
  return vendor.receiveT3(attacker.receiveT2(vendor.t2)!.t3)!.code;
}

const attackersEphemeral = seeded('attacker e_r').bytes(32);

/** A T2 of the attacker for a T1 of the customer, with this nonce_r. */
export function answerTo(t1: Uint8Array, nonceR: Uint8Array): TunnelAnswer {
  const { keyPair, hash } = REPLACED;
  const random = scripted(attackersEphemeral, nonceR);
  return new TunnelAnswer({ keyPair, publicInviteHash: hash, secret: secret(), random, t1 });
}

const sha = (...parts: Uint8Array[]) => createHash('sha512').update(Buffer.concat(parts)).digest();
const mac = (key: Uint8Array, ...parts: Uint8Array[]) =>
  createHmac('sha512', key).update(Buffer.concat(parts)).digest();
const expand = (key: Uint8Array, label: string, ...context: Uint8Array[]) =>
  mac(key, Buffer.from(label), ...context, Uint8Array.of(1)).subarray(0, 32);
const lp = (bytes: Uint8Array) => Buffer.from([bytes.length & 255, bytes.length >> 8, ...bytes]);

/**
 * What the customer's screen will show if the attacker answers a T1 with this nonce_r, for somebody who knows nonce_i:
 * seven compressions a try, the exchange of keys stays the same.
 */
export function forecaster(t1: Uint8Array): (nonceI: Uint8Array, nonceR: Uint8Array) => number {
  const { keyPair, hash } = REPLACED;
  const [e, customerE] = [nacl.scalarMult.base(attackersEphemeral), t1.slice(0, 32)];
  const shared = [
    nacl.scalarMult(attackersEphemeral, customerE),
    nacl.scalarMult(keyPair.secretKey, customerE),
    secret(),
  ];
  const prk = mac(Buffer.from('blindflash/2 extract'), ...shared);
  const { suite, purpose } = TUNNEL_PROTOCOL;
  const head = [Buffer.from(suite), Buffer.from(purpose), keyPair.publicKey, hash, t1].map(lp);
  return (nonceI, nonceR) => {
    const th = sha(...head, lp(Buffer.concat([e, nonceR, new Uint8Array(16)])));
    return expand(expand(prk, 'exporter', th), 'blindflash/2 code', nonceI, nonceR).readUInt32BE() >>> 20;
  };
}
