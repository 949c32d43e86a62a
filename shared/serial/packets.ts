// The serial link between agent and loader as data: docs/serial-link.md, table by table. firmware/common/serial.h is
// generated from this file by scripts/gen-firmware-headers.ts. All numbers are little-endian.
import { Reader } from '../codec/bytes.ts';
import { BOX_SIZES, JOB } from '../mailbox/layout.ts';
import { PLAN_HEADER_BYTES, PLAN_LIMITS } from '../plan/plan.ts';
import { ENROLL_BYTES, SEALED_BYTES } from '../sealed/protocol.ts';
import { UPDATE_BYTES } from '../update/format.ts';
import { cobsMost } from './cobs.ts';

/** A field of a packet's body. */
interface Field {
  /** Bytes from the start of the body. */
  readonly offset: number;
  /** Bytes; a number when 1, 2 or 4. */
  readonly size: number;
  readonly what: string;
}
type Fields = Readonly<Record<string, Field>>;
type Value<F extends Field> = F['size'] extends 1 | 2 | 4 ? number : Uint8Array;
export type Values<F extends Fields> = { readonly [Name in keyof F]: Value<F[Name]> };

/** What the loader says of itself and its chip: nothing of it is authenticated. */
export const IDENT = {
  format: { offset: 0, size: 1, what: '1' },
  state: { offset: 1, size: 1, what: 'of the session, as in the mailbox' },
  flags: { offset: 2, size: 2, what: 'IDENT_FLAG_*' },
  version: { offset: 4, size: 2, what: 'of the loader: major * 256 + minor' },
  receiveSlots: { offset: 6, size: 1, what: 'COMMANDs it has room for' },
  freeKeySlots: { offset: 7, size: 1, what: 'key pairs it can still make' },
  product: { offset: 8, size: 4, what: 'product of its config' },
  imageVersion: { offset: 12, size: 4, what: 'of the image that is complete, or 0' },
  floor: { offset: 16, size: 4, what: 'least version it takes' },
  loaderHash: { offset: 20, size: 64, what: 'SHA-512 of the loader' },
  uid: { offset: 84, size: 12, what: 'unique device id' },
  optcr: { offset: 96, size: 4, what: 'FLASH_OPTCR' },
  optcr1: { offset: 100, size: 4, what: 'FLASH_OPTCR1, or 0' },
  devId: { offset: 104, size: 2, what: 'DEV_ID of DBGMCU_IDCODE' },
  flashKiB: { offset: 106, size: 2, what: 'flash size register' },
  mostBaud: { offset: 108, size: 4, what: 'highest bit rate it takes, bit/s' },
} as const satisfies Fields;
export type Ident = Values<typeof IDENT>;

/** Value of IDENT's first byte. */
export const IDENT_FORMAT = 1;

export const IDENT_FLAGS = {
  /** OPTCR read level 1 when it started. */
  locked: 1,
  /** An image is complete. */
  image: 2,
  /** There is a key slot that is closed. */
  keys: 4,
  /** It was not asked for: there is no image to start. */
  fallback: 8,
} as const satisfies Record<string, number>;

/** How far the loader is: nothing of it is authenticated. */
export const STATUS = {
  state: { offset: 0, size: 1, what: 'bits 5:0 as in the mailbox; STATUS_SHAKING, STATUS_LOST' },
  activity: { offset: 1, size: 1, what: 'what the chip is doing, as in the mailbox' },
  argument: { offset: 2, size: 1, what: 'sector or range of the activity' },
  error: { offset: 3, size: 1, what: 'why it refused, aborted or stopped' },
  accepted: { offset: 4, size: 4, what: 'highest COMMAND opened, its work done or queued' },
  credit: { offset: 8, size: 4, what: 'highest COMMAND there is room for' },
  replied: { offset: 12, size: 4, what: 'last REPLY given' },
  words: { offset: 16, size: 4, what: 'words programmed' },
  detail: { offset: 20, size: 4, what: 'what goes with the error' },
  handshakes: { offset: 24, size: 4, what: 'handshakes begun since the loader started' },
  received: { offset: 28, size: 4, what: 'highest COMMAND in a slot with all before it' },
  dropped: { offset: 32, size: 4, what: 'packets dropped since the loader started' },
} as const satisfies Fields;
export type LoaderStatus = Values<typeof STATUS>;

/** STATUS's first byte: the state, and two bits beside it. */
export const STATUS_BITS = {
  state: 0x3f,
  /** A JOB or an M2 was taken and is being worked on. */
  shaking: 0x40,
  /** A COMMAND arrived and one before it had not. */
  lost: 0x80,
} as const satisfies Record<string, number>;

/** Fields after which a body goes on with what it carries. */
export const SEQUENCE_BYTES = 4;
const HASH_BYTES = 64;

export const AGAIN = {
  type: { offset: 0, size: 1, what: 'of the packet wanted' },
  sequence: { offset: 1, size: 4, what: 'of a REPLY, else 0' },
} as const satisfies Fields;

export const BAUD = { rate: { offset: 0, size: 4, what: 'bit/s' } } as const satisfies Fields;

/** Bytes of the body of M1: M1 and the loader's hash; the longer one enrols. */
const M1_BODIES = [SEALED_BYTES.m1 + HASH_BYTES, ENROLL_BYTES.m1 + HASH_BYTES] as const;
const JOB_LEAST = JOB.fields.plan + PLAN_HEADER_BYTES;
const JOB_MOST = JOB.fields.plan + PLAN_LIMITS.bytes;

/** Entries of an update file in one packet, at most. */
export const ENTRIES_MOST = 26;
const ENTRY_SIZES = Array.from({ length: ENTRIES_MOST }, (_, at) => SEQUENCE_BYTES + (at + 1) * UPDATE_BYTES.entry);

const sizeOf = (fields: Fields): number => Math.max(...Object.values(fields).map(({ offset, size }) => offset + size));

export interface PacketRow {
  /** First byte of the packet; bit 7 is set in what the loader sends. */
  readonly type: number;
  readonly sizes: readonly number[] | { readonly least: number; readonly most: number };
  readonly what: string;
}

export const PACKETS = {
  askIdent: { type: 0x01, sizes: [0], what: 'IDENT?: who is there' },
  job: { type: 0x02, sizes: { least: JOB_LEAST, most: JOB_MOST }, what: 'JOB: the job as in the mailbox' },
  m2: { type: 0x03, sizes: [SEALED_BYTES.m2], what: 'M2' },
  command: {
    type: 0x04,
    sizes: [SEQUENCE_BYTES + BOX_SIZES.image, SEQUENCE_BYTES + BOX_SIZES.command],
    what: 'COMMAND: sequence 4, box',
  },
  fetched: { type: 0x05, sizes: [SEQUENCE_BYTES], what: 'FETCHED: sequence of the last REPLY taken' },
  again: { type: 0x06, sizes: [sizeOf(AGAIN)], what: 'AGAIN: send it once more' },
  abort: { type: 0x07, sizes: [0], what: 'ABORT: wipe and stop' },
  baud: { type: 0x08, sizes: [sizeOf(BAUD)], what: 'BAUD: change the bit rate' },
  file: {
    type: 0x09,
    sizes: { least: UPDATE_BYTES.head + PLAN_HEADER_BYTES, most: UPDATE_BYTES.head + PLAN_LIMITS.bytes },
    what: 'FILE: header of an update file',
  },
  entries: { type: 0x0a, sizes: ENTRY_SIZES, what: 'ENTRIES: sequence 4, entries of 160' },
  frame: {
    type: 0x0b,
    sizes: [SEQUENCE_BYTES + UPDATE_BYTES.longFrame, SEQUENCE_BYTES + UPDATE_BYTES.shortFrame],
    what: 'FRAME: sequence 4, frame',
  },
  ident: { type: 0x81, sizes: [sizeOf(IDENT)], what: 'IDENT' },
  m1: { type: 0x82, sizes: M1_BODIES, what: 'M1, loader hash 64' },
  m3: { type: 0x83, sizes: [SEALED_BYTES.m3], what: 'M3' },
  status: { type: 0x84, sizes: [sizeOf(STATUS)], what: 'STATUS' },
  reply: { type: 0x85, sizes: [SEQUENCE_BYTES + BOX_SIZES.reply], what: 'REPLY: sequence 4, box' },
} as const satisfies Record<string, PacketRow>;
export type PacketName = keyof typeof PACKETS;
export const PACKET_NAMES = Object.keys(PACKETS) as readonly PacketName[];

/** Bytes around a body: the type before it, the CRC-32 after it. */
export const FRAME_BYTES = { type: 1, crc: 4 } as const;
/** Bytes of a packet before COBS, at most. */
export const PACKET_MOST = 4200;
/** Bytes of a packet after COBS, at most, without the zero that ends it. */
export const CODED_MOST = cobsMost(PACKET_MOST);

/** Eight bytes of 55, by which the bit time is measured, and eight that nothing else begins with. */
export const KNOCK = {
  measured: new Uint8Array(8).fill(0x55),
  name: 'BFKNOCK2',
} as const;

/** Bit rates, bit/s. */
export const BAUD_RATES = { first: 115_200, higher: [230_400, 460_800, 921_600] } as const;

export const LINK_LIMITS = {
  /** Replies a loader keeps until they are fetched. */
  repliesKept: 16,
  /** Packets dropped one after the other after which the loader listens for a knock. */
  badPackets: 3,
} as const;

/** Milliseconds. */
export const LINK_TIMES = {
  /** An agent that looks for a loader knocks this often. */
  knockEvery: 100,
  /** A loader answers within this time, but for a JOB or M2 it is working on. */
  answer: 250,
  /** A JOB or M2 is answered within this time, or STATUS says that it is being worked on. */
  handshake: 2000,
  /** A loader that works, or shakes hands, says so at most this often … */
  statusEvery: 20,
  /** … and at least this often. */
  statusLeast: 250,
  /** After BAUD: without a good packet for this long, both ends are back at the rate before. */
  baudProof: 300,
  /** The rate has changed at both ends this long after BAUD left. */
  baudChange: 20,
  /** An agent that has a loader sends something at least this often. */
  aliveEvery: 2000,
  /** A loader that hears no good packet for this long may take the agent for gone. */
  aloneAfter: 10_000,
} as const;

/** The fields of a body. @throws BF-INTERNAL-ARGUMENT for a shorter body: the packet reader lets none through */
export function readFields<F extends Fields>(fields: F, body: Uint8Array): Values<F> {
  const values = Object.entries(fields).map(([name, { offset, size }]) => {
    const reader = new Reader(body.subarray(offset, offset + size), 'BF-INTERNAL-ARGUMENT', name);
    if (size === 1) return [name, reader.u8()];
    if (size === 2) return [name, reader.u16()];
    return [name, size === 4 ? reader.u32() : reader.bytes(size)];
  });
  return Object.fromEntries(values) as Values<F>;
}
