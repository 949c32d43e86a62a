// Lock-step check of the core against qemu-system-arm and Unicorn: the same random programs run in all of them, and
// every block's registers, flags and memory must agree. Needs arm-none-eabi-as/ld/objcopy, qemu-system-arm,
// python3-unicorn. Usage: npx tsx test/interop/qemu-lockstep/run.ts [--seed N] [--count N] [--kind NAME] [--plant
// NAME|all] --count is the number of random instructions in all kinds together; exit status 1 on a difference. --plant
// damages one instruction on the core's side only and expects the difference to be noticed.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runToBreakpoint } from './bare-core.ts';
import { leftOut } from './encodings.ts';
import { runQemu, runUnicorn } from './reference-cores.ts';
import { PLANTS, plant, type Plant } from './plants.ts';
import { assembly, type Block, DUMP, dumpNames, type Kind, KINDS, makeBlocks } from './program.ts';

const RAM = 0x20000000;
/** A program must fit the board's 4 MB of code. */
const ROUND = 20_000;
const DEFAULT_COUNT = 200_000;
/** Share of each kind in the count, percent. */
const SHARES: Readonly<Record<Kind['name'], number>> = {
  integer: 40,
  float: 25,
  exceptions: 15,
  encodings: 12,
  'float encodings': 8,
};

function option(name: string): string | undefined {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

interface Built {
  readonly elf: string;
  readonly bin: string;
  readonly image: Uint8Array;
}

function build(directory: string, source: string): Built {
  const path = (name: string): string => join(directory, name);
  writeFileSync(path('p.s'), source);
  const target = ['-mcpu=cortex-m4', '-mthumb', '-mfpu=fpv4-sp-d16'];
  execFileSync('arm-none-eabi-as', [...target, '-o', path('p.o'), path('p.s')]);
  const layout = ['-Ttext=0', '-Tdata=0x20000000', '-e', '0'];
  execFileSync('arm-none-eabi-ld', [...layout, '-o', path('p.elf'), path('p.o')]);
  execFileSync('arm-none-eabi-objcopy', ['-O', 'binary', '-j', '.text', path('p.elf'), path('p.bin')]);
  return { elf: path('p.elf'), bin: path('p.bin'), image: new Uint8Array(readFileSync(path('p.bin'))) };
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

interface Verdict {
  readonly reference: string;
  readonly dump: Uint8Array;
}

interface Round {
  readonly kind: Kind;
  readonly blocks: readonly Block[];
  readonly ours: Uint8Array;
  readonly verdicts: readonly Verdict[];
}

/** Blocks where core and reference differ. */
function differences({ kind, blocks, ours }: Round, { reference, dump }: Verdict): number[] {
  const size = dumpNames(kind).length * 4;
  if (dump.length !== blocks.length * size) throw new Error(`${reference} printed ${dump.length} bytes`);
  const same = (index: number): boolean =>
    Buffer.compare(ours.subarray(index * size, (index + 1) * size), dump.subarray(index * size, (index + 1) * size)) ===
    0;
  return blocks.map((_, index) => index).filter((index) => !same(index));
}

/** Says how block `index` differs. */
function explain({ kind, blocks, ours }: Round, { reference, dump }: Verdict, index: number): void {
  const names = dumpNames(kind);
  const block = blocks[index]!;
  console.error(`${kind.name}, block ${index} differs:`);
  names.forEach((name, word) => {
    const at = (index * names.length + word) * 4;
    const [mine, other] = [view(ours).getUint32(at, true), view(dump).getUint32(at, true)];
    if (mine !== other) console.error(`  ${name}: core ${mine.toString(16)}, ${reference} ${other.toString(16)}`);
  });
  const floats = block.floats.map((value) => value.toString(16)).join(' ');
  console.error([...block.setup, `; floats ${floats}`, '; --- body', ...block.body].map((l) => `    ${l}`).join('\n'));
}

function runRound(directory: string, seed: number, count: number, kind: Kind, planted?: Plant): [Round, number] {
  const { blocks, made } = makeBlocks(seed, count, kind);
  const { elf, bin, image } = build(directory, assembly(blocks, kind));
  const bytes = blocks.length * dumpNames(kind).length * 4;
  const verdicts: Verdict[] = [{ reference: 'qemu', dump: runQemu(elf) }];
  if (kind.onUnicorn) verdicts.push({ reference: 'unicorn', dump: runUnicorn(bin, DUMP, bytes) });
  const ours = runToBreakpoint(planted === undefined ? image : plant(image, planted), 20e9).ram;
  return [{ kind, blocks, ours: ours.subarray(DUMP - RAM, DUMP - RAM + bytes), verdicts }, made];
}

interface Tally {
  instructions: number;
  passed: number;
  failed: number;
}

/** Rounds of one kind until `count` instructions are done. */
function runKind(directory: string, seed: number, count: number, kind: Kind): Tally {
  const tally = { instructions: 0, passed: 0, failed: 0 };
  const begin = performance.now();
  for (let round = 0; tally.instructions < count; round++) {
    const size = Math.min(ROUND, count - tally.instructions);
    const [result, made] = runRound(directory, seed + round * 1009, size, kind);
    tally.instructions += made;
    for (const verdict of result.verdicts) {
      const different = differences(result, verdict);
      tally.failed += different.length;
      tally.passed += result.blocks.length - different.length;
      for (const index of different.slice(0, 3)) explain(result, verdict, index);
    }
  }
  const names = kind.onUnicorn ? 'QEMU and Unicorn' : 'QEMU';
  const seconds = ((performance.now() - begin) / 1e3).toFixed(1);
  const blocks = `${tally.passed} of ${tally.passed + tally.failed} blocks agree`;
  console.log(`${kind.name}: ${tally.instructions} instructions against ${names}, ${blocks}, ${seconds} s`);
  return tally;
}

/** The check of the check: with one instruction damaged on our side, some block must differ. */
function runPlants(directory: string, seed: number, wanted: string): Tally {
  const tally = { instructions: 0, passed: 0, failed: 0 };
  for (const planted of PLANTS.filter(({ name }) => wanted === 'all' || name === wanted)) {
    const kind = KINDS.find(({ name }) => name === planted.kind)!;
    const [result, made] = runRound(directory, seed, 4000, kind, planted);
    const noticed = result.verdicts.every((verdict) => differences(result, verdict).length > 0);
    tally.instructions += made;
    tally[noticed ? 'passed' : 'failed']++;
    console.log(`planted ${planted.name}: ${noticed ? 'noticed' : 'NOT noticed'}`);
  }
  if (tally.passed + tally.failed === 0) throw new Error(`no plant is called ${wanted}`);
  return tally;
}

const seed = Number(option('--seed') ?? 1);
const count = Number(option('--count') ?? DEFAULT_COUNT);
const only = option('--kind');
const planted = option('--plant');
console.log(`seed ${seed}, ${count} instructions`);
const directory = mkdtempSync(join(tmpdir(), 'lockstep-'));
try {
  const tallies =
    planted === undefined
      ? KINDS.filter(({ name }) => only === undefined || name === only).map((kind) =>
          runKind(directory, seed, only === undefined ? (count * SHARES[kind.name]) / 100 : count, kind),
        )
      : [runPlants(directory, seed, planted)];
  for (const [why, times] of leftOut) console.log(`left out as UNPREDICTABLE: ${why}, ${times} times`);
  const sum = (of: (tally: Tally) => number): number => tallies.reduce((total, tally) => total + of(tally), 0);
  console.log(`${sum((t) => t.instructions)} instructions`);
  console.log(`${sum((t) => t.passed)} passed, ${sum((t) => t.failed)} failed`);
  process.exitCode = sum((t) => t.failed) === 0 ? 0 : 1;
} finally {
  rmSync(directory, { recursive: true });
}
