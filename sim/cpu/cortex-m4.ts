// Cortex-M4 r0p1, with or without its FPU: wires registers, decoders, exceptions and debug together and runs
// instructions. Facts: docs/reference/stm32f4.md §1, docs/reference/cortex-m-debug.md §4 to §6; costs:
// docs/reference/crypto.md §1; how closures and cycles work: docs/simulation.md.
import type { BoardTime } from '../board-time.ts';
import { BusFault } from '../bus.ts';
import type { Core, CoreEvents, ResetKind } from '../core-port.ts';
import type { BusMap } from './bus-map.ts';
import { CodeCache, conditional, type CodePage } from './code-cache.ts';
import { idOnlyBlock, romTable } from './coresight.ts';
import { DataPort } from './data-port.ts';
import { DebugUnit, type DebugUnitSnapshot, DFSR } from './debug-unit.ts';
import { decode16 } from './decode16.ts';
import { decode32 } from './decode32.ts';
import type { DecodeContext } from './decode-context.ts';
import { Dwt, type DwtSnapshot } from './dwt.ts';
import { Exceptions, type SystemRegisters } from './exceptions.ts';
import { CpuFault } from './faults.ts';
import { Fpu } from './float/fpu.ts';
import { Fpb, type FpbSnapshot } from './fpb.ts';
import { type FloatingPoint, NO_FPU } from './fpu-port.ts';
import { IdleSkipper } from './idle.ts';
import { Nvic, type NvicSnapshot } from './nvic.ts';
import { Scs, type ScsSnapshot } from './scs.ts';
import { readSpecial, writeSpecial } from './special-registers.ts';
import { CFSR, CpuState, type CpuStateSnapshot, EXC, HFSR, type Op } from './state.ts';
import { SysTick, type SysTickSnapshot } from './systick.ts';

export interface CortexM4Options {
  readonly time: BoardTime;
  readonly bus: BusMap;
  readonly events: CoreEvents;
  /** DBGMCU DEV_ID, shown as part number in the ROM table's peripheral id: 0x419 for F42x. */
  readonly idcodePart: number;
  /** Fits the FPv4-SP unit; none by default. */
  readonly fpu?: boolean;
}

type Sleep = 'no' | 'interrupt' | 'event';

/** Plain data; survives structuredClone. Memory contents are the board's. */
export interface CortexM4Snapshot {
  state: CpuStateSnapshot;
  system: SystemRegisters;
  nvic: NvicSnapshot;
  scs: ScsSnapshot;
  sysTick: SysTickSnapshot;
  debug: DebugUnitSnapshot;
  fpb: FpbSnapshot;
  dwt: DwtSnapshot;
  fpu: unknown;
  inReset: boolean;
  halted: boolean;
  lockedUp: boolean;
  sleep: Sleep;
}

const CCR_DIV_0_TRP = 1 << 4;
const SCR_SEVONPEND = 1 << 4;
const CPACR_FULL = 0x00f00000;
const LOCKUP_PC = 0xfffffffe;
/** Address regions (bits 31:28) that the default memory map makes execute-never. */
const EXECUTE_NEVER = new Set([4, 5, 10, 11, 12, 13, 14, 15]);

export class CortexM4 implements Core {
  readonly regs: Uint32Array;
  readonly nvic: Nvic;
  /** Address ranges [from, to) whose instructions cost no time, for measurements; set before they are first executed. */
  freeRanges: readonly (readonly [from: number, to: number])[] = [];
  readonly #s = new CpuState();
  readonly #time: BoardTime;
  readonly #bus: BusMap;
  readonly #fpu: FloatingPoint;
  readonly #port: DataPort;
  readonly #exceptions: Exceptions;
  readonly #sysTick: SysTick;
  readonly #debug: DebugUnit;
  readonly #fpb: Fpb;
  readonly #dwt: Dwt;
  readonly #scs: Scs;
  readonly #code: CodeCache;
  readonly #idle: IdleSkipper;
  readonly #context: DecodeContext;
  #inReset = true;
  #halted = false;
  #lockedUp = false;
  #sleep: Sleep = 'no';
  #svcPending = false;
  /** Counts resets and restores, so that an instruction that caused one does not overwrite the new PC. */
  #epoch = 0;
  /** A decoded instruction has had a breakpoint built in. */
  #codeBreaks = false;

  constructor({ time, bus, events, idcodePart, fpu = false }: CortexM4Options) {
    const s = this.#s;
    this.#time = time;
    this.#bus = bus;
    this.regs = new Uint32Array(s.r.buffer);
    this.nvic = new Nvic(s);
    const { nvic } = this;
    this.#fpu = fpu ? new Fpu({ s, bus, time, nvic, cpacr: () => this.#exceptions.registers.cpacr }) : NO_FPU;
    s.controlMask = fpu ? 7 : 3;
    this.#exceptions = new Exceptions(s, { bus, time, nvic, fpu: this.#fpu }, this.#exceptionHooks());
    this.#port = new DataPort(s, bus, { imprecise: () => this.#exceptions.imprecise() });
    this.#sysTick = new SysTick(time, () => this.nvic.setPending(EXC.sysTick, true));
    this.#debug = this.#makeDebugUnit();
    this.#fpb = new Fpb((address) => this.#code.dropWord(address));
    this.#dwt = this.#makeDwt();
    const parts = {
      s,
      nvic: this.nvic,
      exceptions: this.#exceptions,
      sysTick: this.#sysTick,
      debug: this.#debug,
      fpu: this.#fpu,
    };
    this.#scs = new Scs(parts, {
      systemReset: () => events.systemResetRequested(),
      coreReset: () => this.#vectorReset(),
      configurationChanged: () => this.#configurationChanged(),
    });
    this.#code = new CodeCache(bus, s, (pc, first, second, inIt) =>
      this.#charged(pc, this.#decode(pc, first, second, inIt)),
    );
    this.#idle = new IdleSkipper(
      { s, time, bus, port: this.#port, fpuWords: this.#fpu.words },
      { stepOne: () => this.#stepOne(), allowed: () => !this.#debug.stepping && !this.#port.observed },
    );
    this.#context = this.#makeContext();
    this.#mapPpb(idcodePart);
  }

  get runnable(): boolean {
    if (this.#inReset || this.#halted || this.#lockedUp) return false;
    return this.#sleep === 'no' || this.#wakes();
  }
  get halted(): boolean {
    return this.#halted;
  }
  get lockedUp(): boolean {
    return this.#lockedUp;
  }
  /** In WFI or WFE. */
  get sleeping(): boolean {
    return this.#sleep !== 'no';
  }
  /** Skips state-free polling loops up to the next timer, cycle-exactly. On by default. */
  get idleSkip(): boolean {
    return this.#idle.enabled;
  }
  set idleSkip(on: boolean) {
    this.#idle.enabled = on;
  }
  /** Loop iterations skipped so far. */
  get idleTurnsSkipped(): number {
    return this.#idle.skipped;
  }
  /** xPSR, MSP, PSP for tests and traces. */
  get xpsr(): number {
    return this.#s.xpsr >>> 0;
  }
  get msp(): number {
    return this.#s.msp >>> 0;
  }
  get psp(): number {
    return this.#s.psp >>> 0;
  }

  run(): void {
    const s = this.#s;
    if (!this.runnable) return;
    this.#sleep = 'no';
    if (this.#debug.stepping) return this.#singleStep();
    while (this.#time.cycles < this.#time.limit && this.runnable) {
      if (s.attention) this.#attend();
      else this.#execute();
    }
    this.#settle();
  }

  enterReset(kind: ResetKind): void {
    this.#epoch++;
    const power = kind === 'power';
    this.#inReset = true;
    this.#halted = false;
    this.#lockedUp = false;
    this.#sleep = 'no';
    this.#svcPending = false;
    this.#s.restore(RESET_STATE);
    this.#s.excReturn = 0;
    this.nvic.reset();
    this.#exceptions.reset();
    this.#sysTick.reset();
    this.#sysTick.resume();
    this.#scs.reset();
    this.#fpu.reset();
    this.#debug.reset(power);
    if (power) {
      this.#fpb.powerOn();
      this.#dwt.powerOn();
    }
    this.#configurationChanged();
  }

  leaveReset(): void {
    const s = this.#s;
    this.#epoch++;
    this.#inReset = false;
    try {
      s.r[13] = this.#bus.read(0, 4, 'cpu') & ~3;
      const entry = this.#bus.read(4, 4, 'cpu');
      s.r[15] = entry & ~1;
      s.thumb = entry & 1;
    } catch (error) {
      if (!(error instanceof BusFault)) throw error;
      this.#exceptions.registers.hfsr |= HFSR.vecttbl;
      this.#lockUp();
    }
    s.attention = true;
    this.#debug.catchReset();
  }

  setIrq(irq: number, level: boolean): void {
    const wasPending = this.nvic.isPending(EXC.irq0 + irq);
    this.nvic.setLine(EXC.irq0 + irq, level);
    if (level && !wasPending && this.#exceptions.registers.scr & SCR_SEVONPEND) this.#s.eventRegister = 1;
  }
  /** Call after BoardTime.setClock, so that SysTick's next expiry is placed on the new clock. */
  clockChanged(): void {
    this.#sysTick.clockChanged();
  }

  snapshot(): CortexM4Snapshot {
    return {
      state: this.#s.snapshot(),
      system: { ...this.#exceptions.registers },
      nvic: this.nvic.snapshot(),
      scs: this.#scs.snapshot(),
      sysTick: this.#sysTick.snapshot(),
      debug: this.#debug.snapshot(),
      fpb: this.#fpb.snapshot(),
      dwt: this.#dwt.snapshot(),
      fpu: this.#fpu.snapshot(),
      inReset: this.#inReset,
      halted: this.#halted,
      lockedUp: this.#lockedUp,
      sleep: this.#sleep,
    };
  }
  /** Takes what `snapshot` gave; the board restores memories and BoardTime before. */
  restore(state: unknown): void {
    const from = state as CortexM4Snapshot;
    this.#epoch++;
    this.#s.restore(from.state);
    this.#s.excReturn = 0;
    this.#svcPending = false;
    Object.assign(this.#exceptions.registers, from.system);
    this.nvic.restore(from.nvic);
    this.#scs.restore(from.scs);
    this.#sysTick.restore(from.sysTick);
    this.#inReset = from.inReset;
    this.#halted = from.halted;
    this.#lockedUp = from.lockedUp;
    this.#sleep = from.sleep;
    this.#debug.restore(from.debug);
    this.#fpb.restore(from.fpb);
    this.#dwt.restore(from.dwt);
    this.#fpu.restore(from.fpu);
    this.#port.ccr = from.system.ccr;
    if (this.#codeBreaks || this.#fpb.enabled || this.#dwt.stopsAtPc) this.#code.dropAll();
    else this.#code.dropStale();
    this.#codeBreaks = false;
  }

  // --- running ---

  /** Leftovers of the last instruction, exceptions that wait, then a polling loop that may be skipped. */
  #attend(): void {
    const s = this.#s;
    s.attention = false;
    this.#settle();
    const exception = this.nvic.toTake;
    if (exception !== 0) this.#exceptions.enter(exception, s.r[15]!);
    else this.#idle.look();
  }

  /** What the last instruction left to do: SVC entry or exception return. */
  #settle(): void {
    const s = this.#s;
    if (this.#svcPending) {
      this.#svcPending = false;
      this.#exceptions.supervisorCall(s.r[15]!);
    }
    if (s.excReturn !== 0) {
      const value = s.excReturn;
      s.excReturn = 0;
      this.#exceptions.return(value);
    }
  }

  /** Runs in the page of the PC until something needs attention, the limit is reached or the page is left. */
  #execute(): void {
    const pc = this.#s.r[15]!;
    const page = this.#fetchable(pc);
    if (page === undefined) return;
    if (page.view.gate.closed) this.#runOne(page, pc);
    else this.#runPage(page);
  }

  /** The page to fetch from, or undefined after the core faulted or waited instead. */
  #fetchable(pc: number): CodePage | undefined {
    const s = this.#s;
    try {
      if (s.thumb === 0) throw new CpuFault(EXC.usageFault, CFSR.invstate);
      if (EXECUTE_NEVER.has(pc >>> 28)) throw new CpuFault(EXC.memManage, CFSR.iaccviol);
      const page = this.#code.pageAt(pc);
      if (page === undefined) throw new CpuFault(EXC.busFault, CFSR.ibuserr);
      if (!page.view.gate.closed) return page;
      // One that stays shut is asked again before each instruction; an opened one, or a reset, starts the fetch over.
      const epoch = this.#epoch;
      page.view.gate.check(pc >>> 0, 'fetch');
      return page.view.gate.closed && this.#epoch === epoch ? page : undefined;
    } catch (error) {
      this.#faulted(error, pc);
      return undefined;
    }
  }

  #runPage(page: CodePage): void {
    const s = this.#s;
    const time = this.#time;
    const epoch = this.#epoch;
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
      if (this.#epoch === epoch) this.#faulted(error, pc);
      return;
    }
    this.#debug.retired = true;
    if (this.#epoch === epoch) s.r[15] = pc;
  }

  /** One instruction, for single step and idle detection; false when it faulted or left something to attend to. */
  #stepOne(): boolean {
    const pc = this.#s.r[15]!;
    const page = this.#fetchable(pc);
    return page !== undefined && this.#runOne(page, pc);
  }

  #runOne(page: CodePage, pc: number): boolean {
    const s = this.#s;
    const epoch = this.#epoch;
    try {
      const op = this.#code.fill(page, pc, s.it !== 0);
      this.#time.cycles += 1;
      const next = op();
      if (this.#epoch === epoch) s.r[15] = next;
    } catch (error) {
      if (this.#epoch === epoch) this.#faulted(error, pc);
      return false;
    }
    this.#debug.retired = true;
    return !s.attention;
  }

  /** C_STEP: one instruction, or one exception entry, then halt again. */
  #singleStep(): void {
    const s = this.#s;
    s.attention = false;
    const exception = this.nvic.toTake;
    if (exception !== 0) {
      this.#exceptions.enter(exception, s.r[15]!);
    } else {
      this.#stepOne();
      if (s.attention) this.#settle();
    }
    if (!this.#halted && !this.#inReset && !this.#lockedUp) this.#debug.enter(DFSR.halted);
  }

  #faulted(error: unknown, pc: number): void {
    if (error instanceof Redirected) return;
    this.#s.r[15] = pc;
    if (error instanceof CpuFault) this.#exceptions.fault(error, pc);
    else if (error instanceof BusFault) this.#exceptions.fault(new CpuFault(EXC.busFault, CFSR.ibuserr), pc);
    else throw error;
  }

  #charged(pc: number, op: Op): Op {
    const at = pc >>> 0;
    if (!this.freeRanges.some(([from, to]) => at >= from && at < to)) return op;
    const time = this.#time;
    return () => {
      const before = time.cycles - 1;
      const next = op();
      time.cycles = before;
      return next;
    };
  }
  #decode(pc: number, first: number, second: () => number, inIt: boolean): Op {
    const wide = first >>> 11 >= 0x1d;
    const plain = wide ? decode32(this.#context, first, second(), pc) : decode16(this.#context, first, pc, inIt);
    const isBreakpoint = first >>> 8 === 0xbe;
    const op = inIt && !isBreakpoint ? conditional(this.#s, plain, (pc + (wide ? 4 : 2)) | 0) : plain;
    const byFpb = this.#fpb.hits(pc >>> 0);
    if (!byFpb && !this.#dwt.hits(pc >>> 0)) return op;
    this.#codeBreaks = true;
    const reason = byFpb ? DFSR.bkpt : DFSR.dwtTrap;
    return () => {
      if (!this.#debug.enabled) return op();
      this.#debug.enter(reason);
      return pc;
    };
  }

  // --- sleeping, lockup, debug ---

  #wakes(): boolean {
    return this.nvic.wakes || (this.#sleep === 'event' && this.#s.eventRegister === 1);
  }
  #fallAsleep(kind: Sleep): void {
    this.#sleep = kind;
    this.#s.attention = true;
  }
  #lockUp(): void {
    this.#lockedUp = true;
    this.#s.r[15] = LOCKUP_PC;
    this.#s.attention = true;
  }
  #halt(): void {
    this.#halted = true;
    this.#sleep = 'no';
    this.#lockedUp = false;
    this.#s.attention = true;
    this.#sysTick.pause();
    this.#dwt.updateCounting();
  }
  #resume(): void {
    this.#halted = false;
    this.#s.attention = true;
    this.#sysTick.resume();
    this.#dwt.updateCounting();
  }
  #vectorReset(): void {
    this.enterReset('system');
    this.leaveReset();
  }
  #configurationChanged(): void {
    this.#port.ccr = this.#exceptions.registers.ccr;
    this.nvic.setEnabled(EXC.debugMonitor, this.#debug.monitorEnabled);
    this.#dwt.updateCounting();
    this.#dwt.refresh();
  }
  #breakpoint(pc: number): void {
    if (this.#debug.enabled) return this.#debug.enter(DFSR.bkpt);
    this.#debug.dfsr |= DFSR.bkpt;
    this.#exceptions.debugEvent(pc);
    throw new Redirected();
  }

  // --- wiring ---

  #exceptionHooks(): ConstructorParameters<typeof Exceptions>[2] {
    return {
      lockup: () => this.#lockUp(),
      sleep: () => this.#fallAsleep('interrupt'),
      vectorCatch: (bits) => {
        if (bits !== 0 && this.#debug.catches(bits)) this.#debug.enter(DFSR.vcatch);
      },
    };
  }

  #makeDebugUnit(): DebugUnit {
    return new DebugUnit({
      status: () => ({
        halted: this.#halted,
        sleeping: this.#sleep !== 'no',
        lockedUp: this.#lockedUp,
        inReset: this.#inReset,
      }),
      halt: () => this.#halt(),
      resume: () => this.#resume(),
      maskInterrupts: (mask) => {
        this.nvic.maskInterrupts = mask;
        this.#s.attention = true;
      },
      readRegister: (number) => this.#readDebugRegister(number),
      writeRegister: (number, value) => this.#writeDebugRegister(number, value),
    });
  }

  #makeDwt(): Dwt {
    return new Dwt(this.#time, {
      samplePc: () => (this.#halted ? 0xffffffff : this.regs[15]!),
      tracing: () => this.#debug.tracing,
      counting: () => !this.#halted,
      trap: () => {
        if (this.#debug.enabled) this.#debug.enter(DFSR.dwtTrap);
      },
      watchData: (on) => {
        if (on) this.#port.observe(this.#dwt.accesses);
        else this.#port.unobserve(this.#dwt.accesses);
      },
      pcChanged: (address) => this.#code.dropWord(address),
    });
  }

  #makeContext(): DecodeContext {
    const s = this.#s;
    return {
      s,
      port: this.#port,
      time: this.#time,
      fpu: this.#fpu,
      scratch: new Int32Array(16),
      fpuEnabled: () => (this.#exceptions.registers.cpacr & CPACR_FULL) !== 0,
      trapDivideByZero: () => (this.#exceptions.registers.ccr & CCR_DIV_0_TRP) !== 0,
      backwardBranch: (_from, target) => this.#idle.branch(target),
      system: {
        supervisorCall: () => {
          this.#svcPending = true;
          s.attention = true;
        },
        breakpoint: (pc) => this.#breakpoint(pc),
        waitForInterrupt: () => {
          if (!this.nvic.wakes) this.#fallAsleep('interrupt');
        },
        waitForEvent: () => {
          if (s.eventRegister === 1) s.eventRegister = 0;
          else this.#fallAsleep('event');
        },
        sendEvent: () => {
          s.eventRegister = 1;
        },
        readSpecial: (sysm) => readSpecial(s, sysm),
        writeSpecial: (sysm, mask, value) => writeSpecial(s, this.nvic, sysm, mask, value),
        changeState: (disable, primask, faultmask) => {
          if (primask) writeSpecial(s, this.nvic, 16, 0, disable ? 1 : 0);
          if (faultmask) writeSpecial(s, this.nvic, 19, 0, disable ? 1 : 0);
        },
      },
    };
  }

  #mapPpb(idcodePart: number): void {
    const bus = this.#bus;
    bus.addDevice(0xe0000000, 0x1000, idOnlyBlock('itm'), 'ITM');
    bus.addDevice(0xe0001000, 0x1000, this.#dwt, 'DWT');
    bus.addDevice(0xe0002000, 0x1000, this.#fpb, 'FPB');
    bus.addDevice(0xe000e000, 0x1000, this.#scs, 'SCS');
    bus.addDevice(0xe0040000, 0x1000, idOnlyBlock('tpiu'), 'TPIU');
    bus.addDevice(0xe0041000, 0x1000, idOnlyBlock('etm'), 'ETM');
    bus.addDevice(0xe00ff000, 0x1000, romTable(idcodePart), 'ROM table');
  }

  #readDebugRegister(number: number): number {
    const s = this.#s;
    if (number < 16) return s.r[number]!;
    if (number === 16) return s.xpsr;
    if (number === 17) return s.msp;
    if (number === 18) return s.psp;
    if (number === 20) return (s.control << 24) | (s.faultmask << 16) | (s.basepri << 8) | s.primask;
    return this.#fpu.readRegister(number);
  }

  #writeDebugRegister(number: number, value: number): void {
    const s = this.#s;
    s.attention = true;
    s.excReturn = 0;
    if (number === 13) {
      s.r[13] = value & ~3;
    } else if (number === 15) {
      s.r[15] = value & ~1;
    } else if (number < 16) {
      s.r[number] = value;
    } else if (number === 16) {
      s.setApsrEpsr(value);
      s.setMode(value & 0x1ff, s.control);
    } else if (number === 17) {
      s.msp = value;
    } else if (number === 18) {
      s.psp = value;
    } else if (number === 20) {
      s.setMode(s.ipsr, (value >>> 24) & s.controlMask);
      s.faultmask = (value >>> 16) & 1;
      s.basepri = (value >>> 8) & 0xf0;
      s.primask = value & 1;
    } else {
      this.#fpu.writeRegister(number, value);
    }
  }
}

/** Thrown by an instruction that has already entered an exception itself. */
class Redirected extends Error {}

/** Registers while in reset: LR all ones, everything else zero, Thumb. */
const RESET_STATE: CpuStateSnapshot = {
  regs: Uint32Array.from({ length: 16 }, (_, n) => (n === 14 ? 0xffffffff : 0)),
  xpsr: 0x01000000,
  otherSp: 0,
  control: 0,
  primask: 0,
  faultmask: 0,
  basepri: 0,
  exclusive: 0,
  eventRegister: 0,
  afterMemory: -1,
};
