// The one question of a session: may this be done? Shown as a sheet, answered by an event; a question that is on the
// customer's screen stays there whatever the connection does (docs/protocol.md §14).
import { equalBytes } from '../../shared/codec/bytes.ts';
import { consentSheet } from '../consent/sheet.ts';
import type { Target } from '../target/target.ts';
import { consentWord } from '../../shared/plan/consent.ts';
import type { Random } from '../../shared/ports.ts';
import type { Job } from './job.ts';
import type { AgentMemory, Customer } from './ports.ts';

export interface ConsentQuestionsOptions {
  readonly customer: Customer;
  readonly memory: AgentMemory;
  readonly target: Target;
  readonly random: Random;
  /** V of the invite, 32 bytes. */
  readonly vendor: Uint8Array;
  /** Takes the answer that will come. */
  readonly expectAnswer: (answer: Promise<boolean>) => void;
}

export class ConsentQuestions {
  readonly #options: ConsentQuestionsOptions;
  #pending: Job | undefined;
  /** What the question before was about. */
  #before: Job | undefined;
  readonly #words = new Set<string>();

  constructor(options: ConsentQuestionsOptions) {
    this.#options = options;
  }

  /**
   * Shows the sheet of a job and asks, unless another question, or this one, waits for its answer.
   * @param code of this tunnel
   */
  put(job: Job, code: string): void {
    if (this.#pending !== undefined) return;
    const { customer, memory, target, vendor, expectAnswer } = this.#options;
    this.#pending = job;
    const sheet = consentSheet({
      plan: job.plan,
      planHash: job.hash,
      word: this.#freshWord(job),
      another: this.#before !== undefined && !isSameConsent(this.#before, job),
      vendor,
      vendorKnown: memory.vendorKnown,
      board: target.identity,
      probe: target.info,
      stubHash: job.stubHash,
      stubRuns: target.transport !== undefined,
      reached: target.reached,
    });
    customer.showSheet(sheet);
    expectAnswer(customer.askConsent(sheet, code));
  }

  /** An answer came: the job it is about. */
  answered(): Job | undefined {
    const job = this.#pending;
    this.#pending = undefined;
    this.#before = job;
    return job;
  }

  /** A word that stood on no sheet of this process before. */
  #freshWord({ consentHash }: Job): string {
    let word: string;
    do word = consentWord(consentHash, this.#options.random.bytes(16));
    while (this.#words.has(word));
    this.#words.add(word);
    return word;
  }
}

/** True when a yes to one is a yes to the other. */
export function isSameConsent(one: Job, other: Job): boolean {
  return equalBytes(one.consentHash, other.consentHash);
}
