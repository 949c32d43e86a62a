// Bad news from the chip (its sealed ABORT) and from the agent (PROBLEM, docs/protocol.md §6) as coded errors, and what
// a new attempt may heal. What a code means for the job stands in the catalogue (shared/errors/catalogue.ts).
import { quotable } from '../../shared/codec/foreign-text.ts';
import { chipError } from '../../shared/errors/chip-errors.ts';
import { CHIP_PROVED, type JobRecord } from '../store/job-record.ts';
import {
  BlindflashError,
  type ErrorCode,
  errorRow,
  fail,
  isErrorCode,
  mayTell,
  restartAfter,
} from '../../shared/errors/errors.ts';
import type { ProgramOnChip } from '../../shared/plan/modes.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import { programOf } from '../../shared/plan/program.ts';
import type { SpentReason } from '../../shared/tunnel/invite-state.ts';
import { BOARD_STATES, type Problem } from '../../shared/tunnel/bodies.ts';

/** For a program on the chip whose hash is none of those this version has. */
export const UNKNOWN = { stub: 'BF-STUB-UNKNOWN', loader: 'BF-LOADER-UNKNOWN' } as const satisfies Record<
  ProgramOnChip,
  ErrorCode
>;

/** The code for the program of a plan when it says nothing. */
export function silence(plan: Pick<Plan, 'kind' | 'mode'>): ErrorCode {
  return programOf(plan) === 'loader' ? 'BF-LOADER-SILENT' : 'BF-STUB-SILENT';
}

/** Bad news that a new sealed session may heal; after `board` the board is given a moment first. */
export interface Trouble {
  readonly error: BlindflashError;
  readonly cure: 'session' | 'board';
}

/** The authenticated ABORT of a program on the chip. @param number of its error table @param detail as it gave it */
export function abortError(program: ProgramOnChip, number: number, detail: number): BlindflashError {
  return chipError(program, number, detail, 'the chip reports: ') ?? fail('BF-STUB-ABORTED', `error ${number}`);
}

/**
 * The agent's PROBLEM. A code that is the vendor's own to say, or that this version does not know, is told as the
 * agent's word.
 * @param proved only a code or a known chip shows that it is the customer's agent; before that its word ends no job
 */
export function problemError({ code, detail }: Problem, proved: boolean): BlindflashError {
  const said = `“${quotable(detail)}”`;
  if (!isErrorCode(code) || !mayTell('agent', code)) {
    return fail(proved ? 'BF-STUB-ABORTED' : 'BF-TUNNEL-CLOSED', `the agent reports ${code}: ${said}`);
  }
  const error = fail(code, `the agent reports: ${said}`);
  return proved || isResumable(error) ? error : fail('BF-TUNNEL-CLOSED', `the agent reports ${code}: ${said}`);
}

/** The error as trouble, if a new sealed session may heal it. */
export function troubleOf(error: BlindflashError): Trouble | undefined {
  const cure = restartAfter(error.code);
  return cure === undefined ? undefined : { error, cure };
}

/** Why the job stops when its invite is spent; undefined where that is no trouble. */
export function spentError(why: SpentReason): BlindflashError | undefined {
  return {
    answers: fail('BF-INVITE-SPENT', 'it was answered 32 times and nobody proved anything'),
    codes: fail('BF-INVITE-SPENT', 'three wrong codes were typed'),
    'second holder': fail('BF-INVITE-SECOND-HOLDER'),
    vendor: undefined,
  }[why];
}

/** True if the same agent can be met again with --resume after this error. */
export function isResumable(error: BlindflashError): boolean {
  return !errorRow(error.code).endsJob;
}

/** True if the error ends the invite and is told to the agent that came with it; the job goes on under another. */
export function endsInvite({ code }: BlindflashError): boolean {
  return code === 'BF-INVITE-SPENT' || code === 'BF-JOB-CODE-REFUSED';
}

/** The same error, its detail ending with what the chip has proved and, apart, what the agent says of the board. */
export function withBoard(error: BlindflashError, { chipProved, agentSays }: JobRecord): BlindflashError {
  const proved = CHIP_PROVED[chipProved];
  const board = agentSays === undefined ? proved : `${proved}; the agent says: ${BOARD_STATES[agentSays]}`;
  return new BlindflashError(
    error.code,
    error.detail === undefined ? board : `${error.detail}; ${board}`,
    error.cause ?? error,
  );
}
