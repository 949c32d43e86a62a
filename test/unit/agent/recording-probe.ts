// A probe that notes every access to the target and passes it on.
import type { AccessWidth } from '../../../agent/probe/adi/memory-access.ts';
import type { NrstLevel, Probe, ProbeInfo } from '../../../agent/probe/probe.ts';

export interface Access {
  readonly kind: 'read' | 'write' | 'register' | 'reset';
  readonly address: number;
  readonly length: number;
}

export class RecordingProbe implements Probe {
  readonly accesses: Access[] = [];
  closed = 0;
  disconnected = 0;
  /** Called before each access; may throw. */
  before: (access: Access) => void = () => {};
  #inner: Probe;

  constructor(inner: Probe) {
    this.#inner = inner;
  }

  get info(): ProbeInfo {
    return this.#inner.info;
  }

  /** From now on nothing is answered, as when the process that uses it is no more. */
  die(): void {
    const silence = (): Promise<never> => new Promise(() => {});
    const { info } = this.#inner;
    this.#inner = new Proxy({ info } as Probe, { get: (known, name) => (name === 'info' ? known[name] : silence) });
  }

  /** Accesses outside [from, to), as text. */
  outside(...areas: readonly (readonly [from: number, to: number])[]): string[] {
    return this.accesses
      .filter(({ address, length }) => !areas.some(([from, to]) => address >= from && address + length <= to))
      .map(({ kind, address, length }) => `${kind} ${address.toString(16)}+${length}`);
  }

  #note(kind: Access['kind'], address: number, length: number): void {
    const access = { kind, address, length };
    this.accesses.push(access);
    this.before(access);
  }

  open(): Promise<void> {
    return this.#inner.open();
  }
  close(): Promise<void> {
    this.closed++;
    return this.#inner.close();
  }
  readVoltage(): Promise<number | undefined> {
    return this.#inner.readVoltage();
  }
  listSpeeds(): Promise<readonly number[]> {
    return this.#inner.listSpeeds();
  }
  setSpeed(kHz: number): Promise<number> {
    return this.#inner.setSpeed(kHz);
  }
  connect(): Promise<void> {
    return this.#inner.connect();
  }
  disconnect(): Promise<void> {
    this.disconnected++;
    return this.#inner.disconnect();
  }
  readDpIdr(): Promise<number> {
    return this.#inner.readDpIdr();
  }
  readAp(ap: number, register: number): Promise<number> {
    return this.#inner.readAp(ap, register);
  }
  recover(): Promise<void> {
    return this.#inner.recover();
  }
  async readMemory(address: number, length: number, width?: AccessWidth): Promise<Uint8Array> {
    this.#note('read', address, length);
    return this.#inner.readMemory(address, length, width);
  }
  async writeMemory(address: number, bytes: Uint8Array, width?: AccessWidth): Promise<void> {
    this.#note('write', address, bytes.length);
    return this.#inner.writeMemory(address, bytes, width);
  }
  async readWord(address: number): Promise<number> {
    this.#note('read', address, 4);
    return this.#inner.readWord(address);
  }
  async writeWord(address: number, value: number): Promise<void> {
    this.#note('write', address, 4);
    return this.#inner.writeWord(address, value);
  }
  async readCoreRegister(register: number): Promise<number> {
    this.#note('register', register, 0);
    return this.#inner.readCoreRegister(register);
  }
  async writeCoreRegister(register: number, value: number): Promise<void> {
    this.#note('register', register, 0);
    return this.#inner.writeCoreRegister(register, value);
  }
  async driveNrst(level: NrstLevel): Promise<void> {
    this.#note('reset', 0, 0);
    return this.#inner.driveNrst(level);
  }
}
