// A board with a prebuilt stub on it (that of the F42x unless another is named), worked through the bus as a debugger
// would, without a probe (docs/mailbox.md).
import { readFileSync } from 'node:fs';
import { Board, type BoardOptions, type BoardSnapshot } from '../../../sim/board.ts';
import {
  HOST_COMMANDS,
  fieldAddress,
  LAYOUTS,
  parseStatus,
  STATES,
  type ControlName,
  type Status,
  type StubState,
} from '../../../shared/mailbox/layout.ts';

const DHCSR = 0xe000edf0;
const DCRSR = 0xe000edf4;
const DCRDR = 0xe000edf8;
const DEMCR = 0xe000edfc;
const VC_CORERESET = 1;
const AIRCR = 0xe000ed0c;
const SYSRESETREQ = 0x05fa0004;
const HALT = 0xa05f0003;
const GO = 0xa05f0001;
const REGISTER = { sp: 13, pc: 15, xpsr: 16 } as const;
const T_BIT = 0x01000000;
const AFTER_RESET_NS = 3e6;
/** How far the board runs between two looks at a condition: from fine to coarse. */
const STEP_NS = 20_000;
const LONGEST_STEP_NS = 400_000;

export type StubName = keyof typeof LAYOUTS;

const prebuilt = (name: StubName): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../../firmware/prebuilt/stub-${name}.bin`, import.meta.url)));
const IMAGES: Readonly<Record<StubName, Uint8Array>> = {
  stm32f42x: prebuilt('stm32f42x'),
  stm32f4: prebuilt('stm32f4'),
};

/** The committed stub. */
export function stubImage(name: StubName = 'stm32f42x'): Uint8Array {
  return IMAGES[name].slice();
}

const forks = new Map<string, BoardSnapshot>();

export class FirmwareFixture {
  readonly board: Board;
  readonly stub: StubName;

  constructor(options: BoardOptions = {}, stub: StubName = 'stm32f42x') {
    this.board = new Board(options);
    this.stub = stub;
  }

  get layout(): (typeof LAYOUTS)[StubName] {
    return LAYOUTS[this.stub];
  }

  /** A fixture brought to a point by `prepare`; made once for each `key`, forked from a snapshot afterwards. */
  static at(key: string, options: BoardOptions, prepare: (fixture: FirmwareFixture) => void): FirmwareFixture {
    const fixture = new FirmwareFixture(options);
    const whole = `${key} ${JSON.stringify(options)}`;
    const known = forks.get(whole);
    if (known === undefined) {
      prepare(fixture);
      forks.set(whole, fixture.board.snapshot());
    } else {
      fixture.board.restore(known);
    }
    return fixture;
  }
  /** A fixture whose stub waits for the job. */
  static booted(options: BoardOptions = {}): FirmwareFixture {
    return FirmwareFixture.at('booted', options, (fixture) => fixture.boot());
  }

  /**
   * Powers the board, halts it after reset unless it is, loads the stub and lets it run. `patch`
   * may change the image first.
   */
  start(patch: (image: Uint8Array) => void = () => {}): void {
    const bytes = stubImage(this.stub);
    const { stub, control } = this.layout.memory;
    patch(bytes);
    if (!this.board.core.halted) this.resetHalt();
    this.write(stub.address, bytes);
    this.write(control.address, new Uint8Array(control.size));
    this.#setRegister(REGISTER.sp, this.word(stub.address));
    this.#setRegister(REGISTER.pc, this.word(stub.address + 4) & ~1);
    this.#setRegister(REGISTER.xpsr, T_BIT);
    this.setWord(DHCSR, GO);
  }

  /** Powers the board and halts it as the agent does: before the first instruction, not in an erased chip's lockup. */
  resetHalt(): void {
    this.board.powerOn();
    this.board.runTo(this.board.time.now + AFTER_RESET_NS);
    this.setWord(DHCSR, HALT);
    this.setWord(DEMCR, VC_CORERESET);
    this.setWord(AIRCR, SYSRESETREQ);
    this.board.runTo(this.board.time.now + AFTER_RESET_NS);
    this.setWord(DEMCR, 0);
  }

  /** Starts and waits for MAGIC. */
  boot(patch?: (image: Uint8Array) => void): void {
    this.start(patch);
    this.runUntil(() => this.control('MAGIC') !== 0, 500, 'MAGIC');
  }

  word(address: number): number {
    return this.board.bus.read(address, 4, 'debugger') >>> 0;
  }
  setWord(address: number, value: number): void {
    this.board.bus.write(address, value >>> 0, 4, 'debugger');
  }
  /** Reads a multiple of 4 bytes. */
  read(address: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < length; i += 4) view.setUint32(i, this.word(address + i), true);
    return bytes;
  }
  /** Writes a multiple of 4 bytes, upwards. */
  write(address: number, bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let i = 0; i < bytes.length; i += 4) this.setWord(address + i, view.getUint32(i, true));
  }

  /** Address of a field of the control page. */
  addressOf(name: ControlName): number {
    return fieldAddress(this.layout, name);
  }
  control(name: ControlName): number {
    return this.word(this.addressOf(name));
  }
  setControl(name: ControlName, value: number): void {
    this.setWord(this.addressOf(name), value);
  }
  get status(): Status {
    return parseStatus(this.control('STATUS'));
  }
  /** The stub's state by name. */
  get state(): StubState {
    const { state } = this.status;
    return (Object.keys(STATES) as StubState[]).find((name) => STATES[name] === state)!;
  }
  get error(): number {
    return this.control('ERROR');
  }
  get detail(): number {
    return this.control('DETAIL');
  }

  command(name: keyof typeof HOST_COMMANDS): void {
    this.setControl('COMMAND', HOST_COMMANDS[name]);
  }
  /** Gives a command and waits until the stub is in one of `states`. */
  commandTo(name: keyof typeof HOST_COMMANDS, ...states: StubState[]): void {
    this.command(name);
    this.runUntil(
      () => this.control('COMMAND') === 0 && states.includes(this.state),
      10_000,
      `${name} → ${states.join('/')}`,
    );
  }

  runMs(ms: number): void {
    this.board.runTo(this.board.time.now + ms * 1e6);
  }
  /** Runs until `done` holds; throws with the stub's words after `limitMs` of board time. */
  runUntil(done: () => boolean, limitMs: number, what: string): void {
    const end = this.board.time.now + limitMs * 1e6;
    for (let step = STEP_NS; !done(); step = Math.min(step * 1.2, LONGEST_STEP_NS)) {
      if (this.board.time.now >= end) {
        throw new Error(`no ${what}: state ${this.state}, error ${this.error}, detail 0x${this.detail.toString(16)}`);
      }
      this.board.runTo(this.board.time.now + step);
    }
  }

  #setRegister(register: number, value: number): void {
    this.setWord(DCRDR, value);
    this.setWord(DCRSR, 0x10000 | register);
  }
}
