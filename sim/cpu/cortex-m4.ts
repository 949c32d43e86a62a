// Cortex-M4 r0p1, with or without its FPU: wires its parts together; reset, sleep, lockup, halt. Facts:
// docs/reference/stm32f4.md §1, docs/reference/cortex-m-debug.md §4 to §6; how it works: docs/simulation.md.
import type { BoardTime } from '../board-time.ts';
import type { Core, ResetKind } from '../core-port.ts';
import type { BusMap } from './bus-map.ts';
import { DataPort } from './data-port.ts';
import { DebugUnit, DFSR } from './debug-unit.ts';
import { readDebugRegister, writeDebugRegister } from './debug-registers.ts';
import type { DecodeContext } from './decode-context.ts';
import { Dwt } from './dwt.ts';
import { Exceptions } from './exceptions.ts';
import { Fpu } from './float/fpu.ts';
import { Fpb } from './fpb.ts';
import { type FloatingPoint, NO_FPU } from './fpu-port.ts';
import { IdleSkipper } from './idle.ts';
import { InstructionRunner, Redirected } from './instruction-runner.ts';
import { Mpu } from './mpu.ts';
import { Nvic } from './nvic.ts';
import type { CortexM4Options } from './options.ts';
import { mapPrivateBus } from './private-bus.ts';
import type { RememberedCalls } from './remembered-calls.ts';
import { loadResetVectors } from './reset-vectors.ts';
import { Scs } from './scs.ts';
import { CpuState, EXC, HFSR, RESET_STATE } from './state.ts';
import type { CortexM4Snapshot, Sleep } from './snapshot.ts';
import { systemActions } from './system-actions.ts';
import { SysTick } from './systick.ts';

const CCR_DIV_0_TRP = 1 << 4;
const SCR_SEVONPEND = 1 << 4;
const CPACR_FULL = 0x00f00000;
const LOCKUP_PC = 0xfffffffe;

export class CortexM4 implements Core {
  readonly regs: Uint32Array;
  readonly nvic: Nvic;
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
  readonly #idle: IdleSkipper;
  readonly #runner: InstructionRunner;
  readonly #keepRegisters: boolean;
  #inReset = true;
  #halted = false;
  #lockedUp = false;
  #sleep: Sleep = 'no';
  #svcPending = false;

  constructor(options: CortexM4Options) {
    const { time, bus, events, idcodePart, fpu = false, unalignedDevice: splitsDevice = false } = options;
    const s = this.#s;
    this.#keepRegisters = options.keepRegisters ?? false;
    this.#time = time;
    this.#bus = bus;
    this.regs = new Uint32Array(s.r.buffer);
    const nvic = (this.nvic = new Nvic(s));
    this.#fpu = fpu ? new Fpu({ s, bus, time, nvic, cpacr: () => this.#exceptions.registers.cpacr }) : NO_FPU;
    s.controlMask = fpu ? 7 : 3;
    const mpu = new Mpu(s, nvic, bus);
    this.#exceptions = new Exceptions(s, { bus, time, nvic, fpu: this.#fpu, mpu }, this.#exceptionHooks());
    this.#port = new DataPort(s, { bus, mpu, splitsDevice, imprecise: () => this.#exceptions.imprecise() });
    this.#sysTick = new SysTick(time, () => this.nvic.setPending(EXC.sysTick, true));
    this.#debug = this.#makeDebugUnit();
    this.#fpb = new Fpb((address) => this.#runner.dropWord(address));
    this.#dwt = this.#makeDwt();
    const parts = {
      s,
      nvic,
      exceptions: this.#exceptions,
      sysTick: this.#sysTick,
      debug: this.#debug,
      fpu: this.#fpu,
      mpu,
    };
    this.#scs = new Scs(parts, {
      systemReset: () => events.systemResetRequested(),
      coreReset: () => {
        this.enterReset('system');
        this.leaveReset();
      },
      configurationChanged: () => this.#configurationChanged(),
    });
    this.#idle = new IdleSkipper(
      { s, time, bus, port: this.#port, fpuWords: this.#fpu.words },
      { stepOne: () => this.#runner.stepOne(), allowed: () => !this.#debug.stepping && !this.#port.observed },
    );
    const devices = { dwt: this.#dwt, fpb: this.#fpb, scs: this.#scs };
    this.#runner = new InstructionRunner({ bus, ...parts, ...devices, context: this.#makeContext(mpu) });
    mapPrivateBus(bus, devices, idcodePart, () => this.#debug.tracing);
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
  /**
   * Address ranges [from, to) whose instructions cost no time, for measurements; set before they are first executed.
   */
  set freeRanges(ranges: readonly (readonly [from: number, to: number])[]) {
    this.#runner.freeRanges = ranges;
  }
  /** Calls of a function to compute once for the same input (remembered-calls.ts); set before it is first executed. */
  set remembered(calls: RememberedCalls) {
    this.#runner.remembered = calls;
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
  /** Blocks of straight code compiled so far (blocks.ts). */
  get blocksCompiled(): number {
    return this.#runner.blocksCompiled;
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
      else this.#runner.execute();
    }
    this.#settle();
  }

  enterReset(kind: ResetKind): void {
    this.#runner.epoch++;
    const power = kind === 'power';
    this.#inReset = true;
    this.#halted = false;
    this.#lockedUp = false;
    this.#sleep = 'no';
    this.#svcPending = false;
    const general = this.#keepRegisters && !power ? this.#s.r.slice(0, 13) : [];
    this.#s.restore(RESET_STATE);
    this.#s.r.set(general);
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
    this.#runner.epoch++;
    this.#inReset = false;
    if (!loadResetVectors(s, this.#bus)) {
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
  /** Stop mode takes SysTick's clock and gives it back. */
  set clocked(on: boolean) {
    if (!on) this.#sysTick.pause();
    else if (!this.#halted) this.#sysTick.resume();
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
    this.#runner.epoch++;
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
    this.#runner.memoriesReplaced();
  }

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

  /** C_STEP: one instruction, or one exception entry, then halt again. */
  #singleStep(): void {
    const s = this.#s;
    s.attention = false;
    const exception = this.nvic.toTake;
    if (exception !== 0) {
      this.#exceptions.enter(exception, s.r[15]!);
    } else {
      this.#runner.stepOne();
      if (s.attention) this.#settle();
    }
    if (!this.#halted && !this.#inReset && !this.#lockedUp) this.#debug.enter(DFSR.halted);
  }

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
      readRegister: (number) => readDebugRegister(this.#s, this.#fpu, number),
      writeRegister: (number, value) => writeDebugRegister(this.#s, this.#fpu, number, value),
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
      pcChanged: (address) => this.#runner.dropWord(address),
    });
  }

  #makeContext(mpu: Mpu): DecodeContext {
    const s = this.#s;
    return {
      s,
      port: this.#port,
      time: this.#time,
      fpu: this.#fpu,
      scratch: new Int32Array(16),
      fpuEnabled: () => (this.#exceptions.registers.cpacr & CPACR_FULL) !== 0,
      trapDivideByZero: () => (this.#exceptions.registers.ccr & CCR_DIV_0_TRP) !== 0,
      branchTarget: (target) => this.#runner.branchTarget(target),
      backwardBranch: (_from, target) => this.#idle.branch(target),
      system: systemActions(s, this.nvic, {
        supervisorCall: () => {
          this.#svcPending = true;
          s.attention = true;
        },
        breakpoint: (pc) => this.#breakpoint(pc),
        sleep: (kind) => this.#fallAsleep(kind),
        privilegeDropped: () => mpu.privilegeDropped(),
      }),
    };
  }
}
