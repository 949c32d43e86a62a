// Compiles a real C program at -Os and -O2, runs it on the core and checks its SHA-256 against the host's.
// Usage: npx tsx test/interop/qemu-lockstep/known.ts
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runToBreakpoint } from './bare-core.ts';

const RESULT = 0x10000;
const SIZE = 16384;
const FLAGS = ['-mcpu=cortex-m4', '-mthumb', '-mfloat-abi=soft', '-ffreestanding', '-fno-builtin', '-nostdlib'];

function compile(directory: string, level: string): Uint8Array {
  const here = (name: string): string => join(import.meta.dirname, name);
  const elf = join(directory, 'known.elf');
  const bin = join(directory, 'known.bin');
  execFileSync('arm-none-eabi-gcc', [...FLAGS, level, '-T', here('known.ld'), here('known.c'), '-lgcc', '-o', elf]);
  execFileSync('arm-none-eabi-objcopy', ['-O', 'binary', '-j', '.text', elf, bin]);
  return new Uint8Array(readFileSync(bin));
}

const directory = mkdtempSync(join(tmpdir(), 'known-'));
try {
  for (const level of ['-Os', '-O2']) {
    const begin = performance.now();
    const { ram, cycles } = runToBreakpoint(compile(directory, level), 10e9);
    const expected = createHash('sha256')
      .update(ram.subarray(RESULT, RESULT + SIZE))
      .digest('hex');
    const digest = Buffer.from(ram.subarray(RESULT + SIZE, RESULT + SIZE + 32)).toString('hex');
    assert.equal(digest, expected);
    console.log(
      `${level}: digest right after ${cycles} cycles, ${Math.round(performance.now() - begin)} ms with compilation`,
    );
  }
} finally {
  rmSync(directory, { recursive: true });
}
