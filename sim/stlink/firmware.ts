// State of the probe's firmware between commands, and what one row of a command table looks like.
import type { DebugTarget } from '../dap/debug-target.ts';
import type { CostModel } from './cost.ts';
import type { ProbeFaults } from './faults.ts';
import type { ProbeIdentity } from './identity.ts';
import type { MemoryPort } from './memory-port.ts';
import type { Mode } from './opcodes.ts';
import type { Steps } from './steps.ts';
import type { SwdWire } from './swd-wire.ts';

/** The board as the probe sees it: debug port, time, reset wire, supply. Satisfied by `Board` (sim/board.ts). */
export interface ProbedBoard extends DebugTarget {
  readonly time: { readonly now: number };
  /** Target supply while it is on, volts. */
  readonly supplyVolts: number;
  /** Whether the supply is on; without it, `powered` tells. A chip in Standby is supplied and not powered. */
  readonly supplied?: boolean;
  /** Advances board time to `ns`. */
  runTo(ns: number): void;
  assertNrst(): void;
  releaseNrst(): void;
}

/** What no document settles about ST's firmware; defaults are the cautious reading (docs/reference/stlink.md §9). */
export interface FirmwareSwitches {
  /** ENTER halts the core. */
  readonly enterHalts: boolean;
  /** ENTER also opens AP 0, as tools that never send INIT_AP (st-flash) seem to find it. */
  readonly enterOpensAp: boolean;
  /** EXIT clears C_DEBUGEN. */
  readonly exitClearsDebug: boolean;
  /** INIT_AP sets C_DEBUGEN. */
  readonly initApSetsDebug: boolean;
  /** The probe's NRST pin is wired to the board. */
  readonly nrstWired: boolean;
  /** The probe measures the target's supply; without that wire it reads about nothing beside a chip that answers. */
  readonly supplyWired: boolean;
  /** Mode after power-up; `usual` is DFU for a V2 and mass storage for the others. */
  readonly startMode: Mode | 'usual';
  /** GET_TARGET_VOLTAGE to a probe in DFU mode. */
  readonly voltageInDfu: 'silent' | 'answered';
  /** GET_BOARD_IDENTIFIERS is answered, or is the last command the probe hears until it is plugged anew. */
  readonly boardId: 'answered' | 'hangs';
  /** A host that left an ENTER standing that had failed finds the probe mute when it, or another, opens it again. */
  readonly failedEnter: 'forgotten' | 'lingers';
}

export const DEFAULT_SWITCHES = {
  enterHalts: false,
  enterOpensAp: false,
  exitClearsDebug: false,
  initApSetsDebug: false,
  nrstWired: true,
  supplyWired: true,
  startMode: 'usual',
  voltageInDfu: 'silent',
  boardId: 'answered',
  failedEnter: 'forgotten',
} as const satisfies FirmwareSwitches;

export interface Firmware {
  readonly identity: ProbeIdentity;
  readonly switches: FirmwareSwitches;
  readonly cost: CostModel;
  readonly board: ProbedBoard;
  readonly wire: SwdWire;
  readonly memory: MemoryPort;
  readonly faults: ProbeFaults;
  readonly openAps: Set<number>;
  mode: Mode;
  /** Hears nothing any more; only a re-plug helps. */
  deaf: boolean;
  /** The last ENTER failed and nobody has sent EXIT since. */
  enterFailed: boolean;
  jtagKHz: number;
  /** What 3B and 3E tell: outcome of the last memory command and where it failed. */
  lastRw: { status: number; faultAddress: number };
  /** Results of the last RW_MISC batch, as 52 fetches them. */
  misc: Uint8Array;
}

export interface CommandRow {
  readonly name: string;
  /** Probe modes the command is obeyed in. */
  readonly modes: 'any' | 'application' | 'debug';
  /** It talks to the target: injected WAITs hit it. */
  readonly onWire?: boolean;
  /** Generation that has it; both when absent. */
  readonly only?: 2 | 3;
  /** Bytes of the reply; 0 when there is none. */
  replyLength(command: Uint8Array, firmware: Firmware): number;
  /** Bytes of the OUT data phase; none when absent. */
  dataLength?(command: Uint8Array, firmware: Firmware): number;
  /** The first reply byte is a status. Otherwise a refusal shows in 3B/3E only. */
  readonly statusInReply: boolean;
  /** Does the work: at once, or in steps through board time. */
  run(firmware: Firmware, command: Uint8Array, data: Uint8Array): Steps<Uint8Array> | Uint8Array;
}
