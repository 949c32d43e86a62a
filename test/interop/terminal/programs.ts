// Programs for the fuzz: started on a pseudo-terminal (on_pty.py) or with pipes, everything they show kept.
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const PTY = fileURLToPath(new URL('./on_pty.py', import.meta.url));
const LOADER = ['--import=tsx'];

/** A kind of terminal, or a pipe. */
export interface TerminalKind {
  readonly name: string;
  /** TERM on a pseudo-terminal; undefined without one. */
  readonly term: string | undefined;
  readonly json: boolean;
}

/** Where a program may find itself. */
export const TERMINAL_KINDS: readonly TerminalKind[] = [
  { name: 'a terminal', term: 'xterm-256color', json: false },
  { name: 'a dumb terminal', term: 'dumb', json: false },
  { name: 'a pipe', term: undefined, json: false },
  { name: 'a terminal, --json', term: 'xterm-256color', json: true },
  { name: 'a pipe, --json', term: undefined, json: true },
];

export class Program {
  readonly #child: ChildProcess;
  readonly #shown: Buffer[] = [];
  readonly #aside: Buffer[] = [];
  readonly #onPty: boolean;
  #status: number | undefined;
  #wake: (() => void)[] = [];

  /** Starts a TypeScript file of this repository. @param env beside the process's own */
  constructor(
    file: URL,
    words: readonly string[],
    term: string | undefined,
    env: Readonly<Record<string, string>> = {},
  ) {
    const command = [process.execPath, ...LOADER, fileURLToPath(file), ...words];
    const [program = '', ...rest] = term === undefined ? command : ['python3', PTY, ...command];
    this.#onPty = term !== undefined;
    this.#child = spawn(program, rest, { env: { ...process.env, ...env, TERM: term ?? 'dumb' } });
    this.#child.stdout!.on('data', (piece: Buffer) => this.#keep(this.#shown, piece));
    this.#child.stderr!.on('data', (piece: Buffer) => this.#keep(this.#onPty ? this.#aside : this.#shown, piece));
    this.#child.stdin!.on('error', () => {});
    this.#child.on('close', (status) => {
      this.#status = status ?? 1;
      this.#wakeAll();
    });
  }

  /** Everything shown so far, both streams. */
  get shown(): Buffer {
    return Buffer.concat(this.#shown);
  }

  /** What was typed and not read when a program on a pseudo-terminal ended. */
  get leftForTheShell(): string {
    return /left:([^]*)\n$/.exec(Buffer.concat(this.#aside).toString())?.[1] ?? '(not told)';
  }

  type(keys: string): void {
    this.#child.stdin!.write(keys);
  }

  /** Resolves with the match, once it is shown. Rejects when the program ends before or the time is over. */
  async see(wanted: RegExp, withinMs = 60_000): Promise<RegExpExecArray> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      const match = wanted.exec(this.shown.toString());
      if (match !== null) return match;
      if (this.#status !== undefined || Date.now() > deadline) {
        throw new Error(
          `not shown: ${wanted.source}; the last of it: ${JSON.stringify(this.shown.toString().slice(-600))}`,
        );
      }
      await this.#change(1000);
    }
  }

  /** Exit status. */
  async ended(): Promise<number> {
    while (this.#status === undefined) await this.#change(1000);
    return this.#status;
  }

  stop(): void {
    if (this.#status === undefined) this.#child.kill('SIGTERM');
  }

  #keep(where: Buffer[], piece: Buffer): void {
    where.push(piece);
    this.#wakeAll();
  }

  #change(atMostMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, atMostMs);
      this.#wake.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
