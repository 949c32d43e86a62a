// The demo's processes: our own binary started several times, each telling what it does as JSON lines.
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { fail } from '../../shared/errors/errors.ts';

export type Told = Readonly<Record<string, unknown>>;

/** Our own main file: source under a loader, or compiled. */
const BINARY = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../main.ts' : '../main.js', import.meta.url));

/** A process that tells what it does as one JSON object a line. */
export class JsonProcess {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #told: Told[] = [];
  readonly #errors: string[] = [];
  #wake: (() => void)[] = [];
  #status: number | undefined;

  /** Starts a program. Secrets go by file or standard input, never in `words`. */
  constructor(name: string, program: string, words: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.name = name;
    this.#child = spawn(program, words, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.#tell(line));
    createInterface({ input: this.#child.stderr! }).on('line', (line) => this.#errors.push(line));
    this.#child.stdin!.on('error', () => {});
    this.#child.on('close', (status) => {
      this.#status = status ?? 1;
      this.#wakeAll();
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Everything told so far. */
  get told(): readonly Told[] {
    return this.#told;
  }

  /** The first line, from `from` on, for which `wanted` holds. @throws BF-INTERNAL when the process ends before. */
  async hear(wanted: (told: Told) => boolean, from = 0): Promise<Told> {
    for (let next = from; ;) {
      for (; next < this.#told.length; next++) if (wanted(this.#told[next]!)) return this.#told[next]!;
      if (this.#status !== undefined) throw fail('BF-INTERNAL', `${this.name} ended: ${this.lastWords}`);
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  /** Calls `listener` for every line from now on. */
  onTold: (told: Told) => void = () => {};

  /** Types a line. */
  type(line: string): void {
    this.#child.stdin!.write(`${line}\n`);
  }

  /** Exit status, once the process has ended. */
  async ended(): Promise<number> {
    while (this.#status === undefined) await new Promise<void>((resolve) => this.#wake.push(resolve));
    return this.#status;
  }

  /** Ends with status 0 or says why not. */
  async succeeded(): Promise<void> {
    if ((await this.ended()) !== 0) throw fail('BF-INTERNAL', `${this.name} failed: ${this.lastWords}`);
  }

  stop(): void {
    if (this.#status === undefined) this.#child.kill('SIGTERM');
  }

  /** Why it ended badly, as far as it told. */
  get lastWords(): string {
    const error = this.#told.find((told) => told['event'] === 'error' || told['error'] !== undefined);
    return error === undefined ? this.#errors.slice(-3).join(' | ') || `status ${this.#status}` : JSON.stringify(error);
  }

  #tell(line: string): void {
    try {
      const told = JSON.parse(line) as Told;
      this.#told.push(told);
      this.onTold(told);
    } catch {
      this.#errors.push(line);
    }
    this.#wakeAll();
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** One process of the demo: `blindflash ARGUMENTS --json`. */
export class DemoProcess extends JsonProcess {
  constructor(name: string, words: readonly string[], env: Readonly<Record<string, string>> = {}) {
    super(name, process.execPath, [...process.execArgv, BINARY, ...words, '--json'], env);
  }
}
