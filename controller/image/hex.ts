// Intel HEX (Intel, "Hexadecimal Object File Format Specification", rev. A, 1988). Read are the files that other
// readers agree on; where they disagree about what a file says, it is refused, naming the line.
import { copyOf } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import { joinRuns } from './runs.ts';
import { ADDRESS_SPACE, type Segment } from './segments.ts';
import { bytesOfDigits, linesOf, sumOf, type Line } from './text-lines.ts';

type Meaning = 'data' | 'end' | 'segment' | 'linear' | 'start';

/** By record type: what it means, how many bytes of data it must have, and whether its address field must be 0. */
const RECORDS: readonly { readonly meaning: Meaning; readonly length?: number; readonly addressed: boolean }[] = [
  { meaning: 'data', addressed: true },
  // Old tools put the start address of the program there.
  { meaning: 'end', length: 0, addressed: true },
  { meaning: 'segment', length: 2, addressed: false },
  { meaning: 'start', length: 4, addressed: false },
  { meaning: 'linear', length: 2, addressed: false },
  { meaning: 'start', length: 4, addressed: false },
];
const SMALLEST_RECORD = 5;
const HEAD_BYTES = 4;
const OFFSETS = 0x10000;

interface HexRecord {
  readonly line: Line;
  readonly meaning: Meaning;
  /** The address field. */
  readonly offset: number;
  readonly data: Uint8Array;
}

/** What the address records said last; what data is added to. */
interface Base {
  readonly linear: number;
  readonly segment: number;
}

/**
 * The data of an Intel HEX file; contiguous lines become one segment.
 * @throws BF-IMAGE-HEX-CHECKSUM, BF-IMAGE-HEX-RECORD (both name the line), BF-IMAGE-HEX-END.
 */
export function readHex(file: Uint8Array): Segment[] {
  const lines = linesOf(file);
  let base: Base = { linear: 0, segment: 0 };
  const pieces: Segment[] = [];
  for (const [index, line] of lines.entries()) {
    const record = readRecord(line);
    if (record.meaning === 'end') {
      requireNothingBehind(lines.slice(index + 1));
      return joinRuns(pieces);
    }
    if (record.meaning === 'data') pieces.push(pieceOf(record, base));
    else base = moved(base, record);
  }
  throw fail('BF-IMAGE-HEX-END', `after ${lines.length} lines`);
}

/** Checks one line by itself. */
function readRecord(line: Line): HexRecord {
  const bytes = line.text.startsWith(':') ? bytesOfDigits(line.text.slice(1)) : undefined;
  if (bytes === undefined) throw malformed(line, 'is not a colon and hexadecimal digits');
  const [length = 0, high = 0, low = 0, type = 0] = bytes;
  if (bytes.length < SMALLEST_RECORD || length !== bytes.length - SMALLEST_RECORD) {
    throw malformed(line, 'has another length than it says');
  }
  if (sumOf(bytes) !== 0) throw fail('BF-IMAGE-HEX-CHECKSUM', `line ${line.number}`);
  const row = RECORDS[type];
  if (row === undefined) throw malformed(line, `has the unknown type ${type}`);
  if (row.length !== undefined && row.length !== length) throw malformed(line, `has ${length} bytes for type ${type}`);
  const offset = high * 256 + low;
  if (!row.addressed && offset !== 0) throw malformed(line, 'has an offset where none belongs');
  return { line, meaning: row.meaning, offset, data: copyOf(bytes, HEAD_BYTES, bytes.length - 1) };
}

/** Start addresses move nothing. */
function moved(base: Base, { meaning, data }: HexRecord): Base {
  const value = (data[0] ?? 0) * 256 + (data[1] ?? 0);
  if (meaning === 'linear') return { ...base, linear: value * OFFSETS };
  return meaning === 'segment' ? { ...base, segment: value * 16 } : base;
}

/** A record may run past its 64 KiB unless it lies in a segment: there some readers begin again at its start. */
function pieceOf({ line, offset, data }: HexRecord, { linear, segment }: Base): Segment {
  if (linear !== 0 && segment !== 0) throw malformed(line, 'has both a segment (type 2) and a linear base (type 4)');
  if (segment !== 0 && offset + data.length > OFFSETS) throw malformed(line, 'runs past the end of its segment');
  const address = linear + segment + offset;
  if (address + data.length > ADDRESS_SPACE) throw malformed(line, 'runs past the last address');
  return { address, bytes: data };
}

/** Text and padding behind the end record say nothing; more records would be a second file nobody read. */
function requireNothingBehind(lines: readonly Line[]): void {
  const more = lines.find(({ text }) => text.startsWith(':'));
  if (more !== undefined) {
    throw malformed(more, 'stands behind the end record; files that were joined have to be named one by one');
  }
}

function malformed(line: Line, what: string) {
  return fail('BF-IMAGE-HEX-RECORD', `line ${line.number} ${what}`);
}
