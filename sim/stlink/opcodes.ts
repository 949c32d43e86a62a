// ST-LINK command bytes, statuses and modes as the virtual probe knows them. docs: docs/reference/stlink.md §2.2, §2.3,
// §2.7. Transcribed on its own; the agent's driver keeps another transcription and a test compares the two.

/** First byte of a command. */
export const TOP = {
  getVersion: 0xf1,
  debug: 0xf2,
  dfu: 0xf3,
  swim: 0xf4,
  getCurrentMode: 0xf5,
  getTargetVoltage: 0xf7,
  getVersionEx: 0xfb,
  driveTargetPower: 0xfd,
} as const satisfies Record<string, number>;

/** Second byte after 0xF2. */
export const DEBUG = {
  getStatus: 0x01,
  forceDebug: 0x02,
  readMem32: 0x07,
  writeMem32: 0x08,
  runCore: 0x09,
  stepCore: 0x0a,
  readMem8: 0x0c,
  writeMem8: 0x0d,
  exit: 0x21,
  readCoreId: 0x22,
  enter: 0x30,
  readIdCodes: 0x31,
  resetSys: 0x32,
  readReg: 0x33,
  writeReg: 0x34,
  writeDebugReg: 0x35,
  readDebugReg: 0x36,
  readAllRegs: 0x3a,
  getLastRwStatus: 0x3b,
  driveNrst: 0x3c,
  getLastRwStatus2: 0x3e,
  startTrace: 0x40,
  stopTrace: 0x41,
  getTraceCount: 0x42,
  setSwdFrequency: 0x43,
  setJtagFrequency: 0x44,
  readDapReg: 0x45,
  writeDapReg: 0x46,
  readMem16: 0x47,
  writeMem16: 0x48,
  blinkLed: 0x49,
  initAp: 0x4b,
  closeAp: 0x4c,
  writeMem32NoIncrement: 0x50,
  rwMiscOut: 0x51,
  rwMiscIn: 0x52,
  readMem32NoIncrement: 0x54,
  writeDftReg: 0x55,
  getBoardIdentifiers: 0x56,
  setComFrequency: 0x61,
  getComFrequency: 0x62,
  switchFrequency: 0x63,
} as const satisfies Record<string, number>;

export const DFU = { exit: 0x07 } as const satisfies Record<string, number>;
export const SWIM = { exit: 0x01 } as const satisfies Record<string, number>;
export const ENTER = { jtagReset: 0x00, swd: 0xa3, jtagNoReset: 0xa4 } as const satisfies Record<string, number>;
export const NRST = { low: 0, high: 1, pulse: 2 } as const satisfies Record<string, number>;
/** Port number that means "the debug port itself" in READ/WRITE_DAP_REG. */
export const DP_PORT = 0xffff;
/** Item codes of RW_MISC. */
export const MISC = { address: 1, write: 2, read: 3, apNumber: 5 } as const satisfies Record<string, number>;

export const STATUS = {
  ok: 0x80,
  unknownError: 0x01,
  unknownJtagChain: 0x04,
  noDevice: 0x05,
  wrongMode: 0x06,
  commandError: 0x08,
  getIdCode: 0x09,
  alignment: 0x0a,
  writeVerify: 0x0d,
  apWait: 0x10,
  apFault: 0x11,
  apError: 0x12,
  dpWait: 0x14,
  dpFault: 0x15,
  dpError: 0x16,
  apWriteData: 0x18,
  apSticky: 0x19,
  badAp: 0x1d,
  configurationChanged: 0x40,
  frequencyNotSupported: 0x41,
  unknownCommand: 0x42,
} as const satisfies Record<string, number>;
export type Status = (typeof STATUS)[keyof typeof STATUS];

export const MODE = { dfu: 0, mass: 1, debug: 2, swim: 3 } as const satisfies Record<string, number>;
export type Mode = keyof typeof MODE;

/** Highest access port number the firmware accepts. */
export const AP_MAX = 8;
/** Most bytes of one 16/32-bit read, and of one write of any width. */
export const READ_MAX = 6144;
export const WRITE_MAX = 0xfffc;
/** Sizes of the fixed parts of an exchange, bytes. */
export const COMMAND_SIZE = 16;
