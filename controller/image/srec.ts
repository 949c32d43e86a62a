// Motorola S-record: S1, S2, S3 carry data, S0 a header, S5/S6 a count, S7..S9 end the file (srec(5), "SREC format").
import { copyOf } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import { bytesOfDigits, linesOf, sumOf, type Line } from './text-lines.ts';
import type { Segment } from './segments.ts';

type Meaning = 'header' | 'data' | 'count' | 'end';

/** Digit after the S → what it means and how many bytes its address has. S4 is reserved. */
const RECORDS: Readonly<Record<string, { readonly meaning: Meaning; readonly addressBytes: number }>> = {
  0: { meaning: 'header', addressBytes: 2 },
  1: { meaning: 'data', addressBytes: 2 },
  2: { meaning: 'data', addressBytes: 3 },
  3: { meaning: 'data', addressBytes: 4 },
  5: { meaning: 'count', addressBytes: 2 },
  6: { meaning: 'count', addressBytes: 3 },
  7: { meaning: 'end', addressBytes: 4 },
  8: { meaning: 'end', addressBytes: 3 },
  9: { meaning: 'end', addressBytes: 2 },
};

interface SRecord {
  readonly meaning: Meaning;
  /** Address, or the number in a count record. */
  readonly address: number;
  readonly data: Uint8Array;
}

/**
 * The data of an S-record file; contiguous lines become one segment.
 * @throws BF-IMAGE-SREC-CHECKSUM or BF-IMAGE-SREC-RECORD, naming the line; the latter also for a file without its end.
 */
export function readSrec(file: Uint8Array): Segment[] {
  const lines = linesOf(file);
  const records = lines.map(readRecord);
  requireEnd(lines, records);
  requireCounts(lines, records);
  return joinLines(records.filter(({ meaning }) => meaning === 'data'));
}

function readRecord(line: Line): SRecord {
  const row = RECORDS[line.text[1] ?? ''];
  if (!/^[Ss]/.test(line.text) || row === undefined) throw malformed(line, 'is not an S-record');
  const bytes = bytesOfDigits(line.text.slice(2));
  if (bytes === undefined) throw malformed(line, 'holds something else than hexadecimal digits');
  const { meaning, addressBytes } = row;
  if (bytes.length < addressBytes + 2 || bytes[0] !== bytes.length - 1) {
    throw malformed(line, 'has another length than it says');
  }
  if (sumOf(bytes) !== 0xff) throw fail('BF-IMAGE-SREC-CHECKSUM', `line ${line.number}`);
  const address = bytes.subarray(1, 1 + addressBytes).reduce((value, byte) => value * 256 + byte, 0);
  return { meaning, address, data: copyOf(bytes, 1 + addressBytes, bytes.length - 1) };
}

function requireEnd(lines: readonly Line[], records: readonly SRecord[]): void {
  const end = records.findIndex(({ meaning }) => meaning === 'end');
  if (end < 0) throw fail('BF-IMAGE-SREC-RECORD', 'the end record (S7, S8 or S9) is missing');
  const behind = lines[end + 1];
  if (behind !== undefined) throw malformed(behind, 'stands behind the end record');
}

/** A count record says how many data records came before it. */
function requireCounts(lines: readonly Line[], records: readonly SRecord[]): void {
  let seen = 0;
  for (const [index, record] of records.entries()) {
    if (record.meaning === 'data') seen++;
    if (record.meaning === 'count' && record.address !== seen) {
      throw malformed(lines[index] as Line, `counts ${record.address} data lines instead of ${seen}`);
    }
  }
}

function joinLines(records: readonly SRecord[]): Segment[] {
  const runs: { address: number; end: number; parts: Uint8Array[] }[] = [];
  for (const { address, data } of records) {
    const last = runs.at(-1);
    if (last?.end === address) last.parts.push(data);
    else runs.push({ address, end: address, parts: [data] });
    (runs.at(-1) as { end: number }).end = address + data.length;
  }
  return runs.map(({ address, end, parts }) => ({ address, bytes: glue(parts, end - address) }));
}

function glue(parts: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

function malformed(line: Line, what: string) {
  return fail('BF-IMAGE-SREC-RECORD', `line ${line.number} ${what}`);
}
