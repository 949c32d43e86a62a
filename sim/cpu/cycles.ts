// What instructions cost on a Cortex-M4 with zero wait states (docs/reference/crypto.md §1; exception figures:
// Cortex-M4 TRM §3.9). Every instruction is charged 1 by the run loop; the figures here come on top.

export const EXTRA = {
  takenBranch: 2,
  indirectBranch: 3,
  /** LDR not directly behind another load or store. */
  firstLoad: 1,
  /** LDRD, STRD and exclusives: fixed. */
  doubleWord: 2,
  exclusive: 1,
  tableBranch: 4,
  barrier: 3,
} as const;

export const EXCEPTION = { entry: 12, tailChain: 6, exit: 10 } as const;

/** Division takes 2 to 12 cycles, about one more per four bits of quotient. */
export function divideExtra(dividend: number, divisor: number): number {
  if (divisor === 0) return 1;
  const bits = Math.clz32(divisor) - Math.clz32(dividend);
  return bits < 0 ? 1 : Math.min(11, 2 + (bits >> 2));
}
