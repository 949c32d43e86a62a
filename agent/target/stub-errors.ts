// What the stub says about itself in STATUS, ERROR and FAULT, in words and coded errors (docs/mailbox.md).
import { Reader } from '../../shared/codec/bytes.ts';
import { chipError } from '../../shared/errors/chip-errors.ts';
import { fail, type BlindflashError } from '../../shared/errors/errors.ts';
import { FAULT_WORDS, STATES, type StubState } from '../../shared/mailbox/layout.ts';

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
  return chipError(error, detail) ?? fail('BF-STUB-MAILBOX', `state ${state}, error ${error}`);
}

/** The eight FAULT words as text for a report: `pc 0x…, none 0x0, xpsr 0x…`. */
export function faultText(bytes: Uint8Array): string {
  const reader = new Reader(bytes, 'BF-STUB-MAILBOX', 'FAULT');
  return FAULT_WORDS.map((name) => `${name} ${hex(reader.u32())}`).join(', ');
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}
