// Why a stub stopped: ERROR, DETAIL and FAULT of the control page as a coded error (docs/mailbox.md, "Errors").
import { Reader } from '../../../shared/codec/bytes.ts';
import { chipError } from '../../../shared/errors/chip-errors.ts';
import { fail, type BlindflashError } from '../../../shared/errors/errors.ts';
import { FAULT_WORDS, type StubState } from '../../../shared/mailbox/layout.ts';
import type { Mailbox } from './mailbox.ts';

/** The reason of a stub in this state; a number no stub of ours writes becomes BF-STUB-MAILBOX. */
export async function readStopReason(mailbox: Mailbox, state: StubState): Promise<BlindflashError> {
  const error = await mailbox.readWord('ERROR');
  const detail = await mailbox.readWord('DETAIL');
  const known = chipError('stub', error, detail) ?? fail('BF-STUB-MAILBOX', `state ${state}, error ${error}`);
  if (state !== 'fault') return known;
  return fail(known.code, faultText(await mailbox.read('FAULT')));
}

/** The eight FAULT words as text for a report: `pc 0x…, none 0x0, xpsr 0x…`. */
function faultText(bytes: Uint8Array): string {
  const reader = new Reader(bytes, 'BF-STUB-MAILBOX', 'FAULT');
  return FAULT_WORDS.map((name) => `${name} 0x${reader.u32().toString(16).padStart(8, '0')}`).join(', ');
}
