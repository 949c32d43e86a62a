// The seam for FPv4-SP: everything the core asks of a floating-point unit. fpu.ts is one; NO_FPU
// stands in where none is.
import type { DecodeContext } from './decode-context.ts';
import type { Op } from './state.ts';

export interface FloatingPoint {
  /** False where there is none: CONTROL.FPCA and EXC_RETURN without bit 4 are then unknown. */
  readonly present: boolean;
  /** S0-S31 and FPSCR, for loop detection; empty without a unit. */
  readonly words: Int32Array;
  /** Decodes a coprocessor 10/11 instruction; undefined when it is not a floating-point instruction. */
  decode(ctx: DecodeContext, hw1: number, hw2: number, pc: number): Op | undefined;
  /** Words to reserve above the basic exception frame (0 or 18); non-zero also clears EXC_RETURN bit 4. */
  frameWords(): number;
  /** The extended part of the frame starts at `address`: stores it, or notes it for later. @throws BusFault */
  stack(address: number): void;
  /** Exception return from an extended part at `address`. @throws BusFault */
  unstack(address: number): void;
  /** DCRSR numbers 33 (FPSCR) and 64..95 (S0-S31). */
  readRegister(dcrsr: number): number;
  writeRegister(dcrsr: number, value: number): void;
  /** FPCCR, FPCAR, FPDSCR at SCS offsets 0xF34, 0xF38, 0xF3C; undefined without a unit. */
  readControl(offset: number): number | undefined;
  writeControl(offset: number, value: number): void;
  reset(): void;
  snapshot(): unknown;
  restore(state: unknown): void;
}

/** No unit: instructions are undefined once CPACR lets them through, registers read as zero. */
export const NO_FPU: FloatingPoint = {
  present: false,
  words: new Int32Array(0),
  decode: () => undefined,
  frameWords: () => 0,
  stack: () => undefined,
  unstack: () => undefined,
  readRegister: () => 0,
  writeRegister: () => undefined,
  readControl: () => undefined,
  writeControl: () => undefined,
  reset: () => undefined,
  snapshot: () => undefined,
  restore: () => undefined,
};
