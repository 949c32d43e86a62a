// Edge: questions to the person at the terminal. Answers come from a terminal or from stdin, never from arguments;
// questions go to stderr, so that stdout stays the result.
import { fail } from '../../shared/errors/errors.ts';

export interface PromptStreams {
  readonly input: NodeJS.ReadStream | NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

export interface Prompt {
  /** True when a person can answer at a terminal. */
  readonly interactive: boolean;
  /** One line, trimmed. @throws BF-USAGE-NOT-INTERACTIVE when the input has ended. */
  ask(question: string): Promise<string>;
  /** yes/no; an empty answer takes `preset`, anything unclear asks again (without a terminal: no). */
  confirm(question: string, preset?: boolean): Promise<boolean>;
  /** One line that is not shown while it is typed, not trimmed. */
  askHidden(question: string): Promise<string>;
  /** Stops reading the input, so that the process can end. */
  close(): void;
}

/** Longest answer kept; invites are a few hundred characters. */
const LONGEST_LINE = 8192;

const KEY = { enter: '\r', newline: '\n', interrupt: '\x03', end: '\x04', backspace: '\x7f', erase: '\b' } as const;

/** Questions over the given streams; the process's own unless told otherwise. */
export function createPrompt(streams: PromptStreams = { input: process.stdin, output: process.stderr }): Prompt {
  const lines = new LineSource(streams.input);
  const interactive = isTerminal(streams.input);

  const ask = async (question: string): Promise<string> => {
    streams.output.write(question);
    const line = await lines.next();
    if (line === undefined) throw fail('BF-USAGE-NOT-INTERACTIVE', question.trim());
    return line.trim();
  };

  const confirm = async (question: string, preset?: boolean): Promise<boolean> => {
    const choices = preset === undefined ? 'y/n' : preset ? 'Y/n' : 'y/N';
    for (;;) {
      const answer = (await ask(`${question} [${choices}] `)).toLowerCase();
      if (answer === 'y' || answer === 'yes') return true;
      if (answer === 'n' || answer === 'no') return false;
      if (answer === '' && preset !== undefined) return preset;
      if (!interactive) return false;
      streams.output.write('Please answer yes or no.\n');
    }
  };

  const askHidden = async (question: string): Promise<string> => {
    streams.output.write(question);
    const line = isTerminal(streams.input) ? await readHidden(streams.input, lines) : await lines.next();
    streams.output.write('\n');
    if (line === undefined) throw fail('BF-USAGE-NOT-INTERACTIVE', question.trim());
    return line;
  };

  return { interactive, ask, confirm, askHidden, close: () => lines.stop() };
}

function isTerminal(input: PromptStreams['input']): input is NodeJS.ReadStream {
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
      else if (key >= ' ' && typed.length < LONGEST_LINE) typed += key;
    }
  } finally {
    input.setRawMode(false);
  }
}

/** Input cut in lines or characters on demand; what was read too far waits for the next question. */
class LineSource {
  readonly #input: NodeJS.ReadableStream;
  #held = '';
  #ended = false;
  #started = false;
  #wake: () => void = () => {};

  constructor(input: NodeJS.ReadableStream) {
    this.#input = input;
  }

  /** The next line without its end; undefined when the input has ended. */
  async next(): Promise<string | undefined> {
    for (;;) {
      const end = this.#held.indexOf('\n');
      if (end >= 0) return this.#take(end, 1).replace(/\r$/, '');
      if (this.#held.length > LONGEST_LINE) throw fail('BF-USAGE', 'the answer is too long');
      if (this.#ended) return this.#held === '' ? undefined : this.#take(this.#held.length, 0);
      await this.#more();
    }
  }

  async nextCharacter(): Promise<string | undefined> {
    while (this.#held === '' && !this.#ended) await this.#more();
    return this.#held === '' ? undefined : this.#take(1, 0);
  }

  stop(): void {
    this.#input.pause();
  }

  #take(count: number, separator: number): string {
    const part = this.#held.slice(0, count);
    this.#held = this.#held.slice(count + separator);
    return part;
  }

  async #more(): Promise<void> {
    this.#start();
    this.#input.resume();
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#input.pause();
  }

  #start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#input.setEncoding('utf8');
    this.#input.on('data', (text: string | Buffer) => {
      this.#held += text.toString();
      this.#wake();
    });
    for (const event of ['end', 'close', 'error']) {
      this.#input.on(event, () => {
        this.#ended = true;
        this.#wake();
      });
    }
  }
}
