// The controller's half of opening a tunnel: which T1 it answers, with what, and which T3 it believes (docs/protocol.md
// §4). Decides by the invite's state and the one answer that is pending; keeping the state is the tunnel's affair.
import { equalBytes } from '../codec/bytes.ts';
import type { ExchangeKeyPair } from '../crypto/keys.ts';
import type { Random } from '../ports.ts';
import { hasGoodTag, namedSecret, TunnelAnswer, type OpenedTunnel } from './handshake.ts';
import { INVITE_LIMITS, wasSeen, type InviteState, type ReplacedSecret } from './invite-state.ts';
import { secretId, spentTag, tagKey } from './secrets.ts';

export interface TunnelResponderOptions {
  readonly keyPair: ExchangeKeyPair<'tunnel'>;
  /** SHA-512(public invite), 64 bytes. */
  readonly publicInviteHash: Uint8Array;
  readonly random: Random;
}

/** What becomes of a T1. */
export type T1Verdict =
  /** `fresh`: made for this T1 just now, to be counted on record before it leaves. */
  | { readonly kind: 'answer'; readonly t2: Uint8Array; readonly fresh: boolean }
  /** One answer too many was asked for. */
  | { readonly kind: 'too many' }
  /** Somebody holds a secret that the agent has deleted. */
  | { readonly kind: 'second holder' }
  /** The invite is spent already: what to say. */
  | { readonly kind: 'spent'; readonly tag: Uint8Array }
  | { readonly kind: 'drop'; readonly why: string };

export class TunnelResponder {
  readonly #options: TunnelResponderOptions;
  #pending: TunnelAnswer | undefined;

  constructor(options: TunnelResponderOptions) {
    this.#options = options;
  }

  receiveT1(t1: Uint8Array, state: InviteState): T1Verdict {
    const id = namedSecret(t1);
    if (id === undefined) return { kind: 'drop', why: 'no T1 of this version' };
    const { secret } = state;
    if (secret !== undefined && equalBytes(secretId(secret), id)) {
      return hasGoodTag(t1, tagKey(secret)) ? this.#answer(t1, state) : { kind: 'drop', why: 'wrong tag' };
    }
    const old = state.replaced.find((replaced) => equalBytes(replaced.id, id));
    if (old === undefined) return { kind: 'drop', why: 'unknown secret' };
    return hasGoodTag(t1, old.tagKey) ? verdictOnReplaced(t1, old, state) : { kind: 'drop', why: 'wrong tag' };
  }

  /** The tunnel this T3 confirms, or undefined; the pending answer stays after a wrong one. */
  receiveT3(t3: Uint8Array): OpenedTunnel | undefined {
    const opened = this.#pending?.receiveT3(t3);
    if (opened !== undefined) this.#pending = undefined;
    return opened;
  }

  /** True while the answer to exactly this T1 is pending. */
  waitsFor(t1: Uint8Array): boolean {
    return this.#pending !== undefined && equalBytes(this.#pending.t1, t1);
  }

  /** Forgets the pending answer. */
  wipe(): void {
    this.#pending?.wipe();
    this.#pending = undefined;
  }

  #answer(t1: Uint8Array, state: InviteState): T1Verdict {
    if (this.waitsFor(t1)) return { kind: 'answer', t2: this.#pending!.t2, fresh: false };
    if (state.answers >= INVITE_LIMITS.answers) return { kind: 'too many' };
    this.wipe();
    try {
      this.#pending = new TunnelAnswer({ ...this.#options, secret: state.secret!, t1 });
    } catch {
      return { kind: 'drop', why: 'malformed T1' };
    }
    return { kind: 'answer', t2: this.#pending.t2, fresh: true };
  }
}

/** A T1 with a good tag of a secret that opens nothing any more. */
function verdictOnReplaced(t1: Uint8Array, old: ReplacedSecret, state: InviteState): T1Verdict {
  if (state.spent !== undefined) return { kind: 'spent', tag: spentTag(old.tagKey, t1) };
  if (!old.armed) return { kind: 'drop', why: 'replaced secret' };
  return wasSeen(state, t1) ? { kind: 'drop', why: 'replayed' } : { kind: 'second holder' };
}
