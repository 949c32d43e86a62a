// An update file in its parts, and whether it can be for a board, as far as file and loader tell of themselves
// (docs/update-files.md §2). Whether it is, the device finds out.
import { copyOf } from '../../shared/codec/bytes.ts';
import { findChip } from '../../shared/chips/index.ts';
import { sha512 } from '../../shared/crypto/hash.ts';
import { fail, type BlindflashError } from '../../shared/errors/errors.ts';
import { IDENT_FLAGS, type Ident } from '../../shared/serial/packets.ts';
import { UPDATE_BYTES, UPDATE_LIMITS, type UpdateHeader } from '../../shared/update/format.ts';
import { UpdateParser } from '../../shared/update/parser.ts';
import { PLAN_LIMITS } from '../../shared/plan/plan.ts';

export interface UpdateFile {
  /** As the person named it. */
  readonly name: string;
  /** Of all of it. */
  readonly bytes: number;
  /** SHA-512 of all of it, 64 bytes. */
  readonly hash: Uint8Array;
  readonly header: UpdateHeader;
  /** The header as it stands in the file. */
  readonly headerBytes: Uint8Array;
  /** SHA-512 of these, 64 bytes. */
  readonly headerHash: Uint8Array;
  readonly entries: readonly Uint8Array[];
  readonly frames: readonly Uint8Array[];
}

/** No update file is longer, bytes. */
export const UPDATE_FILE_MOST =
  UPDATE_BYTES.head +
  PLAN_LIMITS.bytes +
  2 ** UPDATE_LIMITS.entriesLog2 * UPDATE_BYTES.entry +
  UPDATE_LIMITS.frames * (UPDATE_BYTES.frameLength + UPDATE_BYTES.longFrame);

/** Takes a whole file apart. @throws BF-UPDATE-MALFORMED, BF-UPDATE-VERSION */
export function updateFile(name: string, content: Uint8Array): UpdateFile {
  let head: Pick<UpdateFile, 'header' | 'headerBytes'> | undefined;
  const entries: Uint8Array[] = [];
  const frames: Uint8Array[] = [];
  const parser = new UpdateParser({
    header: (header, bytes) => (head = { header, headerBytes: copyOf(bytes) }),
    entry: (entry) => entries.push(entry),
    frame: (frame) => frames.push(frame),
  });
  parser.push(content);
  parser.end();
  const { header, headerBytes } = head as Pick<UpdateFile, 'header' | 'headerBytes'>;
  const hashes = { hash: sha512(content), headerHash: sha512(headerBytes) };
  return { name, bytes: content.length, ...hashes, header, headerBytes, entries, frames };
}

/** Why this board cannot take the file, or undefined. */
export function misfit({ header }: UpdateFile, ident: Ident): BlindflashError | undefined {
  const { plan, release } = header.plan;
  const lacks = (flag: number): boolean => (ident.flags & flag) === 0;
  const reasons: readonly (readonly [boolean, string])[] = [
    [
      plan.devId !== ident.devId || plan.flashKiB !== ident.flashKiB,
      `it is for ${chipText(plan.devId, plan.flashKiB)}, the board has ${chipText(ident.devId, ident.flashKiB)}`,
    ],
    [
      release.product !== ident.product,
      `it is for product ${release.product}, the board is one of product ${ident.product}`,
    ],
    [
      release.version < ident.floor,
      `it is version ${release.version}, the board takes version ${ident.floor} or later`,
    ],
    [lacks(IDENT_FLAGS.locked), 'the board is not locked'],
    [lacks(IDENT_FLAGS.keys), 'the board has no keys: it was never enrolled, or lost them'],
  ];
  const reason = reasons.find(([isSo]) => isSo);
  return reason === undefined ? undefined : fail('BF-UPDATE-REFUSED', reason[1]);
}

function chipText(devId: number, flashKiB: number): string {
  return `${findChip(devId)?.name ?? 'an unknown chip'} with ${flashKiB} KiB`;
}
