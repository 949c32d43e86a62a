// `--yes PLANHASH --vendor FINGERPRINT`: consent given beforehand, to one plan of one vendor and to nothing that can
// never be undone (docs/product.md §2). A plan alone does not say whose it is, nor which image: anybody can send it.
import { toHex } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import { KINDS } from '../../shared/plan/kinds.ts';
import type { Plan, PlanLock } from '../../shared/plan/plan.ts';

/** Digits of a plan hash, all of them: a vendor who chooses what is hashed can make two plans agree in fewer. */
const PLAN_HASH_DIGITS = 128;

/** Locks a consent given beforehand may cover. RDP 2 and OTP are not among them, and never will be. */
const COVERED_LOCKS: readonly PlanLock[] = ['none', 'level 1', 'level 1, sector 0'];

/** Digits of a fingerprint (docs/protocol.md §3, fingerprintText). */
const FINGERPRINT_DIGITS = 20;

/** What was agreed to beforehand; hexadecimal digits, lower case. */
export interface PriorConsent {
  /** All 128. */
  readonly planHash: string;
  /** 20, of V. */
  readonly vendor: string;
}

/**
 * Consent given beforehand, as typed: 128 and 20 hexadecimal digits, in groups or not; undefined when none was.
 * @throws BF-USAGE for other digits, and for one without the other
 */
export function parsePriorConsent(yes: string | undefined, vendor: string | undefined): PriorConsent | undefined {
  if (yes === undefined && vendor === undefined) return undefined;
  if (yes === undefined || vendor === undefined) throw fail('BF-USAGE', '--yes and --vendor belong together');
  const planHash = digitsOf(
    yes,
    PLAN_HASH_DIGITS,
    `--yes expects a plan hash, all ${PLAN_HASH_DIGITS} hexadecimal digits`,
  );
  const fingerprint = `--vendor expects the vendor’s fingerprint, ${FINGERPRINT_DIGITS} hexadecimal digits`;
  return { planHash, vendor: digitsOf(vendor, FINGERPRINT_DIGITS, fingerprint) };
}

function digitsOf(text: string, count: number, otherwise: string): string {
  const digits = text.replace(/\s/g, '').toLowerCase();
  if (!/^[0-9a-f]+$/.test(digits) || digits.length !== count) throw fail('BF-USAGE', otherwise);
  return digits;
}

/** What is asked for: a plan and whose it is. */
export interface Asked {
  readonly plan: Plan;
  /** 64 bytes. */
  readonly planHash: Uint8Array;
  /** V, 32 bytes. */
  readonly vendor: Uint8Array;
}

/** Whether prior consent covers what is asked for; never a job that changes option bytes: its word has to be typed. */
export function coversPlan(prior: PriorConsent, { plan, planHash, vendor }: Asked): boolean {
  if (KINDS[plan.kind].options !== 'kept' || !COVERED_LOCKS.includes(plan.lock)) return false;
  return toHex(planHash) === prior.planHash && toHex(vendor).slice(0, FINGERPRINT_DIGITS) === prior.vendor;
}
