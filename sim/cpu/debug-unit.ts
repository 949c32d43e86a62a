// DHCSR, DCRSR, DCRDR, DEMCR, DFSR: halting debug (docs/reference/cortex-m-debug.md §4, §5; DDI0403 C1.6).
import type { Master } from '../bus.ts';
import { VC } from './exceptions.ts';

export const DFSR = { halted: 1, bkpt: 2, dwtTrap: 4, vcatch: 8, external: 16 } as const;
const DHCSR = { debugEn: 1, halt: 2, step: 4, maskInts: 8, snapStall: 0x20 } as const;
const STATUS = {
  regReady: 1 << 16,
  halt: 1 << 17,
  sleep: 1 << 18,
  lockup: 1 << 19,
  retired: 1 << 24,
  reset: 1 << 25,
} as const;
const KEY = 0xa05f;
const DEMCR_MASK = 0x010f07f1;

/** What the debug unit asks of the core. */
export interface DebugHooks {
  status(): { halted: boolean; sleeping: boolean; lockedUp: boolean; inReset: boolean };
  halt(): void;
  resume(): void;
  maskInterrupts(mask: boolean): void;
  /** DCRSR register numbers (0..20, 33, 64..95). */
  readRegister(number: number): number;
  writeRegister(number: number, value: number): void;
}

export interface DebugUnitSnapshot {
  control: number;
  resetSeen: boolean;
  retired: boolean;
  dcrdr: number;
  demcr: number;
  dfsr: number;
}

export class DebugUnit {
  readonly #hooks: DebugHooks;
  /** DHCSR bits 5:0. */
  #control = 0;
  #resetSeen = false;
  #dcrdr = 0;
  #demcr = 0;
  dfsr = 0;
  /** Set by the run loop when an instruction completed. */
  retired = false;

  constructor(hooks: DebugHooks) {
    this.#hooks = hooks;
  }

  get enabled(): boolean {
    return (this.#control & DHCSR.debugEn) !== 0;
  }
  get stepping(): boolean {
    return (this.#control & (DHCSR.debugEn | DHCSR.step)) === (DHCSR.debugEn | DHCSR.step);
  }
  get tracing(): boolean {
    return (this.#demcr & (1 << 24)) !== 0;
  }
  get monitorEnabled(): boolean {
    return (this.#demcr & (1 << 16)) !== 0;
  }
  /** True when the debugger wants to stop for one of the DEMCR.VC_* reasons in `bits`. */
  catches(bits: number): boolean {
    return this.enabled && (this.#demcr & bits) !== 0;
  }

  /** Power-on clears everything; a system reset only C_HALT, and leaves its trace in S_RESET_ST. */
  reset(power: boolean): void {
    if (power) {
      this.#control = 0;
      this.#demcr = 0;
      this.#dcrdr = 0;
      this.dfsr = 0;
      this.#hooks.maskInterrupts(false);
    }
    this.#control &= ~DHCSR.halt;
    this.#resetSeen = true;
    this.retired = false;
  }
  /** Enters debug state for `reason` (DFSR bit). */
  enter(reason: number): void {
    this.dfsr |= reason;
    this.#control |= DHCSR.halt;
    this.#hooks.halt();
  }
  /** VC_CORERESET at the end of a reset. */
  catchReset(): void {
    this.#control &= ~DHCSR.halt;
    if (this.catches(VC.coreReset)) this.enter(DFSR.vcatch);
  }

  read(offset: number, master: Master): number {
    switch (offset) {
      case 0xdf0:
        return this.#readDhcsr(master);
      case 0xdf8:
        return this.#dcrdr;
      case 0xdfc:
        return this.#demcr;
      default:
        return 0;
    }
  }
  write(offset: number, value: number, master: Master): void {
    switch (offset) {
      case 0xdf0:
        if (value >>> 16 === KEY) this.#writeDhcsr(value & 0x2f, master);
        return;
      case 0xdf4:
        return this.#transfer(value);
      case 0xdf8:
        this.#dcrdr = value;
        return;
      case 0xdfc:
        this.#demcr = value & DEMCR_MASK;
        return;
    }
  }

  #readDhcsr(master: Master): number {
    const status = this.#hooks.status();
    const value =
      this.#control |
      STATUS.regReady |
      (status.halted ? STATUS.halt : 0) |
      (status.sleeping ? STATUS.sleep : 0) |
      (status.lockedUp ? STATUS.lockup : 0) |
      (this.retired ? STATUS.retired : 0) |
      (this.#resetSeen ? STATUS.reset : 0);
    if (master === 'debugger') {
      this.#resetSeen = status.inReset;
      this.retired = false;
    }
    return value;
  }

  #writeDhcsr(value: number, master: Master): void {
    const old = this.#control;
    if (master !== 'debugger') value = (value & ~DHCSR.debugEn) | (old & DHCSR.debugEn);
    if ((value & DHCSR.debugEn) === 0) value = 0;
    const mayMask = (old & value & DHCSR.halt) !== 0 || value === 0;
    if (!mayMask) value = (value & ~DHCSR.maskInts) | (old & DHCSR.maskInts);
    this.#control = value;
    this.#hooks.maskInterrupts((value & DHCSR.maskInts) !== 0);
    const { halted, inReset } = this.#hooks.status();
    if (value & DHCSR.halt) {
      if (!halted && !inReset) this.enter(DFSR.halted);
    } else if (halted) {
      this.#hooks.resume();
    }
  }

  #transfer(value: number): void {
    if (!this.#hooks.status().halted) return;
    const number = value & 0x7f;
    if (value & 0x10000) this.#hooks.writeRegister(number, this.#dcrdr);
    else this.#dcrdr = this.#hooks.readRegister(number) >>> 0;
  }

  snapshot(): DebugUnitSnapshot {
    return {
      control: this.#control,
      resetSeen: this.#resetSeen,
      retired: this.retired,
      dcrdr: this.#dcrdr,
      demcr: this.#demcr,
      dfsr: this.dfsr,
    };
  }
  restore(from: DebugUnitSnapshot): void {
    this.#control = from.control;
    this.#resetSeen = from.resetSeen;
    this.retired = from.retired;
    this.#dcrdr = from.dcrdr;
    this.#demcr = from.demcr;
    this.dfsr = from.dfsr;
    this.#hooks.maskInterrupts((this.#control & DHCSR.maskInts) !== 0);
  }
}
