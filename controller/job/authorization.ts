// What has to be settled with the customer before any sealed byte: the board fits the plan, and the yes is to exactly
// this plan (docs/protocol.md §6, §7).
import { planOf } from '../store/job-record.ts';
import { checkHello } from './checks.ts';
import type { AgentLine } from './agent-line.ts';
import type { JobRecorder } from './job-recorder.ts';
import type { JobEvent, JobOptions } from './ports.ts';
import { equalBytes } from '../../shared/codec/bytes.ts';
import { fail, isBlindflashError, type ErrorCode } from '../../shared/errors/errors.ts';
import { silence } from './problems.ts';
import { KINDS } from '../../shared/plan/kinds.ts';
import { encodePlan, planHash, plantsLoader, type Plan } from '../../shared/plan/plan.ts';
import type { Hello } from '../../shared/tunnel/bodies.ts';
import type { MessageOf } from '../../shared/tunnel/messages.ts';

export class Authorization {
  readonly #options: JobOptions;
  readonly #line: AgentLine;
  readonly #recorder: JobRecorder;
  #plan: Plan;
  /** UID as the agent told it, of a chip that is not protected: what a protected one tells may be anything. */
  #openUnit: string | undefined;

  constructor(options: JobOptions, line: AgentLine, recorder: JobRecorder) {
    this.#options = options;
    this.#line = line;
    this.#recorder = recorder;
    this.#plan = planOf(options.record);
  }

  /** What it is called when the program on the chip says nothing. */
  get silence(): ErrorCode {
    return silence(this.#plan);
  }

  /** The plan on record. */
  get plan(): Plan {
    return this.#plan;
  }

  /** Sends JOB if the board fits the plan. @throws what stands against it */
  present(hello: Hello): void {
    this.#fitPlan(hello);
    this.#checkHello(hello);
    this.#openUnit = hello.target.rdp === 0 ? hello.target.uid : undefined;
    const { keys, random } = this.#options;
    const { plan } = this.#recorder.record;
    const [sealedPublic, receiptPublic] = [keys.sealed.publicKey, keys.receipt.publicKey];
    this.#line.send({ name: 'JOB', sealedPublic, receiptPublic, hostEntropy: random.bytes(32), plan });
    this.#emit({ type: 'job', plan: this.#plan, planHash: planHash(plan) });
  }

  /** The customer's answer is a yes to exactly these bytes. @throws BF-PLAN-HASH, BF-JOB-DECLINED */
  compareConsent(consent: MessageOf<'CONSENT'>): void {
    if (!equalBytes(consent.planHash, planHash(this.#recorder.record.plan))) {
      throw fail('BF-PLAN-HASH', 'the agent answered for another plan');
    }
    if (!consent.yes) throw fail('BF-JOB-DECLINED');
    // A chip that is freed of its lock erases itself, and proves nothing afterwards.
    if (KINDS[this.#plan.kind].options === 'freed') void this.#recorder.changing(this.#openUnit);
    this.#emit({ type: 'consent' });
  }

  /** Another flash size than the plan was made for: the plan is made again, unless it was fixed or work has begun. */
  #fitPlan({ target }: Hello): void {
    const { planFor } = this.#options;
    const told = target.flashKiB !== 0 && this.#plan.flashKiB !== 0;
    const differs = told && target.flashKiB !== this.#plan.flashKiB;
    if (!differs || planFor === undefined || this.#recorder.record.uid !== undefined) return;
    this.#plan = planFor(target.flashKiB);
    this.#recorder.update({ plan: encodePlan(this.#plan) });
  }

  #checkHello(hello: Hello): void {
    try {
      checkHello(hello, this.#plan, this.#options.allowedStubs);
    } catch (error) {
      if (this.#isPlanted(hello, error)) throw fail('BF-JOB-PLANTED');
      const lockSent = this.#recorder.record.chipProved === 'written' && this.#plan.lock !== 'none';
      if (!lockSent || !isBlindflashError(error, 'BF-TARGET-RDP1')) throw error;
      throw fail(
        'BF-TARGET-RDP1',
        'the lock had been sent; the chip reads level 1 now, but nothing on it confirmed that',
      );
    }
  }

  /**
   * The first half of a planting is over: LOCK was sent, and the board is locked now or reached over its serial line,
   * which only a locked one is; or this is the second half, and the agent does not know that yet.
   */
  #isPlanted({ target }: Hello, error: unknown): boolean {
    const otherWay = isBlindflashError(error, 'BF-JOB-OTHER-WAY');
    if (this.#options.planted === true) return otherWay;
    const lockSent = this.#recorder.record.chipProved === 'written' && plantsLoader(this.#plan);
    return lockSent && ((otherWay && target.rdp === 1) || isBlindflashError(error, 'BF-TARGET-RDP1'));
  }

  #emit(event: JobEvent): void {
    this.#options.callbacks.onEvent?.(event);
  }
}
