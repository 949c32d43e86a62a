// `npm run test:terminal [-- --messages N --rounds N --seed S]`: both sides' programs on real pseudo-terminals, against
// peers that mean ill.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { STAGES, Program, type Stage } from './programs.ts';
import { wrongs } from './wrongs.ts';
import { blindflash, codeAheadScene, customerScene, typedAheadScene, vendorScene, type World } from './scenes.ts';

const MESSAGES = 2000;
/** Of one side on one stage; fewer need not show anything. */
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

/** Every view of one side, many messages, on one stage. */
async function fuzzViews(side: 'vendor' | 'customer', stage: Stage, seed: number, count: number): Promise<void> {
  const words = [side, String(seed), String(count), ...(stage.json ? ['--json'] : [])];
  const program = new Program(SPEAKER, words, stage.term);
  const status = await program.ended();
  const found = wrongs(program.shown, { terminal: stage.term !== undefined, bar: false, json: stage.json });
  if (status !== 0) found.push(`exit status ${status}: ${program.shown.toString().slice(-300)}`);
  if (program.shown.length < 20 * count) found.push(`only ${program.shown.length} bytes were shown`);
  check(`${side}, ${count} messages on ${stage.name}, seed ${seed}`, found);
}

/** Every scene on every stage, `rounds` times. */
async function wholePrograms(seed: number, rounds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'blindflash-terminal-'));
  const pipe = { name: 'a pipe, --json', term: undefined, json: true };
  const relay = blindflash({ folder }, 'relay', ['relay', '--open', '--listen', '127.0.0.1:0'], pipe);
  const board = blindflash({ folder }, 'board', ['sim', '--tcp', '0'], pipe);
  try {
    await blindflash({ folder }, 'vendor', ['keygen', '--no-passphrase'], pipe).ended();
    const world: World = {
      folder,
      relay: (await relay.see(/"url":"(ws:[^"]+)"/))[1]!,
      probe: (await board.see(/"url":"(tcp:[^"]+)"/))[1]!.replace('tcp://', 'tcp:'),
    };
    for (let round = 0; round < rounds; round++) await allScenes(world, seed + 100 * round);
  } finally {
    relay.stop();
    board.stop();
    await Promise.all([relay.ended(), board.ended()]);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The vendor's scenes beside the customer's, which share the one probe. */
async function allScenes(world: World, seed: number): Promise<void> {
  const terminal = STAGES[0]!;
  const vendors = async (): Promise<void> => {
    for (const [index, stage] of STAGES.entries()) {
      check(`flash against a hostile agent on ${stage.name}`, await vendorScene(world, stage, seed + index, PROBLEMS));
    }
    check('a code typed before the question is no answer', await codeAheadScene(world, terminal, seed + 50));
  };
  const customers = async (): Promise<void> => {
    for (const [index, stage] of STAGES.entries()) {
      check(`agent against a hostile vendor on ${stage.name}`, await customerScene(world, stage, seed + index));
    }
    check('a word typed ahead is no yes, and nothing is left for the shell', await typedAheadScene(world, terminal));
  };
  await Promise.all([vendors(), customers()]);
}

async function main(): Promise<void> {
  const messages = option('messages', MESSAGES);
  const seed = option('seed', 1);
  const share = Math.max(LEAST, Math.ceil(messages / (2 * STAGES.length)));
  for (const [index, stage] of STAGES.entries()) {
    await Promise.all((['vendor', 'customer'] as const).map((side) => fuzzViews(side, stage, seed + index, share)));
  }
  await wholePrograms(seed, option('rounds', 1));
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

await main();
