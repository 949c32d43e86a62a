// 32-bit Thumb-2 data processing with a modified immediate or a shifted register, ARMv7-M A5.3.1 and A5.3.11. The forms
// that compiled code is full of have closures of their own; the others compute through a function by opcode.
import {
  adcFlags,
  addFlags,
  decodeShift,
  expandImmediate,
  nzFlags,
  SHIFT,
  shift,
  shiftCarry,
  subFlags,
} from './alu.ts';
import { type DecodeContext, keepSpAligned, undefinedInstruction } from './decode-context.ts';
import type { Binary, Op } from './state.ts';

/** Flag-free results by opcode field; carry users read ctx.s.c. */
function plainCompute(ctx: DecodeContext, op: number): Binary | undefined {
  const { s } = ctx;
  switch (op) {
    case 0:
      return (a, b) => a & b;
    case 1:
      return (a, b) => a & ~b;
    case 2:
      return (a, b) => a | b;
    case 3:
      return (a, b) => a | ~b;
    case 4:
      return (a, b) => a ^ b;
    case 8:
      return (a, b) => (a + b) | 0;
    case 10:
      return (a, b) => (a + b + s.c) | 0;
    case 11:
      return (a, b) => (a - b - 1 + s.c) | 0;
    case 13:
      return (a, b) => (a - b) | 0;
    case 14:
      return (a, b) => (b - a) | 0;
    default:
      return undefined;
  }
}

/** Results with N, Z (and for arithmetic C, V) set. Logical C comes from the shifter before. */
function flagCompute(ctx: DecodeContext, op: number): Binary | undefined {
  const { s } = ctx;
  switch (op) {
    case 0:
      return (a, b) => nzFlags(s, a & b);
    case 1:
      return (a, b) => nzFlags(s, a & ~b);
    case 2:
      return (a, b) => nzFlags(s, a | b);
    case 3:
      return (a, b) => nzFlags(s, a | ~b);
    case 4:
      return (a, b) => nzFlags(s, a ^ b);
    case 8:
      return (a, b) => addFlags(s, a, b);
    case 10:
      return (a, b) => adcFlags(s, a, b);
    case 11:
      return (a, b) => adcFlags(s, a, ~b);
    case 13:
      return (a, b) => subFlags(s, a, b);
    case 14:
      return (a, b) => subFlags(s, b, a);
    default:
      return undefined;
  }
}

const MOVE_LIKE = new Set([2, 3]);

const LOGICAL = new Set([0, 1, 2, 3, 4]);

export function modifiedImmediate(ctx: DecodeContext, hw1: number, hw2: number, next: number): Op {
  const { s } = ctx;
  const { r } = s;
  const op = (hw1 >>> 5) & 15;
  const setFlags = (hw1 & 0x10) !== 0;
  const rd = (hw2 >>> 8) & 15;
  const rn = hw1 & 15;
  const { value, carry } = expandImmediate(((hw1 & 0x400) << 1) | ((hw2 & 0x7000) >>> 4) | (hw2 & 0xff));
  const compute = setFlags ? flagCompute(ctx, op) : plainCompute(ctx, op);
  if (compute === undefined) return undefinedInstruction();
  const sourceless = rn === 15 && MOVE_LIKE.has(op);
  const newCarry = setFlags && LOGICAL.has(op) ? carry : undefined;
  if (rd === 15) {
    if (!setFlags) return undefinedInstruction();
    return () => {
      if (newCarry !== undefined) s.c = newCarry;
      compute(r[rn]!, value);
      return next;
    };
  }
  if (!setFlags) {
    const fast = fastImmediate(ctx, { op, rd, rn, value, sourceless, next });
    if (fast !== undefined) return keepSpAligned(ctx, rd, fast);
  }
  return keepSpAligned(ctx, rd, () => {
    if (newCarry !== undefined) s.c = newCarry;
    r[rd] = compute(sourceless ? 0 : r[rn]!, value);
    return next;
  });
}

interface FastOperands {
  readonly op: number;
  readonly rd: number;
  readonly rn: number;
  readonly value: number;
  readonly sourceless: boolean;
  readonly next: number;
}

function fastImmediate(ctx: DecodeContext, { op, rd, rn, value, sourceless, next }: FastOperands): Op | undefined {
  const { r } = ctx.s;
  if (sourceless) {
    const constant = op === 2 ? value : ~value;
    return () => {
      r[rd] = constant;
      return next;
    };
  }
  switch (op) {
    case 0:
      return () => {
        r[rd] = r[rn]! & value;
        return next;
      };
    case 2:
      return () => {
        r[rd] = r[rn]! | value;
        return next;
      };
    case 8:
      return () => {
        r[rd] = r[rn]! + value;
        return next;
      };
    case 13:
      return () => {
        r[rd] = r[rn]! - value;
        return next;
      };
    default:
      return undefined;
  }
}

export function shiftedRegister(ctx: DecodeContext, hw1: number, hw2: number, next: number): Op {
  const { s } = ctx;
  const { r } = s;
  const op = (hw1 >>> 5) & 15;
  const setFlags = (hw1 & 0x10) !== 0;
  const rn = hw1 & 15;
  const rd = (hw2 >>> 8) & 15;
  const rm = hw2 & 15;
  const imm5 = ((hw2 >>> 10) & 0x1c) | ((hw2 >>> 6) & 3);
  const { type, amount } = decodeShift((hw2 >>> 4) & 3, imm5);
  if (op === 6) return setFlags ? undefinedInstruction() : packHalfwords(ctx, { rd, rn, rm, type, amount, next });
  const compute = setFlags ? flagCompute(ctx, op) : plainCompute(ctx, op);
  if (compute === undefined) return undefinedInstruction();
  const sourceless = rn === 15 && MOVE_LIKE.has(op);
  const logical = LOGICAL.has(op);
  if (rd === 15) {
    if (!setFlags) return undefinedInstruction();
    return () => {
      const operand = logical ? shiftCarry(s, type, amount, r[rm]!) : shift(s, type, amount, r[rm]!);
      compute(r[rn]!, operand);
      return next;
    };
  }
  if (setFlags) {
    return keepSpAligned(ctx, rd, () => {
      const operand = logical ? shiftCarry(s, type, amount, r[rm]!) : shift(s, type, amount, r[rm]!);
      r[rd] = compute(sourceless ? 0 : r[rn]!, operand);
      return next;
    });
  }
  const fast = fastShifted(ctx, { op, rd, rn, rm, type, amount, sourceless, next });
  if (fast !== undefined) return keepSpAligned(ctx, rd, fast);
  return keepSpAligned(ctx, rd, () => {
    r[rd] = compute(sourceless ? 0 : r[rn]!, shift(s, type, amount, r[rm]!));
    return next;
  });
}

interface ShiftedOperands {
  readonly op: number;
  readonly rd: number;
  readonly rn: number;
  readonly rm: number;
  readonly type: number;
  readonly amount: number;
  readonly sourceless: boolean;
  readonly next: number;
}

/** The combinations compiled code is full of: plain registers, and EOR/ADD/ORR with LSL, LSR or ROR. */
function fastShifted(ctx: DecodeContext, place: ShiftedOperands): Op | undefined {
  const { r } = ctx.s;
  const { op, rd, rn, rm, type, amount, sourceless, next } = place;
  if (type === SHIFT.lsl && amount === 0) return fastPlain(ctx, place);
  if (amount === 32 || type > SHIFT.ror || type === SHIFT.asr) return undefined;
  if (sourceless && op === 2) {
    if (type === SHIFT.lsl) {
      return () => {
        r[rd] = r[rm]! << amount;
        return next;
      };
    }
    if (type === SHIFT.lsr) {
      return () => {
        r[rd] = r[rm]! >>> amount;
        return next;
      };
    }
    return () => {
      const x = r[rm]!;
      r[rd] = (x >>> amount) | (x << (32 - amount));
      return next;
    };
  }
  if (sourceless) return undefined;
  return fastCombined(r, place, rn);
}

function fastPlain(ctx: DecodeContext, { op, rd, rn, rm, sourceless, next }: ShiftedOperands): Op | undefined {
  const { r } = ctx.s;
  if (sourceless) {
    return op === 2
      ? () => {
          r[rd] = r[rm]!;
          return next;
        }
      : () => {
          r[rd] = ~r[rm]!;
          return next;
        };
  }
  switch (op) {
    case 0:
      return () => {
        r[rd] = r[rn]! & r[rm]!;
        return next;
      };
    case 2:
      return () => {
        r[rd] = r[rn]! | r[rm]!;
        return next;
      };
    case 4:
      return () => {
        r[rd] = r[rn]! ^ r[rm]!;
        return next;
      };
    case 8:
      return () => {
        r[rd] = r[rn]! + r[rm]!;
        return next;
      };
    case 13:
      return () => {
        r[rd] = r[rn]! - r[rm]!;
        return next;
      };
    default:
      return undefined;
  }
}

function fastCombined(r: Int32Array, { op, rd, rm, type, amount, next }: ShiftedOperands, rn: number): Op | undefined {
  switch (op * 4 + type) {
    case 16:
      return () => {
        r[rd] = r[rn]! ^ (r[rm]! << amount);
        return next;
      };
    case 17:
      return () => {
        r[rd] = r[rn]! ^ (r[rm]! >>> amount);
        return next;
      };
    case 19:
      return () => {
        const x = r[rm]!;
        r[rd] = r[rn]! ^ ((x >>> amount) | (x << (32 - amount)));
        return next;
      };
    case 32:
      return () => {
        r[rd] = r[rn]! + (r[rm]! << amount);
        return next;
      };
    case 33:
      return () => {
        r[rd] = r[rn]! + (r[rm]! >>> amount);
        return next;
      };
    case 8:
      return () => {
        r[rd] = r[rn]! | (r[rm]! << amount);
        return next;
      };
    case 9:
      return () => {
        r[rd] = r[rn]! | (r[rm]! >>> amount);
        return next;
      };
    default:
      return undefined;
  }
}

type PackOperands = Omit<ShiftedOperands, 'op' | 'sourceless'>;

/** PKHBT (LSL) and PKHTB (ASR). */
function packHalfwords(ctx: DecodeContext, { rd, rn, rm, type, amount, next }: PackOperands): Op {
  const { s } = ctx;
  const { r } = s;
  if (type === SHIFT.lsl) {
    return () => {
      r[rd] = (r[rn]! & 0xffff) | ((r[rm]! << amount) & ~0xffff);
      return next;
    };
  }
  if (type !== SHIFT.asr) return undefinedInstruction();
  return () => {
    r[rd] = (r[rn]! & ~0xffff) | (shift(s, SHIFT.asr, amount, r[rm]!) & 0xffff);
    return next;
  };
}
