// The `crypto-lines` programs of firmware/pc: built with make, asked in batches over their line protocol.

import { execFileSync, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../../..');
const BUILD = resolve(ROOT, 'test/interop/build/firmware-host');

const ARM_CONSOLE = ['-M', 'mps2-an386', '-nographic', '-monitor', 'none', '-serial', 'none'];

/**
 * The same primitives four times: C, the same under the address and undefined-behaviour sanitizers, Cortex-M4 code as
 * it ships, and the C twins of its assembly for the Cortex-M4.
 */
export const HOSTS = [
  'crypto-lines',
  'crypto-lines-san',
  'crypto-lines-arm.elf',
  'crypto-lines-arm-twins.elf',
] as const;
export type Host = (typeof HOSTS)[number];

/** One request line, the answer it must get, and, when the answer is too long to keep, what to compare instead. */
export interface Case {
  readonly ask: string;
  readonly want: string;
  readonly by?: (answer: string) => string;
}

export interface Suite {
  readonly name: string;
  readonly cases: readonly Case[];
}

function make(target: string): void {
  execFileSync('make', ['-s', '-C', resolve(ROOT, 'firmware/pc'), `BUILD=${BUILD}`, target], { stdio: 'inherit' });
}

function installed(program: string): boolean {
  return spawnSync(program, ['--version']).status === 0;
}

/** Builds and returns the hosts that run on the PC itself. */
export function buildNative(): Host[] {
  make('all');
  return HOSTS.slice(0, 2);
}

/** newlib with semihosting: asked for the file, the compiler gives a path when it has it. */
function hasNewlib(): boolean {
  return spawnSync('arm-none-eabi-gcc', ['-print-file-name=rdimon.specs'], { encoding: 'utf8' }).stdout.includes('/');
}

/** Builds what this machine can run and returns it; the emulated hosts need an ARM compiler with newlib, and QEMU. */
export function build(): Host[] {
  const native = buildNative();
  if (!installed('arm-none-eabi-gcc') || !installed('qemu-system-arm') || !hasNewlib()) return native;
  make('arm');
  return [...HOSTS];
}

/** The emulator has no pipes into the program: requests and answers are files in the build folder. */
function emulate(elf: string, input: string): { run: SpawnSyncReturns<string>; output: string } {
  const [requests, answers] = [resolve(BUILD, 'requests.txt'), resolve(BUILD, 'answers.txt')];
  const args = ['crypto-lines', requests, answers].map((arg) => `,arg=${arg}`).join('');
  writeFileSync(requests, input);
  writeFileSync(answers, '');
  const run = spawnSync(
    'qemu-system-arm',
    [...ARM_CONSOLE, '-semihosting-config', `enable=on,target=native${args}`, '-kernel', elf],
    { encoding: 'utf8' },
  );
  return { run, output: readFileSync(answers, 'utf8') };
}

function execute(program: string, input: string): { run: SpawnSyncReturns<string>; output: string } {
  if (program.endsWith('.elf')) return emulate(program, input);
  const run = spawnSync(program, { input, maxBuffer: 1 << 28, encoding: 'utf8' });
  return { run, output: run.stdout };
}

/** Sends `lines` to `host` and returns one answer a line; throws when the program died or answered too little. */
function ask(host: Host, lines: readonly string[]): string[] {
  const { run, output } = execute(resolve(BUILD, host), lines.join('\n') + '\n');
  if (run.error) throw run.error;
  if (run.status !== 0) throw new Error(`${host} ended with ${run.status ?? run.signal}: ${run.stderr}`);
  const answers = output.split('\n').slice(0, -1);
  if (answers.length !== lines.length) throw new Error(`${host}: ${answers.length} answers to ${lines.length} lines`);
  return answers;
}

/** Runs a suite and returns a sentence for each case that failed. */
export function failures(host: Host, suite: Suite): string[] {
  const answers = ask(
    host,
    suite.cases.map((c) => c.ask),
  );
  return suite.cases.flatMap((c, i) => {
    const got = c.by ? c.by(answers[i]) : answers[i];
    return got === c.want ? [] : [`${c.ask.slice(0, 160)}: wanted ${c.want.slice(0, 160)}, got ${got.slice(0, 160)}`];
  });
}

/** Hex of bytes as the protocol wants it: `-` for none. */
export function hex(bytes: Uint8Array | string): string {
  const text = typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('hex');
  return text === '' ? '-' : text;
}
