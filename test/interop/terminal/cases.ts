// Whole programs on each kind of terminal, against a peer in this process that means ill. Each case says what was
// wrong; nothing, if all was well.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandom } from '../../fixtures/seeded.ts';
import { HostileAgent } from './hostile-agent.ts';
import { hostileUtf8, hostileText, type Dice } from './hostile-text.ts';
import { HostileVendor } from './hostile-vendor.ts';
import { wrongs } from './wrongs.ts';
import { Program, type TerminalKind } from './programs.ts';

const MAIN = new URL('../../../cli/main.ts', import.meta.url);
const IMAGE = new URL('../../../examples/bootloader/prebuilt/combined.elf', import.meta.url).pathname;
/** Of SHEET and PROBLEM a vendor takes 8 within a second. */
const BETWEEN_MS = 150;
/** Longer than the first half second of a question, with room for a slow machine. */
const UNANSWERED_MS = 1500;
/** A trouble that a new session may heal: the job goes on, and the question stays. */
const CURABLE = 'BF-STUB-AUTHENTICATION';

/** The programs all cases talk to, and their folder. */
export interface Peers {
  readonly relay: string;
  readonly probe: string;
  /** A folder for homes and invites; its `vendor` holds keys without a passphrase. */
  readonly folder: string;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** `blindflash …` on a kind of terminal, its home in the common folder. */
export function blindflash(
  peers: Pick<Peers, 'folder'>,
  home: string,
  words: readonly string[],
  kind: TerminalKind,
): Program {
  const all = kind.json ? [...words, '--json', '--log-level', 'debug'] : words;
  return new Program(MAIN, all, kind.term, { BLINDFLASH_HOME: join(peers.folder, home) });
}

function wrongsOf(program: Program, kind: TerminalKind): string[] {
  const terminal = kind.term !== undefined;
  return wrongs(program.shown, { terminal, bar: terminal && kind.term !== 'dumb' && !kind.json, json: kind.json });
}

let homes = 0;
const freshHome = (): string => `home-${++homes}`;

/** The vendor's command and an agent all of whose texts are hostile: while the code is asked for, and behind it. */
export async function vendorCase(peers: Peers, kind: TerminalKind, seed: number, problems: number): Promise<string[]> {
  const dice = seededRandom(seed);
  const file = join(peers.folder, `invite-${seed}`);
  const words = ['flash', IMAGE, '--relay', peers.relay, '--invite-out', file, '--yes', '--label', 'Board 7'];
  const vendor = blindflash(peers, 'vendor', words, kind);
  const found: string[] = [];
  try {
    await vendor.see(kind.json ? /"event":"invite"/ : /Send this invite/);
    const agent = new HostileAgent(readFileSync(file, 'utf8').trim(), dice);
    try {
      found.push(...(await play(vendor, agent, kind, problems)));
    } finally {
      agent.close();
    }
    await vendor.ended();
  } finally {
    vendor.stop();
  }
  return [...found, ...wrongsOf(vendor, kind)];
}

/** Up to the question, away with it, and another in its place. */
const REPAINT = '\u001b[1A\r\u001b[2K\nThe code is right. Type yes: ';
const QUESTION = /type the code that the customer reads to you: /;

async function play(vendor: Program, agent: HostileAgent, kind: TerminalKind, problems: number): Promise<string[]> {
  const found: string[] = [];
  const code = await agent.code();
  agent.greet();
  // A person without a terminal is not asked; the command ends.
  if (kind.term === undefined && !kind.json) {
    await vendor.see(/BF-USAGE-NOT-INTERACTIVE/);
    return found;
  }
  const question = (await vendor.see(QUESTION)).index;
  for (const detail of [REPAINT, REPAINT]) agent.complain(CURABLE, detail);
  await pause(BETWEEN_MS);
  for (let left = Math.floor(problems / 2); left > 0; left--) {
    agent.complain(CURABLE);
    await pause(BETWEEN_MS);
  }
  if (vendor.shown.includes(code)) found.push('the code was shown before it was typed');
  if (/^The code is right/m.test(vendor.shown.toString())) found.push('the question was painted over');
  if (!QUESTION.test(vendor.shown.toString().slice(question))) found.push('the question is not there any more');
  await pause(UNANSWERED_MS);
  vendor.type(`${code}\n`);
  await agent.agree();
  for (let left = Math.ceil(problems / 2); left > 0; left--) {
    agent.complain(CURABLE);
    await pause(BETWEEN_MS);
  }
  agent.complain(`BF-${'Z'.repeat(40)}`);
  return found;
}

/** The customer's command and a vendor whose label and reason are hostile. */
export async function customerCase(peers: Peers, kind: TerminalKind, seed: number): Promise<string[]> {
  const dice: Dice = seededRandom(seed);
  const vendor = new HostileVendor(peers.relay);
  const agent = blindflash(peers, freshHome(), ['agent', '--probe', peers.probe], kind);
  try {
    agent.type(`${vendor.invite}\n`);
    await vendor.propose(hostileUtf8(dice, 64));
    await vendor.expect('SHEET');
    await agent.see(kind.json ? /"event":"sheet"/ : /CONSENT SHEET/);
    vendor.send({
      name: 'BYE',
      done: false,
      failure: { code: `BF-${'Y'.repeat(1 + dice.int(40))}`, detail: hostileText(dice, 300) },
    });
    await agent.ended();
  } finally {
    agent.stop();
    vendor.close();
  }
  return wrongsOf(agent, kind);
}

/**
 * The word typed ahead, behind the invite and before the sheet: no yes; typed after the question: a
 * yes. Nothing for the shell.
 */
export async function typedAheadCase(peers: Peers, kind: TerminalKind): Promise<string[]> {
  const found: string[] = [];
  const vendor = new HostileVendor(peers.relay);
  const agent = blindflash(peers, freshHome(), ['agent', '--probe', peers.probe], kind);
  try {
    await agent.see(/Paste the invite/);
    agent.type(`${vendor.invite}\ny\nyes\n`);
    await vendor.propose('ahead');
    await vendor.expect('SHEET');
    const word = (await agent.see(/^\s*([0-9a-f]{4}): it stands for this plan/m))[1] as string;
    agent.type(`${word}\n`);
    await agent.see(/Type the word of this sheet/);
    await pause(UNANSWERED_MS);
    if (vendor.heard('CONSENT')) found.push('a yes that was typed ahead counts');
    agent.type(`${word}\n`);
    if (!(await vendor.expect('CONSENT')).yes) found.push('the word typed after the question is no yes');
    agent.type('echo run by the shell\nhalf a li');
    vendor.send({ name: 'BYE', done: false, failure: { code: 'BF-X', detail: 'over' } });
    await agent.ended();
    if (agent.leftForTheShell !== '') found.push(`the shell would get ${JSON.stringify(agent.leftForTheShell)}`);
  } finally {
    agent.stop();
    vendor.close();
  }
  return [...found, ...wrongsOf(agent, kind)];
}

/** `y` and a code typed before the vendor is asked: no answer. */
export async function codeAheadCase(peers: Peers, kind: TerminalKind, seed: number): Promise<string[]> {
  const found: string[] = [];
  const file = join(peers.folder, `invite-${seed}`);
  const words = ['flash', IMAGE, '--relay', peers.relay, '--invite-out', file, '--yes'];
  const vendor = blindflash(peers, 'vendor', words, kind);
  let agent: HostileAgent | undefined;
  try {
    await vendor.see(/Send this invite/);
    agent = new HostileAgent(readFileSync(file, 'utf8').trim(), seededRandom(seed));
    const code = await agent.code();
    vendor.type(`${code}\ny\n${code}\n`);
    agent.greet();
    await vendor.see(QUESTION);
    await pause(UNANSWERED_MS);
    if (agent.heard('JOB')) found.push('a code that was typed ahead counts');
    vendor.type(`${code}\n`);
    await agent.expect('JOB');
  } finally {
    agent?.close();
    vendor.stop();
    await vendor.ended();
  }
  return [...found, ...wrongsOf(vendor, kind)];
}
