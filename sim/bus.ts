// The system bus of the virtual chip: address → memory or device, faults for holes (docs/simulation.md, "Bus").

export type Width = 1 | 2 | 4;
/** Who asks: the core's data side, its fetch side, the AHB-AP (debugger), or a DMA controller. */
export type Master = 'cpu' | 'fetch' | 'debugger' | 'dma';

/** The access is answered with a bus error: hole, refused read, bad width. */
export class BusFault extends Error {
  readonly address: number;
  constructor(address: number, why: string) {
    super(`bus error at 0x${(address >>> 0).toString(16)}: ${why}`);
    this.address = address >>> 0;
  }
}

/** A debugger access that cannot finish yet (flash bank busy): the AP answers WAIT until `untilNs` of board time. */
export class BusWait extends Error {
  readonly untilNs: number;
  constructor(untilNs: number) {
    super('bus stalled');
    this.untilNs = untilNs;
  }
}

/**
 * A peripheral. `offset` is relative to its base. Accesses arrive naturally aligned; values are unsigned.
 * May throw BusFault, or BusWait for the debugger; a stalled core burns time through BoardTime.stallUntil instead.
 */
export interface Device {
  read(offset: number, width: Width, master: Master): number;
  write(offset: number, value: number, width: Width, master: Master): void;
  /**
   * True when a read at `offset` has no side effect and its value can only change by a write or when a board timer
   * fires. Only then may the core skip a polling loop. Absent means false.
   */
  pure?(offset: number): boolean;
  /** A store here changes bytes of a memory and nothing else: no interrupt, no clock. Absent means false. */
  readonly plain?: boolean;
}

/** Asked before a memory is touched while `closed`; may burn core time, throw BusFault or BusWait. */
export interface Gate {
  closed: boolean;
  check(address: number, master: Master): void;
}

/** A plain memory the core may read (and perhaps write and fetch) directly through `bytes`. Little endian. */
export interface Memory {
  readonly name: string;
  readonly base: number;
  readonly bytes: Uint8Array;
  readonly fetchable: boolean;
  /** undefined: stores go straight to `bytes`; otherwise stores go to this device (flash programming). */
  readonly writes?: Device;
  readonly gate?: Gate;
}

/** What the core and the AHB-AP see. Implemented by sim/cpu/bus-map.ts; addresses wrap as unsigned 32 bit. */
export interface Bus {
  addMemory(memory: Memory): void;
  /** Maps `device` at [base, base + size). */
  addDevice(base: number, size: number, device: Device, name: string): void;
  /** Makes [alias, alias+memory.bytes.length) show `memory` (boot remap at 0); undefined removes the alias. */
  setAlias(alias: number, memory: Memory | undefined): void;
  read(address: number, width: Width, master: Master): number;
  write(address: number, value: number, width: Width, master: Master): void;
  /** Tells the core that `bytes` changed behind its back, so decoded instructions there are stale. */
  invalidate(base: number, length: number): void;
}
