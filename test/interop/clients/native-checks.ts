// Checks that are programs of their own, as rows of the table (docs/simulation.md, "Native checks"): the core in
// lock-step with QEMU and Unicorn, and noise on every surface of the probe. LOCKSTEP random instructions instead of
// 200,000; FUZZ inputs instead of 50,000.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Checks } from '../openocd/checks.ts';

interface Program {
  readonly client: string;
  readonly operation: string;
  /** Arguments of node, after `--import=tsx`. */
  readonly args: readonly string[];
  /** The line that counts what agreed, and what did not. */
  readonly summary: RegExp;
}

const path = (name: string): string => fileURLToPath(new URL(`../../../${name}`, import.meta.url));
const lockstep = (operation: string, file: string, ...args: string[]): Program => ({
  client: 'QEMU, Unicorn',
  operation,
  args: [path(`test/interop/qemu-lockstep/${file}`), ...args],
  summary: /^(\d+) passed, (\d+) failed$/gm,
});
const count = process.env['LOCKSTEP'];
export const CORES: readonly Program[] = [
  lockstep('random programs', 'run.ts', ...(count === undefined ? [] : ['--count', count])),
  lockstep('planted errors are noticed', 'run.ts', '--plant', 'all'),
  lockstep('hard-float firmware with interrupts', 'hardfloat.ts'),
  lockstep('the crypto of the stub', 'crypto.ts'),
];
const mocha = [path('node_modules/mocha/bin/mocha.js'), '--no-config', '--timeout', '1200000', '--import=tsx'];
export const NOISE: readonly Program[] = [
  {
    client: 'noise',
    operation: 'USB, TCP, debug port',
    args: [...mocha, path('test/unit/sim/probe/fuzz.test.ts')],
    summary: /^ +(\d+) passing/gm,
  },
];

/** All programs in turn; one that dies without a count is a failure. */
export async function counted(checks: Checks, programs: readonly Program[]): Promise<void> {
  for (const { client, operation, args, summary } of programs) {
    const { text, status } = await run(args);
    process.stdout.write(text.replace(/^(?=.)/gm, '     | '));
    const [, passed = '0', failed = '0'] = [...text.matchAll(summary)].at(-1) ?? [];
    checks.at(client, operation);
    checks.counted('agrees', Number(passed), Number(failed));
    checks.check('the program ended well', status === 0 && Number(passed) > 0, `status ${String(status)}`);
  }
}

function run(args: readonly string[]): Promise<{ text: string; status: number | null }> {
  const child = spawn(process.execPath, ['--import=tsx', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve({ text, status }));
  });
}
