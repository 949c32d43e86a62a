// `--yes PLANHASH --vendor FINGERPRINT`: consent given beforehand, to one plan of one vendor and to nothing that can
// never be undone (docs/product.md §2). A plan alone does not say whose it is, nor which image: anybody can send it.
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

/** Digits of a fingerprint (docs/protocol.md §3, fingerprintText). */
const FINGERPRINT_DIGITS = 20;

/** What was agreed to beforehand; hexadecimal digits, lower case. */
export interface Agreed {
  /** All 128. */
  readonly planHash: string;
  /** 20, of V. */
  readonly vendor: string;
}

/**
 * Consent given beforehand, as typed: 128 and 20 hexadecimal digits, in groups or not; undefined when none was.
 * @throws BF-USAGE for other digits, and for one without the other
 */
export function parseAgreed(yes: string | undefined, vendor: string | undefined): Agreed | undefined {
  if (yes === undefined && vendor === undefined) return undefined;
  if (yes === undefined || vendor === undefined) throw fail('BF-USAGE', '--yes and --vendor belong together');
  const planHash = digitsOf(yes, ALL_DIGITS, `--yes expects a plan hash, all ${ALL_DIGITS} hexadecimal digits`);
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

/** Whether what was agreed to beforehand covers what is asked for. */
export function coversPlan(agreed: Agreed, { plan, planHash, vendor }: Asked): boolean {
  if (KINDS[plan.kind].options !== 'kept' || !COVERED.includes(plan.lock)) return false;
  return toHex(planHash) === agreed.planHash && toHex(vendor).slice(0, FINGERPRINT_DIGITS) === agreed.vendor;
}
