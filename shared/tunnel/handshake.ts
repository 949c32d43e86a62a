// The handshake of the tunnel: T1, T2, T3 (docs/protocol.md §4, "Tunnel"). The initiator commits itself to its nonce
// before it has seen the responder's, so that neither end nor anybody between them can choose the code.
import nacl from 'tweetnacl';
import { assertBytes, concat, copyOf, equalBytes, isZero, Reader, wipe } from '../codec/bytes.ts';
import type { ExchangeKeyPair, ExchangePublic, Psk } from '../crypto/keys.ts';
import {
  agree,
  CONFIRM_BYTES,
  EPHEMERAL_BYTES,
  KeySchedule,
  NONCE_BYTES,
  transcriptOf,
  type HandshakeResult,
} from '../crypto/schedule.ts';
import type { Random } from '../ports.ts';
import { TUNNEL_PROTOCOL } from './protocol.ts';
import { commitment, secretId, SECRET_ID_BYTES, t1Tag, tagKey, tunnelCode } from './secrets.ts';

const PAYLOAD_BYTES = 16;
const UNTAGGED_BYTES = EPHEMERAL_BYTES + 32 + PAYLOAD_BYTES;

/** Sizes of the three messages, bytes. */
export const TUNNEL_BYTES = {
  t1: UNTAGGED_BYTES + 16,
  t2: EPHEMERAL_BYTES + NONCE_BYTES + PAYLOAD_BYTES + CONFIRM_BYTES,
  t3: NONCE_BYTES + CONFIRM_BYTES,
} as const;

/** An opened tunnel as one end has it. */
export interface OpenedTunnel {
  readonly result: HandshakeResult;
  /** `ABC-DEF`. */
  readonly code: string;
}

export interface TunnelAttemptOptions {
  readonly controllerPublic: ExchangePublic<'tunnel'>;
  /** SHA-512(public invite), 64 bytes. */
  readonly publicInviteHash: Uint8Array;
  readonly secret: Psk;
  readonly random: Random;
}

/** The agent's end: one T1, and at most one T2 of it answered. */
export class TunnelAttempt {
  /** 96 bytes, always the same. */
  readonly t1: Uint8Array;
  readonly #options: TunnelAttemptOptions;
  readonly #secret: Psk;
  readonly #ephemeral: Uint8Array;
  readonly #nonce: Uint8Array;
  #over = false;

  /** Draws e_i and nonce_i, 32 bytes each, in this order. */
  constructor(options: TunnelAttemptOptions) {
    this.#options = options;
    this.#secret = copyOf(options.secret) as Psk;
    this.#ephemeral = copyOf(options.random.bytes(EPHEMERAL_BYTES));
    this.#nonce = copyOf(options.random.bytes(NONCE_BYTES));
    const e = nacl.scalarMult.base(this.#ephemeral);
    const payload1 = concat(secretId(this.#secret), new Uint8Array(PAYLOAD_BYTES - SECRET_ID_BYTES));
    const c = commitment(e, options.publicInviteHash, payload1, this.#nonce);
    const untagged = concat(e, c, payload1);
    this.t1 = concat(untagged, t1Tag(tagKey(this.#secret), untagged));
  }

  /** The secret this attempt opens with. */
  get secret(): Psk {
    return this.#secret;
  }

  /** T3 and what it opens, or undefined for a T2 that does not fit, which changes nothing. */
  receiveT2(t2: Uint8Array): (OpenedTunnel & { readonly t3: Uint8Array }) | undefined {
    if (this.#over) return undefined;
    const opened = this.#open(t2);
    if (opened !== undefined) this.#over = true;
    return opened;
  }

  wipe(): void {
    this.#over = true;
    wipe(this.#secret, this.#ephemeral, this.#nonce);
  }

  #open(t2: Uint8Array): (OpenedTunnel & { readonly t3: Uint8Array }) | undefined {
    const { controllerPublic, publicInviteHash } = this.#options;
    try {
      const { ephemeral, nonce, payload, unconfirmed, confirm } = splitT2(t2);
      const contexts = [controllerPublic, publicInviteHash];
      const schedule = new KeySchedule(TUNNEL_PROTOCOL, transcriptOf(TUNNEL_PROTOCOL, contexts, this.t1, unconfirmed), [
        agree(TUNNEL_PROTOCOL, this.#ephemeral, ephemeral),
        agree(TUNNEL_PROTOCOL, this.#ephemeral, controllerPublic),
        this.#secret,
      ]);
      const good = equalBytes(schedule.confirmR(), confirm) && isZero(payload);
      const opened = good ? this.#finish(schedule, nonce) : undefined;
      schedule.wipe();
      return opened;
    } catch {
      return undefined;
    }
  }

  #finish(schedule: KeySchedule, nonceR: Uint8Array): OpenedTunnel & { readonly t3: Uint8Array } {
    const t3 = concat(this.#nonce, schedule.confirmI(this.#nonce));
    const result = schedule.result('i');
    return { t3, result, code: tunnelCode(result.exporter, this.#nonce, nonceR) };
  }
}

/** The secret's id a T1 names, 8 bytes; undefined for anything that is no T1 of this version. */
export function namedSecret(t1: Uint8Array): Uint8Array | undefined {
  if (t1.length !== TUNNEL_BYTES.t1) return undefined;
  const payload = t1.subarray(UNTAGGED_BYTES - PAYLOAD_BYTES, UNTAGGED_BYTES);
  return isZero(payload.subarray(SECRET_ID_BYTES)) ? copyOf(payload, 0, SECRET_ID_BYTES) : undefined;
}

/** True when a T1 was made by somebody who holds the secret of this tag key. */
export function hasGoodTag(t1: Uint8Array, key: Uint8Array): boolean {
  return equalBytes(t1Tag(key, t1.subarray(0, UNTAGGED_BYTES)), t1.subarray(UNTAGGED_BYTES));
}

export interface TunnelAnswerOptions {
  readonly keyPair: ExchangeKeyPair<'tunnel'>;
  /** SHA-512(public invite), 64 bytes. */
  readonly publicInviteHash: Uint8Array;
  readonly secret: Psk;
  readonly random: Random;
  /** 96 bytes, with a good tag. */
  readonly t1: Uint8Array;
}

/** The controller's end: the answer to one T1. */
export class TunnelAnswer {
  readonly t1: Uint8Array;
  readonly t2: Uint8Array;
  readonly #publicInviteHash: Uint8Array;
  readonly #schedule: KeySchedule;
  readonly #nonceR: Uint8Array;
  #over = false;

  /** Draws e_r and nonce_r, 32 bytes each, in this order. @throws BF-TUNNEL-HANDSHAKE for an e_i of low order */
  constructor({ keyPair, publicInviteHash, secret, random, t1 }: TunnelAnswerOptions) {
    assertBytes(t1, 't1', TUNNEL_BYTES.t1);
    this.t1 = copyOf(t1);
    this.#publicInviteHash = publicInviteHash;
    const ephemeral = copyOf(random.bytes(EPHEMERAL_BYTES));
    this.#nonceR = copyOf(random.bytes(NONCE_BYTES));
    const unconfirmed = concat(nacl.scalarMult.base(ephemeral), this.#nonceR, new Uint8Array(PAYLOAD_BYTES));
    const e = copyOf(t1, 0, EPHEMERAL_BYTES);
    try {
      this.#schedule = new KeySchedule(
        TUNNEL_PROTOCOL,
        transcriptOf(TUNNEL_PROTOCOL, [keyPair.publicKey, publicInviteHash], t1, unconfirmed),
        [agree(TUNNEL_PROTOCOL, ephemeral, e), agree(TUNNEL_PROTOCOL, keyPair.secretKey, e), secret],
      );
    } finally {
      wipe(ephemeral);
    }
    this.t2 = concat(unconfirmed, this.#schedule.confirmR());
  }

  /** What a right T3 opens; undefined for a wrong one, which changes nothing. */
  receiveT3(t3: Uint8Array): OpenedTunnel | undefined {
    if (this.#over || t3.length !== TUNNEL_BYTES.t3) return undefined;
    const nonceI = copyOf(t3, 0, NONCE_BYTES);
    const confirmed = equalBytes(this.#schedule.confirmI(nonceI), t3.subarray(NONCE_BYTES));
    if (!confirmed || !this.#committedTo(nonceI)) return undefined;
    const result = this.#schedule.result('r');
    this.wipe();
    return { result, code: tunnelCode(result.exporter, nonceI, this.#nonceR) };
  }

  wipe(): void {
    this.#over = true;
    this.#schedule.wipe();
  }

  #committedTo(nonceI: Uint8Array): boolean {
    const e = copyOf(this.t1, 0, EPHEMERAL_BYTES);
    const c = this.t1.subarray(EPHEMERAL_BYTES, EPHEMERAL_BYTES + 32);
    const payload1 = copyOf(this.t1, UNTAGGED_BYTES - PAYLOAD_BYTES, UNTAGGED_BYTES);
    return equalBytes(commitment(e, this.#publicInviteHash, payload1, nonceI), c);
  }
}

function splitT2(t2: Uint8Array) {
  const reader = new Reader(t2, TUNNEL_PROTOCOL.codes.handshake, 'T2');
  const ephemeral = reader.bytes(EPHEMERAL_BYTES);
  const nonce = reader.bytes(NONCE_BYTES);
  const payload = reader.bytes(PAYLOAD_BYTES);
  const unconfirmed = copyOf(t2, 0, reader.offset);
  const confirm = reader.bytes(CONFIRM_BYTES);
  reader.end();
  return { ephemeral, nonce, payload, unconfirmed, confirm };
}
