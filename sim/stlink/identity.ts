// The faces the virtual probe can wear: PIDs, versions, endpoints, clocks. docs: docs/reference/stlink.md §1.1, §1.2,
// §2.6, §2.10.

export type IdentityName = 'v2' | 'v2-1' | 'v3';

export interface ProbeIdentity {
  readonly name: string;
  readonly generation: 2 | 3;
  readonly vendorId: number;
  readonly productId: number;
  readonly product: string;
  /** As tools print it. */
  readonly firmware: string;
  /** 24 hex digits. */
  readonly serial: string;
  /** Reply to F1. */
  readonly version: readonly number[];
  /** Reply to FB, for probes that know it. */
  readonly versionEx?: readonly number[];
  readonly endpointOut: number;
  readonly endpointIn: number;
  readonly endpointTrace: number;
  /** Bulk packet, bytes. */
  readonly packetSize: number;
  /** Most bytes of one 8-bit access. */
  readonly max8: number;
  /** Most items of one RW_MISC batch. */
  readonly maxMisc: number;
  /** What ENTER says when nothing answers on the wire. */
  readonly noTarget: number;
  /** Mode it wakes up in. */
  readonly wakesIn: 'dfu' | 'mass';
  /** READREG while the core runs: a refusal (from J38, V3J8), or a zero that looks like an answer. */
  readonly readsRunningCore: 'command error' | 'zero';
  /** Clock after power-up, kHz. */
  readonly swdKHz: number;
}

const STLINK_VENDOR = 0x0483;

export const IDENTITIES = {
  v2: {
    name: 'ST-LINK V2',
    generation: 2,
    vendorId: STLINK_VENDOR,
    productId: 0x3748,
    product: 'STM32 STLink',
    firmware: 'V2J37S7',
    serial: '53FF6C066682485429281267',
    version: [0x29, 0x47, 0x83, 0x04, 0x48, 0x37],
    endpointOut: 2,
    endpointIn: 1,
    endpointTrace: 3,
    packetSize: 64,
    max8: 64,
    maxMisc: 64,
    noTarget: 0x09,
    wakesIn: 'dfu',
    readsRunningCore: 'zero',
    swdKHz: 1800,
  },
  'v2-1': {
    name: 'ST-LINK V2-1',
    generation: 2,
    vendorId: STLINK_VENDOR,
    productId: 0x374b,
    product: 'STM32 STLink',
    firmware: 'V2J40M27',
    serial: '0668FF383333554157243840',
    version: [0x2a, 0x1b, 0x83, 0x04, 0x4b, 0x37],
    endpointOut: 1,
    endpointIn: 1,
    endpointTrace: 2,
    packetSize: 64,
    max8: 64,
    maxMisc: 64,
    noTarget: 0x09,
    wakesIn: 'mass',
    readsRunningCore: 'command error',
    swdKHz: 1800,
  },
  v3: {
    name: 'STLINK-V3',
    generation: 3,
    vendorId: STLINK_VENDOR,
    productId: 0x374f,
    product: 'STLINK-V3',
    firmware: 'V3J10M3',
    serial: '002F00223438510B34313939',
    version: [0x30, 0x00, 0x83, 0x04, 0x4f, 0x37],
    versionEx: [0x03, 0x00, 0x0a, 0x03, 0x00, 0x00, 0x00, 0x00, 0x83, 0x04, 0x4f, 0x37],
    endpointOut: 1,
    endpointIn: 1,
    endpointTrace: 2,
    packetSize: 512,
    max8: 512,
    maxMisc: 1227,
    noTarget: 0x05,
    wakesIn: 'mass',
    readsRunningCore: 'command error',
    swdKHz: 1000,
  },
} as const satisfies Record<IdentityName, ProbeIdentity>;

/** V2 divisor → SWD clock in kHz (docs/reference/stlink.md §2.6). */
const V2_SWD_KHZ: Readonly<Record<number, number>> = {
  0: 4000,
  1: 1800,
  2: 1200,
  3: 950,
  5: 650,
  7: 480,
  9: 400,
  10: 360,
  15: 240,
  25: 150,
  31: 125,
  40: 100,
  79: 50,
  158: 25,
  265: 15,
  798: 5,
};
/** Beyond this a divisor is taken for nonsense: the clock would be below 1 kHz. */
const V2_DIVISOR_MAX = 4000;
export const V2_JTAG_DIVISORS: readonly number[] = [2, 4, 8, 16, 32, 64, 128, 256];

/**
 * SWD clock of a V2 divisor in kHz, undefined for nonsense. Between table rows it follows about
 * 4000 / (divisor + 1.25).
 */
export function swdKHzOfDivisor(divisor: number): number | undefined {
  if (divisor > V2_DIVISOR_MAX) return undefined;
  return V2_SWD_KHZ[divisor] ?? 4000 / (divisor + 1.25);
}

/** Clocks a V3 offers, kHz, descending. The JTAG list is from memory of ST's tools. */
export const V3_KHZ = {
  swd: [24000, 8000, 3300, 1000, 200, 50, 5],
  jtag: [21333, 16000, 12000, 8000, 1777, 750],
} as const satisfies Record<string, readonly number[]>;

/** The highest clock not above `kHz`, or the slowest one. */
export function v3Clock(list: readonly number[], kHz: number): number {
  return list.find((clock) => clock <= kHz) ?? list.at(-1)!;
}
