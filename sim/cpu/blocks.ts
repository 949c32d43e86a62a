// Straight code that runs often, compiled: one JavaScript function for a block of instructions in place of a closure
// for each (docs/simulation.md, "Blocks"). A block begins where branches lead to; it ends before a branch and before
// any instruction that block-source.ts has no text for. It computes what its instructions would and takes as many
// cycles. Where an access needs the bus, where the time limit could fall inside, or where somebody watches accesses, it
// gives way to the closures.
import type { BoardTime } from '../board-time.ts';
import { type BusMap, PAGE_SHIFT, type View } from './bus-map.ts';
import { EXTRA } from './cycles.ts';
import type { DataPort } from './data-port.ts';
import { LEAVE, type Piece } from './block-source.ts';
import { isBranch, piece16 } from './block-source16.ts';
import { piece32 } from './block-source32.ts';
import type { CpuState, Op } from './state.ts';

/** Entries after which a block is worth compiling. */
export const HOT = 24;
/** Fewer instructions than this gain nothing. */
const SHORTEST = 2;
const LONGEST = 96;
/** Compiled texts kept; a program that makes ever new code must not fill the memory. */
const MOST_KEPT = 4096;

export interface BlockParts {
  readonly s: CpuState;
  readonly time: BoardTime;
  readonly port: DataPort;
  readonly bus: BusMap;
  /** An instruction that must run by itself: breakpoint, watchpoint on it, or one that costs no time. */
  readonly special: (pc: number) => boolean;
}

/** Where a block begins and what it takes from the decoders: its first instruction, and a branch that ends it. */
export interface BlockStart {
  readonly view: View;
  readonly offset: number;
  readonly first: Op;
  /** The decoded instruction at a byte offset of the view. */
  readonly decoded: (offset: number) => Op;
  /** Called where the block was left before its end: another one may begin there. */
  readonly left: (pc: number) => void;
}

/** A compiled block of one core. */
export interface Block {
  readonly op: Op;
  /** Bytes of code it stands for. */
  readonly length: number;
  /** Whether the code at that byte of the view is the one it was made of. */
  standsAt(view: View, offset: number): boolean;
}

type Factory = (...parts: unknown[]) => Op;

interface Kept {
  readonly halfwords: Uint16Array;
  /** Byte offset from the start to the branch that ends the block; undefined without one. */
  readonly branch: number | undefined;
  readonly factory: Factory;
}

/**
 * By address of the first instruction: texts of every core of this process, told apart by the code they were made of.
 */
const kept = new Map<number, Kept[]>();
let count = 0;

/** Sizes by half-words, as `sizeAt` found them. */
const sizes = new Map<number, number>();

/** Bytes of the instruction at byte `offset` of `view` when a block may hold it, else 0. */
export function sizeAt(view: View, offset: number): number {
  const from = offset >>> 1;
  const key = view.u16[from]! * 0x10000 + (view.u16[from + 1] ?? 0);
  const known = sizes.get(key);
  if (known !== undefined) return known;
  if (sizes.size >= MOST_KEPT) sizes.clear();
  const size = pieceAt(view, offset)?.size ?? 0;
  sizes.set(key, size);
  return size;
}

/** The instruction at byte `offset` of `view`, as a block would hold it. */
function pieceAt(view: View, offset: number): Piece | undefined {
  const first = view.u16[offset >>> 1]!;
  if (first >>> 11 < 0x1d) return piece16(first, view.base + offset);
  return offset + 2 < view.size ? piece32(first, view.u16[(offset + 2) >>> 1]!) : undefined;
}

/** A block known from another core, or from before a restore, whose code stands there now. */
export function knownBlock(parts: BlockParts, start: BlockStart): Block | undefined {
  const { view, offset } = start;
  const found = kept.get(view.base + offset)?.find(({ halfwords }) => standsAt(halfwords, view, offset));
  if (found === undefined) return undefined;
  const length = 2 * found.halfwords.length;
  for (let at = 0; at < length; at += 2) if (parts.special(view.base + offset + at)) return undefined;
  return bind(found, parts, start);
}

function standsAt(halfwords: Uint16Array, { u16 }: View, offset: number): boolean {
  const from = offset >>> 1;
  return from + halfwords.length <= u16.length && halfwords.every((halfword, i) => u16[from + i] === halfword);
}

/** Compiles the block that begins there; undefined when it is too short. */
export function compileBlock(parts: BlockParts, start: BlockStart): Block | undefined {
  const known = knownBlock(parts, start);
  if (known !== undefined) return known;
  const { view, offset } = start;
  const pieces = collect(parts, view, offset);
  const straight = pieces.reduce((sum, { size }) => sum + size, 0);
  const ending = branchSize(parts, view, offset, straight);
  if (pieces.length === 0 || pieces.length + (ending > 0 ? 1 : 0) < SHORTEST) return undefined;
  const factory = compile(pieces, (view.base + offset) | 0, ending > 0);
  const length = straight + ending;
  const halfwords = view.u16.slice(offset >>> 1, (offset + length) >>> 1);
  const entry = { halfwords, branch: ending > 0 ? straight : undefined, factory };
  keep(view.base + offset, entry);
  return bind(entry, parts, start);
}

/** Bytes of the branch `straight` bytes behind the start, 0 when there is none. */
function branchSize(parts: BlockParts, view: View, offset: number, straight: number): number {
  const at = offset + straight;
  const size = at + 2 <= view.size && view.u16[at >>> 1]! >>> 11 >= 0x1d ? 4 : 2;
  const samePage = at + size <= view.size && offset >>> PAGE_SHIFT === (at + size - 1) >>> PAGE_SHIFT;
  if (!samePage || parts.special(view.base + at)) return 0;
  return isBranch(view.u16[at >>> 1]!, size === 4 ? view.u16[(at + 2) >>> 1]! : 0) ? size : 0;
}

function keep(address: number, entry: Kept): void {
  if (++count > MOST_KEPT) {
    kept.clear();
    count = 1;
  }
  const others = kept.get(address);
  if (others === undefined) kept.set(address, [entry]);
  else others.push(entry);
}

function bind(entry: Kept, { s, time, port, bus }: BlockParts, { first, offset, decoded, left }: BlockStart): Block {
  const { factory, branch, halfwords } = entry;
  const ending = branch === undefined ? undefined : decoded(offset + branch);
  return {
    op: factory(s, s.r, time, port, bus.readPages, bus.writePages, first, ending, left),
    length: 2 * halfwords.length,
    standsAt: (view, at) => standsAt(halfwords, view, at),
  };
}

function collect(parts: BlockParts, view: View, offset: number): Piece[] {
  const pieces: Piece[] = [];
  const pageEnd = Math.min(((offset >>> PAGE_SHIFT) + 1) << PAGE_SHIFT, view.size);
  for (let at = offset; at + 2 <= pageEnd && pieces.length < LONGEST;) {
    const piece = parts.special(view.base + at) ? undefined : pieceAt(view, at);
    if (piece === undefined || at + piece.size > pageEnd) break;
    pieces.push(piece);
    at += piece.size;
  }
  return pieces;
}

/**
 * The function that makes a block's closure for one core. Registers and flags live in local variables inside a block.
 */
function compile(pieces: readonly Piece[], start: number, branches: boolean): Factory {
  const lines: string[] = [];
  let pc = start;
  /** Cycles beyond the one that the run loop charges, as far as they are known here. */
  let cycles = -1;
  /** Address behind the last memory access of the block, undefined before the first. */
  let after: number | undefined;
  for (const [index, { size, text, extra, access }] of pieces.entries()) {
    const leave =
      index === 0 ? `${tell(pc + size)} return first();` : `${standing(cycles, after, pc)} ${tell(pc)} break block;`;
    lines.push(text.replaceAll(LEAVE, `{ ${leave} }`));
    if (access === 'load' && after === undefined) lines.push(`if (m !== ${pc}) x = ${EXTRA.firstLoad};`);
    else if (access === 'load' && after !== pc) cycles += EXTRA.firstLoad;
    cycles += 1 + extra;
    pc = (pc + size) | 0;
    if (access !== 'none') after = pc;
  }
  lines.push(standing(cycles, after, pc));
  if (branches) lines.push('x += 1; branch = true;');
  const text = localized(lines.join('\n'), cycles + EXTRA.firstLoad + 1);
  // The text is made of numbers of the decoded instructions alone.
  return new Function(...PARAMETERS, text) as Factory;
}

const PARAMETERS = ['s', 'r', 'time', 'port', 'readPages', 'writePages', 'first', 'ending', 'left'];

/** Tells of the first few times that a block is left early. */
const TOLD = 2 * HOT;
function tell(pc: number): string {
  return `if (told < ${TOLD}) { told++; left(${pc | 0}); }`;
}

/** What is to be stored when the block is left here. */
function standing(cycles: number, after: number | undefined, pc: number): string {
  return `x += ${cycles}; pc = ${pc};${after === undefined ? '' : ` m = ${after};`}`;
}

/** The body of a block around its instructions. @param most cycles that it may take beyond the first */
function localized(instructions: string, most: number): string {
  const registers = [...new Set([...instructions.matchAll(/\br\[(\d+)\]/g)].map(([, n]) => Number(n)))];
  const written = registers.filter((n) => new RegExp(`\\br\\[${n}\\] = `).test(instructions));
  const flags = ['n', 'z', 'c', 'v'].filter((flag) => instructions.includes(`s.${flag}`));
  const locals = instructions.replace(/\br\[(\d+)\]/g, 'r$1').replace(/\bs\.([nzcv])\b/g, 'f$1');
  return `let told = 0;
  return () => {
    if (!port.direct || time.cycles + ${most} > time.limit) return first();
    let a = 0, b = 0, c = 0, d = 0, x = 0, pc = 0, m = s.afterMemory, branch = false, w;
    ${registers.map((n) => `let r${n} = r[${n}];`).join(' ')}
    ${flags.map((flag) => `let f${flag} = s.${flag};`).join(' ')}
    block: {
    ${locals}
    }
    ${written.map((n) => `r[${n}] = r${n};`).join(' ')}
    ${flags.map((flag) => `s.${flag} = f${flag};`).join(' ')}
    s.afterMemory = m;
    time.cycles += x;
    return branch ? ending() : pc;
  };`;
}
