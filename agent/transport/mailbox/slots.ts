// Ring slots as bytes: box ‖ trailer, filled from the slot's end (docs/mailbox.md, "Slots").
import { concat, copyOf, Reader, u32le, Writer } from '../../../shared/codec/bytes.ts';
import { crc32 } from '../../../shared/codec/crc32.ts';
import { BOX_SIZES, slotAddress, TRAILER, type Ring } from '../../../shared/mailbox/layout.ts';

/** A range of target memory and what is to be written there. */
export interface SlotWrite {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** Bytes of a reply slot that are used: box and trailer. */
export const REPLY_BYTES = BOX_SIZES.reply + TRAILER.size;

/** Where the used part of the slot of reply `sequence` begins; it is REPLY_BYTES long. */
export function replyAddress(ring: Ring, sequence: number): number {
  return slotAddress(ring, sequence) + ring.slotSize - REPLY_BYTES;
}

/** The box in a reply slot's used part, or undefined when the slot does not hold reply `sequence` undamaged. */
export function readReply(bytes: Uint8Array, sequence: number): Uint8Array | undefined {
  const box = copyOf(bytes, 0, BOX_SIZES.reply);
  const trailer = new Reader(bytes.subarray(BOX_SIZES.reply), 'BF-STUB-MAILBOX', 'trailer');
  const [length, crc, zero, number] = [trailer.u32(), trailer.u32(), trailer.u32(), trailer.u32()];
  const good = length === box.length && zero === 0 && number === sequence && crc === slotCrc(box, sequence);
  return good ? box : undefined;
}

/** The one write that fills the slot of `sequence` in `ring`; its last word is the sequence. */
export function slotWrite(ring: Ring, sequence: number, box: Uint8Array): SlotWrite {
  const trailer = new Writer().u32(box.length).u32(slotCrc(box, sequence)).u32(0).u32(sequence, 'sequence').finish();
  const bytes = concat(box, trailer);
  return { address: slotAddress(ring, sequence) + ring.slotSize - bytes.length, bytes };
}

function slotCrc(box: Uint8Array, sequence: number): number {
  return crc32(box, u32le(box.length), u32le(sequence));
}
