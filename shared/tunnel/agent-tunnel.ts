// The agent's end of a tunnel: it asks with the newest secret of the way back, after a while with the older one as
// well, and keeps at most those two (docs/protocol.md §4 "The way back", §6).
import { equalBytes, wipe } from '../codec/bytes.ts';
import { psk, type ExchangePublic, type Psk } from '../crypto/keys.ts';
import { asBlindflashError, fail } from '../errors/errors.ts';
import { TunnelInitiator, type OpenedWithSecret } from './initiator.ts';
import { nextSecret } from './secrets.ts';
import { Tunnel, type TunnelEvents, type TunnelOptions } from './tunnel.ts';
import { encodeWire, type Wire } from './wire.ts';

/** T1 travels again this often while the peer is there and does not answer. */
const T1_EVERY_MS = 5000;
/** An opened tunnel in which nothing is heard for so long is asked for anew: the answer to it is gone by then. */
const UNHEARD_MS = 60_000;
/** T1 is given up when a controller who is there leaves it unanswered this often. */
const T1_TRIES = 12;
/** A rejoined agent whose peer shows no sign of the session for this long opens a new tunnel beside the old one. */
const REOPEN_AFTER_MS = 3000;

/** What the agent learns when a tunnel is confirmed; T3 leaves afterwards. */
export interface AgentTunnelOpened {
  /** `ABC-DEF`, to be read to the vendor. */
  readonly code: string;
  /** True for every tunnel of this process but the first. */
  readonly again: boolean;
}

export interface AgentTunnelEvents extends TunnelEvents {
  onOpened(opened: AgentTunnelOpened): void;
  /**
   * From now on these secrets (newest first; one or two, 32 bytes each) are the way back: on disk in one write before
   * this returns. Throwing ends the tunnel: T3 does not leave, or the box is not acknowledged.
   */
  keepSecrets(secrets: readonly Psk[]): void;
}

export interface AgentTunnelOptions extends TunnelOptions {
  readonly controllerPublic: ExchangePublic<'tunnel'>;
  /** Newest first, one or two: the invite's secret alone, or what `keepSecrets` kept last. */
  readonly secrets: readonly Psk[];
  readonly events: AgentTunnelEvents;
}

export class AgentTunnel extends Tunnel {
  readonly #events: AgentTunnelEvents;
  readonly #initiator: TunnelInitiator;
  #secrets: Psk[];
  #opened = false;
  /** A new tunnel is wanted although the one there is lives. */
  #reopening = false;
  #asked = 0;

  constructor(options: AgentTunnelOptions) {
    super('agent', options, options.events);
    this.#events = options.events;
    this.#secrets = options.secrets.map((secret) => psk(secret));
    const { controllerPublic, publicInviteHash, random } = options;
    this.#initiator = new TunnelInitiator({ controllerPublic, publicInviteHash, random });
  }

  /** Opens a new tunnel beside this one: the chip shows another key than the one offered here (§8, "D"). */
  reopen(): void {
    if (this.over || this.#reopening) return;
    this.#reopening = true;
    this.#asked = 0;
    this.#ask(false);
  }

  protected linkAttached(): void {
    this.#asked = 0;
    this.channel?.linkUp();
    if (this.channel === undefined || this.#reopening) this.#ask(false);
    else this.after(REOPEN_AFTER_MS, () => this.#peerIsNew());
  }

  protected receiveHandshake(item: Exclude<Wire, { readonly name: 'BOX' | 'RESUME' }>): void {
    if (item.name === 'T2') this.#receiveT2(item.message);
    if (item.name === 'SPENT' && this.#initiator.isSpent(item.message)) this.failed(fail('BF-INVITE-SPENT'));
  }

  /** The first box that opens proves that the controller has replaced the secret that opened this tunnel. */
  protected heard(proven: boolean): void {
    if (!this.#reopening) this.#stopAsking();
    if (!proven || this.#secrets.length < 2) return;
    const [newest, ...older] = this.#secrets as [Psk, ...Psk[]];
    this.#events.keepSecrets([newest]);
    this.#secrets = [newest];
    wipe(...older);
  }

  protected acknowledged(): void {}

  protected wipeSecrets(): void {
    this.#initiator.wipe();
    wipe(...this.#secrets);
  }

  /** Sends T1 with the newest secret; unanswered for a while, with the older as well. */
  #ask(unanswered: boolean): void {
    // Nobody hears it: asked again once there is a link.
    if (!this.linked) return;
    const needed = this.channel === undefined || this.#reopening;
    if (needed && ++this.#asked > T1_TRIES) {
      this.failed(fail('BF-INVITE-USED', 'the vendor is there and lets it be'));
      return;
    }
    for (const secret of unanswered ? this.#secrets : this.#secrets.slice(0, 1)) this.#initiator.begin(secret);
    for (const message of this.#initiator.t1) this.say({ name: 'T1', message });
    this.after(T1_EVERY_MS, () => this.#ask(true));
  }

  /**
   * The controller came back without the session: a second tunnel is opened; the first lives until that is confirmed.
   */
  #peerIsNew(): void {
    this.options.log.info({}, 'the peer does not know the session, opening a new tunnel');
    this.#ask(false);
  }

  #receiveT2(t2: Uint8Array): void {
    const opened = this.#initiator.receiveT2(t2);
    if (opened === undefined) return;
    try {
      this.#open(opened);
    } catch (error) {
      this.failed(asBlindflashError(error));
    }
  }

  /** Both secrets are on disk before T3 leaves: whichever of the two the controller has next, this end has it too. */
  #open(opened: OpenedWithSecret): void {
    this.cancelTimer();
    const next = nextSecret(opened.result.exporter);
    this.#events.keepSecrets([next, opened.secret]);
    for (const secret of this.#secrets) if (!equalBytes(secret, opened.secret)) wipe(secret);
    this.#secrets = [next, opened.secret];
    const channel = this.adopt(opened, encodeWire({ name: 'T3', message: opened.t3 }));
    const again = this.#opened;
    this.#opened = true;
    this.#reopening = false;
    // Until it acknowledges something the controller may never have had T3, and forgets its answer after a minute.
    this.after(UNHEARD_MS, () => {
      if (this.unacknowledged > 0) this.#peerIsNew();
    });
    this.#events.onOpened({ code: opened.code, again });
    if (this.linked && this.channel === channel) channel.start();
  }

  #stopAsking(): void {
    this.cancelTimer();
    this.#initiator.wipe();
  }
}
