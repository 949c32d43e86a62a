// What has to be settled before any sealed byte: the board fits the plan, the customer's yes to exactly this plan, the
// vendor's yes to the code (docs/protocol.md §4, §6, §7).
import { planOf } from './job-record.ts';
import { checkHello } from './checks.ts';
import type { AgentChannel } from './agent-channel.ts';
import type { JobRecorder } from './job-recorder.ts';
import type { JobEvent, JobOptions } from './ports.ts';
import { equalBytes } from '../../shared/codec/bytes.ts';
import { fail, isBlindflashError } from '../../shared/errors/errors.ts';
import { encodePlan, planHash, type Plan } from '../../shared/plan/plan.ts';
import type { Hello } from '../../shared/tunnel/bodies.ts';

export class Authorization {
  readonly #options: JobOptions;
  readonly #talk: AgentChannel;
  readonly #keeper: JobRecorder;
  #plan: Plan;

  constructor(options: JobOptions, talk: AgentChannel, keeper: JobRecorder) {
    this.#options = options;
    this.#talk = talk;
    this.#keeper = keeper;
    this.#plan = planOf(options.record);
  }

  /** The plan on record. */
  get plan(): Plan {
    return this.#plan;
  }

  /** Resolves when everybody has agreed to this board, this plan and this tunnel; throws what stands against it. */
  async reach(hello: Hello): Promise<void> {
    this.#fitPlan(hello);
    this.#checkHello(hello);
    await this.#agree();
    await this.#confirmCode();
  }

  /** Another flash size than the plan was made for: the plan is made again, unless it was fixed or work has begun. */
  #fitPlan({ target }: Hello): void {
    const { planFor } = this.#options;
    const told = target.flashKiB !== 0 && this.#plan.flashKiB !== 0;
    const differs = told && target.flashKiB !== this.#plan.flashKiB;
    if (!differs || planFor === undefined || this.#keeper.record.uid !== undefined) return;
    this.#plan = planFor(target.flashKiB);
    this.#keeper.update({ plan: encodePlan(this.#plan) });
  }

  #checkHello(hello: Hello): void {
    try {
      checkHello(hello, this.#plan, this.#options.allowedStubs);
    } catch (error) {
      const lockSent = this.#keeper.record.board === 'written' && this.#plan.lock !== 'none';
      if (!lockSent || !isBlindflashError(error, 'BF-TARGET-RDP1')) throw error;
      throw fail(
        'BF-TARGET-RDP1',
        'the lock had been sent; the chip reads level 1 now, but nothing on it confirmed that',
      );
    }
  }

  /** JOB, and the customer's yes to exactly these bytes. */
  async #agree(): Promise<void> {
    const { keys, random } = this.#options;
    const { plan } = this.#keeper.record;
    const hash = planHash(plan);
    this.#talk.send({ name: 'JOB', sealedPublic: keys.sealed.publicKey, hostEntropy: random.bytes(32), plan });
    this.#emit({ type: 'job', plan: this.#plan, planHash: hash });
    const consent = await this.#talk.take('CONSENT', this.#talk.limit('consent', 'BF-TUNNEL-TIMEOUT'), ['SEALED1']);
    if (!equalBytes(consent.planHash, hash)) throw fail('BF-PLAN-HASH', 'the agent answered for another plan');
    if (!consent.yes) throw fail('BF-JOB-DECLINED');
    this.#emit({ type: 'consent' });
  }

  /** No image leaves before the vendor has confirmed the code of a tunnel of this invite, or has waived it. */
  async #confirmCode(): Promise<void> {
    if (this.#keeper.record.room.codeConfirmed) return;
    const code = this.#talk.code as string;
    if (this.#options.waiveCode !== true) await this.#askCode(code);
    this.#keeper.updateRoom({ codeConfirmed: true });
  }

  async #askCode(code: string): Promise<void> {
    const talk = this.#talk;
    let answer: boolean | undefined;
    talk.mail.expected = ['SEALED1'];
    this.#options.callbacks.confirmCode(code).then(
      (yes) => {
        answer = yes;
        talk.waiting.notify();
      },
      (error: unknown) => talk.waiting.fail(error),
    );
    const yes = await talk.waiting.until(() => answer, talk.limit('consent', 'BF-JOB-CODE-REFUSED'));
    if (!yes) throw fail('BF-JOB-CODE-REFUSED');
  }

  #emit(event: JobEvent): void {
    this.#options.callbacks.onEvent?.(event);
  }
}
