// How the sectors of a session come to be erased: one by one, left because they read blank, or all at once
// (docs/protocol.md §8).
import { eraseAllStep } from '../plan/steps.ts';
import { fail } from '../../shared/errors/errors.ts';
import { ERASE_ALL, type ErasedHow } from '../../shared/sealed/messages.ts';
import type { Evidence } from './receipts.ts';
import type { WorkOptions } from './work.ts';

/** Everything at once, where the stub finds that faster; the sectors are asked for one by one all the same. */
export async function eraseAll({ session, untilCredit, trustBlank }: WorkOptions, erasures: Erasures): Promise<void> {
  await untilCredit();
  session.ask(eraseAllStep(trustBlank), 'ERASED', (reply) => {
    requireSector(ERASE_ALL, reply.sector);
    erasures.all(reply.how);
  });
}

/** How the sectors of a session came to be erased. */
export class Erasures {
  readonly #counts: Record<ErasedHow, number> = { erased: 0, blank: 0, 'all at once': 0 };
  #atOnce = false;

  took(how: ErasedHow): void {
    this.#counts[how]++;
  }

  all(how: ErasedHow): void {
    this.#atOnce = how === 'all at once';
  }

  get summary(): Evidence['erase'] {
    const { blank } = this.#counts;
    return { sectors: this.#counts.erased + this.#counts['all at once'], blank, atOnce: this.#atOnce };
  }
}

/** @throws BF-TUNNEL-ORDER */
export function requireSector(wanted: number, got: number): void {
  if (wanted !== got) throw fail('BF-TUNNEL-ORDER', `sector ${got} erased instead of ${wanted}`);
}
