// What the checks of `npm run test:second` share: processes of our product and of the second implementation, a folder,
// and the count of what holds.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DemoProcess, JsonProcess, type Told } from '../../../cli/demo/processes.ts';

export const PYTHON = '/usr/bin/python3';
export const event = (name: string) => (told: Told) => told['event'] === name;
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** A program of the second implementation, as Python finds it. */
export const programPath = here;

export class Programs {
  readonly folder = mkdtempSync(join(tmpdir(), 'bf-second-'));
  passed = 0;
  failed = 0;
  readonly #processes: JsonProcess[] = [];

  check(title: string, holds: boolean, detail = ''): void {
    if (holds) this.passed++;
    else this.failed++;
    console.log(`${holds ? 'ok  ' : 'FAIL'} ${title}${holds ? '' : `: ${detail}`}`);
  }

  path(...names: readonly string[]): string {
    return join(this.folder, ...names);
  }

  /** Our own program, at home in a folder of its own. */
  real(name: string, words: readonly string[], home: string): DemoProcess {
    const actor = new DemoProcess(name, words, { BLINDFLASH_HOME: this.path(home) });
    this.#processes.push(actor);
    return actor;
  }

  second(program: string, words: readonly string[]): JsonProcess {
    const started = new JsonProcess(program, PYTHON, ['-u', here(program), ...words]);
    this.#processes.push(started);
    return started;
  }

  /** Our agent with the customer's part played: reads the code out, types the word of the sheet, does as he is told. */
  async realAgent(options: readonly string[], invite: string, home: string, onSay: (text: string) => void = () => {}) {
    const agent = this.real('agent', ['agent', ...options, '--invite-file', invite], home);
    agent.onTold = (told) => {
      if (told['event'] === 'sheet') agent.type(String(told['word']));
      if (told['event'] === 'say') onSay(String(told['text']));
    };
    return { agent, code: String((await agent.hear(event('code')))['code']) };
  }

  async end(): Promise<void> {
    for (const one of this.#processes) one.stop();
    await Promise.all(this.#processes.map((one) => one.ended()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
