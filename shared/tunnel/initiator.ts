// The agent's half of opening a tunnel: T1, T1 again, T2 (docs/protocol.md §4, §6, §11). Makes no sound by itself:
// the tunnel asks for the T1 messages and hands in each T2.
import { isZero, wipe } from '../codec/bytes.ts';
import { startInitiator, type HandshakeResult, type Initiator } from '../crypto/handshake.ts';
import type { ExchangePublic, Psk } from '../crypto/keys.ts';
import type { Random } from '../ports.ts';
import { TUNNEL_PROTOCOL } from './protocol.ts';
import { pskPayload, type PskName } from './secrets.ts';

/** A T2 that fits none of our T1 is dropped this often (it may answer an earlier process), then the tunnel fails. */
const FOREIGN_ANSWERS = 3;

export interface TunnelInitiatorOptions {
  readonly controllerPublic: ExchangePublic<'tunnel'>;
  /** SHA-512(public invite), 64 bytes. */
  readonly publicInviteHash: Uint8Array;
  readonly random: Random;
}

export interface Opened {
  readonly psk: PskName;
  readonly t3: Uint8Array;
  readonly result: HandshakeResult;
}

export class TunnelInitiator {
  readonly #options: TunnelInitiatorOptions;
  readonly #attempts = new Map<PskName, Initiator>();
  #foreign = 0;

  constructor(options: TunnelInitiatorOptions) {
    this.#options = options;
  }

  /** The T1 of every attempt begun, always the same bytes. */
  get t1(): readonly Uint8Array[] {
    return [...this.#attempts.values()].map((attempt) => attempt.m1);
  }

  /** Begins an attempt with this secret, once. */
  begin(name: PskName, secret: Psk): void {
    if (this.#attempts.has(name)) return;
    const attempt = startInitiator({
      protocol: TUNNEL_PROTOCOL,
      responderPublic: this.#options.controllerPublic,
      contexts: [this.#options.publicInviteHash],
      psk: secret,
      payload1: pskPayload(name),
      random: this.#options.random,
      tries: FOREIGN_ANSWERS,
    });
    this.#attempts.set(name, attempt);
  }

  /** A T2: the opened tunnel, or undefined if it fits no attempt; throws BF-TUNNEL-HANDSHAKE after the third of those. */
  receiveT2(t2: Uint8Array): Opened | undefined {
    let refusal: unknown;
    for (const [psk, attempt] of this.#attempts) {
      try {
        const { m3, result } = attempt.receiveM2(t2);
        if (isZero(result.peerPayload)) return { psk, t3: m3, result };
        result.session.wipe();
        wipe(result.exporter);
      } catch (error) {
        refusal = error;
      }
    }
    this.#foreign++;
    if (this.#foreign < FOREIGN_ANSWERS || refusal === undefined) return undefined;
    throw refusal;
  }

  /** Forgets all attempts. */
  wipe(): void {
    for (const attempt of this.#attempts.values()) attempt.wipe();
    this.#attempts.clear();
    this.#foreign = 0;
  }
}
