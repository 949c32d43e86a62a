// The memory protection unit of the Cortex-M4: eight regions with subregions, the background map, and the check of one
// access (ARMv7-M B3.5; PM0214 §4.2). The private peripheral bus is outside of it.
import { type BusMap, PAGE_SHIFT } from './bus-map.ts';
import { CpuFault } from './faults.ts';
import type { Nvic } from './nvic.ts';
import { CFSR, type CpuState, EXC } from './state.ts';

const MPU_REGIONS = 8;
const OFFSET = { type: 0xd90, ctrl: 0xd94, rnr: 0xd98, rbar: 0xd9c, end: 0xdbc } as const;
const CTRL = { enable: 1, hfnmiena: 2, privdefena: 4 } as const;
const RBAR = { valid: 0x10, region: 0xf, address: 0xffffffe0 } as const;
const RASR = { enable: 1, xn: 28, mask: 0x173fff3f } as const;
const PPB = 0xe00;
/** Address regions (bits 31:28) that the default memory map makes execute-never. */
const EXECUTE_NEVER = 0xfc30;
/** The same ones are Device or Strongly-ordered memory. */
const DEVICE = EXECUTE_NEVER;

/** Access by AP: bit 0 privileged read, 1 privileged write, 2 unprivileged read, 3 unprivileged write. */
const PERMISSIONS = [0b0000, 0b0011, 0b0111, 0b1111, 0b0000, 0b0001, 0b0101, 0b0101] as const;
/** Granules whose permissions are kept at hand; a power of two. */
const REMEMBERED = 1024;
const EVERYTHING = 0b1111;
/** What the background map gives: all to privileged code. */
const PRIVILEGED = 0b0011;

interface Region {
  readonly base: number;
  /** Bytes; up to 2 ** 32. */
  readonly size: number;
  readonly disabled: number;
  readonly permissions: number;
  readonly executable: boolean;
  readonly device: boolean;
}

export interface MpuSnapshot {
  ctrl: number;
  rnr: number;
  /** RBAR, RASR pairs. */
  registers: Uint32Array;
  unprivilegedSeen: boolean;
}

/** What an address may be used for, and whether it is Device memory. */
interface Attributes {
  readonly permissions: number;
  readonly executable: boolean;
  readonly device: boolean;
}

export class Mpu {
  /** Whether it checks anything now. */
  on = false;
  #unprivilegedSeen = false;
  #ctrl = 0;
  #rnr = 0;
  readonly #registers = new Uint32Array(MPU_REGIONS * 2);
  #regions: readonly Region[] = [];
  /** Answers of `fetches` so far, by page. */
  readonly #fetchable = new Map<number, boolean>();
  /** Permissions of 32-byte granules looked up last, and which granules these are; -1: none. */
  readonly #granules = new Float64Array(REMEMBERED).fill(-1);
  readonly #permissions = new Uint8Array(REMEMBERED);
  readonly #s: CpuState;
  readonly #nvic: Nvic;
  readonly #bus: BusMap;

  constructor(s: CpuState, nvic: Nvic, bus: BusMap) {
    this.#s = s;
    this.#nvic = nvic;
    this.#bus = bus;
  }

  /** Thread mode is unprivileged from now on: what only privileged code may access is then checked each time. */
  privilegeDropped(): void {
    if (this.#unprivilegedSeen) return;
    this.#unprivilegedSeen = true;
    if (this.on) this.#changed();
  }
  reset(): void {
    this.restore({ ctrl: 0, rnr: 0, registers: new Uint32Array(MPU_REGIONS * 2), unprivilegedSeen: false });
  }
  /** True for offsets of the SCS that are this unit's. */
  owns(offset: number): boolean {
    return offset >= OFFSET.type && offset < OFFSET.end;
  }
  read(offset: number): number {
    if (offset === OFFSET.type) return MPU_REGIONS << 8;
    if (offset === OFFSET.ctrl) return this.#ctrl;
    return offset === OFFSET.rnr ? this.#rnr : this.#registers[this.#index(offset)]!;
  }
  write(offset: number, value: number): void {
    if (offset === OFFSET.type) return;
    if (offset === OFFSET.ctrl) this.#ctrl = value & 7;
    else if (offset === OFFSET.rnr) this.#rnr = value & (MPU_REGIONS - 1);
    else this.#writeRegion(offset, value);
    this.#follow();
  }
  /** Index into the region registers of RBAR, RASR or an alias of theirs. */
  #index(offset: number): number {
    return this.#rnr * 2 + (((offset - OFFSET.rbar) >> 2) & 1);
  }
  #writeRegion(offset: number, value: number): void {
    const isBase = (((offset - OFFSET.rbar) >> 2) & 1) === 0;
    if (isBase && value & RBAR.valid) this.#rnr = value & RBAR.region & (MPU_REGIONS - 1);
    this.#registers[this.#index(offset)] = isBase ? (value & RBAR.address) | this.#rnr : value & RASR.mask;
  }
  #follow(): void {
    const wasOn = this.on;
    this.on = (this.#ctrl & CTRL.enable) !== 0;
    this.#regions = Array.from({ length: MPU_REGIONS }, (_, n) => n)
      .reverse()
      .filter((n) => this.#registers[2 * n + 1]! & RASR.enable)
      .map((n) => regionOf(this.#registers[2 * n]!, this.#registers[2 * n + 1]!));
    if (this.on || wasOn) this.#changed();
  }
  /** What it lets pass everywhere in a page needs no look at each access. */
  #changed(): void {
    this.#fetchable.clear();
    this.#granules.fill(-1);
    this.#bus.filterPages('mpu', this.on ? (base, size) => this.#everywhere(base, size) : undefined);
    this.#s.attention = true;
  }

  /** A data access of the core. @throws CpuFault MemManage */
  check(address: number, writes: boolean): void {
    const bit = (this.#s.privileged ? 1 : 4) << (writes ? 1 : 0);
    if ((this.#permissionsAt(address) & bit) !== 0 || this.#exempt(address)) return;
    throw new CpuFault(EXC.memManage, CFSR.daccviol | CFSR.mmarvalid, address >>> 0);
  }
  /** An access by exception entry or return. */
  admitsFrame(address: number, writes: boolean, privileged: boolean): boolean {
    return this.#exempt(address) || this.#admits(address, writes, privileged);
  }
  /** Whether an instruction may be fetched there. */
  admitsFetch(address: number): boolean {
    if (!this.on || this.#priorityExempts()) return ((EXECUTE_NEVER >>> (address >>> 28)) & 1) === 0;
    const { permissions, executable } = this.#at(address);
    return executable && (permissions & (this.#s.privileged ? 1 : 4)) !== 0;
  }
  /** Whether an address is Device or Strongly-ordered memory. */
  isDevice(address: number): boolean {
    if (!this.on || address >>> 20 === PPB || this.#priorityExempts()) return inDefault(DEVICE, address);
    return this.#at(address).device;
  }
  /** Whether instructions may be fetched from everywhere in the page at `base` without a look at each. */
  fetches(base: number): boolean {
    const page = base >>> PAGE_SHIFT;
    const known = this.#fetchable.get(page);
    if (known !== undefined) return known;
    const { fetch } = this.#everywhere((page << PAGE_SHIFT) >>> 0, 1 << PAGE_SHIFT);
    this.#fetchable.set(page, fetch);
    return fetch;
  }
  /** What is true of every byte of [base, base + size): reads and writes need no check, or fetches do not. */
  #everywhere(
    base: number,
    size: number,
  ): { readonly read: boolean; readonly write: boolean; readonly fetch: boolean } {
    const needed = (bits: number) => (this.#unprivilegedSeen ? bits : bits & PRIVILEGED);
    const all = this.#boundaries(base, size).map((address) => this.#at(address));
    const permissions = all.reduce((common, each) => common & each.permissions, EVERYTHING);
    const has = (bits: number) => (permissions & needed(bits)) === needed(bits);
    return { read: has(0b0101), write: has(0b1010), fetch: has(0b0101) && all.every(({ executable }) => executable) };
  }

  /** The smallest region is a granule, so one answer holds for all of it. */
  #permissionsAt(address: number): number {
    const granule = address >>> 5;
    const slot = granule & (REMEMBERED - 1);
    if (this.#granules[slot] !== granule) {
      this.#granules[slot] = granule;
      this.#permissions[slot] = this.#at(address).permissions;
    }
    return this.#permissions[slot]!;
  }
  #exempt(address: number): boolean {
    return !this.on || address >>> 20 === PPB || this.#priorityExempts();
  }
  /** HardFault, NMI and FAULTMASK run without it unless HFNMIENA is set. */
  #priorityExempts(): boolean {
    return (this.#ctrl & CTRL.hfnmiena) === 0 && this.#nvic.executionPriority < 0;
  }
  #admits(address: number, writes: boolean, privileged: boolean): boolean {
    const bit = (privileged ? 1 : 4) << (writes ? 1 : 0);
    return (this.#at(address).permissions & bit) !== 0;
  }
  #at(address: number): Attributes {
    const unsigned = address >>> 0;
    const region = this.#regions.find((each) => contains(each, unsigned));
    if (region !== undefined) return region;
    const background = (this.#ctrl & CTRL.privdefena) !== 0;
    return {
      permissions: background ? PRIVILEGED : 0,
      executable: background && !inDefault(EXECUTE_NEVER, unsigned),
      device: inDefault(DEVICE, unsigned),
    };
  }
  /** The first byte of [base, base + size), and of each region and subregion that begins or ends inside. */
  #boundaries(base: number, size: number): number[] {
    const inside = (address: number) => address > base && address < base + size;
    const steps = this.#regions.flatMap((region) => {
      const parts = region.disabled === 0 ? 1 : 8;
      return Array.from({ length: parts + 1 }, (_, i) => region.base + (i * region.size) / parts);
    });
    return [base, ...steps.filter(inside)];
  }

  snapshot(): MpuSnapshot {
    return {
      ctrl: this.#ctrl,
      rnr: this.#rnr,
      registers: this.#registers.slice(),
      unprivilegedSeen: this.#unprivilegedSeen,
    };
  }
  restore(from: MpuSnapshot): void {
    this.#ctrl = from.ctrl;
    this.#unprivilegedSeen = from.unprivilegedSeen;
    this.#rnr = from.rnr;
    this.#registers.set(from.registers);
    this.#follow();
  }
}

function inDefault(mask: number, address: number): boolean {
  return ((mask >>> (address >>> 28)) & 1) === 1;
}

function contains({ base, size, disabled }: Region, address: number): boolean {
  if (address < base || address >= base + size) return false;
  return disabled === 0 || ((disabled >>> Math.floor(((address - base) * 8) / size)) & 1) === 0;
}

/** Regions of at least 256 bytes have eight subregions. */
function regionOf(rbar: number, rasr: number): Region {
  const size = 2 ** (((rasr >>> 1) & 31) + 1);
  const tex = (rasr >>> 19) & 7;
  const cacheable = (rasr >>> 17) & 1;
  const bufferable = (rasr >>> 16) & 1;
  return {
    base: Math.floor((rbar & RBAR.address) >>> 0) - (((rbar & RBAR.address) >>> 0) % size),
    size,
    disabled: size >= 256 ? (rasr >>> 8) & 0xff : 0,
    permissions: PERMISSIONS[(rasr >>> 24) & 7]!,
    executable: ((rasr >>> RASR.xn) & 1) === 0,
    device: (tex === 0 && cacheable === 0) || (tex === 2 && cacheable === 0 && bufferable === 0),
  };
}
