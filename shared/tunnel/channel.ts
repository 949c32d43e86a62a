// The reliable message channel inside a confirmed tunnel: numbers, acknowledgements, resending (docs/protocol.md §6).
// Knows nothing of handshakes. Everything is driven by calls and by the Clock.
import { concat, copyOf, equalBytes, Reader, u32le } from '../codec/bytes.ts';
import type { BoxSession } from '../crypto/session.ts';
import { asBlindflashError, fail, type BlindflashError } from '../errors/errors.ts';
import type { Clock, Log } from '../ports.ts';
import {
  decodeMessage,
  encodeMessage,
  maySend,
  type OwnMessage,
  type TunnelMessage,
  type TunnelSide,
} from './messages.ts';
import { encodeWire } from './wire.ts';

/** Fixed by the specification. */
const CHANNEL_LIMITS = { boxes: 4096, bytes: 8 * 1024 * 1024, ackAfterBoxes: 32, ackAfterMs: 100 } as const;
/** Chosen here, in milliseconds and counts. */
const CHOSEN = {
  /** A gap is reported again when nothing came for this long. */
  askAgainMs: 1000,
  /** RESUME is answered at most this often. */
  resendEveryMs: 250,
  /** Without progress for this long the oldest boxes travel again; doubles up to the longest. */
  stallMs: 5000,
  longestStallMs: 60_000,
  stallBoxes: 4,
  /** Boxes of an earlier session that may arrive before the first one of this. */
  leftovers: 64,
} as const;

export interface ChannelOptions {
  readonly side: TunnelSide;
  readonly session: BoxSession;
  /** 8 bytes, of the session. */
  readonly tag: Uint8Array;
  readonly clock: Clock;
  readonly log: Log;
  /** T3, as long as it may have been lost: it precedes every resending until the peer's first box. */
  readonly preamble?: Uint8Array;
  /** Hands a DATA body to the link, or drops it. */
  readonly transmit: (body: Uint8Array) => void;
  readonly onMessage: (message: TunnelMessage) => void;
  /** The peer is there and has this session; proven by a box, or only said by a RESUME. */
  readonly onHeard: (proven: boolean) => void;
  /** The peer acknowledged a box of this session, for the first time. */
  readonly onAcknowledged: () => void;
  /** Everything sent so far has been acknowledged. */
  readonly onDrained: () => void;
  /** The session is over. */
  readonly onFailed: (error: BlindflashError) => void;
}

interface StoredBox {
  readonly sequence: number;
  readonly body: Uint8Array;
  readonly isAck: boolean;
}

type Cancel = () => void;

export class Channel {
  readonly #options: ChannelOptions;
  readonly #peer: TunnelSide;
  readonly #stored: StoredBox[] = [];
  #storedBytes = 0;
  /** Of `#stored`, ACK apart. */
  #unacknowledged = 0;
  #preamble: Uint8Array | undefined;
  #linked = false;
  #closed = false;
  /** Boxes that came since the last box of ours, which acknowledged those before. */
  #receivedSinceAck = 0;
  #everAcknowledged = false;
  #leftovers = 0;
  #asked = { received: -1, at: 0 };
  #resentAt = Number.NEGATIVE_INFINITY;
  #resendAfter = 0;
  #stallMs: number = CHOSEN.stallMs;
  #ackTimer: Cancel | undefined;
  #resendTimer: Cancel | undefined;
  #stallTimer: Cancel | undefined;

  constructor(options: ChannelOptions) {
    this.#options = options;
    this.#peer = options.side === 'agent' ? 'controller' : 'agent';
    this.#preamble = options.preamble;
  }

  /** Messages (ACK apart) the peer has not acknowledged yet. */
  get unacknowledged(): number {
    return this.#unacknowledged;
  }

  /** Seals, stores and transmits a message. Throws BF-TUNNEL-TIMEOUT when too much waits for acknowledgement. */
  send(message: OwnMessage): void {
    const { session, side } = this.#options;
    if (this.#closed) throw fail('BF-TUNNEL-CLOSED');
    if (!maySend(side, message.name)) throw fail('BF-INTERNAL-ARGUMENT', `${side} does not send ${message.name}`);
    const plaintext = concat(u32le(session.received), encodeMessage(message));
    this.#requireRoom(plaintext.length);
    const { sequence, box } = session.seal(plaintext);
    const body = encodeWire({ name: 'BOX', sequence, box });
    this.#store({ sequence, body, isAck: message.name === 'ACK' });
    this.#ackSent();
    this.#watchStall();
    if (this.#linked) this.#options.transmit(body);
  }

  /** The peer can be reached (again): says what was received; until the peer's first box came also
   * T3 and every stored box, for it may have no session yet in which to ask for them. */
  linkUp(): void {
    this.#linked = true;
    this.#resentAt = Number.NEGATIVE_INFINITY;
    this.#stallMs = CHOSEN.stallMs;
    if (this.#preamble !== undefined) this.#options.transmit(this.#preamble);
    this.#sendResume();
    if (this.#preamble !== undefined) this.#resend(0, Number.POSITIVE_INFINITY);
    if (this.#receivedSinceAck > 0) this.#oweAck(0);
    this.#watchStall();
  }

  /** First time up after the handshake: T3 (if it is ours) and what has been sent meanwhile, no RESUME. */
  start(): void {
    this.#linked = true;
    if (this.#preamble !== undefined) this.#options.transmit(this.#preamble);
    this.#resend(0, Number.POSITIVE_INFINITY);
    this.#watchStall();
  }

  /** The peer cannot be reached; everything unacknowledged is kept. */
  linkDown(): void {
    this.#linked = false;
    this.#cancelTimers();
  }

  /** A BOX arrived. */
  receiveBox(sequence: number, box: Uint8Array): void {
    if (this.#closed) return;
    const { received } = this.#options.session;
    if (sequence <= received) this.#oweAck(0);
    else if (sequence > received + 1) this.#reportGap();
    else this.#guarded(() => this.#openNext(box));
  }

  /** A RESUME arrived: one of this session makes everything after `have` travel again. */
  receiveResume(tag: Uint8Array, have: number): void {
    if (this.#closed || !equalBytes(tag, this.#options.tag) || have > this.#options.session.sent) return;
    this.#options.onHeard(false);
    this.#resendAfter = have;
    if (this.#resendTimer !== undefined) return;
    const wait = this.#resentAt + CHOSEN.resendEveryMs - this.#options.clock.now();
    if (wait <= 0) this.#resendNow();
    else this.#resendTimer = this.#options.clock.after(wait, () => this.#resendNow());
  }

  /** Ends the session, wipes its keys, forgets what was stored. */
  close(): void {
    this.#closed = true;
    this.#linked = false;
    this.#cancelTimers();
    this.#stored.length = 0;
    this.#storedBytes = this.#unacknowledged = 0;
    this.#options.session.wipe();
  }

  // ── receiving ─────────────────────────────────────────────────────────────────────────────────────────────────

  #openNext(box: Uint8Array): void {
    const plaintext = this.#open(box);
    if (plaintext === undefined) return;
    this.#preamble = undefined;
    const reader = new Reader(plaintext, 'BF-TUNNEL-MESSAGE', 'box');
    this.#dropUpTo(reader.u32());
    const message = decodeMessage(this.#peer, reader.rest());
    this.#options.onHeard(true);
    if (message.name === 'ACK') return;
    this.#oweAck(1);
    this.#tellOwner(() => this.#options.onMessage(message));
    if (!this.#closed && this.#receivedSinceAck >= CHANNEL_LIMITS.ackAfterBoxes) this.#sendAck();
  }

  /** Before the first box of a session, one that does not open may be a left-over of the session before. */
  #open(box: Uint8Array): Uint8Array | undefined {
    const { session, log } = this.#options;
    if (session.received > 0) return session.open(box);
    const plaintext = session.openFirst(box);
    if (plaintext !== undefined) return plaintext;
    this.#leftovers++;
    log.debug({ count: this.#leftovers }, 'box of another session dropped');
    if (this.#leftovers > CHOSEN.leftovers) throw fail('BF-TUNNEL-AUTHENTICATION', 'no box opens');
    return undefined;
  }

  /** What the owner does when told is his affair: his exceptions do not end the session. */
  #tellOwner(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      throw new OwnerError('the owner threw', { cause: error });
    }
  }

  /** Runs a step of receiving; whatever the peer did wrong ends the session. */
  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (error instanceof OwnerError) throw error.cause;
      this.close();
      this.#options.onFailed(asBlindflashError(error));
    }
  }

  #dropUpTo(ack: number): void {
    if (ack > this.#options.session.sent) throw fail('BF-TUNNEL-ORDER', `box ${ack} acknowledged before it was sent`);
    if (ack > 0 && !this.#everAcknowledged) {
      this.#everAcknowledged = true;
      this.#options.onAcknowledged();
    }
    const before = this.#unacknowledged;
    if (!this.#forget(ack)) return;
    this.#stallMs = CHOSEN.stallMs;
    this.#stallTimer?.();
    this.#stallTimer = undefined;
    this.#watchStall();
    if (before > 0 && this.#unacknowledged === 0) this.#tellOwner(() => this.#options.onDrained());
  }

  #reportGap(): void {
    const now = this.#options.clock.now();
    const { received } = this.#options.session;
    if (this.#asked.received === received && now - this.#asked.at < CHOSEN.askAgainMs) return;
    this.#asked = { received, at: now };
    this.#sendResume();
  }

  // ── acknowledging ─────────────────────────────────────────────────────────────────────────────────────────────

  /** Something came (again) that the peer should know of: an ACK goes out unless a message does before. */
  #oweAck(boxes: number): void {
    this.#receivedSinceAck += boxes;
    this.#ackTimer ??= this.#options.clock.after(CHANNEL_LIMITS.ackAfterMs, () => this.#sendAck());
  }

  /** A box left; whatever it holds, it acknowledges all that came. */
  #ackSent(): void {
    this.#receivedSinceAck = 0;
    this.#ackTimer?.();
    this.#ackTimer = undefined;
  }

  #sendAck(): void {
    this.#ackSent();
    if (this.#stored.length < CHANNEL_LIMITS.boxes) this.send({ name: 'ACK' });
  }

  #sendResume(): void {
    const { tag, session, transmit } = this.#options;
    if (this.#linked) transmit(encodeWire({ name: 'RESUME', session: tag, have: session.received }));
  }

  // ── storing and resending ──────────────────────────────────────────────────────────────────────────────────────

  #store(box: StoredBox): void {
    this.#stored.push(box);
    this.#storedBytes += box.body.length;
    if (!box.isAck) this.#unacknowledged++;
  }

  /** Drops the boxes up to `ack`; false if there were none. */
  #forget(ack: number): boolean {
    const count = this.#stored.findIndex((box) => box.sequence > ack);
    const gone = this.#stored.splice(0, count < 0 ? this.#stored.length : count);
    for (const box of gone) {
      this.#storedBytes -= box.body.length;
      if (!box.isAck) this.#unacknowledged--;
    }
    return gone.length > 0;
  }

  #requireRoom(bytes: number): void {
    if (this.#stored.length >= CHANNEL_LIMITS.boxes || this.#storedBytes + bytes > CHANNEL_LIMITS.bytes) {
      throw fail('BF-TUNNEL-TIMEOUT', `${this.#stored.length} messages wait for acknowledgement`);
    }
  }

  #resendNow(): void {
    this.#resendTimer = undefined;
    this.#resentAt = this.#options.clock.now();
    this.#resend(this.#resendAfter, Number.POSITIVE_INFINITY);
  }

  #resend(after: number, most: number): void {
    const again = this.#stored.filter((box) => box.sequence > after).slice(0, most);
    for (const box of again) if (this.#linked) this.#options.transmit(copyOf(box.body));
  }

  /** A timer runs exactly while the link is up and something is unacknowledged. */
  #watchStall(): void {
    const waiting = this.#preamble !== undefined || this.#unacknowledged > 0;
    if (!this.#linked || !waiting || this.#stallTimer !== undefined) return;
    this.#stallTimer = this.#options.clock.after(this.#stallMs, () => this.#stalled());
  }

  #stalled(): void {
    this.#stallTimer = undefined;
    this.#stallMs = Math.min(2 * this.#stallMs, CHOSEN.longestStallMs);
    if (this.#preamble !== undefined) this.#options.transmit(this.#preamble);
    this.#resend(0, CHOSEN.stallBoxes);
    this.#watchStall();
  }

  #cancelTimers(): void {
    for (const cancel of [this.#ackTimer, this.#resendTimer, this.#stallTimer]) cancel?.();
    this.#ackTimer = this.#resendTimer = this.#stallTimer = undefined;
  }
}

/** Carries an exception of the owner's callback past the handling of the peer's mistakes. */
class OwnerError extends Error {}
