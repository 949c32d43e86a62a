// Loads and stores shared by the 16- and 32-bit decoders, with the cost rule "a load directly behind a load or store is
// cheaper" (docs/reference/crypto.md §1). Registers change only after the access succeeded, so a faulting instruction
// can be repeated.
import type { Width } from '../bus.ts';
import { branchExchange, type DecodeContext, keepSpAligned } from './decode-context.ts';
import { EXTRA } from './cycles.ts';
import type { Op } from './state.ts';

export interface ImmediatePlace {
  readonly rt: number;
  readonly rn: number;
  readonly offset: number;
  readonly pc: number;
  readonly next: number;
}

export interface RegisterPlace {
  readonly rt: number;
  readonly rn: number;
  readonly rm: number;
  /** LSL applied to Rm, 0..3. */
  readonly shift: number;
  readonly pc: number;
  readonly next: number;
}

export interface IndexedPlace extends ImmediatePlace {
  /** Offset applies before the access (pre-index) or after it. */
  readonly pre: boolean;
}

/** Reads a value of `size` at an address and extends it to 32 bits. */
export function loader(ctx: DecodeContext, size: Width, signed: boolean): (address: number) => number {
  const { port } = ctx;
  if (size === 4) return (address) => port.load32(address);
  if (size === 2) return signed ? (address) => (port.load16(address) << 16) >> 16 : (address) => port.load16(address);
  return signed ? (address) => (port.load8(address) << 24) >> 24 : (address) => port.load8(address);
}

function storer(ctx: DecodeContext, size: Width): (address: number, value: number) => void {
  const { port } = ctx;
  if (size === 4) return (address, value) => port.store32(address, value);
  if (size === 2) return (address, value) => port.store16(address, value & 0xffff);
  return (address, value) => port.store8(address, value & 0xff);
}

/** LDR, LDRH, LDRB, LDRSH, LDRSB [Rn, #offset]; Rt = PC branches. */
export function loadImmediate(ctx: DecodeContext, size: Width, signed: boolean, place: ImmediatePlace): Op {
  const { s, port, time } = ctx;
  const { r } = s;
  const { rt, rn, offset, pc, next } = place;
  if (rt === 15) {
    return () => {
      const target = port.load32((r[rn]! + offset) | 0);
      if (s.afterMemory !== pc) time.cycles += EXTRA.firstLoad;
      return branchExchange(s, time, target);
    };
  }
  if (size === 4) {
    return keepSpAligned(ctx, rt, () => {
      r[rt] = port.load32((r[rn]! + offset) | 0);
      if (s.afterMemory !== pc) time.cycles += EXTRA.firstLoad;
      s.afterMemory = next;
      return next;
    });
  }
  if (size === 1 && !signed) {
    return () => {
      r[rt] = port.load8((r[rn]! + offset) | 0);
      if (s.afterMemory !== pc) time.cycles += EXTRA.firstLoad;
      s.afterMemory = next;
      return next;
    };
  }
  const load = loader(ctx, size, signed);
  return () => {
    r[rt] = load((r[rn]! + offset) | 0);
    if (s.afterMemory !== pc) time.cycles += EXTRA.firstLoad;
    s.afterMemory = next;
    return next;
  };
}

/** Loads with [Rn, Rm, LSL #shift]. */
export function loadRegister(ctx: DecodeContext, size: Width, signed: boolean, place: RegisterPlace): Op {
  const { s, time } = ctx;
  const { r } = s;
  const { rt, rn, rm, shift, pc, next } = place;
  const load = loader(ctx, size, signed);
  if (rt === 15) {
    return () => {
      const target = load((r[rn]! + (r[rm]! << shift)) | 0);
      if (s.afterMemory !== pc) time.cycles += EXTRA.firstLoad;
      return branchExchange(s, time, target);
    };
  }
  return keepSpAligned(ctx, rt, () => {
    r[rt] = load((r[rn]! + (r[rm]! << shift)) | 0);
    if (s.afterMemory !== pc) time.cycles += EXTRA.firstLoad;
    s.afterMemory = next;
    return next;
  });
}

/** Loads with [Rn, #offset]! or [Rn], #offset. */
export function loadIndexed(ctx: DecodeContext, size: Width, signed: boolean, place: IndexedPlace): Op {
  const { s, time } = ctx;
  const { r } = s;
  const { rt, rn, offset, pre, pc, next } = place;
  const load = loader(ctx, size, signed);
  const before = pre ? offset : 0;
  return keepSpAligned(ctx, rt === 13 ? rt : rn, () => {
    const base = r[rn]!;
    const value = load((base + before) | 0);
    r[rn] = base + offset;
    if (s.afterMemory !== pc) time.cycles += EXTRA.firstLoad;
    if (rt === 15) return branchExchange(s, time, value);
    r[rt] = value;
    s.afterMemory = next;
    return next;
  });
}

export function storeImmediate(ctx: DecodeContext, size: Width, place: ImmediatePlace): Op {
  const { s, port } = ctx;
  const { r } = s;
  const { rt, rn, offset, next } = place;
  if (size === 4) {
    return () => {
      port.store32((r[rn]! + offset) | 0, r[rt]!);
      s.afterMemory = next;
      return next;
    };
  }
  const store = storer(ctx, size);
  return () => {
    store((r[rn]! + offset) | 0, r[rt]!);
    s.afterMemory = next;
    return next;
  };
}

export function storeRegister(ctx: DecodeContext, size: Width, place: RegisterPlace): Op {
  const { s } = ctx;
  const { r } = s;
  const { rt, rn, rm, shift, next } = place;
  const store = storer(ctx, size);
  return () => {
    store((r[rn]! + (r[rm]! << shift)) | 0, r[rt]!);
    s.afterMemory = next;
    return next;
  };
}

export function storeIndexed(ctx: DecodeContext, size: Width, place: IndexedPlace): Op {
  const { s } = ctx;
  const { r } = s;
  const { rt, rn, offset, pre, next } = place;
  const store = storer(ctx, size);
  const before = pre ? offset : 0;
  return keepSpAligned(ctx, rn, () => {
    const base = r[rn]!;
    store((base + before) | 0, r[rt]!);
    r[rn] = base + offset;
    s.afterMemory = next;
    return next;
  });
}

export interface MultiplePlace {
  readonly rn: number;
  /** Bit n = register n. */
  readonly list: number;
  /** Decrement before (PUSH, LDMDB) instead of increment after. */
  readonly decrement: boolean;
  readonly wback: boolean;
  readonly next: number;
}

function listed(list: number): number[] {
  return Array.from({ length: 16 }, (_, n) => n).filter((n) => (list >>> n) & 1);
}

/** LDM, POP, LDMDB: 1 + N cycles; a base in the list is loaded, not written back. */
export function loadMultiple(ctx: DecodeContext, { rn, list, decrement, wback, next }: MultiplePlace): Op {
  const { s, port, time, scratch } = ctx;
  const { r } = s;
  const registers = listed(list);
  const count = registers.length;
  const size = count * 4;
  const branches = (list & 0x8000) !== 0;
  const plain = branches ? registers.slice(0, -1) : registers;
  const plainCount = plain.length;
  return keepSpAligned(ctx, rn === 13 || list & 0x2000 ? 13 : 0, () => {
    const base = r[rn]!;
    const start = decrement ? (base - size) | 0 : base;
    port.requireAligned(start, 4);
    for (let i = 0; i < count; i++) scratch[i] = port.load32((start + i * 4) | 0);
    if (wback) r[rn] = decrement ? start : base + size;
    for (let i = 0; i < plainCount; i++) r[plain[i]!] = scratch[i]!;
    time.cycles += count;
    if (branches) return branchExchange(s, time, scratch[plainCount]!);
    s.afterMemory = next;
    return next;
  });
}

/** STM, PUSH, STMDB: 1 + N cycles; the original base is stored. */
export function storeMultiple(ctx: DecodeContext, { rn, list, decrement, wback, next }: MultiplePlace): Op {
  const { s, port, time } = ctx;
  const { r } = s;
  const registers = listed(list);
  const count = registers.length;
  const size = count * 4;
  return () => {
    const base = r[rn]!;
    const start = decrement ? (base - size) | 0 : base;
    port.requireAligned(start, 4);
    for (let i = 0; i < count; i++) port.store32((start + i * 4) | 0, r[registers[i]!]!);
    if (wback) r[rn] = decrement ? start : base + size;
    time.cycles += count;
    s.afterMemory = next;
    return next;
  };
}

export interface DualPlace {
  readonly rt: number;
  readonly rt2: number;
  readonly rn: number;
  readonly offset: number;
  readonly pre: boolean;
  readonly wback: boolean;
  readonly next: number;
}

/** LDRD: 3 cycles. A base of PC uses `literal`. */
export function loadDual(ctx: DecodeContext, place: DualPlace, literal: number | undefined): Op {
  const { s, port, time } = ctx;
  const { r } = s;
  const { rt, rt2, rn, offset, pre, wback, next } = place;
  return keepSpAligned(ctx, rn, () => {
    const base = literal ?? r[rn]!;
    const address = pre ? (base + offset) | 0 : base;
    port.requireAligned(address, 4);
    const low = port.load32(address);
    const high = port.load32((address + 4) | 0);
    if (wback) r[rn] = base + offset;
    r[rt] = low;
    r[rt2] = high;
    time.cycles += EXTRA.doubleWord;
    s.afterMemory = next;
    return next;
  });
}

/** STRD: 3 cycles. */
export function storeDual(ctx: DecodeContext, place: DualPlace): Op {
  const { s, port, time } = ctx;
  const { r } = s;
  const { rt, rt2, rn, offset, pre, wback, next } = place;
  return keepSpAligned(ctx, rn, () => {
    const base = r[rn]!;
    const address = pre ? (base + offset) | 0 : base;
    port.requireAligned(address, 4);
    port.store32(address, r[rt]!);
    port.store32((address + 4) | 0, r[rt2]!);
    if (wback) r[rn] = base + offset;
    time.cycles += EXTRA.doubleWord;
    s.afterMemory = next;
    return next;
  });
}

/** LDREX, LDREXH, LDREXB: opens the local monitor. */
export function loadExclusive(ctx: DecodeContext, size: Width, place: ImmediatePlace): Op {
  const { s, port, time } = ctx;
  const { r } = s;
  const { rt, rn, offset, next } = place;
  const load = loader(ctx, size, false);
  return () => {
    const address = (r[rn]! + offset) | 0;
    port.requireAligned(address, size);
    r[rt] = load(address);
    s.exclusive = 1;
    time.cycles += EXTRA.exclusive;
    s.afterMemory = next;
    return next;
  };
}

/** STREX, STREXH, STREXB: Rd = 0 when the monitor was exclusive and the store happened, else 1. */
export function storeExclusive(ctx: DecodeContext, size: Width, rd: number, place: ImmediatePlace): Op {
  const { s, port, time } = ctx;
  const { r } = s;
  const { rt, rn, offset, next } = place;
  const store = storer(ctx, size);
  return () => {
    const address = (r[rn]! + offset) | 0;
    port.requireAligned(address, size);
    if (s.exclusive) store(address, r[rt]!);
    r[rd] = s.exclusive ^ 1;
    s.exclusive = 0;
    time.cycles += EXTRA.exclusive;
    s.afterMemory = next;
    return next;
  };
}
