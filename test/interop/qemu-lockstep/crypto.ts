// The stub's own primitives, compiled as the stub compiles them, in lock-step: QEMU and Unicorn must leave the same
// output and the same registers at every function's return, and Unicorn must need exactly as many instructions as the
// core. Usage: npx tsx test/interop/qemu-lockstep/crypto.ts
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stepToFinish } from './bare-core.ts';
import { countOnUnicorn, runQemu } from './reference-cores.ts';

const RAM = 0x20000000;
const RESULT = 0x20010000;
const CALLS = 12;
const CALL_BYTES = 14 * 4 + 256;
const RESULT_BYTES = 4 + CALLS * CALL_BYTES;
const NAMES = [
  'x25519_base',
  'x25519',
  ...[0, 1, 111, 112, 200].map((length) => `sha512 of ${length} bytes`),
  'secretbox_seal',
  'secretbox_open',
  'secretbox_open of a forgery',
  'hmac_parts',
  'hkdf_expand',
];
const TARGET = ['-mcpu=cortex-m4', '-mthumb', '-mfloat-abi=soft', '-ffreestanding', '-nostdlib', '-std=gnu99'];

/** Sources and flags of the stub's build, from its own list. */
function stubBuild(crypto: string): { sources: string[]; flags: string[] } {
  const text = readFileSync(join(crypto, 'sources.mk'), 'utf8');
  const list = (name: string): string[] => new RegExp(`^${name} = (.*)$`, 'm').exec(text)![1]!.split(' ');
  return { sources: list('CRYPTO_SOURCES').map((file) => join(crypto, file)), flags: list('CRYPTO_CFLAGS') };
}

function build(directory: string): { elf: string; bin: string } {
  const here = (name: string): string => join(import.meta.dirname, name);
  const crypto = here('../../../firmware/common/crypto');
  const { sources, flags } = stubBuild(crypto);
  const [elf, bin] = [join(directory, 'crypto.elf'), join(directory, 'crypto.bin')];
  const inputs = ['-I', crypto, '-T', here('known.ld'), here('crypto.c'), ...sources, '-lgcc'];
  execFileSync('arm-none-eabi-gcc', [...TARGET, ...flags, ...inputs, '-o', elf]);
  execFileSync('arm-none-eabi-objcopy', ['-O', 'binary', elf, bin]);
  return { elf, bin };
}

/** What the board's memory should hold for SHA-512 of the driver's noise, by the host's own implementation. */
function hostDigest(call: number, length: number): string {
  let state = 1;
  let input = new Uint8Array(512);
  for (let refill = 0; refill <= call; refill++) {
    input = Uint8Array.from({ length: 512 }, () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24);
  }
  return createHash('sha512')
    .update(input.subarray(1, 1 + length))
    .digest('hex');
}

const directory = mkdtempSync(join(tmpdir(), 'crypto-lockstep-'));
let failed = 0;
let checks = 0;
const check = (name: string, holds: boolean): void => {
  checks++;
  if (!holds) failed++;
  console.log(`${holds ? 'ok  ' : 'FAIL'} ${name}`);
};
try {
  const { elf, bin } = build(directory);
  const { ram, instructions, skipped, cycles } = stepToFinish(new Uint8Array(readFileSync(bin)), 50e6);
  const ours = Buffer.from(ram.subarray(RESULT - RAM, RESULT - RAM + RESULT_BYTES));
  const qemu = Buffer.from(runQemu(elf));
  const unicorn = Buffer.from(countOnUnicorn(bin, instructions - skipped, RESULT, RESULT_BYTES));
  const part = (from: Buffer, call: number): Buffer =>
    from.subarray(4 + call * CALL_BYTES, 4 + (call + 1) * CALL_BYTES);
  NAMES.forEach((name, call) => {
    check(`${name}: output and registers as on QEMU`, part(ours, call).equals(part(qemu, call)));
    check(`${name}: output and registers as on Unicorn`, part(ours, call).equals(part(unicorn, call)));
  });
  [0, 1, 111, 112, 200].forEach((length, i) =>
    check(
      `sha512 of ${length} bytes as Node says`,
      part(ours, 2 + i).toString('hex', 56, 120) === hostDigest(2 + i, length),
    ),
  );
  check('every call was made', ours.readUInt32LE(0) === CALLS);
  check(`${instructions - skipped} instructions and ${skipped} skipped by IT, as on Unicorn; ${cycles} cycles`, true);
} catch (error) {
  failed++;
  checks++;
  console.error(error instanceof Error ? error.message : error);
} finally {
  rmSync(directory, { recursive: true });
}
console.log(`${checks - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
