// The way between tunnel and stub: sealed commands into their ring ahead of the stub, replies out of theirs, never
// more than the mailbox (docs/mailbox.md, "Slots"). It believes no index the stub could not have reached.
//
// Pace: one `turn` is one STATUS read (a probe command whose status is in its reply), at most `HOST_LIMITS.batch` slot
// writes, and the replies that moved, those side by side in one read; REPLY_ACK is written when half of their ring is
// fetched. A turn that moved something is followed by the next at once; otherwise the pause doubles from 1 to 5 ms, and
// after ten quiet seconds grows to 50 ms. Even the smallest ring, three slots, holds some 50 ms of programming, so no
// pause here is felt by the stub.
import { copyOf } from '../../../shared/codec/bytes.ts';
import { fail } from '../../../shared/errors/errors.ts';
import {
  ACTIVITIES,
  BOX_SIZES,
  MAILBOX_MAGIC,
  stateName,
  STATUS_BITS,
  type StubState,
} from '../../../shared/mailbox/layout.ts';
import type { Clock, Log } from '../../../shared/ports.ts';
import { ERASE_EVERYTHING_MS, type Mailbox } from './mailbox.ts';
import { readReply, REPLY_BYTES, replyAddress, slotWrite, type SlotWrite } from './slots.ts';
import type { SealedBox } from '../../../shared/crypto/session.ts';
import type { Turn } from '../port.ts';
import { isServing } from '../program-states.ts';

export const HOST_LIMITS = {
  /** Sealed commands held at most, those in the ring included: some 8 MiB. */
  commands: 2048,
  /** CREDIT is told again when it has grown by this much. */
  creditStep: 128,
  /** Slots filled in one turn. */
  batch: 32,
  shortestPauseMs: 1,
  longestPauseMs: 5,
  quietPauseMs: 50,
  quietAfterMs: 10_000,
  /** The stub looks at a damaged slot every 100 ms; writing it more often helps nobody. */
  rewriteEveryMs: 120,
  rewrites: 20,
  replyReads: 3,
  /** Without progress for this long, DHCSR tells whether the core still runs. */
  lookAfterMs: 2000,
  /**
   * Without progress for this long although sealed commands wait, the stub is given up: no
   * sector takes longer than 4 s. It is given longer while it erases everything.
   */
  silentAfterMs: 30_000,
} as const;

export class MailboxHost {
  readonly #mailbox: Mailbox;
  readonly #clock: Clock;
  readonly #log: Log;
  /** Sealed commands not yet accepted, by sequence: the numbers accepted + 1 … received. */
  readonly #commands = new Map<number, Uint8Array>();
  #received = 0;
  #written = 0;
  #accepted = 0;
  #acceptedImages = 0;
  #fetched = 0;
  /** Of them, what REPLY_ACK says. */
  #acknowledged = 0;
  #toldCredit = 0;
  #rewritten = { sequence: 0, at: 0, times: 0 };
  #pauseMs = 0;
  #progressAt: number;
  #lookedAt: number;
  #state: StubState | undefined;
  /** Every write is asked how it went. */
  #cautious = false;

  constructor(mailbox: Mailbox, clock: Clock, log: Log) {
    this.#mailbox = mailbox;
    this.#clock = clock;
    this.#log = log;
    this.#progressAt = this.#lookedAt = clock.now();
  }

  /** IMAGE commands the stub has accepted. */
  get acceptedImages(): number {
    return this.#acceptedImages;
  }

  /** Sealed commands the stub has accepted. */
  get accepted(): number {
    return this.#accepted;
  }

  /** A new sealed session begins: both directions count from 1 again. */
  begin(): void {
    this.#commands.clear();
    this.#received = this.#written = this.#accepted = this.#acceptedImages = this.#fetched = this.#toldCredit = 0;
    this.#acknowledged = 0;
    this.#rewritten = { sequence: 0, at: 0, times: 0 };
    this.#state = undefined;
    this.#moved();
  }

  /**
   * Takes a sealed command from the tunnel, which loses and repeats nothing.
   * @throws BF-TUNNEL-ORDER for another number than the next or beyond the credit,
   * BF-TUNNEL-MESSAGE for a size none has.
   */
  queue({ sequence, box }: SealedBox): void {
    if (box.length !== BOX_SIZES.image && box.length !== BOX_SIZES.command) {
      throw fail('BF-TUNNEL-MESSAGE', `a frame of ${box.length} bytes`);
    }
    if (sequence !== this.#received + 1) {
      throw fail('BF-TUNNEL-ORDER', `frame ${sequence} after ${this.#received}`);
    }
    if (sequence > this.#accepted + HOST_LIMITS.commands) {
      throw fail('BF-TUNNEL-ORDER', 'more frames than credit');
    }
    this.#received = sequence;
    this.#commands.set(sequence, copyOf(box));
    this.#pauseMs = 0;
  }

  /** The new credit when it is time to tell it, else undefined. */
  credit(): number | undefined {
    const upTo = this.#accepted + HOST_LIMITS.commands;
    if (upTo - this.#toldCredit < HOST_LIMITS.creditStep) return undefined;
    this.#toldCredit = upTo;
    return upTo;
  }

  /**
   * Looks once, moves what can be moved.
   * @throws BF-STUB-MAILBOX for indices that cannot be, BF-STUB-CRASHED, BF-STUB-SILENT, or what probe and wire bring.
   */
  async turn(): Promise<Turn> {
    const word = await this.#mailbox.status();
    const state = stateName(word.state);
    if (state === undefined) throw await this.#impossible(`state ${word.state}`);
    const before = this.#accepted + this.#written + this.#fetched;
    await this.#takeAccepted(word.accepted);
    const replies = await this.#fetch(word.reply);
    if (isServing(state)) {
      if (word.nak) await this.#rewrite();
      await this.#fill();
    }
    const moved = this.#accepted + this.#written + this.#fetched !== before || state !== this.#state;
    this.#state = state;
    if (moved) this.#moved();
    else await this.#watch(state);
    return { state, replies, pauseMs: this.#pauseMs };
  }

  // ── sealed commands ────────────────────────────────────────────────────────────────────────────────────────────────

  async #takeAccepted(low: number): Promise<void> {
    const gained = (low - this.#accepted) & STATUS_BITS.accepted.mask;
    if (gained > this.#written - this.#accepted) {
      throw await this.#impossible(`it accepted ${gained} frames of ${this.#written - this.#accepted}`);
    }
    for (let count = 0; count < gained; count++) {
      this.#accepted++;
      if (this.#commands.get(this.#accepted)?.length === BOX_SIZES.image) this.#acceptedImages++;
      this.#commands.delete(this.#accepted);
    }
  }

  /** Fills free slots with waiting commands: slot s is free when s ≤ accepted + slots. */
  async #fill(): Promise<void> {
    const { slots } = this.#mailbox.layout.commandRing;
    const last = Math.min(this.#received, this.#accepted + slots, this.#written + HOST_LIMITS.batch);
    const writes = Array.from({ length: last - this.#written }, (_, index) => this.#slot(this.#written + 1 + index));
    if (writes.length === 0) return;
    if (this.#cautious) for (const { address, bytes } of writes) await this.#mailbox.writeAt(address, bytes);
    else await this.#mailbox.fill(writes);
    this.#written = last;
  }

  #slot(sequence: number): SlotWrite {
    return slotWrite(this.#mailbox.layout.commandRing, sequence, this.#commands.get(sequence) as Uint8Array);
  }

  async #put(sequence: number): Promise<void> {
    const { address, bytes } = this.#slot(sequence);
    await this.#mailbox.writeAt(address, bytes);
  }

  /** A write nobody asked about may be lost without a trace: what waits is written again, from now on checked. */
  async #writeLost(): Promise<void> {
    const { activity } = await this.#mailbox.words();
    if (activity === ACTIVITIES.erasing) return;
    this.#cautious = true;
    this.#log.warn(
      { from: this.#accepted + 1, to: this.#written },
      'sealed commands are not taken, writing them again',
    );
    for (let sequence = this.#accepted + 1; sequence <= this.#written; sequence++) await this.#put(sequence);
  }

  /** The stub saw the next slot damaged: it is written again, not more often than the stub looks. */
  async #rewrite(): Promise<void> {
    const sequence = this.#accepted + 1;
    const now = this.#clock.now();
    if (sequence > this.#written) return;
    if (this.#rewritten.sequence !== sequence) this.#rewritten = { sequence, at: Number.NEGATIVE_INFINITY, times: 0 };
    if (now - this.#rewritten.at < HOST_LIMITS.rewriteEveryMs) return;
    const times = this.#rewritten.times + 1;
    if (times > HOST_LIMITS.rewrites) {
      throw fail('BF-STUB-MAILBOX', `frame ${sequence} does not arrive undamaged`);
    }
    this.#log.warn({ sequence, times }, 'a sealed command arrived damaged, writing it again');
    await this.#put(sequence);
    this.#rewritten = { sequence, at: now, times };
  }

  // ── replies ───────────────────────────────────────────────────────────────────────────────────────────────────────

  async #fetch(low: number): Promise<SealedBox[]> {
    const fresh = (low - this.#fetched) & STATUS_BITS.reply.mask;
    if (fresh > this.#mailbox.layout.replyRing.slots) throw await this.#impossible(`${fresh} new replies`);
    const replies: SealedBox[] = [];
    while (replies.length < fresh) {
      const first = this.#fetched + 1 + replies.length;
      replies.push(...(await this.#readReplies(first, fresh - replies.length)));
    }
    this.#fetched += fresh;
    await this.#acknowledge();
    return replies;
  }

  /** Half of the ring stays free for the stub. */
  async #acknowledge(): Promise<void> {
    if (this.#fetched - this.#acknowledged < this.#mailbox.layout.replyRing.slots / 2) return;
    this.#acknowledged = this.#fetched;
    await this.#mailbox.writeWord('REPLY_ACK', this.#fetched);
  }

  /** As many of the next `count` replies as lie side by side: each says itself whether it arrived whole. */
  async #readReplies(first: number, count: number): Promise<SealedBox[]> {
    const { replyRing } = this.#mailbox.layout;
    const side = Math.min(count, replyRing.slots - (first % replyRing.slots));
    const length = (side - 1) * replyRing.slotSize + REPLY_BYTES;
    const bytes = await this.#mailbox.readAt(replyAddress(replyRing, first), length, 'unchecked');
    const replies: SealedBox[] = [];
    for (let at = 0; at < side; at++) {
      const part = bytes.subarray(at * replyRing.slotSize, at * replyRing.slotSize + REPLY_BYTES);
      const sequence = first + at;
      replies.push({ sequence, box: readReply(part, sequence) ?? (await this.#readReply(sequence)) });
    }
    return replies;
  }

  async #readReply(sequence: number): Promise<Uint8Array> {
    const address = replyAddress(this.#mailbox.layout.replyRing, sequence);
    for (let attempt = 0; attempt < HOST_LIMITS.replyReads; attempt++) {
      const box = readReply(await this.#mailbox.readAt(address, REPLY_BYTES), sequence);
      if (box !== undefined) return box;
    }
    throw await this.#impossible(`reply ${sequence} is not where it should be`);
  }

  // ── pace and watch ────────────────────────────────────────────────────────────────────────────────────────────────

  #moved(): void {
    this.#pauseMs = 0;
    this.#progressAt = this.#lookedAt = this.#clock.now();
  }

  async #watch(state: StubState): Promise<void> {
    const quietMs = this.#clock.now() - this.#progressAt;
    const longest = quietMs >= HOST_LIMITS.quietAfterMs ? HOST_LIMITS.quietPauseMs : HOST_LIMITS.longestPauseMs;
    this.#pauseMs = Math.min(Math.max(2 * this.#pauseMs, HOST_LIMITS.shortestPauseMs), longest);
    if (this.#clock.now() - this.#lookedAt < HOST_LIMITS.lookAfterMs) return;
    this.#lookedAt = this.#clock.now();
    await this.#requireRunning();
    const waiting = isServing(state) && this.#written > this.#accepted;
    if (waiting && !this.#cautious) await this.#writeLost();
    if (waiting && quietMs >= HOST_LIMITS.silentAfterMs && !(await this.#mayErase(quietMs))) {
      throw fail('BF-STUB-SILENT', `frame ${this.#accepted + 1} waits for ${Math.round(quietMs / 1000)} s`);
    }
  }

  async #mayErase(quietMs: number): Promise<boolean> {
    return quietMs < ERASE_EVERYTHING_MS && (await this.#mailbox.erasesEverything());
  }

  async #requireRunning(): Promise<void> {
    const { halted, lockedUp, wasReset } = await this.#mailbox.core();
    if (lockedUp) throw fail('BF-STUB-CRASHED', 'the core is locked up');
    if (halted) throw fail('BF-STUB-CRASHED', 'the core was halted by another program');
    if (wasReset) throw fail('BF-STUB-SILENT', 'the board was reset');
    await this.#requireMagic();
  }

  async #requireMagic(): Promise<void> {
    const magic = await this.#mailbox.readWord('MAGIC');
    if (magic !== MAILBOX_MAGIC) throw fail('BF-STUB-SILENT', 'the board lost its power, or its RAM was overwritten');
  }

  /** Nonsense has two causes: RAM that lost its power, or a stub that lies. */
  async #impossible(what: string): Promise<Error> {
    await this.#requireRunning();
    return fail('BF-STUB-MAILBOX', what);
  }
}
