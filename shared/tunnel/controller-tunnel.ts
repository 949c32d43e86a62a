// The controller's end of a tunnel: it answers T1 within the counts of the invite, replaces the secret with every
// tunnel, checks typed codes, and notices a second holder of the way back (docs/protocol.md §4, §6, §13). Every change
// of the invite's state is kept before anything that rests on it leaves.
import type { ExchangeKeyPair } from '../crypto/keys.ts';
import { fail } from '../errors/errors.ts';
import type { Channel } from './channel.ts';
import {
  INVITE_LIMITS,
  spend,
  withAcknowledged,
  withAnswer,
  withProof,
  withTunnel,
  withWrongCode,
  type InviteState,
  type SpentReason,
} from './invite-state.ts';
import { TunnelResponder, type T1Verdict } from './responder.ts';
import { nextSecret, normalizeCode, sameCode, spentTag, tagKey } from './secrets.ts';
import { Tunnel, type TunnelEvents, type TunnelOptions } from './tunnel.ts';
import type { Wire } from './wire.ts';

/** An answer waits this long for its T3. */
const PENDING_MS = 60_000;

/** What the controller learns when a tunnel is confirmed. The code is not among it. */
export interface ControllerTunnelOpened {
  /** Number of this tunnel over all processes, 1.. */
  readonly number: number;
}

/** malformed: not six characters of the alphabet, to be asked again, uncounted. */
export type CodeVerdict = 'right' | 'wrong' | 'malformed' | 'spent';

export interface ControllerTunnelEvents extends TunnelEvents {
  onOpened(opened: ControllerTunnelOpened): void;
  /** Resolves once the state is on disk; what rests on it waits for that, and does not happen when it rejects. */
  keep(state: InviteState): Promise<void>;
  /** The invite is spent. The tunnel lives, unless a second holder came. */
  onSpent(why: SpentReason): void;
}

export interface ControllerTunnelOptions extends TunnelOptions {
  readonly keyPair: ExchangeKeyPair<'tunnel'>;
  /** As kept last. */
  readonly state: InviteState;
  readonly events: ControllerTunnelEvents;
}

export class ControllerTunnel extends Tunnel {
  readonly #events: ControllerTunnelEvents;
  readonly #responder: TunnelResponder;
  #invite: InviteState;
  #code: string | undefined;
  /** The confirmed channel whose secret is not known to be on disk. */
  #unsaved: Channel | undefined;
  #cancelPending: () => void = () => {};
  /** Resolves once the pending answer is counted on record; a T1 that comes again waits for that, too. */
  #counted: Promise<void> = Promise.resolve();

  constructor(options: ControllerTunnelOptions) {
    super('controller', options, options.events);
    this.#events = options.events;
    this.#invite = options.state;
    const { keyPair, publicInviteHash, random } = options;
    this.#responder = new TunnelResponder({ keyPair, publicInviteHash, random });
  }

  /** The invite as it stands, for the record. */
  get invite(): InviteState {
    return this.#invite;
  }

  /**
   * Holds what was typed against the code of the tunnel that is open now. Resolves when its consequence is on record.
   */
  async checkCode(typed: string): Promise<CodeVerdict> {
    const given = normalizeCode(typed);
    if (given === undefined || this.#code === undefined) return 'malformed';
    if (sameCode(given, this.#code)) {
      await this.proved();
      return 'right';
    }
    await this.#keep(withWrongCode(this.#invite));
    // It may be spent by answers already, beside this tunnel.
    if (this.#invite.wrongCodes < INVITE_LIMITS.wrongCodes) return 'wrong';
    this.#events.onSpent('codes');
    return 'spent';
  }

  /** A code was right or a chip on record proved its key: answers are counted from 0 again. */
  async proved(): Promise<void> {
    const state = withProof(this.#invite);
    if (state !== this.#invite) await this.#keep(state);
  }

  /** Ends the invite; the tunnel goes on as long as it lives. */
  async spend(why: SpentReason): Promise<void> {
    await this.#spend(why, () => {});
  }

  /** @param tell what the agent hears of it, before whoever owns this tunnel may close it */
  async #spend(why: SpentReason, tell: () => void): Promise<void> {
    if (this.#invite.spent !== undefined) return;
    await this.#keep(spend(this.#invite, why));
    tell();
    this.#events.onSpent(why);
  }

  protected linkAttached(): void {
    if (this.#unsaved === undefined) this.channel?.linkUp();
  }

  protected receiveHandshake(item: Exclude<Wire, { readonly name: 'BOX' | 'RESUME' }>): void {
    if (item.name === 'T1') this.#receiveT1(item.message);
    if (item.name === 'T3') this.#receiveT3(item.message);
  }

  protected heard(): void {}

  protected acknowledged(channel: Channel): void {
    if (channel !== this.channel) return;
    const state = withAcknowledged(this.#invite, this.#invite.tunnels);
    if (state !== this.#invite) this.#keep(state).catch(() => {});
  }

  protected wipeSecrets(): void {
    this.#cancelPending();
    this.#responder.wipe();
    this.#code = undefined;
    this.#unsaved = undefined;
  }

  #receiveT1(t1: Uint8Array): void {
    const verdict = this.#responder.receiveT1(t1, this.#invite);
    switch (verdict.kind) {
      case 'answer':
        return this.#answer(t1, verdict);
      case 'too many':
        return this.#spendAndTell(t1, 'answers');
      case 'second holder':
        return this.#spendAndTell(t1, 'second holder');
      case 'spent':
        return this.say({ name: 'SPENT', message: verdict.tag });
      case 'drop':
        return this.options.log.debug({ why: verdict.why }, 'T1 dropped');
    }
  }

  #answer(t1: Uint8Array, { t2, fresh }: T1Verdict & { kind: 'answer' }): void {
    if (fresh) {
      this.#cancelPending();
      this.#cancelPending = this.options.clock.after(PENDING_MS, () => this.#responder.wipe());
      this.#counted = this.#keep(withAnswer(this.#invite, t1));
    }
    const transmit = (): void => {
      if (this.#responder.waitsFor(t1)) this.say({ name: 'T2', message: t2 });
    };
    this.#counted.then(transmit, () =>
      this.options.log.warn({}, 'the count of answers could not be stored: T1 is left unanswered'),
    );
  }

  /** Spends the invite over this T1, and tells its sender so. */
  #spendAndTell(t1: Uint8Array, why: SpentReason): void {
    const secret = this.#invite.secret;
    const tag = secret === undefined ? undefined : spentTag(tagKey(secret), t1);
    const tell = (): void => {
      if (tag !== undefined) this.say({ name: 'SPENT', message: tag });
    };
    this.#spend(why, tell).then(
      () => {
        if (why === 'second holder') this.failed(fail('BF-INVITE-SECOND-HOLDER'));
      },
      () => this.options.log.error({}, 'that the invite is spent could not be stored'),
    );
  }

  #receiveT3(t3: Uint8Array): void {
    const opened = this.#responder.receiveT3(t3);
    if (opened === undefined) return;
    this.#cancelPending();
    const channel = this.adopt(opened, undefined);
    this.#unsaved = channel;
    this.#code = opened.code;
    const state = withTunnel(this.#invite, nextSecret(opened.result.exporter));
    const kept = this.#keep(state);
    this.#events.onOpened({ number: state.tunnels });
    kept.then(
      () => this.#start(channel),
      () => this.options.log.warn({}, 'the way back could not be stored: nothing is said in this tunnel'),
    );
  }

  /**
   * Called once the next secret is on disk. The first box makes the agent forget the secret that opened this tunnel:
   * from here on only the next one opens another.
   */
  #start(channel: Channel): void {
    if (this.#unsaved !== channel) return;
    this.#unsaved = undefined;
    if (this.linked) channel.start();
  }

  #keep(state: InviteState): Promise<void> {
    this.#invite = state;
    return this.#events.keep(state);
  }
}
