// The question for the code: the vendor types what the customer reads to him (docs/protocol.md §13). It belongs to one
// tunnel; an answer that was typed for another one is void. The expected code never leaves the tunnel.
import type { AgentLine } from './agent-line.ts';
import type { ChipKeyApproval } from './chip-key-approval.ts';
import { inviteName } from './invite.ts';
import type { JobRecorder } from './job-recorder.ts';
import type { CodeAnswer, JobOptions } from './ports.ts';
import { planOf } from '../store/job-record.ts';
import type { Clock } from '../../shared/ports.ts';
import { cleanText } from '../../shared/codec/foreign-text.ts';
import { INVITE_LIMITS } from '../../shared/tunnel/invite-state.ts';

export class CodeQuestion {
  readonly #callbacks: JobOptions['callbacks'];
  readonly #clock: Clock;
  readonly #line: AgentLine;
  readonly #recorder: JobRecorder;
  readonly #approvals: ChipKeyApproval;
  /** Number of the tunnel whose code is asked for. */
  #tunnel: number | undefined;
  #right = false;
  /** The tunnel that was asked about first when: its time for an answer runs from there. */
  #first: { readonly tunnel: number | undefined; readonly at: number } | undefined;

  constructor(options: JobOptions, line: AgentLine, recorder: JobRecorder, approvals: ChipKeyApproval) {
    this.#callbacks = options.callbacks;
    this.#clock = options.clock;
    this.#line = line;
    this.#recorder = recorder;
    this.#approvals = approvals;
  }

  /** Asks for the code of the present tunnel. Returns when that was first asked for, milliseconds of the clock. */
  ask(): number {
    const tunnel = this.#line.tunnelNumber;
    this.#tunnel = tunnel;
    if (this.#first === undefined || this.#first.tunnel !== tunnel) this.#first = { tunnel, at: this.#clock.now() };
    this.#right = false;
    this.#tell(undefined);
    return this.#first.at;
  }

  /** True once the latest question was answered right. */
  get right(): true | undefined {
    return this.#right ? true : undefined;
  }

  /** The question is void, if one is open. */
  drop(): void {
    if (this.#tunnel === undefined) return;
    const tunnel = this.#tunnel;
    this.#tunnel = undefined;
    this.#callbacks.onEvent?.({ type: 'codeVoid', tunnel });
  }

  /** Holds what was typed for a tunnel against its code. Resolves when the consequence is on record. */
  async answer(typed: string, tunnel: number): Promise<CodeAnswer> {
    if (this.#tunnel === undefined || tunnel !== this.#tunnel) return 'void';
    const verdict = await this.#line.checkCode(typed);
    // Another tunnel may have been confirmed meanwhile: a right code is worth nothing there.
    if (this.#tunnel !== tunnel) return verdict === 'right' ? 'void' : verdict;
    if (verdict === 'right') this.#settle();
    else if (verdict !== 'spent') this.#tell(verdict);
    return verdict;
  }

  #settle(): void {
    this.#tunnel = undefined;
    this.#right = true;
    this.#approvals.settle('typed');
    this.#line.waits.notify();
  }

  #tell(again: 'wrong' | 'malformed' | undefined): void {
    const { record } = this.#recorder;
    this.#callbacks.onEvent?.({
      type: 'code',
      tunnel: this.#tunnel as number,
      invite: inviteName(record.room),
      customer: cleanText(planOf(record).label),
      again,
      triesLeft: INVITE_LIMITS.wrongCodes - record.room.invite.wrongCodes,
    });
  }
}
