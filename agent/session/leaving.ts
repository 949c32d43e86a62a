// How the agent lets go of the board: once in a session, with the debug unit put back and the board in its final state
// (docs/protocol.md §6, "leaving"; §9).
import type { Log } from '../../shared/ports.ts';
import type { BoardState } from '../../shared/tunnel/bodies.ts';
import type { Target } from '../target/target.ts';
import { boardAfter, boardNow, finalStateOf } from './board-state.ts';
import { putProtectionBack } from './lift.ts';
import type { OptionWork } from './option-work.ts';
import type { AgentMemory, Customer } from './ports.ts';
import type { StubWork } from './stub-work.ts';

export interface LeavingOptions {
  readonly target: Target;
  readonly work: StubWork;
  readonly optionWork: OptionWork;
  readonly memory: AgentMemory;
  readonly customer: Customer;
  readonly log: Log;
}

export class Leaving {
  readonly #options: LeavingOptions;
  #left: BoardState | undefined;

  constructor(options: LeavingOptions) {
    this.#options = options;
  }

  /** How the board was left, once it was. */
  get left(): BoardState | undefined {
    return this.#left;
  }

  /** No key stays in the chip, then the board is left; a board that was left stays as it is. Never throws. */
  async leave(done: boolean): Promise<BoardState> {
    if (this.#left !== undefined) return this.#left;
    await this.#options.work.wipeKeys();
    this.#left = await this.#finish(done);
    return this.#left;
  }

  async #finish(done: boolean): Promise<BoardState> {
    const { target, work, optionWork, memory, customer, log } = this.#options;
    const { facts } = work;
    const finalState = finalStateOf(facts, done);
    try {
      if (done || !['incomplete', 'waiting'].includes(boardNow(facts))) {
        await putProtectionBack({ target, memory, customer });
      }
      await target.finish(finalState);
      if (finalState !== 'none') memory.noteStubGone();
      if (optionWork.board !== 'untouched') return optionWork.board;
      const left = boardAfter(facts, finalState, done);
      return left === 'running' && target.bootSource === 'system memory' ? 'rom' : left;
    } catch (error) {
      log.error({ error: String(error) }, 'the debug unit could not be restored');
      const now = boardNow(facts);
      if (now === 'incomplete' || now === 'erased') return now;
      return facts.stubLoaded ? 'waiting' : 'unknown';
    }
  }
}
