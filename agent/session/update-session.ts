// An update file, from the first look at the board to the last word: without vendor and network (docs/product.md §4;
// docs/update-files.md). What the line or the power breaks off is begun again, from the first frame.
import { equalBytes } from '../../shared/codec/bytes.ts';
import { consentWord } from '../../shared/plan/consent.ts';
import { asBlindflashError, fail, isBlindflashError, type BlindflashError } from '../../shared/errors/errors.ts';
import type { Clock, Log, Random } from '../../shared/ports.ts';
import { IDENT_FLAGS, type Ident } from '../../shared/serial/packets.ts';
import { updateSheet, type UpdateSheet } from '../consent/update-sheet.ts';
import { SerialLine } from '../transport/serial/line.ts';
import { LoaderLink } from '../transport/serial/link.ts';
import type { SerialPortSource } from '../transport/serial/port.ts';
import { UpdateHost } from '../transport/serial/update-host.ts';
import { misfit, type UpdateFile } from '../update/update-file.ts';

/** The person who owns the board, behind a terminal or a script. */
export interface UpdateCustomer {
  say(text: string): void;
  showSheet(sheet: UpdateSheet): void;
  /** True only for a yes to exactly this sheet. */
  askConsent(sheet: UpdateSheet): Promise<boolean>;
  progress(doneBytes: number, totalBytes: number): void;
}

export interface UpdateOptions {
  /** Not yet opened. */
  readonly source: SerialPortSource;
  readonly file: UpdateFile;
  readonly customer: UpdateCustomer;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** `written`: the loader says that the image is complete. `incomplete`: it may have no image now. */
export type UpdateBoard = 'untouched' | 'incomplete' | 'written';

export interface UpdateOutcome {
  readonly result: 'done' | 'declined' | 'failed';
  readonly board: UpdateBoard;
  readonly error: BlindflashError | undefined;
  /** The loader's own word before, and after it; undefined where it was not heard. */
  readonly before: Ident | undefined;
  readonly after: Ident | undefined;
}

/** How long the loader is knocked for, milliseconds: a person may have to find the reset button first. */
const KNOCK_MS = 180_000;
/** How often a file is begun before a person has to repeat the command: each counts for the device, which takes 16. */
const MOST_TRIES = 5;

const LOOKING_TEXT =
  'Looking for the loader of the board. If it runs its program already: switch it off and on now, or press its reset button.';
const AGAIN_TEXT =
  'The board was reset, or cable or power went away. Connect it and switch it on: the file is given to it again from its beginning.';
const WAITS_TEXT =
  'The device looks at the file. If installs were broken off before it makes us wait, up to some minutes.';

/** What is begun again while the person is there. */
const GOES_ON = ['BF-SERIAL-SILENT', 'BF-LOADER-SILENT'] as const;
/** What of the way to the board a person has to put right first. */
const WAY_GONE = [...GOES_ON, 'BF-SERIAL-GONE', 'BF-SERIAL-NONE', 'BF-SERIAL-BUSY'] as const;

/** Runs it to its end. Never throws: trouble is in the outcome. */
export async function runUpdate(options: UpdateOptions): Promise<UpdateOutcome> {
  return new UpdateSession(options).run();
}

class UpdateSession {
  readonly #options: UpdateOptions;
  readonly #line: SerialLine;
  readonly #link: LoaderLink;
  #board: UpdateBoard = 'untouched';
  #before: Ident | undefined;
  #after: Ident | undefined;

  constructor(options: UpdateOptions) {
    const { source, clock, log } = options;
    this.#options = options;
    this.#line = new SerialLine(source, clock, log);
    this.#link = new LoaderLink(this.#line, clock, log);
  }

  async run(): Promise<UpdateOutcome> {
    try {
      return this.#outcome(await this.#install());
    } catch (error) {
      return this.#outcome('failed', asBlindflashError(error));
    } finally {
      await this.#link.close().catch((error: unknown) => {
        this.#options.log.warn({ error: String(error) }, 'letting go of the serial port');
      });
    }
  }

  #outcome(result: UpdateOutcome['result'], error?: BlindflashError): UpdateOutcome {
    return { result, board: this.#board, error, before: this.#before, after: this.#after };
  }

  async #install(): Promise<'done' | 'declined'> {
    const { customer, file } = this.#options;
    customer.say(LOOKING_TEXT);
    const ident = (this.#before = await this.#orStopped(this.#look()));
    const reason = misfit(file, ident);
    if (reason !== undefined) throw reason;
    const sheet = this.#sheet(ident);
    customer.showSheet(sheet);
    if (!(await this.#orStopped(customer.askConsent(sheet)))) return 'declined';
    for (let tries = 1; !(await this.#try(tries)); tries++) {
      if (await this.#comeBack(ident)) return 'done';
    }
    return 'done';
  }

  #sheet(ident: Ident): UpdateSheet {
    const { file, random } = this.#options;
    const word = consentWord(file.headerHash, random.bytes(16));
    return updateSheet({ file, ident, port: this.#line.name, word });
  }

  /** True when the file came to its end, false when it is to be begun again. */
  async #try(tries: number): Promise<boolean> {
    const { file, clock, log, customer, signal } = this.#options;
    const totalBytes = file.header.plan.plan.ranges.reduce((sum, { length }) => sum + length, 0);
    const host = new UpdateHost({
      link: this.#link,
      clock,
      log,
      file,
      progress: (done) => customer.progress(Math.min(done, totalBytes), totalBytes),
      waits: () => customer.say(WAITS_TEXT),
      signal,
    });
    try {
      this.#after = await host.install();
      this.#board = 'written';
      customer.progress(totalBytes, totalBytes);
      return true;
    } catch (error) {
      if (host.touched) this.#board = 'incomplete';
      if (!signal.aborted && tries < MOST_TRIES && isOneOf(error, GOES_ON)) return false;
      throw signal.aborted ? stopped() : broken(error);
    }
  }

  /**
   * The same board, found again. True when it came to the file’s end while nobody heard it: it has a complete image
   * again, which it had not from the first erase on.
   */
  async #comeBack(ident: Ident): Promise<boolean> {
    this.#options.customer.say(AGAIN_TEXT);
    await this.#link.close();
    const found = await this.#orStopped(this.#look()).catch((error: unknown) => {
      throw broken(error);
    });
    if (!equalBytes(found.uid, ident.uid)) throw fail('BF-UPDATE-INTERRUPTED', 'another board answers now');
    const isComplete = (found.flags & IDENT_FLAGS.image) !== 0;
    const isOurs = found.imageVersion === this.#options.file.header.plan.release.version;
    if (this.#board !== 'incomplete' || !isComplete || !isOurs) return false;
    this.#after = found;
    this.#board = 'written';
    return true;
  }

  /** What a person may take long for, or its end by the person at this computer. */
  #orStopped<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.#options;
    return new Promise((resolve, reject) => {
      const stop = (): void => reject(stopped());
      signal.addEventListener('abort', stop, { once: true });
      if (signal.aborted) stop();
      work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
    });
  }

  async #look(): Promise<Ident> {
    const ident = await this.#link.open(KNOCK_MS);
    await this.#link.raise();
    return ident;
  }
}

function isOneOf(error: unknown, codes: readonly (typeof WAY_GONE)[number][]): boolean {
  return codes.some((code) => isBlindflashError(error, code));
}

function stopped(): BlindflashError {
  return fail('BF-UPDATE-INTERRUPTED', 'stopped at this computer');
}

/** A way to the board that went away in the middle has a remedy of its own. */
function broken(error: unknown): unknown {
  if (!isOneOf(error, WAY_GONE)) return error;
  return fail('BF-UPDATE-INTERRUPTED', asBlindflashError(error).message, error);
}
