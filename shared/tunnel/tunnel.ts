// The tunnel between controller and agent: opened by handshake, kept over link losses, reopened by the resume secret
// (docs/protocol.md §4, §6, §11). Event-driven: the owner hands in link events and DATA bodies, time comes from Clock.
import { wipe } from '../codec/bytes.ts';
import type { HandshakeResult } from '../crypto/handshake.ts';
import { psk, type ExchangeKeyPair, type ExchangePublic, type Psk } from '../crypto/keys.ts';
import { asBlindflashError, fail, type BlindflashError } from '../errors/errors.ts';
import type { Clock, Log, Random } from '../ports.ts';
import { TunnelResponder } from './responder.ts';
import { Channel } from './channel.ts';
import type { TunnelMessage } from './messages.ts';
import { TunnelInitiator } from './initiator.ts';
import { resumeSecret as resumeSecretOf, sessionTag, tunnelCode, type PskName } from './secrets.ts';
import { decodeWire, encodeWire, type Wire } from './wire.ts';

/** T1 travels again this often while the peer is there and does not answer. */
const T1_EVERY_MS = 5000;
/** T1 is given up when a controller who is there leaves it unanswered this often: the invite is spent, or he never got the resume secret. */
const T1_TRIES = 12;
/** A rejoined agent whose peer shows no sign of the session for this long opens a new tunnel beside the old one. */
const REOPEN_AFTER_MS = 3000;

/** What the owner learns when a tunnel is confirmed. */
export interface TunnelConfirmed {
  /** `ABC-DEF`, to be compared by the two people. */
  readonly code: string;
  /** Keep it (agent: before this callback returns; it precedes T3). The same for every tunnel of one invite. */
  readonly resumeSecret: Psk;
  /** False for the tunnel opened by the invite (whose secret is dead now), true for all later ones. */
  readonly resumed: boolean;
}

export interface TunnelEvents {
  onConfirmed(confirmed: TunnelConfirmed): void;
  /** Controller: resolves once what `onConfirmed` handed over is on disk; no box leaves before (§6), and none if it rejects. Absent: at once. */
  kept?(): Promise<void>;
  onMessage(message: TunnelMessage): void;
  /** The tunnel is over; it has wiped itself. Once at most. */
  onFailed(error: BlindflashError): void;
  /** Everything sent has been acknowledged. */
  onDrained?(): void;
  /** Controller: somebody came with the dead secret of the invite (BF-INVITE-USED). Once at most. */
  onSecondUse?(error: BlindflashError): void;
}

interface CommonOptions {
  /** SHA-512(public invite), 64 bytes. */
  readonly publicInviteHash: Uint8Array;
  /** The invite's secret; leave out once it is dead. */
  readonly inviteSecret?: Psk | undefined;
  /** Of an earlier tunnel of this invite. With both, the agent tries this first. */
  readonly resumeSecret?: Psk | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly events: TunnelEvents;
}

export interface AgentTunnelOptions extends CommonOptions {
  readonly role: 'agent';
  readonly controllerPublic: ExchangePublic<'tunnel'>;
}

export interface ControllerTunnelOptions extends CommonOptions {
  readonly role: 'controller';
  readonly keyPair: ExchangeKeyPair<'tunnel'>;
}

export type TunnelOptions = AgentTunnelOptions | ControllerTunnelOptions;

/** opening: not yet confirmed; open: messages travel; failed, closed: over. */
export type TunnelState = 'opening' | 'open' | 'failed' | 'closed';

export class Tunnel {
  readonly #options: TunnelOptions;
  readonly #secrets: Partial<Record<PskName, Psk>> = {};
  readonly #initiator: TunnelInitiator | undefined;
  readonly #responder: TunnelResponder | undefined;
  #state: TunnelState = 'opening';
  #channel: Channel | undefined;
  #send: ((body: Uint8Array) => void) | undefined;
  #timer: (() => void) | undefined;
  #secondUseTold = false;
  #asked = 0;
  /** The confirmed channel whose resume secret is not known to be on disk. */
  #unkept: Channel | undefined;

  constructor(options: TunnelOptions) {
    this.#options = options;
    if (options.inviteSecret !== undefined) this.#secrets.invite = psk(options.inviteSecret);
    if (options.resumeSecret !== undefined) this.#secrets.resume = psk(options.resumeSecret);
    if (options.role === 'agent') this.#initiator = new TunnelInitiator(options);
    else this.#responder = new TunnelResponder(options);
  }

  get state(): TunnelState {
    return this.#state;
  }

  /** Messages sent and not yet acknowledged by the peer. */
  get unacknowledged(): number {
    return this.#channel?.unacknowledged ?? 0;
  }

  /**
   * The peer can be reached: to be called on WELCOME(1) and on every PEER(1). `send` takes one DATA body; one that throws
   * counts as linkLost(). Calling it again without linkLost() between is right when PEER(1) says so.
   */
  attachLink(send: (body: Uint8Array) => void): void {
    if (this.#over()) return;
    this.#send = send;
    this.#cancelTimer();
    this.#asked = 0;
    if (this.#unkept === undefined) this.#channel?.linkUp();
    if (this.#initiator === undefined) return;
    if (this.#channel === undefined) this.#askForTunnel(false);
    else this.#after(REOPEN_AFTER_MS, () => this.#reopen());
  }

  /** The link is gone, or PEER(0): nothing is transmitted until attachLink; nothing is forgotten. */
  linkLost(): void {
    this.#send = undefined;
    this.#cancelTimer();
    this.#channel?.linkDown();
  }

  /** A DATA body came from the relay. Garbage is dropped; what a confirmed peer did wrong ends in onFailed. */
  receive(body: Uint8Array): void {
    if (this.#over()) return;
    const item = this.#decode(body);
    if (item === undefined) return;
    if (item.tag === 'BOX') this.#channel?.receiveBox(item.sequence, item.box);
    else if (item.tag === 'RESUME') this.#channel?.receiveResume(item.session, item.have);
    else if (item.tag === 'T1') this.#receiveT1(item.message);
    else if (item.tag === 'T2') this.#receiveT2(item.message);
    else this.#receiveT3(item.message);
  }

  /**
   * Sends a message, now or as soon as the link is back. Throws BF-TUNNEL-CLOSED before the tunnel is confirmed and after
   * its end, BF-TUNNEL-TIMEOUT when 4096 messages or 8 MiB wait for acknowledgement, BF-INTERNAL-ARGUMENT for a message
   * that is not this side's or does not fit.
   */
  send(message: TunnelMessage): void {
    if (this.#channel === undefined || this.#over()) throw fail('BF-TUNNEL-CLOSED', `the tunnel is ${this.#state}`);
    this.#channel.send(message);
  }

  /** Ends the tunnel here and wipes its secrets; the peer is not told. */
  close(): void {
    this.#end('closed');
  }

  // ── agent ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends T1, with the resume secret if there is one; unanswered for a while, with the invite's secret as well. */
  #askForTunnel(unanswered: boolean): void {
    const initiator = this.#initiator as TunnelInitiator;
    const { resume, invite } = this.#secrets;
    if (this.#channel === undefined && ++this.#asked > T1_TRIES) {
      this.#failed(
        invite === undefined ? unknownThere() : fail('BF-INVITE-USED', 'the vendor is there and lets it be'),
      );
      return;
    }
    if (resume !== undefined) initiator.begin('resume', resume);
    if (invite !== undefined && (resume === undefined || unanswered)) initiator.begin('invite', invite);
    for (const message of initiator.t1) this.#transmit(encodeWire({ tag: 'T1', message }));
    this.#after(T1_EVERY_MS, () => this.#askForTunnel(true));
  }

  /** The controller came back without the session: a second tunnel is opened; the first lives until that is confirmed. */
  #reopen(): void {
    this.#options.log.info({}, 'the peer does not know the session, opening a new tunnel');
    this.#askForTunnel(false);
  }

  #receiveT2(t2: Uint8Array): void {
    if (this.#initiator === undefined || this.#initiator.t1.length === 0) return;
    try {
      const opened = this.#initiator.receiveT2(t2);
      if (opened !== undefined) this.#openAsAgent(opened.psk, opened.result, opened.t3);
      else this.#askForTunnel(false);
    } catch (error) {
      if (this.#channel === undefined) this.#failed(asBlindflashError(error));
      else this.#askAfresh();
    }
  }

  /** Somebody answers for the controller. The old session lives; a new T1 goes out once he may be gone. */
  #askAfresh(): void {
    this.#stopAsking();
    this.#after(REOPEN_AFTER_MS, () => this.#reopen());
  }

  /** The owner stores the resume secret before T3 leaves: afterwards the invite's secret is of no use to anybody. */
  #openAsAgent(name: PskName, result: HandshakeResult, t3: Uint8Array): void {
    this.#stopAsking();
    const channel = this.#adopt(name, result, encodeWire({ tag: 'T3', message: t3 }));
    this.#options.events.onConfirmed(this.#confirmation(name, result));
    if (this.#send !== undefined && this.#channel === channel) channel.start();
  }

  #stopAsking(): void {
    this.#cancelTimer();
    this.#initiator?.wipe();
  }

  // ── controller ────────────────────────────────────────────────────────────────────────────────────────────────

  #receiveT1(t1: Uint8Array): void {
    const answer = this.#responder?.receiveT1(t1, this.#secrets);
    if (answer?.kind === 'answer') this.#transmit(encodeWire({ tag: 'T2', message: answer.t2 }));
    else if (answer?.kind === 'second use') this.#tellSecondUse();
    else if (answer !== undefined) this.#options.log.debug({ why: answer.why }, 'T1 ignored');
  }

  #receiveT3(t3: Uint8Array): void {
    const confirmed = this.#responder?.receiveT3(t3);
    if (confirmed === undefined) return;
    const channel = this.#adopt(confirmed.psk, confirmed.result, undefined);
    this.#unkept = channel;
    const { events } = this.#options;
    events.onConfirmed(this.#confirmation(confirmed.psk, confirmed.result));
    if (events.kept === undefined) {
      this.#startAsController(channel);
    } else {
      events.kept().then(
        () => this.#startAsController(channel),
        () => this.#options.log.warn({}, 'the resume secret could not be stored: nothing is said in this tunnel'),
      );
    }
  }

  /** The first box makes the agent forget the invite's secret: from here on only the resume secret opens a tunnel. */
  #startAsController(channel: Channel): void {
    if (this.#unkept !== channel) return;
    this.#unkept = undefined;
    if (this.#send !== undefined) channel.start();
  }

  #tellSecondUse(): void {
    this.#options.log.warn({}, 'the dead secret of the invite was presented');
    if (this.#secondUseTold) return;
    this.#secondUseTold = true;
    this.#options.events.onSecondUse?.(fail('BF-INVITE-USED'));
  }

  // ── both ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Puts the confirmed session in place of whatever was before. Every tunnel of an invite has one resume secret. */
  #adopt(name: PskName, result: HandshakeResult, preamble: Uint8Array | undefined): Channel {
    this.#channel?.close();
    if (name === 'invite') this.#secrets.resume = resumeSecretOf(result.exporter);
    if (this.#responder !== undefined) this.#forgetInvite();
    const { clock, log, role, events } = this.#options;
    const channel: Channel = new Channel({
      side: role,
      session: result.session,
      tag: sessionTag(result.exporter),
      clock,
      log,
      ...(preamble === undefined ? {} : { preamble }),
      transmit: (body) => this.#transmit(body),
      onMessage: (message) => events.onMessage(message),
      onHeard: (proven) => this.#heard(proven),
      onDrained: () => events.onDrained?.(),
      onFailed: (error) => this.#failed(error),
    });
    this.#channel = channel;
    this.#state = 'open';
    return channel;
  }

  /** A box that opened proves that the controller got T3; only then the agent has no more use for the invite's secret. */
  #heard(proven: boolean): void {
    this.#stopAsking();
    if (proven) this.#forgetInvite();
  }

  #forgetInvite(): void {
    wipe(this.#secrets.invite);
    delete this.#secrets.invite;
  }

  #confirmation(name: PskName, result: HandshakeResult): TunnelConfirmed {
    const code = tunnelCode(result.exporter);
    wipe(result.exporter);
    return { code, resumeSecret: psk(this.#secrets.resume as Psk), resumed: name === 'resume' };
  }

  #decode(body: Uint8Array): Wire | undefined {
    try {
      return decodeWire(body);
    } catch {
      this.#options.log.debug({ bytes: body.length }, 'DATA that is none of ours dropped');
      return undefined;
    }
  }

  #transmit(body: Uint8Array): void {
    try {
      this.#send?.(body);
    } catch {
      this.linkLost();
    }
  }

  #after(delayMs: number, run: () => void): void {
    this.#cancelTimer();
    this.#timer = this.#options.clock.after(delayMs, () => {
      this.#timer = undefined;
      run();
    });
  }

  #cancelTimer(): void {
    this.#timer?.();
    this.#timer = undefined;
  }

  #failed(error: BlindflashError): void {
    this.#end('failed');
    this.#options.events.onFailed(error);
  }

  #end(state: 'failed' | 'closed'): void {
    if (this.#over()) return;
    this.#state = state;
    this.#send = undefined;
    this.#stopAsking();
    this.#responder?.wipe();
    this.#channel?.close();
    this.#channel = this.#unkept = undefined;
    wipe(this.#secrets.invite, this.#secrets.resume);
  }

  #over(): boolean {
    return this.#state === 'failed' || this.#state === 'closed';
  }
}

function unknownThere(): BlindflashError {
  return fail(
    'BF-TUNNEL-TIMEOUT',
    'no answer to what this computer remembers of the job; start again with the whole invite',
  );
}
