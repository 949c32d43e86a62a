// The state machine of the shipped stub against its model (test/integration/firmware/random-sequences.ts), in processes
// of its own beside the other checks. As a program: state-machine.ts FROM TO SEED plays these sequences and prints what
// came of it as JSON.
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { explore } from '../../integration/firmware/random-sequences.ts';

export interface Played {
  readonly sequences: number;
  readonly events: number;
  /** Pairs of state and event. */
  readonly pairs: readonly string[];
  readonly wrong: string | undefined;
}

const program = fileURLToPath(import.meta.url);

function inProcess(from: number, to: number, seed: number): Promise<Played> {
  const child = spawn(process.execPath, ['--import=tsx', program, `${from}`, `${to}`, `${seed}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (part: Buffer) => (text += part.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(text) as Played);
      else reject(new Error(`sequences ${from} to ${to} ended with ${code}`));
    });
  });
}

/** Plays `sequences` of `seed`, one core left to others. */
export async function playSequences(sequences: number, seed: number): Promise<Played> {
  const processes = Math.max(1, availableParallelism() - 1);
  const share = Math.ceil(sequences / processes);
  const parts = Array.from({ length: processes }, (_, i) =>
    inProcess(i * share, Math.min(sequences, (i + 1) * share), seed),
  );
  const played = await Promise.all(parts);
  return {
    sequences: played.reduce((sum, part) => sum + part.sequences, 0),
    events: played.reduce((sum, part) => sum + part.events, 0),
    pairs: [...new Set(played.flatMap(({ pairs }) => pairs))],
    wrong: played.find(({ wrong }) => wrong !== undefined)?.wrong,
  };
}

if (process.argv[1] === program) {
  const [from, to, seed] = process.argv.slice(2).map(Number) as [number, number, number];
  const { covered, ...rest } = explore(from, to, seed);
  console.log(JSON.stringify({ ...rest, pairs: [...covered] }));
}
