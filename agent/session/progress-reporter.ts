// How far the stub is, told to vendor (PROGRESS, docs/protocol.md §6) and customer at a measured pace, and
// only when it has changed.
import type { Clock } from '../../shared/ports.ts';
import { IMAGE_DATA_BYTES } from '../../shared/sealed/messages.ts';
import type { MessageFields, OwnMessage } from '../../shared/tunnel/messages.ts';
import { boardNow, type BoardFacts } from './board-state.ts';
import type { Customer } from './ports.ts';
import type { Transport } from '../transport/port.ts';

/** Chosen, milliseconds. */
const EVERY_MS = 250;

export interface ProgressReporterOptions {
  readonly clock: Clock;
  readonly customer: Customer;
  readonly send: (message: OwnMessage) => void;
}

type Told = MessageFields['PROGRESS'];

export class ProgressReporter {
  readonly #options: ProgressReporterOptions;
  #last: Told | undefined;
  #at = Number.NEGATIVE_INFINITY;

  constructor(options: ProgressReporterOptions) {
    this.#options = options;
  }

  /** To be called after each turn; false when it was not yet time. @throws what fetching the progress brings */
  async tell(transport: Transport, facts: BoardFacts): Promise<boolean> {
    const { clock, customer, send } = this.#options;
    if (clock.now() - this.#at < EVERY_MS) return false;
    const { phase, number, ...progress } = await transport.progress();
    const changed = this.#last === undefined || differs(progress, this.#last);
    this.#at = clock.now();
    this.#last = progress;
    if (!changed) return true;
    send({ name: 'PROGRESS', ...progress });
    customer.progress({ phase, number, ...amounts(transport, facts) });
    return true;
  }
}

function differs(one: Told, other: Told): boolean {
  return one.accepted !== other.accepted || one.wordsProgrammed !== other.wordsProgrammed;
}

/** Image bytes taken and to be taken; by sealed commands, so the last one may overshoot. */
function amounts(transport: Transport, facts: BoardFacts): { doneBytes: number; totalBytes: number } {
  const ranges = facts.plan?.ranges.filter(({ use }) => use === 'program') ?? [];
  const totalBytes = ranges.reduce((sum, range) => sum + range.length, 0);
  const taken = transport.acceptedImages * IMAGE_DATA_BYTES;
  return { doneBytes: boardNow(facts) === 'written' ? totalBytes : Math.min(taken, totalBytes), totalBytes };
}
