// What decoders need of the core to build instructions, and the few closures all of them share.
import type { BoardTime } from '../board-time.ts';
import { EXTRA } from './cycles.ts';
import type { DataPort } from './data-port.ts';
import { CpuFault } from './faults.ts';
import type { FloatingPoint } from './fpu-port.ts';
import { CFSR, type CpuState, EXC, type Op } from './state.ts';

/** Effects beyond registers and memory. */
export interface SystemActions {
  supervisorCall(): void;
  /** BKPT at `pc`; the instruction does not complete. */
  breakpoint(pc: number): void;
  waitForInterrupt(): void;
  waitForEvent(): void;
  sendEvent(): void;
  readSpecial(sysm: number): number;
  writeSpecial(sysm: number, mask: number, value: number): void;
  /** CPSIE/CPSID: `faultmask` and `primask` say which to set to `disable`. */
  changeState(disable: boolean, primask: boolean, faultmask: boolean): void;
}

export interface DecodeContext {
  readonly s: CpuState;
  readonly port: DataPort;
  readonly time: BoardTime;
  readonly system: SystemActions;
  readonly fpu: FloatingPoint;
  /** Coprocessor access: CPACR allows CP10/CP11. */
  fpuEnabled(): boolean;
  /** CCR.DIV_0_TRP. */
  trapDivideByZero(): boolean;
  /** Straight code begins at `target`: a direct branch leads there. */
  branchTarget(target: number): void;
  /** Wraps the taken side of a direct backward branch so that idle loops are noticed. */
  backwardBranch(from: number, target: number): Op;
  /** For LDM: values before they are committed. */
  readonly scratch: Int32Array;
}

export function undefinedInstruction(): Op {
  return () => {
    throw new CpuFault(EXC.usageFault, CFSR.undefinstr);
  };
}

/** The taken side of a direct branch. */
export function jump(ctx: DecodeContext, from: number, target: number): Op {
  const { s, time } = ctx;
  ctx.branchTarget(target);
  if (target <= from) return ctx.backwardBranch(from, target);
  return () => {
    time.cycles += EXTRA.takenBranch;
    s.afterMemory = -1;
    return target;
  };
}

/** BXWritePC/LoadWritePC: interworking branch; EXC_RETURN in handler mode starts an exception return. */
export function branchExchange(s: CpuState, time: BoardTime, value: number): number {
  time.cycles += EXTRA.indirectBranch;
  s.afterMemory = -1;
  if (value >>> 28 === 15 && s.ipsr !== 0) {
    s.excReturn = value;
    s.attention = true;
  } else if ((value & 1) === 0) {
    s.thumb = 0;
    s.attention = true;
  }
  return value & ~1;
}

/** BranchWritePC: bit 0 is ignored. */
export function branchPlain(s: CpuState, time: BoardTime, value: number): number {
  time.cycles += EXTRA.indirectBranch;
  s.afterMemory = -1;
  return value & ~1;
}

/** SP keeps bits 1:0 at zero whatever is written to it. */
export function keepSpAligned(ctx: DecodeContext, rd: number, op: Op): Op {
  if (rd !== 13) return op;
  const { r } = ctx.s;
  return () => {
    const next = op();
    r[13]! &= ~3;
    return next;
  };
}

/** The 14 conditional branches, each with its own test inline. */
export function branchIf(ctx: DecodeContext, cond: number, taken: Op, next: number): Op {
  const { s } = ctx;
  switch (cond) {
    case 0:
      return () => (s.z === 0 ? taken() : next);
    case 1:
      return () => (s.z !== 0 ? taken() : next);
    case 2:
      return () => (s.c !== 0 ? taken() : next);
    case 3:
      return () => (s.c === 0 ? taken() : next);
    case 4:
      return () => (s.n < 0 ? taken() : next);
    case 5:
      return () => (s.n >= 0 ? taken() : next);
    case 6:
      return () => (s.v < 0 ? taken() : next);
    case 7:
      return () => (s.v >= 0 ? taken() : next);
    case 8:
      return () => (s.c !== 0 && s.z !== 0 ? taken() : next);
    case 9:
      return () => (s.c === 0 || s.z === 0 ? taken() : next);
    case 10:
      return () => ((s.n ^ s.v) >= 0 ? taken() : next);
    case 11:
      return () => ((s.n ^ s.v) < 0 ? taken() : next);
    case 12:
      return () => (s.z !== 0 && (s.n ^ s.v) >= 0 ? taken() : next);
    default:
      return () => (s.z === 0 || (s.n ^ s.v) < 0 ? taken() : next);
  }
}
