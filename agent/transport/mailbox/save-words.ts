// SAVE of the control page: the debug settings this agent found, kept in the chip's RAM for whoever comes after
// (docs/mailbox.md, "Control page"). The stub never reads them.
import { Reader, Writer } from '../../../shared/codec/bytes.ts';
import { SAVE_WORDS } from '../../../shared/mailbox/layout.ts';
import type { SavedDebugState } from '../../target/debug-state.ts';

const SAVE_MAGIC = 0x56534642; // "BFSV"
/** The invite's tag takes the last two of SAVE_WORDS. */
const INVITE_TAG_BYTES = 8;

export interface SaveWords {
  readonly saved: SavedDebugState;
  /** 8 bytes that name the invite, so that a later agent knows whose stub it meets. */
  readonly inviteTag: Uint8Array;
}

/** The bytes of SAVE. */
export function encodeSave({ saved, inviteTag }: SaveWords): Uint8Array {
  const named: Readonly<Record<string, number>> = { magic: SAVE_MAGIC, ...saved };
  const writer = new Writer();
  for (const name of SAVE_WORDS.slice(0, 7)) writer.u32((named[name] ?? 0) >>> 0, name);
  return writer.bytes(inviteTag, 'inviteTag', INVITE_TAG_BYTES).finish();
}

/** What an agent left in SAVE, or undefined when none did. */
export function decodeSave(bytes: Uint8Array): SaveWords | undefined {
  const reader = new Reader(bytes, 'BF-STUB-MAILBOX', 'SAVE');
  if (reader.u32() !== SAVE_MAGIC) return undefined;
  const saved = {
    dhcsr: reader.u32(),
    demcr: reader.u32(),
    dbgmcuCr: reader.u32(),
    apb1Fz: reader.u32(),
    apb2Fz: reader.u32(),
    fpCtrl: reader.u32(),
  };
  return { saved, inviteTag: reader.bytes(INVITE_TAG_BYTES) };
}
