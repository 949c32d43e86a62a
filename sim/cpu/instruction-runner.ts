// Fetches, decodes and executes instructions: the inner loop of the simulator. Decoded instructions are closures kept
// by page (code-cache.ts); breakpoints and free address ranges are built in when an instruction is decoded.
import type { BoardTime } from '../board-time.ts';
import { BusFault } from '../bus.ts';
import type { BusMap } from './bus-map.ts';
import { type BlockParts, compileBlock, knownBlock, sizeAt } from './blocks.ts';
import { CodeCache, type CodePage, conditional, type Decoder } from './code-cache.ts';
import { type DebugUnit, DFSR } from './debug-unit.ts';
import type { DecodeContext } from './decode-context.ts';
import { decode16 } from './decode16.ts';
import { decode32 } from './decode32.ts';
import type { Dwt } from './dwt.ts';
import type { Exceptions } from './exceptions.ts';
import { CpuFault } from './faults.ts';
import type { Mpu } from './mpu.ts';
import type { Fpb } from './fpb.ts';
import { rememberedCall, type RememberedCalls } from './remembered-calls.ts';
import { CFSR, type CpuState, EXC, type Op } from './state.ts';

/** Thrown by an instruction that has already entered an exception itself. */
export class Redirected extends Error {}

export interface RunnerParts {
  readonly bus: BusMap;
  readonly exceptions: Exceptions;
  readonly debug: DebugUnit;
  readonly fpb: Fpb;
  readonly dwt: Dwt;
  readonly mpu: Mpu;
  readonly context: DecodeContext;
}

export class InstructionRunner {
  /** Address ranges [from, to) whose instructions cost no time; set before they are first executed. */
  freeRanges: readonly (readonly [from: number, to: number])[] = [];
  /** Calls computed once for the same input; set before their function is first executed. */
  remembered: RememberedCalls | undefined;
  /** Counts resets and restores, so that an instruction that caused one does not overwrite the new PC. */
  epoch = 0;
  readonly #s: CpuState;
  readonly #time: BoardTime;
  readonly #bus: BusMap;
  readonly #exceptions: Exceptions;
  readonly #debug: DebugUnit;
  readonly #fpb: Fpb;
  readonly #dwt: Dwt;
  readonly #mpu: Mpu;
  readonly #context: DecodeContext;
  readonly #code: CodeCache;
  /** A decoded instruction has had a breakpoint built in. */
  #codeBreaks = false;

  constructor({ bus, exceptions, debug, fpb, dwt, mpu, context }: RunnerParts) {
    this.#s = context.s;
    this.#time = context.time;
    this.#bus = bus;
    this.#exceptions = exceptions;
    this.#debug = debug;
    this.#fpb = fpb;
    this.#dwt = dwt;
    this.#mpu = mpu;
    this.#context = context;
    this.#code = this.#makeCodeCache(bus);
  }

  get blocksCompiled(): number {
    return this.#code.blocksInstalled;
  }
  /** A branch leads to `pc`: a block may begin there. */
  branchTarget(pc: number): void {
    this.#code.branchTarget(pc);
  }

  /** Forgets what is decoded at or across the word at `address`: its breakpoints may have come or gone. */
  dropWord(address: number): void {
    this.#code.dropWord(address);
  }
  /** A snapshot was restored: keeps what is decoded from equal bytes, unless breakpoints are or were involved. */
  memoriesReplaced(): void {
    if (this.#codeBreaks || this.#fpb.enabled || this.#dwt.stopsAtPc) this.#code.dropAll();
    else this.#code.dropStale();
    this.#codeBreaks = false;
  }

  /** Runs in the page of the PC until something needs attention, the limit is reached or the page is left. */
  execute(): void {
    const pc = this.#s.r[15]!;
    const page = this.#fetchable(pc);
    if (page === undefined) return;
    if (page.view.gate.closed || (this.#mpu.on && !this.#mpu.fetches(page.base))) this.#runOne(page, pc);
    else this.#runPage(page);
  }

  /** The page to fetch from, or undefined after the core faulted or waited instead. */
  #fetchable(pc: number): CodePage | undefined {
    const s = this.#s;
    try {
      if (s.thumb === 0) throw new CpuFault(EXC.usageFault, CFSR.invstate);
      if (!this.#mpu.admitsFetch(pc)) throw new CpuFault(EXC.memManage, CFSR.iaccviol);
      const page = this.#code.pageAt(pc);
      if (page === undefined) throw new CpuFault(EXC.busFault, CFSR.ibuserr);
      if (!page.view.gate.closed) return page;
      // One that stays shut is asked again before each instruction; an opened one, or a reset, starts the fetch over.
      const epoch = this.epoch;
      page.view.gate.check(pc >>> 0, 'fetch');
      return page.view.gate.closed && this.epoch === epoch ? page : undefined;
    } catch (error) {
      this.#faulted(error, pc);
      return undefined;
    }
  }

  #runPage(page: CodePage): void {
    const s = this.#s;
    const time = this.#time;
    const epoch = this.epoch;
    const { ops, base } = page;
    let pc = s.r[15]!;
    try {
      do {
        let op = s.it === 0 ? ops[(pc - base) >>> 1] : page.itOps[(pc - base) >>> 1];
        if (op === undefined) {
          if (!page.contains(pc)) break;
          op = this.#code.fill(page, pc, s.it !== 0);
        }
        time.cycles += 1;
        pc = op();
      } while (!s.attention && time.cycles < time.limit);
    } catch (error) {
      if (this.epoch === epoch) this.#faulted(error, pc);
      return;
    }
    this.#debug.retired = true;
    if (this.epoch === epoch) s.r[15] = pc;
  }

  /** One instruction, for single step and idle detection; false when it faulted or left something to attend to. */
  stepOne(): boolean {
    const pc = this.#s.r[15]!;
    const page = this.#fetchable(pc);
    return page !== undefined && this.#runOne(page, pc);
  }

  #runOne(page: CodePage, pc: number): boolean {
    const s = this.#s;
    const epoch = this.epoch;
    try {
      const op = this.#code.single(page, pc, s.it !== 0);
      this.#time.cycles += 1;
      const next = op();
      if (this.epoch === epoch) s.r[15] = next;
    } catch (error) {
      if (this.epoch === epoch) this.#faulted(error, pc);
      return false;
    }
    this.#debug.retired = true;
    return !s.attention;
  }

  #faulted(error: unknown, pc: number): void {
    if (error instanceof Redirected) return;
    this.#s.r[15] = pc;
    if (error instanceof CpuFault) this.#exceptions.fault(error, pc);
    else if (error instanceof BusFault) this.#exceptions.fault(new CpuFault(EXC.busFault, CFSR.ibuserr), pc);
    else throw error;
  }

  #charged(pc: number, op: Op): Op {
    if (!this.#isFree(pc >>> 0)) return op;
    const time = this.#time;
    return () => {
      const before = time.cycles - 1;
      const next = op();
      time.cycles = before;
      return next;
    };
  }
  #isFree(address: number): boolean {
    return this.freeRanges.some(([from, to]) => address >= from && address < to);
  }
  #isRemembered(pc: number): boolean {
    return this.remembered !== undefined && pc >>> 0 === this.remembered.of.entry;
  }
  #rememberedCall(first: Op): Op {
    return rememberedCall(this.remembered!, first, {
      s: this.#s,
      time: this.#time,
      bus: this.#bus,
      opAt: (pc) => this.#code.fill(this.#code.pageAt(pc)!, pc, this.#s.it !== 0),
      allowed: () => this.#context.port.direct && !this.#debug.stepping,
      epoch: () => this.epoch,
    });
  }
  #makeCodeCache(bus: BusMap): CodeCache {
    const decode: Decoder = (pc, first, second, inIt) => this.#charged(pc, this.#decode(pc, first, second, inIt));
    const special = (pc: number): boolean =>
      this.#fpb.hits(pc) || this.#dwt.hits(pc) || this.#isFree(pc) || this.#isRemembered(pc);
    const { s, time, port } = this.#context;
    const parts: BlockParts = { s, time, port, bus, special };
    return new CodeCache(bus, s, decode, {
      sizeAt,
      known: (start) => knownBlock(parts, start),
      compile: (start) => compileBlock(parts, start),
    });
  }
  #decode(pc: number, first: number, second: () => number, inIt: boolean): Op {
    const wide = first >>> 11 >= 0x1d;
    const plain = wide ? decode32(this.#context, first, second(), pc) : decode16(this.#context, first, pc, inIt);
    const isBreakpoint = first >>> 8 === 0xbe;
    const op = inIt && !isBreakpoint ? conditional(this.#s, plain, (pc + (wide ? 4 : 2)) | 0) : plain;
    const byFpb = this.#fpb.hits(pc >>> 0);
    if (!byFpb && !this.#dwt.hits(pc >>> 0)) return this.#isRemembered(pc) && !inIt ? this.#rememberedCall(op) : op;
    this.#codeBreaks = true;
    const reason = byFpb ? DFSR.bkpt : DFSR.dwtTrap;
    return () => {
      if (!this.#debug.enabled) return op();
      this.#debug.enter(reason);
      return pc;
    };
  }
}
