// What the board needs of a core, and what the core tells the board. Implemented by sim/cpu/cortex-m4.ts.

export interface CoreEvents {
  /** AIRCR.SYSRESETREQ was written, or the core asks for a system reset for another reason. */
  systemResetRequested(): void;
}

export type ResetKind = 'power' | 'system';

export interface Core {
  /** Executes instructions until `time.cycles >= time.limit` or `runnable` becomes false. */
  run(): void;
  /** False while halted by debug, asleep without a pending wake-up, in lockup, or held in reset. */
  readonly runnable: boolean;
  /** Halted in debug state (S_HALT). */
  readonly halted: boolean;
  readonly lockedUp: boolean;
  /** Core registers r0-r15 (r13 = current SP, r15 = address of the next instruction), for tests and traces. */
  readonly regs: Uint32Array;
  /** Starts a reset; the core stays in reset until `leaveReset`. 'power' also clears the debug unit. */
  enterReset(kind: ResetKind): void;
  /** Leaves reset: loads MSP and PC from the vector table at address 0, honours DEMCR.VC_CORERESET. */
  leaveReset(): void;
  /** Level of external interrupt line `irq` (0-based NVIC number). */
  setIrq(irq: number, level: boolean): void;
  snapshot(): unknown;
  restore(state: unknown): void;
}
