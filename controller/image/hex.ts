// Intel HEX (Intel Hexadecimal Object File Format Specification, rev. A). The records are read by `nrf-intel-hex`; what
// is wrong is found beforehand, line by line, so that the message can name the line.
import nrfIntelHex from 'nrf-intel-hex';
import { fail } from '../../shared/errors/errors.ts';
import { bytesOfDigits, linesOf, sumOf, type Line } from './text-lines.ts';
import type { Segment } from './segments.ts';

/** What the module really is under Node: its typings describe its browser build. */
const MemoryMap = nrfIntelHex as unknown as { fromHex(text: string): Iterable<readonly [number, Uint8Array]> };

/** Record type → bytes of data it must have; undefined: any number. */
const RECORDS: readonly (number | undefined)[] = [undefined, 0, 2, 4, 2, 4];
const [DATA, END, UPPER_ADDRESS] = [0, 1, 4];
const SMALLEST_RECORD = 5;

/**
 * The data of an Intel HEX file.
 * @throws BF-IMAGE-HEX-CHECKSUM, BF-IMAGE-HEX-RECORD (both name the line), BF-IMAGE-HEX-END, BF-IMAGE-OVERLAP, and
 *   BF-IMAGE-OUTSIDE-FLASH for the upper half of the address space, where no chip has flash (nor the library numbers).
 */
export function readHex(file: Uint8Array): Segment[] {
  const lines = linesOf(file);
  const types = lines.map(checkRecord);
  const end = types.indexOf(END);
  if (end < 0) throw fail('BF-IMAGE-HEX-END', `after ${lines.length} lines`);
  const behind = lines[end + 1];
  if (behind !== undefined) throw malformed(behind, 'stands behind the end record');
  return segmentsOf(lines.map(({ text }) => text).join('\n'));
}

/** Checks one line by itself and returns its record type. */
function checkRecord(line: Line): number {
  const bytes = line.text.startsWith(':') ? bytesOfDigits(line.text.slice(1)) : undefined;
  if (bytes === undefined) throw malformed(line, 'is not a colon and hexadecimal digits');
  const [length, high, low, type] = bytes;
  if (bytes.length < SMALLEST_RECORD || length !== bytes.length - SMALLEST_RECORD) {
    throw malformed(line, 'has another length than it says');
  }
  if (sumOf(bytes) !== 0) throw fail('BF-IMAGE-HEX-CHECKSUM', `line ${line.number}`);
  if (type >= RECORDS.length) throw malformed(line, `has the unknown type ${type}`);
  const wanted = RECORDS[type];
  if (wanted !== undefined && wanted !== length) throw malformed(line, `has ${length} bytes for type ${type}`);
  const offset = high * 256 + low;
  if (type !== DATA && offset !== 0) throw malformed(line, 'has an offset where none belongs');
  if (type === DATA && offset + length > 0x10000) throw malformed(line, 'runs past the end of its 64 KiB');
  if (type === UPPER_ADDRESS && bytes[4] >= 0x80) {
    throw fail('BF-IMAGE-OUTSIDE-FLASH', `line ${line.number} leads beyond 0x7fffffff`);
  }
  return type;
}

/** The library now only has addresses left to complain about: the same one twice. */
function segmentsOf(text: string): Segment[] {
  try {
    return [...MemoryMap.fromHex(text)].map(([address, bytes]) => ({ address, bytes }));
  } catch (error) {
    throw fail('BF-IMAGE-OVERLAP', error instanceof Error ? error.message : undefined, error);
  }
}

function malformed(line: Line, what: string) {
  return fail('BF-IMAGE-HEX-RECORD', `line ${line.number} ${what}`);
}
