// The pump between tunnel and loader: sealed commands out as far as the loader has room, replies in, each once and in
// order, whatever the line loses (docs/serial-link.md, "Once and in order"). It believes no number the loader could not
// have reached.
import { concat, copyOf, u32le } from '../../../shared/codec/bytes.ts';
import type { SealedBox } from '../../../shared/crypto/session.ts';
import { fail } from '../../../shared/errors/errors.ts';
import { ACTIVITIES, BOX_SIZES, stateName, type StubState } from '../../../shared/mailbox/layout.ts';
import type { Clock, Log } from '../../../shared/ports.ts';
import type { Packet } from '../../../shared/serial/framing.ts';
import {
  CODED_MOST,
  LINK_LIMITS,
  LINK_TIMES,
  readFields,
  SEQUENCE_BYTES,
  STATUS,
  STATUS_BITS,
  type LoaderStatus,
} from '../../../shared/serial/packets.ts';
import type { Turn } from '../port.ts';
import { isServing } from '../program-states.ts';
import type { LoaderLink } from './link.ts';

const SERIAL_LIMITS = {
  /** Sealed commands held at most, those at the loader included: some 8 MiB. */
  commands: 2048,
  /** CREDIT is told again when it has grown by this much. */
  creditStep: 128,
  /** Bytes handed to the port ahead of the line. */
  ahead: 2 * CODED_MOST,
  /** Between two looks. */
  pauseMs: 2,
  quietPauseMs: 50,
  quietAfterMs: 10_000,
  /** A command that was sent again has had its time to be answered, milliseconds after it has left. */
  backEvery: 300,
  /** Without progress for this long although commands wait, and without an erase, the loader is given up. */
  stuckAfterMs: 60_000,
} as const;

export class SerialHost {
  readonly #link: LoaderLink;
  readonly #clock: Clock;
  readonly #log: Log;
  /** Sealed commands not yet accepted, by sequence. */
  readonly #commands = new Map<number, Uint8Array>();
  #taken = 0;
  #sent = 0;
  /** Highest that was ever sent: going back does not unsend it. */
  #sentMost = 0;
  #sentWhenAsked = 0;
  #accepted = 0;
  #acceptedImages = 0;
  #toldCredit = 0;
  #replies: SealedBox[] = [];
  #fetched = 0;
  #serving = false;
  #status: LoaderStatus | undefined;
  #handshakes = 0;
  #state: StubState = 'active';
  #wentBack = { to: 0, until: 0 };
  #askedAt = 0;
  #replyAskedAt = 0;
  /** An answer to AGAIN is on its way; what it says is news of everything sent before. */
  #asked = false;
  #movedAt = 0;
  #problem: Error | undefined;
  /**
   * The last reply is here, and FETCHED waits for the STATUS behind it: a loader that has ended goes to its image as
   * soon as its last reply is fetched, and its state would never be heard.
   */
  #owesFetched = false;

  constructor(link: LoaderLink, clock: Clock, log: Log) {
    this.#link = link;
    this.#clock = clock;
    this.#log = log;
    link.line.onPacket = (packet) => this.#take(packet);
  }

  get accepted(): number {
    return this.#accepted;
  }

  get acceptedImages(): number {
    return this.#acceptedImages;
  }

  /** STATUS as it came last; undefined before the first. */
  get status(): LoaderStatus | undefined {
    return this.#status;
  }

  /** It said that the session has ended in order: its keys are wiped, and it may be on its way to the image. */
  get hasEnded(): boolean {
    return this.#serving && this.#state === 'ended';
  }

  /** No session: commands and replies that still come belong to nothing. */
  end(): void {
    this.#serving = false;
  }

  /** A new sealed session begins: both directions count from 1 again. @param status since M3 */
  begin(status: LoaderStatus): void {
    this.#commands.clear();
    this.#taken = this.#sent = this.#accepted = this.#acceptedImages = this.#fetched = this.#toldCredit = 0;
    this.#replies = [];
    this.#handshakes = status.handshakes;
    this.#state = 'active';
    this.#status = status;
    this.#wentBack = { to: 0, until: 0 };
    this.#asked = this.#owesFetched = false;
    this.#problem = undefined;
    this.#sentMost = this.#sentWhenAsked = 0;
    this.#askedAt = this.#replyAskedAt = Number.NEGATIVE_INFINITY;
    this.#serving = true;
    this.#moved();
  }

  /** As Transport.queue. */
  queue({ sequence, box }: SealedBox): void {
    if (box.length !== BOX_SIZES.image && box.length !== BOX_SIZES.command) {
      throw fail('BF-TUNNEL-MESSAGE', `a frame of ${box.length} bytes`);
    }
    if (sequence !== this.#taken + 1) throw fail('BF-TUNNEL-ORDER', `frame ${sequence} after ${this.#taken}`);
    if (sequence > this.#accepted + SERIAL_LIMITS.commands) throw fail('BF-TUNNEL-ORDER', 'more frames than credit');
    this.#taken = sequence;
    this.#commands.set(sequence, copyOf(box));
  }

  /** As Transport.credit. */
  credit(): number | undefined {
    const upTo = this.#accepted + SERIAL_LIMITS.commands;
    if (upTo - this.#toldCredit < SERIAL_LIMITS.creditStep) return undefined;
    this.#toldCredit = upTo;
    return upTo;
  }

  /**
   * Looks once, moves what can be moved.
   * @throws BF-SERIAL-NONSENSE for numbers that cannot be, BF-SERIAL-SILENT, BF-SERIAL-GONE, BF-LOADER-SILENT after a
   * reset
   */
  async turn(): Promise<Turn> {
    await this.#link.keep();
    if (this.#problem !== undefined) throw this.#problem;
    this.#fill();
    this.#ask();
    this.#requireProgress();
    const replies = this.#replies.splice(0);
    // A state that ends the session is told when the last reply of it is there.
    const whole = this.#fetched >= (this.#status?.replied ?? 0);
    const state = whole || isServing(this.#state) ? this.#state : 'active';
    return { state, replies, pauseMs: this.#pauseMs() };
  }

  // ── what comes ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #take({ name, body }: Packet): void {
    if (!this.#serving) return;
    if (name === 'reply') this.#takeReply(body);
    if (name === 'status') this.#takeStatus(readFields(STATUS, body));
  }

  #takeReply(body: Uint8Array): void {
    const sequence = new DataView(body.buffer, body.byteOffset).getUint32(0, true);
    if (sequence === this.#fetched + 1) {
      this.#replies.push({ sequence, box: copyOf(body, SEQUENCE_BYTES) });
      this.#fetched = sequence;
      this.#moved();
      this.#owesFetched = (this.#status?.replied ?? 0) < sequence;
    }
    if (!this.#owesFetched) this.#tellFetched();
  }

  #takeStatus(status: LoaderStatus): void {
    const state = stateName(status.state & STATUS_BITS.state);
    if (state === undefined) return this.#nonsense(`state ${status.state}`);
    if (status.handshakes !== this.#handshakes) {
      this.#problem ??= fail('BF-LOADER-SILENT', 'the board was reset, or began another session');
      return;
    }
    // Repeated by the line: older than what is known.
    if (status.accepted < this.#accepted) return;
    if (status.received > this.#sentMost || status.accepted > status.received) {
      return this.#nonsense(`accepted ${status.accepted}, received ${status.received} of ${this.#sentMost} frames`);
    }
    if (status.replied > this.#fetched + LINK_LIMITS.repliesKept) {
      return this.#nonsense(`${status.replied} replies after ${this.#fetched}`);
    }
    if (state !== this.#state || status.received !== this.#status?.received) this.#moved();
    this.#status = status;
    this.#state = state;
    this.#accept(status.accepted);
    if (this.#owesFetched && status.replied >= this.#fetched) this.#tellFetched();
    if ((status.state & STATUS_BITS.lost) !== 0) this.#goBack(status.received);
    if (this.#asked) this.#takeAnswer(status);
    this.#askForReply();
  }

  /** STATUS after a question tells what became of all that was sent before it. */
  #takeAnswer({ activity, received }: LoaderStatus): void {
    this.#asked = false;
    if (activity === ACTIVITIES.idle && received < this.#sentWhenAsked) this.#goBack(received);
  }

  /** A reply that STATUS told of has had its time to come. */
  #askForReply(): void {
    const now = this.#clock.now();
    if ((this.#status?.replied ?? 0) <= this.#fetched || now - this.#replyAskedAt < LINK_TIMES.answer) return;
    this.#replyAskedAt = now;
    this.#link.askAgain('reply', this.#fetched + 1);
  }

  #accept(accepted: number): void {
    while (this.#accepted < accepted) {
      this.#accepted++;
      if (this.#commands.get(this.#accepted)?.length === BOX_SIZES.image) this.#acceptedImages++;
      this.#commands.delete(this.#accepted);
    }
  }

  #nonsense(what: string): void {
    this.#problem ??= fail('BF-SERIAL-NONSENSE', what);
  }

  // ── what goes ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #fill(): void {
    const { line } = this.#link;
    if (!isServing(this.#state)) return;
    const credit = this.#status?.credit ?? 0;
    while (this.#sent < Math.min(this.#taken, credit) && line.backlog < SERIAL_LIMITS.ahead) {
      this.#sent++;
      this.#sentMost = Math.max(this.#sentMost, this.#sent);
      const box = this.#commands.get(this.#sent);
      if (box !== undefined) line.send('command', concat(u32le(this.#sent), box));
    }
  }

  /** Sends everything after `to` again, a second time only when the first repetition has had its time. */
  #goBack(to: number): void {
    const now = this.#clock.now();
    if (to >= this.#sent || (this.#wentBack.to === to && now < this.#wentBack.until)) return;
    const { line } = this.#link;
    this.#wentBack = { to, until: now + line.msFor(line.backlog + CODED_MOST) + SERIAL_LIMITS.backEvery };
    this.#log.debug({ from: to + 1, to: this.#sent }, 'commands are sent again');
    this.#sent = to;
  }

  #tellFetched(): void {
    this.#owesFetched = false;
    this.#link.line.send('fetched', u32le(this.#fetched));
  }

  /** Asks how far the loader is, when nothing has been heard for long enough. */
  #ask(): void {
    const now = this.#clock.now();
    const { replied = 0 } = this.#status ?? {};
    const waits = this.#sent > this.#accepted || replied > this.#fetched || this.#owesFetched;
    if (now - this.#askedAt < (waits ? LINK_TIMES.answer : LINK_TIMES.aliveEvery) || this.#link.line.backlog > 0) {
      return;
    }
    if (this.#fetched > 0 && !this.#owesFetched) this.#tellFetched();
    this.#link.askAgain('status');
    this.#asked = true;
    this.#sentWhenAsked = this.#sent;
    this.#askedAt = now;
  }

  // ── pace and watch ─────────────────────────────────────────────────────────────────────────────────────────────────

  #moved(): void {
    this.#movedAt = this.#clock.now();
  }

  #pauseMs(): number {
    const quiet = this.#clock.now() - this.#movedAt >= SERIAL_LIMITS.quietAfterMs;
    return quiet ? SERIAL_LIMITS.quietPauseMs : SERIAL_LIMITS.pauseMs;
  }

  #requireProgress(): void {
    const stuckMs = this.#clock.now() - this.#movedAt;
    const waits = isServing(this.#state) && this.#sent > this.#accepted;
    if (!waits || this.#status?.activity === ACTIVITIES.erasing || stuckMs < SERIAL_LIMITS.stuckAfterMs) return;
    throw fail('BF-LOADER-SILENT', `frame ${this.#accepted + 1} waits for ${Math.round(stuckMs / 1000)} s`);
  }
}
