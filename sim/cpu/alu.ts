// Arithmetic of the instruction set: flags, shifts, saturation, immediate expansion. ARMv7-M A2.2.1, A5.3.2.
import type { CpuState } from './state.ts';

export function addFlags(s: CpuState, a: number, b: number): number {
  const result = (a + b) | 0;
  s.n = result;
  s.z = result;
  s.c = result >>> 0 < a >>> 0 ? 1 : 0;
  s.v = (a ^ result) & (b ^ result);
  return result;
}

export function subFlags(s: CpuState, a: number, b: number): number {
  const result = (a - b) | 0;
  s.n = result;
  s.z = result;
  s.c = a >>> 0 >= b >>> 0 ? 1 : 0;
  s.v = (a ^ b) & (a ^ result);
  return result;
}

/** a + b + C; subtraction with borrow is this with ~b. */
export function adcFlags(s: CpuState, a: number, b: number): number {
  const sum = (a >>> 0) + (b >>> 0) + s.c;
  const result = sum | 0;
  s.n = result;
  s.z = result;
  s.c = sum > 0xffffffff ? 1 : 0;
  s.v = (a ^ result) & (b ^ result);
  return result;
}

export function nzFlags(s: CpuState, result: number): number {
  s.n = result;
  s.z = result;
  return result;
}

export const SHIFT = { lsl: 0, lsr: 1, asr: 2, ror: 3, rrx: 4 } as const;

export interface ImmediateShift {
  readonly type: number;
  readonly amount: number;
}

/** Type and amount of an immediate shift field: LSR/ASR #0 mean 32, ROR #0 means RRX. */
export function decodeShift(type: number, amount: number): ImmediateShift {
  if (amount !== 0 || type === SHIFT.lsl) return { type, amount };
  return type === SHIFT.ror ? { type: SHIFT.rrx, amount: 1 } : { type, amount: 32 };
}

/** Shifts by 0..255 without touching flags. */
export function shift(s: CpuState, type: number, amount: number, x: number): number {
  switch (type) {
    case SHIFT.lsl:
      return amount < 32 ? x << amount : 0;
    case SHIFT.lsr:
      return amount < 32 ? (x >>> amount) | 0 : 0;
    case SHIFT.asr:
      return x >> (amount < 32 ? amount : 31);
    case SHIFT.ror:
      return (x >>> (amount & 31)) | (x << (-amount & 31));
    default:
      return (x >>> 1) | (s.c << 31);
  }
}

/** Shifts by 0..255 and sets C to the last bit shifted out; amount 0 leaves C. */
export function shiftCarry(s: CpuState, type: number, amount: number, x: number): number {
  if (type === SHIFT.rrx) {
    const result = (x >>> 1) | (s.c << 31);
    s.c = x & 1;
    return result;
  }
  if (amount === 0) return x;
  s.c = lastBitOut(type, amount, x);
  return shift(s, type, amount, x);
}

function lastBitOut(type: number, amount: number, x: number): number {
  switch (type) {
    case SHIFT.lsl:
      return amount <= 32 ? (x >>> (32 - amount)) & 1 : 0;
    case SHIFT.lsr:
      return amount <= 32 ? (x >>> (amount - 1)) & 1 : 0;
    case SHIFT.asr:
      return (x >>> Math.min(amount - 1, 31)) & 1;
    default:
      return (x >>> ((amount - 1) & 31)) & 1;
  }
}

/** ThumbExpandImm: the 12-bit modified immediate; `carry` undefined leaves C. */
export function expandImmediate(imm12: number): { value: number; carry: number | undefined } {
  const byte = imm12 & 0xff;
  if (imm12 >>> 10 !== 0) {
    const rotation = imm12 >>> 7;
    const unrotated = 0x80 | (imm12 & 0x7f);
    const value = (unrotated >>> rotation) | (unrotated << (32 - rotation));
    return { value, carry: value >>> 31 };
  }
  const patterns = [byte, (byte << 16) | byte, (byte << 24) | (byte << 8), byte * 0x01010101];
  return { value: patterns[imm12 >>> 8]! | 0, carry: undefined };
}

/** Clamps to [-2^(bits-1), 2^(bits-1)-1], setting Q when it had to. `x` may exceed 32 bits. */
export function saturateSigned(s: CpuState, x: number, bits: number): number {
  const max = 2 ** (bits - 1) - 1;
  if (x > max) {
    s.q = 1;
    return max;
  }
  if (x < -max - 1) {
    s.q = 1;
    return -max - 1;
  }
  return x;
}

/** Clamps to [0, 2^bits - 1], setting Q when it had to. */
export function saturateUnsigned(s: CpuState, x: number, bits: number): number {
  const max = 2 ** bits - 1;
  if (x > max) {
    s.q = 1;
    return max;
  }
  if (x < 0) {
    s.q = 1;
    return 0;
  }
  return x;
}

export function reverseBits(x: number): number {
  x = ((x >>> 1) & 0x55555555) | ((x & 0x55555555) << 1);
  x = ((x >>> 2) & 0x33333333) | ((x & 0x33333333) << 2);
  x = ((x >>> 4) & 0x0f0f0f0f) | ((x & 0x0f0f0f0f) << 4);
  return reverseBytes(x);
}

export function reverseBytes(x: number): number {
  return (x << 24) | ((x & 0xff00) << 8) | ((x >>> 8) & 0xff00) | (x >>> 24);
}

export function reverseBytes16(x: number): number {
  return ((x & 0x00ff00ff) << 8) | ((x >>> 8) & 0x00ff00ff);
}

/** Upper 32 bits of the unsigned 64-bit product. */
export function unsignedHigh(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const low = Math.imul(a0, b0) >>> 0;
  const middle = a1 * b0 + (low >>> 16);
  const other = a0 * b1 + (middle & 0xffff);
  return (a1 * b1 + (middle >>> 16) + (other >>> 16)) | 0;
}

/** Upper 32 bits of the signed 64-bit product. */
export function signedHigh(a: number, b: number): number {
  return (unsignedHigh(a, b) - (a < 0 ? b : 0) - (b < 0 ? a : 0)) | 0;
}
