// The System Control Space 0xE000E000: SysTick, NVIC, SCB, MPU registers, debug registers. ARMv7-M B3.2-B3.5.
import { BusFault, type Device, type Master, type Width } from '../bus.ts';
import { readIdBlock } from './coresight.ts';
import type { DebugUnit } from './debug-unit.ts';
import type { Exceptions } from './exceptions.ts';
import type { FloatingPoint } from './fpu-port.ts';
import type { Mpu, MpuSnapshot } from './mpu.ts';
import { IRQ_COUNT, type Nvic } from './nvic.ts';
import { type CpuState, EXC } from './state.ts';
import type { SysTick } from './systick.ts';

/** Read-only words. CPUID of Cortex-M4 r0p1; ISA and memory model features as its TRM lists them. */
const CONSTANTS: Readonly<Record<number, number>> = {
  0x004: 2,
  0xd00: 0x410fc241,
  0xd40: 0x00000030,
  0xd44: 0x00000200,
  0xd48: 0x00100000,
  0xd4c: 0,
  0xd50: 0x00100030,
  0xd54: 0,
  0xd58: 0x01000000,
  0xd5c: 0,
  0xd60: 0x01101110,
  0xd64: 0x02112000,
  0xd68: 0x21232231,
  0xd6c: 0x01111131,
  0xd70: 0x01310102,
  0xf40: 0x10110021,
  0xf44: 0x11000011,
};

const ICSR = 0xd04;

/** Plain words that remember what is written: offset → writable bits and reset value. */
const REMEMBERED: Readonly<Record<number, { mask: number; reset: number }>> = {
  0x008: { mask: 0x307, reset: 0 },
};
const REMEMBERED_RESETS = Object.entries(REMEMBERED).map(([offset, { reset }]) => [Number(offset), reset] as const);

const CCR_MASK = 0x31b;
/** SHCSR bit → exception whose active, pending or enable state it shows. */
const SHCSR_ACTIVE: readonly (readonly [bit: number, exception: number])[] = [
  [0, EXC.memManage],
  [1, EXC.busFault],
  [3, EXC.usageFault],
  [7, EXC.svCall],
  [8, EXC.debugMonitor],
  [10, EXC.pendSv],
  [11, EXC.sysTick],
];
const SHCSR_PENDING: readonly (readonly [bit: number, exception: number])[] = [
  [12, EXC.usageFault],
  [13, EXC.memManage],
  [14, EXC.busFault],
  [15, EXC.svCall],
];
const SHCSR_ENABLE: readonly (readonly [bit: number, exception: number])[] = [
  [16, EXC.memManage],
  [17, EXC.busFault],
  [18, EXC.usageFault],
];

export interface ScsParts {
  readonly s: CpuState;
  readonly nvic: Nvic;
  readonly exceptions: Exceptions;
  readonly sysTick: SysTick;
  readonly debug: DebugUnit;
  readonly fpu: FloatingPoint;
  readonly mpu: Mpu;
}

export interface ScsHooks {
  systemReset(): void;
  /** AIRCR.VECTRESET: the core alone. */
  coreReset(): void;
  /** CCR, TRCENA or MON_EN may have changed. */
  configurationChanged(): void;
}

export interface ScsSnapshot {
  remembered: Record<number, number>;
  mpu: MpuSnapshot;
}

export class Scs implements Device {
  readonly #p: ScsParts;
  readonly #hooks: ScsHooks;
  readonly #remembered = new Map<number, number>();

  constructor(parts: ScsParts, hooks: ScsHooks) {
    this.#p = parts;
    this.#hooks = hooks;
    this.reset();
  }

  reset(): void {
    this.#p.mpu.reset();
    for (const [offset, reset] of REMEMBERED_RESETS) this.#remembered.set(offset, reset);
  }

  read(offset: number, width: Width, master: Master): number {
    const word = this.#readWord(offset & ~3, master) >>> 0;
    if (width === 4) return word;
    return (word >>> ((offset & 3) * 8)) & (width === 2 ? 0xffff : 0xff);
  }

  /** What is pending changes by writes and timers only; other words of the SCS are not polled. */
  pure(offset: number): boolean {
    return offset === ICSR;
  }

  write(offset: number, value: number, width: Width, master: Master): void {
    if (width === 4) return this.#writeWord(offset, value, master);
    this.#writeNarrow(offset, value, width);
  }

  /** Bytes and half-words exist in the priority registers, CFSR and STIR only. */
  #writeNarrow(offset: number, value: number, width: Width): void {
    const isPriority = (offset >= 0x400 && offset < 0x500) || (offset >= 0xd18 && offset < 0xd24);
    const { nvic, exceptions } = this.#p;
    if (isPriority) {
      for (let i = 0; i < width; i++) nvic.setPriority(priorityIndex(offset + i), (value >>> (8 * i)) & 0xff);
    } else if (offset >= 0xd28 && offset < 0xd2c) {
      exceptions.registers.cfsr &= ~(value << ((offset & 3) * 8));
    } else {
      throw new BusFault(0xe000e000 + offset, 'word access only');
    }
  }

  #readWord(offset: number, master: Master): number {
    const constant = CONSTANTS[offset];
    if (constant !== undefined) return constant;
    const remembered = this.#remembered.get(offset);
    if (remembered !== undefined) return remembered;
    if (offset >= 0xf34 && offset < 0xf40) return this.#p.fpu.readControl(offset) ?? 0;
    if (offset >= 0x010 && offset < 0x020) return this.#p.sysTick.read(offset - 0x10);
    if (offset >= 0x100 && offset < 0x400) return this.#readNvicBits(offset);
    if (offset >= 0x400 && offset < 0x500) return this.#readPriorities(offset);
    if (offset >= 0xdf0 && offset < 0xe00) return this.#p.debug.read(offset, master);
    if (this.#p.mpu.owns(offset)) return this.#p.mpu.read(offset);
    if (offset >= 0xd00 && offset < 0xd90) return this.#readScb(offset);
    return readIdBlock('scs', offset, this.#p.debug.tracing);
  }

  #readScb(offset: number): number {
    const { nvic, debug, exceptions } = this.#p;
    const { registers } = exceptions;
    switch (offset) {
      case ICSR:
        return this.#icsr();
      case 0xd08:
        return registers.vtor;
      case 0xd0c:
        return 0xfa050000 | (nvic.prigroup << 8);
      case 0xd10:
        return registers.scr;
      case 0xd14:
        return registers.ccr;
      case 0xd18:
      case 0xd1c:
      case 0xd20:
        return this.#readPriorities(offset);
      case 0xd24:
        return this.#shcsr();
      case 0xd28:
        return registers.cfsr;
      case 0xd2c:
        return registers.hfsr;
      case 0xd30:
        return debug.dfsr;
      case 0xd34:
        return registers.mmfar;
      case 0xd38:
        return registers.bfar;
      case 0xd3c:
        return registers.afsr;
      case 0xd88:
        return registers.cpacr;
      default:
        return 0;
    }
  }

  #icsr(): number {
    const { nvic, s } = this.#p;
    const flag = (bit: number, set: boolean): number => (set ? 1 << bit : 0);
    return (
      flag(31, nvic.isPending(EXC.nmi)) |
      flag(28, nvic.isPending(EXC.pendSv)) |
      flag(26, nvic.isPending(EXC.sysTick)) |
      flag(22, nvic.anyInterruptPending()) |
      (nvic.firstPending << 12) |
      flag(11, nvic.activeCount <= 1) |
      s.ipsr
    );
  }

  #shcsr(): number {
    const { nvic } = this.#p;
    let value = 0;
    for (const [bit, n] of SHCSR_ACTIVE) if (nvic.isActive(n)) value |= 1 << bit;
    for (const [bit, n] of SHCSR_PENDING) if (nvic.isPending(n)) value |= 1 << bit;
    for (const [bit, n] of SHCSR_ENABLE) if (nvic.isEnabled(n)) value |= 1 << bit;
    return value;
  }

  #writeShcsr(value: number): void {
    const { nvic } = this.#p;
    for (const [bit, n] of SHCSR_ACTIVE) nvic.setActive(n, ((value >>> bit) & 1) === 1);
    for (const [bit, n] of SHCSR_PENDING) nvic.setPending(n, ((value >>> bit) & 1) === 1);
    for (const [bit, n] of SHCSR_ENABLE) nvic.setEnabled(n, ((value >>> bit) & 1) === 1);
  }

  #writeWord(offset: number, value: number, master: Master): void {
    const remembered = REMEMBERED[offset];
    if (remembered !== undefined) {
      this.#remembered.set(offset, (value & remembered.mask) >>> 0);
    } else if (offset >= 0x010 && offset < 0x020) {
      this.#p.sysTick.write(offset - 0x10, value);
    } else if (offset >= 0x100 && offset < 0x300) {
      this.#writeNvicBits(offset, value);
    } else if ((offset >= 0x400 && offset < 0x500) || (offset >= 0xd18 && offset < 0xd24)) {
      for (let i = 0; i < 4; i++) this.#p.nvic.setPriority(priorityIndex(offset + i), (value >>> (8 * i)) & 0xff);
    } else if (offset >= 0xdf0 && offset < 0xe00) {
      this.#p.debug.write(offset, value, master);
      if (offset === 0xdfc) this.#hooks.configurationChanged();
    } else if (this.#p.mpu.owns(offset)) {
      this.#p.mpu.write(offset, value);
    } else if (offset === 0xf00) {
      this.#p.nvic.setPending(EXC.irq0 + (value & 0x1ff), true);
    } else if (offset >= 0xf34 && offset < 0xf40) {
      this.#p.fpu.writeControl(offset, value);
    } else {
      this.#writeScb(offset, value);
    }
  }

  #writeScb(offset: number, value: number): void {
    const { exceptions, debug } = this.#p;
    const { registers } = exceptions;
    switch (offset) {
      case ICSR:
        return this.#writeIcsr(value);
      case 0xd08:
        registers.vtor = (value & 0xffffff80) >>> 0;
        return;
      case 0xd0c:
        return this.#writeAircr(value);
      case 0xd10:
        registers.scr = value & 0x16;
        return;
      case 0xd14:
        registers.ccr = value & CCR_MASK;
        return this.#hooks.configurationChanged();
      case 0xd24:
        return this.#writeShcsr(value);
      case 0xd28:
        registers.cfsr &= ~value;
        return;
      case 0xd2c:
        registers.hfsr &= ~value;
        return;
      case 0xd30:
        debug.dfsr &= ~value;
        return;
      case 0xd34:
        registers.mmfar = value;
        return;
      case 0xd38:
        registers.bfar = value;
        return;
      case 0xd88:
        registers.cpacr = value & 0x00f00000;
        return;
    }
  }

  #writeIcsr(value: number): void {
    const { nvic } = this.#p;
    if (value & (1 << 31)) nvic.setPending(EXC.nmi, true);
    if (value & (1 << 28)) nvic.setPending(EXC.pendSv, true);
    else if (value & (1 << 27)) nvic.setPending(EXC.pendSv, false);
    if (value & (1 << 26)) nvic.setPending(EXC.sysTick, true);
    else if (value & (1 << 25)) nvic.setPending(EXC.sysTick, false);
  }

  #writeAircr(value: number): void {
    if (value >>> 16 !== 0x05fa) return;
    this.#p.nvic.prigroup = value >>> 8;
    if (value & 4) this.#hooks.systemReset();
    else if (value & 1) this.#hooks.coreReset();
  }

  #readNvicBits(offset: number): number {
    const { nvic } = this.#p;
    const block = offset >>> 7;
    const test =
      block < 4
        ? (n: number) => nvic.isEnabled(n)
        : block < 6
          ? (n: number) => nvic.isPending(n)
          : (n: number) => nvic.isActive(n);
    let value = 0;
    for (let bit = 0; bit < 32; bit++) {
      const irq = (offset & 0x7f) * 8 + bit;
      if (irq < IRQ_COUNT && test(EXC.irq0 + irq)) value |= 1 << bit;
    }
    return value;
  }

  #writeNvicBits(offset: number, value: number): void {
    const { nvic } = this.#p;
    const block = offset >>> 7;
    const set = (block & 1) === 0;
    for (let bit = 0; bit < 32; bit++) {
      const irq = (offset & 0x7f) * 8 + bit;
      if (((value >>> bit) & 1) === 0 || irq >= IRQ_COUNT) continue;
      if (block < 4) nvic.setEnabled(EXC.irq0 + irq, set);
      else nvic.setPending(EXC.irq0 + irq, set);
    }
  }

  #readPriorities(offset: number): number {
    let value = 0;
    for (let i = 0; i < 4; i++) value |= this.#p.nvic.priority(priorityIndex(offset + i)) << (8 * i);
    return value;
  }

  snapshot(): ScsSnapshot {
    return { remembered: Object.fromEntries(this.#remembered), mpu: this.#p.mpu.snapshot() };
  }
  restore(from: ScsSnapshot): void {
    this.#p.mpu.restore(from.mpu);
    for (const [offset, value] of Object.entries(from.remembered)) this.#remembered.set(Number(offset), value);
  }
}

/** Exception number of a priority byte: NVIC_IPR or SHPR. */
function priorityIndex(offset: number): number {
  return offset < 0x500 ? EXC.irq0 + offset - 0x400 : offset - 0xd18 + EXC.memManage;
}
