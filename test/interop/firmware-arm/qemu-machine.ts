// Debian's qemu-system-arm (mps2-an386, Cortex-M4) calling functions of the shipped stub. The .bin file is
// loaded as it is at the address it runs at on the chip; a small program at 0 (caller/) obeys a list of steps.
// A plugin can log traces.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { SECOND_IMAGE, type Machine, type Step } from './program.ts';
import { BUILD, LOAD_ADDRESS } from './shipped.ts';

const HERE = import.meta.dirname;
const CALLER = resolve(BUILD, 'caller.elf');
const PLUGIN = resolve(BUILD, 'trace.so');
const STEPS_ADDRESS = 0x21000000;
/** The board's PSRAM. */
const STEPS_ROOM = 16 << 20;
const OP = { end: 0, write: 1, fill: 2, call: 3, read: 4 } as const;
const CALL_ARGUMENTS = 8;
const MACHINE = ['-M', 'mps2-an386', '-nographic', '-monitor', 'none', '-serial', 'none'];
const LIMIT_MS = 300_000;
const ARM = ['-mcpu=cortex-m4', '-mthumb', '-std=c99', '-Wall', '-Wextra', '-Werror', '-O2'];

/** Builds the calling program and the plugin. */
export function buildQemuTools(): void {
  mkdirSync(BUILD, { recursive: true });
  const here = (name: string) => resolve(HERE, name);
  const bare = ['-ffreestanding', '-fno-tree-loop-distribute-patterns', '-nostdlib', '-Wl,--build-id=none'];
  execFileSync('arm-none-eabi-gcc', [
    ...ARM,
    ...bare,
    '-T',
    here('caller/caller.ld'),
    '-o',
    CALLER,
    here('caller/caller.c'),
  ]);
  execFileSync('gcc', [
    '-std=c99',
    '-O2',
    '-Wall',
    '-Wextra',
    '-shared',
    '-fPIC',
    '-o',
    PLUGIN,
    here('plugin/trace.c'),
  ]);
}

function words(...values: readonly number[]): Buffer {
  return Buffer.from(Uint32Array.from(values).buffer);
}

function encode(step: Step): Buffer {
  switch (step.op) {
    case 'write': {
      const padding = Buffer.alloc((4 - (step.bytes.length & 3)) & 3);
      return Buffer.concat([words(OP.write, step.at, step.bytes.length), step.bytes, padding]);
    }
    case 'fill':
      return words(OP.fill, step.at, step.length, step.byte);
    case 'read':
      return words(OP.read, step.at, step.length);
    case 'call':
      return words(OP.call, step.entry, ...Array.from({ length: CALL_ARGUMENTS }, (_, i) => step.args[i] ?? 0));
  }
}

function encodeAll(steps: readonly Step[]): Buffer {
  const all = Buffer.concat([...steps.map(encode), words(OP.end)]);
  if (all.length > STEPS_ROOM) throw new Error('too many steps for one run of QEMU');
  return all;
}

function answerLength(step: Step): number | undefined {
  if (step.op === 'call') return 4;
  return step.op === 'read' ? step.length : undefined;
}

/** Cuts what the program printed into answers. */
function cut(steps: readonly Step[], printed: Uint8Array): Uint8Array[] {
  let at = 0;
  const answers = steps.flatMap((step) => {
    const length = answerLength(step);
    if (length === undefined) return [];
    at += length;
    return [printed.slice(at - length, at)];
  });
  if (at !== printed.length) throw new Error(`QEMU printed ${printed.length} bytes, not ${at}`);
  return answers;
}

export class QemuMachine implements Machine {
  readonly name = 'qemu mps2-an386';
  readonly #image: string;
  readonly #second: string | undefined;

  /** Files of the shipped image and of the second one. */
  constructor(image: string, second?: string) {
    this.#image = image;
    this.#second = second;
  }

  run(steps: readonly Step[]): Uint8Array[] {
    return cut(steps, this.#execute(encodeAll(steps), []));
  }

  /** Runs steps under the plugin: for each call, "instructions hash". */
  traces(steps: readonly Step[]): string[] {
    const log = resolve(BUILD, 'trace.txt');
    cut(steps, this.#execute(encodeAll(steps), ['-plugin', `${PLUGIN},out=${log}`]));
    return readFileSync(log, 'utf8').trim().split('\n');
  }

  #execute(list: Buffer, more: readonly string[]): Uint8Array {
    const steps = resolve(BUILD, 'steps.bin');
    writeFileSync(steps, list);
    const load = (file: string, at: number) => ['-device', `loader,file=${file},addr=${at},force-raw=on`];
    const done = spawnSync(
      'qemu-system-arm',
      [
        ...MACHINE,
        ...['-semihosting-config', 'enable=on,target=native', '-kernel', CALLER],
        ...load(this.#image, LOAD_ADDRESS),
        ...(this.#second === undefined ? [] : load(this.#second, SECOND_IMAGE)),
        ...load(steps, STEPS_ADDRESS),
        ...more,
      ],
      { maxBuffer: 1 << 28, timeout: LIMIT_MS },
    );
    if (done.error) throw done.error;
    if (done.status !== 0) throw new Error(`QEMU ended with ${done.status ?? done.signal}: ${done.stderr.toString()}`);
    return new Uint8Array(done.stdout);
  }
}
