// The seam for FPv4-SP: everything the core would ask of a floating-point unit. The core ships without one.
import type { DecodeContext } from './decode-context.ts';
import type { Op } from './state.ts';

export interface FloatingPoint {
  /** Decodes a coprocessor 10/11 instruction; undefined when it is not a floating-point instruction. */
  decode(ctx: DecodeContext, hw1: number, hw2: number, pc: number): Op | undefined;
  /** Words to reserve above the basic exception frame (0 or 18); non-zero also clears EXC_RETURN bit 4. */
  frameWords(): number;
  /** The extended frame starts at `address`: store it, or note it for lazy stacking. */
  stack(address: number): void;
  /** Exception return from an extended frame at `address`. */
  unstack(address: number): void;
  /** DCRSR numbers 33 (FPSCR) and 64..95 (S0-S31). */
  readRegister(dcrsr: number): number;
  writeRegister(dcrsr: number, value: number): void;
  reset(): void;
  snapshot(): unknown;
  restore(state: unknown): void;
}

/** No unit: instructions are undefined once CPACR lets them through, registers read as zero. */
export const NO_FPU: FloatingPoint = {
  decode: () => undefined,
  frameWords: () => 0,
  stack: () => undefined,
  unstack: () => undefined,
  readRegister: () => 0,
  writeRegister: () => undefined,
  reset: () => undefined,
  snapshot: () => undefined,
  restore: () => undefined,
};
