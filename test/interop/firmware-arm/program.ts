// What a machine is asked to do with the shipped code: memory writes, calls, memory reads; and where things lie.

import type { Sym } from './shipped.ts';

/** Strings and structures: the SRAM behind the stub's slots, present on the board and on QEMU's mps2 board. */
const ARENA = { base: 0x20010000, end: 0x20030000 } as const;
/** A second image (the deliberately bad variants). */
export const SECOND_IMAGE = 0x20008000;
/** Untouched bytes around every output. */
const GUARD = 16;
const GUARD_BYTE = 0xa5;

/**
 * The ARM procedure call standard, or the one of firmware/common/crypto/field.h: all registers but SP are the callee's.
 */
export type Convention = 'AAPCS' | 'field';

export type Step =
  | { readonly op: 'write'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly op: 'fill'; readonly at: number; readonly length: number; readonly byte: number }
  | {
      readonly op: 'call';
      readonly entry: number;
      readonly args: readonly number[];
      readonly convention: Convention;
    }
  | { readonly op: 'read'; readonly at: number; readonly length: number };

/** Runs steps in order; one answer for each call (R0, 4 bytes little endian) and each read (the bytes). */
export interface Machine {
  readonly name: string;
  run(steps: readonly Step[]): Uint8Array[];
}

/** The number of an answer. */
export type Ref = number;

/** Builds a list of steps, placing strings in the arena. */
export class Program {
  readonly steps: Step[] = [];
  /** How far past a 16-byte border strings begin. */
  place = 0;
  readonly #functions: ReadonlyMap<string, Sym>;
  #next: number = ARENA.base;
  #answers = 0;

  constructor(functions: ReadonlyMap<string, Sym>) {
    this.#functions = functions;
  }

  /** Forgets all strings: the arena is used from its start again. */
  clear(): void {
    this.#next = ARENA.base;
  }
  /** True when the shipped stub has `name` as a function of its own. */
  has(name: string): boolean {
    return this.#functions.has(name);
  }
  /** An address with `length` bytes and guards around it, `place` bytes past a 16-byte border. */
  room(length: number): number {
    const at = this.#next + GUARD + this.place;
    this.#next = (at + length + GUARD + 15) & ~15;
    if (this.#next > ARENA.end) throw new Error('the arena is full');
    return at;
  }
  /** A structure's address: word aligned whatever `place` is. */
  structure(length: number): number {
    const at = this.room(length + 8);
    return (at + 7) & ~7;
  }
  write(at: number, bytes: Uint8Array): void {
    if (bytes.length > 0) this.steps.push({ op: 'write', at, bytes });
  }
  put(bytes: Uint8Array): number {
    const at = this.room(bytes.length);
    this.write(at, bytes);
    return at;
  }
  /** Room for an output: it and its guards are filled with a pattern. */
  output(length: number): number {
    const at = this.room(length);
    this.steps.push({ op: 'fill', at: at - GUARD, length: length + 2 * GUARD, byte: GUARD_BYTE });
    return at;
  }
  call(name: string, ...args: readonly number[]): Ref {
    const found = this.#functions.get(name);
    if (found === undefined) throw new Error(`the stub has no function ${name}`);
    const convention = name.startsWith('bf_field_') ? 'field' : 'AAPCS';
    this.steps.push({ op: 'call', entry: found.address | 1, args, convention });
    return this.#answers++;
  }
  read(at: number, length: number): Ref {
    this.steps.push({ op: 'read', at, length });
    return this.#answers++;
  }
  /** Reads an output with its guards; see `Answers.guarded`. */
  take(at: number, length: number): Ref {
    return this.read(at - GUARD, length + 2 * GUARD);
  }
}

/** The answers of a program's run. */
export class Answers {
  readonly #all: readonly Uint8Array[];

  constructor(all: readonly Uint8Array[]) {
    this.#all = all;
  }
  bytes(ref: Ref): Uint8Array {
    const found = this.#all[ref];
    if (found === undefined) throw new Error('answer missing');
    return found;
  }
  /** R0 after a call. */
  value(ref: Ref): number {
    return new DataView(this.bytes(ref).buffer, this.bytes(ref).byteOffset, 4).getUint32(0, true);
  }
  /** An output without its guards; throws when a byte beside it was written. */
  guarded(ref: Ref): Uint8Array {
    const all = this.bytes(ref);
    const guards = [...all.subarray(0, GUARD), ...all.subarray(all.length - GUARD)];
    if (guards.some((byte) => byte !== GUARD_BYTE)) throw new Error('a byte beside the output was written');
    return all.subarray(GUARD, all.length - GUARD);
  }
  /** True when an output still holds the pattern it was filled with. */
  untouched(ref: Ref): boolean {
    return this.bytes(ref).every((byte) => byte === GUARD_BYTE);
  }
}
