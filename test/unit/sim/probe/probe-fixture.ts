// A board of a few lines for the probe's tests: SRAM, the debug registers it needs, a hole, a
// busy page. And hex helpers.
import { BusFault, BusWait } from '../../../../sim/bus.ts';
import type { Width } from '../../../../sim/bus.ts';
import { VirtualStlink } from '../../../../sim/stlink/virtual-stlink.ts';
import type { VirtualStlinkOptions } from '../../../../sim/stlink/virtual-stlink.ts';

const RAM_BASE = 0x20000000;
const RAM_SIZE = 0x8000;
/** Reads and writes of this page WAIT until `busyUntilNs`. */
export const BUSY_PAGE = 0x20007000;

export class MinimalBoard {
  powered = true;
  debugPortEnabled = true;
  powerUps = 1;
  supplyVolts = 3.25;
  readonly time = { now: 0 };
  readonly ram = new Uint8Array(RAM_SIZE);
  readonly registers = new Uint32Array(128);
  readonly nrst: string[] = [];
  readonly log: string[] = [];
  busyUntilNs = 0;
  debugAccesses = 0;
  #halted = false;
  #dcrdr = 0;
  readonly bus = {
    read: (address: number, width: Width) => this.#read(address, width),
    write: (address: number, value: number, width: Width) => this.#write(address, value, width),
  };

  readonly debugEvents: string[] = [];
  debugEvent(event: string): void {
    this.debugEvents.push(event);
  }
  debugAccess(): void {
    this.debugAccesses++;
  }
  runTo(ns: number): void {
    this.time.now = Math.max(this.time.now, ns);
  }
  assertNrst(): void {
    this.nrst.push(`low@${Math.round(this.time.now)}`);
  }
  releaseNrst(): void {
    this.nrst.push(`high@${Math.round(this.time.now)}`);
  }

  #ram(address: number, width: Width): DataView | undefined {
    if (address < RAM_BASE || address + width > RAM_BASE + RAM_SIZE) return undefined;
    if (address >= BUSY_PAGE && this.time.now < this.busyUntilNs) throw new BusWait(this.busyUntilNs);
    return new DataView(this.ram.buffer, address - RAM_BASE, width);
  }

  #read(address: number, width: Width): number {
    this.log.push(`r${width * 8} ${address.toString(16)}`);
    const ram = this.#ram(address, width);
    if (ram !== undefined) {
      return width === 1 ? ram.getUint8(0) : width === 2 ? ram.getUint16(0, true) : ram.getUint32(0, true);
    }
    if (address === 0xe000ed00) return 0x410fc241;
    if (address === 0xe000edf0) return this.#halted ? 0x00030003 : 0x00010001;
    if (address === 0xe000edf8) return this.#dcrdr;
    throw new BusFault(address, 'hole');
  }

  #write(address: number, value: number, width: Width): void {
    this.log.push(`w${width * 8} ${address.toString(16)}=${value.toString(16)}`);
    const ram = this.#ram(address, width);
    if (ram !== undefined) {
      if (width === 1) ram.setUint8(0, value);
      else if (width === 2) ram.setUint16(0, value, true);
      else ram.setUint32(0, value, true);
    } else if (address === 0xe000edf0) {
      this.#halted = (value & 2) !== 0;
    } else if (address === 0xe000edf8) {
      this.#dcrdr = value;
    } else if (address === 0xe000edf4) {
      this.#transfer(value);
    } else if (address !== 0xe000ed0c) {
      throw new BusFault(address, 'hole');
    }
  }

  #transfer(dcrsr: number): void {
    if ((dcrsr & 0x10000) !== 0) this.registers[dcrsr & 0x7f] = this.#dcrdr;
    else this.#dcrdr = this.registers[dcrsr & 0x7f]!;
  }
}

export const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
export const hex = (data: Uint8Array): string =>
  Buffer.from(data)
    .toString('hex')
    .replace(/..(?=.)/g, '$& ');

export interface ProbeFixture {
  readonly board: MinimalBoard;
  readonly probe: VirtualStlink;
  /** Sends a command given in hex, with OUT data in hex; returns the reply in hex. */
  send(command: string, data?: string): string;
  /** ENTER SWD and INIT_AP 0. */
  attach(): void;
}

export function probeFixture(options: Partial<VirtualStlinkOptions> = {}): ProbeFixture {
  const board = new MinimalBoard();
  const probe = new VirtualStlink({ board, ...options, switches: { startMode: 'mass', ...options.switches } });
  const send = (command: string, data?: string) =>
    hex(probe.exchange(bytes(command), data === undefined ? undefined : bytes(data)).reply);
  const attach = () => {
    send('f2 30 a3');
    send('f2 4b 00');
  };
  return { board, probe, send, attach };
}
