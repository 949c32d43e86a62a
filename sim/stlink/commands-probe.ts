// Commands on the probe itself: versions, mode, voltage, clocks, trace, identifiers. docs: docs/reference/stlink.md
// §2.2, §2.3, §2.6.
import { putU32, statusReply, u16, u32 } from './bytes.ts';
import type { CommandRow, Firmware } from './firmware.ts';
import { V2_JTAG_DIVISORS, V3_KHZ, swdKHzOfDivisor, v3Clock } from './identity.ts';
import { DEBUG, DFU, MODE, STATUS, SWIM, TOP } from './opcodes.ts';

const ADC_REFERENCE = 1500;
const REFERENCE_VOLTS = 1.2;
/** What people's probes say without the wire to the target's supply. */
const UNWIRED_VOLTS = 0.01;
const BOARD_IDENTIFIER = 'F427';
const COM_LIST_MAX = 10;

/** A command on the probe alone: `reply` computes all `length` bytes. */
function local(
  name: string,
  length: number,
  reply: (firmware: Firmware, command: Uint8Array) => Uint8Array,
  more: Partial<CommandRow> = {},
): CommandRow {
  return {
    name,
    modes: 'application',
    statusInReply: true,
    replyLength: () => length,
    run(firmware, command) {
      return reply(firmware, command);
    },
    ...more,
  };
}

const ok = (): Uint8Array => statusReply(STATUS.ok);

/** a0 = reading of the 1.2 V reference, a1 = reading of half the target's supply: V = 2 · a1 · 1.2 / a0. */
function voltage(firmware: Firmware): Uint8Array {
  if (firmware.mode === 'dfu' && firmware.switches.voltageInDfu === 'silent') return new Uint8Array(0);
  const reply = new Uint8Array(8);
  const { supplied, powered, supplyVolts } = firmware.board;
  const volts = (supplied ?? powered) ? supplyVolts : 0;
  const seen = firmware.switches.supplyWired ? volts : UNWIRED_VOLTS;
  putU32(reply, 0, ADC_REFERENCE);
  putU32(reply, 4, Math.round((seen * ADC_REFERENCE) / (2 * REFERENCE_VOLTS)));
  return reply;
}

/** A command that changes the mode and is never answered. */
function leave(name: string, from: 'dfu' | 'swim', subcommand: number): CommandRow {
  return {
    name,
    modes: 'any',
    statusInReply: false,
    replyLength: (command) => (command[1] === subcommand ? 0 : 2),
    run(firmware, command) {
      if (command[1] !== subcommand) return statusReply(STATUS.unknownCommand);
      if (firmware.mode === from) firmware.mode = 'mass';
      return new Uint8Array(0);
    },
  };
}

export const TOP_COMMANDS: Readonly<Record<number, CommandRow>> = {
  [TOP.getVersion]: local('GET_VERSION', 6, (firmware) => Uint8Array.from(firmware.identity.version), { modes: 'any' }),
  [TOP.dfu]: leave('DFU', 'dfu', DFU.exit),
  [TOP.swim]: leave('SWIM', 'swim', SWIM.exit),
  [TOP.getCurrentMode]: local(
    'GET_CURRENT_MODE',
    2,
    (firmware) => Uint8Array.of(MODE[firmware.mode], firmware.mode === 'dfu' ? 1 : 0),
    {
      modes: 'any',
    },
  ),
  [TOP.getTargetVoltage]: local('GET_TARGET_VOLTAGE', 8, voltage, { modes: 'any' }),
  [TOP.getVersionEx]: local('GET_VERSION_EX', 12, (firmware) => Uint8Array.from(firmware.identity.versionEx ?? []), {
    modes: 'any',
    only: 3,
  }),
  [TOP.driveTargetPower]: local('DRIVE_TARGET_PWR', 2, ok),
};

function setSwdDivisor(firmware: Firmware, command: Uint8Array): Uint8Array {
  const kHz = swdKHzOfDivisor(u16(command, 2));
  if (kHz === undefined) return statusReply(STATUS.commandError);
  firmware.wire.kHz = kHz;
  return ok();
}

function setJtagDivisor(_firmware: Firmware, command: Uint8Array): Uint8Array {
  return statusReply(V2_JTAG_DIVISORS.includes(u16(command, 2)) ? STATUS.ok : STATUS.commandError);
}

function setComFrequency(firmware: Firmware, command: Uint8Array): Uint8Array {
  const wanted = u32(command, 4);
  if (command[2]! > 1 || wanted === 0) return statusReply(STATUS.frequencyNotSupported, 8);
  const kHz = v3Clock(command[2] === 0 ? V3_KHZ.swd : V3_KHZ.jtag, wanted);
  if (command[2] === 0) firmware.wire.kHz = kHz;
  else firmware.jtagKHz = kHz;
  const reply = statusReply(STATUS.ok, 8);
  putU32(reply, 4, kHz);
  return reply;
}

function getComFrequency(firmware: Firmware, command: Uint8Array): Uint8Array {
  if (command[2]! > 1) return statusReply(STATUS.frequencyNotSupported, 52);
  const list = (command[2] === 0 ? V3_KHZ.swd : V3_KHZ.jtag).slice(0, COM_LIST_MAX);
  const reply = statusReply(STATUS.ok, 52);
  putU32(reply, 4, command[2] === 0 ? firmware.wire.kHz : firmware.jtagKHz);
  putU32(reply, 8, list.length);
  list.forEach((kHz, index) => putU32(reply, 12 + 4 * index, kHz));
  return reply;
}

function boardIdentifiers(firmware: Firmware): Uint8Array {
  if (firmware.switches.boardId === 'hangs') {
    firmware.deaf = true;
    return new Uint8Array(0);
  }
  const reply = statusReply(STATUS.ok, 128);
  for (let i = 0; i < BOARD_IDENTIFIER.length; i++) reply[2 + i] = BOARD_IDENTIFIER.charCodeAt(i);
  return reply;
}

export const PROBE_COMMANDS: Readonly<Record<number, CommandRow>> = {
  [DEBUG.startTrace]: local('START_TRACE_RX', 2, ok),
  [DEBUG.stopTrace]: local('STOP_TRACE_RX', 2, ok),
  [DEBUG.getTraceCount]: local('GET_TRACE_NB', 2, () => new Uint8Array(2), { statusInReply: false }),
  [DEBUG.setSwdFrequency]: local('SWD_SET_FREQ', 2, setSwdDivisor, { only: 2 }),
  [DEBUG.setJtagFrequency]: local('JTAG_SET_FREQ', 2, setJtagDivisor, { only: 2 }),
  [DEBUG.blinkLed]: local('BLINK_LED', 2, ok),
  [DEBUG.writeDftReg]: local('WRITE_DFTREG', 2, ok),
  [DEBUG.getBoardIdentifiers]: local('GET_BOARD_IDENTIFIERS', 128, boardIdentifiers),
  [DEBUG.setComFrequency]: local('SET_COM_FREQ', 8, setComFrequency, { only: 3 }),
  [DEBUG.getComFrequency]: local('GET_COM_FREQ', 52, getComFrequency, { only: 3 }),
  [DEBUG.switchFrequency]: local('SWITCH_STLINK_FREQ', 8, () => statusReply(STATUS.configurationChanged, 8), {
    only: 3,
  }),
};
