// 16-bit Thumb data processing on low registers, ARMv7-M A5.2.1, A5.2.2 and the extends and reversals of A5.2.5.
// Outside an IT block these instructions set the flags, inside they leave them (`inIt`).
import {
  adcFlags,
  addFlags,
  nzFlags,
  reverseBytes,
  reverseBytes16,
  SHIFT,
  shift,
  shiftCarry,
  subFlags,
} from './alu.ts';
import { type DecodeContext, undefinedInstruction } from './decode-context.ts';
import type { Op } from './state.ts';

export function shiftAddSubtract(ctx: DecodeContext, hw: number, next: number, inIt: boolean): Op {
  const { s } = ctx;
  const { r } = s;
  const rd = hw & 7;
  const rm = (hw >>> 3) & 7;
  const field = (hw >>> 6) & 31;
  const type = (hw >>> 11) & 3;
  if (type === 3) return addSubtract3(ctx, hw, next, inIt);
  const amount = type !== SHIFT.lsl && field === 0 ? 32 : field;
  if (inIt) {
    return () => {
      r[rd] = shift(s, type, amount, r[rm]!);
      return next;
    };
  }
  if (type === SHIFT.lsl && amount > 0) {
    return () => {
      const x = r[rm]!;
      s.c = (x >>> (32 - amount)) & 1;
      r[rd] = nzFlags(s, x << amount);
      return next;
    };
  }
  if (type === SHIFT.lsr && amount < 32) {
    return () => {
      const x = r[rm]!;
      s.c = (x >>> (amount - 1)) & 1;
      r[rd] = nzFlags(s, (x >>> amount) | 0);
      return next;
    };
  }
  return () => {
    r[rd] = nzFlags(s, shiftCarry(s, type, amount, r[rm]!));
    return next;
  };
}

function addSubtract3(ctx: DecodeContext, hw: number, next: number, inIt: boolean): Op {
  const { s } = ctx;
  const { r } = s;
  const rd = hw & 7;
  const rn = (hw >>> 3) & 7;
  const rm = (hw >>> 6) & 7;
  const subtract = (hw & 0x0200) !== 0;
  if (hw & 0x0400) return addSubtractImmediate(ctx, { rd, rn, imm: rm, subtract, next, inIt });
  if (inIt) {
    return subtract
      ? () => {
          r[rd] = r[rn]! - r[rm]!;
          return next;
        }
      : () => {
          r[rd] = r[rn]! + r[rm]!;
          return next;
        };
  }
  return subtract
    ? () => {
        r[rd] = subFlags(s, r[rn]!, r[rm]!);
        return next;
      }
    : () => {
        r[rd] = addFlags(s, r[rn]!, r[rm]!);
        return next;
      };
}

interface AddImmediate {
  readonly rd: number;
  readonly rn: number;
  readonly imm: number;
  readonly subtract: boolean;
  readonly next: number;
  readonly inIt: boolean;
}

function addSubtractImmediate(ctx: DecodeContext, { rd, rn, imm, subtract, next, inIt }: AddImmediate): Op {
  const { s } = ctx;
  const { r } = s;
  if (inIt) {
    const delta = subtract ? -imm : imm;
    return () => {
      r[rd] = r[rn]! + delta;
      return next;
    };
  }
  return subtract
    ? () => {
        r[rd] = subFlags(s, r[rn]!, imm);
        return next;
      }
    : () => {
        r[rd] = addFlags(s, r[rn]!, imm);
        return next;
      };
}

export function moveCompareAddSubtract(ctx: DecodeContext, hw: number, next: number, inIt: boolean): Op {
  const { s } = ctx;
  const { r } = s;
  const rd = (hw >>> 8) & 7;
  const imm = hw & 0xff;
  switch ((hw >>> 11) & 3) {
    case 0:
      if (inIt) {
        return () => {
          r[rd] = imm;
          return next;
        };
      }
      return () => {
        r[rd] = nzFlags(s, imm);
        return next;
      };
    case 1:
      return () => {
        subFlags(s, r[rd]!, imm);
        return next;
      };
    case 2:
      return addSubtractImmediate(ctx, { rd, rn: rd, imm, subtract: false, next, inIt });
    default:
      return addSubtractImmediate(ctx, { rd, rn: rd, imm, subtract: true, next, inIt });
  }
}

export function dataProcessing(ctx: DecodeContext, hw: number, next: number, inIt: boolean): Op {
  const { s } = ctx;
  const { r } = s;
  const rd = hw & 7;
  const rm = (hw >>> 3) & 7;
  const compute = DATA_PROCESSING[(hw >>> 6) & 15]!;
  const compares = COMPARES.has((hw >>> 6) & 15);
  if (compares) {
    return () => {
      compute(ctx, r[rd]!, r[rm]!);
      return next;
    };
  }
  if (!inIt) {
    const fast = fastDataProcessing(ctx, (hw >>> 6) & 15, rd, rm, next);
    if (fast !== undefined) return fast;
    return () => {
      r[rd] = compute(ctx, r[rd]!, r[rm]!);
      return next;
    };
  }
  return () => {
    const { n, z, c, v } = s;
    r[rd] = compute(ctx, r[rd]!, r[rm]!);
    s.n = n;
    s.z = z;
    s.c = c;
    s.v = v;
    return next;
  };
}

function fastDataProcessing(ctx: DecodeContext, op: number, rd: number, rm: number, next: number): Op | undefined {
  const { s } = ctx;
  const { r } = s;
  switch (op) {
    case 0:
      return () => {
        r[rd] = nzFlags(s, r[rd]! & r[rm]!);
        return next;
      };
    case 1:
      return () => {
        r[rd] = nzFlags(s, r[rd]! ^ r[rm]!);
        return next;
      };
    case 12:
      return () => {
        r[rd] = nzFlags(s, r[rd]! | r[rm]!);
        return next;
      };
    case 13:
      return () => {
        r[rd] = nzFlags(s, Math.imul(r[rd]!, r[rm]!));
        return next;
      };
    default:
      return undefined;
  }
}

const COMPARES = new Set([8, 10, 11]);

/** Opcode → result of (Rdn, Rm), always setting flags. */
const DATA_PROCESSING: readonly ((ctx: DecodeContext, a: number, b: number) => number)[] = [
  ({ s }, a, b) => nzFlags(s, a & b),
  ({ s }, a, b) => nzFlags(s, a ^ b),
  ({ s }, a, b) => nzFlags(s, shiftCarry(s, SHIFT.lsl, b & 0xff, a)),
  ({ s }, a, b) => nzFlags(s, shiftCarry(s, SHIFT.lsr, b & 0xff, a)),
  ({ s }, a, b) => nzFlags(s, shiftCarry(s, SHIFT.asr, b & 0xff, a)),
  ({ s }, a, b) => adcFlags(s, a, b),
  ({ s }, a, b) => adcFlags(s, a, ~b),
  ({ s }, a, b) => nzFlags(s, shiftCarry(s, SHIFT.ror, b & 0xff, a)),
  ({ s }, a, b) => nzFlags(s, a & b),
  ({ s }, _a, b) => subFlags(s, 0, b),
  ({ s }, a, b) => subFlags(s, a, b),
  ({ s }, a, b) => addFlags(s, a, b),
  ({ s }, a, b) => nzFlags(s, a | b),
  ({ s }, a, b) => nzFlags(s, Math.imul(a, b)),
  ({ s }, a, b) => nzFlags(s, a & ~b),
  ({ s }, _a, b) => nzFlags(s, ~b),
];

export function extend(ctx: DecodeContext, hw: number, next: number): Op {
  const { r } = ctx.s;
  const rd = hw & 7;
  const rm = (hw >>> 3) & 7;
  switch ((hw >>> 6) & 3) {
    case 0:
      return () => {
        r[rd] = (r[rm]! << 16) >> 16;
        return next;
      };
    case 1:
      return () => {
        r[rd] = (r[rm]! << 24) >> 24;
        return next;
      };
    case 2:
      return () => {
        r[rd] = r[rm]! & 0xffff;
        return next;
      };
    default:
      return () => {
        r[rd] = r[rm]! & 0xff;
        return next;
      };
  }
}

export function reverse(ctx: DecodeContext, hw: number, next: number): Op {
  const { r } = ctx.s;
  const rd = hw & 7;
  const rm = (hw >>> 3) & 7;
  switch ((hw >>> 6) & 3) {
    case 0:
      return () => {
        r[rd] = reverseBytes(r[rm]!);
        return next;
      };
    case 1:
      return () => {
        r[rd] = reverseBytes16(r[rm]!);
        return next;
      };
    case 3:
      return () => {
        r[rd] = (reverseBytes(r[rm]!) << 0) >> 16;
        return next;
      };
    default:
      return undefinedInstruction();
  }
}
