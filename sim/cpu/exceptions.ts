// Exception entry and return, escalation, lockup and vector catch. ARMv7-M B1.5.6-B1.5.15; costs in cycles.ts.
import type { BoardTime } from '../board-time.ts';
import { BusFault } from '../bus.ts';
import type { BusMap } from './bus-map.ts';
import { EXCEPTION } from './cycles.ts';
import type { CpuFault } from './faults.ts';
import type { FloatingPoint } from './fpu-port.ts';
import type { Mpu } from './mpu.ts';
import type { Nvic } from './nvic.ts';
import { CFSR, CONTROL_FPCA, type CpuState, EXC, HFSR } from './state.ts';

/** Fault status registers, VTOR, CCR and SHCSR enables: what the SCS shows and exceptions use. */
export interface SystemRegisters {
  vtor: number;
  ccr: number;
  cfsr: number;
  hfsr: number;
  mmfar: number;
  bfar: number;
  afsr: number;
  scr: number;
  actlr: number;
  cpacr: number;
}

function freshSystemRegisters(): SystemRegisters {
  return { vtor: 0, ccr: 0x200, cfsr: 0, hfsr: 0, mmfar: 0, bfar: 0, afsr: 0, scr: 0, actlr: 0, cpacr: 0 };
}

const CCR = { nonBaseThreadEnable: 1, bfhfnmign: 1 << 8, stkalign: 1 << 9 } as const;
const SCR = { sleepOnExit: 2 } as const;
/** DEMCR vector catch bits. */
export const VC = {
  coreReset: 1 << 0,
  mmErr: 1 << 4,
  nocpErr: 1 << 5,
  chkErr: 1 << 6,
  statErr: 1 << 7,
  busErr: 1 << 8,
  intErr: 1 << 9,
  hardErr: 1 << 10,
} as const;

export interface ExceptionHooks {
  lockup(): void;
  sleep(): void;
  /** Vector catch for the reasons in `bits` (VC) when the debugger asked for it. */
  vectorCatch(bits: number): void;
}

/** The fault that an exception frame met, and what CFSR says of it at entry. */
type FrameFault = keyof typeof STACKING;
const STACKING = { [EXC.memManage]: CFSR.mstkerr, [EXC.busFault]: CFSR.stkerr } as const;
/** Vector catch of a fault at an exception return. */
const RETURN_CATCH = { [EXC.memManage]: VC.mmErr, [EXC.busFault]: VC.busErr, [EXC.usageFault]: VC.statErr } as const;

const FRAME_BYTES = 32;
/** S0-S15, FPSCR and a word unused. */
const EXTENDED_BYTES = 72;

export class Exceptions {
  readonly registers: SystemRegisters = freshSystemRegisters();
  readonly #s: CpuState;
  readonly #bus: BusMap;
  readonly #time: BoardTime;
  readonly #nvic: Nvic;
  readonly #fpu: FloatingPoint;
  readonly #mpu: Mpu;
  readonly #hooks: ExceptionHooks;
  /** The eight words of a frame on their way to the stack or back. */
  readonly #frame = new Int32Array(FRAME_BYTES / 4);

  constructor(
    s: CpuState,
    parts: { bus: BusMap; time: BoardTime; nvic: Nvic; fpu: FloatingPoint; mpu: Mpu },
    hooks: ExceptionHooks,
  ) {
    this.#s = s;
    this.#bus = parts.bus;
    this.#time = parts.time;
    this.#nvic = parts.nvic;
    this.#fpu = parts.fpu;
    this.#mpu = parts.mpu;
    this.#hooks = hooks;
  }

  reset(): void {
    Object.assign(this.registers, freshSystemRegisters());
  }

  /** A synchronous fault of the instruction at `pc`: records status, escalates, enters the handler. */
  fault(fault: CpuFault, pc: number): void {
    this.#record(fault);
    this.#raise(fault.exception, pc, catchBit(fault));
  }

  /** SVC: the return address is the next instruction. */
  supervisorCall(next: number): void {
    this.#raise(EXC.svCall, next, 0);
  }

  /** BKPT without halting debug: DebugMonitor when it may run, else HardFault with DEBUGEVT. */
  debugEvent(pc: number): void {
    if (!this.#mayTake(EXC.debugMonitor)) this.registers.hfsr |= HFSR.debugevt;
    this.#raise(EXC.debugMonitor, pc, 0);
  }

  /** A buffered store failed: BusFault becomes pending, or HardFault when it is not enabled. */
  imprecise(): void {
    this.registers.cfsr |= CFSR.impreciserr;
    if (this.#nvic.isEnabled(EXC.busFault)) return this.#nvic.setPending(EXC.busFault, true);
    this.registers.hfsr |= HFSR.forced;
    this.#nvic.setPending(EXC.hardFault, true);
  }

  /** Enters exception `n` from the instruction boundary at `pc`. */
  enter(n: number, pc: number): void {
    const s = this.#s;
    const excReturn = this.#excReturn();
    this.#time.cycles += EXCEPTION.entry;
    const failed = this.#stack(pc);
    const taken = failed === undefined ? n : this.#derived(n, failed, STACKING[failed]);
    if (taken === undefined) this.#lockUpIn(n, excReturn);
    else this.#vector(taken, excReturn);
    s.eventRegister = 1;
  }

  /** Performs the exception return announced by EXC_RETURN `value`; `pc` is where the branch left the core. */
  return(value: number): void {
    const s = this.#s;
    const returning = s.ipsr;
    const invalid = this.#returnIsIllegal(value, returning);
    this.#nvic.deactivate(returning);
    if (returning !== EXC.nmi) s.faultmask = 0;
    s.control = value & 4 && !invalid ? s.control | 2 : s.control & ~2;
    if (invalid) return this.#failedReturn(EXC.usageFault, CFSR.invpc, value);
    const next = this.#nvic.toTake;
    if (next !== 0) {
      this.#time.cycles += EXCEPTION.tailChain;
      return this.#vector(next, value);
    }
    this.#time.cycles += EXCEPTION.exit;
    this.#unstack(value);
  }

  #record(fault: CpuFault): void {
    const { registers } = this;
    registers.cfsr |= fault.cfsr;
    if (fault.address === undefined) return;
    if (fault.exception === EXC.memManage) registers.mmfar = fault.address;
    else registers.bfar = fault.address;
  }

  #mayTake(n: number): boolean {
    return this.#nvic.isEnabled(n) && this.#nvic.groupPriority(n) < this.#nvic.executionPriority;
  }

  /** Takes `n` now, or HardFault in its place, or locks up when not even HardFault may run. */
  #raise(n: number, pc: number, catchBits: number): void {
    if (this.#mayTake(n)) {
      this.enter(n, pc);
      return this.#hooks.vectorCatch(catchBits);
    }
    this.registers.hfsr |= HFSR.forced;
    if (this.#nvic.executionPriority <= -1) return this.#hooks.lockup();
    this.enter(EXC.hardFault, pc);
    this.#hooks.vectorCatch(catchBits | VC.hardErr);
  }

  /** A fault while entering `n`: the exception that runs instead, with `n` left pending; undefined when none may. */
  #derived(n: number, fault: FrameFault, cfsr: number): number | undefined {
    this.registers.cfsr |= cfsr;
    this.#nvic.setPending(n, true);
    this.#hooks.vectorCatch(VC.intErr);
    const faultWins = this.#mayTake(fault) && this.#nvic.groupPriority(fault) < this.#nvic.groupPriority(n);
    if (n !== fault && faultWins) return fault;
    if (n === EXC.hardFault || n === EXC.nmi) {
      this.#nvic.setPending(n, false);
      return undefined;
    }
    this.registers.hfsr |= HFSR.forced;
    return EXC.hardFault;
  }

  #excReturn(): number {
    const s = this.#s;
    const extended = this.#fpu.frameWords() > 0 ? 0 : 0x10;
    const mode = s.ipsr !== 0 ? 1 : s.usesPsp ? 0xd : 9;
    return 0xffffffe0 | extended | mode | 0;
  }

  /** Pushes the frame; the fault when the stack could not be written. */
  #stack(pc: number): FrameFault | undefined {
    const s = this.#s;
    const { r } = s;
    const extra = this.#fpu.frameWords() * 4;
    const align = extra > 0 || this.registers.ccr & CCR.stkalign ? 4 : 0;
    const sp = r[13]!;
    const frame = (sp - FRAME_BYTES - extra) & ~align;
    const xpsr = (s.xpsr & ~0x200) | (sp & align ? 0x200 : 0);
    r[13] = frame;
    const words = this.#frame;
    for (let n = 0; n < 4; n++) words[n] = r[n]!;
    words[4] = r[12]!;
    words[5] = r[14]!;
    words[6] = pc;
    words[7] = xpsr;
    const { privileged } = s;
    if (!this.#frameAdmitted(frame, FRAME_BYTES + extra, true, privileged)) return EXC.memManage;
    const written = this.#guarded(() => {
      for (let i = 0; i < 8; i++) this.#bus.write(frame + i * 4, words[i]!, 4, 'cpu');
      if (extra > 0) this.#fpu.stack(frame + FRAME_BYTES);
    });
    return written ? undefined : EXC.busFault;
  }
  #frameAdmitted(frame: number, bytes: number, writes: boolean, privileged: boolean): boolean {
    if (!this.#mpu.on) return true;
    for (let at = 0; at < bytes; at += 4) if (!this.#mpu.admitsFrame(frame + at, writes, privileged)) return false;
    return true;
  }

  /** Runs `work`, turning a bus fault into false. */
  #guarded(work: () => void): boolean {
    try {
      work();
      return true;
    } catch (error) {
      if (error instanceof BusFault) return false;
      throw error;
    }
  }

  /** Loads the handler's address and switches to handler mode. */
  #vector(n: number, excReturn: number): void {
    const s = this.#s;
    let handler = 0;
    const read = this.#guarded(() => {
      handler = this.#bus.read(this.registers.vtor + n * 4, 4, 'cpu');
    });
    if (!read) return this.#vectorFault(n, excReturn);
    this.#activate(n, excReturn);
    s.r[15] = handler & ~1;
    s.thumb = handler & 1;
    s.it = 0;
    s.exclusive = 0;
    s.afterMemory = -1;
    s.attention = true;
  }

  #activate(n: number, excReturn: number): void {
    const s = this.#s;
    this.#nvic.activate(n);
    s.setMode(n, s.control & ~(2 | CONTROL_FPCA));
    s.r[14] = excReturn;
  }

  /** The handler of `n` cannot start: a debugger finds the core locked up with `n` active. */
  #lockUpIn(n: number, excReturn: number): void {
    this.#activate(n, excReturn);
    this.#hooks.lockup();
  }

  #vectorFault(n: number, excReturn: number): void {
    this.registers.hfsr |= HFSR.vecttbl;
    this.#hooks.vectorCatch(VC.intErr);
    if (n <= EXC.hardFault || this.#nvic.executionPriority <= -1) return this.#lockUpIn(n, excReturn);
    this.#vector(EXC.hardFault, excReturn);
  }

  #returnIsIllegal(value: number, returning: number): boolean {
    const kind = value & 15;
    const form = value >>> 4;
    if (form !== 0xfffffff && !(form === 0xffffffe && this.#fpu.present)) return true;
    if (!this.#nvic.isActive(returning)) return true;
    const nested = this.#nvic.activeCount;
    if (kind === 1) return nested === 1;
    if (kind !== 9 && kind !== 13) return true;
    return nested > 1 && (this.registers.ccr & CCR.nonBaseThreadEnable) === 0;
  }

  /** A fault during return: the handler runs on the frame that is still stacked, as in a tail chain. */
  #failedReturn(n: keyof typeof RETURN_CATCH, cfsr: number, excReturn: number): void {
    this.registers.cfsr |= cfsr;
    this.#hooks.vectorCatch(VC.intErr | RETURN_CATCH[n]);
    this.#time.cycles += EXCEPTION.tailChain;
    if (this.#mayTake(n)) return this.#vector(n, excReturn);
    this.registers.hfsr |= HFSR.forced;
    if (this.#nvic.executionPriority <= -1) return this.#hooks.lockup();
    this.#hooks.vectorCatch(VC.hardErr);
    this.#vector(EXC.hardFault, excReturn);
  }

  #unstack(value: number): void {
    const s = this.#s;
    const { r } = s;
    const toThread = (value & 8) !== 0;
    const frame = value & 4 ? s.otherSp : r[13]!;
    const words = this.#frame;
    const extended = (value & 0x10) === 0;
    const bytes = FRAME_BYTES + (extended ? EXTENDED_BYTES : 0);
    if (!this.#frameAdmitted(frame, bytes, false, !toThread || (s.control & 1) === 0)) {
      return this.#failedReturn(EXC.memManage, CFSR.munstkerr, value);
    }
    const read = this.#guarded(() => {
      for (let i = 0; i < 8; i++) words[i] = this.#bus.read(frame + i * 4, 4, 'cpu');
    });
    if (!read) return this.#failedReturn(EXC.busFault, CFSR.unstkerr, value);
    const xpsr = words[7]!;
    if (toThread !== ((xpsr & 0x1ff) === 0)) return this.#failedReturn(EXC.usageFault, CFSR.invpc, value);
    if (extended && !this.#guarded(() => this.#fpu.unstack(frame + FRAME_BYTES))) {
      return this.#failedReturn(EXC.busFault, CFSR.unstkerr, value);
    }
    s.control = extended ? s.control | CONTROL_FPCA : s.control & ~CONTROL_FPCA;
    const align = (extended || this.registers.ccr & CCR.stkalign) && xpsr & 0x200 ? 4 : 0;
    const sp = (frame + FRAME_BYTES + (extended ? EXTENDED_BYTES : 0)) | align;
    this.#resume(words, sp, value);
    if (toThread && this.registers.scr & SCR.sleepOnExit) this.#hooks.sleep();
  }

  #resume(words: Int32Array, sp: number, value: number): void {
    const s = this.#s;
    const { r } = s;
    const handlerSp = r[13]!;
    const onPsp = (value & 4) !== 0;
    s.ipsr = words[7]! & 0x1ff;
    s.otherSp = onPsp ? handlerSp : s.otherSp;
    r[13] = sp;
    for (let n = 0; n < 4; n++) r[n] = words[n]!;
    r[12] = words[4]!;
    r[14] = words[5]!;
    r[15] = words[6]! & ~1;
    s.setApsrEpsr(words[7]!);
    s.exclusive = 0;
    s.eventRegister = 1;
    s.afterMemory = -1;
    s.attention = true;
  }
}

/** The DEMCR bit that watches for a fault's cause. */
function catchBit(fault: CpuFault): number {
  if (fault.exception === EXC.memManage) return VC.mmErr;
  if (fault.exception === EXC.busFault) return VC.busErr;
  if (fault.cfsr & CFSR.nocp) return VC.nocpErr;
  return fault.cfsr & (CFSR.unaligned | CFSR.divbyzero) ? VC.chkErr : VC.statErr;
}
