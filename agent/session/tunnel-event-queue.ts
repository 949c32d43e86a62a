// Room and tunnel as one thing a session can wait on: events in order, one end, one interruption
// (docs/protocol.md §6, §11).
import { asBlindflashError, fail, type BlindflashError } from '../../shared/errors/errors.ts';
import { publicInviteHash, type PublicInvite } from '../../shared/tunnel/invite.ts';
import type { Psk } from '../../shared/crypto/keys.ts';
import type { Clock, Log, Random } from '../../shared/ports.ts';
import type { OwnMessage, TunnelMessage } from '../../shared/tunnel/messages.ts';
import { AgentTunnel, type AgentTunnelOpened } from '../../shared/tunnel/agent-tunnel.ts';

/** The agent's place in a room; shared/link/room-client.ts is one, an in-memory pair in tests another. */
export interface RoomPort {
  onPeer: (present: boolean) => void;
  onDown: () => void;
  onData: (body: Uint8Array) => void;
  onEnd: (error: BlindflashError) => void;
  start(): void;
  /** One DATA body; false when nobody is there to take it. */
  send(body: Uint8Array): boolean;
  close(): void;
}

/** What comes out of room and tunnel, in order. */
export type TunnelEvent =
  | { readonly kind: 'opened'; readonly opened: AgentTunnelOpened }
  | { readonly kind: 'peer'; readonly present: boolean }
  | { readonly kind: 'message'; readonly message: TunnelMessage }
  /** The customer has answered the question that was put last. */
  | { readonly kind: 'answer'; readonly yes: boolean };

export interface TunnelEventQueueOptions {
  readonly room: RoomPort;
  readonly invite: PublicInvite;
  /** The way back, newest first, or the invite's secret alone. */
  readonly secrets: readonly Psk[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Aborted when the customer wants to stop. */
  readonly signal?: AbortSignal | undefined;
  /** As AgentTunnelEvents has it. */
  readonly keepSecrets: (secrets: readonly Psk[]) => void;
}

/** Events held at most before the session has taken them; the tunnel's window is smaller. */
export const MOST_EVENTS = 8192;

export class TunnelEventQueue {
  readonly #options: TunnelEventQueueOptions;
  readonly #tunnel: AgentTunnel;
  #events: TunnelEvent[] = [];
  /** Tunnels confirmed so far, and those whose `opened` was taken: what is said meanwhile belongs to the one before. */
  readonly #tunnels = { confirmed: 0, taken: 0 };
  #end: BlindflashError | undefined;
  #over = false;
  #wake: () => void = () => {};
  #drained: () => void = () => {};

  constructor(options: TunnelEventQueueOptions) {
    this.#options = options;
    const { invite, secrets, keepSecrets, clock, random, log } = options;
    this.#tunnel = new AgentTunnel({
      controllerPublic: invite.tunnelPublic,
      publicInviteHash: publicInviteHash(invite),
      secrets,
      clock,
      random,
      log,
      events: {
        keepSecrets,
        onOpened: (opened) => this.#opened(opened),
        onMessage: (message) => this.#push({ kind: 'message', message }),
        onFailed: (error) => this.#finish(error),
        onDrained: () => this.#drained(),
      },
    });
  }

  /** Messages of the tunnel before that nobody has taken are of no use in this one. */
  #opened(opened: AgentTunnelOpened): void {
    this.#tunnels.confirmed++;
    this.#events = this.#events.filter(({ kind }) => kind !== 'message');
    this.#push({ kind: 'opened', opened });
  }

  /** Events nobody has taken yet. */
  get held(): number {
    return this.#events.length;
  }

  /** Enters the room. */
  start(): void {
    const { room, signal } = this.#options;
    room.onPeer = (present) => {
      if (present) this.#tunnel.attachLink((body) => void room.send(body));
      else this.#tunnel.linkLost();
      this.#push({ kind: 'peer', present });
    };
    room.onDown = () => {
      this.#tunnel.linkLost();
      this.#push({ kind: 'peer', present: false });
    };
    room.onData = (body) => this.#tunnel.receive(body);
    room.onEnd = (error) => this.#finish(error);
    signal?.addEventListener('abort', () => this.#finish(fail('BF-JOB-INTERRUPTED')), { once: true });
    if (signal?.aborted === true) this.#finish(fail('BF-JOB-INTERRUPTED'));
    else room.start();
  }

  /** The next event. @throws why it is over, after the events before that. */
  async next(): Promise<TunnelEvent> {
    for (;;) {
      const event = this.take();
      if (event !== undefined) return event;
      await this.#arrival();
    }
  }

  /** The next event if there is one. @throws as `next` */
  take(): TunnelEvent | undefined {
    // An interruption does not wait for what is queued; everything else is told in order.
    if (this.#end?.code === 'BF-JOB-INTERRUPTED') throw this.#end;
    const event = this.#events.shift();
    if (event === undefined && this.#end !== undefined) throw this.#end;
    if (event?.kind === 'opened') this.#tunnels.taken++;
    return event;
  }

  /** Resolves when something has arrived, or after `ms`. */
  async pause(ms: number): Promise<void> {
    if (this.#events.length > 0 || this.#end !== undefined || ms <= 0) return;
    const arrival = this.#arrival();
    const cancel = this.#options.clock.after(ms, () => this.#wakeAll());
    await arrival;
    cancel();
  }

  /** The answer becomes an event; a question that fails is the end. */
  expectAnswer(answer: Promise<boolean>): void {
    answer.then(
      (yes) => this.#push({ kind: 'answer', yes }),
      (error: unknown) => this.#finish(asBlindflashError(error)),
    );
  }

  /**
   * Sends a message, now or when the peer is back. One for a tunnel that another has replaced meanwhile is dropped.
   * @throws why the tunnel failed, BF-TUNNEL-CLOSED, BF-TUNNEL-TIMEOUT
   */
  send(message: OwnMessage): void {
    this.#requireTunnel();
    if (this.#tunnels.taken !== this.#tunnels.confirmed) return;
    this.#tunnel.send(message);
  }

  /**
   * The id of the sealed session that an M1 sent now leads to, 16 bytes.
   * @throws why the tunnel failed, BF-TUNNEL-CLOSED
   */
  sealedSessionId(m1: Uint8Array): Uint8Array {
    this.#requireTunnel();
    return this.#tunnel.sealedSessionId(m1);
  }

  /** What broke the tunnel is the reason, not that it is broken. */
  #requireTunnel(): void {
    if (this.#tunnel.state === 'failed' && this.#end !== undefined) throw this.#end;
  }

  /** Asks for another tunnel; `opened` comes when it stands. */
  reopen(): void {
    this.#tunnel.reopen();
  }

  /** Sends as a last word: a tunnel that is no more does not matter. False when nothing could be sent. */
  trySend(message: OwnMessage): boolean {
    try {
      this.send(message);
      return true;
    } catch {
      return false;
    }
  }

  /** Gives what was sent `limitMs` to be acknowledged, then leaves tunnel and room. */
  async close(limitMs: number): Promise<void> {
    if (this.#tunnel.state === 'open' && this.#tunnel.unacknowledged > 0) {
      await new Promise<void>((resolve) => {
        const cancel = this.#options.clock.after(limitMs, resolve);
        this.#drained = () => {
          cancel();
          resolve();
        };
      });
    }
    this.#over = true;
    this.#tunnel.close();
    this.#options.room.close();
  }

  #push(event: TunnelEvent): void {
    if (this.#over) return;
    if (this.#events.length >= MOST_EVENTS) this.#finish(fail('BF-TUNNEL-MESSAGE', 'more messages than credit'));
    else this.#events.push(event);
    this.#wakeAll();
  }

  #finish(error: BlindflashError): void {
    this.#end ??= error;
    this.#wakeAll();
  }

  #arrival(): Promise<void> {
    return new Promise((resolve) => {
      const before = this.#wake;
      this.#wake = () => {
        before();
        resolve();
      };
    });
  }

  #wakeAll(): void {
    const wake = this.#wake;
    this.#wake = () => {};
    wake();
  }
}
