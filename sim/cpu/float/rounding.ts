// Rounding an exact result to single or half precision with the FPSCR's modes and cumulative flags (ARMv7-M A2.5,
// FPRound). A result arrives as a double "rounded to odd": if it is not exact its last bit is 1. 53 bits are more than
// twice 24 plus two, so one more rounding to 24 bits or fewer comes out as if the exact value had been rounded.

/** FPSCR fields. */
export const FPSCR = {
  ioc: 1 << 0,
  dzc: 1 << 1,
  ofc: 1 << 2,
  ufc: 1 << 3,
  ixc: 1 << 4,
  idc: 1 << 7,
  rmode: 3 << 22,
  fz: 1 << 24,
  dn: 1 << 25,
  ahp: 1 << 26,
  /** Bits that exist. */
  mask: 0xf7c0009f | 0,
} as const;
export const MODE = { nearest: 0, plus: 1 << 22, minus: 2 << 22, zero: 3 << 22 } as const;
export const DEFAULT_NAN = 0x7fc00000;

/** FPSCR as the arithmetic sees it: modes in, cumulative flags out. */
export interface FloatStatus {
  fpscr: number;
}

const view = new DataView(new ArrayBuffer(8));
const single = new Float32Array(1);
const singleBits = new Int32Array(single.buffer);

/** Value of a single's bits. A NaN's payload is not kept. */
export function toNumber(bits: number): number {
  singleBits[0] = bits;
  return single[0]!;
}
/** Bits (int32) of a number that is a single exactly. */
export function toBits(value: number): number {
  single[0] = value;
  return singleBits[0]!;
}

/** The exponent of a finite non-zero double. */
function exponentOf(value: number): number {
  view.setFloat64(0, value);
  return ((view.getInt32(0) >>> 20) & 0x7ff) - 1023;
}

/** `value`, of which `error` (a sign) is missing, with its last bit set to 1 on the side of the missing part. */
export function roundedToOdd(value: number, error: number): number {
  if (error === 0) return value;
  view.setFloat64(0, value);
  const low = view.getInt32(4);
  if (low & 1) return value;
  const outward = value > 0 === error > 0;
  view.setBigInt64(0, view.getBigInt64(0) + (outward ? 1n : -1n));
  return view.getFloat64(0);
}

/**
 * True when a magnitude between two neighbours goes to the upper one. `error` is the fraction
 * above the lower, in [0, 1).
 */
export function roundsUp(mode: number, negative: boolean, error: number, odd: boolean): boolean {
  switch (mode) {
    case MODE.nearest:
      return error > 0.5 || (error === 0.5 && odd);
    case MODE.plus:
      return error > 0 && !negative;
    case MODE.minus:
      return error > 0 && negative;
    default:
      return false;
  }
}

interface Format {
  readonly fraction: number;
  readonly minExponent: number;
  /** Biased exponent of infinities; one above the largest when the format has none. */
  readonly top: number;
}
const SINGLE: Format = { fraction: 23, minExponent: -126, top: 255 };
const HALF: Format = { fraction: 10, minExponent: -14, top: 31 };
const ALTERNATIVE_HALF: Format = { fraction: 10, minExponent: -14, top: 32 };

/** Magnitude bits of a finite non-zero `exact` rounded to odd; the sign is not in them. */
function magnitude(status: FloatStatus, exact: number, format: Format, mode: number): number {
  const exponent = Math.max(exponentOf(exact), format.minExponent);
  const scaled = Math.abs(exact) * 2 ** (format.fraction - exponent);
  const lower = Math.floor(scaled);
  const error = scaled - lower;
  const one = 2 ** format.fraction;
  const subnormal = lower < one;
  if (subnormal && error !== 0) status.fpscr |= FPSCR.ufc;
  const rounded = lower + (roundsUp(mode, exact < 0, error, (lower & 1) === 1) ? 1 : 0);
  const biased = exponent - format.minExponent + 1;
  const bits = (biased - 1) * one + rounded;
  if (bits >= format.top * one) return overflow(status, exact < 0, format, mode);
  if (error !== 0) status.fpscr |= FPSCR.ixc;
  return bits;
}

function overflow(status: FloatStatus, negative: boolean, format: Format, mode: number): number {
  if (format === ALTERNATIVE_HALF) {
    status.fpscr |= FPSCR.ioc;
    return 0x7fff;
  }
  status.fpscr |= FPSCR.ofc | FPSCR.ixc;
  const infinite = mode === MODE.nearest || mode === (negative ? MODE.minus : MODE.plus);
  return format.top * 2 ** format.fraction - (infinite ? 0 : 1);
}

/** Single-precision bits (int32) of a finite non-zero result rounded to odd. */
export function roundSingle(status: FloatStatus, exact: number, mode: number = status.fpscr & FPSCR.rmode): number {
  const sign = exact < 0 ? 0x80000000 : 0;
  if (status.fpscr & FPSCR.fz && Math.abs(exact) < 2 ** -126) {
    status.fpscr |= FPSCR.ufc;
    return sign | 0;
  }
  return sign | magnitude(status, exact, SINGLE, mode);
}

/** Half-precision bits (16) of a finite non-zero number; flush-to-zero does not reach halves. */
export function roundHalf(status: FloatStatus, exact: number): number {
  const format = status.fpscr & FPSCR.ahp ? ALTERNATIVE_HALF : HALF;
  return (exact < 0 ? 0x8000 : 0) | magnitude(status, exact, format, status.fpscr & FPSCR.rmode);
}
