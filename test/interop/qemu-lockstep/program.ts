// Turns random choices into an assembler program: blocks that load registers and flags, run a few instructions and dump
// what they left. The program ends with semihosting calls that write the dump to stdout.
import { Dice } from './dice.ts';
import { ENCODING_KINDS, encodingLine } from './encodings.ts';
import { HANDLER, HANDLER_SETUP, SYSTEM_SEQUENCES } from './exceptions.ts';
import { FLOAT_FROM_FIXED, FLOAT_SEQUENCES, FLOAT_TEMPLATES, singleValue } from './float-templates.ts';
import { fill, itBlock, TARGETS } from './fill.ts';
import { SEQUENCES, TEMPLATES } from './templates.ts';

export const DUMP = 0x20010000;
const SCRATCH = 0x20000100;
const FLOATS = 0x20000400;
const LOG = 0x20000500;
const STACK = 0x20008000;

export type KindName = 'integer' | 'float' | 'exceptions' | 'encodings' | 'float encodings';

export interface Kind {
  readonly name: KindName;
  /** Unicorn has no exceptions, so only QEMU checks kinds that raise them. */
  readonly onUnicorn: boolean;
  readonly float: boolean;
  /** Steps in a block. */
  readonly lines: number;
  /** One step of a block: a template, an IT block or a sequence. */
  readonly line: (dice: Dice) => string[];
}

function mixed(templates: readonly string[], sequences: readonly string[], sequenceShare: number) {
  return (dice: Dice): string[] => {
    if (dice.below(100) < sequenceShare) return [fill(dice.pick(sequences), dice, '')];
    if (dice.below(5) === 0) return itBlock(dice, templates);
    return [fill(dice.pick(templates), dice, '')];
  };
}

export const KINDS: readonly Kind[] = [
  { name: 'integer', onUnicorn: true, float: false, lines: 6, line: mixed(TEMPLATES, SEQUENCES, 10) },
  { name: 'float', onUnicorn: true, float: true, lines: 6, line: mixed(FLOAT_TEMPLATES, FLOAT_SEQUENCES, 10) },
  {
    name: 'exceptions',
    onUnicorn: false,
    float: true,
    lines: 6,
    line: mixed([...TEMPLATES, ...FLOAT_TEMPLATES, ...FLOAT_FROM_FIXED], SYSTEM_SEQUENCES, 35),
  },
  {
    name: 'encodings',
    onUnicorn: false,
    float: false,
    lines: 3,
    line: (dice) => [encodingLine(dice, ENCODING_KINDS.integer)],
  },
  {
    name: 'float encodings',
    onUnicorn: false,
    float: true,
    lines: 3,
    line: (dice) => [encodingLine(dice, ENCODING_KINDS.float)],
  },
];

/** Names of the words every block dumps, in order. */
export function dumpNames(kind: Kind): readonly string[] {
  const core = [...TARGETS, 'apsr', ...Array.from({ length: 16 }, (_, i) => `scratch[${i - 8}]`)];
  const log = [
    'ipsr',
    'exc_return',
    'r0',
    'r1',
    'r2',
    'r3',
    'r12',
    'lr',
    'pc',
    'xpsr',
    'cfsr',
    'hfsr',
    'fpccr',
    'fpscr',
  ];
  const logged = [...log.map((name) => `handler ${name}`), 'handler sum of the extended frame', 'handler control'];
  const float = [...Array.from({ length: 32 }, (_, n) => `s${n}`), 'fpscr'];
  return [...core, ...logged, ...(kind.float ? float : [])];
}

const load = (register: string, value: number): string[] => [
  `movw ${register}, #${value & 0xffff}`,
  `movt ${register}, #${value >>> 16}`,
];

/** A block's text, without set-up and dump, is kept for messages. */
export interface Block {
  readonly setup: readonly string[];
  readonly body: readonly string[];
  /** S0-S31 and FPSCR at the start. */
  readonly floats: readonly number[];
}

/** Instructions of a body: lines of text minus labels and data. */
function instructionsIn(body: readonly string[]): number {
  return body
    .join('\n')
    .split('\n')
    .filter((line) => !/^\s*(\.(?!inst)|\d:?$|\d+:\s*\.)/.test(line)).length;
}

/** Blocks with at least `instructions` random instructions in all. */
export function makeBlocks(seed: number, instructions: number, kind: Kind): { blocks: Block[]; made: number } {
  const dice = new Dice(seed);
  const blocks: Block[] = [];
  let made = 0;
  while (made < instructions) {
    const body = Array.from({ length: kind.lines }, () => kind.line(dice)).flat();
    const setup = TARGETS.flatMap((register) => load(register, dice.value()));
    const fpscr = (dice.word() & 0xf7c0009f) >>> 0;
    const floats = kind.float ? [...Array.from({ length: 32 }, () => singleValue(dice)), fpscr] : [];
    blocks.push({ setup: [...load('r10', dice.word() & 0xf80f0000), 'msr APSR_nzcvqg, r10', ...setup], body, floats });
    made += instructionsIn(body);
  }
  return { blocks, made };
}

const DUMP_CORE = [
  'stmia r11!, {r0-r9, r12, lr}',
  'mrs r0, APSR',
  'str r0, [r11], #4',
  'ldr r10, =scratch_base',
  'sub r12, r10, #32',
  ...['ldmia r12!, {r0-r7}', 'stmia r11!, {r0-r7}', 'ldmia r12!, {r0-r7}', 'stmia r11!, {r0-r7}'],
  'ldr r12, =log_base',
  ...['ldmia r12!, {r0-r7}', 'stmia r11!, {r0-r7}', 'ldmia r12!, {r0-r7}', 'stmia r11!, {r0-r7}'],
];
const DUMP_FLOAT = ['vstmia r11!, {s0-s31}', 'vmrs r0, fpscr', 'str r0, [r11], #4'];

const CLEAR_LOG = ['ldr r12, =log_base', 'movs r0, #0', ...Array<string>(16).fill('str r0, [r12], #4')];
/** Loads S0-S31 and FPSCR from the words that follow the block; leaves r8 and r9 changed. */
const LOAD_FLOATS = ['adr.w r9, 8f', 'vldmia r9!, {s0-s31}', 'ldr r8, [r9]', 'vmsr fpscr, r8'];

/** Semihosting SYS_OPEN ":tt" for writing, SYS_WRITE, SYS_EXIT. */
function epilogue(bytes: number): string[] {
  return [
    '.thumb_func',
    'finish:',
    'ldr r1, =open_args',
    'movs r0, #1',
    'bkpt 0xab',
    'ldr r1, =write_args',
    'str r0, [r1]',
    'movs r0, #5',
    'bkpt 0xab',
    'movs r0, #0x18',
    'ldr r1, =0x20026',
    'bkpt 0xab',
    'b .',
    '.ltorg',
    '.align 2',
    'tty: .asciz ":tt"',
    '.align 2',
    'open_args: .word tty, 4, 3',
    '.data',
    `write_args: .word 0, ${DUMP}, ${bytes}`,
  ];
}

function blockText({ setup, body, floats }: Block, kind: Kind): string[] {
  const words = floats.map((value) => `.word 0x${value.toString(16)}`);
  return [
    ...(kind.onUnicorn ? [] : CLEAR_LOG),
    ...(kind.float ? LOAD_FLOATS : []),
    ...setup,
    'ldr r10, =scratch_base',
    ...body,
    ...DUMP_CORE,
    ...(kind.float ? DUMP_FLOAT : []),
    'b.w 9f',
    '.ltorg',
    ...(kind.float ? ['.align 2', '8:', ...words] : []),
    '9:',
  ];
}

/** The whole program as GNU assembler text. */
export function assembly(blocks: readonly Block[], kind: Kind): string {
  const constants = { scratch_base: SCRATCH, floats_base: FLOATS, log_base: LOG };
  const equates = Object.entries(constants).map(([name, value]) => `.equ ${name}, ${value}`);
  const head = ['.syntax unified', '.cpu cortex-m4', '.fpu fpv4-sp-d16', '.thumb', ...equates, '.text'];
  const handlers = Array.from({ length: 14 }, (_, i) => (i + 2 === 7 ? '.word finish' : '.word handler'));
  const vectors = [`.word ${STACK}`, '.word start + 1', ...handlers, '.thumb_func', 'start:', ...load('r11', DUMP)];
  const setup = kind.onUnicorn ? ENABLE_FPU : [...ENABLE_FPU, ...HANDLER_SETUP];
  const text = blocks.flatMap((block) => blockText(block, kind));
  const bytes = blocks.length * dumpNames(kind).length * 4;
  const lines = [...head, ...vectors, ...setup, ...text, ...epilogue(bytes), '.text', ...HANDLER];
  return lines.map((line) => `\t${line}`).join('\n') + '\n';
}

/** CPACR: full access to CP10 and CP11. */
const ENABLE_FPU = ['ldr r0, =0xe000ed88', 'mov r1, #0xf00000', 'str r1, [r0]', 'dsb', 'isb', 'b.w 9f', '.ltorg', '9:'];
