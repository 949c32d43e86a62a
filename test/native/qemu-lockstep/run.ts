// Lock-step check of the core against qemu-system-arm: the same random program runs in both, and every block's registers,
// flags and memory must agree. Needs arm-none-eabi-as/ld/objcopy and qemu-system-arm.
// Usage: npx tsx test/native/qemu-lockstep/run.ts [--seed N] [--count N]; exit status 1 on a difference.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runToBreakpoint } from './bare-core.ts';
import { assembly, type Block, DUMP, DUMP_WORDS, makeBlocks } from './program.ts';

const RAM = 0x20000000;
const REGISTERS = ['r0', 'r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7', 'r8', 'r9', 'r12', 'lr', 'apsr'];

function option(name: string, otherwise: number): number {
  const at = process.argv.indexOf(name);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
}

function build(directory: string, source: string): { elf: string; image: Uint8Array } {
  const path = (name: string): string => join(directory, name);
  writeFileSync(path('p.s'), source);
  execFileSync('arm-none-eabi-as', ['-mcpu=cortex-m4', '-mthumb', '-o', path('p.o'), path('p.s')]);
  const layout = ['-Ttext=0', '-Tdata=0x20000000', '-e', '0'];
  execFileSync('arm-none-eabi-ld', [...layout, '-o', path('p.elf'), path('p.o')]);
  execFileSync('arm-none-eabi-objcopy', ['-O', 'binary', '-j', '.text', path('p.elf'), path('p.bin')]);
  return { elf: path('p.elf'), image: new Uint8Array(readFileSync(path('p.bin'))) };
}

/** What QEMU's run printed: the dump area. */
function runQemu(elf: string): Uint8Array {
  const machine = ['-M', 'mps2-an386', '-nographic', '-monitor', 'none', '-serial', 'none'];
  const semihosting = ['-semihosting-config', 'enable=on,target=native'];
  const done = spawnSync('qemu-system-arm', [...machine, ...semihosting, '-kernel', elf], {
    maxBuffer: 64 * 1024 * 1024,
    timeout: 60_000,
  });
  if (done.error !== undefined) throw done.error;
  return new Uint8Array(done.stdout);
}

/** Says how block `index` differs. */
function explain(index: number, block: Block, ours: DataView, theirs: DataView): void {
  console.error(`block ${index} differs:`);
  for (let word = 0; word < DUMP_WORDS; word++) {
    const at = (index * DUMP_WORDS + word) * 4;
    const [mine, other] = [ours.getUint32(at, true), theirs.getUint32(at, true)];
    const name = REGISTERS[word] ?? `scratch[${word - REGISTERS.length - 8}]`;
    if (mine !== other) console.error(`  ${name}: core ${mine.toString(16)}, qemu ${other.toString(16)}`);
  }
  console.error([...block.setup, '; --- body', ...block.body].map((line) => `    ${line}`).join('\n'));
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

const seed = option('--seed', 1);
const count = option('--count', 4000);
console.log(`seed ${seed}, ${count} instructions`);
const blocks = makeBlocks(seed, count);
const directory = mkdtempSync(join(tmpdir(), 'lockstep-'));
try {
  const { elf, image } = build(directory, assembly(blocks));
  const theirs = runQemu(elf);
  const ours = runToBreakpoint(image, 20e9).ram.subarray(DUMP - RAM, DUMP - RAM + theirs.length);
  if (theirs.length !== blocks.length * DUMP_WORDS * 4) throw new Error(`qemu printed ${theirs.length} bytes`);
  const same = (index: number): boolean => {
    const [from, to] = [index * DUMP_WORDS * 4, (index + 1) * DUMP_WORDS * 4];
    return Buffer.compare(ours.subarray(from, to), theirs.subarray(from, to)) === 0;
  };
  const different = blocks.map((_, index) => index).filter((index) => !same(index));
  for (const index of different.slice(0, 3)) explain(index, blocks[index]!, view(ours), view(theirs));
  console.log(`${blocks.length - different.length} of ${blocks.length} blocks agree`);
  process.exitCode = different.length === 0 ? 0 : 1;
} finally {
  rmSync(directory, { recursive: true });
}
