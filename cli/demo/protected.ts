// `blindflash demo --chip-state rdp1`: a board somebody has locked and write-protected. It is refused, unlocked, and
// flashed with its write protection lifted, by processes of their own on this machine (docs/product.md §4).
import { writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fail } from '../../shared/errors/errors.ts';
import { print } from '../terminal/output.ts';
import type { DemoProcess, Told } from './processes.ts';

/** Starts our own binary under a name. */
export type Start = (name: string, words: readonly string[], env?: Readonly<Record<string, string>>) => DemoProcess;

/** FLASH_OPTCR (RM0090 §3.9.10): read protection level 1, and level 0 with sectors 0 and 1 write-protected. */
const OPTCR = { locked: '0x0fff55ec', protected: '0x0ffcaaec' } as const;

const say = (text = ''): void => print(text);
const step = (text: string): void => say(`\n▸ ${text}`);
const isEvent =
  (name: string) =>
  (told: Told): boolean =>
    told['event'] === name;

/** Plays it, and tells it on standard output. @throws BF-INTERNAL when a process ends otherwise than it should */
export async function playProtected(image: string, base: string | undefined, folder: string, start: Start) {
  step('A board that somebody has locked, read protection level 1, and one with two write-protected sectors');
  const boards = [OPTCR.locked, OPTCR.protected].map((optcr) =>
    start('board', ['sim', '--tcp', '0', '--optcr', optcr]),
  );
  const [locked, guarded] = boards as [DemoProcess, DemoProcess];
  const relay = start('relay', ['relay', '--open', '--listen', '127.0.0.1:0']);
  const jobs = new DemoJobs(folder, String((await relay.hear(isEvent('listening')))['url']), start);
  await jobs.makeKeys();
  const flash = ['flash', image, ...(base === undefined ? [] : ['--base', base])];

  step('The vendor asks for the job. Nothing is erased: the locked board is refused');
  const refused = await jobs.run(flash, locked);
  if (refused.status === 0) throw fail('BF-INTERNAL', 'a locked board was not refused');
  say(`  ${refused.why}`);

  step('`blindflash unlock`: the customer types a word, the chip erases itself, and is switched off and on');
  requireGood(await jobs.run(['unlock'], locked));

  step('The other board, `blindflash flash --lift-write-protection`: the protection is put back afterwards');
  requireGood(await jobs.run([...flash, '--lift-write-protection'], guarded));
  say('  written; the receipt is stored on both sides');
}

function requireGood({ status, why }: Outcome): void {
  if (status !== 0) throw fail('BF-INTERNAL', why);
}

interface Outcome {
  readonly status: number;
  /** What the vendor was told, when it went wrong. */
  readonly why: string;
}

/** The customer's desk and the vendor's, with a relay between: one job after the other. */
class DemoJobs {
  readonly #folder: string;
  readonly #relay: string;
  readonly #start: Start;
  #jobs = 0;

  constructor(folder: string, relay: string, start: Start) {
    this.#folder = folder;
    this.#relay = relay;
    this.#start = start;
  }

  get #passphrase(): readonly string[] {
    return ['--passphrase-file', join(this.#folder, 'passphrase')];
  }

  async makeKeys(): Promise<void> {
    await writeFile(join(this.#folder, 'passphrase'), `${randomBytes(18).toString('base64')}\n`, { mode: 0o600 });
    await this.#start('keygen', ['keygen', ...this.#passphrase], this.#home('vendor')).succeeded();
  }

  /** One job with its invite, its code and, where there is one, the word of its sheet. */
  async run(command: readonly string[], board: DemoProcess): Promise<Outcome> {
    const invite = join(this.#folder, `invite-${++this.#jobs}`);
    const words = [...command, '--relay', this.#relay, ...this.#passphrase, '--invite-out', invite, '--yes'];
    const vendor = this.#start('controller', words, this.#home('vendor'));
    await vendor.hear(isEvent('invite'));
    const probe = String((await board.hear(isEvent('ready')))['url']).replace(/^tcp:\/\//, 'tcp:');
    const agent = this.#start('agent', ['agent', '--probe', probe, '--invite-file', invite], this.#home('customer'));
    agent.onTold = (told) => this.#customer(agent, board, told);
    const [{ code }] = await Promise.all([agent.hear(isEvent('code')), vendor.hear(isEvent('code'))]);
    vendor.type(String(code));
    const status = await vendor.ended();
    if (status === 0) await agent.succeeded();
    else agent.stop();
    await agent.ended();
    const error = vendor.told.find(isEvent('error'));
    return { status, why: error === undefined ? vendor.lastWords : `${error['code']}: ${error['sentence']}` };
  }

  /** What he does: types the word of the sheet, switches the board off and on when asked to. */
  #customer(agent: DemoProcess, board: DemoProcess, told: Told): void {
    if (told['event'] === 'sheet') {
      const lines = told['lines'] as readonly string[];
      for (const line of lines.filter((text, at) => at === 0 || /protect/i.test(text))) say(`  │ ${line.trim()}`);
      agent.type(String(told['word']));
    }
    const text = String(told['text'] ?? '');
    if (told['event'] !== 'code' && told['event'] !== 'sheet' && text !== '') say(`  customer’s screen: ${text}`);
    if (text.includes('Switch the board off')) board.type('power cycle');
  }

  #home(side: string): Readonly<Record<string, string>> {
    return { BLINDFLASH_HOME: join(this.#folder, side) };
  }
}
