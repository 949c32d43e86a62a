// What both ends of a tunnel have in common (docs/protocol.md §6): a link that comes and goes, at most one confirmed
// channel, one timer. The two ends are agent-tunnel.ts and controller-tunnel.ts.
import { wipe } from '../codec/bytes.ts';
import type { BlindflashError } from '../errors/errors.ts';
import { fail } from '../errors/errors.ts';
import type { Clock, Log, Random } from '../ports.ts';
import { Channel } from './channel.ts';
import type { OpenedTunnel } from './handshake.ts';
import type { OwnMessage, TunnelMessage, TunnelSide } from './messages.ts';
import { sealedSessionId, sessionTag } from './secrets.ts';
import { decodeWire, encodeWire, type Wire } from './wire.ts';

export interface TunnelEvents {
  onMessage(message: TunnelMessage): void;
  /** The tunnel is over; it has wiped itself. Once at most. */
  onFailed(error: BlindflashError): void;
  /** Everything sent has been acknowledged. */
  onDrained?(): void;
}

export interface TunnelOptions {
  /** SHA-512(public invite), 64 bytes. */
  readonly publicInviteHash: Uint8Array;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** opening: not yet confirmed; open: messages travel; failed, closed: over. */
export type TunnelState = 'opening' | 'open' | 'failed' | 'closed';

export abstract class Tunnel {
  protected readonly options: TunnelOptions;
  protected channel: Channel | undefined;
  readonly #side: TunnelSide;
  readonly #events: TunnelEvents;
  #state: TunnelState = 'opening';
  #transmitBody: ((body: Uint8Array) => void) | undefined;
  #exporter: Uint8Array | undefined;
  #timer: (() => void) | undefined;

  constructor(side: TunnelSide, options: TunnelOptions, events: TunnelEvents) {
    this.#side = side;
    this.options = options;
    this.#events = events;
  }

  get state(): TunnelState {
    return this.#state;
  }

  /** Messages sent and not yet acknowledged by the peer. */
  get unacknowledged(): number {
    return this.channel?.unacknowledged ?? 0;
  }

  /** The id of the sealed session an M1 sent through this tunnel leads to, 16 bytes. @throws BF-TUNNEL-CLOSED */
  sealedSessionId(m1: Uint8Array): Uint8Array {
    if (this.#exporter === undefined) throw fail('BF-TUNNEL-CLOSED', `the tunnel is ${this.#state}`);
    return sealedSessionId(this.#exporter, m1);
  }

  /**
   * The peer can be reached: to be called on WELCOME(1) and on every PEER(1). `send` takes one DATA body; one that
   * throws counts as linkLost(). Calling it again without linkLost() between is right when PEER(1) says so.
   */
  attachLink(send: (body: Uint8Array) => void): void {
    if (this.over) return;
    this.#transmitBody = send;
    this.cancelTimer();
    this.linkAttached();
  }

  /** The link is gone, or PEER(0): nothing is transmitted until attachLink; nothing is forgotten. */
  linkLost(): void {
    this.#transmitBody = undefined;
    this.cancelTimer();
    this.channel?.linkDown();
  }

  /** A DATA body came from the relay. Garbage is dropped; what a confirmed peer did wrong ends in onFailed. */
  receive(body: Uint8Array): void {
    if (this.over) return;
    const item = this.#decode(body);
    if (item === undefined) return;
    if (item.name === 'BOX') this.channel?.receiveBox(item.sequence, item.box);
    else if (item.name === 'RESUME') this.channel?.receiveResume(item.session, item.have);
    else this.receiveHandshake(item);
  }

  /**
   * Sends a message, now or as soon as the link is back. Throws BF-TUNNEL-CLOSED before the tunnel is confirmed and
   * after its end, BF-TUNNEL-TIMEOUT when 4096 messages or 8 MiB wait for acknowledgement, BF-INTERNAL-ARGUMENT for a
   * message that is not this side's or does not fit.
   */
  send(message: OwnMessage): void {
    if (this.channel === undefined || this.over) throw fail('BF-TUNNEL-CLOSED', `the tunnel is ${this.#state}`);
    this.channel.send(message);
  }

  /** Ends the tunnel here and wipes its secrets; the peer is not told. */
  close(): void {
    this.#end('closed');
  }

  // ── for the two ends ──────────────────────────────────────────────────────────────────────────────────────────────

  protected abstract linkAttached(): void;
  protected abstract receiveHandshake(item: Exclude<Wire, { readonly name: 'BOX' | 'RESUME' }>): void;
  /** `proven`: a box of the peer opened. Otherwise only a RESUME came, which anybody may have sent again. */
  protected abstract heard(proven: boolean): void;
  /** The peer has acknowledged a box of ours. */
  protected abstract acknowledged(channel: Channel): void;
  protected abstract wipeSecrets(): void;

  protected get over(): boolean {
    return this.#state === 'failed' || this.#state === 'closed';
  }

  protected get linked(): boolean {
    return this.#transmitBody !== undefined;
  }

  /** Puts the confirmed session in place of whatever was before. */
  protected adopt({ result }: OpenedTunnel, preamble: Uint8Array | undefined): Channel {
    this.channel?.close();
    wipe(this.#exporter);
    this.#exporter = result.exporter;
    const { clock, log } = this.options;
    const channel: Channel = new Channel({
      side: this.#side,
      session: result.session,
      tag: sessionTag(result.exporter),
      clock,
      log,
      ...(preamble === undefined ? {} : { preamble }),
      transmit: (body) => this.transmit(body),
      onMessage: (message) => this.#events.onMessage(message),
      onHeard: (proven) => this.heard(proven),
      onAcknowledged: () => this.acknowledged(channel),
      onDrained: () => this.#events.onDrained?.(),
      onFailed: (error) => this.failed(error),
    });
    this.channel = channel;
    this.#state = 'open';
    return channel;
  }

  protected say(item: Wire): void {
    this.transmit(encodeWire(item));
  }

  protected transmit(body: Uint8Array): void {
    try {
      this.#transmitBody?.(body);
    } catch {
      this.linkLost();
    }
  }

  protected after(delayMs: number, run: () => void): void {
    this.cancelTimer();
    this.#timer = this.options.clock.after(delayMs, () => {
      this.#timer = undefined;
      run();
    });
  }

  protected cancelTimer(): void {
    this.#timer?.();
    this.#timer = undefined;
  }

  protected failed(error: BlindflashError): void {
    if (this.over) return;
    this.#end('failed');
    this.#events.onFailed(error);
  }

  #end(state: 'failed' | 'closed'): void {
    if (this.over) return;
    this.#state = state;
    this.#transmitBody = undefined;
    this.cancelTimer();
    this.channel?.close();
    this.channel = undefined;
    wipe(this.#exporter);
    this.#exporter = undefined;
    this.wipeSecrets();
  }

  #decode(body: Uint8Array): Wire | undefined {
    try {
      return decodeWire(body);
    } catch {
      this.options.log.debug({ bytes: body.length }, 'DATA that is none of ours dropped');
      return undefined;
    }
  }
}
