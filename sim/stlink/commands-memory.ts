// Memory commands, their status, and RW_MISC batches. docs: docs/reference/stlink.md §2.4, §2.5.
import type { Width } from '../bus.ts';
import { putU16, putU32, statusReply, u16, u32 } from './bytes.ts';
import type { CommandRow, Firmware } from './firmware.ts';
import { AP_MAX, DEBUG, MISC, READ_MAX, STATUS, WRITE_MAX } from './opcodes.ts';
import type { Status } from './opcodes.ts';
import type { Block, BlockResult } from './memory-port.ts';
import type { Steps } from './steps.ts';

interface MemoryCommand {
  readonly code: number;
  readonly name: string;
  readonly write: boolean;
  readonly width: Width;
  readonly increment: boolean;
}

const MEMORY: readonly MemoryCommand[] = [
  { code: DEBUG.readMem32, name: 'READMEM_32', write: false, width: 4, increment: true },
  { code: DEBUG.writeMem32, name: 'WRITEMEM_32', write: true, width: 4, increment: true },
  { code: DEBUG.readMem8, name: 'READMEM_8', write: false, width: 1, increment: true },
  { code: DEBUG.writeMem8, name: 'WRITEMEM_8', write: true, width: 1, increment: true },
  { code: DEBUG.readMem16, name: 'READMEM_16', write: false, width: 2, increment: true },
  { code: DEBUG.writeMem16, name: 'WRITEMEM_16', write: true, width: 2, increment: true },
  { code: DEBUG.readMem32NoIncrement, name: 'READMEM_32_NO_INC', write: false, width: 4, increment: false },
  { code: DEBUG.writeMem32NoIncrement, name: 'WRITEMEM_32_NO_INC', write: true, width: 4, increment: false },
];

const lengthOf = (command: Uint8Array): number => u16(command, 6);

function blockOf(command: Uint8Array, row: MemoryCommand): Block {
  return {
    ap: command[8]!,
    csw: ((command[9]! << 8) | (command[10]! << 16) | (command[11]! << 24)) >>> 0,
    address: u32(command, 2),
    width: row.width,
    increment: row.increment,
  };
}

/** Why the firmware will not even try, or `ok`. */
function refusal(firmware: Firmware, row: MemoryCommand, block: Block, length: number): Status {
  if (block.ap > AP_MAX || !firmware.openAps.has(block.ap)) return STATUS.badAp;
  const most = row.width === 1 ? firmware.identity.max8 : row.write ? WRITE_MAX : READ_MAX;
  if (length > most) return STATUS.commandError;
  return block.address % row.width !== 0 || length % row.width !== 0 ? STATUS.alignment : STATUS.ok;
}

/** Bytes a read brings: the length asked for, except that one byte comes with a companion. */
function readLength(row: MemoryCommand, length: number): number {
  if (row.width === 1 && length === 1) return 2;
  return Math.min(length, READ_MAX);
}

function* access(firmware: Firmware, row: MemoryCommand, command: Uint8Array, bytes: Uint8Array): Steps<void> {
  const block = blockOf(command, row);
  const refused = refusal(firmware, row, block, lengthOf(command));
  let result: BlockResult = { status: refused, faultAddress: block.address };
  if (refused === STATUS.ok) {
    result = row.write ? yield* firmware.memory.write(block, bytes) : yield* firmware.memory.read(block, bytes);
    if (row.write && row.width === 1 && result.status === STATUS.ok) result = yield* readBack(firmware, block, bytes);
  }
  firmware.lastRw = { ...result };
}

/** The firmware reads bytes back by itself, and says so where they differ: read-only bits, registers, flash. */
function* readBack(firmware: Firmware, block: Block, bytes: Uint8Array): Steps<BlockResult> {
  const seen = new Uint8Array(bytes.length);
  const result = yield* firmware.memory.read(block, seen);
  const differs = seen.findIndex((byte, index) => byte !== bytes[index]);
  if (result.status !== STATUS.ok || differs < 0) return result;
  return { status: STATUS.writeVerify, faultAddress: (block.address + differs) >>> 0 };
}

function memoryRow(row: MemoryCommand): CommandRow {
  const shared = { name: row.name, modes: 'debug', onWire: true, statusInReply: false } as const;
  if (row.write) {
    return {
      ...shared,
      replyLength: () => 0,
      dataLength: lengthOf,
      *run(firmware, command, data) {
        yield* access(firmware, row, command, data);
        return new Uint8Array(0);
      },
    };
  }
  return {
    ...shared,
    replyLength: (command) => readLength(row, lengthOf(command)),
    *run(firmware, command) {
      const reply = new Uint8Array(readLength(row, lengthOf(command)));
      yield* access(firmware, row, command, reply.subarray(0, lengthOf(command)));
      return reply;
    },
  };
}

const lastStatus: CommandRow = {
  name: 'GETLASTRWSTATUS',
  modes: 'application',
  statusInReply: true,
  replyLength: () => 2,
  run(firmware) {
    return statusReply(firmware.lastRw.status);
  },
};

const lastStatus2: CommandRow = {
  name: 'GETLASTRWSTATUS2',
  modes: 'application',
  statusInReply: true,
  replyLength: () => 12,
  run(firmware) {
    const reply = new Uint8Array(12);
    putU16(reply, 0, firmware.lastRw.status);
    putU32(reply, 4, firmware.lastRw.faultAddress);
    return reply;
  },
};

/** Number of items of a batch, 0 when the firmware would not take it. */
function miscCount(command: Uint8Array, firmware: Firmware): number {
  const items = u32(command, 2);
  return items <= firmware.identity.maxMisc ? items : 0;
}

const padded = (items: number): number => (items + 3) & ~3;

interface MiscState {
  ap: number;
  address: number;
}

/** One item: its result and status. */
function* miscItem(
  firmware: Firmware,
  state: MiscState,
  code: number,
  value: number,
): Steps<BlockResult & { data: number }> {
  const outcome = (status: number, data = 0) => ({ status: status as Status, faultAddress: state.address, data });
  if (code === MISC.apNumber) {
    state.ap = value;
    return outcome(value > AP_MAX ? STATUS.badAp : STATUS.ok);
  }
  if (code === MISC.address) {
    state.address = value;
    return outcome(STATUS.ok);
  }
  if (code !== MISC.write && code !== MISC.read) return outcome(STATUS.commandError);
  if (!firmware.openAps.has(state.ap)) return outcome(STATUS.badAp);
  if (code === MISC.write) return outcome(yield* firmware.memory.writeWord(state.ap, state.address, value));
  state.address = value;
  const read = yield* firmware.memory.readWord(state.ap, value);
  return outcome(read.status, read.value);
}

const miscOut: CommandRow = {
  name: 'RW_MISC_OUT',
  modes: 'debug',
  onWire: true,
  statusInReply: false,
  replyLength: () => 0,
  dataLength: (command, firmware) => {
    const items = miscCount(command, firmware);
    return padded(items) + 4 * items;
  },
  *run(firmware, command, data) {
    const items = miscCount(command, firmware);
    const results = new Uint8Array(8 * items);
    const state = { ap: 0, address: 0 };
    for (let i = 0; i < items; i++) {
      const item = yield* miscItem(firmware, state, data[i]!, u32(data, padded(items) + 4 * i));
      putU32(results, 4 * i, item.data);
      putU32(results, 4 * (items + i), item.status);
    }
    firmware.misc = results;
    return new Uint8Array(0);
  },
};

const miscIn: CommandRow = {
  name: 'RW_MISC_IN',
  modes: 'debug',
  statusInReply: false,
  replyLength: (_command, firmware) => firmware.misc.length || 2,
  run(firmware) {
    return firmware.misc.length > 0 ? firmware.misc : statusReply(STATUS.wrongMode);
  },
};

export const MEMORY_COMMANDS: Readonly<Record<number, CommandRow>> = {
  ...Object.fromEntries(MEMORY.map((row) => [row.code, memoryRow(row)])),
  [DEBUG.getLastRwStatus]: lastStatus,
  [DEBUG.getLastRwStatus2]: lastStatus2,
  [DEBUG.rwMiscOut]: miscOut,
  [DEBUG.rwMiscIn]: miscIn,
};
