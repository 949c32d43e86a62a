// Every ST-LINK command we use as a value: 16 bytes, data phase, reply length, decoder. No I/O, no state.
// Layouts: docs/reference/stlink.md §2.2-§2.6. Integers are little-endian except the version word.
import { hexNumber } from '../../../shared/codec/bytes.ts';
import { fail } from '../../../shared/errors/errors.ts';
import {
  COMMAND_LENGTH,
  DEBUG,
  ENTER_SWD,
  LEAVE,
  MASS_STORAGE_PRODUCTS,
  MOST_COM_FREQUENCIES,
  NRST,
  TOP,
} from './constants.ts';

/** Where a command's status is: nowhere, in byte 0 of its reply, or to be fetched with lastStatus. */
export type StatusPlace = 'none' | 'in-band' | 'later';

export interface StlinkCommand<Reply> {
  /** For logs and error details. */
  readonly name: string;
  /** Exactly 16 bytes. */
  readonly bytes: Uint8Array;
  readonly dataOut: Uint8Array | undefined;
  /** Exact length of the reply; 0 when none comes. */
  readonly replyLength: number;
  readonly status: StatusPlace;
  /** Meaning of a reply of exactly `replyLength` bytes whose status was fine. */
  decode(reply: Uint8Array): Reply;
}

export interface FirmwareVersion {
  /** As printed by ST's tools: `V2J37S7`, `V3J15M7B5S1`. */
  readonly text: string;
  /** Hardware generation as the firmware says it (V3PWR says 4). */
  readonly hardware: number;
  /** 0 on swim-only firmware. */
  readonly jtag: number;
  readonly vendorId: number;
  readonly productId: number;
}

export interface LastStatus {
  readonly status: number;
  /** Address the last failed access stopped at; undefined from the older command. */
  readonly address: number | undefined;
}

/** Access port and CSW for firmware that honours them in memory commands (J32 / V3J2); zero bytes otherwise. */
export interface MemoryBus {
  readonly ap: number;
  readonly csw: number;
}

const NO_BUS: MemoryBus = { ap: 0, csw: 0 };

const nothing = (): void => {};
const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const u16 = (bytes: Uint8Array, at: number): number => view(bytes).getUint16(at, true);
const u32 = (bytes: Uint8Array, at: number): number => view(bytes).getUint32(at, true);

/** Sixteen bytes: the leading ones given, then zeros, then little-endian fields [offset, width in bits, value]. */
function commandBytes(head: readonly number[], ...fields: readonly (readonly [number, 16 | 32, number])[]): Uint8Array {
  const bytes = new Uint8Array(COMMAND_LENGTH);
  bytes.set(head);
  for (const [at, width, value] of fields) {
    if (width === 16) view(bytes).setUint16(at, value, true);
    else view(bytes).setUint32(at, value, true);
  }
  return bytes;
}

function silent(name: string, bytes: Uint8Array): StlinkCommand<void> {
  return { name, bytes, dataOut: undefined, replyLength: 0, status: 'none', decode: nothing };
}

function asking<Reply>(
  name: string,
  bytes: Uint8Array,
  replyLength: number,
  status: StatusPlace,
  decode: (reply: Uint8Array) => Reply,
): StlinkCommand<Reply> {
  return { name, bytes, dataOut: undefined, replyLength, status, decode };
}

const doing = (name: string, bytes: Uint8Array): StlinkCommand<void> => asking(name, bytes, 2, 'in-band', nothing);

// ── Identity and mode ────────────────────────────────────────────────────────────────────────────────────────────────

/** F1. On hardware 3 and 4 the word holds no versions: ask `getVersionEx`. */
export function getVersion(): StlinkCommand<FirmwareVersion> {
  return asking('GET_VERSION', commandBytes([TOP.getVersion]), 6, 'none', decodeVersion);
}

/** FB, V3 only. */
export function getVersionEx(): StlinkCommand<FirmwareVersion> {
  return asking('GET_VERSION_EX', commandBytes([TOP.getVersionEx]), 12, 'none', decodeVersionEx);
}

/** F5; decodes to a value of MODE, or any other byte the probe may say. */
export function getCurrentMode(): StlinkCommand<number> {
  return asking('GET_CURRENT_MODE', commandBytes([TOP.getCurrentMode]), 2, 'none', (reply) => reply[0]);
}

export const leaveDfu = (): StlinkCommand<void> => silent('DFU_EXIT', commandBytes([TOP.dfu, LEAVE.dfu]));
export const leaveSwim = (): StlinkCommand<void> => silent('SWIM_EXIT', commandBytes([TOP.swim, LEAVE.swim]));
export const leaveDebug = (): StlinkCommand<void> => silent('DEBUG_EXIT', commandBytes([TOP.debug, DEBUG.exit]));

/** F7; volts, or undefined when the probe's reference reads zero (nothing can be computed then). */
export function getTargetVoltage(): StlinkCommand<number | undefined> {
  return asking('GET_TARGET_VOLTAGE', commandBytes([TOP.getTargetVoltage]), 8, 'none', (reply) => {
    const reference = u32(reply, 0);
    return reference === 0 ? undefined : (2 * u32(reply, 4) * 1.2) / reference;
  });
}

// ── Connection ───────────────────────────────────────────────────────────────────────────────────────────────────────

export const enterSwd = (): StlinkCommand<void> =>
  doing('ENTER_SWD', commandBytes([TOP.debug, DEBUG.enter, ENTER_SWD]));
export const initAp = (ap: number): StlinkCommand<void> =>
  doing('INIT_AP', commandBytes([TOP.debug, DEBUG.initAp, ap]));
export const closeAp = (ap: number): StlinkCommand<void> =>
  doing('CLOSE_AP', commandBytes([TOP.debug, DEBUG.closeAp, ap]));

export function driveNrst(level: keyof typeof NRST): StlinkCommand<void> {
  return doing(`DRIVE_NRST ${level}`, commandBytes([TOP.debug, DEBUG.driveNrst, NRST[level]]));
}

/** DPIDR of the target. */
export function readIdCodes(): StlinkCommand<number> {
  return asking('READ_IDCODES', commandBytes([TOP.debug, DEBUG.readIdCodes]), 12, 'in-band', (reply) => u32(reply, 4));
}

/** V2 only; divisors in SWD_CLOCKS_V2. */
export function setSwdDivisor(divisor: number): StlinkCommand<void> {
  return doing('SWD_SET_FREQ', commandBytes([TOP.debug, DEBUG.swdSetFrequency], [2, 16, divisor]));
}

/** V3 only; decodes to the kHz really set. */
export function setComFrequency(kHz: number): StlinkCommand<number> {
  const bytes = commandBytes([TOP.debug, DEBUG.setComFrequency, 0, 0], [4, 32, kHz]);
  return asking('SET_COM_FREQ', bytes, 8, 'in-band', (reply) => u32(reply, 4));
}

/** V3 only; the SWD clocks it knows, kHz, descending. The count in the reply is not believed beyond its room. */
export function getComFrequencies(): StlinkCommand<readonly number[]> {
  return asking('GET_COM_FREQ', commandBytes([TOP.debug, DEBUG.getComFrequency, 0]), 52, 'in-band', (reply) => {
    const count = Math.min(u32(reply, 8), MOST_COM_FREQUENCIES);
    const listed = Array.from({ length: count }, (_, index) => u32(reply, 12 + 4 * index));
    return listed.filter((kHz) => kHz > 0).sort((a, b) => b - a);
  });
}

// ── Registers and words ──────────────────────────────────────────────────────────────────────────────────────────────

/** Core register by DCRSR number. */
export function readRegister(register: number): StlinkCommand<number> {
  const bytes = commandBytes([TOP.debug, DEBUG.readRegister, register]);
  return asking(`READREG ${register}`, bytes, 8, 'in-band', (reply) => u32(reply, 4));
}

export function writeRegister(register: number, value: number): StlinkCommand<void> {
  return doing(`WRITEREG ${register}`, commandBytes([TOP.debug, DEBUG.writeRegister, register], [3, 32, value]));
}

/** One aligned 32-bit word anywhere in the address space. */
export function readDebugRegister(address: number): StlinkCommand<number> {
  const bytes = commandBytes([TOP.debug, DEBUG.readDebugRegister], [2, 32, address]);
  return asking(`READDEBUGREG ${hexNumber(address)}`, bytes, 8, 'in-band', (reply) => u32(reply, 4));
}

export function writeDebugRegister(address: number, value: number): StlinkCommand<void> {
  const bytes = commandBytes([TOP.debug, DEBUG.writeDebugRegister], [2, 32, address], [6, 32, value]);
  return doing(`WRITEDEBUGREG ${hexNumber(address)}`, bytes);
}

/** Register of an access port, or of the debug port (`port` = DEBUG_PORT). */
export function readDapRegister(port: number, register: number): StlinkCommand<number> {
  const bytes = commandBytes([TOP.debug, DEBUG.readDapRegister], [2, 16, port], [4, 16, register]);
  return asking(`READ_DAP_REG ${hexNumber(register)}`, bytes, 8, 'in-band', (reply) => u32(reply, 4));
}

export function writeDapRegister(port: number, register: number, value: number): StlinkCommand<void> {
  const bytes = commandBytes([TOP.debug, DEBUG.writeDapRegister], [2, 16, port], [4, 16, register], [6, 32, value]);
  return doing(`WRITE_DAP_REG ${hexNumber(register)}`, bytes);
}

// ── Memory ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const READ_MEMORY = { 8: DEBUG.readMem8, 16: DEBUG.readMem16, 32: DEBUG.readMem32 } as const;
const WRITE_MEMORY = { 8: DEBUG.writeMem8, 16: DEBUG.writeMem16, 32: DEBUG.writeMem32 } as const;

/** `length` bytes at `address`, both multiples of the width. One byte comes back as two and is cut (§2.4). */
export function readMemory(
  width: 8 | 16 | 32,
  address: number,
  length: number,
  bus = NO_BUS,
): StlinkCommand<Uint8Array> {
  const bytes = memoryCommand(READ_MEMORY[width], address, length, bus);
  const replyLength = width === 8 && length === 1 ? 2 : length;
  const name = `READMEM_${width} ${hexNumber(address)}+${length}`;
  return asking(name, bytes, replyLength, 'later', (reply) => reply.slice(0, length));
}

/** `data` at `address`; length and address multiples of the width. */
export function writeMemory(width: 8 | 16 | 32, address: number, data: Uint8Array, bus = NO_BUS): StlinkCommand<void> {
  const bytes = memoryCommand(WRITE_MEMORY[width], address, data.length, bus);
  const name = `WRITEMEM_${width} ${hexNumber(address)}+${data.length}`;
  return { name, bytes, dataOut: data, replyLength: 0, status: 'later', decode: nothing };
}

function memoryCommand(opcode: number, address: number, length: number, bus: MemoryBus): Uint8Array {
  const bytes = commandBytes([TOP.debug, opcode], [2, 32, address], [6, 16, length], [8, 32, bus.csw & 0xffffff00]);
  bytes[8] = bus.ap;
  return bytes;
}

/** 3E: status and fault address of the last memory transfer. */
export function lastStatus2(): StlinkCommand<LastStatus> {
  const bytes = commandBytes([TOP.debug, DEBUG.getLastStatus2]);
  return asking('GETLASTRWSTATUS2', bytes, 12, 'none', (reply) => ({ status: reply[0], address: u32(reply, 4) }));
}

/** 3B: the same without address, for firmware before J15. */
export function lastStatus(): StlinkCommand<LastStatus> {
  const bytes = commandBytes([TOP.debug, DEBUG.getLastStatus]);
  return asking('GETLASTRWSTATUS', bytes, 2, 'none', (reply) => ({ status: reply[0], address: undefined }));
}

// ── Versions ─────────────────────────────────────────────────────────────────────────────────────────────────────────

function decodeVersion(reply: Uint8Array): FirmwareVersion {
  const word = view(reply).getUint16(0, false);
  const hardware = word >> 12;
  const first = (word >> 6) & 0x3f;
  const second = word & 0x3f;
  const ids = { vendorId: u16(reply, 2), productId: u16(reply, 4) };
  if (hardware >= 3) return { text: `V${hardware}`, hardware, jtag: 0, ...ids };
  if (!MASS_STORAGE_PRODUCTS.includes(ids.productId)) {
    return { text: `V${hardware}J${first}S${second}`, hardware, jtag: first, ...ids };
  }
  if (isSwimOnly(first, second)) return { text: `V${hardware}M${first}S${second}`, hardware, jtag: 0, ...ids };
  return { text: `V${hardware}J${first}M${second}`, hardware, jtag: first, ...ids };
}

/** Boards for STM8 carry firmware without JTAG/SWD; only these version pairs tell (§2.2). */
function isSwimOnly(first: number, second: number): boolean {
  return (first <= 22 && second === 7) || (first >= 25 && second >= 7 && second <= 12);
}

function decodeVersionEx(reply: Uint8Array): FirmwareVersion {
  const [hardware, swim, jtag, massStorage, bridge, power] = reply;
  if (hardware < 3) throw fail('BF-PROBE-GARBAGE', `extended version of hardware ${hardware}`);
  const optional = (letter: string, value: number): string => (value === 0 ? '' : `${letter}${value}`);
  const text = `V${hardware}J${jtag}M${massStorage}${optional('B', bridge)}${optional('S', swim)}${optional('P', power)}`;
  return { text, hardware, jtag, vendorId: u16(reply, 8), productId: u16(reply, 10) };
}
