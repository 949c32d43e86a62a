// `--yes PLANHASH`: consent given beforehand, to one plan and to nothing that can never be undone (docs/product.md §2).
import { toHex } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import { KINDS } from '../../shared/plan/kinds.ts';
import type { Plan, PlanLock } from '../../shared/plan/plan.ts';

/** All of them: a vendor who chooses what is hashed can make two plans agree in fewer. */
const ALL_DIGITS = 128;

/**
 * Locks a consent given beforehand may cover; a job that changes option bytes is agreed to by its word only. RDP 2
 * and OTP are not among them, and never will be.
 */
const COVERED: readonly PlanLock[] = ['none', 'level 1'];

/** The expected hash as typed: 128 hexadecimal digits, lower case afterwards. @throws BF-USAGE */
export function parseExpectedHash(text: string): string {
  const digits = text.trim().toLowerCase();
  if (!/^[0-9a-f]+$/.test(digits) || digits.length !== ALL_DIGITS) {
    throw fail('BF-USAGE', `--yes expects a plan hash, all ${ALL_DIGITS} hexadecimal digits`);
  }
  return digits;
}

/** Whether consent to `expected` (from parseExpectedHash) covers this plan. */
export function coversPlan(expected: string, planHash: Uint8Array, plan: Plan): boolean {
  return KINDS[plan.kind].options === 'kept' && COVERED.includes(plan.lock) && toHex(planHash) === expected;
}
