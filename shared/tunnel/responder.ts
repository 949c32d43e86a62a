// The controller's half of opening a tunnel: which T1 it answers, with what, and which T3 it believes
// (docs/protocol.md §3, §4, §6). A replayed T1 costs one cached or bounded answer and evicts nobody.
import { copyOf, equalBytes } from '../codec/bytes.ts';
import { respond, type HandshakeResult, type Responder } from '../crypto/handshake.ts';
import type { ExchangeKeyPair, Psk } from '../crypto/keys.ts';
import type { Random } from '../ports.ts';
import { TUNNEL_PROTOCOL } from './protocol.ts';
import { pskNamed, type PskName } from './secrets.ts';

/** Answered T1 that wait for their T3; the oldest gives way. */
const PENDING = 4;
/** T3 that may fit another pending answer before this one is given up. */
const T3_TRIES = 64;

export interface TunnelResponderOptions {
  readonly keyPair: ExchangeKeyPair<'tunnel'>;
  /** SHA-512(public invite), 64 bytes. */
  readonly publicInviteHash: Uint8Array;
  readonly random: Random;
}

/** What becomes of a T1. */
export type Answer =
  | { readonly kind: 'answer'; readonly t2: Uint8Array }
  /** The invite's secret is dead: a second use. */
  | { readonly kind: 'second use' }
  | { readonly kind: 'ignore'; readonly why: string };

interface Pending {
  readonly t1: Uint8Array;
  readonly psk: PskName;
  readonly responder: Responder;
}

export interface Confirmed {
  readonly psk: PskName;
  readonly result: HandshakeResult;
}

export class TunnelResponder {
  readonly #options: TunnelResponderOptions;
  #pending: Pending[] = [];
  #confirmedT1: Uint8Array | undefined;

  constructor(options: TunnelResponderOptions) {
    this.#options = options;
  }

  /** Number of T1 answered and not confirmed. */
  get pending(): number {
    return this.#pending.length;
  }

  /** @param secrets the secrets that live now. */
  receiveT1(t1: Uint8Array, secrets: Readonly<Partial<Record<PskName, Psk | undefined>>>): Answer {
    if (this.#confirmedT1 !== undefined && equalBytes(this.#confirmedT1, t1)) {
      return { kind: 'ignore', why: 'already confirmed' };
    }
    const known = this.#pending.find((pending) => equalBytes(pending.t1, t1));
    if (known !== undefined) return { kind: 'answer', t2: known.responder.m2 };
    const name = pskNamed(t1.subarray(64));
    if (name === undefined) return { kind: 'ignore', why: 'unknown psk id' };
    const secret = secrets[name];
    if (secret !== undefined) return this.#answer(t1, name, secret);
    return name === 'invite' ? { kind: 'second use' } : { kind: 'ignore', why: 'no resume secret' };
  }

  /** The tunnel this T3 confirms, or undefined. All other pending answers are forgotten then. */
  receiveT3(t3: Uint8Array): Confirmed | undefined {
    for (const { responder, psk, t1 } of [...this.#pending].reverse()) {
      try {
        const result = responder.receiveM3(t3);
        this.wipe();
        this.#confirmedT1 = t1;
        return { psk, result };
      } catch {
        if (responder.state === 'dead') this.#pending = this.#pending.filter((other) => other.responder !== responder);
      }
    }
    return undefined;
  }

  /** Forgets all pending answers. */
  wipe(): void {
    for (const { responder } of this.#pending) responder.wipe();
    this.#pending = [];
  }

  #answer(t1: Uint8Array, name: PskName, secret: Psk): Answer {
    const { keyPair, publicInviteHash, random } = this.#options;
    let responder: Responder;
    try {
      responder = respond({
        protocol: TUNNEL_PROTOCOL,
        staticKey: keyPair,
        contexts: [publicInviteHash],
        pskFor: () => secret,
        payload2: new Uint8Array(16),
        random,
        m1: t1,
        tries: T3_TRIES,
      });
    } catch {
      return { kind: 'ignore', why: 'malformed T1' };
    }
    this.#pending.push({ t1: copyOf(t1), psk: name, responder });
    if (this.#pending.length > PENDING) this.#pending.shift()?.responder.wipe();
    return { kind: 'answer', t2: responder.m2 };
  }
}
