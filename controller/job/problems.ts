// Bad news from the chip (its sealed ABORT) and from the agent (PROBLEM, docs/protocol.md §6) as coded errors, and what a new
// attempt may heal.
import { chipError } from '../../shared/errors/chip-errors.ts';
import { BlindflashError, errorRow, fail, isErrorCode, restartAfter } from '../../shared/errors/errors.ts';
import { BOARD, type Board, type Problem } from '../../shared/tunnel/bodies.ts';

/** A failure that a new sealed session may heal. */
export class Retryable extends Error {
  readonly error: BlindflashError;
  readonly cure: 'session' | 'board';

  constructor(error: BlindflashError, cure: 'session' | 'board' = 'session') {
    super(error.message);
    this.error = error;
    this.cure = cure;
  }
}

/** The stub's authenticated ABORT: an error, or one worth another try. */
export function abortError(number: number, detail: number): BlindflashError | Retryable {
  return curable(chipError(number, detail, 'the chip reports: ') ?? fail('BF-STUB-ABORTED', `error ${number}`));
}

/** The agent's PROBLEM. Its code may be one this version does not know. */
export function problemError({ code, detail }: Problem): BlindflashError | Retryable {
  if (!isErrorCode(code)) return fail('BF-STUB-ABORTED', `the agent reports ${code}: ${detail}`);
  return curable(fail(code, `the agent reports: ${detail}`));
}

function curable(error: BlindflashError): BlindflashError | Retryable {
  const restart = restartAfter(error.code);
  return restart === undefined ? error : new Retryable(error, restart);
}

/** True if the same agent can be met again with --resume after this error. */
export function isResumable(error: BlindflashError): boolean {
  return !errorRow(error.code).endsJob;
}

/** The same error, its detail ending with the state of the board. */
export function withBoard(error: BlindflashError, board: Board): BlindflashError {
  const detail = error.detail === undefined ? BOARD[board] : `${error.detail}; ${BOARD[board]}`;
  return new BlindflashError(error.code, detail, error.cause ?? error);
}
