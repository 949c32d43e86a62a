// The agent's half of opening a tunnel: which T1 travel, and what a T2 opens (docs/protocol.md §4). Sends nothing
// itself: the tunnel asks for the T1 messages and hands in each T2.
import { equalBytes } from '../codec/bytes.ts';
import type { ExchangePublic, Psk } from '../crypto/keys.ts';
import type { Random } from '../ports.ts';
import { TunnelAttempt, type OpenedTunnel } from './handshake.ts';
import { spentTag, tagKey } from './secrets.ts';

export interface TunnelInitiatorOptions {
  readonly controllerPublic: ExchangePublic<'tunnel'>;
  /** SHA-512(public invite), 64 bytes. */
  readonly publicInviteHash: Uint8Array;
  readonly random: Random;
}

export interface OpenedWithSecret extends OpenedTunnel {
  /** The secret that opened it. */
  readonly secret: Psk;
  readonly t3: Uint8Array;
}

export class TunnelInitiator {
  readonly #options: TunnelInitiatorOptions;
  #attempts: TunnelAttempt[] = [];

  constructor(options: TunnelInitiatorOptions) {
    this.#options = options;
  }

  /** The T1 of every attempt begun, always the same bytes. */
  get t1(): readonly Uint8Array[] {
    return this.#attempts.map((attempt) => attempt.t1);
  }

  /** Begins an attempt with this secret, unless one is under way. */
  begin(secret: Psk): void {
    if (this.#attempts.some((attempt) => equalBytes(attempt.secret, secret))) return;
    this.#attempts.push(new TunnelAttempt({ ...this.#options, secret }));
  }

  /**
   * A T2: the opened tunnel, or undefined if it fits no attempt, which then stay as they are. All attempts are over
   * once one has opened: none of their nonces is committed to again.
   */
  receiveT2(t2: Uint8Array): OpenedWithSecret | undefined {
    for (const attempt of this.#attempts) {
      const opened = attempt.receiveT2(t2);
      if (opened === undefined) continue;
      const secret = new Uint8Array(attempt.secret) as Psk;
      this.wipe();
      return { ...opened, secret };
    }
    return undefined;
  }

  /** True when the controller says, to one of our T1, that the invite is spent. */
  isSpent(tag: Uint8Array): boolean {
    return this.#attempts.some(({ secret, t1 }) => equalBytes(spentTag(tagKey(secret), t1), tag));
  }

  /** Forgets all attempts. */
  wipe(): void {
    for (const attempt of this.#attempts) attempt.wipe();
    this.#attempts = [];
  }
}
