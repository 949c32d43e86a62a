// The virtual board calling functions of the shipped stub, as a debugger would: registers set, core released, BKPT at
// the end. Counts cycles and stack, and checks that R4-R11 and SP come back (AAPCS).

import { Board } from '../../../sim/board.ts';
import { type Convention, type Machine, SECOND_IMAGE, type Step } from './program.ts';
import { LOAD_ADDRESS } from './shipped.ts';

const DHCSR = 0xe000edf0;
const DCRSR = 0xe000edf4;
const DCRDR = 0xe000edf8;
const HALT = 0xa05f0003;
const GO = 0xa05f0001;
const T_BIT = 0x01000000;
const REGISTER = { sp: 13, lr: 14, pc: 15, xpsr: 16 } as const;

/** Two half-words of our own behind the stub: `bx lr`, and the BKPT every call returns to. */
const EMPTY = 0x2000fff0;
const RETURN = 0x2000fff4;
const BX_LR = 0x4770;
const BKPT = 0xbe00;

/** The stub's private memory, CCM, where its stack is too. */
export const STACK = { base: 0x10000000, top: 0x10010000 } as const;
const PAINT = 0x5c;
const CALLEE_SAVED = 8;
const AFTER_RESET_NS = 3e6;
const SLICE_NS = 50e6;
const LONGEST_CALL_NS = 60e9;

export class BoardMachine implements Machine {
  readonly name = 'virtual board';
  readonly board = new Board();
  /** Cycles of the last call, without the call itself. */
  cycles = 0;
  readonly #overhead: number;

  constructor(image: Uint8Array, second: Uint8Array = new Uint8Array(0)) {
    const { board } = this;
    board.powerOn();
    board.runTo(board.time.now + AFTER_RESET_NS);
    board.bus.write(DHCSR, HALT, 4, 'debugger');
    board.runTo(board.time.now + AFTER_RESET_NS);
    this.write(LOAD_ADDRESS, image);
    this.write(SECOND_IMAGE, second);
    this.write(EMPTY, Uint8Array.of(BX_LR & 0xff, BX_LR >> 8));
    this.write(RETURN, Uint8Array.of(BKPT & 0xff, BKPT >> 8));
    this.#begin(EMPTY | 1, []);
    this.#overhead = this.#toTheEnd();
  }

  run(steps: readonly Step[]): Uint8Array[] {
    return steps.flatMap((step) => this.#step(step));
  }
  read(at: number, length: number): Uint8Array {
    if (length === 0) return new Uint8Array(0);
    const { bytes, offset } = this.#memory(at, length);
    return bytes.slice(offset, offset + length);
  }
  write(at: number, from: Uint8Array): void {
    if (from.length === 0) return;
    const { bytes, offset } = this.#memory(at, from.length);
    bytes.set(from, offset);
    this.board.bus.invalidate(at, from.length);
  }
  /** Calls `entry` to its end and returns R0. */
  call(entry: number, args: readonly number[], convention: Convention = 'AAPCS'): number {
    const sp = this.#begin(entry, args);
    this.cycles = this.#toTheEnd() - this.#overhead;
    const { regs } = this.board.core;
    for (let i = 0; i < CALLEE_SAVED && convention === 'AAPCS'; i++) {
      if (regs[4 + i] !== mark(i)) throw new Error(`the call changed R${4 + i}, which belongs to its caller`);
    }
    if (regs[REGISTER.sp] !== sp) throw new Error('the call moved SP');
    return regs[0]!;
  }
  /** Runs the first `cycles` of a call and leaves the core in the middle of it. */
  callPartly(entry: number, args: readonly number[], cycles: number): void {
    this.#begin(entry, args);
    const { time, core } = this.board;
    time.advance(time.now + (cycles * 1e9) / time.hz, core);
    this.board.bus.write(DHCSR, HALT, 4, 'debugger');
  }
  /** Paints the stack and runs `work`; returns the bytes of stack used. */
  stackOf(work: () => void): number {
    this.write(STACK.base, new Uint8Array(STACK.top - STACK.base).fill(PAINT));
    work();
    const clean = this.read(STACK.base, STACK.top - STACK.base).findIndex((byte) => byte !== PAINT);
    return clean < 0 ? 0 : STACK.top - STACK.base - clean;
  }

  #step(step: Step): Uint8Array[] {
    switch (step.op) {
      case 'write':
        this.write(step.at, step.bytes);
        return [];
      case 'fill':
        this.write(step.at, new Uint8Array(step.length).fill(step.byte));
        return [];
      case 'read':
        return [this.read(step.at, step.length)];
      case 'call':
        return [word(this.call(step.entry, step.args, step.convention))];
    }
  }
  #memory(at: number, length: number): { bytes: Uint8Array; offset: number } {
    const view = this.board.bus.viewAt(at);
    const offset = at - (view?.base ?? 0);
    if (view === undefined || offset + length > view.size) throw new Error(`no memory at 0x${at.toString(16)}`);
    return { bytes: view.u8, offset };
  }
  /** Registers and stack as AAPCS wants them; returns the stack pointer. */
  #begin(entry: number, args: readonly number[]): number {
    const onStack = args.slice(4);
    const sp = STACK.top - ((onStack.length * 4 + 7) & ~7);
    this.write(sp, new Uint8Array(Uint32Array.from(onStack).buffer));
    for (let i = 0; i < 4; i++) this.#setRegister(i, args[i] ?? 0);
    for (let i = 0; i < CALLEE_SAVED; i++) this.#setRegister(4 + i, mark(i));
    this.#setRegister(REGISTER.sp, sp);
    this.#setRegister(REGISTER.lr, RETURN | 1);
    this.#setRegister(REGISTER.pc, entry & ~1);
    this.#setRegister(REGISTER.xpsr, T_BIT);
    this.board.bus.write(DHCSR, GO, 4, 'debugger');
    return sp;
  }
  /** Runs to the BKPT; returns the cycles it took. */
  #toTheEnd(): number {
    const { time, core } = this.board;
    const began = time.cycles;
    const latest = time.now + LONGEST_CALL_NS;
    let ended = 0;
    const runner = {
      get runnable() {
        return core.runnable;
      },
      run: () => {
        core.run();
        if (core.halted && ended === 0) ended = time.cycles;
      },
    };
    while (!core.halted && time.now < latest) time.advance(time.now + SLICE_NS, runner);
    if (!core.halted || core.regs[REGISTER.pc] !== RETURN) {
      throw new Error(`the call did not return: pc 0x${core.regs[REGISTER.pc]!.toString(16)}`);
    }
    return ended - began;
  }
  #setRegister(register: number, value: number): void {
    this.board.bus.write(DCRDR, value >>> 0, 4, 'debugger');
    this.board.bus.write(DCRSR, 0x10000 | register, 4, 'debugger');
  }
}

function mark(i: number): number {
  return 0x52340000 + i;
}

function word(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}
