// What travels inside the boxes of the sealed session, controller → stub and back (docs/protocol.md §8), and the digest
// over all ranges of a plan. The stub has no message that returns memory.
import { ascii, Reader, Writer } from '../codec/bytes.ts';
import { WIDTHS, type Width } from '../chips/chip.ts';
import { sha512 } from '../crypto/hash.ts';
import { fail } from '../errors/errors.ts';
import { BOOT_WORDS_BYTES } from '../plan/plan.ts';

/** Plaintext sizes: IMAGE commands have one, all others, all replies and a short IMAGE another. */
export const IMAGE_PLAIN_BYTES = 4048;
export const COMMAND_PLAIN_BYTES = 176;
export const REPLY_PLAIN_BYTES = 176;
/** Most image bytes in one IMAGE; a multiple of 4. */
export const IMAGE_DATA_BYTES = 4032;
/** Most image bytes in an IMAGE of the size of the other commands. */
export const SHORT_IMAGE_BYTES = 160;
const DIGEST_BYTES = 64;
/** What the digest over all ranges begins with. */
export const ROOT_DOMAIN = 'blindflash/2 root';
/** What the digest with the boot words in place begins with. */
export const WRITTEN_DOMAIN = 'blindflash/2 written';
/**
 * Questions about what this session did not erase. inLife: how many are answered in a stub's life. leastBytes: how many
 * such bytes one covers at least; only one about the whole of a small plan may cover fewer. shortCost: as how many that
 * one counts, so that what fits into four bytes is not found by trying.
 */
export const QUESTION_LIMITS = { inLife: 256, leastBytes: 1024, shortCost: 64 } as const;
/** ERASE names this instead of a sector: all sectors of the chip, where one erase of everything is the faster way. */
export const ERASE_ALL = 255;
/**
 * How a sector came to be erased, as ERASED says it: by an erase, left because it read blank, by the erase of
 * everything.
 */
export const ERASED_HOW = { erased: 0, blank: 1, 'all at once': 2 } as const;
export type ErasedHow = keyof typeof ERASED_HOW;

const MALFORMED = 'BF-TUNNEL-MESSAGE';

// ── commands ──────────────────────────────────────────────────────────────────────────────────────────────────────

export const SEALED_COMMANDS = {
  IMAGE: 0x01,
  ERASE: 0x02,
  DIGEST: 0x03,
  FINAL: 0x04,
  LOCK: 0x05,
  END: 0x06,
  PING: 0x07,
  ABORT: 0x7f,
} as const;

export type Command =
  /** data: 4..4032 bytes, a multiple of 4, for flash from `address` on. */
  | { readonly name: 'IMAGE'; readonly address: number; readonly data: Uint8Array }
  /** sector: its number, or ERASE_ALL. unlessBlank: what reads FF to the last byte may be left as it is. */
  | { readonly name: 'ERASE'; readonly sector: number; readonly unlessBlank?: true }
  /** Whether `count` ranges from `first` on hold what gives this root (64 bytes). */
  | { readonly name: 'DIGEST'; readonly first: number; readonly count: number; readonly expected: Uint8Array }
  /** root: 64 bytes, over all ranges with the boot words erased; bootWords: 64 bytes as they are to lie in flash. */
  | { readonly name: 'FINAL'; readonly root: Uint8Array; readonly bootWords: Uint8Array }
  | { readonly name: 'LOCK' | 'END' | 'PING' | 'ABORT' };

export type CommandName = Command['name'];

/** The plaintext of a command, 4048 bytes for an IMAGE of more than 160 and 176 for all others. */
export function encodeCommand(command: Command): Uint8Array {
  const writer = new Writer().u8(SEALED_COMMANDS[command.name]);
  switch (command.name) {
    case 'IMAGE':
      return encodeImage(writer, command.address, command.data);
    case 'ERASE':
      return writer
        .u8(command.sector, 'sector')
        .u8(command.unlessBlank === true ? 1 : 0)
        .padTo(COMMAND_PLAIN_BYTES)
        .finish();
    case 'DIGEST':
      writer.u8(command.first, 'first').u8(command.count, 'count').zeros(13);
      return writer.bytes(command.expected, 'expected', DIGEST_BYTES).padTo(COMMAND_PLAIN_BYTES).finish();
    case 'FINAL':
      writer
        .zeros(15)
        .bytes(command.root, 'root', DIGEST_BYTES)
        .bytes(command.bootWords, 'bootWords', BOOT_WORDS_BYTES);
      return writer.padTo(COMMAND_PLAIN_BYTES).finish();
    default:
      return writer.padTo(COMMAND_PLAIN_BYTES).finish();
  }
}

/** Reads a command; anything encodeCommand would not write throws BF-TUNNEL-MESSAGE. */
export function decodeCommand(plaintext: Uint8Array): Command {
  const reader = new Reader(plaintext, MALFORMED, 'command');
  const name = nameOf(SEALED_COMMANDS, reader.u8()) ?? reader.refuse('unknown kind');
  const sizes = name === 'IMAGE' ? [IMAGE_PLAIN_BYTES, COMMAND_PLAIN_BYTES] : [COMMAND_PLAIN_BYTES];
  if (!sizes.includes(plaintext.length)) reader.refuse(`${plaintext.length} bytes`);
  const command = readCommand(reader, name);
  reader.zeros(reader.remaining);
  return command;
}

function encodeImage(writer: Writer, address: number, data: Uint8Array): Uint8Array {
  const problem = imageProblem(data.length);
  if (problem !== undefined) throw fail('BF-INTERNAL-ARGUMENT', problem);
  const size = data.length <= SHORT_IMAGE_BYTES ? COMMAND_PLAIN_BYTES : IMAGE_PLAIN_BYTES;
  return writer.u8(0).u16(data.length).u32(address, 'address').zeros(8).bytes(data).padTo(size).finish();
}

function imageProblem(count: number): string | undefined {
  const good = count >= 4 && count <= IMAGE_DATA_BYTES && count % 4 === 0;
  return good ? undefined : `${count} bytes of image`;
}

function readCommand(reader: Reader, name: CommandName): Command {
  switch (name) {
    case 'IMAGE': {
      reader.zeros(1);
      const count = reader.u16();
      const problem = imageProblem(count);
      if (problem !== undefined) reader.refuse(problem);
      const address = reader.u32();
      reader.zeros(8);
      return { name, address, data: reader.bytes(count) };
    }
    case 'ERASE':
      return readErase(reader);
    case 'DIGEST': {
      const [first, count] = [reader.u8(), reader.u8()];
      reader.zeros(13);
      return { name, first, count, expected: reader.bytes(DIGEST_BYTES) };
    }
    case 'FINAL':
      reader.zeros(15);
      return { name, root: reader.bytes(DIGEST_BYTES), bootWords: reader.bytes(BOOT_WORDS_BYTES) };
    default:
      return { name };
  }
}

function readErase(reader: Reader): Command {
  const [sector, flag] = [reader.u8(), reader.u8()];
  if (flag > 1) reader.refuse(`a flag of ${flag}`);
  return flag === 1 ? { name: 'ERASE', sector, unlessBlank: true } : { name: 'ERASE', sector };
}

// ── replies ───────────────────────────────────────────────────────────────────────────────────────────────────────

export const REPLIES = {
  ERASED: 0x82,
  DIGEST: 0x83,
  WRITTEN: 0x84,
  LOCKED: 0x85,
  ENDED: 0x86,
  PONG: 0x87,
  ABORT: 0xff,
} as const;

/** Milliseconds the chip has erased, programmed and read back in this session, to 100 ms. */
export interface ChipTimes {
  readonly erase: number;
  readonly program: number;
  readonly check: number;
}

/** `answers`: the sequence of the command's box. */
export type Reply = { readonly answers: number } & (
  | { readonly name: 'ERASED'; readonly sector: number; readonly how: ErasedHow }
  /** questionsLeft: how many more may touch what this session has not erased. */
  | { readonly name: 'DIGEST'; readonly equal: boolean; readonly questionsLeft: number }
  /** width: what was programmed with; root: writtenRoot() as the stub reads flash. */
  | {
      readonly name: 'WRITTEN';
      readonly width: Width;
      readonly root: Uint8Array;
      readonly wordsProgrammed: number;
      readonly optcr: number;
      readonly chipTimes: ChipTimes;
    }
  /** level1: OPTCR reads level 1. */
  | { readonly name: 'LOCKED'; readonly level1: boolean; readonly optcr: number; readonly optcr1: number }
  | { readonly name: 'ENDED'; readonly wordsProgrammed: number; readonly chipTimes: ChipTimes }
  | { readonly name: 'PONG'; readonly wordsProgrammed: number }
  /** error: row of the error table of docs/mailbox.md. */
  | { readonly name: 'ABORT'; readonly error: number; readonly detail: number }
);

export type ReplyName = Reply['name'];

/** The plaintext of a reply, 176 bytes (the stub's side, for the tests that stand in for it). */
export function encodeReply(reply: Reply): Uint8Array {
  const writer = new Writer().u8(REPLIES[reply.name]).u8(argumentOf(reply)).zeros(2).u32(reply.answers, 'answers');
  writeReplyBody(writer, reply);
  return writer.padTo(REPLY_PLAIN_BYTES).finish();
}

/** Reads a reply; anything encodeReply would not write throws BF-TUNNEL-MESSAGE. */
export function decodeReply(plaintext: Uint8Array): Reply {
  const reader = new Reader(plaintext, MALFORMED, 'reply');
  const name = nameOf(REPLIES, reader.u8()) ?? reader.refuse('unknown kind');
  if (plaintext.length !== REPLY_PLAIN_BYTES) reader.refuse(`${plaintext.length} bytes`);
  const argument = reader.u8();
  reader.zeros(2);
  const reply = readReply(reader, name, argument, reader.u32());
  reader.zeros(reader.remaining);
  return reply;
}

function argumentOf(reply: Reply): number {
  switch (reply.name) {
    case 'ERASED':
      return reply.sector;
    case 'DIGEST':
      return reply.equal ? 1 : 0;
    case 'WRITTEN':
      return WIDTHS[reply.width];
    case 'LOCKED':
      return reply.level1 ? 1 : 0;
    default:
      return 0;
  }
}

function writeReplyBody(writer: Writer, reply: Reply): void {
  switch (reply.name) {
    case 'ERASED':
      writer.u32(ERASED_HOW[reply.how]);
      return;
    case 'DIGEST':
      writer.u32(reply.questionsLeft, 'questionsLeft');
      return;
    case 'WRITTEN':
      writer.bytes(reply.root, 'root', DIGEST_BYTES).u32(reply.wordsProgrammed, 'wordsProgrammed').u32(reply.optcr);
      writeTimes(writer, reply.chipTimes);
      return;
    case 'ENDED':
      writer.u32(reply.wordsProgrammed, 'wordsProgrammed');
      writeTimes(writer, reply.chipTimes);
      return;
    case 'LOCKED':
      writer.u32(reply.optcr, 'optcr').u32(reply.optcr1, 'optcr1');
      return;
    case 'ABORT':
      writer.u32(reply.error, 'error').u32(reply.detail, 'detail');
      return;
    default:
      writer.u32(reply.wordsProgrammed, 'wordsProgrammed');
  }
}

function writeTimes(writer: Writer, { erase, program, check }: ChipTimes): void {
  writer.u32(erase, 'erase').u32(program, 'program').u32(check, 'check');
}

function readTimes(reader: Reader): ChipTimes {
  return { erase: reader.u32(), program: reader.u32(), check: reader.u32() };
}

function readReply(reader: Reader, name: ReplyName, argument: number, answers: number): Reply {
  const bare = () => {
    if (argument !== 0) reader.refuse('a reserved byte is set');
  };
  switch (name) {
    case 'ERASED':
      return {
        name,
        answers,
        sector: argument,
        how: nameOf(ERASED_HOW, reader.u32()) ?? reader.refuse('how it was erased'),
      };
    case 'DIGEST':
      if (argument > 1) reader.refuse(`answer ${argument}`);
      return { name, answers, equal: argument === 1, questionsLeft: reader.u32() };
    case 'WRITTEN': {
      const width = nameOf(WIDTHS, argument) ?? reader.refuse(`programming width ${argument}`);
      const root = reader.bytes(DIGEST_BYTES);
      const [wordsProgrammed, optcr] = [reader.u32(), reader.u32()];
      return { name, answers, width, root, wordsProgrammed, optcr, chipTimes: readTimes(reader) };
    }
    case 'LOCKED':
      if (argument > 1) reader.refuse(`lock state ${argument}`);
      return { name, answers, level1: argument === 1, optcr: reader.u32(), optcr1: reader.u32() };
    case 'ENDED':
      bare();
      return { name, answers, wordsProgrammed: reader.u32(), chipTimes: readTimes(reader) };
    case 'ABORT':
      bare();
      return { name, answers, error: reader.u32(), detail: reader.u32() };
    default:
      bare();
      return { name, answers, wordsProgrammed: reader.u32() };
  }
}

function nameOf<Table extends Record<string, number>>(table: Table, value: number): (keyof Table & string) | undefined {
  return Object.keys(table).find((name) => table[name] === value);
}

// ── digests ───────────────────────────────────────────────────────────────────────────────────────────────────────

export interface DigestedRange {
  readonly address: number;
  readonly length: number;
  /** SHA-512 of the range's bytes in flash. */
  readonly digest: Uint8Array;
}

/** root, 64 bytes: one digest over address, length and digest of every range in the plan's order. */
export function rootDigest(ranges: readonly DigestedRange[]): Uint8Array {
  const writer = new Writer().u32(ranges.length);
  for (const range of ranges) {
    writer.u32(range.address, 'address').u32(range.length, 'length').bytes(range.digest, 'digest', DIGEST_BYTES);
  }
  return sha512(ascii(ROOT_DOMAIN), writer.finish());
}

/**
 * What WRITTEN tells, 64 bytes: one digest over the root with the boot words erased and the boot words as they are in
 * flash.
 * @param bootWords 64 bytes
 */
export function writtenRoot(rootBefore: Uint8Array, bootWords: Uint8Array): Uint8Array {
  return sha512(ascii(WRITTEN_DOMAIN), rootBefore, bootWords);
}
