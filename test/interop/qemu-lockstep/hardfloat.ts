// An ordinary hard-float program with interrupts, against QEMU and against the same arithmetic on the host. The ticks
// fall at other instructions on each side, so everything but their number must agree.
// Usage: npx tsx test/interop/qemu-lockstep/hardfloat.ts
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runToBreakpoint } from './bare-core.ts';
import { runQemu } from './reference-cores.ts';

const RAM = 0x20000000;
const RESULT = 0x20010000;
const ORBIT = 0;
const FPSCR = (4 + 64 + 32) * 4;
const INTERRUPTS = FPSCR + 4;
const BYTES = FPSCR + 12;
const TARGET = ['-mcpu=cortex-m4', '-mthumb', '-mfloat-abi=hard', '-mfpu=fpv4-sp-d16'];
const FREE = ['-ffreestanding', '-nostdlib', '-std=gnu99', '-fno-math-errno', '-ffp-contract=off'];

function build(directory: string, level: string, contract: string): { elf: string; image: Uint8Array } {
  const here = (name: string): string => join(import.meta.dirname, name);
  const [elf, bin] = [join(directory, 'f.elf'), join(directory, 'f.bin')];
  const inputs = ['-T', here('known.ld'), here('hardfloat.c'), '-lgcc'];
  execFileSync('arm-none-eabi-gcc', [...TARGET, ...FREE, `-ffp-contract=${contract}`, level, ...inputs, '-o', elf]);
  execFileSync('arm-none-eabi-objcopy', ['-O', 'binary', '-j', '.text', elf, bin]);
  return { elf, image: new Uint8Array(readFileSync(bin)) };
}

/** The program's orbit by the host, every operation rounded to single. */
function hostOrbit(): number[] {
  const f = Math.fround;
  const h = f(0.01);
  let [x, y, vx, vy] = [1, 0, 0, f(0.9)] as [number, number, number, number];
  for (let i = 0; i < 400; i++) {
    const r2 = f(f(x * x) + f(y * y));
    const r3 = f(r2 * f(Math.sqrt(r2)));
    vx = f(vx - f(f(h * x) / r3));
    vy = f(vy - f(f(h * y) / r3));
    x = f(x + f(h * vx));
    y = f(y + f(h * vy));
  }
  return [x, y, vx, vy];
}

let passed = 0;
let failed = 0;
function check(name: string, holds: boolean): void {
  if (holds) passed++;
  else failed++;
  console.log(`${holds ? 'ok  ' : 'FAIL'} ${name}`);
}

const directory = mkdtempSync(join(tmpdir(), 'hardfloat-'));
try {
  for (const [level, contract] of [
    ['-O0', 'off'],
    ['-O2', 'off'],
    ['-O2', 'fast'],
    ['-Os', 'fast'],
  ] as const) {
    const title = `${level}, contraction ${contract}`;
    const { elf, image } = build(directory, level, contract);
    const { ram, cycles } = runToBreakpoint(image, 10e9);
    const ours = Buffer.from(ram.subarray(RESULT - RAM, RESULT - RAM + BYTES));
    const theirs = Buffer.from(runQemu(elf));
    const ticks = ours.readUInt32LE(INTERRUPTS);
    check(
      `${title}: results and FPSCR as on QEMU`,
      ours.subarray(0, INTERRUPTS).equals(theirs.subarray(0, INTERRUPTS)),
    );
    check(`${title}: ${ticks} interrupts in ${cycles} cycles`, ticks > 50);
    if (contract === 'off') {
      check(
        `${title}: orbit as the host computes it`,
        hostOrbit().every((value, i) => ours.readFloatLE(ORBIT + i * 4) === value),
      );
    }
  }
} finally {
  rmSync(directory, { recursive: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
