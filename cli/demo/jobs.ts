// One job after the other in a demo: the vendor's command, an agent, and a customer who does what he is asked for.
import { writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fail } from '../../shared/errors/errors.ts';
import type { DemoProcess, Told } from './processes.ts';
import { isEvent, say, type Start } from './telling.ts';

/** A board, and the options by which an agent reaches it. */
export interface ReachedBoard {
  readonly board: DemoProcess;
  readonly reach: readonly string[];
}

/** By the probe of a virtual board. */
export async function probeOf(board: DemoProcess): Promise<ReachedBoard> {
  const { url } = await board.hear(isEvent('ready'));
  return { board, reach: ['--probe', String(url).replace(/^tcp:\/\//, 'tcp:')] };
}

export interface Outcome {
  readonly status: number;
  /** What the vendor was told, when it went wrong. */
  readonly why: string;
  readonly vendor: DemoProcess;
  readonly agent: DemoProcess;
}

export interface Installed {
  readonly status: number;
  /** What the customer was told, when it went wrong. */
  readonly why: string;
  /** The last event: versions before and after. */
  readonly end: Told | undefined;
}

/** @throws BF-INTERNAL with what the vendor, or the customer, was told */
export function requireGood<T extends { readonly status: number; readonly why: string }>(outcome: T): T {
  if (outcome.status !== 0) throw fail('BF-INTERNAL', outcome.why);
  return outcome;
}

interface DemoJobsOptions {
  readonly folder: string;
  /** ws://HOST:PORT */
  readonly relay: string;
  readonly start: Start;
  /** Which lines of a sheet are told, beside its first. */
  readonly sheetLines: RegExp;
  /** Takes what stands on the customer's screen. */
  readonly tell?: (line: string) => void;
  /** Tells what the vendor hears of a job. */
  readonly narrate?: (told: Told) => void;
}

export class DemoJobs {
  readonly #options: DemoJobsOptions;
  #jobs = 0;

  constructor(options: DemoJobsOptions) {
    this.#options = options;
  }

  /** The vendor's keys: what `keygen` tells of them. */
  async makeKeys(): Promise<Told> {
    await writeFile(this.#in('passphrase'), `${randomBytes(18).toString('base64')}\n`, { mode: 0o600 });
    return this.vendor('keygen', ...this.#passphrase);
  }

  /** A command of the vendor's that is no job; its first event. @throws BF-INTERNAL when it fails */
  async vendor(...words: readonly string[]): Promise<Told> {
    const done = this.#options.start(words[0]!, words, this.#home('vendor'));
    await done.succeeded();
    return done.told[0] ?? {};
  }

  /** The same with the passphrase of his keys. */
  signed(...words: readonly string[]): Promise<Told> {
    return this.vendor(...words, ...this.#passphrase);
  }

  /**
   * One job with its invite, its code and, where there is one, the word of its sheet.
   * @param whenDone what is done as soon as the vendor says that it is done
   */
  async run(
    command: readonly string[],
    { board, reach }: ReachedBoard,
    whenDone?: () => Promise<void>,
  ): Promise<Outcome> {
    const { relay, start, narrate = () => {} } = this.#options;
    const invite = this.#in(`invite-${++this.#jobs}`);
    const words = [...command, '--relay', relay, ...this.#passphrase, '--invite-out', invite, '--yes'];
    const vendor = start('controller', words, this.#home('vendor'));
    vendor.onTold = narrate;
    await vendor.hear(isEvent('invite'));
    const agent = start('agent', ['agent', ...reach, '--invite-file', invite], this.#home('customer'));
    agent.onTold = (told) => this.#customer(agent, board, told);
    const [{ code }] = await Promise.all([agent.hear(isEvent('code')), vendor.hear(isEvent('code'))]);
    vendor.type(String(code));
    if (whenDone !== undefined) {
      await vendor.hear(isEvent('done'));
      await whenDone();
    }
    const status = await vendor.ended();
    if (status === 0) await agent.succeeded();
    else agent.stop();
    await agent.ended();
    const error = vendor.told.find(isEvent('error'));
    const why = error === undefined ? vendor.lastWords : `${error['code']}: ${error['sentence']}`;
    return { status, why, vendor, agent };
  }

  /** The customer installs a file by himself. */
  async update(file: string, { board, reach }: ReachedBoard): Promise<Installed> {
    const customer = this.#options.start('update', ['update', file, ...reach], this.#home('customer'));
    customer.onTold = (told) => this.#customer(customer, board, told);
    const status = await customer.ended();
    const error = customer.told.find(isEvent('error'));
    const why = error === undefined ? customer.lastWords : `${error['code']}: ${error['sentence']}`;
    return { status, why, end: customer.told.find(isEvent('end')) };
  }

  /** What he does: types the word of the sheet, switches the board off and on when asked to. */
  #customer(agent: DemoProcess, board: DemoProcess, told: Told): void {
    const { sheetLines, tell = say } = this.#options;
    if (told['event'] === 'sheet') {
      const lines = told['lines'] as readonly string[];
      for (const line of lines.filter((text, at) => at === 0 || sheetLines.test(text))) tell(`  │ ${line.trim()}`);
      agent.type(String(told['word']));
    }
    const text = String(told['text'] ?? '');
    if (told['event'] !== 'code' && told['event'] !== 'sheet' && text !== '') tell(`  customer’s screen: ${text}`);
    if (text.includes('Switch the board off')) board.type('power cycle');
  }

  get #passphrase(): readonly string[] {
    return ['--passphrase-file', this.#in('passphrase')];
  }

  #in(name: string): string {
    return join(this.#options.folder, name);
  }

  #home(side: string): Readonly<Record<string, string>> {
    return { BLINDFLASH_HOME: this.#in(side) };
  }
}
