// Edge: questions to the person at the terminal. Answers come from a terminal or, for programs, from stdin, never from
// arguments; questions go to stderr, so that stdout stays the result. A question that decides something takes no answer
// that was there before it (docs/protocol.md §14).
import { fail } from '../../shared/errors/errors.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import type { Clock } from '../../shared/ports.ts';
import { LineSource } from './line-source.ts';
import { STREAMS, writeText, type TextSink } from './output.ts';

export interface PromptOptions {
  readonly input: NodeJS.ReadStream | NodeJS.ReadableStream;
  readonly output: TextSink;
  readonly clock: Clock;
  /** A program reads what we say (`--json`): it answers with one line of stdin a question. */
  readonly program: boolean;
  /** Ctrl-C while the terminal does not turn it into a signal itself. */
  readonly interrupt: () => void;
}

export interface Prompt {
  /** True when a person can answer at a terminal. */
  readonly interactive: boolean;
  /** One line, trimmed; it may have been typed ahead. @throws BF-USAGE-NOT-INTERACTIVE when the input has ended. */
  ask(question: string): Promise<string>;
  /**
   * One line, trimmed, that was typed after the question: what was typed before, and in its first
   * half second, is thrown away.
   * @returns undefined when `voided` fires first: the question is void
   * @throws BF-USAGE-NOT-INTERACTIVE when the input has ended, or is neither a terminal nor a program's (`--json`)
   */
  askFresh(question: string, voided?: AbortSignal): Promise<string | undefined>;
  /** yes/no, asked as askFresh does; an empty answer takes `preset`, anything unclear asks again (a program's: no). */
  confirm(question: string, preset?: boolean): Promise<boolean>;
  /** True for exactly this word, asked as askFresh does; `no` is no, anything else asks again (a program's: no). */
  askWord(question: string, word: string): Promise<boolean>;
  /** One line that is not shown while it is typed, not trimmed. */
  askHidden(question: string): Promise<string>;
  /** Lets `write` write lines of its own. An open question stands below them once more: they scrolled it away. */
  beside(write: () => void): void;
  /** Stops reading; what is still coming in at a terminal is thrown away and does not reach the shell. */
  close(): Promise<void>;
}

/** What is typed in this first time of a question is no answer to it, milliseconds. */
const IGNORED_MS = 500;

const KEY = { enter: '\r', newline: '\n', interrupt: '\x03', end: '\x04', backspace: '\x7f', erase: '\b' } as const;
const LONGEST_HIDDEN = 8192;

/** Questions over the process's own streams unless told otherwise. */
export function createPrompt(options: Partial<PromptOptions> = {}): Prompt {
  return new TerminalPrompt({
    input: process.stdin,
    output: STREAMS.stderr,
    clock: systemClock,
    program: false,
    interrupt: () => void process.kill(process.pid, 'SIGINT'),
    ...options,
  });
}

class TerminalPrompt implements Prompt {
  readonly interactive: boolean;
  readonly #options: PromptOptions;
  readonly #lines: LineSource;
  /** The question that waits for an answer typed after it. */
  #open: { readonly question: string; readonly voided: AbortSignal | undefined } | undefined;

  constructor(options: PromptOptions) {
    const { input, clock, interrupt } = options;
    this.#options = options;
    this.interactive = isTerminal(input);
    this.#lines = new LineSource(input, isTerminal(input) ? { terminal: input, clock, interrupt } : undefined);
  }

  async ask(question: string): Promise<string> {
    this.#write(question);
    return required(await this.#lines.next(), question).trim();
  }

  async askFresh(question: string, voided?: AbortSignal): Promise<string | undefined> {
    if (!this.interactive && !this.#options.program) throw fail('BF-USAGE-NOT-INTERACTIVE', question);
    const open = { question, voided };
    this.#open = open;
    this.#write(question);
    await this.#lines.dropTypedAhead(IGNORED_MS);
    const line = await this.#lines.next(voided).finally(() => {
      if (this.#open === open) this.#open = undefined;
    });
    return voided?.aborted === true ? undefined : required(line, question).trim();
  }

  async confirm(question: string, preset?: boolean): Promise<boolean> {
    const choices = preset === undefined ? 'y/n' : preset ? 'Y/n' : 'y/N';
    for (;;) {
      const answer = (await this.askFresh(`${question} [${choices}] `))?.toLowerCase();
      if (answer === 'y' || answer === 'yes') return true;
      if (answer === 'n' || answer === 'no') return false;
      if (answer === '' && preset !== undefined) return preset;
      if (!this.interactive) return false;
      this.#write('Please answer yes or no.\n');
    }
  }

  async askWord(question: string, word: string): Promise<boolean> {
    for (;;) {
      const answer = (await this.askFresh(question))?.toLowerCase();
      if (answer === word.toLowerCase()) return true;
      if (answer === 'n' || answer === 'no' || !this.interactive) return false;
      this.#write(`Type ${word} to agree, or no.\n`);
    }
  }

  async askHidden(question: string): Promise<string> {
    const { input } = this.#options;
    this.#write(question);
    const line = isTerminal(input) ? await readHidden(input, this.#lines) : await this.#lines.next();
    this.#write('\n');
    return required(line, question);
  }

  beside(write: () => void): void {
    const open = this.#open;
    const isVoid = open?.voided?.aborted === true;
    // A void question is left where it stands, once.
    if (isVoid) this.#open = undefined;
    if (open !== undefined) this.#write('\n');
    write();
    if (open !== undefined && !isVoid) this.#write(open.question);
  }

  close(): Promise<void> {
    return this.#lines.close();
  }

  #write(text: string): void {
    writeText(this.#options.output, text);
  }
}

function required(line: string | undefined, question: string): string {
  if (line === undefined) throw fail('BF-USAGE-NOT-INTERACTIVE', question);
  return line;
}

function isTerminal(input: PromptOptions['input']): input is NodeJS.ReadStream {
  return 'isTTY' in input && input.isTTY === true;
}

/** Reads with the terminal's echo switched off; Ctrl-C is an interruption, not a character. */
async function readHidden(input: NodeJS.ReadStream, lines: LineSource): Promise<string | undefined> {
  input.setRawMode(true);
  try {
    let typed = '';
    for (;;) {
      const key = await lines.nextCharacter();
      if (key === undefined || (key === KEY.end && typed === '')) return undefined;
      if (key === KEY.enter || key === KEY.newline) return typed;
      if (key === KEY.interrupt) throw fail('BF-JOB-INTERRUPTED', 'no answer given');
      if (key === KEY.backspace || key === KEY.erase) typed = typed.slice(0, -1);
      else if (key >= ' ' && typed.length < LONGEST_HIDDEN) typed += key;
    }
  } finally {
    input.setRawMode(false);
  }
}
