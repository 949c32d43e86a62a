// Gives an update file to a loader: header, entries, frames, each once and in order, as far as there is room, whatever
// the line loses (docs/serial-link.md, "An update file"). It believes no number the loader could not have reached.
import { concat, u32le } from '../../../shared/codec/bytes.ts';
import { CHIP_ERRORS, chipError } from '../../../shared/errors/chip-errors.ts';
import { fail, type BlindflashError } from '../../../shared/errors/errors.ts';
import { ACTIVITIES, stateName, STATES, type StubState } from '../../../shared/mailbox/layout.ts';
import type { Clock, Log } from '../../../shared/ports.ts';
import { IMAGE_DATA_BYTES } from '../../../shared/sealed/messages.ts';
import {
  CODED_MOST,
  ENTRIES_MOST,
  IDENT,
  LINK_TIMES,
  readFields,
  STATUS,
  STATUS_BITS,
  type Ident,
  type LoaderStatus,
} from '../../../shared/serial/packets.ts';
import { UPDATE_BYTES } from '../../../shared/update/format.ts';
import { pause } from '../../probe/deadline.ts';
import type { UpdateFile } from '../../update/update-file.ts';
import { isStopped } from '../program-states.ts';
import type { LoaderLink } from './link.ts';

const LIMITS = {
  /** Bytes handed to the port ahead of the line. */
  ahead: 2 * CODED_MOST,
  pauseMs: 2,
  /** What was sent again has had its time to be answered, milliseconds after it has left. */
  backEvery: 300,
  /** Without progress for this long, and without an erase or a wait of the device, the loader is given up. */
  stuckAfterMs: 60_000,
  /** The header is answered within this time. */
  headerMs: 30_000,
  stopMs: 10_000,
} as const;

/** A packet that carries a part of the file. */
interface Part {
  readonly name: 'entries' | 'frame';
  readonly body: Uint8Array;
}

export interface UpdateHostOptions {
  readonly link: LoaderLink;
  readonly clock: Clock;
  readonly log: Log;
  readonly file: UpdateFile;
  /** How much of the image was taken, bytes. */
  readonly progress: (doneBytes: number) => void;
  /** The device makes us wait, because installs were broken off before. */
  readonly waits: () => void;
  readonly signal: AbortSignal;
}

/** One try to install a file. */
export class UpdateHost {
  readonly #options: UpdateHostOptions;
  readonly #parts: Part[] = [];
  /** Parts that are entries, once the first frame was sent. */
  #entryParts = 0;
  #entriesTaken = 0;
  #framesTaken = 0;
  #sent = 0;
  #sentMost = 0;
  #sentWhenAsked = 0;
  #status: LoaderStatus | undefined;
  #handshakes = 0;
  #state: StubState = 'offered';
  #begun = false;
  #wentBack = { to: 0, until: 0 };
  #askedAt = Number.NEGATIVE_INFINITY;
  #asked = false;
  #movedAt = 0;
  #problem: Error | undefined;
  #ident: Ident | undefined;

  constructor(options: UpdateHostOptions) {
    this.#options = options;
  }

  /** A sector may have been erased. */
  get touched(): boolean {
    return this.#framesAccepted > 0 || this.#state === 'written' || this.#status?.activity === ACTIVITIES.erasing;
  }

  /**
   * From the header to the end. Returns IDENT as the loader says it then, undefined when it was gone by then.
   * @throws BF-UPDATE-REFUSED, BF-UPDATE-TRIES, BF-UPDATE-CHANGED, what the chip reports, BF-SERIAL-*, BF-LOADER-SILENT
   *   after a reset, BF-UPDATE-INTERRUPTED
   */
  async install(): Promise<Ident | undefined> {
    const { link, clock } = this.#options;
    await this.#giveHeader();
    link.line.onPacket = ({ name, body }) => {
      if (name === 'status') this.#take(readFields(STATUS, body));
      if (name === 'ident') this.#ident = readFields(IDENT, body);
    };
    this.#moved();
    try {
      while (this.#state !== 'ended') {
        await this.#turn();
        await pause(clock, LIMITS.pauseMs);
      }
      return await this.#sayGoodbye();
    } finally {
      link.line.onPacket = () => {};
    }
  }

  // ── the header ─────────────────────────────────────────────────────────────────────────────────────────────────────

  async #giveHeader(): Promise<void> {
    const status = (this.#status = await this.#begin());
    this.#handshakes = status.handshakes;
    if ((status.state & STATUS_BITS.state) !== STATES.offered) throw this.#reason(status);
  }

  /** Gives the header until it was taken, and waits for what the device makes of it. */
  async #begin(): Promise<LoaderStatus> {
    const { link, clock, file } = this.#options;
    const { handshakes: before } = await link.status();
    const end = clock.now() + LIMITS.headerMs;
    // A status that was on its way already knows nothing of a header: it is lost once it has had its time.
    const takesMs = LINK_TIMES.handshake + link.line.msFor(CODED_MOST);
    let sentAt = Number.NEGATIVE_INFINITY;
    for (let isTaken = false; clock.now() < end;) {
      if (!isTaken && clock.now() - sentAt >= takesMs) {
        link.line.send('file', file.headerBytes);
        sentAt = clock.now();
      }
      const status = await link.status();
      isTaken = status.handshakes !== before;
      if (isTaken && (status.state & STATUS_BITS.shaking) === 0) return status;
    }
    throw fail('BF-LOADER-SILENT', 'the header is not answered');
  }

  // ── turns ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #turn(): Promise<void> {
    await this.#options.link.keep();
    if (this.#options.signal.aborted) await this.#stop();
    if (this.#problem !== undefined) throw this.#problem;
    this.#fill();
    this.#ask();
    this.#requireProgress();
  }

  #fill(): void {
    const { line } = this.#options.link;
    const credit = this.#status?.credit ?? 0;
    while (this.#sent < credit && line.backlog < LIMITS.ahead && this.#hasPart(this.#sent)) {
      const { name, body } = this.#parts[this.#sent] as Part;
      this.#sent++;
      this.#sentMost = Math.max(this.#sentMost, this.#sent);
      line.send(name, concat(u32le(this.#sent), body));
    }
  }

  /** There is a part with this index; makes it where it is the next. Once an entry was opened the others stay here. */
  #hasPart(index: number): boolean {
    const { entries, frames } = this.#options.file;
    if (index < this.#parts.length) return true;
    if (this.#state === 'offered' && this.#framesTaken === 0 && this.#entriesTaken < entries.length) {
      const body = concat(...entries.slice(this.#entriesTaken, this.#entriesTaken + ENTRIES_MOST));
      this.#entriesTaken += ENTRIES_MOST;
      this.#parts.push({ name: 'entries', body });
      this.#entryParts = this.#parts.length;
      return true;
    }
    const frame = frames[this.#framesTaken];
    if (frame === undefined) return false;
    this.#framesTaken++;
    this.#parts.push({ name: 'frame', body: frame });
    return true;
  }

  #take(status: LoaderStatus): void {
    const state = stateName(status.state & STATUS_BITS.state);
    if (state === undefined) return this.#nonsense(`state ${status.state}`);
    if (status.handshakes !== this.#handshakes) {
      this.#problem ??= fail('BF-LOADER-SILENT', 'the board was reset, or began something else');
      return;
    }
    if (status.accepted < (this.#status?.accepted ?? 0)) return;
    if (status.received > this.#sentMost || status.accepted > status.received) {
      return this.#nonsense(`accepted ${status.accepted}, received ${status.received} of ${this.#sentMost} packets`);
    }
    if (state !== this.#state || status.received !== this.#status?.received) this.#moved();
    if ((status.state & STATUS_BITS.shaking) !== 0) this.#noteWait();
    this.#status = status;
    this.#state = state;
    if (isStopped(state)) this.#problem ??= this.#reason(status);
    else this.#follow(status);
    if ((status.state & STATUS_BITS.lost) !== 0) this.#goBack(status.received);
    if (!this.#asked) return;
    this.#asked = false;
    const isIdle = status.activity === ACTIVITIES.idle && (status.state & STATUS_BITS.shaking) === 0;
    if (isIdle && status.received < this.#sentWhenAsked) this.#goBack(status.received);
  }

  /** The device takes each frame that is the vendor's, and drops any other. */
  #follow({ replied }: LoaderStatus): void {
    const frames = this.#framesAccepted;
    if (replied !== frames) {
      this.#problem ??= fail('BF-UPDATE-CHANGED', `frame ${replied + 1} is not the one that is expected`);
    }
    const taken = this.#options.file.frames.slice(0, frames);
    const images = taken.filter(({ length }) => length === UPDATE_BYTES.longFrame).length;
    this.#options.progress(images * IMAGE_DATA_BYTES);
  }

  get #framesAccepted(): number {
    return Math.max(0, (this.#status?.accepted ?? 0) - this.#entryParts);
  }

  #noteWait(): void {
    this.#moved();
    if (this.#begun) return;
    this.#begun = true;
    this.#options.waits();
  }

  #nonsense(what: string): void {
    this.#problem ??= fail('BF-SERIAL-NONSENSE', what);
  }

  /** Sends everything after `to` again, a second time only when the first repetition has had its time. */
  #goBack(to: number): void {
    const { link, clock, log } = this.#options;
    const now = clock.now();
    if (to >= this.#sent || (this.#wentBack.to === to && now < this.#wentBack.until)) return;
    this.#wentBack = { to, until: now + link.line.msFor(link.line.backlog + CODED_MOST) + LIMITS.backEvery };
    log.debug({ from: to + 1, to: this.#sent }, 'packets are sent again');
    this.#sent = to;
  }

  #ask(): void {
    const { link, clock } = this.#options;
    const now = clock.now();
    if (now - this.#askedAt < LINK_TIMES.answer || link.line.backlog > 0) return;
    link.askAgain('status');
    this.#asked = true;
    this.#sentWhenAsked = this.#sent;
    this.#askedAt = now;
  }

  #moved(): void {
    this.#movedAt = this.#options.clock.now();
  }

  /** @throws BF-LOADER-SILENT when nothing moves; a file all of whose frames were taken has an end */
  #requireProgress(): void {
    const stuckMs = this.#options.clock.now() - this.#movedAt;
    const isBusy = (this.#status?.activity ?? ACTIVITIES.idle) !== ACTIVITIES.idle;
    if (isBusy || stuckMs < LIMITS.stuckAfterMs) return;
    throw fail(
      'BF-LOADER-SILENT',
      `packet ${(this.#status?.accepted ?? 0) + 1} waits for ${Math.round(stuckMs / 1000)} s`,
    );
  }

  // ── ends ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Asks who the loader is now, then lets it go to its image: it waits for the word that all was heard. */
  async #sayGoodbye(): Promise<Ident | undefined> {
    const { link, clock, file } = this.#options;
    this.#ident = undefined;
    link.line.send('askIdent');
    await link.line.next(({ name }) => name === 'ident', LINK_TIMES.answer);
    link.line.send('fetched', u32le(file.frames.length));
    await pause(clock, LINK_TIMES.baudChange);
    return this.#ident;
  }

  async #stop(): Promise<never> {
    const { link, clock } = this.#options;
    const end = clock.now() + LIMITS.stopMs;
    while (clock.now() < end) {
      const { state } = await link.status(() => link.line.send('abort'));
      if ((state & STATUS_BITS.state) >= STATES.ended) break;
    }
    throw fail('BF-UPDATE-INTERRUPTED');
  }

  #reason({ error, detail, state }: LoaderStatus): BlindflashError {
    const reported = chipError('loader', error, detail, 'the device reports: ');
    if (reported === undefined) return fail('BF-SERIAL-NONSENSE', `state ${state}, error ${error}`);
    const as = REFUSALS.get(error);
    return as === undefined ? reported : fail(as, reported.detail);
  }
}

/** What the device says of a file, where it is another matter than of a session. */
const REFUSALS = new Map<number, 'BF-UPDATE-REFUSED' | 'BF-UPDATE-CHANGED'>([
  [CHIP_ERRORS.planMalformed.number, 'BF-UPDATE-REFUSED'],
  [CHIP_ERRORS.vendorKey.number, 'BF-UPDATE-REFUSED'],
  [CHIP_ERRORS.boxFailed.number, 'BF-UPDATE-CHANGED'],
]);
