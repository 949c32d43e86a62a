// The update file's outer form (docs/update-files.md §1, §2): sizes, limits and the header. Who a file is for and what
// is in it are sealed; everything here is readable by anybody.
import { ascii, assertInteger, concat, Reader, Writer } from '../codec/bytes.ts';
import { fail } from '../errors/errors.ts';
import { sha512, withDomain } from '../crypto/hash.ts';
import { PLAN_LIMITS } from '../plan/plan.ts';
import { COMMAND_PLAIN_BYTES, IMAGE_PLAIN_BYTES } from '../sealed/messages.ts';
import { decodeUpdatePlan, encodeUpdatePlan, type UpdatePlan } from './update-plan.ts';

/** The first four bytes of a file. */
export const UPDATE_MAGIC = 'BFU2';
const MAGIC = ascii(UPDATE_MAGIC);
/** The form described in docs/update-files.md; a reader takes no other. */
export const UPDATE_FORMAT = 1;
const BOX_TAG_BYTES = 16;

/** Sizes, bytes. */
export const UPDATE_BYTES = {
  /** Of the header before the plan. */
  head: 64,
  /** What must be there to know how long the header is. */
  headLength: 6,
  filesKeyId: 16,
  ephemeral: 32,
  tag: 16,
  contentKey: 32,
  /** A hash of a frame as the entry and the frame before have it. */
  frameHash: 32,
  root: 64,
  entry: 160,
  /** The length in front of each frame. */
  frameLength: 2,
  /** A frame that carries a long IMAGE, and one that carries any other command. */
  longFrame: IMAGE_PLAIN_BYTES + 32 + BOX_TAG_BYTES,
  shortFrame: COMMAND_PLAIN_BYTES + 32 + BOX_TAG_BYTES,
} as const;

/** A file has 2^n entries, n at most 16. Frames: more than any plan of a chip of 2 MiB can need. */
export const UPDATE_LIMITS = { entriesLog2: 16, frames: 1024 } as const;

/** Where the header has what, bytes from its start. */
export const UPDATE_OFFSETS = {
  length: 4,
  format: 6,
  entries: 7,
  frames: 8,
  zeros: 10,
  filesKeyId: 16,
  ephemeral: 32,
} as const;

/** What a files key is named under, before a zero byte. */
export const FILES_KEY_DOMAIN = 'blindflash/2 files key';

export interface UpdateHeader {
  /** 2^this is the number of entries, padded ones among them. */
  readonly entriesLog2: number;
  readonly frames: number;
  /** Which of the vendor's files keys sealed it, 16 bytes: filesKeyId. */
  readonly filesKeyId: Uint8Array;
  /** E, 32 bytes: the public half of the file's own key pair. */
  readonly ephemeral: Uint8Array;
  readonly plan: UpdatePlan;
}

/** Names a files key by its public half S_f: SHA-512("blindflash/2 files key" ‖ 00 ‖ S_f)[:16]. */
export function filesKeyId(filesPublic: Uint8Array): Uint8Array {
  return sha512(withDomain(FILES_KEY_DOMAIN, filesPublic)).subarray(0, UPDATE_BYTES.filesKeyId);
}

/** The header's bytes, 64 and the plan's. @throws BF-INTERNAL-ARGUMENT for numbers the format has no room for */
export function encodeHeader(header: UpdateHeader): Uint8Array {
  const plan = encodeUpdatePlan(header.plan);
  assertInteger(header.entriesLog2, 'entriesLog2', 0, UPDATE_LIMITS.entriesLog2);
  assertInteger(header.frames, 'frames', 1, UPDATE_LIMITS.frames);
  const head = new Writer()
    .bytes(MAGIC)
    .u16(UPDATE_BYTES.head + plan.length)
    .u8(UPDATE_FORMAT)
    .u8(header.entriesLog2)
    .u16(header.frames)
    .zeros(6)
    .bytes(header.filesKeyId, 'filesKeyId', UPDATE_BYTES.filesKeyId)
    .bytes(header.ephemeral, 'ephemeral', UPDATE_BYTES.ephemeral)
    .finish();
  return concat(head, plan);
}

/**
 * How long the header is, from the first six bytes of a file.
 * @throws BF-UPDATE-MALFORMED when this is no update file, or its header would be longer than one may be
 */
export function headerLength(start: Uint8Array): number {
  const reader = updateReader(start);
  reader.expect(MAGIC, 'the beginning');
  const length = reader.u16();
  if (length <= UPDATE_BYTES.head || length > UPDATE_BYTES.head + PLAN_LIMITS.bytes) {
    reader.refuse(`a header of ${length} bytes`);
  }
  return length;
}

/**
 * Reads a header; the bytes are exactly what encodeHeader would write.
 * @throws BF-UPDATE-VERSION for a later format, BF-UPDATE-MALFORMED
 */
export function decodeHeader(bytes: Uint8Array): UpdateHeader {
  if (headerLength(bytes) !== bytes.length) throw malformed(`${bytes.length} bytes of header`);
  const reader = updateReader(bytes);
  reader.bytes(UPDATE_BYTES.headLength);
  const format = reader.u8();
  if (format !== UPDATE_FORMAT) throw fail('BF-UPDATE-VERSION', `format ${format}`);
  const [entriesLog2, frames] = [reader.u8(), reader.u16()];
  if (entriesLog2 > UPDATE_LIMITS.entriesLog2) reader.refuse(`2^${entriesLog2} entries`);
  if (frames === 0 || frames > UPDATE_LIMITS.frames) reader.refuse(`${frames} frames`);
  reader.zeros(6);
  const [id, ephemeral] = [reader.bytes(UPDATE_BYTES.filesKeyId), reader.bytes(UPDATE_BYTES.ephemeral)];
  return { entriesLog2, frames, filesKeyId: id, ephemeral, plan: decodeUpdatePlan(reader.rest()) };
}

/** True for a length a frame may have. */
export function isFrameLength(length: number): boolean {
  return length === UPDATE_BYTES.longFrame || length === UPDATE_BYTES.shortFrame;
}

/** The error of a file that is not in this form. */
export function malformed(reason: string) {
  return fail('BF-UPDATE-MALFORMED', reason);
}

function updateReader(bytes: Uint8Array): Reader {
  return new Reader(bytes, 'BF-UPDATE-MALFORMED', 'update file');
}
