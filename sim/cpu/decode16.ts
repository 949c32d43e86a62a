// 16-bit Thumb instructions, ARMv7-M A5.2: finds the group; builds high-register moves, loads, stores, branches and
// hints. Each decoder returns a closure with all operands resolved. Arithmetic on low registers is in decode16-data.ts.
import { subFlags } from './alu.ts';
import { EXTRA } from './cycles.ts';
import {
  branchExchange,
  branchIf,
  branchPlain,
  type DecodeContext,
  jump,
  keepSpAligned,
  undefinedInstruction,
} from './decode-context.ts';
import {
  loadImmediate,
  loadMultiple,
  loadRegister,
  storeImmediate,
  storeMultiple,
  storeRegister,
} from './memory-ops.ts';
import type { Op } from './state.ts';
import { shiftAddSubtract, moveCompareAddSubtract, dataProcessing, extend, reverse } from './decode16-data.ts';

/** Decodes the 16-bit instruction `hw` at `pc`; inside an IT block flag-setting data processing leaves the flags. */
export function decode16(ctx: DecodeContext, hw: number, pc: number, inIt: boolean): Op {
  const next = (pc + 2) | 0;
  const top = hw >>> 12;
  switch (top) {
    case 0:
    case 1:
      return shiftAddSubtract(ctx, hw, next, inIt);
    case 2:
    case 3:
      return moveCompareAddSubtract(ctx, hw, next, inIt);
    case 4:
      if (hw & 0x0800) return loadLiteral(ctx, (hw >>> 8) & 7, ((pc + 4) & ~3) + (hw & 0xff) * 4, pc, next);
      return hw & 0x0400 ? specialData(ctx, hw, pc, next) : dataProcessing(ctx, hw, next, inIt);
    case 5:
      return loadStoreRegister(ctx, hw, pc, next);
    case 6:
    case 7:
    case 8:
    case 9:
      return loadStoreImmediate(ctx, hw, pc, next);
    case 10:
      return addToPcOrSp(ctx, hw, pc, next);
    case 11:
      return miscellaneous(ctx, hw, pc, next);
    case 12: {
      const rn = (hw >>> 8) & 7;
      const list = hw & 0xff;
      if (hw & 0x0800) return loadMultiple(ctx, { rn, list, decrement: false, wback: ((list >>> rn) & 1) === 0, next });
      return storeMultiple(ctx, { rn, list, decrement: false, wback: true, next });
    }
    case 13:
      return conditionalBranch(ctx, hw, pc, next);
    default: {
      const target = (pc + 4 + ((hw << 21) >> 20)) | 0;
      return jump(ctx, pc, target);
    }
  }
}

/** High-register ADD, CMP, MOV and BX/BLX. */
function specialData(ctx: DecodeContext, hw: number, pc: number, next: number): Op {
  const { s, time } = ctx;
  const { r } = s;
  const rd = (hw & 7) | ((hw >>> 4) & 8);
  const rm = (hw >>> 3) & 15;
  const pcValue = (pc + 4) | 0;
  switch ((hw >>> 8) & 3) {
    case 0:
      if (rd === 15) return () => branchPlain(s, time, pcValue + (rm === 15 ? pcValue : r[rm]!));
      if (rm === 15) return keepSpAligned(ctx, rd, addConstant(r, rd, pcValue, next));
      return keepSpAligned(ctx, rd, () => {
        r[rd] = r[rd]! + r[rm]!;
        return next;
      });
    case 1:
      return () => {
        subFlags(s, r[rd]!, r[rm]!);
        return next;
      };
    case 2:
      if (rd === 15) return () => branchPlain(s, time, rm === 15 ? pcValue : r[rm]!);
      if (rm === 15) {
        return keepSpAligned(ctx, rd, () => {
          r[rd] = pcValue;
          return next;
        });
      }
      return keepSpAligned(ctx, rd, () => {
        r[rd] = r[rm]!;
        return next;
      });
    default:
      if (rm === 15) return undefinedInstruction();
      if ((hw & 0x80) === 0) return () => branchExchange(s, time, r[rm]!);
      return () => {
        const target = r[rm]!;
        r[14] = next | 1;
        time.cycles += EXTRA.indirectBranch;
        s.afterMemory = -1;
        s.thumb = target & 1;
        if (s.thumb === 0) s.attention = true;
        return target & ~1;
      };
  }
}

function addConstant(r: Int32Array, rd: number, constant: number, next: number): Op {
  return () => {
    r[rd] = r[rd]! + constant;
    return next;
  };
}

/** LDR Rt, [PC, #imm]. */
function loadLiteral(ctx: DecodeContext, rt: number, address: number, pc: number, next: number): Op {
  const { s, port, time } = ctx;
  const { r } = s;
  const from = address | 0;
  return () => {
    r[rt] = port.load32(from);
    if (s.afterMemory !== pc) time.cycles += EXTRA.firstLoad;
    s.afterMemory = next;
    return next;
  };
}

function loadStoreRegister(ctx: DecodeContext, hw: number, pc: number, next: number): Op {
  const place = { rt: hw & 7, rn: (hw >>> 3) & 7, rm: (hw >>> 6) & 7, shift: 0, pc, next };
  switch ((hw >>> 9) & 7) {
    case 0:
      return storeRegister(ctx, 4, place);
    case 1:
      return storeRegister(ctx, 2, place);
    case 2:
      return storeRegister(ctx, 1, place);
    case 3:
      return loadRegister(ctx, 1, true, place);
    case 4:
      return loadRegister(ctx, 4, false, place);
    case 5:
      return loadRegister(ctx, 2, false, place);
    case 6:
      return loadRegister(ctx, 1, false, place);
    default:
      return loadRegister(ctx, 2, true, place);
  }
}

function loadStoreImmediate(ctx: DecodeContext, hw: number, pc: number, next: number): Op {
  const imm5 = (hw >>> 6) & 31;
  const low = { rt: hw & 7, rn: (hw >>> 3) & 7, pc, next };
  const stack = { rt: (hw >>> 8) & 7, rn: 13, offset: (hw & 0xff) * 4, pc, next };
  const load = (hw & 0x0800) !== 0;
  switch (hw >>> 12) {
    case 6: {
      const place = { ...low, offset: imm5 * 4 };
      return load ? loadImmediate(ctx, 4, false, place) : storeImmediate(ctx, 4, place);
    }
    case 7: {
      const place = { ...low, offset: imm5 };
      return load ? loadImmediate(ctx, 1, false, place) : storeImmediate(ctx, 1, place);
    }
    case 8: {
      const place = { ...low, offset: imm5 * 2 };
      return load ? loadImmediate(ctx, 2, false, place) : storeImmediate(ctx, 2, place);
    }
    default:
      return load ? loadImmediate(ctx, 4, false, stack) : storeImmediate(ctx, 4, stack);
  }
}

function addToPcOrSp(ctx: DecodeContext, hw: number, pc: number, next: number): Op {
  const { r } = ctx.s;
  const rd = (hw >>> 8) & 7;
  const imm = (hw & 0xff) * 4;
  if (hw & 0x0800) {
    return () => {
      r[rd] = r[13]! + imm;
      return next;
    };
  }
  const value = (((pc + 4) & ~3) + imm) | 0;
  return () => {
    r[rd] = value;
    return next;
  };
}

function miscellaneous(ctx: DecodeContext, hw: number, pc: number, next: number): Op {
  const { s, system } = ctx;
  const { r } = s;
  const field = (hw >>> 8) & 15;
  switch (field) {
    case 0: {
      const delta = (hw & 0x7f) * (hw & 0x80 ? -4 : 4);
      return () => {
        r[13] = r[13]! + delta;
        return next;
      };
    }
    case 1:
    case 3:
    case 9:
    case 11:
      return compareAndBranch(ctx, hw, pc, next);
    case 2:
      return extend(ctx, hw, next);
    case 4:
    case 5:
      return storeMultiple(ctx, {
        rn: 13,
        list: (hw & 0xff) | ((hw & 0x100) << 6),
        decrement: true,
        wback: true,
        next,
      });
    case 6:
      if ((hw & 0xffe8) !== 0xb660) return undefinedInstruction();
      return () => {
        system.changeState((hw & 0x10) !== 0, (hw & 2) !== 0, (hw & 1) !== 0);
        return next;
      };
    case 10:
      return reverse(ctx, hw, next);
    case 12:
    case 13:
      return loadMultiple(ctx, {
        rn: 13,
        list: (hw & 0xff) | ((hw & 0x100) << 7),
        decrement: false,
        wback: true,
        next,
      });
    case 14:
      return () => {
        system.breakpoint(pc);
        return pc;
      };
    case 15:
      return hw & 15 ? ifThen(ctx, hw & 0xff, next) : hint(ctx, (hw >>> 4) & 15, next);
    default:
      return undefinedInstruction();
  }
}

function compareAndBranch(ctx: DecodeContext, hw: number, pc: number, next: number): Op {
  const { r } = ctx.s;
  const rn = hw & 7;
  const target = (pc + 4 + (((hw >>> 3) & 31) << 1) + ((hw & 0x200) >>> 3)) | 0;
  const taken = jump(ctx, pc, target);
  if (hw & 0x0800) return () => (r[rn] !== 0 ? taken() : next);
  return () => (r[rn] === 0 ? taken() : next);
}

function ifThen(ctx: DecodeContext, state: number, next: number): Op {
  const { s } = ctx;
  return () => {
    s.it = state;
    return next;
  };
}

/** NOP, YIELD, WFE, WFI, SEV; unallocated hints do nothing. */
export function hint(ctx: DecodeContext, number: number, next: number): Op {
  const { system } = ctx;
  const effects: Record<number, () => void> = {
    2: () => system.waitForEvent(),
    3: () => system.waitForInterrupt(),
    4: () => system.sendEvent(),
  };
  const effect = effects[number];
  if (effect === undefined) return () => next;
  return () => {
    effect();
    return next;
  };
}

function conditionalBranch(ctx: DecodeContext, hw: number, pc: number, next: number): Op {
  const cond = (hw >>> 8) & 15;
  if (cond === 14) return undefinedInstruction();
  if (cond === 15) {
    return () => {
      ctx.system.supervisorCall();
      return next;
    };
  }
  return branchIf(ctx, cond, jump(ctx, pc, (pc + 4 + ((hw << 24) >> 23)) | 0), next);
}
