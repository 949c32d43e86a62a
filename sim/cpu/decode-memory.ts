// 32-bit loads and stores: single, dual, multiple, exclusive, table branch. ARMv7-M A5.3.5-A5.3.10.
import type { Width } from '../bus.ts';
import { branchExchange, type DecodeContext, keepSpAligned, undefinedInstruction } from './decode-context.ts';
import { EXTRA } from './cycles.ts';
import {
  loadDual,
  loader,
  loadExclusive,
  loadImmediate,
  loadIndexed,
  loadMultiple,
  loadRegister,
  storeDual,
  storeExclusive,
  storeImmediate,
  storeIndexed,
  storeMultiple,
  storeRegister,
} from './memory-ops.ts';
import type { Op } from './state.ts';

/** LDM, STM, LDMDB, STMDB. */
export function decodeMultiple(ctx: DecodeContext, hw1: number, hw2: number, next: number): Op {
  const direction = (hw1 >>> 7) & 3;
  if (direction === 0 || direction === 3) return undefinedInstruction();
  const rn = hw1 & 15;
  const load = (hw1 & 0x10) !== 0;
  const place = { rn, list: hw2, decrement: direction === 2, wback: (hw1 & 0x20) !== 0, next };
  return load ? loadMultiple(ctx, place) : storeMultiple(ctx, place);
}

/** LDRD/STRD, LDREX/STREX and their byte and half-word kin, TBB/TBH. */
export function decodeDualExclusiveTable(ctx: DecodeContext, hw1: number, hw2: number, pc: number): Op {
  const pre = (hw1 & 0x100) !== 0;
  const up = (hw1 & 0x80) !== 0;
  const wback = (hw1 & 0x20) !== 0;
  if (!pre && !wback) return up ? exclusiveOrTable(ctx, hw1, hw2, pc) : exclusiveWord(ctx, hw1, hw2, pc);
  const rn = hw1 & 15;
  const offset = (hw2 & 0xff) * (up ? 4 : -4);
  const next = (pc + 4) | 0;
  const place = { rt: hw2 >>> 12, rt2: (hw2 >>> 8) & 15, rn, offset, pre, wback, next };
  if ((hw1 & 0x10) === 0) return rn === 15 ? undefinedInstruction() : storeDual(ctx, place);
  return loadDual(ctx, place, rn === 15 ? (pc + 4) & ~3 : undefined);
}

function exclusiveWord(ctx: DecodeContext, hw1: number, hw2: number, pc: number): Op {
  const place = { rt: hw2 >>> 12, rn: hw1 & 15, offset: (hw2 & 0xff) * 4, pc, next: (pc + 4) | 0 };
  return hw1 & 0x10 ? loadExclusive(ctx, 4, place) : storeExclusive(ctx, 4, (hw2 >>> 8) & 15, place);
}

function exclusiveOrTable(ctx: DecodeContext, hw1: number, hw2: number, pc: number): Op {
  const kind = (hw2 >>> 4) & 15;
  const load = (hw1 & 0x10) !== 0;
  if (load && kind < 2) return tableBranch(ctx, hw1 & 15, hw2 & 15, kind === 1, pc);
  if (kind !== 4 && kind !== 5) return undefinedInstruction();
  const place = { rt: hw2 >>> 12, rn: hw1 & 15, offset: 0, pc, next: (pc + 4) | 0 };
  const size = kind === 4 ? 1 : 2;
  return load ? loadExclusive(ctx, size, place) : storeExclusive(ctx, size, hw2 & 15, place);
}

function tableBranch(ctx: DecodeContext, rn: number, rm: number, half: boolean, pc: number): Op {
  const { s, port, time } = ctx;
  const { r } = s;
  const origin = (pc + 4) | 0;
  return () => {
    const base = rn === 15 ? origin : r[rn]!;
    const index = r[rm]!;
    const entry = half ? port.load16((base + index * 2) | 0) : port.load8((base + index) | 0);
    time.cycles += EXTRA.tableBranch;
    s.afterMemory = -1;
    return (origin + entry * 2) | 0;
  };
}

/** STR, STRH, STRB in all 32-bit addressing forms. */
export function decodeStore(ctx: DecodeContext, hw1: number, hw2: number, pc: number): Op {
  const size = sizeOf(hw1);
  const rn = hw1 & 15;
  if (size === undefined || rn === 15) return undefinedInstruction();
  const rt = hw2 >>> 12;
  const next = (pc + 4) | 0;
  if (hw1 & 0x80) return storeImmediate(ctx, size, { rt, rn, offset: hw2 & 0xfff, pc, next });
  if ((hw2 & 0xfc0) === 0) return storeRegister(ctx, size, { rt, rn, rm: hw2 & 15, shift: (hw2 >>> 4) & 3, pc, next });
  const index = indexing(hw2);
  if (index === undefined) return undefinedInstruction();
  const place = { rt, rn, offset: index.offset, pre: index.pre, pc, next };
  return index.wback ? storeIndexed(ctx, size, place) : storeImmediate(ctx, size, place);
}

/** LDR, LDRH, LDRB, LDRSH, LDRSB in all 32-bit forms; preload hints do nothing. */
export function decodeLoad(ctx: DecodeContext, hw1: number, hw2: number, pc: number): Op {
  const size = sizeOf(hw1);
  if (size === undefined) return undefinedInstruction();
  const signed = (hw1 & 0x100) !== 0;
  const rn = hw1 & 15;
  const rt = hw2 >>> 12;
  const next = (pc + 4) | 0;
  if (rt === 15 && size < 4) return () => next;
  if (signed && size === 4) return undefinedInstruction();
  if (rn === 15) return loadLiteralWide(ctx, size, signed, rt, hw1, hw2, pc);
  if (hw1 & 0x80) return loadImmediate(ctx, size, signed, { rt, rn, offset: hw2 & 0xfff, pc, next });
  if ((hw2 & 0xfc0) === 0) {
    return loadRegister(ctx, size, signed, { rt, rn, rm: hw2 & 15, shift: (hw2 >>> 4) & 3, pc, next });
  }
  const index = indexing(hw2);
  if (index === undefined) return undefinedInstruction();
  const place = { rt, rn, offset: index.offset, pre: index.pre, pc, next };
  return index.wback ? loadIndexed(ctx, size, signed, place) : loadImmediate(ctx, size, signed, place);
}

function sizeOf(hw1: number): Width | undefined {
  return ([1, 2, 4, undefined] as const)[(hw1 >>> 5) & 3];
}

/** The 8-bit immediate forms: offset, pre-indexed, post-indexed; the unprivileged forms act as plain offsets. */
function indexing(hw2: number): { offset: number; pre: boolean; wback: boolean } | undefined {
  if ((hw2 & 0x800) === 0 || (hw2 & 0x500) === 0) return undefined;
  const offset = hw2 & 0x200 ? hw2 & 0xff : -(hw2 & 0xff);
  return { offset, pre: (hw2 & 0x400) !== 0, wback: (hw2 & 0x100) !== 0 };
}

function loadLiteralWide(
  ctx: DecodeContext,
  size: Width,
  signed: boolean,
  rt: number,
  hw1: number,
  hw2: number,
  pc: number,
): Op {
  const { s, time } = ctx;
  const { r } = s;
  const next = (pc + 4) | 0;
  const offset = hw1 & 0x80 ? hw2 & 0xfff : -(hw2 & 0xfff);
  const address = (((pc + 4) & ~3) + offset) | 0;
  const load = loader(ctx, size, signed);
  return keepSpAligned(ctx, rt, () => {
    const value = load(address);
    if (s.afterMemory !== pc) time.cycles += EXTRA.firstLoad;
    if (rt === 15) return branchExchange(s, time, value);
    r[rt] = value;
    s.afterMemory = next;
    return next;
  });
}
