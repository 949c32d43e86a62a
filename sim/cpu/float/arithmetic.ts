// Single-precision arithmetic on bit patterns with IEEE 754 flags as FPv4-SP keeps them (ARMv7-M A2.5). Each operation
// has a short way for ordinary numbers rounded to nearest and a long way for everything else.
import { DEFAULT_NAN, type FloatStatus, FPSCR, MODE, roundedToOdd, roundSingle, toBits, toNumber } from './rounding.ts';

const SIGN = 0x80000000 | 0;
const INFINITY = 0x7f800000;
/** Results above this were normal before rounding too; this one may have been rounded up from below. */
const SMALLEST_NORMAL = 2 ** -126;
/** Modes that close the short way. */
const SPECIAL_MODES = FPSCR.rmode | FPSCR.fz;
const QUIET = 0x00400000;

export function isNan(bits: number): boolean {
  return (bits & 0x7fffffff) > INFINITY;
}
export function isSignalling(bits: number): boolean {
  return isNan(bits) && (bits & QUIET) === 0;
}
function isInfinite(bits: number): boolean {
  return (bits & 0x7fffffff) === INFINITY;
}
function isZero(bits: number): boolean {
  return (bits & 0x7fffffff) === 0;
}

/** The operand as FZ lets it through: subnormals become zeros and set IDC. */
export function flushed(status: FloatStatus, bits: number): number {
  if ((status.fpscr & FPSCR.fz) === 0 || (bits & INFINITY) !== 0 || (bits & 0x7fffff) === 0) return bits;
  status.fpscr |= FPSCR.idc;
  return bits & SIGN;
}

/** The NaN a NaN operand makes: signalling ones come first and set IOC; undefined when none is a NaN. */
function propagated(status: FloatStatus, ...operands: readonly number[]): number | undefined {
  const chosen = operands.find(isSignalling) ?? operands.find(isNan);
  if (chosen === undefined) return undefined;
  if (isSignalling(chosen)) status.fpscr |= FPSCR.ioc;
  return status.fpscr & FPSCR.dn ? DEFAULT_NAN : chosen | QUIET;
}

export function invalid(status: FloatStatus): number {
  status.fpscr |= FPSCR.ioc;
  return DEFAULT_NAN;
}

/** Whether `result` is an ordinary number that rounding to nearest got right without further ado. */
function ordinary(status: FloatStatus, result: number): boolean {
  const size = Math.abs(result);
  return size > SMALLEST_NORMAL && size < Infinity && (status.fpscr & SPECIAL_MODES) === 0;
}

/** What a + b loses in a double. */
function lostInSum(a: number, b: number, sum: number): number {
  const part = sum - a;
  return a - (sum - part) + (b - part);
}
const SPLITTER = 2 ** 27 + 1;
function upperHalf(x: number): number {
  const big = x * SPLITTER;
  return big - (big - x);
}
/** What a · b loses in a double. */
function lostInProduct(a: number, b: number, product: number): number {
  const a1 = upperHalf(a);
  const b1 = upperHalf(b);
  const a0 = a - a1;
  const b0 = b - b1;
  return a0 * b0 - (product - a1 * b1 - a0 * b1 - a1 * b0);
}

export function add(status: FloatStatus, a: number, b: number): number {
  const x = toNumber(a);
  const y = toNumber(b);
  const sum = x + y;
  const result = Math.fround(sum);
  if (!ordinary(status, result)) return addSlowly(status, a, b);
  if (result !== sum || lostInSum(x, y, sum) !== 0) status.fpscr |= FPSCR.ixc;
  return toBits(result);
}

function addSlowly(status: FloatStatus, a: number, b: number): number {
  a = flushed(status, a);
  b = flushed(status, b);
  const nan = propagated(status, a, b);
  if (nan !== undefined) return nan;
  if (isInfinite(a)) return isInfinite(b) && a !== b ? invalid(status) : a;
  if (isInfinite(b)) return b;
  return exactSum(status, toNumber(a), toNumber(b), a & b & SIGN);
}

/** x + y rounded; `negative` is the sign of a zero both of whose parts were zeros of that sign. */
function exactSum(status: FloatStatus, x: number, y: number, negative: number): number {
  const sum = x + y;
  if (sum !== 0) return roundSingle(status, roundedToOdd(sum, lostInSum(x, y, sum)));
  if (x === 0 && y === 0 && negative !== 0) return SIGN;
  const bothPlus = x === 0 && y === 0 && !Object.is(x, -0) && !Object.is(y, -0);
  return (status.fpscr & FPSCR.rmode) === MODE.minus && !bothPlus ? SIGN : 0;
}

export function multiply(status: FloatStatus, a: number, b: number): number {
  const product = toNumber(a) * toNumber(b);
  const result = Math.fround(product);
  if (!ordinary(status, result)) return multiplySlowly(status, a, b);
  if (result !== product) status.fpscr |= FPSCR.ixc;
  return toBits(result);
}

function multiplySlowly(status: FloatStatus, a: number, b: number): number {
  a = flushed(status, a);
  b = flushed(status, b);
  const nan = propagated(status, a, b);
  if (nan !== undefined) return nan;
  const sign = (a ^ b) & SIGN;
  if (isInfinite(a) || isInfinite(b)) return isZero(a) || isZero(b) ? invalid(status) : sign | INFINITY;
  if (isZero(a) || isZero(b)) return sign;
  return roundSingle(status, toNumber(a) * toNumber(b));
}

export function divide(status: FloatStatus, a: number, b: number): number {
  const x = toNumber(a);
  const y = toNumber(b);
  const result = Math.fround(x / y);
  if (!ordinary(status, result) || y === 0 || Math.abs(y) === Infinity) return divideSlowly(status, a, b);
  if (result * y !== x) status.fpscr |= FPSCR.ixc;
  return toBits(result);
}

function divideSlowly(status: FloatStatus, a: number, b: number): number {
  a = flushed(status, a);
  b = flushed(status, b);
  const nan = propagated(status, a, b);
  if (nan !== undefined) return nan;
  const sign = (a ^ b) & SIGN;
  if (isInfinite(a)) return isInfinite(b) ? invalid(status) : sign | INFINITY;
  if (isZero(a)) return isZero(b) ? invalid(status) : sign;
  if (isInfinite(b)) return sign;
  if (isZero(b)) {
    status.fpscr |= FPSCR.dzc;
    return sign | INFINITY;
  }
  const x = toNumber(a);
  const y = toNumber(b);
  const quotient = x / y;
  const product = quotient * y;
  const rest = x - product - lostInProduct(quotient, y, product);
  return roundSingle(status, roundedToOdd(quotient, y < 0 ? -rest : rest));
}

export function squareRoot(status: FloatStatus, a: number): number {
  a = flushed(status, a);
  const nan = propagated(status, a);
  if (nan !== undefined) return nan;
  if (isZero(a) || a === INFINITY) return a;
  if (a < 0) return invalid(status);
  const x = toNumber(a);
  const root = Math.sqrt(x);
  const square = root * root;
  return roundSingle(status, roundedToOdd(root, x - square - lostInProduct(root, root, square)));
}

/** addend + a · b with one rounding. */
export function fusedMultiplyAdd(status: FloatStatus, addend: number, a: number, b: number): number {
  addend = flushed(status, addend);
  a = flushed(status, a);
  b = flushed(status, b);
  const infinityTimesZero = (isInfinite(a) && isZero(b)) || (isZero(a) && isInfinite(b));
  const nan = propagated(status, addend, a, b);
  if (infinityTimesZero && (nan === undefined || (isNan(addend) && !isSignalling(addend)))) return invalid(status);
  if (nan !== undefined) return nan;
  const sign = (a ^ b) & SIGN;
  if (isInfinite(a) || isInfinite(b)) {
    if (isInfinite(addend) && ((addend ^ sign) & SIGN) !== 0) return invalid(status);
    return sign | INFINITY;
  }
  if (isInfinite(addend)) return addend;
  return exactSum(status, toNumber(a) * toNumber(b), toNumber(addend), sign & addend);
}

/** NZCV in bits 31:28 of comparing a with b; `quietToo` raises IOC for every NaN. */
export function compare(status: FloatStatus, a: number, b: number, quietToo: boolean): number {
  a = flushed(status, a);
  b = flushed(status, b);
  if (isNan(a) || isNan(b)) {
    if (quietToo || isSignalling(a) || isSignalling(b)) status.fpscr |= FPSCR.ioc;
    return 0x30000000;
  }
  const x = toNumber(a);
  const y = toNumber(b);
  if (x === y) return 0x60000000;
  return x < y ? 0x80000000 | 0 : 0x20000000;
}
