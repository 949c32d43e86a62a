// The work of a job inside its sealed session: what work.ts needs of the line, the record and the
// chip's budget of questions.
import type { AgentLine } from './agent-line.ts';
import type { JobClock } from './job-clock.ts';
import type { ChipKeyApproval } from './chip-key-approval.ts';
import type { JobRecorder } from './job-recorder.ts';
import { MOST_UNACKNOWLEDGED } from './limits.ts';
import type { JobEvent, JobOptions } from './ports.ts';
import type { SealedSession } from './sealed-session.ts';
import type { SealedSessionManager } from './sealed-session-manager.ts';
import { doWork, type QuestionBudget, type WorkOptions } from './work.ts';
import { jobId } from '../store/job-record.ts';
import { toHex } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import { knownChip } from '../../shared/chips/index.ts';
import { hasLoader } from '../../shared/plan/modes.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import { placeOf } from '../../shared/registry/states.ts';
import { silence } from './problems.ts';

/** The parts of a job that its work goes through. */
export interface WorkParts {
  readonly clock: JobClock;
  readonly line: AgentLine;
  readonly recorder: JobRecorder;
  readonly approvals: ChipKeyApproval;
  readonly sessions: SealedSessionManager;
  /** Messages the agent has not acknowledged. */
  readonly unacknowledged: () => number;
}

export class JobWork {
  readonly #options: JobOptions;
  readonly #parts: WorkParts;
  /** The work of the session that was begun last. */
  #begun: { readonly session: SealedSession; readonly done: Promise<readonly number[]> } | undefined;

  constructor(options: JobOptions, parts: WorkParts) {
    this.#options = options;
    this.#parts = parts;
  }

  /** Begins the plan's work in a session that is not confirmed yet: what may be sent before that is. */
  begin(session: SealedSession, plan: Plan): void {
    const done = this.#run(session, plan);
    // Of a session that is dropped nobody asks.
    done.catch(() => {});
    this.#begun = { session, done };
  }

  /**
   * The work that was begun in this session, which is confirmed now; resolves with the sectors that were skipped, once
   * everything is saved.
   */
  async finish(session: SealedSession): Promise<readonly number[]> {
    const begun = this.#begun;
    if (begun?.session !== session) throw fail('BF-INTERNAL-ARGUMENT', 'this session was not begun');
    const skipped = await begun.done;
    await this.#parts.recorder.saved();
    return skipped;
  }

  /** Resolves with the sectors that were skipped. */
  async #run(session: SealedSession, plan: Plan): Promise<readonly number[]> {
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
    const limit = line.limit('work', silence(plan), 'life');
    const until = async (ready: () => boolean): Promise<void> => {
      await session.confirmed;
      await line.waits.until(() => (ready() ? true : undefined), limit);
    };
    const proved = session.confirmed.then(() => recorder.saved());
    const room = (): boolean => sessions.hasCredit && unacknowledged() < MOST_UNACKNOWLEDGED;
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
      untilCredit: () => (session.mayGoAhead ? Promise.resolve() : until(room)),
      untilProved: () => proved,
      answered: (left = 0) => until(() => session.unanswered <= left),
      emit: (event) => this.#emit(event),
      emitKept: (event) => void recorder.saved().then(() => this.#emit(event)),
      beforeImage: () => (hasLoader(plan.mode) ? recorder.countImageSession() : Promise.resolve()),
      beforeChange: () => recorder.changing(toHex(session.peer.facts.uid)),
      enrol: () => this.#enrol(session, plan),
      recordEqual: (sector) => recorder.recordEqual(sector),
      evidence: async (evidence) => {
        clock.worked(evidence.chipTimes);
        const receipt = await recorder.keepReceipt(session.peer, plan, evidence, clock.times);
        this.#emit({ type: 'receipt', receipt });
      },
      lock: async (optcr, level1) => this.#emit({ type: 'receipt', receipt: await recorder.keepLock(optcr, level1) }),
    };
  }

  /** The chip has proved its keys: they go on record where it says whose they are. */
  async #enrol({ peer }: SealedSession, { mode, job, release }: Plan): Promise<void> {
    const { enrol } = this.#options;
    const { facts, stubHash, deviceKey, fileKey } = peer;
    const place = placeOf(mode);
    if (enrol === undefined || fileKey === undefined || place === undefined || release === undefined) {
      throw fail('BF-INTERNAL-ARGUMENT', 'an enrolment without a registry');
    }
    const uid = toHex(facts.uid);
    const keys = { sessionKey: toHex(deviceKey), fileKey: toHex(fileKey), loaderHash: toHex(stubHash) };
    const outcome = await enrol({ uid, ...keys, product: release.product, place, job: toHex(job) });
    this.#emit({ type: 'enrolled', uid, place, outcome });
  }

  /** Questions are off on record before they are asked, so that no process asks one too many. */
  #budget(): QuestionBudget {
    const { approvals, recorder } = this.#parts;
    return {
      get left() {
        return approvals.questionsLeft;
      },
      reserve: (questions) => {
        approvals.limitQuestions(approvals.questionsLeft - questions);
        return recorder.kept();
      },
      told: (left) => approvals.limitQuestions(left),
    };
  }

  #emit(event: JobEvent): void {
    this.#options.callbacks.onEvent?.(event);
  }
}
