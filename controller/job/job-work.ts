// The work of a job inside its sealed session: what work.ts needs of the line, the record and the
// chip's budget of questions.
import type { AgentLine } from './agent-line.ts';
import type { JobClock } from './job-clock.ts';
import type { DeviceApproval } from './device-approval.ts';
import type { JobRecorder } from './job-recorder.ts';
import { MOST_UNACKNOWLEDGED } from './ports.ts';
import type { JobEvent, JobOptions } from './ports.ts';
import type { SealedSession } from './sealed-session.ts';
import type { SealedSessionManager } from './sealed-session-manager.ts';
import { doWork, type QuestionBudget, type WorkOptions } from './work.ts';
import { jobId } from './job-record.ts';
import { toHex } from '../../shared/codec/bytes.ts';
import { knownChip } from '../../shared/chips/index.ts';
import type { Plan } from '../../shared/plan/plan.ts';

/** The parts of a job that its work goes through. */
export interface WorkParts {
  readonly clock: JobClock;
  readonly line: AgentLine;
  readonly recorder: JobRecorder;
  readonly devices: DeviceApproval;
  readonly sessions: SealedSessionManager;
  /** Messages the agent has not acknowledged. */
  readonly unacknowledged: () => number;
}

export class JobWork {
  readonly #options: JobOptions;
  readonly #parts: WorkParts;

  constructor(options: JobOptions, parts: WorkParts) {
    this.#options = options;
    this.#parts = parts;
  }

  /** Does the plan's work in this session; resolves with the sectors that were skipped. */
  async run(session: SealedSession, plan: Plan): Promise<readonly number[]> {
    const { recorder } = this.#parts;
    const { store } = this.#options;
    const uid = toHex(session.peer.facts.uid);
    const fresh = recorder.record.chipProved === 'untouched' && !plan.flags.includes('always erase');
    const trustBlank = fresh && !(await store.leftIncomplete(uid, jobId(recorder.record)));
    return doWork(this.#workOptions(session, plan, trustBlank));
  }

  #workOptions(session: SealedSession, plan: Plan, trustBlank: boolean): WorkOptions {
    const { clock, line, recorder, sessions, unacknowledged } = this.#parts;
    const { image, delta, where } = this.#options;
    const limit = line.limit('work', 'BF-STUB-SILENT', 'life');
    const until = async (ready: () => boolean): Promise<void> => {
      await line.waits.until(() => (ready() ? true : undefined), limit);
    };
    return {
      session,
      plan,
      chip: knownChip(plan.devId),
      image,
      trustBlank,
      sectorsOnRecord: recorder.record.acknowledged,
      delta: delta === true,
      where: where === true,
      budget: this.#budget(),
      untilCredit: () => until(() => sessions.hasCredit && unacknowledged() < MOST_UNACKNOWLEDGED),
      answered: (left = 0) => until(() => session.unanswered <= left),
      emit: (event) => this.#emit(event),
      emitKept: (event) => void recorder.saved().then(() => this.#emit(event)),
      beforeChange: () => recorder.changed('incomplete'),
      acknowledge: (sector) => recorder.acknowledge(sector),
      evidence: async (evidence) => {
        clock.worked(evidence.spent);
        const receipt = await recorder.keepReceipt(session.peer, plan, evidence, clock.times);
        this.#emit({ type: 'receipt', receipt });
      },
      lock: async (optcr, level1) => this.#emit({ type: 'receipt', receipt: await recorder.keepLock(optcr, level1) }),
    };
  }

  /** Questions are off on record before they are asked, so that no process asks one too many. */
  #budget(): QuestionBudget {
    const { devices, recorder } = this.#parts;
    return {
      get left() {
        return devices.questionsLeft;
      },
      reserve: (questions) => {
        devices.limitQuestions(devices.questionsLeft - questions);
        return recorder.kept();
      },
      told: (left) => devices.limitQuestions(left),
    };
  }

  #emit(event: JobEvent): void {
    this.#options.callbacks.onEvent?.(event);
  }
}
