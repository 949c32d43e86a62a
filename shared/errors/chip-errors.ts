// What the program on the chip says when it refuses, aborts or stops: the numbers of its ERROR word, of its STATUS and
// of its sealed ABORT, with the code both sides are told (docs/mailbox.md, "Errors"; docs/serial-link.md;
// docs/protocol.md §8). The C names are generated from this table.
import type { ErrorCode } from './catalogue.ts';
import type { ProgramOnChip } from '../plan/modes.ts';
import { fail, type BlindflashError } from './errors.ts';

export interface ChipErrorRow {
  /** Value of ERROR. */
  readonly number: number;
  readonly what: string;
  /** Meaning of DETAIL, empty when it is 0. */
  readonly detail: string;
  /** The code when a stub says it; undefined: none does. */
  readonly stub: ErrorCode | undefined;
  /** The code when a loader says it. */
  readonly loader: ErrorCode | undefined;
}

export const CHIP_ERRORS = {
  planMalformed: {
    number: 1,
    what: 'plan malformed',
    detail: 'offset',
    stub: 'BF-PLAN-MALFORMED',
    loader: 'BF-PLAN-MALFORMED',
  },
  wrongChip: {
    number: 2,
    what: 'wrong chip',
    detail: 'what was read',
    stub: 'BF-PLAN-WRONG-CHIP',
    loader: 'BF-PLAN-WRONG-CHIP',
  },
  randomFailed: {
    number: 3,
    what: 'random generator failed',
    detail: 'RNG_SR, or the failed test',
    stub: 'BF-STUB-ENTROPY',
    loader: 'BF-STUB-ENTROPY',
  },
  clockFailed: {
    number: 4,
    what: 'clock failed',
    detail: 'RCC_CR',
    stub: 'BF-STUB-CRASHED',
    loader: 'BF-LOADER-CLOCK',
  },
  protectedChip: {
    number: 5,
    what: 'read protection active',
    detail: 'OPTCR',
    stub: 'BF-TARGET-RDP1',
    loader: 'BF-LOADER-KEYS',
  },
  confirmWrong: {
    number: 6,
    what: 'confirmation wrong',
    detail: '',
    stub: 'BF-STUB-AUTHENTICATION',
    loader: 'BF-STUB-AUTHENTICATION',
  },
  boxFailed: {
    number: 7,
    what: 'box did not open',
    detail: 'sequence',
    stub: 'BF-STUB-AUTHENTICATION',
    loader: 'BF-STUB-AUTHENTICATION',
  },
  outsidePlan: {
    number: 8,
    what: 'outside plan',
    detail: 'address, sector or index',
    stub: 'BF-JOB-REFUSED',
    loader: 'BF-JOB-REFUSED',
  },
  order: { number: 9, what: 'order', detail: 'command kind', stub: 'BF-JOB-REFUSED', loader: 'BF-JOB-REFUSED' },
  flashError: {
    number: 10,
    what: 'flash error',
    detail: 'FLASH_SR',
    stub: 'BF-STUB-PROGRAM',
    loader: 'BF-LOADER-FLASH',
  },
  flashTimeout: {
    number: 11,
    what: 'flash timeout',
    detail: 'FLASH_SR',
    stub: 'BF-STUB-PROGRAM',
    loader: 'BF-LOADER-FLASH',
  },
  digestDiffers: {
    number: 12,
    what: 'digest differs',
    detail: 'range, FFFFFFFF for the root',
    stub: 'BF-JOB-VERIFY',
    loader: 'BF-JOB-VERIFY',
  },
  notBlank: { number: 13, what: 'not blank', detail: 'address', stub: 'BF-STUB-ERASE', loader: undefined },
  optionsFailed: {
    number: 14,
    what: 'option bytes failed',
    detail: 'OPTCR',
    stub: 'BF-STUB-OPTIONS',
    loader: undefined,
  },
  idle: { number: 15, what: 'idle limit', detail: '', stub: 'BF-JOB-EXPIRED', loader: 'BF-JOB-EXPIRED' },
  agentStopped: {
    number: 16,
    what: 'agent asked to stop',
    detail: '',
    stub: 'BF-JOB-INTERRUPTED',
    loader: 'BF-JOB-INTERRUPTED',
  },
  controllerStopped: {
    number: 17,
    what: 'controller asked to stop',
    detail: '',
    stub: 'BF-STUB-ABORTED',
    loader: 'BF-STUB-ABORTED',
  },
  cpuFault: { number: 18, what: 'CPU fault', detail: 'PC', stub: 'BF-STUB-CRASHED', loader: undefined },
  tooManyHandshakes: {
    number: 19,
    what: 'too many handshakes',
    detail: '',
    stub: 'BF-STUB-AUTHENTICATION',
    loader: undefined,
  },
  zeroSecret: {
    number: 20,
    what: 'zero shared secret',
    detail: '',
    stub: 'BF-STUB-AUTHENTICATION',
    loader: 'BF-STUB-AUTHENTICATION',
  },
  malformedCommand: {
    number: 21,
    what: 'malformed sealed command',
    detail: 'command kind',
    stub: 'BF-JOB-REFUSED',
    loader: 'BF-JOB-REFUSED',
  },
  noRandom: {
    number: 22,
    what: 'this part has no random generator',
    detail: 'DEV_ID',
    stub: 'BF-TARGET-NO-RANDOM',
    loader: undefined,
  },
  vendorKey: {
    number: 23,
    what: 'vendor key refused',
    detail: 'place in the config from 0, 4 for none',
    stub: undefined,
    loader: 'BF-STUB-VENDOR-KEY',
  },
  noEntry: { number: 24, what: 'no entry for this device', detail: '', stub: undefined, loader: 'BF-UPDATE-REFUSED' },
  tooManyTries: {
    number: 25,
    what: 'too many tries with this file',
    detail: '',
    stub: undefined,
    loader: 'BF-UPDATE-TRIES',
  },
  supplyLow: {
    number: 26,
    what: 'supply too low for this option write',
    detail: '',
    stub: 'BF-TARGET-SUPPLY',
    loader: undefined,
  },
} as const satisfies Record<string, ChipErrorRow>;

const BY_NUMBER = new Map<number, ChipErrorRow>(Object.values(CHIP_ERRORS).map((row) => [row.number, row]));

/** FLASH_SR.WRPERR (RM0090 §3.9.4): the sector is protected, and the operation was not begun. */
const WRPERR = 0x10;
/** FLASH_SR has no bit above BSY; a loader's journal tells the address it failed at instead. */
const FLASH_SR_MOST = 0x1ffff;
const REFUSED_BY_PROTECTION: Readonly<Record<ProgramOnChip, ErrorCode>> = {
  stub: 'BF-TARGET-WRITE-PROTECTED',
  loader: 'BF-LOADER-WRITE-PROTECTED',
};
/** Rules of a plan that only a loader knows, by the offset at which the plan breaks them (docs/protocol.md §7). */
const LOADER_RULES: ReadonlyMap<number, ErrorCode> = new Map([
  [48, 'BF-LOADER-PRODUCT'],
  [52, 'BF-LOADER-VERSION'],
]);

/** OPTCR where option bytes are erased: RDP, settings and nWRP all ones (docs/reference/stm32f4.md §4). */
const ERASED_OPTIONS = 0x0fffffec;

function codeOf(program: ProgramOnChip, row: ChipErrorRow, detail: number): ErrorCode | undefined {
  const { flashError, planMalformed, protectedChip } = CHIP_ERRORS;
  const isCut = row.number === protectedChip.number && (detail & ERASED_OPTIONS) === ERASED_OPTIONS;
  if (isCut && program === 'stub') return 'BF-TARGET-OPTIONS-CUT';
  const isProtected = row.number === flashError.number && detail <= FLASH_SR_MOST && (detail & WRPERR) !== 0;
  if (isProtected) return REFUSED_BY_PROTECTION[program];
  const rule = row.number === planMalformed.number && program === 'loader' ? LOADER_RULES.get(detail) : undefined;
  return rule ?? row[program];
}

/**
 * ERROR and DETAIL as a coded error, or undefined for a number no such program of this version writes.
 * @param reporter opens the error's detail, for example `the chip reports: `.
 */
export function chipError(
  program: ProgramOnChip,
  number: number,
  detail: number,
  reporter = '',
): BlindflashError | undefined {
  const row = BY_NUMBER.get(number);
  const code = row === undefined ? undefined : codeOf(program, row, detail);
  if (row === undefined || code === undefined) return undefined;
  const particulars = row.detail === '' ? '' : `: ${row.detail} 0x${detail.toString(16).padStart(8, '0')}`;
  return fail(code, `${reporter}${row.what}${particulars}`);
}
