// `npm run test:terminal [-- --messages N --seed S]`: both sides' programs on real pseudo-terminals, against peers that mean ill.
import { STAGES, Program, type Stage } from './programs.ts';
import { wrongs } from './judge.ts';

const MESSAGES = 2000;
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

async function main(): Promise<void> {
  const messages = option('messages', MESSAGES);
  const seed = option('seed', 1);
  const share = Math.ceil(messages / (2 * STAGES.length));
  for (const [index, stage] of STAGES.entries()) {
    await Promise.all((['vendor', 'customer'] as const).map((side) => fuzzViews(side, stage, seed + index, share)));
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

await main();
