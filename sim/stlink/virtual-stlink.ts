// The virtual ST-LINK: 16-byte commands in, replies out, board time spent on the way. docs: docs/reference/stlink.md
// §2, §6.
import type { AhbApOptions } from '../dap/ahb-ap.ts';
import { SwDp } from '../dap/sw-dp.ts';
import { statusReply } from './bytes.ts';
import { CORE_COMMANDS } from './commands-core.ts';
import { MEMORY_COMMANDS } from './commands-memory.ts';
import { PROBE_COMMANDS, TOP_COMMANDS } from './commands-probe.ts';
import type { CostModel } from './cost.ts';
import { costModel, usbNs } from './cost.ts';
import { ProbeFaults } from './faults.ts';
import { DEFAULT_SWITCHES } from './firmware.ts';
import type { CommandRow, Firmware, FirmwareSwitches, ProbedBoard } from './firmware.ts';
import { IDENTITIES } from './identity.ts';
import type { IdentityName, ProbeIdentity } from './identity.ts';
import { MemoryPort } from './memory-port.ts';
import { COMMAND_SIZE, STATUS, TOP } from './opcodes.ts';
import type { Mode } from './opcodes.ts';
import { runSteps } from './steps.ts';
import type { Steps } from './steps.ts';
import { SwdWire } from './swd-wire.ts';
import type { SwdRecord } from './swd-wire.ts';

/** One exchange as USB carried it; times are board time, ns. */
export interface ExchangeRecord {
  readonly command: Uint8Array;
  readonly dataOut: Uint8Array | undefined;
  readonly reply: Uint8Array;
  /** Bytes the host asked for, where the face in use tells. */
  readonly asked: number | undefined;
  readonly startNs: number;
  readonly endNs: number;
}

export interface VirtualStlinkOptions {
  readonly board: ProbedBoard;
  readonly identity?: IdentityName;
  readonly cost?: Partial<CostModel>;
  readonly switches?: Partial<FirmwareSwitches>;
  readonly ap?: AhbApOptions;
  readonly onExchange?: (record: ExchangeRecord) => void;
  readonly onSwd?: (record: SwdRecord) => void;
}

const DEBUG_COMMANDS: Readonly<Record<number, CommandRow>> = {
  ...PROBE_COMMANDS,
  ...CORE_COMMANDS,
  ...MEMORY_COMMANDS,
};

const JTAG_DEFAULT_KHZ = 1125;

const UNKNOWN: CommandRow = {
  name: 'unknown',
  modes: 'any',
  statusInReply: true,
  replyLength: () => 2,
  run() {
    return statusReply(STATUS.unknownCommand);
  },
};

export class VirtualStlink {
  readonly board: ProbedBoard;
  readonly identity: ProbeIdentity;
  readonly faults = new ProbeFaults();
  onExchange: ((record: ExchangeRecord) => void) | undefined;
  readonly #options: VirtualStlinkOptions;
  readonly #cost: CostModel;
  readonly #dp: SwDp;
  #firmware: Firmware;

  constructor(options: VirtualStlinkOptions) {
    this.board = options.board;
    this.identity = IDENTITIES[options.identity ?? 'v2'];
    this.onExchange = options.onExchange;
    this.#options = options;
    this.#dp = new SwDp(options.board, options.ap);
    this.#cost = costModel(this.identity.generation, options.cost);
    this.#firmware = this.#boot();
  }

  /** Mode as F5 would tell it. */
  get mode(): Mode {
    return this.#firmware.mode;
  }
  /** SWD clock, kHz. */
  get swdKHz(): number {
    return this.#firmware.wire.kHz;
  }

  /** The probe loses its supply and gets it back: reset wire let go, firmware state gone. The target keeps its own. */
  powerCycle(): void {
    this.board.releaseNrst();
    this.#firmware = this.#boot();
  }

  /** A host opens the probe, which may find it as the host before left it. */
  opened(): void {
    const { switches, enterFailed } = this.#firmware;
    if (switches.failedEnter === 'lingers' && enterFailed) this.#firmware.deaf = true;
  }

  #boot(): Firmware {
    const { board, identity } = this;
    const switches = { ...DEFAULT_SWITCHES, ...this.#options.switches };
    const wire = new SwdWire(this.#dp, this.#cost, identity.swdKHz, () => board.time.now, this.#options.onSwd);
    return {
      identity,
      switches,
      board,
      wire,
      cost: this.#cost,
      memory: new MemoryPort(wire),
      faults: this.faults,
      openAps: new Set(),
      mode: switches.startMode === 'usual' ? identity.wakesIn : switches.startMode,
      deaf: false,
      enterFailed: false,
      jtagKHz: JTAG_DEFAULT_KHZ,
      lastRw: { status: STATUS.ok, faultAddress: 0 },
      misc: new Uint8Array(0),
    };
  }

  /** Bytes of OUT data the probe waits for after `command`; 0 when it acts at once. */
  dataLength(command: Uint8Array): number {
    const whole = wholeCommand(command);
    return this.#row(whole).dataLength?.(whole, this.#firmware) ?? 0;
  }

  /** Bytes `command` will be answered with; 0 when it is not answered. */
  replyLength(command: Uint8Array): number {
    const whole = wholeCommand(command);
    return this.#row(whole).replyLength(whole, this.#firmware);
  }

  /**
   * Carries out one command, stepping through board time. OUT data of another size than the command announces is cut or
   * zero-filled.
   */
  *run(command: Uint8Array, dataOut?: Uint8Array, asked?: number): Steps<Uint8Array> {
    const { wire } = this.#firmware;
    const startNs = this.board.time.now;
    const whole = wholeCommand(command);
    const data = new Uint8Array(this.dataLength(whole));
    data.set((dataOut ?? data).subarray(0, data.length));
    wire.begin();
    yield* wire.pass(this.#cost.commandNs / 2 + usbNs(this.#cost, data.length));
    const reply = this.faults.spoil(yield* this.#execute(this.#row(whole), whole, data));
    yield* wire.pass(this.#cost.commandNs / 2 + usbNs(this.#cost, reply.length));
    this.onExchange?.({ command: whole, dataOut, reply, asked, startNs, endNs: this.board.time.now });
    return reply;
  }

  /**
   * Carries out one command at once: returns when board time has reached its end. The reply has the length the probe
   * gives, whatever the caller expected; it is empty for a command that is not answered.
   */
  exchange(command: Uint8Array, dataOut?: Uint8Array, asked?: number): { reply: Uint8Array } {
    return { reply: runSteps(this.run(command, dataOut, asked), (ns) => this.board.runTo(ns)) };
  }

  #row(command: Uint8Array): CommandRow {
    const row = command[0] === TOP.debug ? DEBUG_COMMANDS[command[1]!] : TOP_COMMANDS[command[0]!];
    if (row === undefined || (row.only !== undefined && row.only !== this.identity.generation)) return UNKNOWN;
    return row;
  }

  *#execute(row: CommandRow, command: Uint8Array, data: Uint8Array): Steps<Uint8Array> {
    const { faults, mode, deaf } = this.#firmware;
    if (deaf || faults.take('mute')) return new Uint8Array(0);
    if (row.modes === 'debug' && mode !== 'debug') return this.#refuse(row, command, STATUS.wrongMode);
    if (row.modes === 'application' && mode === 'dfu') return this.#refuse(row, command, STATUS.wrongMode);
    if (row.onWire === true && faults.take('waits')) return this.#refuse(row, command, STATUS.apWait);
    const outcome = row.run(this.#firmware, command, data);
    return outcome instanceof Uint8Array ? outcome : yield* outcome;
  }

  /** A reply of the usual length that says no: in its first byte, or to whoever asks for the last status. */
  #refuse(row: CommandRow, command: Uint8Array, status: number): Uint8Array {
    const length = row.replyLength(command, this.#firmware);
    if (row.statusInReply) return statusReply(status, length);
    this.#firmware.lastRw = { status, faultAddress: 0 };
    return new Uint8Array(length);
  }
}

/** Exactly 16 bytes, cut or zero-padded. */
function wholeCommand(command: Uint8Array): Uint8Array {
  const whole = new Uint8Array(COMMAND_SIZE);
  whole.set(command.subarray(0, COMMAND_SIZE));
  return whole;
}
