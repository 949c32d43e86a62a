// The ST-LINK as a Probe, over any transport: opening, status → error, bounded wait-retry, memory in pieces.
// Facts: docs/reference/stlink.md §2.10 (firmware), §3.1 (session), §3.5 (trouble and what to do about it).
import { fail, isBlindflashError, mayRepeatAccess, type BlindflashError } from '../../../shared/errors/errors.ts';
import { silentLog, type Clock, type Log } from '../../../shared/ports.ts';
import { pause } from '../deadline.ts';
import type { AccessWidth, StatusCheck } from '../adi/memory-access.ts';
import { memoryPieces, type MemoryPiece } from '../adi/memory-pieces.ts';
import { ABORT_CLEAR_STICKY, CSW_PRIVILEGED_DATA, DP, MEM_AP, TAR_WRAP } from '../adi/registers.ts';
import { Mutex } from '../mutex.ts';
import { LOWEST_SUPPLY_VOLTS, refusesSpeed, type NrstLevel, type Probe, type ProbeInfo } from '../probe.ts';
import * as command from './commands.ts';
import {
  BLOCK,
  DEBUG_PORT,
  DEFAULT_SPEED_KHZ,
  EXCHANGE_DEADLINE_MS,
  hasFeature,
  MODE,
  MOST_RETRIES,
  OLDEST_FIRMWARE,
  PRODUCTS,
  statusRow,
  SWD_CLOCKS_V2,
  type Feature,
} from './constants.ts';
import type { StlinkTransport } from './transport.ts';

export interface StlinkDriverOptions {
  readonly clock: Clock;
  readonly log?: Log;
  /** SWD clock to ask for at `connect`, kHz; DEFAULT_SPEED_KHZ otherwise. */
  readonly speedKHz?: number | undefined;
  /** Oldest JTAG version accepted per generation; only a bench that knows what it loses sets this lower. */
  readonly oldestFirmware?: { readonly v2: number; readonly v3: number };
}

/** GET_VERSION is asked this often before the probe is given up: some hosts lose the first answer (§1.4). */
const VERSION_ATTEMPTS = 3;
/** A probe is left out of a foreign mode at most this often per opening. */
const LEAVE_ATTEMPTS = 3;

const LEAVE_MODE: Readonly<Record<number, () => command.StlinkCommand<void>>> = {
  [MODE.dfu]: command.leaveDfu,
  [MODE.debug]: command.leaveDebug,
  [MODE.swim]: command.leaveSwim,
};

export class StlinkDriver implements Probe {
  readonly #transport: StlinkTransport;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #oldest: { readonly v2: number; readonly v3: number };
  /** A memory transfer and the command that fetches its status must not be torn apart. */
  readonly #turn = new Mutex();
  #wantedKHz: number | undefined;
  #version: command.FirmwareVersion | undefined;
  #connected = false;

  constructor(transport: StlinkTransport, options: StlinkDriverOptions) {
    this.#transport = transport;
    this.#clock = options.clock;
    this.#log = options.log ?? silentLog;
    this.#oldest = options.oldestFirmware ?? OLDEST_FIRMWARE;
    this.#wantedKHz = options.speedKHz;
  }

  get info(): ProbeInfo {
    const { text } = this.#firmware();
    const { productId, serial, path } = this.#transport.identity;
    return { kind: PRODUCTS[productId]?.kind ?? 'ST-LINK', firmware: text, serial, path };
  }

  open(): Promise<void> {
    return this.#turn.run(async () => {
      await this.#transport.open();
      try {
        this.#version = await this.#readVersion();
        this.#refuseUnusable(this.#version);
        await this.#leaveAnyMode();
      } catch (error) {
        this.#version = undefined;
        await this.#transport.close();
        throw error;
      }
      this.#log.info({ probe: this.info.kind, firmware: this.info.firmware, path: this.info.path }, 'probe opened');
    });
  }

  close(): Promise<void> {
    return this.#turn.run(async () => {
      await this.#disconnectNow().catch(() => {});
      this.#version = undefined;
      await this.#transport.close().catch(() => {});
    });
  }

  recover(): Promise<void> {
    return this.#turn.run(async () => {
      this.#firmware();
      await this.#transport.reset();
      await this.#leaveAnyMode();
      if (this.#connected) await this.#connectNow();
      this.#log.warn({ connected: this.#connected }, 'probe recovered');
    });
  }

  readVoltage(): Promise<number | undefined> {
    return this.#inTurn(command.getTargetVoltage());
  }

  listSpeeds(): Promise<readonly number[]> {
    return this.#turn.run(() => this.#speeds());
  }

  setSpeed(kHz: number): Promise<number> {
    return this.#turn.run(() => {
      this.#wantedKHz = kHz;
      return this.#applySpeed();
    });
  }

  connect(): Promise<void> {
    return this.#turn.run(async () => {
      await this.#connectNow();
      this.#connected = true;
    });
  }

  disconnect(): Promise<void> {
    return this.#turn.run(() => this.#disconnectNow());
  }

  readDpIdr(): Promise<number> {
    return this.#inTurn(command.readIdCodes());
  }

  readAp(ap: number, register: number): Promise<number> {
    return this.#inTurn(command.readDapRegister(ap, register));
  }

  async readMemory(address: number, length: number, width?: AccessWidth, check?: StatusCheck): Promise<Uint8Array> {
    const pieces = this.#pieces(address, length, width);
    const whole = new Uint8Array(length);
    for (const piece of pieces) {
      const read = command.readMemory(piece.width, piece.address, piece.length, this.#bus());
      whole.set(await this.#inTurn(check === 'unchecked' ? { ...read, status: 'none' } : read), piece.at);
    }
    return whole;
  }

  async writeMemory(address: number, bytes: Uint8Array, width?: AccessWidth, check?: StatusCheck): Promise<void> {
    for (const piece of this.#pieces(address, bytes.length, width)) {
      const data = bytes.slice(piece.at, piece.at + piece.length);
      const write = command.writeMemory(piece.width, piece.address, data, this.#bus());
      await this.#inTurn(check === 'unchecked' ? { ...write, status: 'none' } : write);
    }
  }

  async readWord(address: number): Promise<number> {
    requireWord(address);
    return this.#inTurn(command.readDebugRegister(address));
  }

  async writeWord(address: number, value: number): Promise<void> {
    requireWord(address);
    await this.#inTurn(command.writeDebugRegister(address, value));
  }

  readCoreRegister(register: number): Promise<number> {
    return this.#inTurn(command.readRegister(register));
  }

  writeCoreRegister(register: number, value: number): Promise<void> {
    return this.#inTurn(command.writeRegister(register, value));
  }

  driveNrst(level: NrstLevel): Promise<void> {
    return this.#inTurn(command.driveNrst(level));
  }

  // ── Firmware ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #firmware(): command.FirmwareVersion {
    if (this.#version === undefined) throw fail('BF-PROBE-CLOSED');
    return this.#version;
  }

  #has(feature: Feature): boolean {
    const { hardware, jtag } = this.#firmware();
    return hasFeature(feature, hardware >= 3 ? 3 : 2, jtag);
  }

  async #readVersion(): Promise<command.FirmwareVersion> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const version = await this.#perform(command.getVersion());
        return version.hardware >= 3 ? await this.#perform(command.getVersionEx()) : version;
      } catch (error) {
        const again = mayRepeatAccess(error, 'probe');
        if (!again || attempt === VERSION_ATTEMPTS) throw error;
        await this.#transport.reset();
      }
    }
  }

  #refuseUnusable({ text, hardware, jtag }: command.FirmwareVersion): void {
    const product = PRODUCTS[this.#transport.identity.productId];
    if (product !== undefined && !product.usable) throw fail('BF-PROBE-UNSUPPORTED', product.kind);
    if (hardware < 2 || jtag === 0) throw fail('BF-PROBE-UNSUPPORTED', `firmware ${text}`);
    const oldest = hardware >= 3 ? this.#oldest.v3 : this.#oldest.v2;
    if (jtag < oldest) throw fail('BF-PROBE-OLD-FIRMWARE', `it has ${text}, V${hardware}J${oldest} or newer is needed`);
  }

  /** Whatever the last user left the probe in, it is idle afterwards. Does not touch the target's core. */
  async #leaveAnyMode(): Promise<void> {
    let mode = await this.#perform(command.getCurrentMode());
    for (let attempt = 0; mode !== MODE.idle && attempt < LEAVE_ATTEMPTS; attempt += 1) {
      if (mode === MODE.bootLoader) throw fail('BF-PROBE-LOADER');
      const leave = LEAVE_MODE[mode];
      if (leave === undefined) throw fail('BF-PROBE-GARBAGE', `mode ${mode}`);
      await this.#perform(leave());
      mode = await this.#perform(command.getCurrentMode());
    }
    if (mode !== MODE.idle) throw fail('BF-PROBE-GARBAGE', `it does not leave mode ${mode}`);
  }

  // ── Connection ────────────────────────────────────────────────────────────────────────────────────────────────────

  async #connectNow(): Promise<void> {
    this.#firmware();
    await this.#applySpeed().catch((error: unknown) => this.#goOnWithoutSpeed(error));
    try {
      await this.#perform(command.enterSwd());
      if (this.#has('initAp')) await this.#perform(command.initAp(MEM_AP));
    } catch (error) {
      const why = await this.#whyNoTarget(error);
      await this.#letGo(why);
      throw why;
    }
  }

  /** A probe left without EXIT after a failed ENTER may not answer its next user (docs/reference/stlink.md §3.5). */
  async #letGo(failure: unknown): Promise<void> {
    if (isProbeTrouble(failure)) return;
    await this.#leaveDebugMode().catch(() => {});
  }

  /** A probe that refuses the clock still works at the one it has. */
  #goOnWithoutSpeed(error: unknown): void {
    if (!refusesSpeed(error)) throw error;
    this.#log.warn({ code: error.code, detail: error.detail }, 'the probe keeps its SWD speed');
  }

  /** "No answer" means two things to the customer: no supply, or no wire. */
  async #whyNoTarget(error: unknown): Promise<unknown> {
    if (!isBlindflashError(error, 'BF-TARGET-NONE')) return error;
    const volts = await this.#perform(command.getTargetVoltage()).catch(() => undefined);
    if (volts === undefined) return error;
    const seen = `the probe measures ${volts.toFixed(2)} V`;
    return fail(volts < LOWEST_SUPPLY_VOLTS ? 'BF-TARGET-NO-POWER' : 'BF-TARGET-NONE', seen, error);
  }

  async #disconnectNow(): Promise<void> {
    if (!this.#connected) return;
    this.#connected = false;
    // J28 answers "bad AP" although all is well, and there is nothing to be done about a real one either.
    if (this.#has('initAp')) await this.#perform(command.closeAp(MEM_AP)).catch(rethrowProbeTrouble);
    await this.#leaveDebugMode();
  }

  async #leaveDebugMode(): Promise<void> {
    await this.#perform(command.leaveDebug());
    // EXIT is not answered: this question makes sure that it was carried out before the pipe closes.
    await this.#perform(command.getCurrentMode());
  }

  /** Set explicitly at every connection: the probe keeps the last user's speed until it loses power. */
  async #applySpeed(): Promise<number> {
    const speeds = await this.#speeds();
    const wanted = this.#wantedKHz ?? (this.#has('comFrequency') ? DEFAULT_SPEED_KHZ.v3 : DEFAULT_SPEED_KHZ.v2);
    const kHz = speeds.find((speed) => speed <= wanted) ?? speeds[speeds.length - 1];
    if (this.#has('comFrequency')) return this.#perform(command.setComFrequency(kHz));
    const row = SWD_CLOCKS_V2.find((clock) => clock.kHz === kHz);
    if (row !== undefined && this.#has('swdSetFrequency')) await this.#perform(command.setSwdDivisor(row.divisor));
    return kHz;
  }

  async #speeds(): Promise<readonly number[]> {
    if (!this.#has('comFrequency')) return SWD_CLOCKS_V2.map(({ kHz }) => kHz);
    const speeds = await this.#perform(command.getComFrequencies());
    if (speeds.length === 0) throw fail('BF-PROBE-GARBAGE', 'it lists no SWD speed');
    return speeds;
  }

  // ── Carrying commands out ─────────────────────────────────────────────────────────────────────────────────────────

  #pieces(address: number, length: number, width: AccessWidth | undefined): MemoryPiece[] {
    if (width === 16 && !this.#has('memory16')) {
      throw fail('BF-PROBE-OLD-FIRMWARE', `no 16-bit access in ${this.info.firmware}`);
    }
    const { maxBlock } = this.#transport;
    const maxBlock8 = Math.min(this.#has('longMemory8') ? BLOCK.bytesV3 : BLOCK.bytesV2, maxBlock);
    return memoryPieces(address, length, width, { maxBlock, maxBlock8, boundary: TAR_WRAP });
  }

  #bus(): command.MemoryBus | undefined {
    return this.#has('apInMemoryCommands') ? { ap: MEM_AP, csw: CSW_PRIVILEGED_DATA } : undefined;
  }

  /** Carries a command out once every earlier one is done. */
  #inTurn<Reply>(wanted: command.StlinkCommand<Reply>): Promise<Reply> {
    return this.#turn.run(() => {
      this.#firmware();
      return this.#perform(wanted);
    });
  }

  /** Waits are repeated whole, at most MOST_RETRIES times, with pauses of 1, 2, 4 … ms; nothing else is. */
  async #perform<Reply>(wanted: command.StlinkCommand<Reply>): Promise<Reply> {
    for (let retry = 0; ; retry += 1) {
      const reply = await this.#exchange(wanted);
      const { status, address } = await this.#statusOf(wanted, reply);
      const row = statusRow(status);
      if (row.action === 'ok') return wanted.decode(reply);
      if (row.action === 'retry' && retry < MOST_RETRIES) {
        await pause(this.#clock, 1 << retry);
        continue;
      }
      if (row.action === 'abort') await this.#clearStickyErrors();
      throw statusError(wanted.name, status, address);
    }
  }

  async #statusOf(wanted: command.StlinkCommand<unknown>, reply: Uint8Array): Promise<command.LastStatus> {
    if (wanted.status === 'none') return { status: OK, address: undefined };
    if (wanted.status === 'in-band') return { status: reply[0], address: undefined };
    const asked = this.#has('lastStatus2') ? command.lastStatus2() : command.lastStatus();
    return asked.decode(await this.#exchange(asked));
  }

  /** After a fault every further access answers "fault" until ABORT; the status of ABORT itself changes nothing. */
  async #clearStickyErrors(): Promise<void> {
    if (!this.#has('dapRegisters')) return;
    await this.#exchange(command.writeDapRegister(DEBUG_PORT, DP.ABORT, ABORT_CLEAR_STICKY));
  }

  async #exchange(wanted: command.StlinkCommand<unknown>): Promise<Uint8Array> {
    const { bytes, dataOut, replyLength } = wanted;
    const reply = await this.#transport.exchange(bytes, dataOut, replyLength, EXCHANGE_DEADLINE_MS);
    if (reply.length !== replyLength) throw fail('BF-PROBE-GARBAGE', `${wanted.name}: ${reply.length} bytes`);
    return reply;
  }
}

const OK = 0x80;

function statusError(name: string, status: number, address: number | undefined): BlindflashError {
  const row = statusRow(status);
  const where = address === undefined ? '' : `, stopped at 0x${address.toString(16).padStart(8, '0')}`;
  return fail(row.error, `${name}: ${row.name} 0x${status.toString(16).padStart(2, '0')}${where}`);
}

/** Refusals of the target's side do not matter while letting go of it; a dead probe does. */
function rethrowProbeTrouble(error: unknown): void {
  if (isProbeTrouble(error)) throw error;
}

function isProbeTrouble(error: unknown): boolean {
  const dead = ['BF-PROBE-TIMEOUT', 'BF-PROBE-UNPLUGGED', 'BF-PROBE-SERVER', 'BF-PROBE-CLOSED'];
  return isBlindflashError(error) && dead.includes(error.code);
}

function requireWord(address: number): void {
  if ((address & 3) !== 0) throw fail('BF-TARGET-ALIGNMENT', `word at 0x${address.toString(16)}`);
}
