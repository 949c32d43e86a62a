// Constant time by three methods (docs/reference/crypto.md §4): taint on the host's build of the same C, traces of the
// shipped ARM code on the virtual core and in QEMU, and the disassembly gate. Each method also judges the deliberately
// bad variants.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { objections } from './gate.ts';
import { Program, SECOND_IMAGE } from './program.ts';
import type { QemuMachine } from './qemu-machine.ts';
import { type SecretCase, secretsOf } from './secret-cases.ts';
import { BUILD, functionsOf, ROOT, type Sym } from './shipped.ts';
import { difference, type Trace, type TracingCore } from './tracing-core.ts';

const HERE = import.meta.dirname;
const TAINT = resolve(BUILD, 'taint');
const TAINT_FOUND = 9;
const BAD_ELF = resolve(BUILD, 'bad.elf');
export const BAD_BIN = resolve(BUILD, 'bad.bin');
const ARM = ['-mcpu=cortex-m4', '-mthumb', '-std=c99', '-Wall', '-Wextra', '-Werror', '-ffreestanding'];

/** `undefined`: nothing found; else what was found. */
export type Finding = string | undefined;

/** A variable of firmware/common/crypto/sources.mk as make gives it. */
function makeVariable(name: string): string[] {
  const path = resolve(ROOT, 'firmware/common/crypto/sources.mk');
  const show = `include ${path}\nall:\n\t@echo $(${name})\n`;
  return execFileSync('make', ['-s', '-f', '-'], { input: show, encoding: 'utf8' }).trim().split(/\s+/);
}

function buildTaint(): void {
  const crypto = resolve(ROOT, 'firmware/common/crypto');
  const sources = makeVariable('CRYPTO_SOURCES').filter((name) => name.endsWith('.c'));
  const flags = ['-g', '-std=c99', '-Wall', '-Wextra', '-Werror', ...makeVariable('CRYPTO_CFLAGS'), `-I${crypto}`];
  const ours = [resolve(HERE, 'taint/taint.c'), resolve(HERE, 'bad/bad.c')];
  const files = [...sources.map((name) => resolve(crypto, name)), ...ours];
  execFileSync('gcc', [...flags, '-Wl,--wrap=bf_equal', '-o', TAINT, ...files], { stdio: 'inherit' });
}

/** Compiles the bad variants as the stub's cryptography is compiled. */
function buildBad(): void {
  const place = ['-nostdlib', `-Wl,--build-id=none,-Ttext=0x${SECOND_IMAGE.toString(16)},-e0`];
  const flags = [...ARM, ...makeVariable('CRYPTO_CFLAGS'), ...place];
  execFileSync('arm-none-eabi-gcc', [...flags, '-o', BAD_ELF, resolve(HERE, 'bad/bad.c')], { stdio: 'inherit' });
  execFileSync('arm-none-eabi-objcopy', ['-O', 'binary', BAD_ELF, BAD_BIN]);
}

export function buildConstantTime(): void {
  mkdirSync(BUILD, { recursive: true });
  buildTaint();
  buildBad();
}

/** Functions and image of the bad variants. */
export function badVariants(): { functions: Map<string, Sym>; image: Uint8Array } {
  return { functions: functionsOf(BAD_ELF), image: new Uint8Array(readFileSync(BAD_BIN)) };
}

/** Valgrind over one case of taint.c. */
export function byTaint(name: string): Finding {
  const run = spawnSync('valgrind', ['-q', `--error-exitcode=${TAINT_FOUND}`, TAINT, name], { encoding: 'utf8' });
  if (run.error) throw run.error;
  if (run.status === TAINT_FOUND) return first(run.stderr, /(Conditional jump|Use of uninitialised)[^\n]*/);
  if (run.status !== 0 || run.stdout !== '') throw new Error(`taint ${name}: ${run.stdout}${run.stderr}`);
  return undefined;
}

function first(text: string, pattern: RegExp): string {
  return pattern.exec(text)?.[0] ?? text.slice(0, 200);
}

function programOf(functions: ReadonlyMap<string, Sym>, one: SecretCase, runs: number, seed: number): Program {
  const program = new Program(functions);
  for (let run = 0; run < runs; run++) {
    program.clear();
    program.place = 0;
    one.build(program, secretsOf(run, seed));
  }
  return program;
}

export interface CoreFindings {
  /** Instructions or addresses differ. */
  readonly trace: Finding;
  /** The core's cycle counter differs. */
  readonly cycles: Finding;
  /** Instructions of one run. */
  readonly instructions: number;
}

/** Runs a case with `runs` different secrets on the virtual core. */
export function byCore(
  core: TracingCore,
  functions: ReadonlyMap<string, Sym>,
  one: SecretCase,
  runs: number,
  seed: number,
): CoreFindings {
  const once = (run: number): Trace[] => {
    const program = new Program(functions);
    one.build(program, secretsOf(run, seed));
    return core.traces(program.steps);
  };
  const reference = once(0);
  let trace: Finding;
  let cycles: Finding;
  for (let run = 1; run < runs; run++) {
    once(run).forEach((mine, call) => {
      trace ??= difference(reference[call]!, mine);
      if (mine.cycles !== reference[call]!.cycles) cycles ??= `${reference[call]!.cycles} or ${mine.cycles} cycles`;
    });
  }
  return { trace, cycles, instructions: reference.reduce((sum, call) => sum + call.instructions, 0) };
}

export interface QemuFindings {
  readonly trace: Finding;
  /** Instructions of one run. */
  readonly instructions: number;
}

/** Runs a case with `runs` different secrets in QEMU under the trace plugin. */
export function byQemu(
  qemu: QemuMachine,
  functions: ReadonlyMap<string, Sym>,
  one: SecretCase,
  runs: number,
  seed: number,
): QemuFindings {
  const lines = qemu.traces(programOf(functions, one, runs, seed).steps);
  const calls = lines.length / runs;
  if (!Number.isInteger(calls)) throw new Error(`${lines.length} calls seen in ${runs} runs`);
  const at = lines.findIndex((line, i) => line !== lines[i % calls]);
  return {
    trace: at < 0 ? undefined : `"${lines[at % calls]}" or "${lines[at]}"`,
    instructions: lines.slice(0, calls).reduce((sum, line) => sum + parseInt(line, 10), 0),
  };
}

/** The gate over one bad variant. */
export function badByGate(name: string): Finding {
  return objections(BAD_ELF, new Set([name]))[0];
}
