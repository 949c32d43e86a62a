// VCVT: integers and fixed point, half precision (ARMv7-M A2.5: FPToFixed, FixedToFP, FPHalfToSingle, FPSingleToHalf).
import { flushed, invalid, isNan, isSignalling } from './arithmetic.ts';
import {
  DEFAULT_NAN,
  type FloatStatus,
  FPSCR,
  MODE,
  roundHalf,
  roundSingle,
  roundsUp,
  toBits,
  toNumber,
} from './rounding.ts';

export interface FixedFormat {
  readonly size: 16 | 32;
  readonly signed: boolean;
  readonly fractionBits: number;
}

/** Single → fixed point (or integer with no fraction bits), saturating; extended to 32 bits. */
export function toFixed(status: FloatStatus, bits: number, format: FixedFormat, mode: number): number {
  bits = flushed(status, bits);
  if (isNan(bits)) {
    status.fpscr |= FPSCR.ioc;
    return 0;
  }
  const [low, high] = limits(format);
  const value = toNumber(bits) * 2 ** format.fractionBits;
  const size = Math.abs(value);
  const lower = Math.floor(size);
  const error = size - lower;
  const up = Number.isFinite(size) && roundsUp(mode, value < 0, error, lower % 2 === 1);
  const whole = (lower + (up ? 1 : 0)) * (value < 0 ? -1 : 1);
  if (whole < low || whole > high) {
    status.fpscr |= FPSCR.ioc;
    return (whole < low ? low : high) | 0;
  }
  if (error !== 0) status.fpscr |= FPSCR.ixc;
  return whole | 0;
}

function limits({ size, signed }: FixedFormat): readonly [number, number] {
  return signed ? [-(2 ** (size - 1)), 2 ** (size - 1) - 1] : [0, 2 ** size - 1];
}

/** Fixed point (low `size` bits of `word`) → single. */
export function fromFixed(status: FloatStatus, word: number, format: FixedFormat, mode: number): number {
  const { size, signed } = format;
  const shift = 32 - size;
  const whole = signed ? (word << shift) >> shift : (word << shift) >>> shift;
  if (whole === 0) return 0;
  return roundSingle(status, whole / 2 ** format.fractionBits, mode);
}

/** Half (16 bits) → single. */
export function halfToSingle(status: FloatStatus, half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 31;
  const fraction = half & 0x3ff;
  if (exponent === 31 && (status.fpscr & FPSCR.ahp) === 0) {
    if (fraction === 0) return sign | 0x7f800000;
    if ((fraction & 0x200) === 0) status.fpscr |= FPSCR.ioc;
    return status.fpscr & FPSCR.dn ? DEFAULT_NAN : sign | 0x7fc00000 | (fraction << 13);
  }
  if (exponent === 0) return sign | toBits(fraction * 2 ** -24);
  return sign | ((exponent + 112) << 23) | (fraction << 13);
}

/** Single → half (16 bits). */
export function singleToHalf(status: FloatStatus, bits: number): number {
  bits = flushed(status, bits);
  const sign = (bits >>> 16) & 0x8000;
  const alternative = (status.fpscr & FPSCR.ahp) !== 0;
  if (isNan(bits)) {
    if (alternative || isSignalling(bits)) status.fpscr |= FPSCR.ioc;
    if (alternative) return sign;
    return status.fpscr & FPSCR.dn ? 0x7e00 : sign | 0x7e00 | ((bits >>> 13) & 0x1ff);
  }
  if ((bits & 0x7fffffff) === 0) return sign;
  if ((bits & 0x7fffffff) !== 0x7f800000) return roundHalf(status, toNumber(bits));
  if (!alternative) return sign | 0x7c00;
  invalid(status);
  return sign | 0x7fff;
}

/** Rounding of conversions that name their mode. */
export const TOWARDS_ZERO = MODE.zero;
export const TO_NEAREST = MODE.nearest;
