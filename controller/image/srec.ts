// Motorola S-record: S1, S2, S3 carry data, S0 a header, S5/S6 a count, S7..S9 end the file (srec(5), "SREC format").
import { copyOf } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import { bytesOfDigits, linesOf, sumOf, type Line } from './text-lines.ts';
import { joinRuns } from './runs.ts';
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
 * The data of an S-record file; contiguous lines become one segment. Symbols between lines of `$$` and text behind the
 * end record say nothing.
 * @throws BF-IMAGE-SREC-CHECKSUM or BF-IMAGE-SREC-RECORD, naming the line; the latter also for a file with neither its
 *   end nor a count that says it is whole.
 */
export function readSrec(file: Uint8Array): Segment[] {
  const lines = withoutSymbols(linesOf(file));
  const end = lines.findIndex(({ text }) => /^[Ss][789]/.test(text));
  const read = end < 0 ? lines : lines.slice(0, end + 1);
  const records = read.map(readRecord);
  requireEnd(records, lines.slice(read.length));
  requireCounts(read, records);
  const data = records.filter(({ meaning }) => meaning === 'data');
  return joinRuns(data.map(({ address, data: bytes }) => ({ address, bytes })));
}

/** The S-records of binutils' `symbolsrec`: `$$ name`, lines of symbols, `$$`. */
function withoutSymbols(lines: readonly Line[]): Line[] {
  let inside = false;
  return lines.filter(({ text }) => {
    const isFence = text.startsWith('$$');
    if (isFence) inside = !inside;
    return !isFence && !inside;
  });
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

/** The end record, or a count that agrees with all data before it (requireCounts): then nothing is missing. */
function requireEnd(records: readonly SRecord[], behind: readonly Line[]): void {
  const last = records.at(-1)?.meaning;
  if (last !== 'end' && last !== 'count') {
    throw fail(
      'BF-IMAGE-SREC-RECORD',
      'the end record (S7, S8 or S9) is missing, and no count of lines (S5, S6) ends it',
    );
  }
  const more = behind.find(({ text }) => /^[Ss][0-9][0-9A-Fa-f]/.test(text));
  if (more !== undefined) {
    throw malformed(more, 'stands behind the end record; files that were joined have to be named one by one');
  }
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

function malformed(line: Line, what: string) {
  return fail('BF-IMAGE-SREC-RECORD', `line ${line.number} ${what}`);
}
