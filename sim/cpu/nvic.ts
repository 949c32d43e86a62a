// Pending, enabled, active and priority of every exception: the NVIC and the system handlers
// alike. ARMv7-M B1.5.4, B3.4.
import { type CpuState, EXC } from './state.ts';

/** 16 system exceptions and 91 interrupts (HDR: F427), rounded up to whole register words of 32. */
export const IRQ_COUNT = 91;
const COUNT = 16 + IRQ_COUNT;
/** Four priority bits: the low nibble of every priority field reads zero. */
const PRIORITY_MASK = 0xf0;
const IDLE_PRIORITY = 256;
/** Exceptions that do not exist: their bytes in SHPR1-SHPR3 stay zero. */
const RESERVED = new Set([7, 8, 9, 10, 13]);

export interface NvicSnapshot {
  pending: Uint8Array;
  enabled: Uint8Array;
  active: Uint8Array;
  lines: Uint8Array;
  priorities: Uint8Array;
  prigroup: number;
  maskInterrupts: boolean;
}

export class Nvic {
  readonly #s: CpuState;
  readonly #pending = new Uint8Array(COUNT);
  readonly #enabled = new Uint8Array(COUNT);
  readonly #active = new Uint8Array(COUNT);
  readonly #lines = new Uint8Array(COUNT);
  readonly #priorities = new Uint8Array(COUNT);
  #prigroup = 0;
  /** Debugger's C_MASKINTS: PendSV, SysTick and interrupts stay pending. */
  maskInterrupts = false;

  constructor(s: CpuState) {
    this.#s = s;
    this.reset();
  }

  reset(): void {
    for (const table of [this.#pending, this.#enabled, this.#active, this.#priorities]) table.fill(0);
    this.#pending.set(this.#lines);
    for (const n of [EXC.nmi, EXC.hardFault, EXC.svCall, EXC.pendSv, EXC.sysTick]) this.#enabled[n] = 1;
    this.#prigroup = 0;
  }

  get prigroup(): number {
    return this.#prigroup;
  }
  set prigroup(value: number) {
    this.#prigroup = value & 7;
    this.#s.attention = true;
  }

  isPending(n: number): boolean {
    return this.#pending[n] === 1;
  }
  setPending(n: number, pending: boolean): void {
    if (n >= COUNT) return;
    this.#pending[n] = pending || this.#lines[n] === 1 ? 1 : 0;
    this.#s.attention = true;
  }
  isEnabled(n: number): boolean {
    return this.#enabled[n] === 1;
  }
  setEnabled(n: number, enabled: boolean): void {
    if (n >= COUNT) return;
    this.#enabled[n] = enabled ? 1 : 0;
    this.#s.attention = true;
  }
  isActive(n: number): boolean {
    return this.#active[n] === 1;
  }
  setActive(n: number, active: boolean): void {
    this.#active[n] = active ? 1 : 0;
    this.#s.attention = true;
  }
  priority(n: number): number {
    return this.#priorities[n] ?? 0;
  }
  setPriority(n: number, value: number): void {
    if (n >= COUNT || RESERVED.has(n)) return;
    this.#priorities[n] = value & PRIORITY_MASK;
    this.#s.attention = true;
  }

  /** Level of an interrupt line: a rising edge pends, a level still high at exception return pends again. */
  setLine(n: number, level: boolean): void {
    if (level && this.#lines[n] === 0) this.setPending(n, true);
    this.#lines[n] = level ? 1 : 0;
  }

  /** Takes `n` off the pending list and makes it active. */
  activate(n: number): void {
    this.#pending[n] = 0;
    this.#active[n] = 1;
  }
  deactivate(n: number): void {
    this.#active[n] = 0;
    if (this.#lines[n] === 1) this.#pending[n] = 1;
  }
  get activeCount(): number {
    let count = 0;
    for (const flag of this.#active) count += flag;
    return count;
  }

  /** Group priority; reset, NMI and HardFault are fixed below zero. */
  groupPriority(n: number): number {
    if (n < EXC.memManage) return n - 4;
    return this.#group(this.#priorities[n]!);
  }
  #group(priority: number): number {
    return priority & ~((2 << this.#prigroup) - 1) & 0xff;
  }

  /** Priority the core runs at: active exceptions, then boosts by BASEPRI, PRIMASK, FAULTMASK. */
  get executionPriority(): number {
    const { basepri, primask, faultmask } = this.#s;
    let lowest = this.#priorityWithoutPrimask();
    if (basepri === 0 && primask === 0 && faultmask === 0) return lowest;
    if (primask) lowest = Math.min(lowest, 0);
    if (faultmask) lowest = Math.min(lowest, -1);
    return lowest;
  }
  #priorityWithoutPrimask(): number {
    let lowest = IDLE_PRIORITY;
    const active = this.#active;
    for (let n = active.indexOf(1); n >= 0; n = active.indexOf(1, n + 1)) {
      lowest = Math.min(lowest, this.groupPriority(n));
    }
    if (this.#s.basepri !== 0) lowest = Math.min(lowest, this.#group(this.#s.basepri));
    return lowest;
  }

  /** The pending, enabled exception that would come first regardless of the current priority; 0 for none. */
  get firstPending(): number {
    let first = 0;
    let best = IDLE_PRIORITY;
    const pending = this.#pending;
    for (let n = pending.indexOf(1); n >= 0; n = pending.indexOf(1, n + 1)) {
      if (this.#enabled[n] === 0) continue;
      if (this.maskInterrupts && n >= EXC.pendSv) continue;
      const priority = n < EXC.memManage ? n - 4 : this.#priorities[n]!;
      if (priority < best) {
        best = priority;
        first = n;
      }
    }
    return first;
  }
  /** The exception to take now, or 0. */
  get toTake(): number {
    const n = this.firstPending;
    return n !== 0 && this.groupPriority(n) < this.executionPriority ? n : 0;
  }
  /** WFI wakes for what would be taken if PRIMASK were clear. */
  get wakes(): boolean {
    const n = this.firstPending;
    return n !== 0 && this.groupPriority(n) < this.#priorityWithoutPrimask();
  }
  anyInterruptPending(): boolean {
    return this.#pending.indexOf(1, EXC.irq0) >= 0;
  }

  snapshot(): NvicSnapshot {
    return {
      pending: this.#pending.slice(),
      enabled: this.#enabled.slice(),
      active: this.#active.slice(),
      lines: this.#lines.slice(),
      priorities: this.#priorities.slice(),
      prigroup: this.#prigroup,
      maskInterrupts: this.maskInterrupts,
    };
  }
  restore(from: NvicSnapshot): void {
    this.#pending.set(from.pending);
    this.#enabled.set(from.enabled);
    this.#active.set(from.active);
    this.#lines.set(from.lines);
    this.#priorities.set(from.priorities);
    this.#prigroup = from.prigroup;
    this.maskInterrupts = from.maskInterrupts;
  }
}
