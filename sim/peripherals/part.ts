// What every part of the virtual chip shares: its surroundings, its life cycle, word registers
// reached by narrow accesses.
import type { BoardTime } from '../board-time.ts';
import { BusFault, type Device, type Master, type Width } from '../bus.ts';
import type { ChipRow } from '../chips/stm32f4.ts';
import type { ResetKind } from '../core-port.ts';

/** The surroundings of a part. */
export interface Context {
  readonly time: BoardTime;
  readonly chip: ChipRow;
  readonly strict: boolean;
  /** Records `message` in the board's warnings, once. */
  warn(message: string): void;
  /** Warns; under `strict` the access at `address` is answered with a bus error instead. @throws BusFault */
  complain(address: number, message: string): void;
  /** Level of interrupt line `irq` (NVIC number). */
  setIrq(irq: number, level: boolean): void;
  /** The core waits on the bus until `untilNs` of board time, or until a reset ends the wait. */
  stallCore(untilNs: number): void;
}

/** A part with state. */
export interface Part {
  /** Puts registers to their reset values; `power` also clears what only a power-on reset clears. */
  reset(kind: ResetKind): void;
  snapshot(): unknown;
  restore(state: unknown): void;
}

/** A part whose whole mutable state is one cloneable object. Timers belong to BoardTime and are saved there. */
export abstract class StatefulPart<State extends object> implements Part {
  readonly context: Context;
  protected state: State;

  constructor(context: Context, state: State) {
    this.context = context;
    this.state = state;
  }
  abstract reset(kind: ResetKind): void;
  snapshot(): unknown {
    return structuredClone(this.state);
  }
  restore(state: unknown): void {
    this.state = structuredClone(state as State);
  }
}

/** A block of 32-bit registers. Narrow reads take a lane; narrow writes are merged into what `mergeBase` answers. */
export abstract class RegisterBlock<State extends object> extends StatefulPart<State> implements Device {
  /** See Device.pure: no side effect, and changes by writes and timers only. */
  pure(_offset: number): boolean {
    return false;
  }
  /** Offsets that accept word accesses only; others fault. */
  protected wordOnly(_offset: number): boolean {
    return false;
  }
  /** The register word at `offset` (multiple of 4); side effects of a read happen here. */
  protected abstract load(offset: number, master: Master): number;
  /** Stores a whole word at `offset` (multiple of 4). */
  protected abstract store(offset: number, value: number, master: Master): void;
  /** The word a narrow write is merged into: the register itself, or 0 for write-1-to-clear registers. */
  protected mergeBase(offset: number): number {
    return this.load(offset, 'debugger');
  }
  read(offset: number, width: Width, master: Master): number {
    const word = offset & ~3;
    if (width !== 4 && this.wordOnly(word)) throw new BusFault(offset, 'this register takes word accesses only');
    return lane(this.load(word, master), offset, width);
  }
  write(offset: number, value: number, width: Width, master: Master): void {
    const word = offset & ~3;
    if (width === 4) return this.store(word, value >>> 0, master);
    if (this.wordOnly(word)) throw new BusFault(offset, 'this register takes word accesses only');
    this.store(word, merge(this.mergeBase(word), offset, value, width), master);
  }
}

/** The `width` bytes of little-endian `word` at byte lane `offset & 3`. */
export function lane(word: number, offset: number, width: Width): number {
  if (width === 4) return word >>> 0;
  return (word >>> ((offset & 3) * 8)) & (width === 1 ? 0xff : 0xffff);
}

/** `word` with `width` bytes at lane `offset & 3` replaced by `value`. */
function merge(word: number, offset: number, value: number, width: Width): number {
  if (width === 4) return value >>> 0;
  const shift = (offset & 3) * 8;
  const mask = (width === 1 ? 0xff : 0xffff) << shift;
  return ((word & ~mask) | ((value << shift) & mask)) >>> 0;
}

/** True when `bit` of `word` is set. */
export function bit(word: number, index: number): boolean {
  return ((word >>> index) & 1) === 1;
}
