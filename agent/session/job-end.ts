// Whether a BYE that says "done" is one (docs/protocol.md §6, §10): the customer's yes came first, the chip is in a
// state in which the work is done, and the receipt is the vendor's own for this job, plan and unit.
import { equalBytes, fromHex, isZero } from '../../shared/codec/bytes.ts';
import { rawText } from '../../shared/codec/foreign-text.ts';
import type { Verify } from '../../shared/crypto/keys.ts';
import { fail, isBlindflashError } from '../../shared/errors/errors.ts';
import type { StubState } from '../../shared/mailbox/layout.ts';
import { KINDS } from '../../shared/plan/kinds.ts';
import { decodePlan, planHash, type Plan } from '../../shared/plan/plan.ts';
import { verifyCustomerCopy, type CustomerReceipt, type Outcome, type SignedText } from '../../shared/plan/receipt.ts';
import type { CustomerCopy } from '../../shared/tunnel/bodies.ts';
import type { Clock } from '../../shared/ports.ts';
import { pause } from '../probe/deadline.ts';
import type { Consent } from './ports.ts';

/** States one of which the stub went through when an outcome was reached. */
const STATES_OF = {
  written: ['written', 'locked', 'ended'],
  'lock programmed': ['locked', 'ended'],
  verified: ['ended'],
  erased: ['ended'],
  enrolled: ['ended'],
  'keys cleared': ['ended'],
} as const satisfies Record<Outcome, readonly StubState[]>;

/** Where a stub is that an earlier process may have seen do its work: it does not say what it went through. */
const SILENT: readonly StubState[] = ['aborted', 'expired'];

export interface JobEnd {
  readonly consent: Consent;
  readonly customer: CustomerCopy;
  /** States this process has seen the stub in, of the sealed session it served last or as it found it. */
  readonly reached: ReadonlySet<StubState>;
  /** The job was begun by this process: what it did not see, it did not do. */
  readonly begun: boolean;
  readonly verify: Verify;
}

/** What goes on with the chip. */
export interface EndingWork {
  readonly busy: boolean;
  /** Resolves with how long to wait before the next, milliseconds. */
  turn(): Promise<number>;
}

/** What a chip said last may have come back as the vendor's BYE before its state was seen here. Chosen. */
const LAST_LOOK_MS = 5000;

/**
 * As acceptEnd; a chip that is at work is looked at for a while longer.
 * @throws (rejects) BF-JOB-NOT-DONE, BF-JOB-RECEIPT
 */
export async function acceptSeenEnd(end: JobEnd, work: EndingWork, clock: Clock): Promise<SignedText | undefined> {
  for (const until = clock.now() + LAST_LOOK_MS; ;) {
    try {
      return acceptEnd(end);
    } catch (error) {
      const mayCome = isBlindflashError(error, 'BF-JOB-NOT-DONE') && work.busy && clock.now() < until;
      if (!mayCome) throw error;
    }
    await pause(clock, Math.max(1, await work.turn()));
  }
}

/**
 * The receipt, checked; undefined for a kind that earns none.
 * @throws BF-JOB-NOT-DONE, BF-JOB-RECEIPT
 */
function acceptEnd(end: JobEnd): SignedText | undefined {
  const plan = decodePlan(end.consent.plan);
  if (KINDS[plan.kind].outcome === undefined) return undefined;
  const { receipt: text, signature } = end.customer;
  if (text === null || signature === null) throw fail('BF-JOB-RECEIPT', 'the vendor gave none');
  const signed = { text: rawText(text), signature };
  const receipt = verifyCustomerCopy(signed, end.verify, end.consent.receiptPublic);
  requireThisJob(receipt, plan, end.consent);
  requireState(receipt.outcome, end);
  return signed;
}

function requireThisJob(receipt: CustomerReceipt, plan: Plan, { plan: bytes, uid }: Consent): void {
  const refuse = (what: string): never => {
    throw fail('BF-JOB-RECEIPT', `it is for another ${what}`);
  };
  if (!equalBytes(fromHex(receipt.job), plan.job)) refuse('job');
  if (!equalBytes(fromHex(receipt.planHash), planHash(bytes))) refuse('plan');
  if (!isZero(uid) && !equalBytes(fromHex(receipt.uid), uid)) refuse('unit');
  if (!fitsKind(receipt.outcome, plan)) refuse('kind of job');
}

function fitsKind(outcome: Outcome, { kind, lock }: Plan): boolean {
  return outcome === (KINDS[kind].boots && lock !== 'none' ? 'lock programmed' : KINDS[kind].outcome);
}

function requireState(outcome: Outcome, { reached, begun }: JobEnd): void {
  const states: readonly StubState[] = begun ? STATES_OF[outcome] : [...STATES_OF[outcome], ...SILENT];
  if (!begun && reached.size === 0) return;
  if (!states.some((state) => reached.has(state))) {
    throw fail('BF-JOB-NOT-DONE', `“${outcome}”, but the chip was ${[...reached].at(-1) ?? 'not touched'}`);
  }
}
