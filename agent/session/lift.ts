// Write protection that a plan lifts, and that is put back (docs/protocol.md §7, "Flags"): what was lifted is
// remembered on disk before, so that the next agent can put it back when this one dies.
import {
  NO_OPTION_BITS,
  sameOptions,
  sectorRuns,
  withOptionBits,
  type Chip,
  type OptionWords,
} from '../../shared/chips/index.ts';
import { equalBytes } from '../../shared/codec/bytes.ts';
import { decodePlan, type Plan } from '../../shared/plan/plan.ts';
import { bitsToLift, protectedSectors } from '../../shared/plan/protection.ts';
import type { Target } from '../target/target.ts';
import type { AgentMemory, Customer } from './ports.ts';

export interface LiftOptions {
  readonly target: Target;
  readonly memory: AgentMemory;
  readonly customer: Customer;
}

/** Takes write protection away where the plan says so. @throws BF-TARGET-OPTIONS, what probe and wire bring */
export async function liftProtection({ target, memory, customer }: LiftOptions, plan: Plan, chip: Chip): Promise<void> {
  if (!plan.flags.includes('lift write protection')) return;
  await target.changeOptions((now): OptionWords | undefined => {
    const bits = bitsToLift(plan, chip, now);
    if (sameOptions(bits, NO_OPTION_BITS)) return undefined;
    customer.say(`Lifting the write protection of ${sectorRuns(protectedSectors(plan, chip, now).sectors)}.`);
    memory.noteLifted(withOptionBits(memory.lifted ?? NO_OPTION_BITS, bits, bits));
    return withOptionBits(now, bits, bits);
  });
}

/** Puts back what was lifted, on the board it was lifted on. @throws BF-TARGET-OPTIONS, what probe and wire bring */
export async function putProtectionBack({ target, memory, customer }: LiftOptions): Promise<void> {
  const { lifted, consent } = memory;
  if (lifted === undefined || consent === undefined || !equalBytes(consent.uid, target.identity.uid)) return;
  if (!decodePlan(consent.plan).flags.includes('keep lifted')) {
    await target.changeOptions((now) => withOptionBits(now, lifted, NO_OPTION_BITS));
    customer.say('The write protection is as it was before the job.');
  }
  memory.noteLifted(undefined);
}
