// Multiply, divide, saturate and the DSP extension (SIMD, extend-and-add, CLZ/RBIT/REV). ARMv7-M
// A5.3.12-A5.3.17, A5.3.3.
import {
  decodeShift,
  reverseBits,
  reverseBytes,
  reverseBytes16,
  saturateSigned,
  saturateUnsigned,
  SHIFT,
  shift,
  shiftCarry,
  signedHigh,
  nzFlags,
  unsignedHigh,
} from './alu.ts';
import type { DecodeContext } from './decode-context.ts';
import { divideExtra } from './cycles.ts';
import { CpuFault } from './faults.ts';
import { parallelOperation } from './simd.ts';
import { type Binary, CFSR, type CpuState, EXC, type Op } from './state.ts';

/** Rd = compute(Rn, Rm). */
function binary(r: Int32Array, rd: number, rn: number, rm: number, compute: Binary, next: number): Op {
  return () => {
    r[rd] = compute(r[rn]!, r[rm]!);
    return next;
  };
}

/** Data processing (register): register shifts, extends, parallel add/subtract, miscellaneous. */
export function decodeDspRegister(ctx: DecodeContext, hw1: number, hw2: number, next: number): Op | undefined {
  const { s } = ctx;
  const { r } = s;
  const op1 = (hw1 >>> 4) & 15;
  const op2 = (hw2 >>> 4) & 15;
  const rn = hw1 & 15;
  const rd = (hw2 >>> 8) & 15;
  const rm = hw2 & 15;
  if ((hw2 & 0xf000) !== 0xf000) return undefined;
  if (op1 < 8 && op2 === 0) return registerShift(ctx, hw1, rd, rn, rm, next);
  if (op1 < 8) return op2 & 8 ? extendAdd(s, op1, rd, rn, rm, (op2 & 3) * 8, next) : undefined;
  if ((op2 & 8) === 0) {
    const compute = parallelOperation(s, op1 & 7, op2);
    return compute === undefined ? undefined : binary(r, rd, rn, rm, compute, next);
  }
  const compute = miscellaneous(s, op1, op2 & 3);
  return compute === undefined || op2 > 11 ? undefined : binary(r, rd, rn, rm, compute, next);
}

function registerShift({ s }: DecodeContext, hw1: number, rd: number, rn: number, rm: number, next: number): Op {
  const { r } = s;
  const type = (hw1 >>> 5) & 3;
  if (hw1 & 0x10) {
    return () => {
      r[rd] = nzFlags(s, shiftCarry(s, type, r[rm]! & 0xff, r[rn]!));
      return next;
    };
  }
  return () => {
    r[rd] = shift(s, type, r[rm]! & 0xff, r[rn]!);
    return next;
  };
}

/** Extension by op1: SXTH, UXTH, SXTB16, UXTB16, SXTB, UXTB of the rotated Rm. */
const EXTENDS: readonly ((x: number) => number)[] = [
  (x) => (x << 16) >> 16,
  (x) => x & 0xffff,
  (x) => (((x << 24) >> 24) & 0xffff) | (((x << 8) >> 24) << 16),
  (x) => x & 0x00ff00ff,
  (x) => (x << 24) >> 24,
  (x) => x & 0xff,
];

/** SXTB, UXTAH ...: Rn = 15 extends without adding. */
function extendAdd(
  s: CpuState,
  op1: number,
  rd: number,
  rn: number,
  rm: number,
  rotation: number,
  next: number,
): Op | undefined {
  const { r } = s;
  const extend = EXTENDS[op1];
  if (extend === undefined) return undefined;
  const rotated = (x: number): number => (x >>> rotation) | (x << (-rotation & 31));
  if (rn === 15) {
    return () => {
      r[rd] = extend(rotated(r[rm]!));
      return next;
    };
  }
  if (op1 === 2 || op1 === 3) {
    return () => {
      const a = r[rn]!;
      const b = extend(rotated(r[rm]!));
      r[rd] = ((a + b) & 0xffff) | ((((a >>> 16) + (b >>> 16)) & 0xffff) << 16);
      return next;
    };
  }
  return () => {
    r[rd] = r[rn]! + extend(rotated(r[rm]!));
    return next;
  };
}

/** QADD family, byte reversal, SEL and CLZ by op1 and the low bits of op2. */
function miscellaneous(s: CpuState, op1: number, op2: number): Binary | undefined {
  const saturate = (x: number): number => saturateSigned(s, x, 32);
  const rows: Record<number, readonly (Binary | undefined)[]> = {
    8: [
      (n, m) => saturate(m + n),
      (n, m) => saturate(m + saturate(2 * n)),
      (n, m) => saturate(m - n),
      (n, m) => saturate(m - saturate(2 * n)),
    ],
    9: [
      (_n, m) => reverseBytes(m),
      (_n, m) => reverseBytes16(m),
      (_n, m) => reverseBits(m),
      (_n, m) => reverseBytes(m) >> 16,
    ],
    10: [(n, m) => selectBytes(s.ge, n, m)],
    11: [(_n, m) => Math.clz32(m)],
  };
  return rows[op1]?.[op2];
}

function selectBytes(ge: number, n: number, m: number): number {
  let mask = 0;
  for (let lane = 0; lane < 4; lane++) if ((ge >>> lane) & 1) mask |= 0xff << (lane * 8);
  return (n & mask) | (m & ~mask);
}

/** SSAT, SSAT16, USAT, USAT16. */
export function decodeSaturate(ctx: DecodeContext, hw1: number, hw2: number, next: number): Op {
  const { s } = ctx;
  const { r } = s;
  const rn = hw1 & 15;
  const rd = (hw2 >>> 8) & 15;
  const unsigned = (hw1 & 0x80) !== 0;
  const field = hw2 & 31;
  const bits = unsigned ? field : field + 1;
  const saturate = unsigned ? saturateUnsigned : saturateSigned;
  const imm5 = ((hw2 >>> 10) & 0x1c) | ((hw2 >>> 6) & 3);
  if (hw1 & 0x20 && imm5 === 0) {
    return () => {
      const low = saturate(s, (r[rn]! << 16) >> 16, bits);
      const high = saturate(s, r[rn]! >> 16, bits);
      r[rd] = (low & 0xffff) | (high << 16);
      return next;
    };
  }
  const { type, amount } = decodeShift(hw1 & 0x20 ? SHIFT.asr : SHIFT.lsl, imm5);
  return () => {
    r[rd] = saturate(s, shift(s, type, amount, r[rn]!), bits);
    return next;
  };
}

const half = (x: number, top: number): number => (top ? x >> 16 : (x << 16) >> 16);

/** a + b as 32 bits, setting Q on signed overflow (SMLAxy and friends). */
function addQ(s: CpuState, a: number, b: number): number {
  const sum = a + b;
  if (sum !== (sum | 0)) s.q = 1;
  return sum | 0;
}

/** 32-bit multiplies: MUL, MLA, MLS, SMLAxy, SMUAD/SMLAD, SMULWy, SMUSD/SMLSD, SMMUL, USAD8. */
export function decodeMultiply(ctx: DecodeContext, hw1: number, hw2: number, next: number): Op | undefined {
  const { s } = ctx;
  const { r } = s;
  const rn = hw1 & 15;
  const rm = hw2 & 15;
  const ra = hw2 >>> 12;
  const rd = (hw2 >>> 8) & 15;
  const op1 = (hw1 >>> 4) & 7;
  const op2 = (hw2 >>> 4) & 15;
  if (op1 === 0 && op2 === 0 && ra === 15) return binary(r, rd, rn, rm, Math.imul, next);
  const compute = multiplyCompute(s, op1, op2);
  if (compute === undefined) return undefined;
  const accumulates = ra !== 15 || (op1 === 0 && op2 === 1);
  return () => {
    r[rd] = compute(r[rn]!, r[rm]!, accumulates ? r[ra]! : 0);
    return next;
  };
}

type Ternary = (n: number, m: number, a: number) => number;

function multiplyCompute(s: CpuState, op1: number, op2: number): Ternary | undefined {
  const x = op2 & 1;
  const swap = (m: number): number => (x ? (m >>> 16) | (m << 16) : m);
  const round = x;
  if (op1 === 1) {
    if (op2 > 3) return undefined;
    return (n, m, a) => addQ(s, Math.imul(half(n, op2 & 2), half(m, op2 & 1)), a);
  }
  if (op2 > 1) return undefined;
  switch (op1) {
    case 0:
      return op2 === 0 ? (n, m, a) => (Math.imul(n, m) + a) | 0 : (n, m, a) => (a - Math.imul(n, m)) | 0;
    case 2:
      return (n, m, a) => addQ(s, dualProducts(n, swap(m), 1), a);
    case 3:
      return (n, m, a) => addQ(s, Math.floor((n * half(m, x)) / 0x10000), a);
    case 4:
      return (n, m, a) => addQ(s, dualProducts(n, swap(m), -1), a);
    case 5:
      return (n, m, a) => mostSignificant(n, m, a, round, 1);
    case 6:
      return (n, m, a) => mostSignificant(n, m, a, round, -1);
    default:
      return op2 === 0 ? (n, m, a) => sumAbsoluteDifferences(n, m, a) : undefined;
  }
}

/** Bottom product plus or minus top product, exact. */
function dualProducts(n: number, m: number, sign: 1 | -1): number {
  return half(n, 0) * half(m, 0) + sign * half(n, 1) * half(m, 1);
}

/** Upper word of (a:0 + sign * n*m), rounded when asked. */
function mostSignificant(n: number, m: number, a: number, round: number, sign: 1 | -1): number {
  const low = Math.imul(n, m) >>> 0;
  const high = signedHigh(n, m);
  const bias = round ? 0x80000000 : 0;
  if (sign > 0) return (a + high + (low + bias > 0xffffffff ? 1 : 0)) | 0;
  return (a - high + Math.floor((bias - low) / 0x100000000)) | 0;
}

function sumAbsoluteDifferences(n: number, m: number, a: number): number {
  let sum = a;
  for (let at = 0; at < 32; at += 8) sum += Math.abs(((n >>> at) & 0xff) - ((m >>> at) & 0xff));
  return sum | 0;
}

/** Long multiplies and division. */
export function decodeLongMultiply(ctx: DecodeContext, hw1: number, hw2: number, next: number): Op | undefined {
  const { r } = ctx.s;
  const rn = hw1 & 15;
  const rm = hw2 & 15;
  const lo = hw2 >>> 12;
  const hi = (hw2 >>> 8) & 15;
  const op1 = (hw1 >>> 4) & 7;
  const op2 = (hw2 >>> 4) & 15;
  switch (op1) {
    case 0:
      return op2 !== 0 ? undefined : longProduct(r, { lo, hi, rn, rm, next }, signedHigh);
    case 2:
      return op2 !== 0 ? undefined : longProduct(r, { lo, hi, rn, rm, next }, unsignedHigh);
    case 1:
    case 3:
      return op2 !== 15 ? undefined : divide(ctx, hi, rn, rm, op1 === 1, next);
    case 4:
      return signedAccumulate(r, { lo, hi, rn, rm, next }, op2);
    case 5:
      return op2 === 12 || op2 === 13 ? longDual(r, { lo, hi, rn, rm, next }, op2 & 1, -1) : undefined;
    case 6:
      if (op2 === 6) return multiplyAddAdd(r, { lo, hi, rn, rm, next });
      return op2 !== 0 ? undefined : accumulate(r, { lo, hi, rn, rm, next }, unsignedHigh);
    default:
      return undefined;
  }
}

interface LongPlace {
  readonly lo: number;
  readonly hi: number;
  readonly rn: number;
  readonly rm: number;
  readonly next: number;
}

function longProduct(r: Int32Array, { lo, hi, rn, rm, next }: LongPlace, high: Binary): Op {
  return () => {
    const n = r[rn]!;
    const m = r[rm]!;
    r[lo] = Math.imul(n, m);
    r[hi] = high(n, m);
    return next;
  };
}

function accumulate(r: Int32Array, { lo, hi, rn, rm, next }: LongPlace, high: Binary): Op {
  return () => {
    const n = r[rn]!;
    const m = r[rm]!;
    const sum = (Math.imul(n, m) >>> 0) + (r[lo]! >>> 0);
    r[hi] = r[hi]! + high(n, m) + (sum > 0xffffffff ? 1 : 0);
    r[lo] = sum;
    return next;
  };
}

/** UMAAL: product plus two words never overflows 64 bits. */
function multiplyAddAdd(r: Int32Array, { lo, hi, rn, rm, next }: LongPlace): Op {
  return () => {
    const n = r[rn]!;
    const m = r[rm]!;
    const sum = (Math.imul(n, m) >>> 0) + (r[lo]! >>> 0) + (r[hi]! >>> 0);
    r[hi] = unsignedHigh(n, m) + ((sum * 2 ** -32) | 0);
    r[lo] = sum;
    return next;
  };
}

/** SMLAL, SMLALxy, SMLALD. */
function signedAccumulate(r: Int32Array, place: LongPlace, op2: number): Op | undefined {
  if (op2 === 0) return accumulate(r, place, signedHigh);
  if (op2 === 12 || op2 === 13) return longDual(r, place, op2 & 1, 1);
  if (op2 < 8 || op2 > 11) return undefined;
  const { rn, rm, next } = place;
  return () => {
    addLong(r, place, Math.imul(half(r[rn]!, op2 & 2), half(r[rm]!, op2 & 1)));
    return next;
  };
}

/** SMLALD and SMLSLD, `swap` exchanges the half-words of Rm. */
function longDual(r: Int32Array, place: LongPlace, swap: number, sign: 1 | -1): Op {
  const { rn, rm, next } = place;
  return () => {
    const m = r[rm]!;
    addLong(r, place, dualProducts(r[rn]!, swap ? (m >>> 16) | (m << 16) : m, sign));
    return next;
  };
}

/** RdHi:RdLo += value, |value| < 2^53. */
function addLong(r: Int32Array, { lo, hi }: LongPlace, value: number): void {
  const sum = (r[lo]! >>> 0) + (value >>> 0);
  r[hi] = r[hi]! + Math.floor(value / 0x100000000) + (sum > 0xffffffff ? 1 : 0);
  r[lo] = sum;
}

function divide(ctx: DecodeContext, rd: number, rn: number, rm: number, signed: boolean, next: number): Op {
  const { s, time } = ctx;
  const { r } = s;
  return () => {
    const n = signed ? r[rn]! : r[rn]! >>> 0;
    const m = signed ? r[rm]! : r[rm]! >>> 0;
    if (m === 0 && ctx.trapDivideByZero()) throw new CpuFault(EXC.usageFault, CFSR.divbyzero);
    time.cycles += divideExtra(Math.abs(n), Math.abs(m));
    r[rd] = m === 0 ? 0 : Math.trunc(n / m);
    return next;
  };
}
