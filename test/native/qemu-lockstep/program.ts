// Turns random choices into an assembler program: blocks that load registers and flags, run a few instructions and dump
// r0-r9, r12, lr, APSR and the scratch memory. The program ends with semihosting calls that write the dump to stdout.
import { SEQUENCES, TEMPLATES } from './templates.ts';

export const DUMP = 0x20010000;
const SCRATCH = 0x20000100;
const STACK = 0x20008000;
/** 13 registers and APSR, then 16 words of scratch memory. */
export const DUMP_WORDS = 13 + 16;
const CONDITIONS = ['eq', 'ne', 'cs', 'cc', 'mi', 'pl', 'vs', 'vc', 'hi', 'ls', 'ge', 'lt', 'gt', 'le'];
const TARGETS = ['r0', 'r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7', 'r8', 'r9', 'r12', 'lr'];
const SPECIAL = [0, 1, 0xffffffff, 0x80000000, 0x7fffffff, 0x8000, 0x80008000, 0x7fff7fff, 0xff00ff00, 31, 32, 33];

/** xorshift32: the whole program follows from the seed. */
export class Dice {
  #x: number;
  constructor(seed: number) {
    this.#x = seed | 0 || 1;
  }
  word(): number {
    this.#x ^= this.#x << 13;
    this.#x ^= this.#x >>> 17;
    this.#x ^= this.#x << 5;
    return this.#x >>> 0;
  }
  below(n: number): number {
    return this.word() % n;
  }
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }
  /** Corner values every third time. */
  value(): number {
    return this.below(3) === 0 ? this.pick(SPECIAL) : this.word();
  }
}

function modified(dice: Dice): number {
  const byte = dice.below(256);
  const kind = dice.below(5);
  if (kind < 4) return [byte, byte * 0x10001, byte * 0x1000100, byte * 0x1010101][kind]! >>> 0;
  const top = 0x80 | (byte & 0x7f);
  return (top << dice.below(25)) >>> 0;
}

function shiftText(dice: Dice): string {
  const kind = dice.pick(['lsl', 'lsr', 'asr', 'ror', 'rrx']);
  return kind === 'rrx' ? kind : `${kind} #${dice.below(kind === 'lsl' ? 32 : 31) + (kind === 'lsl' ? 0 : 1)}`;
}

function field(dice: Dice): string {
  const lsb = dice.below(32);
  return `${lsb}, #${dice.below(32 - lsb) + 1}`;
}

function registerList(dice: Dice): string {
  const chosen = TARGETS.slice(0, 10).filter(() => dice.below(3) === 0);
  return `{${[...new Set([...chosen, 'r1', 'r6'])].sort().join(', ')}}`;
}

/** Fills in a template. `cond` is empty outside IT blocks. */
function fill(template: string, dice: Dice, cond: string): string {
  const free = TARGETS.filter((register) => !new RegExp(`\\b${register}\\b`).test(template));
  const registers = shuffled(free, dice);
  const low = shuffled(
    free.filter((register) => /^r[0-7]$/.test(register)),
    dice,
  );
  const names: Record<string, () => string> = {
    c: () => cond,
    s: () => (cond === '' ? 's' : ''),
    d: () => registers[0]!,
    e: () => registers[1]!,
    n: () => (dice.below(6) === 0 ? registers[0]! : registers[2]!),
    m: () => (dice.below(6) === 0 ? registers[0]! : registers[3]!),
    a: () => registers[4]!,
    lod: () => low[0]!,
    lon: () => low[1]!,
    lom: () => low[2]!,
    mod: () => `0x${modified(dice).toString(16)}`,
    sh: () => shiftText(dice),
    rot: () => String(dice.below(4) * 8),
    field: () => field(dice),
    list: () => registerList(dice),
  };
  return template
    .replace(/\{i(\d?):(\d+)(?::(\d+))?\}/g, (_, scale: string, first: string, last?: string) => {
      if (last === undefined) return String(dice.below(Number(first) + 1) * Number(scale || '1'));
      return String(Number(first) + dice.below(Number(last) - Number(first) + 1));
    })
    .replace(/\{([a-z]+)\}/g, (_, name: string) => names[name]!())
    .replaceAll('{{', '{')
    .replaceAll('}}', '}');
}

function shuffled<T>(from: readonly T[], dice: Dice): T[] {
  const items = [...from];
  for (let i = items.length - 1; i > 0; i--) {
    const j = dice.below(i + 1);
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items;
}

/** One to four conditional instructions under an IT. */
function itBlock(dice: Dice): string[] {
  const cond = dice.below(14);
  const length = dice.below(4) + 1;
  const inverted = Array.from({ length }, (_, i) => (i === 0 ? false : dice.below(2) === 1));
  const mnemonic = `it${inverted
    .slice(1)
    .map((other) => (other ? 'e' : 't'))
    .join('')}`;
  const lines = inverted.map((other) => fill(dice.pick(TEMPLATES), dice, CONDITIONS[other ? cond ^ 1 : cond]!));
  return [`${mnemonic} ${CONDITIONS[cond]!}`, ...lines];
}

function randomLines(dice: Dice): string[] {
  const kind = dice.below(10);
  if (kind < 2) return itBlock(dice);
  if (kind < 3) return [fill(dice.pick(SEQUENCES), dice, '')];
  return [fill(dice.pick(TEMPLATES), dice, '')];
}

const load = (register: string, value: number): string[] => [
  `movw ${register}, #${value & 0xffff}`,
  `movt ${register}, #${value >>> 16}`,
];

/** A block's text, without set-up and dump, is kept for messages. */
export interface Block {
  readonly setup: readonly string[];
  readonly body: readonly string[];
}

export function makeBlocks(seed: number, instructions: number): Block[] {
  const dice = new Dice(seed);
  const blocks: Block[] = [];
  for (let made = 0; made < instructions;) {
    const body = Array.from({ length: 6 }, () => randomLines(dice)).flat();
    const setup = TARGETS.flatMap((register) => load(register, dice.value()));
    blocks.push({ setup: [...load('r10', dice.word() & 0xf80f0000), 'msr APSR_nzcvqg, r10', ...setup], body });
    made += body.length;
  }
  return blocks;
}

const DUMP_CODE = [
  'stmia r11!, {r0-r9, r12, lr}',
  'mrs r0, APSR',
  'str r0, [r11], #4',
  'ldr r10, =scratch_base',
  'sub r12, r10, #32',
  'ldmia r12!, {r0-r7}',
  'stmia r11!, {r0-r7}',
  'ldmia r12!, {r0-r7}',
  'stmia r11!, {r0-r7}',
];

/** Semihosting SYS_OPEN ":tt" for writing, SYS_WRITE, SYS_EXIT. */
function epilogue(bytes: number): string[] {
  return [
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

/** The whole program as GNU assembler text. */
export function assembly(blocks: readonly Block[]): string {
  const head = ['.syntax unified', '.cpu cortex-m4', '.thumb', `.equ scratch_base, ${SCRATCH}`, '.text'];
  const vectors = [`.word ${STACK}`, '.word start + 1', '.thumb_func', 'start:', ...load('r11', DUMP)];
  const text = blocks.flatMap(({ setup, body }) => [
    ...setup,
    'ldr r10, =scratch_base',
    ...body,
    ...DUMP_CODE,
    'b.w 9f',
    '.ltorg',
    '9:',
  ]);
  const lines = [...head, ...vectors, ...text, ...epilogue(blocks.length * DUMP_WORDS * 4)];
  return lines.map((line) => `\t${line}`).join('\n') + '\n';
}
