// What the program on the chip says when it refuses, aborts or stops: the numbers of its ERROR word and of its sealed
// ABORT, with the code both sides are told (docs/mailbox.md, "Errors"; docs/protocol.md §8). The C names are generated
// from this table.
import type { ErrorCode } from './catalogue.ts';
import { fail, type BlindflashError } from './errors.ts';

export interface ChipErrorRow {
  /** Value of ERROR. */
  readonly number: number;
  readonly what: string;
  /** Meaning of DETAIL, empty when it is 0. */
  readonly detail: string;
  readonly code: ErrorCode;
}

export const CHIP_ERRORS = {
  planMalformed: { number: 1, what: 'plan malformed', detail: 'offset', code: 'BF-PLAN-MALFORMED' },
  wrongChip: { number: 2, what: 'wrong chip', detail: 'what was read', code: 'BF-PLAN-WRONG-CHIP' },
  randomFailed: {
    number: 3,
    what: 'random generator failed',
    detail: 'RNG_SR, or the failed test',
    code: 'BF-STUB-ENTROPY',
  },
  clockFailed: { number: 4, what: 'clock failed', detail: 'RCC_CR', code: 'BF-STUB-CRASHED' },
  protectedChip: { number: 5, what: 'read protection active', detail: 'OPTCR', code: 'BF-TARGET-RDP1' },
  confirmWrong: { number: 6, what: 'confirmation wrong', detail: '', code: 'BF-STUB-AUTHENTICATION' },
  boxFailed: { number: 7, what: 'box did not open', detail: 'sequence', code: 'BF-STUB-AUTHENTICATION' },
  outsidePlan: { number: 8, what: 'outside plan', detail: 'address, sector or index', code: 'BF-JOB-REFUSED' },
  order: { number: 9, what: 'order', detail: 'command kind', code: 'BF-JOB-REFUSED' },
  flashError: { number: 10, what: 'flash error', detail: 'FLASH_SR', code: 'BF-STUB-PROGRAM' },
  flashTimeout: { number: 11, what: 'flash timeout', detail: 'FLASH_SR', code: 'BF-STUB-PROGRAM' },
  digestDiffers: { number: 12, what: 'digest differs', detail: 'range, FFFFFFFF for the root', code: 'BF-JOB-VERIFY' },
  notBlank: { number: 13, what: 'not blank', detail: 'address', code: 'BF-STUB-ERASE' },
  optionsFailed: { number: 14, what: 'option bytes failed', detail: 'OPTCR', code: 'BF-STUB-OPTIONS' },
  idle: { number: 15, what: 'idle limit', detail: '', code: 'BF-JOB-EXPIRED' },
  agentStopped: { number: 16, what: 'agent asked to stop', detail: '', code: 'BF-JOB-INTERRUPTED' },
  controllerStopped: { number: 17, what: 'controller asked to stop', detail: '', code: 'BF-STUB-ABORTED' },
  cpuFault: { number: 18, what: 'CPU fault', detail: 'PC', code: 'BF-STUB-CRASHED' },
  tooManyHandshakes: { number: 19, what: 'too many handshakes', detail: '', code: 'BF-STUB-AUTHENTICATION' },
  zeroSecret: { number: 20, what: 'zero shared secret', detail: '', code: 'BF-STUB-AUTHENTICATION' },
  malformedCommand: {
    number: 21,
    what: 'malformed sealed command',
    detail: 'command kind',
    code: 'BF-JOB-REFUSED',
  },
  noRandom: { number: 22, what: 'this part has no random generator', detail: 'DEV_ID', code: 'BF-TARGET-NO-RANDOM' },
  vendorKey: {
    number: 23,
    what: 'vendor key refused',
    detail: 'place in the config from 0, 4 for none',
    code: 'BF-STUB-VENDOR-KEY',
  },
  noEntry: { number: 24, what: 'no entry for this device', detail: '', code: 'BF-UPDATE-REFUSED' },
  tooManyTries: { number: 25, what: 'too many tries with this file', detail: '', code: 'BF-UPDATE-TRIES' },
} as const satisfies Record<string, ChipErrorRow>;

const BY_NUMBER = new Map<number, ChipErrorRow>(Object.values(CHIP_ERRORS).map((row) => [row.number, row]));

/** FLASH_SR.WRPERR (RM0090 §3.9.4): the sector is protected, and the operation was not begun. */
const WRPERR = 0x10;
const REFUSED_BY_PROTECTION = 'BF-TARGET-WRITE-PROTECTED' satisfies ErrorCode;

/**
 * ERROR and DETAIL as a coded error, or undefined for a number no stub of this version writes.
 * @param reporter opens the error's detail, for example `the chip reports: `.
 */
export function chipError(number: number, detail: number, reporter = ''): BlindflashError | undefined {
  const row = BY_NUMBER.get(number);
  if (row === undefined) return undefined;
  const code = number === CHIP_ERRORS.flashError.number && (detail & WRPERR) !== 0 ? REFUSED_BY_PROTECTION : row.code;
  const particulars = row.detail === '' ? '' : `: ${row.detail} 0x${detail.toString(16).padStart(8, '0')}`;
  return fail(code, `${reporter}${row.what}${particulars}`);
}
