// 32-bit Thumb-2 instructions, ARMv7-M A5.3: finds the group; builds plain immediates, branches, coprocessor and system
// instructions. Other data processing, memory and DSP have their own files.
import { EXTRA } from './cycles.ts';
import { decodeDspRegister, decodeLongMultiply, decodeMultiply, decodeSaturate } from './decode-dsp.ts';
import { branchIf, type DecodeContext, jump, keepSpAligned, undefinedInstruction } from './decode-context.ts';
import { decodeDualExclusiveTable, decodeLoad, decodeMultiple, decodeStore } from './decode-memory.ts';
import { hint } from './decode16.ts';
import { CpuFault } from './faults.ts';
import { CFSR, EXC, type Op } from './state.ts';
import { modifiedImmediate, shiftedRegister } from './decode32-data.ts';

/** Decodes the 32-bit instruction whose half-words are `hw1`, `hw2` at `pc`. */
export function decode32(ctx: DecodeContext, hw1: number, hw2: number, pc: number): Op {
  const next = (pc + 4) | 0;
  const op1 = (hw1 >>> 11) & 3;
  const op2 = (hw1 >>> 4) & 0x7f;
  if (op1 === 1) {
    if (op2 & 0x40) return coprocessor(ctx, hw1, hw2, pc);
    if (op2 & 0x20) return shiftedRegister(ctx, hw1, hw2, next);
    return op2 & 4 ? decodeDualExclusiveTable(ctx, hw1, hw2, pc) : decodeMultiple(ctx, hw1, hw2, next);
  }
  if (op1 === 2) {
    if (hw2 & 0x8000) return branchesAndMisc(ctx, hw1, hw2, pc);
    return op2 & 0x20 ? plainImmediate(ctx, hw1, hw2, pc) : modifiedImmediate(ctx, hw1, hw2, next);
  }
  if (op2 & 0x40) return coprocessor(ctx, hw1, hw2, pc);
  if ((op2 & 0x71) === 0) return decodeStore(ctx, hw1, hw2, pc);
  if ((op2 & 0x71) === 0x10) return undefinedInstruction();
  if ((op2 & 0x60) === 0) return decodeLoad(ctx, hw1, hw2, pc);
  if ((op2 & 0x70) === 0x20) return decodeDspRegister(ctx, hw1, hw2, next) ?? undefinedInstruction();
  if ((op2 & 0x78) === 0x30) return decodeMultiply(ctx, hw1, hw2, next) ?? undefinedInstruction();
  return decodeLongMultiply(ctx, hw1, hw2, next) ?? undefinedInstruction();
}

/** CP10/CP11 belong to the FPU; every other coprocessor, and an FPU that CPACR keeps off, is a NOCP fault. What other
 * profiles use for Advanced SIMD (bits 9:8 ones) is undefined. */
function coprocessor(ctx: DecodeContext, hw1: number, hw2: number, pc: number): Op {
  if ((hw1 & 0x300) === 0x300) return undefinedInstruction();
  const number = (hw2 >>> 8) & 15;
  const isFpu = (number & 14) === 10;
  const op = isFpu ? ctx.fpu.decode(ctx, hw1, hw2, pc) : undefined;
  if (op !== undefined) return op;
  return () => {
    throw new CpuFault(EXC.usageFault, isFpu && ctx.fpuEnabled() ? CFSR.undefinstr : CFSR.nocp);
  };
}

function plainImmediate(ctx: DecodeContext, hw1: number, hw2: number, pc: number): Op {
  const { r } = ctx.s;
  const next = (pc + 4) | 0;
  const rd = (hw2 >>> 8) & 15;
  const rn = hw1 & 15;
  const imm12 = ((hw1 & 0x400) << 1) | ((hw2 & 0x7000) >>> 4) | (hw2 & 0xff);
  const imm16 = ((hw1 & 15) << 12) | imm12;
  switch ((hw1 >>> 4) & 31) {
    case 0:
    case 10: {
      const offset = hw1 & 0x80 ? -imm12 : imm12;
      const address = (((pc + 4) & ~3) + offset) | 0;
      if (rn === 15) return keepSpAligned(ctx, rd, setRegister(r, rd, address, next));
      return keepSpAligned(ctx, rd, () => {
        r[rd] = r[rn]! + offset;
        return next;
      });
    }
    case 4:
      return setRegister(r, rd, imm16, next);
    case 12: {
      const top = imm16 << 16;
      return () => {
        r[rd] = (r[rd]! & 0xffff) | top;
        return next;
      };
    }
    case 16:
    case 18:
    case 24:
    case 26:
      return decodeSaturate(ctx, hw1, hw2, next);
    case 20:
    case 22:
    case 28:
      return bitField(ctx, hw1, hw2, next);
    default:
      return undefinedInstruction();
  }
}

function setRegister(r: Int32Array, rd: number, value: number, next: number): Op {
  return () => {
    r[rd] = value;
    return next;
  };
}

/** SBFX, UBFX, BFI, BFC. */
function bitField(ctx: DecodeContext, hw1: number, hw2: number, next: number): Op {
  const { r } = ctx.s;
  const rd = (hw2 >>> 8) & 15;
  const rn = hw1 & 15;
  const lsb = ((hw2 >>> 10) & 0x1c) | ((hw2 >>> 6) & 3);
  const field = hw2 & 31;
  const kind = (hw1 >>> 4) & 31;
  if (kind === 22) {
    if (field < lsb) return undefinedInstruction();
    const mask = (0xffffffff >>> (31 - (field - lsb))) << lsb;
    if (rn === 15) {
      return () => {
        r[rd]! &= ~mask;
        return next;
      };
    }
    return () => {
      r[rd] = (r[rd]! & ~mask) | ((r[rn]! << lsb) & mask);
      return next;
    };
  }
  if (lsb + field > 31) return undefinedInstruction();
  const up = 31 - lsb - field;
  const down = 31 - field;
  if (kind === 20) {
    return () => {
      r[rd] = (r[rn]! << up) >> down;
      return next;
    };
  }
  return () => {
    r[rd] = (r[rn]! << up) >>> down;
    return next;
  };
}

function branchesAndMisc(ctx: DecodeContext, hw1: number, hw2: number, pc: number): Op {
  const { s, time } = ctx;
  const { r } = s;
  const next = (pc + 4) | 0;
  const target = longTarget(hw1, hw2, pc);
  switch (hw2 & 0x5000) {
    case 0x5000:
      ctx.branchTarget(target);
      return () => {
        r[14] = next | 1;
        time.cycles += EXTRA.takenBranch;
        s.afterMemory = -1;
        return target;
      };
    case 0x1000:
      return jump(ctx, pc, target);
    case 0x4000:
      return undefinedInstruction();
    default:
      if (((hw1 >>> 7) & 7) === 7) return system(ctx, hw1, hw2, next);
      return branchIf(ctx, (hw1 >>> 6) & 15, jump(ctx, pc, conditionalTarget(hw1, hw2, pc)), next);
  }
}

function longTarget(hw1: number, hw2: number, pc: number): number {
  const sign = (hw1 >>> 10) & 1;
  const i1 = ((hw2 >>> 13) & 1) === sign ? 1 : 0;
  const i2 = ((hw2 >>> 11) & 1) === sign ? 1 : 0;
  const high = (-sign << 24) | (i1 << 23) | (i2 << 22);
  return (pc + 4 + (high | ((hw1 & 0x3ff) << 12) | ((hw2 & 0x7ff) << 1))) | 0;
}

function conditionalTarget(hw1: number, hw2: number, pc: number): number {
  const sign = (hw1 >>> 10) & 1;
  const high = (-sign << 20) | (((hw2 >>> 11) & 1) << 19) | (((hw2 >>> 13) & 1) << 18);
  return (pc + 4 + (high | ((hw1 & 0x3f) << 12) | ((hw2 & 0x7ff) << 1))) | 0;
}

/** MSR, MRS, hints, barriers, CLREX, UDF.W. */
function system(ctx: DecodeContext, hw1: number, hw2: number, next: number): Op {
  const { s, system: actions, time } = ctx;
  const { r } = s;
  const op = (hw1 >>> 4) & 0x7f;
  const rd = (hw2 >>> 8) & 15;
  const sysm = hw2 & 0xff;
  if (op === 0x38 || op === 0x39) {
    const rn = hw1 & 15;
    return () => {
      actions.writeSpecial(sysm, (hw2 >>> 10) & 3, r[rn]!);
      return next;
    };
  }
  if (op === 0x3e || op === 0x3f) {
    return () => {
      r[rd] = actions.readSpecial(sysm);
      return next;
    };
  }
  if (op === 0x3a && (hw2 & 0x700) === 0) return hint(ctx, hw2 & 0xff, next);
  if (op === 0x3b && ((hw2 >>> 4) & 15) === 2) {
    return () => {
      s.exclusive = 0;
      return next;
    };
  }
  if (op === 0x3b && [4, 5, 6].includes((hw2 >>> 4) & 15)) {
    return () => {
      time.cycles += EXTRA.barrier;
      return next;
    };
  }
  return undefinedInstruction();
}
