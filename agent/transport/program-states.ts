// The states of the program on the chip by what a session has to know of them (docs/mailbox.md, "States").
import type { StubState } from '../../shared/mailbox/layout.ts';

const SERVING: readonly StubState[] = ['active', 'written', 'locked'];
const STOPPED: readonly StubState[] = ['aborted', 'expired', 'fault', 'refused'];

/** True while a sealed session runs: the chip holds its keys and takes sealed commands. */
export function isServing(state: StubState | undefined): boolean {
  return state !== undefined && SERVING.includes(state);
}

/** True in the states a sealed session ends in unsuccessfully; the program then says why. */
export function isStopped(state: StubState): boolean {
  return STOPPED.includes(state);
}
