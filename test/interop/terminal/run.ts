// `npm run test:terminal [-- --messages N --rounds N --seed S]`: both sides' programs on real pseudo-terminals, against
// peers that mean ill.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TERMINAL_KINDS, Program, type TerminalKind } from './programs.ts';
import { wrongs } from './wrongs.ts';
import { blindflash, codeAheadCase, customerCase, typedAheadCase, vendorCase, type Peers } from './cases.ts';

const MESSAGES = 2000;
/** Of one side on one kind of terminal; fewer need not show anything. */
const LEAST = 50;
/** Of one hostile agent. */
const PROBLEMS = 20;
const SPEAKER = new URL('./speaker.ts', import.meta.url);

let passed = 0;
let failed = 0;

function check(title: string, found: readonly string[]): void {
  if (found.length === 0) passed++;
  else failed++;
  console.log(`${found.length === 0 ? 'ok  ' : 'FAIL'} ${title}`);
  for (const wrong of found.slice(0, 5)) console.log(`     ${wrong}`);
}

function option(name: string, otherwise: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
}

/** Every view of one side, many messages, on one kind of terminal. */
async function fuzzViews(side: 'vendor' | 'customer', kind: TerminalKind, seed: number, count: number): Promise<void> {
  const words = [side, String(seed), String(count), ...(kind.json ? ['--json'] : [])];
  const program = new Program(SPEAKER, words, kind.term);
  const status = await program.ended();
  const found = wrongs(program.shown, { terminal: kind.term !== undefined, bar: false, json: kind.json });
  if (status !== 0) found.push(`exit status ${status}: ${program.shown.toString().slice(-300)}`);
  if (program.shown.length < 20 * count) found.push(`only ${program.shown.length} bytes were shown`);
  check(`${side}, ${count} messages on ${kind.name}, seed ${seed}`, found);
}

/** Every case on every kind of terminal, `rounds` times. */
async function wholePrograms(seed: number, rounds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'blindflash-terminal-'));
  const pipe = { name: 'a pipe, --json', term: undefined, json: true };
  const relay = blindflash({ folder }, 'relay', ['relay', '--open', '--listen', '127.0.0.1:0'], pipe);
  const board = blindflash({ folder }, 'board', ['sim', '--tcp', '0'], pipe);
  try {
    await blindflash({ folder }, 'vendor', ['keygen', '--no-passphrase'], pipe).ended();
    const peers: Peers = {
      folder,
      relay: (await relay.see(/"url":"(ws:[^"]+)"/))[1]!,
      probe: (await board.see(/"url":"(tcp:[^"]+)"/))[1]!.replace('tcp://', 'tcp:'),
    };
    for (let round = 0; round < rounds; round++) await allCases(peers, seed + 100 * round);
  } finally {
    relay.stop();
    board.stop();
    await Promise.all([relay.ended(), board.ended()]);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The vendor's cases beside the customer's, which share the one probe. */
async function allCases(peers: Peers, seed: number): Promise<void> {
  const terminal = TERMINAL_KINDS[0]!;
  const vendors = async (): Promise<void> => {
    for (const [index, kind] of TERMINAL_KINDS.entries()) {
      check(`flash against a hostile agent on ${kind.name}`, await vendorCase(peers, kind, seed + index, PROBLEMS));
    }
    check('a code typed before the question is no answer', await codeAheadCase(peers, terminal, seed + 50));
  };
  const customers = async (): Promise<void> => {
    for (const [index, kind] of TERMINAL_KINDS.entries()) {
      check(`agent against a hostile vendor on ${kind.name}`, await customerCase(peers, kind, seed + index));
    }
    check('a word typed ahead is no yes, and nothing is left for the shell', await typedAheadCase(peers, terminal));
  };
  await Promise.all([vendors(), customers()]);
}

async function main(): Promise<void> {
  const messages = option('messages', MESSAGES);
  const seed = option('seed', 1);
  const share = Math.max(LEAST, Math.ceil(messages / (2 * TERMINAL_KINDS.length)));
  for (const [index, kind] of TERMINAL_KINDS.entries()) {
    await Promise.all((['vendor', 'customer'] as const).map((side) => fuzzViews(side, kind, seed + index, share)));
  }
  await wholePrograms(seed, option('rounds', 1));
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

await main();
