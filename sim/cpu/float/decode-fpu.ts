// FPv4-SP instructions, ARMv7-M A6.4-A6.7: data processing, loads and stores, transfers. Costs:
// Cortex-M4 TRM, table 7-1.
import type { DecodeContext } from '../decode-context.ts';
import type { Op } from '../state.ts';
import { add, compare, divide, fusedMultiplyAdd, multiply, squareRoot } from './arithmetic.ts';
import {
  type FixedFormat,
  fromFixed,
  halfToSingle,
  singleToHalf,
  TO_NEAREST,
  toFixed,
  TOWARDS_ZERO,
} from './conversion.ts';
import type { Fpu } from './fpu.ts';
import { FPSCR } from './rounding.ts';

/** Cycles above the first. */
const EXTRA = { multiplyAdd: 2, divide: 13, load: 1, double: 2, pair: 1 } as const;
const SIGN = 0x80000000 | 0;

/** Decodes a coprocessor 10 or 11 instruction; undefined when there is no such instruction. */
export function decodeFloat(ctx: DecodeContext, fpu: Fpu, hw1: number, hw2: number, pc: number): Op | undefined {
  if (hw1 & 0x1000) return undefined;
  const next = (pc + 4) | 0;
  if ((hw1 & 0xff00) === 0xee00) {
    return hw2 & 0x10 ? transfer(ctx, fpu, hw1, hw2, next) : dataProcessing(ctx, fpu, hw1, hw2, next);
  }
  if ((hw1 & 0xffe0) === 0xec40) return transferPair(ctx, fpu, hw1, hw2, next);
  return loadStore(ctx, fpu, hw1, hw2, pc);
}

/** Register numbers of single-precision operands. */
function operands(hw1: number, hw2: number): { d: number; n: number; m: number } {
  return {
    d: ((hw2 >>> 11) & 0x1e) | ((hw1 >>> 6) & 1),
    n: ((hw1 << 1) & 0x1e) | ((hw2 >>> 7) & 1),
    m: ((hw2 << 1) & 0x1e) | ((hw2 >>> 5) & 1),
  };
}

type Ternary = (fpu: Fpu, d: number, n: number, m: number) => number;

/** By bits 23, 21, 20 (opcode) and 6 (variant): result from old Sd, Sn, Sm. */
const THREE_OPERANDS: Readonly<Record<number, readonly [plain: Ternary, variant: Ternary | undefined, extra: number]>> =
  {
    0: [
      (u, d, n, m) => add(u, d, multiply(u, n, m)),
      (u, d, n, m) => add(u, d, multiply(u, n, m) ^ SIGN),
      EXTRA.multiplyAdd,
    ],
    1: [
      (u, d, n, m) => add(u, d ^ SIGN, multiply(u, n, m)),
      (u, d, n, m) => add(u, d ^ SIGN, multiply(u, n, m) ^ SIGN),
      EXTRA.multiplyAdd,
    ],
    2: [(u, _, n, m) => multiply(u, n, m), (u, _, n, m) => multiply(u, n, m) ^ SIGN, 0],
    3: [(u, _, n, m) => add(u, n, m), (u, _, n, m) => subtract(u, n, m), 0],
    8: [(u, _, n, m) => divide(u, n, m), undefined, EXTRA.divide],
    9: [
      (u, d, n, m) => fusedMultiplyAdd(u, d ^ SIGN, n, m),
      (u, d, n, m) => fusedMultiplyAdd(u, d ^ SIGN, n ^ SIGN, m),
      EXTRA.multiplyAdd,
    ],
    10: [
      (u, d, n, m) => fusedMultiplyAdd(u, d, n, m),
      (u, d, n, m) => fusedMultiplyAdd(u, d, n ^ SIGN, m),
      EXTRA.multiplyAdd,
    ],
  };

/** n - m; a NaN keeps its sign. */
function subtract(fpu: Fpu, n: number, m: number): number {
  return add(fpu, n, (m & 0x7fffffff) > 0x7f800000 ? m : m ^ SIGN);
}

function dataProcessing(ctx: DecodeContext, fpu: Fpu, hw1: number, hw2: number, next: number): Op | undefined {
  if (hw2 & 0x100) return undefined;
  const opcode = (hw1 >>> 4) & 0xb;
  if (opcode === 11) return otherDataProcessing(ctx, fpu, hw1, hw2, next);
  const { d, n, m } = operands(hw1, hw2);
  const [plain, variant, extra] = THREE_OPERANDS[opcode]!;
  const compute = hw2 & 0x40 ? variant : plain;
  if (compute === undefined) return undefined;
  const { words } = fpu;
  const { time } = ctx;
  return () => {
    fpu.prepare();
    words[d] = compute(fpu, words[d]!, words[n]!, words[m]!);
    time.cycles += extra;
    return next;
  };
}

/** One operand: bits 19:16 choose, with bit 7 as `variant`. */
function otherDataProcessing(ctx: DecodeContext, fpu: Fpu, hw1: number, hw2: number, next: number): Op | undefined {
  const { d, m } = operands(hw1, hw2);
  const { words } = fpu;
  const { time } = ctx;
  if ((hw2 & 0x40) === 0) {
    const value = expandImmediate(((hw1 & 15) << 4) | (hw2 & 15));
    return () => {
      fpu.prepare();
      words[d] = value;
      return next;
    };
  }
  const variant = (hw2 & 0x80) !== 0;
  const selector = hw1 & 15;
  if (selector === 4 || selector === 5) return compareOp(fpu, d, selector === 4 ? m : undefined, variant, next);
  const half = halfConversion(selector, variant);
  if (half !== undefined) {
    return () => {
      fpu.prepare();
      words[d] = half(fpu, words[d]!, words[m]!);
      return next;
    };
  }
  const compute = unary(selector, variant, hw2);
  if (compute === undefined) return undefined;
  const source = selector >= 10 && selector !== 12 && selector !== 13 ? d : m;
  const extra = selector === 1 && variant ? EXTRA.divide : 0;
  return () => {
    fpu.prepare();
    words[d] = compute(fpu, words[source]!);
    time.cycles += extra;
    return next;
  };
}

type Unary = (fpu: Fpu, m: number) => number;

function unary(selector: number, variant: boolean, hw2: number): Unary | undefined {
  switch (selector) {
    case 0:
      return variant ? (_, m) => m & 0x7fffffff : (_, m) => m;
    case 1:
      return variant ? (u, m) => squareRoot(u, m) : (_, m) => m ^ SIGN;
    case 8: {
      const format: FixedFormat = { size: 32, signed: variant, fractionBits: 0 };
      return (u, m) => fromFixed(u, m, format, u.fpscr & FPSCR.rmode);
    }
    case 10:
    case 11:
    case 14:
    case 15:
      return fixedPoint(selector, variant, hw2);
    case 12:
    case 13: {
      const format: FixedFormat = { size: 32, signed: selector === 13, fractionBits: 0 };
      return (u, m) => toFixed(u, m, format, variant ? TOWARDS_ZERO : u.fpscr & FPSCR.rmode);
    }
    default:
      return undefined;
  }
}

/** VCVT with fraction bits: selector bit 2 to fixed point, bit 0 unsigned; `wide` 32 bits. */
function fixedPoint(selector: number, wide: boolean, hw2: number): Unary | undefined {
  const size = wide ? 32 : 16;
  const fractionBits = size - (((hw2 & 15) << 1) | ((hw2 >>> 5) & 1));
  if (fractionBits < 0) return undefined;
  const format: FixedFormat = { size, signed: (selector & 1) === 0, fractionBits };
  return selector & 4 ? (u, m) => toFixed(u, m, format, TOWARDS_ZERO) : (u, m) => fromFixed(u, m, format, TO_NEAREST);
}

/** VCVTB, VCVTT: half precision in the bottom or top of a register. */
function halfConversion(selector: number, top: boolean): ((fpu: Fpu, d: number, m: number) => number) | undefined {
  if (selector === 2) return (u, _, m) => halfToSingle(u, top ? m >>> 16 : m & 0xffff);
  if (selector !== 3) return undefined;
  if (top) return (u, d, m) => (d & 0xffff) | (singleToHalf(u, m) << 16);
  return (u, d, m) => (d & 0xffff0000) | singleToHalf(u, m);
}

function compareOp(fpu: Fpu, d: number, m: number | undefined, quietToo: boolean, next: number): Op {
  const { words } = fpu;
  return () => {
    fpu.prepare();
    const flags = compare(fpu, words[d]!, m === undefined ? 0 : words[m]!, quietToo);
    fpu.fpscr = (fpu.fpscr & 0x0fffffff) | flags;
    return next;
  };
}

/** VFPExpandImm: sign, three exponent bits, four fraction bits. */
function expandImmediate(imm8: number): number {
  const exponent = imm8 & 0x40 ? 0x3e000000 : 0x40000000;
  return ((imm8 & 0x80) << 24) | (exponent + ((imm8 & 0x3f) << 19));
}

/** VMOV core ↔ single, core ↔ half of a double, VMRS, VMSR. */
function transfer(ctx: DecodeContext, fpu: Fpu, hw1: number, hw2: number, next: number): Op | undefined {
  const { r } = ctx.s;
  const toCore = (hw1 & 0x10) !== 0;
  const t = hw2 >>> 12;
  const isScalar = (hw2 & 0x100) !== 0;
  const kind = (hw1 >>> 5) & 7;
  if (!isScalar && kind === 7) return (hw1 & 15) === 1 ? systemRegister(ctx, fpu, toCore, t, next) : undefined;
  if (isScalar ? kind > 1 || (hw2 & 0x60) !== 0 : kind !== 0) return undefined;
  const n = isScalar ? (((hw1 & 15) | ((hw2 >>> 3) & 16)) << 1) | (kind & 1) : operands(hw1, hw2).n;
  if (n > 31) return undefined;
  const { words } = fpu;
  if (toCore) {
    return () => {
      fpu.prepare();
      r[t] = words[n]!;
      return next;
    };
  }
  return () => {
    fpu.prepare();
    words[n] = r[t]!;
    return next;
  };
}

function systemRegister(ctx: DecodeContext, fpu: Fpu, toCore: boolean, t: number, next: number): Op {
  const { s } = ctx;
  if (!toCore) {
    return () => {
      fpu.prepare();
      fpu.fpscr = s.r[t]! & FPSCR.mask;
      return next;
    };
  }
  return () => {
    fpu.prepare();
    const { fpscr } = fpu;
    if (t === 15) s.setNzcv(fpscr);
    else s.r[t] = fpscr;
    return next;
  };
}

/** VMOV between two core registers and two singles or a double. */
function transferPair(ctx: DecodeContext, fpu: Fpu, hw1: number, hw2: number, next: number): Op | undefined {
  if ((hw2 & 0xd0) !== 0x10) return undefined;
  const isDouble = (hw2 & 0x100) !== 0;
  const m = isDouble ? ((hw2 & 15) | ((hw2 >>> 1) & 16)) << 1 : operands(hw1, hw2).m;
  if (m > 30) return undefined;
  const t = hw2 >>> 12;
  const t2 = hw1 & 15;
  const { r } = ctx.s;
  const { time } = ctx;
  const { words } = fpu;
  const toCore = (hw1 & 0x10) !== 0;
  return () => {
    fpu.prepare();
    if (toCore) {
      r[t] = words[m]!;
      r[t2] = words[m + 1]!;
    } else {
      words[m] = r[t]!;
      words[m + 1] = r[t2]!;
    }
    time.cycles += EXTRA.pair;
    return next;
  };
}

/** VLDR, VSTR, VLDM, VSTM and their stack forms. */
function loadStore(ctx: DecodeContext, fpu: Fpu, hw1: number, hw2: number, pc: number): Op | undefined {
  const pre = (hw1 & 0x100) !== 0;
  const up = (hw1 & 0x80) !== 0;
  const wback = (hw1 & 0x20) !== 0;
  const isDouble = (hw2 & 0x100) !== 0;
  const first = isDouble ? ((hw2 >>> 12) | ((hw1 >>> 2) & 16)) << 1 : operands(hw1, hw2).d;
  const imm8 = hw2 & 0xff;
  const single = pre && !wback;
  if (!single && pre === up) return undefined;
  const count = single ? (isDouble ? 2 : 1) : isDouble ? imm8 & ~1 : imm8;
  if (count === 0 || first + count > 32) return undefined;
  const rn = hw1 & 15;
  const place = {
    first,
    count,
    rn,
    literal: rn === 15 ? (pc + 4) & ~3 : undefined,
    before: single ? (up ? imm8 * 4 : -imm8 * 4) : up ? 0 : -imm8 * 4,
    after: wback ? (up ? imm8 * 4 : -imm8 * 4) : undefined,
    extra: single ? (isDouble ? EXTRA.double : EXTRA.load) : count,
    next: (pc + 4) | 0,
  };
  if (rn === 15 && (wback || ((hw1 & 0x10) === 0 && !single))) return undefined;
  return hw1 & 0x10 ? loadWords(ctx, fpu, place) : storeWords(ctx, fpu, place);
}

interface WordsPlace {
  readonly first: number;
  readonly count: number;
  readonly rn: number;
  /** PC as base. */
  readonly literal: number | undefined;
  readonly before: number;
  /** Change of the base, undefined without write-back. */
  readonly after: number | undefined;
  readonly extra: number;
  readonly next: number;
}

function loadWords(ctx: DecodeContext, fpu: Fpu, place: WordsPlace): Op {
  const { s, port, time } = ctx;
  const { first, count, rn, literal, before, after, extra, next } = place;
  const { r } = s;
  const { words } = fpu;
  return () => {
    fpu.prepare();
    const base = literal ?? r[rn]!;
    const address = (base + before) | 0;
    port.requireAligned(address, 4);
    for (let i = 0; i < count; i++) words[first + i] = port.load32((address + i * 4) | 0);
    if (after !== undefined) r[rn] = base + after;
    time.cycles += extra;
    s.afterMemory = next;
    return next;
  };
}

function storeWords(ctx: DecodeContext, fpu: Fpu, place: WordsPlace): Op {
  const { s, port, time } = ctx;
  const { first, count, rn, literal, before, after, extra, next } = place;
  const { r } = s;
  const { words } = fpu;
  return () => {
    fpu.prepare();
    const base = literal ?? r[rn]!;
    const address = (base + before) | 0;
    port.requireAligned(address, 4);
    for (let i = 0; i < count; i++) port.store32((address + i * 4) | 0, words[first + i]!);
    if (after !== undefined) r[rn] = base + after;
    time.cycles += extra;
    s.afterMemory = next;
    return next;
  };
}
