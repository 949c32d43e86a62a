// `blindflash inspect FILE.bfu`: what an update file says of itself. No key is needed, none is used, nothing is proven.
import { createReadStream } from 'node:fs';
import { requireChip } from '../../shared/chips/index.ts';
import { toHex } from '../../shared/codec/bytes.ts';
import { quotable } from '../../shared/codec/foreign-text.ts';
import { sha512 } from '../../shared/crypto/hash.ts';
import { fail, isBlindflashError } from '../../shared/errors/errors.ts';
import { malformed, type UpdateHeader } from '../../shared/update/format.ts';
import { floorText } from '../../shared/plan/release.ts';
import { UpdateParser } from '../../shared/update/parser.ts';
import { print, printJson } from '../terminal/output.ts';

interface InspectArguments {
  readonly file: string;
  readonly json?: boolean | undefined;
}

/** A file whose outer form is whole. */
interface Inspected {
  readonly header: UpdateHeader;
  /** SHA-512 of the header, 64 bytes: what a device knows the file by. */
  readonly headerHash: Uint8Array;
  readonly bytes: number;
}

export async function runInspect({ file, json }: InspectArguments): Promise<void> {
  const inspected = await inspectFile(file);
  if (json === true) printJson({ event: 'update-file', ...factsOf(inspected) });
  else print(...linesOf(inspected));
}

/** Reads a file piece by piece. @throws BF-USAGE-FILE, BF-UPDATE-MALFORMED, BF-UPDATE-VERSION */
export async function inspectFile(path: string): Promise<Inspected> {
  let found: Omit<Inspected, 'bytes'> | undefined;
  let bytes = 0;
  const parser = new UpdateParser({
    header: (header, raw) => (found = { header, headerHash: sha512(raw) }),
    entry: () => {},
    frame: () => {},
  });
  try {
    for await (const piece of createReadStream(path) as AsyncIterable<Buffer>) {
      bytes += piece.length;
      parser.push(piece);
    }
  } catch (error) {
    if (isBlindflashError(error)) throw error;
    throw fail('BF-USAGE-FILE', path, error);
  }
  parser.end();
  if (found === undefined) throw malformed('there is no header');
  return { ...found, bytes };
}

export function factsOf({ header, headerHash, bytes }: Inspected) {
  const { plan, release, mode } = header.plan;
  const { devId, flashKiB, sectors, ranges, label } = plan;
  return {
    bytes,
    ...release,
    mode,
    devId,
    flashKiB,
    sectors,
    ranges,
    label,
    places: 2 ** header.entriesLog2,
    frames: header.frames,
    filesKey: toHex(header.filesKeyId),
    headerHash: toHex(headerHash),
  };
}

export function linesOf(inspected: Inspected): string[] {
  const { bytes, product, version, floor, mode, devId, flashKiB, sectors, ranges, label, ...rest } = factsOf(inspected);
  const written = ranges.reduce((sum, { length }) => sum + length, 0);
  return [
    `file      ${bytes} bytes, whole from end to end`,
    `product   ${product}`,
    `version   ${version}`,
    `floor     ${floor}: ${floorText({ version, floor })}`,
    `mode      ${mode}`,
    `chip      ${requireChip(devId).name} with ${flashKiB} KiB of flash`,
    `image     ${written} bytes, sectors ${sectors.join(' ')}`,
    `label     “${quotable(label)}”`,
    `devices   at most ${rest.places}; how many of the places are taken does not show, nor by which devices`,
    `files key ${rest.filesKey}`,
    `header    ${rest.headerHash}`,
    '',
    'This is what the file says of itself. Whether it is the vendor’s and was not changed, only a device can tell for',
    'which it is sealed: it takes nothing else.',
  ];
}
