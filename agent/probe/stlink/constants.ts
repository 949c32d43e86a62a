// What ST-LINK firmware speaks: USB identity, opcodes, statuses, clocks, and which firmware brought what.
// Our own transcription of docs/reference/stlink.md §1.1, §2.2-§2.10; the virtual probe keeps another one on purpose.
import type { ErrorCode } from '../../../shared/errors/errors.ts';

export const ST_VENDOR_ID = 0x0483;
export const DEBUG_INTERFACE = 0;
export const COMMAND_LENGTH = 16;

/** One USB product id: what people call it, and where its debug pipes are if the descriptor cannot be read. */
export interface ProductRow {
  readonly kind: string;
  readonly endpointOut: number;
  readonly endpointIn: number;
  /** Boot loaders and V1 are recognised only to be refused in words. */
  readonly usable: boolean;
}

const V2 = { kind: 'ST-LINK/V2', endpointOut: 2, endpointIn: 1, usable: true } as const;
const V21 = { kind: 'ST-LINK/V2-1', endpointOut: 1, endpointIn: 1, usable: true } as const;
const V3 = { kind: 'STLINK-V3', endpointOut: 1, endpointIn: 1, usable: true } as const;

/** §1.1. Those that are not usable are kept for their names. */
export const PRODUCTS: Readonly<Record<number, ProductRow>> = {
  0x3742: V21,
  0x3744: { kind: 'ST-LINK/V1', endpointOut: 2, endpointIn: 1, usable: false },
  0x3748: V2,
  0x374a: V21,
  0x374b: V21,
  0x374d: { kind: 'STLINK-V3 boot loader', endpointOut: 1, endpointIn: 1, usable: false },
  0x374e: V3,
  0x374f: V3,
  0x3752: V21,
  0x3753: V3,
  0x3754: V3,
  0x3755: V3,
  0x3757: { ...V3, kind: 'STLINK-V3PWR' },
};

/** Product ids whose second version field is the mass-storage (or swim-only) version, §2.2. */
export const MASS_STORAGE_PRODUCTS: readonly number[] = [0x374b, 0x3752];

/** First byte of a command, §2.2. */
export const TOP = {
  getVersion: 0xf1,
  debug: 0xf2,
  dfu: 0xf3,
  swim: 0xf4,
  getCurrentMode: 0xf5,
  getTargetVoltage: 0xf7,
  getVersionEx: 0xfb,
} as const satisfies Record<string, number>;

/** Second byte after `F3` and `F4`, §2.2. */
export const LEAVE = { dfu: 0x07, swim: 0x01 } as const satisfies Record<string, number>;

/** Second byte after `F2`, §2.3. */
export const DEBUG = {
  readMem32: 0x07,
  writeMem32: 0x08,
  readMem8: 0x0c,
  writeMem8: 0x0d,
  exit: 0x21,
  enter: 0x30,
  readIdCodes: 0x31,
  readRegister: 0x33,
  writeRegister: 0x34,
  writeDebugRegister: 0x35,
  readDebugRegister: 0x36,
  getLastStatus: 0x3b,
  driveNrst: 0x3c,
  getLastStatus2: 0x3e,
  swdSetFrequency: 0x43,
  readDapRegister: 0x45,
  writeDapRegister: 0x46,
  readMem16: 0x47,
  writeMem16: 0x48,
  initAp: 0x4b,
  closeAp: 0x4c,
  setComFrequency: 0x61,
  getComFrequency: 0x62,
} as const satisfies Record<string, number>;

export const ENTER_SWD = 0xa3;
export const NRST = { low: 0x00, high: 0x01 } as const satisfies Record<string, number>;
/** Port number that means "the debug port" in READ/WRITE_DAP_REG. */
export const DEBUG_PORT = 0xffff;

/** Byte 0 of GET_CURRENT_MODE, §2.2. */
export const MODE = { dfu: 0, idle: 1, debug: 2, swim: 3, bootLoader: 4 } as const satisfies Record<string, number>;

/** What the driver does about a status. `abort`: the sticky flags of the debug port have to be cleared. */
export type StatusAction = 'ok' | 'retry' | 'abort' | 'fail';

export interface StatusRow {
  readonly name: string;
  readonly action: StatusAction;
  readonly error: ErrorCode;
}

/** §2.7, §3.5. The waits are 0x10 and 0x14; 0x12, between them, is a protocol error. */
const STATUSES: Readonly<Record<number, StatusRow>> = {
  0x01: { name: 'unknown error', action: 'fail', error: 'BF-TARGET-FAULT' },
  0x02: { name: 'SPI error', action: 'fail', error: 'BF-PROBE-COMMAND' },
  0x03: { name: 'DMA error', action: 'fail', error: 'BF-PROBE-COMMAND' },
  0x04: { name: 'unknown JTAG chain', action: 'fail', error: 'BF-TARGET-NONE' },
  0x05: { name: 'no device connected', action: 'fail', error: 'BF-TARGET-NONE' },
  0x06: { name: 'command ignored', action: 'fail', error: 'BF-PROBE-COMMAND' },
  0x07: { name: 'command wait', action: 'fail', error: 'BF-PROBE-COMMAND' },
  0x08: { name: 'command error', action: 'fail', error: 'BF-PROBE-COMMAND' },
  0x09: { name: 'no SWD answer', action: 'fail', error: 'BF-TARGET-NONE' },
  0x0a: { name: 'alignment error', action: 'fail', error: 'BF-TARGET-ALIGNMENT' },
  0x0b: { name: 'debug power error', action: 'fail', error: 'BF-TARGET-NONE' },
  0x0c: { name: 'write error', action: 'fail', error: 'BF-TARGET-FAULT' },
  // OpenOCD takes "verify error" for success too; our callers read back what matters.
  0x0d: { name: 'write-verify error', action: 'ok', error: 'BF-TARGET-FAULT' },
  0x0e: { name: 'already open in another mode', action: 'fail', error: 'BF-PROBE-COMMAND' },
  0x10: { name: 'AP wait', action: 'retry', error: 'BF-TARGET-WAIT' },
  0x11: { name: 'AP fault', action: 'abort', error: 'BF-TARGET-FAULT' },
  0x12: { name: 'AP protocol error', action: 'fail', error: 'BF-TARGET-WIRE' },
  0x13: { name: 'AP parity error', action: 'fail', error: 'BF-TARGET-WIRE' },
  0x14: { name: 'DP wait', action: 'retry', error: 'BF-TARGET-WAIT' },
  0x15: { name: 'DP fault', action: 'abort', error: 'BF-TARGET-FAULT' },
  0x16: { name: 'DP protocol error', action: 'fail', error: 'BF-TARGET-WIRE' },
  0x17: { name: 'DP parity error', action: 'fail', error: 'BF-TARGET-WIRE' },
  0x18: { name: 'AP write-data error', action: 'abort', error: 'BF-TARGET-FAULT' },
  0x19: { name: 'AP sticky error', action: 'abort', error: 'BF-TARGET-FAULT' },
  0x1a: { name: 'AP sticky overrun', action: 'fail', error: 'BF-TARGET-WIRE' },
  0x1b: { name: 'AP already used', action: 'fail', error: 'BF-PROBE-BUSY' },
  0x1c: { name: 'turnaround error', action: 'fail', error: 'BF-TARGET-WIRE' },
  0x1d: { name: 'access port not open', action: 'fail', error: 'BF-PROBE-COMMAND' },
  0x20: { name: 'trace not available', action: 'fail', error: 'BF-PROBE-COMMAND' },
  0x21: { name: 'no jump to the loader', action: 'fail', error: 'BF-PROBE-COMMAND' },
  0x29: { name: 'too many access ports', action: 'fail', error: 'BF-PROBE-COMMAND' },
  0x30: { name: 'server id not found', action: 'fail', error: 'BF-PROBE-SERVER' },
  0x31: { name: 'too many server clients', action: 'fail', error: 'BF-PROBE-SERVER' },
  0x40: { name: 'configuration changed', action: 'fail', error: 'BF-PROBE-COMMAND' },
  0x41: { name: 'frequency not supported', action: 'fail', error: 'BF-PROBE-SPEED' },
  0x42: { name: 'unknown command', action: 'fail', error: 'BF-PROBE-OLD-FIRMWARE' },
  0x80: { name: 'OK', action: 'ok', error: 'BF-INTERNAL' },
  0x81: { name: 'fault', action: 'fail', error: 'BF-TARGET-FAULT' },
};

/** Anything §2.7 does not list. */
const UNKNOWN_STATUS: StatusRow = { name: 'unlisted status', action: 'fail', error: 'BF-PROBE-GARBAGE' };

/** Oldest JTAG version per hardware generation that can do a thing, §2.10. `v3: 0` = every V3. */
const FEATURES = {
  lastStatus2: { v2: 15, v3: 0 },
  swdSetFrequency: { v2: 22, v3: Infinity },
  dapRegisters: { v2: 24, v3: 0 },
  memory16: { v2: 26, v3: 0 },
  initAp: { v2: 28, v3: 0 },
  apInMemoryCommands: { v2: 32, v3: 2 },
  longMemory8: { v2: Infinity, v3: 6 },
  comFrequency: { v2: Infinity, v3: 0 },
} as const satisfies Record<string, { v2: number; v3: number }>;

export type Feature = keyof typeof FEATURES;

/**
 * Oldest firmware the driver works with. V2J24 brought the DAP register commands, without which sticky errors cannot be
 * cleared by ABORT after a fault; pyOCD and OpenOCD draw the line there too. V3J3: V3J2 cannot switch protocols
 * reliably (§2.10, §2.11), and every client that asks for an oldest V3 asks for this one.
 */
export const OLDEST_FIRMWARE = { v2: 24, v3: 3 } as const;

/** Most bytes per command, §2.4. */
export const BLOCK = { words: 6144, bytesV2: 64, bytesV3: 512 } as const;

/** §2.6, kHz → divisor of SWD_SET_FREQ on V2, descending. */
export const SWD_CLOCKS_V2: readonly { readonly kHz: number; readonly divisor: number }[] = [
  { kHz: 4000, divisor: 0 },
  { kHz: 1800, divisor: 1 },
  { kHz: 1200, divisor: 2 },
  { kHz: 950, divisor: 3 },
  { kHz: 480, divisor: 7 },
  { kHz: 240, divisor: 15 },
  { kHz: 125, divisor: 31 },
  { kHz: 100, divisor: 40 },
  { kHz: 50, divisor: 79 },
  { kHz: 25, divisor: 158 },
  { kHz: 15, divisor: 265 },
  { kHz: 5, divisor: 798 },
];

/** Chosen by us: works on long wires, and the chip's own work is slower than this wire anyway. */
export const DEFAULT_SPEED_KHZ = { v2: 1800, v3: 3300 } as const;
/** Entries GET_COM_FREQ has room for. */
export const MOST_COM_FREQUENCIES = 10;

/** §3.5: repeats after a wait status, sleeping 1 ms ≪ n before the n-th. */
export const MOST_RETRIES = 8;
/** Chosen by us, between what other clients use (1000 to 6000 ms): one whole exchange. */
export const EXCHANGE_DEADLINE_MS = 3000;

/** True if `usable` firmware of this generation has the feature. */
export function hasFeature(feature: Feature, generation: 2 | 3, jtag: number): boolean {
  const row = FEATURES[feature];
  return jtag >= (generation === 2 ? row.v2 : row.v3);
}

/** The row of a status byte, or the row for anything unlisted. */
export function statusRow(status: number): StatusRow {
  return STATUSES[status] ?? UNKNOWN_STATUS;
}
