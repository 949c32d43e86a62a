// `npm run test:images`: our image readers beside intelhex, srec_cat and objcopy, on files by chance in the dialects of
// other tools, and on ELF files of two linker scripts. `-- --files N --first N`; `-- --real FOLDER` reads the files of
// real-files.ts, unpacked as README.md says, and holds each against the table, too.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readImage } from '../../../controller/image/image.ts';
import { endOf } from '../../../controller/image/segments.ts';
import { textImage } from './dialects.ts';
import { FIRMWARE_PACKAGES, REAL_FILES, type RealFile } from './real-files.ts';

const HERE = new URL('.', import.meta.url).pathname;
const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '300' },
    first: { type: 'string', default: '1' },
    real: { type: 'string' },
  },
});

type Told = Pick<RealFile, 'from' | 'end' | 'runs' | 'bytes' | 'sha256'>;
interface Given {
  readonly name: string;
  readonly format: 'hex' | 'srec' | 'elf';
  readonly path: string;
  /** What it must come to besides; undefined: whatever the readers agree on. */
  readonly wanted?: Told;
}

let passed = 0;
let failed = 0;
function check(what: string, isGood: boolean, why: string): void {
  if (isGood) passed++;
  else failed++;
  if (!isGood) process.stdout.write(`FAIL ${what}: ${why}\n`);
}

function ours(path: string): Told {
  const { segments, length } = readImage(new Uint8Array(readFileSync(path)), { name: path });
  const hash = createHash('sha256');
  for (const { address, bytes } of segments) {
    const head = Buffer.alloc(8);
    head.writeUInt32LE(address, 0);
    head.writeUInt32LE(bytes.length, 4);
    hash.update(head).update(bytes);
  }
  const [first, last] = [segments[0], segments.at(-1)];
  const [from, end] = [first?.address ?? 0, last === undefined ? 0 : endOf(last)];
  return { from, end, runs: segments.length, bytes: length, sha256: hash.digest('hex') };
}

function theirs(files: readonly Given[]): Record<string, Told | null>[] {
  const input = files.map(({ format, path }) => `${format} ${path}\n`).join('');
  const run = spawnSync('/usr/bin/python3', [join(HERE, 'readers.py')], {
    input,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (run.status !== 0) throw new Error(run.stderr);
  return JSON.parse(run.stdout) as Record<string, Told | null>[];
}

/** Where all readers agree, so must ours. */
function compare(files: readonly Given[]): number {
  const told = theirs(files);
  let agreed = 0;
  for (const [index, { name, path, wanted }] of files.entries()) {
    const readers = Object.entries(told[index] ?? {});
    const [one] = readers.map(([, said]) => JSON.stringify(said));
    const agree = readers.every(([, said]) => said !== null && JSON.stringify(said) === one);
    if (!agree && wanted === undefined) continue;
    agreed++;
    const expected = wanted === undefined ? one : JSON.stringify(wanted);
    check(
      name,
      JSON.stringify(ours(path)) === expected && (!agree || one === expected),
      `${expected} ${readers.map(([reader]) => reader).join()}`,
    );
  }
  return agreed;
}

function byChance(folder: string): Given[] {
  const first = Number(values.first);
  return Array.from({ length: Number(values.files) }, (_, index) => {
    const { format, text } = textImage(first + index);
    const path = join(folder, `${first + index}.${format}`);
    writeFileSync(path, text, 'latin1');
    return { name: `file ${first + index} (${format})`, format, path };
  });
}

const PROGRAM = `.syntax unified
.cpu cortex-m4
.thumb
.section .vectors,"a"
.word 0x20030000, reset + 1
.text
.thumb_func
.globl reset
reset: b reset
.data
.word 0x12345678, 0x9abcdef0
`;
const MEMORY = `MEMORY { FLASH (rx) : ORIGIN = 0x08008100, LENGTH = 64K
RAM (rwx) : ORIGIN = 0x20000000, LENGTH = 64K }`;
const SECTIONS = (phdr: readonly string[]): string => `SECTIONS { .vectors : { *(.vectors) } >FLASH ${phdr[0] ?? ''}
.text : { *(.text) } >FLASH ${phdr[0] ?? ''}
.data : { *(.data) } >RAM AT>FLASH ${phdr[1] ?? ''} }`;
/** Headers in the segment of the program, and in one of their own. */
const SCRIPTS = {
  together: `${MEMORY}\n${SECTIONS([])}`,
  apart: `PHDRS { headers PT_LOAD FILEHDR PHDRS; text PT_LOAD; data PT_LOAD; }\n${MEMORY}\n${SECTIONS([':text', ':data'])}`,
} as const;

function linked(folder: string): Given[] {
  const tool = (name: string, ...words: readonly string[]): void => {
    const run = spawnSync(`arm-none-eabi-${name}`, words, { encoding: 'utf8' });
    if (run.status !== 0) throw new Error(run.stderr);
  };
  writeFileSync(join(folder, 'a.s'), PROGRAM);
  tool('as', join(folder, 'a.s'), '-o', join(folder, 'a.o'));
  return Object.entries(SCRIPTS).map(([name, script]) => {
    const path = join(folder, `${name}.elf`);
    writeFileSync(join(folder, `${name}.ld`), `ENTRY(reset)\n${script}\n`);
    tool('ld', '-T', join(folder, `${name}.ld`), join(folder, 'a.o'), '-o', path);
    return { name: `ELF, headers ${name}`, format: 'elf', path };
  });
}

function realFiles(folder: string): Given[] {
  return REAL_FILES.map((file) => {
    const { format, source, path, from, end, runs, bytes, sha256 } = file;
    const at = join(folder, source, path);
    if (!existsSync(at)) throw new Error(`${at} is not there; README.md says how to get it`);
    return {
      name: `${source} ${FIRMWARE_PACKAGES[source].version} ${path}`,
      format,
      path: at,
      wanted: { from, end, runs, bytes, sha256 },
    };
  });
}

const folder = mkdtempSync(join(tmpdir(), 'bf-images-'));
try {
  const chance = byChance(folder);
  const agreed = compare(chance);
  check('enough of them', agreed > chance.length / 2, `the readers agree on ${agreed} of ${chance.length}`);
  compare(linked(folder));
  if (values.real !== undefined) compare(realFiles(values.real));
} finally {
  rmSync(folder, { recursive: true });
}
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
