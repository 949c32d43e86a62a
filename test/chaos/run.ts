// `npm run test:chaos`: seeded chaos in virtual time (docs/reliability.md). A failing seed is shrunk to the faults that
// matter, told as a log, and reproduced by the command it prints.
import { parseArgs } from 'node:util';
import type { Transport } from './play.ts';
import { Pool } from './pool.ts';
import type { Answer, Task } from './worker.ts';

const DEFAULTS = { seeds: '500', first: '1', workers: '2', transport: 'probe' } as const;
/** One seed in so many is played twice and must leave the same trace. */
const TWICE_ONE_IN = 20;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: DEFAULTS.seeds },
    first: { type: 'string', default: DEFAULTS.first },
    seed: { type: 'string' },
    size: { type: 'string' },
    only: { type: 'string' },
    transport: { type: 'string', default: DEFAULTS.transport },
    workers: { type: 'string', default: DEFAULTS.workers },
    log: { type: 'boolean', default: false },
  },
});
const size = values.size === undefined ? undefined : Number(values.size);
const transport: Transport = values.transport === 'serial' ? 'serial' : 'probe';
const say = (text: string): void => void process.stdout.write(`${text}\n`);

function commandFor(seed: number, only: readonly number[] | undefined): string {
  const some = only === undefined ? '' : ` --only ${only.length === 0 ? 'none' : only.join(',')}`;
  const how = transport === DEFAULTS.transport ? '' : ` --transport ${transport}`;
  return `npm run test:chaos --${how} --seed ${seed}${size === undefined ? '' : ` --size ${size}`}${some}`;
}

/** Leaves out one fault after the other for as long as the run still fails. */
async function shrink(
  pool: Pool,
  failed: Answer,
  task: Task,
): Promise<{ answer: Answer; only: readonly number[] | undefined }> {
  let only = [...Array(failed.faults).keys()];
  let answer = failed;
  for (const index of [...only]) {
    const fewer = only.filter((one) => one !== index);
    const attempt = await pool.run({ ...task, only: fewer });
    if (attempt.broken.length > 0) [only, answer] = [fewer, attempt];
  }
  return { answer, only: only.length === failed.faults ? undefined : only };
}

async function report(pool: Pool, failed: Answer, task: Task): Promise<void> {
  const { answer, only } =
    failed.faults === 0 || task.only !== undefined
      ? { answer: failed, only: task.only }
      : await shrink(pool, failed, task);
  say(`\nseed ${answer.seed} (${answer.cast}): ${answer.about}`);
  for (const line of answer.log) say(`  ${line}`);
  for (const sentence of answer.broken) say(`  ✗ ${sentence}`);
  say(`  again: ${commandFor(answer.seed, only)}`);
}

async function main(): Promise<void> {
  const started = performance.now();
  const pool = new Pool(Number(values.workers));
  const seeds =
    values.seed === undefined
      ? Array.from({ length: Number(values.seeds) }, (_, index) => Number(values.first) + index)
      : [Number(values.seed)];
  const only = values.only === undefined ? undefined : values.only === 'none' ? [] : values.only.split(',').map(Number);
  const taskOf = (seed: number): Task => ({
    seed,
    size,
    only,
    transport,
    twice: seeds.length === 1 || seed % TWICE_ONE_IN === 0,
  });
  const answers = await Promise.all(
    seeds.map((seed) => pool.run(taskOf(seed)).then((answer) => told(answer, seeds.length))),
  );
  const failed = answers.filter(({ broken }) => broken.length > 0);
  for (const answer of failed.slice(0, 5)) await report(pool, answer, taskOf(answer.seed));
  if (values.log) for (const line of answers.flatMap(({ log }) => log)) say(line);
  pool.close();
  summary(answers, (performance.now() - started) / 1000);
  process.exitCode = failed.length > 0 ? 1 : 0;
}

let count = 0;
function told(answer: Answer, of: number): Answer {
  if (answer.broken.length > 0) {
    say(`seed ${answer.seed}: ${answer.broken.map((text) => text.split('\n')[0]).join('; ')}`);
  }
  if (++count % 100 === 0) say(`${count} of ${of} seeds`);
  return answer;
}

function summary(answers: readonly Answer[], seconds: number): void {
  const failed = answers.filter(({ broken }) => broken.length > 0);
  say('');
  for (const cast of new Set(answers.map((answer) => answer.cast))) {
    const of = answers.filter((answer) => answer.cast === cast);
    const good = of.filter(({ ended }) => ended === 'good').length;
    const others = [...new Set(of.map(({ ended }) => ended))].filter((ended) => ended !== 'good');
    const list = others.map((ended) => `${ended} ${of.filter((answer) => answer.ended === ended).length}`).join(', ');
    say(`${cast.padEnd(14)} ${of.length} runs, ${good} ended with a receipt${list === '' ? '' : `; ${list}`}`);
  }
  say(
    `${answers.length} seeds in ${seconds.toFixed(0)} s; ${failed.length} failed${failed.length > 0 ? `: ${failed.map(({ seed }) => seed).join(' ')}` : ''}`,
  );
}

await main();
