// Debug commands on core, registers, DAP and reset wire. docs: docs/reference/stlink.md §2.3, §3.5.
import { DP_REGISTER } from '../dap/sw-dp.ts';
import { AP_REGISTER } from '../dap/ahb-ap.ts';
import { putU32, statusReply, u16, u32, valueReply } from './bytes.ts';
import { DHCSR, SCS, SYSTEM_RESET, readRegister, writeRegister } from './core-access.ts';
import type { CommandRow, Firmware } from './firmware.ts';
import { AP_MAX, DEBUG, DP_PORT, ENTER, NRST, STATUS } from './opcodes.ts';
import type { Status } from './opcodes.ts';
import type { Steps } from './steps.ts';
import type { WireResult } from './swd-wire.ts';

type Work<T> = (firmware: Firmware, command: Uint8Array) => Steps<T> | T;

/** A command on the target answered with a status and 00. */
function action(name: string, work: Work<Status>, more: Partial<CommandRow> = {}): CommandRow {
  return {
    name,
    modes: 'debug',
    onWire: true,
    statusInReply: true,
    replyLength: () => 2,
    *run(firmware, command) {
      const outcome = work(firmware, command);
      return statusReply(typeof outcome === 'number' ? outcome : yield* outcome);
    },
    ...more,
  };
}

/** A command on the target answered with status@0 and a word@4. */
function query(name: string, work: (firmware: Firmware, command: Uint8Array) => Steps<WireResult>): CommandRow {
  return {
    name,
    modes: 'debug',
    onWire: true,
    statusInReply: true,
    replyLength: () => 8,
    *run(firmware, command) {
      const { status, value } = yield* work(firmware, command);
      return valueReply(status, value);
    },
  };
}

const BAD_AP: WireResult = { status: STATUS.badAp, value: 0 };
const writeDhcsr = (firmware: Firmware, value: number): Steps<Status> => firmware.memory.writeWord(0, SCS.dhcsr, value);

function* enter(firmware: Firmware, command: Uint8Array): Steps<Status> {
  firmware.enterFailed = true;
  if (command[2] !== ENTER.swd) return STATUS.unknownJtagChain;
  const id = yield* firmware.wire.connect();
  if (id.status !== STATUS.ok) return firmware.identity.noTarget as Status;
  const powered = yield* firmware.wire.powerUp();
  if (powered !== STATUS.ok) return powered;
  firmware.enterFailed = false;
  firmware.mode = 'debug';
  if (firmware.switches.enterOpensAp) firmware.openAps.add(0);
  return firmware.switches.enterHalts ? yield* writeDhcsr(firmware, DHCSR.halt) : STATUS.ok;
}

const exit: CommandRow = {
  name: 'EXIT',
  modes: 'application',
  statusInReply: false,
  replyLength: () => 0,
  *run(firmware) {
    if (firmware.mode === 'debug' && firmware.switches.exitClearsDebug) yield* writeDhcsr(firmware, DHCSR.detach);
    firmware.mode = 'mass';
    firmware.enterFailed = false;
    firmware.openAps.clear();
    return new Uint8Array(0);
  },
};

function* initAp(firmware: Firmware, command: Uint8Array): Steps<Status> {
  const ap = command[2]!;
  if (ap > AP_MAX) return STATUS.badAp;
  yield* firmware.wire.settle();
  const id = yield* firmware.wire.readAp(ap, AP_REGISTER.idr);
  if (id.status !== STATUS.ok) return id.status;
  if (id.value === 0) return STATUS.badAp;
  firmware.openAps.add(ap);
  return firmware.switches.initApSetsDebug ? yield* writeDhcsr(firmware, DHCSR.run) : STATUS.ok;
}

function closeAp(firmware: Firmware, command: Uint8Array): Status {
  if (command[2]! > AP_MAX) return STATUS.badAp;
  firmware.openAps.delete(command[2]!);
  return STATUS.ok;
}

const idCodes: CommandRow = {
  name: 'READ_IDCODES',
  modes: 'debug',
  onWire: true,
  statusInReply: true,
  replyLength: () => 12,
  *run(firmware) {
    const id = yield* firmware.wire.readDp(DP_REGISTER.dpidr);
    const reply = statusReply(id.status === STATUS.ok ? STATUS.ok : firmware.identity.noTarget, 12);
    putU32(reply, 4, id.value);
    return reply;
  },
};

const coreId: CommandRow = {
  name: 'READCOREID',
  modes: 'debug',
  onWire: true,
  statusInReply: false,
  replyLength: () => 4,
  *run(firmware) {
    const id = yield* firmware.wire.readDp(DP_REGISTER.dpidr);
    const reply = new Uint8Array(4);
    putU32(reply, 0, id.value);
    return reply;
  },
};

const coreStatus: CommandRow = {
  name: 'GETSTATUS',
  modes: 'debug',
  onWire: true,
  statusInReply: true,
  replyLength: () => 2,
  *run(firmware) {
    const state = yield* firmware.memory.readWord(0, SCS.dhcsr);
    if (state.status !== STATUS.ok) return statusReply(state.status);
    return statusReply((state.value & DHCSR.halted) !== 0 ? 0x81 : 0x80);
  },
};

function* driveNrst(firmware: Firmware, command: Uint8Array): Steps<Status> {
  const level = command[2]!;
  if (level > NRST.pulse) return STATUS.commandError;
  const board = firmware.switches.nrstWired ? firmware.board : undefined;
  if (level !== NRST.high) board?.assertNrst();
  if (level === NRST.pulse) yield* firmware.wire.pass(firmware.cost.nrstPulseNs);
  if (level !== NRST.low) board?.releaseNrst();
  return STATUS.ok;
}

/** READREG and READALLREGS of a core that runs. */
const STATUS_OF_RUNNING = { 'command error': STATUS.commandError, zero: STATUS.ok } as const;

/** r0-r15, xPSR, MSP, PSP and the special word; the last of the 21 words is 0. */
const ALL_REGISTERS: readonly number[] = [...Array.from({ length: 19 }, (_, i) => i), 20];

const readAllRegisters: CommandRow = {
  name: 'READALLREGS',
  modes: 'debug',
  onWire: true,
  statusInReply: true,
  replyLength: () => 88,
  *run(firmware, command) {
    const reply = statusReply(STATUS.ok, 88);
    if (command[2]! > AP_MAX) return statusReply(STATUS.badAp, 88);
    for (const [index, register] of ALL_REGISTERS.entries()) {
      const read = yield* readRegister(firmware.memory, command[2]!, register);
      if (read === 'running') return statusReply(STATUS_OF_RUNNING[firmware.identity.readsRunningCore], 88);
      if (read.status !== STATUS.ok) return statusReply(read.status, 88);
      putU32(reply, 4 + 4 * index, read.value);
    }
    return reply;
  },
};

function* readDap(firmware: Firmware, command: Uint8Array): Steps<WireResult> {
  const port = u16(command, 2);
  const register = u16(command, 4);
  if (port === DP_PORT) return yield* firmware.wire.readDp(register & 0xff);
  return port > AP_MAX ? BAD_AP : yield* firmware.wire.readAp(port, register & 0xfc);
}

function* writeDap(firmware: Firmware, command: Uint8Array): Steps<Status> {
  const port = u16(command, 2);
  const register = u16(command, 4);
  const value = u32(command, 6);
  if (port === DP_PORT) return yield* firmware.wire.writeDp(register & 0xff, value);
  return port > AP_MAX ? STATUS.badAp : yield* firmware.wire.writeAp(port, register & 0xfc, value);
}

export const CORE_COMMANDS: Readonly<Record<number, CommandRow>> = {
  [DEBUG.getStatus]: coreStatus,
  [DEBUG.forceDebug]: action('FORCEDEBUG', (firmware) => writeDhcsr(firmware, DHCSR.halt)),
  [DEBUG.runCore]: action('RUNCORE', (firmware) => writeDhcsr(firmware, DHCSR.run)),
  [DEBUG.stepCore]: action('STEPCORE', (firmware) => writeDhcsr(firmware, DHCSR.step)),
  [DEBUG.enter]: action('ENTER', enter, { modes: 'application' }),
  [DEBUG.exit]: exit,
  [DEBUG.readCoreId]: coreId,
  [DEBUG.readIdCodes]: idCodes,
  [DEBUG.resetSys]: action('RESETSYS', (firmware) => firmware.memory.writeWord(0, SCS.aircr, SYSTEM_RESET)),
  [DEBUG.readReg]: query('READREG', function* (firmware, command) {
    if (command[3]! > AP_MAX) return BAD_AP;
    const read = yield* readRegister(firmware.memory, command[3]!, command[2]!);
    if (read !== 'running') return read;
    return { status: STATUS_OF_RUNNING[firmware.identity.readsRunningCore], value: 0 };
  }),
  [DEBUG.writeReg]: action('WRITEREG', function* (firmware, command) {
    if (command[7]! > AP_MAX) return STATUS.badAp;
    return yield* writeRegister(firmware.memory, command[7]!, command[2]!, u32(command, 3));
  }),
  [DEBUG.writeDebugReg]: action('WRITEDEBUGREG', function* (firmware, command) {
    if (u32(command, 2) % 4 !== 0) return STATUS.alignment;
    return yield* firmware.memory.writeWord(0, u32(command, 2), u32(command, 6));
  }),
  [DEBUG.readDebugReg]: query('READDEBUGREG', function* (firmware, command) {
    if (u32(command, 2) % 4 !== 0) return { status: STATUS.alignment, value: 0 };
    return yield* firmware.memory.readWord(0, u32(command, 2));
  }),
  [DEBUG.readAllRegs]: readAllRegisters,
  [DEBUG.driveNrst]: action('DRIVE_NRST', driveNrst, { modes: 'application', onWire: false }),
  [DEBUG.readDapReg]: query('READ_DAP_REG', readDap),
  [DEBUG.writeDapReg]: action('WRITE_DAP_REG', writeDap),
  [DEBUG.initAp]: action('INIT_AP', initAp),
  [DEBUG.closeAp]: action('CLOSE_AP', closeAp, { onWire: false }),
};
