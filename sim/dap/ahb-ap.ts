// The AHB-AP of a Cortex-M4: CSW, TAR, DRW, BD0-3 and the identification words. docs: docs/reference/cortex-m-debug.md
// §2; docs/reference/stm32f4.md §1.1.
import type { Width } from '../bus.ts';
import type { DebugTarget } from './debug-target.ts';

export const AP_REGISTER = {
  csw: 0x00,
  tar: 0x04,
  drw: 0x0c,
  bd0: 0x10,
  bd3: 0x1c,
  cfg: 0xf4,
  base: 0xf8,
  idr: 0xfc,
} as const satisfies Record<string, number>;

/** Words of an F427: docs/reference/stm32f4.md §1.1. */
const FIXED: Readonly<Record<number, number>> = {
  [AP_REGISTER.cfg]: 0x00000000,
  [AP_REGISTER.base]: 0xe00ff003,
  [AP_REGISTER.idr]: 0x24770011,
};

const CSW_RESET = 0x23000040;
const CSW_WRITABLE = 0x3f000037;
const CSW_DEVICE_ENABLED = 0x00000040;
/** A write to DHCSR with its key that sets C_DEBUGEN. */
const DHCSR = 0xe000edf0;
const DEBUG_ENABLE_MASK = 0xffff0001;
const DEBUG_ENABLE = 0xa05f0001;
const INCREMENT = { off: 0, single: 1, packed: 2 } as const satisfies Record<string, number>;

export interface AhbApOptions {
  /**
   * TAR auto-increment wraps inside blocks of this many bytes: 4096 as on silicon, 1024 as the architecture promises.
   */
  readonly tarWrap?: 1024 | 4096;
}

/**
 * One MEM-AP. Reads and writes throw BusFault or BusWait as the bus does; a faulting access leaves TAR on its address.
 */
export class AhbAp {
  readonly #target: DebugTarget;
  readonly #wrapMask: number;
  #csw = CSW_RESET;
  #tar = 0;

  constructor(target: DebugTarget, options: AhbApOptions = {}) {
    this.#target = target;
    this.#wrapMask = (options.tarWrap ?? 4096) - 1;
  }

  powerReset(): void {
    this.#csw = CSW_RESET;
    this.#tar = 0;
  }

  /** Reads the register at byte address `register` (0x00-0xFC). */
  read(register: number): number {
    this.#target.debugAccess();
    if (register === AP_REGISTER.csw) return this.#csw;
    if (register === AP_REGISTER.tar) return this.#tar;
    if (register === AP_REGISTER.drw) return this.#transfer(undefined);
    if (register >= AP_REGISTER.bd0 && register <= AP_REGISTER.bd3) {
      return this.#target.bus.read(this.#banked(register), 4, 'debugger') >>> 0;
    }
    return FIXED[register] ?? 0;
  }

  /** Writes the register at byte address `register` (0x00-0xFC). */
  write(register: number, value: number): void {
    this.#target.debugAccess();
    if (register === AP_REGISTER.csw) {
      this.#csw = ((value & CSW_WRITABLE) | CSW_DEVICE_ENABLED) >>> 0;
    } else if (register === AP_REGISTER.tar) {
      this.#tar = value >>> 0;
    } else if (register === AP_REGISTER.drw) {
      this.#transfer(value >>> 0);
    } else if (register >= AP_REGISTER.bd0 && register <= AP_REGISTER.bd3) {
      this.#target.bus.write(this.#banked(register), value >>> 0, 4, 'debugger');
    }
  }

  #banked(register: number): number {
    return ((this.#tar & ~0xf) | (register & 0xc)) >>> 0;
  }

  get #width(): Width {
    const size = this.#csw & 7;
    return size === 0 ? 1 : size === 1 ? 2 : 4;
  }

  /** One DRW access: a single bus access, or a word's worth of them when packed. Undefined `value` means read. */
  #transfer(value: number | undefined): number {
    const width = this.#width;
    const increment = (this.#csw >> 4) & 3;
    const packed = increment === INCREMENT.packed && width < 4;
    let lanes = 0;
    for (let left = packed ? 4 / width : 1; left > 0; left--) {
      lanes |= this.#access(width, value);
      if (increment !== INCREMENT.off) this.#advance(width);
    }
    return lanes >>> 0;
  }

  /** One bus access at TAR; data sits in the byte lanes its address selects. */
  #access(width: Width, value: number | undefined): number {
    const address = (this.#tar & ~(width - 1)) >>> 0;
    const shift = 8 * (address & 3);
    if (value === undefined) return (this.#target.bus.read(address, width, 'debugger') << shift) >>> 0;
    const mask = width === 4 ? 0xffffffff : 2 ** (8 * width) - 1;
    if (address === DHCSR && width === 4 && (value & DEBUG_ENABLE_MASK) >>> 0 === DEBUG_ENABLE) {
      this.#target.debugEvent?.('c-debugen');
    }
    this.#target.bus.write(address, ((value >>> shift) & mask) >>> 0, width, 'debugger');
    return 0;
  }

  #advance(width: Width): void {
    const wrap = this.#wrapMask;
    this.#tar = ((this.#tar & ~wrap) | ((this.#tar + width) & wrap)) >>> 0;
  }
}
