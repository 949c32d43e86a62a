// How a job takes leave: BYE with the customer's copy or the reason, then LEFT (docs/protocol.md §6, §10).
import type { AgentChannel } from './agent-channel.ts';
import type { JobRecorder } from './job-recorder.ts';
import type { JobOptions, JobResult } from './ports.ts';
import { customerCopyOf } from './receipts.ts';
import { asBlindflashError, fail, type BlindflashError } from '../../shared/errors/errors.ts';
import type { Board } from '../../shared/tunnel/bodies.ts';
import type { MessageOf } from '../../shared/tunnel/messages.ts';

/** What a finished job has to show. */
export type Leave = Pick<JobResult, 'receipt' | 'customerCopy' | 'board'>;

export class JobClosing {
  readonly #options: JobOptions;
  readonly #talk: AgentChannel;
  readonly #keeper: JobRecorder;
  /** BYE is said or about to be: LEFT is what is waited for. */
  #begun = false;
  #left: Board | undefined;

  constructor(options: JobOptions, talk: AgentChannel, keeper: JobRecorder) {
    this.#options = options;
    this.#talk = talk;
    this.#keeper = keeper;
  }

  /** The customer's copy, and how the agent leaves the board. The job is done whatever happens now. */
  async done(): Promise<Leave> {
    this.#keeper.update({ finished: true });
    await this.#keeper.saved();
    const { receipt } = this.#keeper;
    const copy = receipt === undefined ? undefined : customerCopyOf(receipt, this.#options.keys.receipt);
    const customer = { receipt: copy?.text ?? null, signature: copy?.signature ?? null };
    const board = await this.#sayBye({ name: 'BYE', done: true, customer });
    return { receipt, customerCopy: copy, board };
  }

  /** The job is over without its work: the agent hears why, if there ever was one. */
  async failed(error: BlindflashError): Promise<void> {
    if (this.#talk.code === undefined) return;
    const failure = { code: error.code, detail: error.detail ?? '' };
    await this.#sayBye({ name: 'BYE', done: false, failure });
  }

  /** The agent has let go of the board; unless the job is over that is the end of it. */
  agentLeft(board: Board): void {
    this.#left = board;
    this.#options.callbacks.onEvent?.({ type: 'left', board });
    if (board === 'written' || board === 'erased' || board === 'incomplete') this.#keeper.update({ board });
    if (!this.#begun) {
      this.#talk.waiting.fail(this.#talk.trouble ?? fail('BF-TUNNEL-CLOSED', 'the agent has left the board'));
    }
  }

  async #sayBye(bye: MessageOf<'BYE'>): Promise<Board | undefined> {
    const talk = this.#talk;
    talk.renew();
    this.#begun = true;
    try {
      if (this.#left === undefined) talk.send(bye);
      return await talk.waiting.until(() => this.#left, talk.limit('left', 'BF-TUNNEL-TIMEOUT'));
    } catch (error) {
      this.#options.log.warn({ code: asBlindflashError(error).code }, 'the agent did not say how it left the board');
      return undefined;
    }
  }
}
