// How a job takes leave of its agent: BYE with the customer's copy or the reason, then LEFT (docs/protocol.md §6, §10).
import type { AgentLine } from './agent-line.ts';
import { planOf } from '../store/job-record.ts';
import type { JobRecorder } from './job-recorder.ts';
import { isPlanted } from './planting.ts';
import type { JobOptions, JobTunnel } from './ports.ts';
import { customerCopyOf } from './receipts.ts';
import { endsInvite } from './problems.ts';
import type { SealedSession } from './sealed-session.ts';
import { detailForPeer, type BlindflashError } from '../../shared/errors/errors.ts';
import type { SignedText } from '../../shared/plan/receipt.ts';
import type { BoardState } from '../../shared/tunnel/bodies.ts';
import type { OwnMessageOf } from '../../shared/tunnel/messages.ts';

export class JobClosing {
  readonly #options: JobOptions;
  readonly #line: AgentLine;
  readonly #recorder: JobRecorder;
  #begun = false;
  #left: BoardState | undefined;
  /** LEFT may have been said before BYE was heard: the chip is locked. */
  #leftEarly = false;
  #customerCopy: SignedText | undefined;

  constructor(options: JobOptions, line: AgentLine, recorder: JobRecorder) {
    this.#options = options;
    this.#line = line;
    this.#recorder = recorder;
  }

  /** How the agent left the board, once it has said so. */
  get left(): BoardState | undefined {
    return this.#left;
  }

  /** The customer's copy of the receipt, once the job is recorded as finished. */
  get customerCopy(): SignedText | undefined {
    return this.#customerCopy;
  }

  /** True when the agent has heard that the job is over and has let go of the board: nobody has to come back. */
  get over(): boolean {
    return this.#begun && this.#left !== undefined;
  }

  /**
   * Nobody has to come back to a job that is over, or may with an invite that is spent: the relay hears so. After a
   * planting the same invite leads to the enrolment.
   */
  async endRoom(tunnel: JobTunnel, error: BlindflashError | undefined): Promise<void> {
    if (isPlanted(this.#recorder.record, error)) return;
    const spent = error !== undefined && endsInvite(error);
    if (this.over || spent) await tunnel.spend('vendor').catch(() => {});
    if (this.#recorder.record.room.invite.spent !== undefined) tunnel.revoke();
  }

  /**
   * How the agent left the board, once nothing more is due of it: one that may have left before BYE has to have heard
   * BYE, too.
   * @param unacknowledged messages it has not acknowledged
   */
  settled(unacknowledged: number): BoardState | undefined {
    return this.#leftEarly && unacknowledged > 0 ? undefined : this.#left;
  }

  /**
   * The agent has let go of the board: what it says of it is its own word. The first one counts. Returns what the job
   * hears: a chip that is locked needs nobody any more, and its agent leaves as soon as the chip has said so, and waits
   * for BYE.
   */
  agentLeft(agentSays: BoardState, session: SealedSession | undefined): 'LEFT' | 'leftLocked' {
    const locked = session?.ended === true && planOf(this.#recorder.record).lock !== 'none';
    if (this.#left === undefined) this.#note(agentSays, locked);
    return locked ? 'leftLocked' : 'LEFT';
  }

  #note(agentSays: BoardState, early: boolean): void {
    this.#left = agentSays;
    this.#leftEarly = early;
    this.#recorder.update({ agentSays });
    const { chipProved } = this.#recorder.record;
    this.#options.callbacks.onEvent?.({ type: 'left', agentSays, chipProved });
  }

  /** The job is done whatever happens now; resolves when that is on disk, with the good news for the agent. */
  async finish(): Promise<OwnMessageOf<'BYE'>> {
    this.#recorder.update({ finished: true });
    await this.#recorder.saved();
    const { receipt } = this.#recorder;
    const copy = receipt === undefined ? undefined : customerCopyOf(receipt, this.#options.keys.receipt);
    this.#customerCopy = copy;
    const customer = { receipt: copy?.text ?? null, signature: copy?.signature ?? null };
    return { name: 'BYE', done: true, customer };
  }

  /** The job is over without its work: what the agent hears of it. */
  failure(error: BlindflashError): OwnMessageOf<'BYE'> {
    return { name: 'BYE', done: false, failure: { code: error.code, detail: detailForPeer(error) } };
  }

  /** Says BYE, unless the agent has left already and does not wait for it. Throws as JobTunnel.send does. */
  sayBye(bye: OwnMessageOf<'BYE'>): void {
    this.#begun = true;
    this.#line.waits.renew();
    if (this.#left === undefined || this.#leftEarly) this.#line.send(bye);
  }

  /** For the log: BYE was to be said, and how the board was left is not known. */
  warnIfUnanswered(): void {
    if (!this.#begun || this.#left !== undefined) return;
    this.#options.log.warn({}, 'the agent did not say how it left the board');
  }
}
