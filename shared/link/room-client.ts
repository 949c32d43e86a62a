// A side's way to its room: dials, proves it holds the ticket, passes DATA, and comes back when the way breaks.
// Spec: docs/protocol.md §1-§2. Used alike by agent and controller; both ends of the tunnel stand on it.
import { asBlindflashError, fail, mayRedial, type BlindflashError } from '../errors/errors.ts';
import { silentLog, type Clock, type Link, type Log, type Random } from '../ports.ts';
import { type CloseName, closeError, closeFor, closeName, closeWith, mayReturn } from './close.ts';
import { decodeLinkMessage, encodeLinkMessage, type LinkMessage, type LinkMessageName } from './link-message.ts';
import { RECONNECT } from './limits.ts';
import { decodeTicket, signPresent, type Ticket } from './ticket.ts';

export interface RoomClientOptions {
  /** Opens one link to the relay; rejects with a coded error. */
  readonly dial: () => Promise<Link>;
  /** The host that is dialled (`relayNameOf(url)`); ticket and CHALLENGE must both name it. */
  readonly dialledHost: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Log;
  readonly ticket: Uint8Array;
  /** Ed25519 secret key of the ticket's holder: seed 32 ‖ public key 32. */
  readonly holderSecretKey: Uint8Array;
  /** How long to try after a WELCOME was lost again, milliseconds. */
  readonly giveUpAfterMs?: number;
}

/** greeting: the relay's CHALLENGE is due; proving: PRESENT is out, WELCOME is due. */
export type RoomClientState = 'idle' | 'dialling' | 'greeting' | 'proving' | 'up' | 'waiting' | 'ended';

/** link failed: it, or the attempt to get one, and time may heal it; no way back: it cannot; close: by the owner. */
export type RoomClientEvent =
  'start' | 'linked' | 'challenge' | 'welcome' | 'link failed' | 'delay over' | 'no way back' | 'close';

/** State and event → the next state; docs/state-machines.md, "The room client". */
export const ROOM_CLIENT_MACHINE: Readonly<
  Record<RoomClientState, Readonly<Partial<Record<RoomClientEvent, RoomClientState>>>>
> = {
  idle: { start: 'dialling', 'no way back': 'ended', close: 'ended' },
  dialling: { linked: 'greeting', 'link failed': 'waiting', 'no way back': 'ended', close: 'ended' },
  greeting: { challenge: 'proving', 'link failed': 'waiting', 'no way back': 'ended', close: 'ended' },
  proving: { welcome: 'up', 'link failed': 'waiting', 'no way back': 'ended', close: 'ended' },
  up: { 'link failed': 'waiting', 'no way back': 'ended', close: 'ended' },
  waiting: { 'delay over': 'dialling', close: 'ended' },
  ended: {},
};

/** Messages of the relay that may come in a state; any other ends the client. */
const EXPECTED: Readonly<Partial<Record<RoomClientState, readonly LinkMessageName[]>>> = {
  greeting: ['challenge'],
  proving: ['welcome'],
  up: ['peer', 'data'],
};

/**
 * Assign the handlers, then `start()`. After `onEnd` or `close()` nothing is called any more.
 */
export class RoomClient {
  /** In the room. `onPeer` follows at once with whether the other side is there. */
  onUp: () => void = () => {};
  /** Out of the room; the client is on its way back by itself. Not called when it ends instead. */
  onDown: () => void = () => {};
  /** The other side is there, or is gone; called after every `onUp` and at every change. */
  onPeer: (present: boolean) => void = () => {};
  /** One DATA body of 1..8191 bytes. */
  onData: (body: Uint8Array) => void = () => {};
  /** There is no way back; called once. */
  onEnd: (error: BlindflashError) => void = () => {};

  readonly #options: RoomClientOptions;
  readonly #log: Log;
  #state: RoomClientState = 'idle';
  #link: Link | undefined;
  #peerPresent = false;
  #paused = false;
  /** Failures since the last good link; the exponent of the delay. */
  #failures = 0;
  #upSince = 0;
  /** Has been in the room. */
  #admitted = false;
  #revoking = false;
  #giveUpAt = 0;
  #cancelTimer: () => void = () => {};

  constructor(options: RoomClientOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLog;
  }

  /** True between `onUp` and `onDown`. */
  get up(): boolean {
    return this.#state === 'up';
  }

  get peerPresent(): boolean {
    return this.up && this.#peerPresent;
  }

  /** Bytes queued here and not yet handed to the network; 0 without a link. */
  get buffered(): number {
    return this.#link?.buffered ?? 0;
  }

  /** Begins. A ticket that is malformed or meant for another relay ends the client before anything is dialled. */
  start(): void {
    if (this.#state !== 'idle') throw fail('BF-INTERNAL-ARGUMENT', 'a room client starts once');
    this.#giveUpAt = this.#options.clock.now() + RECONNECT.firstGiveUpAfterMs;
    try {
      requireName(decodeTicket(this.#options.ticket), this.#options.dialledHost, 'the address');
    } catch (error) {
      this.#end(asBlindflashError(error));
      return;
    }
    this.#move('start');
    this.#dial();
  }

  /**
   * Sends one DATA body of 1..8191 bytes. False, and nothing sent, while this side is not in the room or the other one
   * is away; the tunnel resends.
   */
  send(body: Uint8Array): boolean {
    if (!this.peerPresent) return false;
    this.#link!.send(encodeLinkMessage({ name: 'data', body }));
    return true;
  }

  /**
   * For the controller's side: ends the room for good, its own link apart. REVOKE leaves now, or as soon as this side
   * is in the room again, and once more after every return. Before it has left, `close` drops it.
   */
  revoke(): void {
    this.#revoking = true;
    if (this.up) this.#sayRevoke();
  }

  /** Stops reading from the relay, across reconnections, until `resume`. */
  pause(): void {
    this.#paused = true;
    if (this.up) this.#link!.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#link?.resume();
  }

  /** Leaves the room for good, quietly: no handler is called any more. */
  close(): void {
    if (this.#state === 'ended') return;
    this.#move('close');
    this.#drop('done');
  }

  // ── one attempt ───────────────────────────────────────────────────────────────────────────────────────────────────

  #dial(): void {
    const attempt = Promise.resolve().then(() => this.#options.dial());
    let abandoned = false;
    this.#timer(RECONNECT.welcomeMs, () => {
      abandoned = true;
      this.#drop('slowAdmission');
      this.#failed(fail('BF-LINK-TIMEOUT', 'the relay did not admit this side in time'));
    });
    attempt.then(
      (link) => {
        if (abandoned || this.#state !== 'dialling') closeWith(link, 'done');
        else this.#greet(link);
      },
      (error: unknown) => {
        if (!abandoned && this.#state === 'dialling') this.#refused(asBlindflashError(error));
      },
    );
  }

  /** Who was in the room had the right address: what answers in the relay's place (a proxy, a portal) passes. */
  #refused(error: BlindflashError): void {
    this.#failed(error, this.#admitted || mayRedial(error.code));
  }

  #greet(link: Link): void {
    this.#move('linked');
    this.#link = link;
    link.onClose = (code) => {
      if (this.#link === link) this.#closed(code);
    };
    link.onMessage = (message) => {
      if (this.#link === link) this.#receive(message);
    };
  }

  #receive(message: Uint8Array): void {
    try {
      this.#take(decodeLinkMessage(message));
    } catch (error) {
      const known = asBlindflashError(error);
      this.#drop(closeFor(known.code) ?? 'done');
      this.#end(known);
    }
  }

  #take(message: LinkMessage): void {
    if (EXPECTED[this.#state]?.includes(message.name) !== true) {
      throw fail('BF-RELAY-PROTOCOL', `${message.name} out of turn`);
    }
    if (message.name === 'challenge') this.#present(message.nonce, message.relay);
    else if (message.name === 'welcome') this.#welcome(message.peerPresent);
    else if (message.name === 'peer') this.#setPeer(message.peerPresent);
    else if (message.name === 'data') this.#data(message.body);
  }

  #present(nonce: Uint8Array, relay: string): void {
    const { ticket, holderSecretKey, dialledHost } = this.#options;
    if (relay !== dialledHost) throw fail('BF-RELAY-WRONG-RELAY', `${relay} answered at ${dialledHost}`);
    this.#move('challenge');
    this.#link!.send(
      encodeLinkMessage({ name: 'present', ticket, signature: signPresent(holderSecretKey, nonce, ticket) }),
    );
  }

  #welcome(peerPresent: boolean): void {
    this.#cancelTimer();
    this.#move('welcome');
    this.#upSince = this.#options.clock.now();
    this.#log.info({ peerPresent }, 'in the room');
    if (this.#paused) this.#link!.pause();
    if (this.#revoking) this.#sayRevoke();
    this.onUp();
    if (this.up) this.#setPeer(peerPresent);
  }

  /** A link that is just going down carries nothing; REVOKE leaves after the return. */
  #sayRevoke(): void {
    try {
      this.#link!.send(encodeLinkMessage({ name: 'revoke' }));
    } catch {
      // BF-LINK-CLOSED: onClose follows.
    }
  }

  /** Whoever sends is there, whatever the relay said last. */
  #data(body: Uint8Array): void {
    if (!this.#peerPresent) this.#setPeer(true);
    if (this.up) this.onData(body);
  }

  #setPeer(present: boolean): void {
    this.#peerPresent = present;
    this.onPeer(present);
  }

  // ── endings and returns ───────────────────────────────────────────────────────────────────────────────────────────

  #closed(code: number): void {
    this.#link = undefined;
    const error = closeError(code);
    this.#log.info({ code, reason: closeName(code) }, 'link closed');
    this.#failed(error, mayReturn(code));
  }

  /** One attempt, or one link, is over: wait and come back, or give up. */
  #failed(error: BlindflashError, passing = mayRedial(error.code)): void {
    const wasUp = this.up;
    const { clock } = this.#options;
    this.#link = undefined;
    this.#cancelTimer();
    if (wasUp) this.#countAsAdmitted();
    const delay = this.#nextDelay();
    if (!passing || clock.now() + delay > this.#giveUpAt) {
      this.#end(error);
      return;
    }
    this.#move('link failed');
    this.#log.info({ code: error.code, delayMs: Math.round(delay) }, 'coming back');
    this.#timer(delay, () => {
      this.#move('delay over');
      this.#dial();
    });
    if (wasUp) this.onDown();
  }

  #countAsAdmitted(): void {
    const { clock, giveUpAfterMs } = this.#options;
    this.#admitted = true;
    this.#failures = Math.min(this.#failures, mostFailures(clock.now() - this.#upSince));
    this.#giveUpAt = clock.now() + (giveUpAfterMs ?? RECONNECT.giveUpAfterMs);
    this.#peerPresent = false;
  }

  /** Doubling delays up to a bound, each drawn from its upper half so that many sides do not come back at once. */
  #nextDelay(): number {
    const full = Math.min(RECONNECT.firstDelayMs * 2 ** Math.min(this.#failures++, 20), RECONNECT.longestDelayMs);
    const [low, high] = this.#options.random.bytes(2);
    return (full * (1 + (low! + 256 * high!) / 0xffff)) / 2;
  }

  #end(error: BlindflashError): void {
    if (this.#state === 'ended') return;
    this.#move('no way back');
    this.#drop('done');
    this.#log.info({ code: error.code }, 'no way back to the room');
    this.onEnd(error);
  }

  #drop(reason: CloseName): void {
    const link = this.#link;
    this.#link = undefined;
    this.#cancelTimer();
    if (link !== undefined) closeWith(link, reason);
  }

  #move(event: RoomClientEvent): void {
    const next = ROOM_CLIENT_MACHINE[this.#state][event];
    if (next === undefined) throw fail('BF-INTERNAL', `${event} while ${this.#state}`);
    this.#state = next;
  }

  #timer(delayMs: number, run: () => void): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#options.clock.after(delayMs, run);
  }
}

function requireName(ticket: Ticket, host: string, where: string): void {
  if (ticket.relay !== host) throw fail('BF-RELAY-WRONG-RELAY', `the ticket says ${ticket.relay}, ${where} ${host}`);
}

/**
 * How many failures count after a link that lived so long, milliseconds: the way back takes at most a quarter of that,
 * or on a line that breaks every few seconds two sides that wait half a minute each would hardly ever meet.
 */
function mostFailures(livedMs: number): number {
  if (livedMs >= RECONNECT.goodAfterMs) return 0;
  const delays = livedMs / 4 / RECONNECT.firstDelayMs;
  return delays < 1 ? Number.POSITIVE_INFINITY : Math.floor(Math.log2(delays));
}
