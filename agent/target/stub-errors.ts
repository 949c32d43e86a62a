// What the stub's ERROR word means for a person: rows of docs/mailbox.md, "Errors", with the code each of them is told as.
import { Reader } from '../../shared/codec/bytes.ts';
import { fail, type BlindflashError, type ErrorCode } from '../../shared/errors/errors.ts';
import {
  FAULT_WORDS,
  STATES,
  STUB_ERRORS,
  type StubError,
  type StubErrorName,
  type StubState,
} from '../../shared/mailbox/layout.ts';

/** The code behind each error of the stub. */
const CODES: Readonly<Record<StubErrorName, ErrorCode>> = {
  planMalformed: 'BF-PLAN-MALFORMED',
  wrongChip: 'BF-PLAN-WRONG-CHIP',
  randomFailed: 'BF-STUB-ENTROPY',
  clockFailed: 'BF-STUB-CRASHED',
  protectedChip: 'BF-TARGET-RDP1',
  confirmWrong: 'BF-STUB-AUTHENTICATION',
  boxFailed: 'BF-STUB-AUTHENTICATION',
  outsidePlan: 'BF-JOB-REFUSED',
  order: 'BF-JOB-REFUSED',
  flashError: 'BF-STUB-PROGRAM',
  flashTimeout: 'BF-STUB-PROGRAM',
  digestDiffers: 'BF-JOB-VERIFY',
  notBlank: 'BF-STUB-ERASE',
  optionsFailed: 'BF-STUB-OPTIONS',
  idle: 'BF-JOB-EXPIRED',
  agentStopped: 'BF-JOB-INTERRUPTED',
  controllerStopped: 'BF-STUB-ABORTED',
  cpuFault: 'BF-STUB-CRASHED',
  tooManyHandshakes: 'BF-STUB-AUTHENTICATION',
  zeroSecret: 'BF-STUB-AUTHENTICATION',
  malformedFrame: 'BF-JOB-REFUSED',
  noRandom: 'BF-TARGET-NO-RANDOM',
};

/** States whose ERROR word says why. */
const STOPPED: readonly StubState[] = ['aborted', 'expired', 'fault', 'refused'];

const STATE_NAMES = new Map<number, StubState>(
  (Object.keys(STATES) as StubState[]).map((name) => [STATES[name], name]),
);

/** The name of a state number, or undefined when no stub says that. */
export function stateName(state: number): StubState | undefined {
  return STATE_NAMES.get(state);
}

/** True in the states a session ends in unsuccessfully. */
export function isStopped(state: StubState): boolean {
  return STOPPED.includes(state);
}

/** ERROR and DETAIL as a coded error; numbers no stub of ours writes become BF-STUB-MAILBOX. */
export function stubError(error: number, detail: number, state: StubState): BlindflashError {
  const name = (Object.keys(STUB_ERRORS) as StubErrorName[]).find((key) => STUB_ERRORS[key].code === error);
  if (name === undefined) return fail('BF-STUB-MAILBOX', `state ${state}, error ${error}`);
  const row: StubError = STUB_ERRORS[name];
  const meaning = row.detail === '' ? '' : `: ${row.detail} ${hex(detail)}`;
  return fail(CODES[name], `${row.what}${meaning}`);
}

/** The eight FAULT words as text for a report: `pc 0x…, none 0x0, xpsr 0x…`. */
export function faultText(bytes: Uint8Array): string {
  const reader = new Reader(bytes, 'BF-STUB-MAILBOX', 'FAULT');
  return FAULT_WORDS.map((name) => `${name} ${hex(reader.u32())}`).join(', ');
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}
