// One box: NaCl secretbox under a nonce built here and nowhere else (docs/protocol.md §5).
import nacl from 'tweetnacl';
import { assertBytes, assertInteger, U32_MAX, Writer } from '../codec/bytes.ts';

/** Bytes a box is longer than its plaintext: the Poly1305 tag, which comes first. */
const TAG_BYTES = 16;
/** Who sends: i2r from initiator to responder. Value: first byte of the nonce. */
export const DIRECTION = { i2r: 1, r2i: 2 } as const;
export type Direction = keyof typeof DIRECTION;

/** A box's place: it alone decides the nonce. */
export interface BoxPlace {
  readonly direction: Direction;
  /** Second byte of the nonce: what the session is for, 0..255. */
  readonly purpose: number;
  /** 1 for the first box of a direction. */
  readonly sequence: number;
  /** As `epochOf` says. */
  readonly epoch: number;
}

/** Epoch of a sequence number where an epoch has so many boxes (of 64: 1 → 0, 64 → 0, 65 → 1). */
export function epochOf(sequence: number, epochBoxes: number): number {
  return Math.floor((sequence - 1) / epochBoxes);
}

/** Seals `plaintext` at its place under a 32-byte box key; returns tag ‖ ciphertext. */
export function sealBox(key: Uint8Array, place: BoxPlace, plaintext: Uint8Array): Uint8Array {
  assertBytes(key, 'key', 32);
  return nacl.secretbox(plaintext, nonceOf(place), key);
}

/** Opens a box, or returns undefined when it was not sealed with this key for this place. */
export function openBox(key: Uint8Array, place: BoxPlace, box: Uint8Array): Uint8Array | undefined {
  assertBytes(key, 'key', 32);
  if (box.length < TAG_BYTES) return undefined;
  return nacl.secretbox.open(box, nonceOf(place), key) ?? undefined;
}

/** direction 1 ‖ purpose 1 ‖ 0×6 ‖ epoch 4 ‖ 0×4 ‖ sequence 8. */
function nonceOf(place: BoxPlace): Uint8Array {
  assertInteger(place.sequence, 'sequence', 1, U32_MAX);
  return new Writer()
    .u8(DIRECTION[place.direction])
    .u8(place.purpose)
    .zeros(6)
    .u32(place.epoch, 'epoch')
    .zeros(4)
    .u64(place.sequence)
    .finish();
}
