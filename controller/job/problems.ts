// Bad news from the chip and from the agent as coded errors: the stub's error table (docs/mailbox.md) and PROBLEM
// (docs/protocol.md §6).
import { BlindflashError, ERRORS, fail, type ErrorCode } from '../../shared/errors/errors.ts';
import { STUB_ERRORS, type StubError, type StubErrorName } from '../../shared/mailbox/layout.ts';
import { BOARD, type Board, type Problem } from '../../shared/tunnel/bodies.ts';

/** What a new attempt may heal: nothing; the sealed session; the board (its power, its wires, its RAM). */
type Cure = 'none' | 'session' | 'board';

interface Meaning {
  readonly code: ErrorCode;
  readonly cure: Cure;
}

const MEANINGS: Readonly<Record<StubErrorName, Meaning>> = {
  planMalformed: { code: 'BF-PLAN-MALFORMED', cure: 'none' },
  wrongChip: { code: 'BF-PLAN-WRONG-CHIP', cure: 'none' },
  randomFailed: { code: 'BF-STUB-ENTROPY', cure: 'none' },
  clockFailed: { code: 'BF-STUB-CRASHED', cure: 'board' },
  protectedChip: { code: 'BF-TARGET-RDP1', cure: 'none' },
  confirmWrong: { code: 'BF-STUB-AUTHENTICATION', cure: 'session' },
  boxFailed: { code: 'BF-STUB-AUTHENTICATION', cure: 'session' },
  outsidePlan: { code: 'BF-STUB-ABORTED', cure: 'none' },
  order: { code: 'BF-STUB-ABORTED', cure: 'none' },
  flashError: { code: 'BF-STUB-PROGRAM', cure: 'none' },
  flashTimeout: { code: 'BF-STUB-PROGRAM', cure: 'none' },
  digestDiffers: { code: 'BF-JOB-VERIFY', cure: 'none' },
  notBlank: { code: 'BF-STUB-ERASE', cure: 'none' },
  optionsFailed: { code: 'BF-STUB-OPTIONS', cure: 'none' },
  idle: { code: 'BF-JOB-EXPIRED', cure: 'session' },
  agentStopped: { code: 'BF-JOB-INTERRUPTED', cure: 'none' },
  controllerStopped: { code: 'BF-JOB-INTERRUPTED', cure: 'none' },
  cpuFault: { code: 'BF-STUB-CRASHED', cure: 'board' },
  tooManyHandshakes: { code: 'BF-STUB-ABORTED', cure: 'none' },
  zeroSecret: { code: 'BF-STUB-AUTHENTICATION', cure: 'session' },
  malformedFrame: { code: 'BF-STUB-ABORTED', cure: 'none' },
  noRandom: { code: 'BF-TARGET-NO-RANDOM', cure: 'none' },
};

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
  const name = (Object.keys(STUB_ERRORS) as StubErrorName[]).find((row) => STUB_ERRORS[row].code === number);
  if (name === undefined) return fail('BF-STUB-ABORTED', `error ${number}`);
  const row: StubError = STUB_ERRORS[name];
  const particulars = row.detail === '' ? '' : ` (${row.detail}: 0x${detail.toString(16)})`;
  const { code, cure } = MEANINGS[name];
  return curable(fail(code, `the chip reports: ${row.what}${particulars}`), cure);
}

/** What may pass when somebody switches the board on again or holds the wires: the agent says these. */
const BOARD_TROUBLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'BF-STUB-CRASHED',
  'BF-STUB-LOAD',
  'BF-STUB-MAILBOX',
  'BF-STUB-SILENT',
  'BF-TARGET-FAULT',
  'BF-TARGET-NO-HALT',
  'BF-TARGET-NO-POWER',
  'BF-TARGET-NO-RESET',
  'BF-TARGET-NONE',
  'BF-TARGET-WAIT',
  'BF-TARGET-WIRE',
]);
const SESSION_TROUBLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['BF-STUB-AUTHENTICATION', 'BF-JOB-EXPIRED']);

/** The agent's PROBLEM. Its code may be one this version does not know. */
export function problemError(problem: Problem): BlindflashError | Retryable {
  if (!(problem.code in ERRORS)) return fail('BF-STUB-ABORTED', `the agent reports ${problem.code}: ${problem.detail}`);
  const code = problem.code as ErrorCode;
  const error = fail(code, `the agent reports: ${problem.detail}`);
  return curable(error, SESSION_TROUBLE.has(code) ? 'session' : BOARD_TROUBLE.has(code) ? 'board' : 'none');
}

function curable(error: BlindflashError, cure: Cure): BlindflashError | Retryable {
  return cure === 'none' ? error : new Retryable(error, cure);
}

/** Errors after which the agent is told to let go; after all others it keeps waiting for `--resume`. */
const OVER =
  /^BF-(IMAGE|PLAN|KEYS|VERSION|INTERNAL|JOB-(CODE-REFUSED|DECLINED|IMAGE-CHANGED|NOT-LOCKED|OTHER-BOARD|POLICY|VERIFY)|STUB-(UNKNOWN|ENTROPY)|TARGET-(BANK2-BOOT|NO-RANDOM|RDP|WRONG))/;

/** True if the same agent can be met again with --resume after this error. */
export function isResumable(error: BlindflashError): boolean {
  return !OVER.test(error.code);
}

/** The same error, its detail ending with the state of the board. */
export function withBoard(error: BlindflashError, board: Board): BlindflashError {
  const detail = error.detail === undefined ? BOARD[board] : `${error.detail}; ${BOARD[board]}`;
  return new BlindflashError(error.code, detail, error.cause ?? error);
}
