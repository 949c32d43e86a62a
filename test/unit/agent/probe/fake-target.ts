// A Probe over a handful of registers: enough Cortex-M debug behaviour to prove order and limits, spelled out again.
import type { Probe, ProbeInfo } from '../../../../agent/probe/probe.ts';
import { fail } from '../../../../shared/errors/errors.ts';

export interface FakeTargetOptions {
  /** SYSRESETREQ does something. */
  readonly coreReset?: boolean;
  /** The NRST wire is connected. */
  readonly nrst?: boolean;
  /** Vector catch is obeyed. */
  readonly catches?: boolean;
}

const KEY = 0xa05f;

export class FakeTarget implements Probe {
  readonly info: ProbeInfo = { kind: 'fake', firmware: 'none', serial: undefined, path: 'memory' };
  /** Everything that changes something, in order. */
  readonly log: string[] = [];
  readonly reads: number[] = [];
  readonly words = new Map<number, number>([
    [0xe000ed00, 0x410fc241],
    [0xe0042000, 0x20036419],
    [0xe0042004, 0x7],
    [0xe0042008, 0x1],
    [0xe004200c, 0x0],
    [0xe0002000, 0x261],
    [0xe000edfc, 0x01000000],
    [0x40023c14, 0x0fffaaed],
    [0x40023c18, 0x0fff0000],
    [0x1fff7a10, 0x00330022],
    [0x1fff7a14, 0x30365106],
    [0x1fff7a18, 0x38303839],
    [0x1fff7a20, 0x0800ffff],
  ]);
  readonly broken = new Set<number>();
  running = true;
  debugEnabled = false;
  readonly #options: Required<FakeTargetOptions>;
  #resetSeen = false;
  #held = false;

  constructor(options: FakeTargetOptions = {}) {
    this.#options = { coreReset: true, nrst: true, catches: true, ...options };
  }

  async open(): Promise<void> {}
  async close(): Promise<void> {}
  async recover(): Promise<void> {}
  async readVoltage(): Promise<number> {
    return 3.3;
  }
  async listSpeeds(): Promise<readonly number[]> {
    return [1800];
  }
  async setSpeed(): Promise<number> {
    return 1800;
  }
  async connect(): Promise<void> {
    this.log.push('connect');
  }
  async disconnect(): Promise<void> {
    this.log.push('disconnect');
  }
  async readDpIdr(): Promise<number> {
    return 0x2ba01477;
  }
  async readAp(): Promise<number> {
    return 0x24770011;
  }
  async readMemory(address: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < length; at += 4) view.setUint32(at, await this.readWord(address + at), true);
    return bytes;
  }
  async writeMemory(): Promise<void> {
    this.log.push('memory');
  }
  async readCoreRegister(register: number): Promise<number> {
    return 0x1000 + register;
  }
  async writeCoreRegister(register: number, value: number): Promise<void> {
    this.log.push(`register ${register} = ${value}`);
  }

  async readWord(address: number): Promise<number> {
    this.reads.push(address);
    if (this.broken.has(address)) throw fail('BF-TARGET-FAULT');
    if (address === 0xe000edf0) return this.#readDhcsr();
    const value = this.words.get(address);
    if (value === undefined) throw fail('BF-TARGET-FAULT', address.toString(16));
    return value;
  }

  async writeWord(address: number, value: number): Promise<void> {
    this.log.push(`${address.toString(16)} = ${value.toString(16)}`);
    if (this.broken.has(address)) throw fail('BF-TARGET-FAULT');
    if (address === 0xe000edf0) this.#writeDhcsr(value);
    else if (address === 0xe000ed0c) this.#aircr(value);
    else this.words.set(address, value);
  }

  async driveNrst(level: 'low' | 'high'): Promise<void> {
    this.log.push(`nrst ${level}`);
    if (!this.#options.nrst) return;
    if (level === 'low') {
      this.#held = true;
    } else if (this.#held) {
      this.#held = false;
      this.#reset();
    }
  }

  #reset(): void {
    this.#resetSeen = true;
    const caught = this.debugEnabled && ((this.words.get(0xe000edfc) ?? 0) & 1) !== 0;
    this.running = !(caught && this.#options.catches);
  }

  #aircr(value: number): void {
    if (this.#options.coreReset && value === 0x05fa0004) this.#reset();
  }

  #readDhcsr(): number {
    const sticky = this.#resetSeen || this.#held;
    this.#resetSeen = this.#held;
    const flags = (this.debugEnabled ? 1 : 0) | (this.running ? 0 : 0x20002) | (sticky ? 0x2000000 : 0);
    return (0x10000 | flags) >>> 0;
  }

  #writeDhcsr(value: number): void {
    if (value >>> 16 !== KEY) return;
    this.debugEnabled = (value & 1) !== 0;
    this.running = !(this.debugEnabled && (value & 2) !== 0);
  }
}
