// Instructions as JavaScript text, for blocks of straight code that run often (blocks.ts). Only the instructions that
// compiled code is full of have one (block-source16.ts, block-source32.ts); a block ends before any other. Each text
// does exactly what the closure of the decoders does (decode16.ts, decode32.ts, memory-ops.ts), which remain the one
// definition: test/unit/sim/cpu/blocks.test.ts holds the two together.
import type { Width } from '../bus.ts';

/** Marks the place in a text where a memory access that cannot be made directly leaves the block. */
export const LEAVE = '@leave;';

/** One instruction of a block. */
export interface Piece {
  /** Bytes of the instruction. */
  readonly size: 2 | 4;
  readonly text: string;
  /** Cycles beyond the one that every instruction takes; a `load` takes another unless it follows a memory access. */
  readonly extra: number;
  readonly access: 'none' | 'load' | 'other';
}

export const SP = 13;
export const PC = 15;
/** Pages of the bus map: bits of the offset in one (bus-map.ts). */
const PAGE_SHIFT = 14;
/** Bits 2:0 of a 3-bit register field. */
export const low = (halfword: number, at: number): number => (halfword >>> at) & 7;
export const reg = (n: number): string => `r[${n}]`;

export function plain(size: 2 | 4, text: string): Piece {
  return { size, text, extra: 0, access: 'none' };
}

const NZ = 's.n = c; s.z = c;';

export function addition(a: string, b: string, into: string): string {
  const flags = `${NZ} s.c = c >>> 0 < a >>> 0 ? 1 : 0; s.v = (a ^ c) & (b ^ c);`;
  return `a = ${a}; b = ${b}; c = (a + b) | 0; ${flags} ${into}`;
}
export function subtraction(a: string, b: string, into: string): string {
  const flags = `${NZ} s.c = a >>> 0 >= b >>> 0 ? 1 : 0; s.v = (a ^ b) & (a ^ c);`;
  return `a = ${a}; b = ${b}; c = (a - b) | 0; ${flags} ${into}`;
}
/** a + b + C. */
export function carried(a: string, b: string, into: string): string {
  const flags = `${NZ} s.c = d > 4294967295 ? 1 : 0; s.v = (a ^ c) & (b ^ c);`;
  return `a = ${a}; b = ${b}; d = (a >>> 0) + (b >>> 0) + s.c; c = d | 0; ${flags} ${into}`;
}
export function flagged(value: string, into: string): string {
  return `c = ${value}; ${NZ} ${into}`;
}

// --- memory ---

const VIEW = { 1: 'u8', 2: 'u16', 4: 'i32' } as const;

/** Looks up the page of address `a`; leaves the block where it has no directly accessible memory. */
function lookUp(pages: 'readPages' | 'writePages', size: Width): string {
  const aligned = size === 1 ? '' : ` || (a & ${size - 1}) !== 0`;
  return `w = ${pages}[a >>> ${PAGE_SHIFT}]; if (w === undefined${aligned} || w.gate.closed) ${LEAVE}`;
}
function element(size: Width, offset = 0): string {
  const index = `((a - w.base) >>> ${size >>> 1})`;
  return `w.${VIEW[size]}[${offset === 0 ? index : `${index} + ${offset}`}]`;
}

export function load(size: 2 | 4, width: Width, signed: boolean, rt: number, address: string): Piece {
  const bits = 32 - 8 * width;
  const value = signed ? `(${element(width)} << ${bits}) >> ${bits}` : element(width);
  return {
    size,
    text: `a = ${address}; ${lookUp('readPages', width)} ${reg(rt)} = ${value};`,
    extra: 0,
    access: 'load',
  };
}
/** A store where an instruction was decoded leaves the block: what follows may have changed. */
export function store(size: 2 | 4, width: Width, rt: number, address: string): Piece {
  const marked = `if (w.codeMarks[(a - w.base) >>> 2] !== 0) ${LEAVE}`;
  const text = `a = ${address}; ${lookUp('writePages', width)} ${marked} ${element(width)} = ${reg(rt)};`;
  return { size, text, extra: 0, access: 'other' };
}

export interface Multiple {
  readonly size: 2 | 4;
  readonly rn: number;
  readonly list: number;
  readonly decrement: boolean;
  readonly wback: boolean;
}

function listed(list: number): number[] {
  return Array.from({ length: 16 }, (_, n) => n).filter((n) => (list >>> n) & 1);
}

/** The words of one LDM, STM, PUSH, POP or LDRD lie in one page, or the block is left. */
export function wordsAt(pages: 'readPages' | 'writePages', count: number): string {
  const last = `((a + ${4 * (count - 1)}) | 0) >>> ${PAGE_SHIFT}`;
  return `${lookUp(pages, 4)} if (${last} !== a >>> ${PAGE_SHIFT}) ${LEAVE}`;
}
export function unmarked(count: number): string {
  const tests = Array.from({ length: count }, (_, i) => `w.codeMarks[b + ${i}]`);
  return `b = (a - w.base) >>> 2; if ((${tests.join(' | ')}) !== 0) ${LEAVE}`;
}

export function loadMultiple({ size, rn, list, decrement, wback }: Multiple): Piece | undefined {
  const registers = listed(list);
  const count = registers.length;
  if (count === 0 || (list & 0xa000) !== 0 || rn === PC) return undefined;
  const start = decrement ? `(${reg(rn)} - ${4 * count}) | 0` : reg(rn);
  const end = wback ? `${reg(rn)} = ${decrement ? 'a' : `(a + ${4 * count}) | 0`};` : '';
  const words = registers.map((n, i) => `${reg(n)} = w.i32[b + ${i}];`).join(' ');
  const text = `a = ${start}; ${wordsAt('readPages', count)} b = (a - w.base) >>> 2; ${end} ${words}`;
  return { size, text, extra: count, access: 'other' };
}

export function storeMultiple({ size, rn, list, decrement, wback }: Multiple): Piece | undefined {
  const registers = listed(list);
  const count = registers.length;
  if (count === 0 || (list & 0xa000) !== 0 || rn === PC) return undefined;
  const start = decrement ? `(${reg(rn)} - ${4 * count}) | 0` : reg(rn);
  const end = wback ? `${reg(rn)} = ${decrement ? 'a' : `(a + ${4 * count}) | 0`};` : '';
  const words = registers.map((n, i) => `w.i32[b + ${i}] = ${reg(n)};`).join(' ');
  const text = `a = ${start}; ${wordsAt('writePages', count)} ${unmarked(count)} ${words} ${end}`;
  return { size, text, extra: count, access: 'other' };
}
