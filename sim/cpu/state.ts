// Registers and flags of the core, packed for speed, and the xPSR/CONTROL views of them. ARMv7-M B1.4.

/** A decoded instruction: executes and returns the address of the next one (as int32). */
export type Op = () => number;
/** Two register values to one. */
export type Binary = (a: number, b: number) => number;

export const EXC = {
  reset: 1,
  nmi: 2,
  hardFault: 3,
  memManage: 4,
  busFault: 5,
  usageFault: 6,
  svCall: 11,
  debugMonitor: 12,
  pendSv: 14,
  sysTick: 15,
  irq0: 16,
} as const;

/** CFSR bits, HFSR bits and DFSR bits by name. */
export const CFSR = {
  iaccviol: 1 << 0,
  daccviol: 1 << 1,
  munstkerr: 1 << 3,
  mstkerr: 1 << 4,
  mmarvalid: 1 << 7,
  ibuserr: 1 << 8,
  preciserr: 1 << 9,
  impreciserr: 1 << 10,
  unstkerr: 1 << 11,
  stkerr: 1 << 12,
  lsperr: 1 << 13,
  bfarvalid: 1 << 15,
  undefinstr: 1 << 16,
  invstate: 1 << 17,
  invpc: 1 << 18,
  nocp: 1 << 19,
  unaligned: 1 << 24,
  divbyzero: 1 << 25,
} as const;

/** CONTROL.FPCA: a floating-point context is live. */
export const CONTROL_FPCA = 4;

export const HFSR = { vecttbl: 1 << 1, forced: 1 << 30, debugevt: 1 << 31 } as const;

export interface CpuStateSnapshot {
  regs: Uint32Array;
  xpsr: number;
  otherSp: number;
  control: number;
  primask: number;
  faultmask: number;
  basepri: number;
  exclusive: number;
  eventRegister: number;
  afterMemory: number;
}

/** Registers while in reset: LR all ones, everything else zero, Thumb. */
export const RESET_STATE: CpuStateSnapshot = {
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

/** What instructions read and change. Flags are lazy: only the stated bit or test of each field means something. */
export class CpuState {
  readonly r = new Int32Array(16);
  /** N is the sign bit. */
  n = 0;
  /** Z is set when this is 0. */
  z = 1;
  /** 0 or 1. */
  c = 0;
  /** V is the sign bit. */
  v = 0;
  /** Sticky saturation flag, 0 or 1. */
  q = 0;
  /** GE[3:0]. */
  ge = 0;
  /** ITSTATE; 0 outside an IT block. */
  it = 0;
  /** Thumb bit; 0 makes the next instruction fault with INVSTATE. */
  thumb = 1;
  /** Exception number, 0 in thread mode. */
  ipsr = 0;
  /** The stack pointer that r13 does not hold: PSP while on MSP, MSP while on PSP. */
  otherSp = 0;
  /** CONTROL: nPRIV @0, SPSEL @1, FPCA @2. */
  control = 0;
  /** Bits of CONTROL that exist. */
  controlMask = 3;
  primask = 0;
  faultmask = 0;
  basepri = 0;
  /** Local exclusive monitor, 0 open, 1 exclusive. */
  exclusive = 0;
  eventRegister = 0;
  /** Address right behind the load or store executed last; a load there costs one cycle less. -1: none. */
  afterMemory = -1;
  /** EXC_RETURN value just branched to, 0 when none. */
  excReturn = 0;
  /** Makes the run loop leave its fast part and look at exceptions, debug and the map. */
  attention = true;

  get privileged(): boolean {
    return this.ipsr !== 0 || (this.control & 1) === 0;
  }
  get usesPsp(): boolean {
    return this.ipsr === 0 && (this.control & 2) !== 0;
  }
  get msp(): number {
    return this.usesPsp ? this.otherSp : this.r[13]!;
  }
  set msp(value: number) {
    if (this.usesPsp) this.otherSp = value & ~3;
    else this.r[13] = value & ~3;
  }
  get psp(): number {
    return this.usesPsp ? this.r[13]! : this.otherSp;
  }
  set psp(value: number) {
    if (this.usesPsp) this.r[13] = value & ~3;
    else this.otherSp = value & ~3;
  }

  get apsr(): number {
    const nz = (this.n & 0x80000000) | (this.z === 0 ? 0x40000000 : 0);
    return nz | (this.c << 29) | ((this.v >>> 31) << 28) | (this.q << 27) | (this.ge << 16);
  }
  /** Takes N, Z, C and V from bits 31:28. */
  setNzcv(value: number): void {
    this.n = value;
    this.z = value & 0x40000000 ? 0 : 1;
    this.c = (value >>> 29) & 1;
    this.v = value << 3;
  }
  setNzcvq(value: number): void {
    this.setNzcv(value);
    this.q = (value >>> 27) & 1;
  }
  get xpsr(): number {
    const it = ((this.it & 3) << 25) | ((this.it & 0xfc) << 8);
    return this.apsr | it | (this.thumb << 24) | this.ipsr;
  }
  /** Sets every field of xPSR but the exception number. */
  setApsrEpsr(value: number): void {
    this.setNzcvq(value);
    this.ge = (value >>> 16) & 15;
    this.it = ((value >>> 25) & 3) | ((value >>> 8) & 0xfc);
    this.thumb = (value >>> 24) & 1;
  }
  /** Changes mode and stack selection together, swapping r13 when the stack in use changes. */
  setMode(ipsr: number, control: number): void {
    const before = this.usesPsp;
    this.ipsr = ipsr;
    this.control = control;
    if (before === this.usesPsp) return;
    const sp = this.r[13]!;
    this.r[13] = this.otherSp;
    this.otherSp = sp;
  }

  snapshot(): CpuStateSnapshot {
    return {
      regs: new Uint32Array(this.r),
      xpsr: this.xpsr,
      otherSp: this.otherSp,
      control: this.control,
      primask: this.primask,
      faultmask: this.faultmask,
      basepri: this.basepri,
      exclusive: this.exclusive,
      eventRegister: this.eventRegister,
      afterMemory: this.afterMemory,
    };
  }
  restore(from: CpuStateSnapshot): void {
    this.r.set(from.regs);
    this.setApsrEpsr(from.xpsr);
    this.ipsr = from.xpsr & 0x1ff;
    this.otherSp = from.otherSp;
    this.control = from.control;
    this.primask = from.primask;
    this.faultmask = from.faultmask;
    this.basepri = from.basepri;
    this.exclusive = from.exclusive;
    this.eventRegister = from.eventRegister;
    this.afterMemory = from.afterMemory;
    this.attention = true;
  }
}

/** Whether condition `cond` (0..14) holds for the flags. */
export function conditionHolds(s: CpuState, cond: number): boolean {
  switch (cond) {
    case 0:
      return s.z === 0;
    case 1:
      return s.z !== 0;
    case 2:
      return s.c !== 0;
    case 3:
      return s.c === 0;
    case 4:
      return s.n < 0;
    case 5:
      return s.n >= 0;
    case 6:
      return s.v < 0;
    case 7:
      return s.v >= 0;
    case 8:
      return s.c !== 0 && s.z !== 0;
    case 9:
      return s.c === 0 || s.z === 0;
    case 10:
      return (s.n ^ s.v) >= 0;
    case 11:
      return (s.n ^ s.v) < 0;
    case 12:
      return s.z !== 0 && (s.n ^ s.v) >= 0;
    case 13:
      return s.z === 0 || (s.n ^ s.v) < 0;
    default:
      return true;
  }
}

/** ITSTATE after one instruction of the block. */
export function advanceIt(it: number): number {
  return (it & 7) === 0 ? 0 : (it & 0xe0) | ((it << 1) & 0x1f);
}
