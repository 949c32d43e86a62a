// ELF32 for ARM, little-endian: what is loaded, at the address it is loaded to (System V ABI, "Program Header",
// "Sections"; ARM IHI 0044, "EM_ARM"). Symbols and relocations are not looked at; sections only say where a program
// begins behind the headers.
import { copyOf } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import { ADDRESS_SPACE, hexAddress, type Segment } from './segments.ts';

export const ELF_MAGIC = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46);
const HEADER_BYTES = 52;
const PROGRAM_HEADER_BYTES = 32;
/** More program headers than any linked program has; a bound, not a rule of the format. */
const MOST_PROGRAM_HEADERS = 256;
const PT_LOAD = 1;
const SECTION_HEADER_BYTES = 40;
const SHF_ALLOC = 2;
const SHT_NOBITS = 8;

/** Fields of the ELF header that must read exactly this. */
const IDENTITY = [
  { name: 'the class (32 bit)', offset: 4, size: 1, value: 1 },
  { name: 'the byte order (little-endian)', offset: 5, size: 1, value: 1 },
  { name: 'the ELF version', offset: 6, size: 1, value: 1 },
  { name: 'the type (linked program)', offset: 16, size: 2, value: 2 },
  { name: 'the machine (ARM)', offset: 18, size: 2, value: 40 },
] as const;

/**
 * The loadable segments of a linked ARM program at their physical (load) addresses; parts without bytes in the file are
 * left out. A linker that has room below the program puts the headers of the file into its first segment: they are left
 * out too, because what lies there on the chip (a resident loader) is not the program's to erase.
 * @throws BF-IMAGE-ELF-KIND for anything but a linked 32-bit little-endian ARM program, BF-IMAGE-ELF-TRUNCATED when the
 *   file ends before what it announces.
 */
export function readElf(file: Uint8Array): Segment[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  requireIdentity(file, view);
  const headers = programHeaders(file, view);
  const places = [0, ...headers];
  return headers.flatMap((at) => loadedSegment(file, view, at, places));
}

function requireIdentity(file: Uint8Array, view: DataView): void {
  if (file.length < HEADER_BYTES) throw fail('BF-IMAGE-ELF-TRUNCATED', `${file.length} bytes are less than a header`);
  for (const { name, offset, size, value } of IDENTITY) {
    const found = size === 1 ? view.getUint8(offset) : view.getUint16(offset, true);
    if (found !== value) throw fail('BF-IMAGE-ELF-KIND', `${name} reads ${found} instead of ${value}`);
  }
}

/** File offsets of the program headers. */
function programHeaders(file: Uint8Array, view: DataView): number[] {
  const [start, entryBytes, count] = [view.getUint32(28, true), view.getUint16(42, true), view.getUint16(44, true)];
  if (count === 0) throw fail('BF-IMAGE-ELF-KIND', 'there are no program headers; it is not linked');
  if (entryBytes !== PROGRAM_HEADER_BYTES) throw fail('BF-IMAGE-ELF-KIND', `program headers of ${entryBytes} bytes`);
  if (count > MOST_PROGRAM_HEADERS) throw fail('BF-IMAGE-ELF-KIND', `${count} program headers`);
  requireInside(file, start, count * entryBytes, 'the program headers');
  return Array.from({ length: count }, (_, index) => start + index * entryBytes);
}

function loadedSegment(file: Uint8Array, view: DataView, header: number, headers: readonly number[]): Segment[] {
  const word = (at: number) => view.getUint32(header + at, true);
  const [type, offset, address, fileBytes, memoryBytes] = [word(0), word(4), word(12), word(16), word(20)];
  if (type !== PT_LOAD || fileBytes === 0) return [];
  const name = `the segment for ${hexAddress(address)}`;
  requireInside(file, offset, fileBytes, name);
  if (memoryBytes < fileBytes) throw fail('BF-IMAGE-ELF-KIND', `${name} is larger in the file than in memory`);
  if (address + fileBytes > ADDRESS_SPACE) throw fail('BF-IMAGE-OUTSIDE-FLASH', `${name} runs past the last address`);
  const end = offset + fileBytes;
  const holdsHeaders = headers.some((at) => at >= offset && at < end);
  const begin = holdsHeaders ? firstSection(file, view, { offset, end, headers, name }) : offset;
  return begin === end ? [] : [{ address: address + (begin - offset), bytes: copyOf(file, begin, end) }];
}

interface HeaderSegment {
  /** In the file. */
  readonly offset: number;
  readonly end: number;
  /** Where the headers begin: that of the file and one of each program. */
  readonly headers: readonly number[];
  readonly name: string;
}

/**
 * File offset of the first section with loaded bytes in offset..end; `end` for a segment that holds headers and nothing
 * else.
 */
function firstSection(file: Uint8Array, view: DataView, { offset, end, headers, name }: HeaderSegment): number {
  const starts = sectionHeaders(file, view)
    .map((header) => (field: number) => view.getUint32(header + field, true))
    .filter((word) => word(4) !== SHT_NOBITS && (word(8) & SHF_ALLOC) !== 0 && word(20) > 0)
    .map((word) => word(16))
    .filter((start) => start >= offset && start < end);
  if (starts.length > 0) return Math.min(...starts);
  // lld and Rust give headers a segment of their own when the program does not begin on a page.
  const headersEnd = Math.max(HEADER_BYTES, ...headers.map((at) => at + PROGRAM_HEADER_BYTES));
  if (file.subarray(headersEnd, end).every((byte) => byte === 0)) return end;
  throw fail(
    'BF-IMAGE-ELF-KIND',
    `${name} holds the headers of the file, and no section says where the program begins`,
  );
}

/** File offsets of the section headers; none in a file that was stripped of them. */
function sectionHeaders(file: Uint8Array, view: DataView): number[] {
  const [start, entryBytes, count] = [view.getUint32(32, true), view.getUint16(46, true), view.getUint16(48, true)];
  if (start === 0 || entryBytes !== SECTION_HEADER_BYTES) return [];
  requireInside(file, start, count * entryBytes, 'the section headers');
  return Array.from({ length: count }, (_, index) => start + index * entryBytes);
}

function requireInside(file: Uint8Array, offset: number, length: number, what: string): void {
  if (offset + length > file.length) {
    throw fail('BF-IMAGE-ELF-TRUNCATED', `${what} should end at byte ${offset + length}, the file has ${file.length}`);
  }
}
