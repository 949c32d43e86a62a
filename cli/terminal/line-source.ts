// Edge: what is typed, cut in lines or characters on demand, and thrown away when a question is
// not to be answered by it.
import { fail } from '../../shared/errors/errors.ts';
import type { Clock } from '../../shared/ports.ts';

/** How a terminal is emptied. */
export interface TerminalInput {
  readonly terminal: { setRawMode(on: boolean): unknown };
  readonly clock: Clock;
  /** Ctrl-C was typed while the terminal was being emptied. */
  readonly interrupt: () => void;
}

/** Longest answer kept; invites are a few hundred characters. */
const LONGEST_LINE = 8192;
/** At the end a terminal is emptied for this long, milliseconds: a paste arrives in pieces. */
const LAST_DROP_MS = 100;
const INTERRUPT = '\x03';

/** What was read too far waits for the next question. */
export class LineSource {
  readonly #input: NodeJS.ReadableStream;
  readonly #terminal: TerminalInput | undefined;
  #held = '';
  #ended = false;
  #started = false;
  /** How many questions are throwing away what is typed: a void one may still be when the next begins. */
  #dropping = 0;
  /** How many wait for input; the stream rests while nobody does. */
  #waiting = 0;
  #wake: () => void = () => {};

  /** @param terminal undefined for an input that is none */
  constructor(input: NodeJS.ReadableStream, terminal: TerminalInput | undefined) {
    this.#input = input;
    this.#terminal = terminal;
  }

  /**
   * The next line without its end; undefined when the input has ended, or `voided` fires.
   * @throws BF-USAGE beyond 8192 characters
   */
  async next(voided?: AbortSignal): Promise<string | undefined> {
    const wake = (): void => this.#wake();
    voided?.addEventListener('abort', wake, { once: true });
    try {
      for (;;) {
        if (voided?.aborted === true) return undefined;
        const end = this.#held.indexOf('\n');
        if (end >= 0) return this.#take(end, 1).replace(/\r$/, '');
        if (this.#held.length > LONGEST_LINE) throw fail('BF-USAGE', 'the answer is too long');
        if (this.#ended) return this.#held === '' ? undefined : this.#take(this.#held.length, 0);
        await this.#more();
      }
    } finally {
      voided?.removeEventListener('abort', wake);
    }
  }

  async nextCharacter(): Promise<string | undefined> {
    while (this.#held === '' && !this.#ended) await this.#more();
    return this.#held === '' ? undefined : this.#take(1, 0);
  }

  /**
   * Throws away what is held and, at a terminal, whatever arrives within `forMs`: unfinished lines too, which only raw
   * mode hands out. Of an input that is none only what came in one piece with an earlier answer goes.
   */
  async dropTypedAhead(forMs: number): Promise<void> {
    this.#held = '';
    if (this.#terminal === undefined || this.#ended) return;
    const { terminal, clock } = this.#terminal;
    this.#start();
    this.#dropping++;
    this.#waiting++;
    terminal.setRawMode(true);
    this.#input.resume();
    await new Promise<void>((resolve) => void clock.after(forMs, resolve));
    this.#waiting--;
    this.#rest();
    this.#dropping--;
    if (this.#dropping === 0) terminal.setRawMode(false);
  }

  /** Stops reading. What was typed for us does not go to the shell, if we read at all. */
  async close(): Promise<void> {
    if (this.#started) await this.dropTypedAhead(LAST_DROP_MS);
    this.#input.pause();
  }

  #take(count: number, separator: number): string {
    const part = this.#held.slice(0, count);
    this.#held = this.#held.slice(count + separator);
    return part;
  }

  async #more(): Promise<void> {
    this.#start();
    this.#waiting++;
    this.#input.resume();
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#waiting--;
    this.#rest();
  }

  #rest(): void {
    if (this.#waiting === 0) this.#input.pause();
  }

  #start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#input.setEncoding('utf8');
    this.#input.on('data', (text: string | Buffer) => this.#receive(text.toString()));
    for (const event of ['end', 'close', 'error']) {
      this.#input.on(event, () => {
        this.#ended = true;
        this.#wake();
      });
    }
  }

  #receive(text: string): void {
    if (this.#dropping > 0) {
      if (text.includes(INTERRUPT)) this.#terminal?.interrupt();
      return;
    }
    this.#held += text;
    this.#wake();
  }
}
