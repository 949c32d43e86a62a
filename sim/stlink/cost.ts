// What an exchange costs in board time. docs: docs/reference/stlink.md §6.1-6.2; every row names where its figure comes
// from.

export interface CostRow {
  readonly value: number;
  /** Plausible range. */
  readonly range: readonly [number, number];
  readonly unit: string;
  readonly source: string;
}

/** USB full speed: V2 and V2-1. */
const FULL_SPEED = {
  commandNs: {
    value: 1e6,
    range: [1e6, 3e6],
    unit: 'ns per command and reply',
    source: '§6.2; fitted, bench/stlink-cost.ts',
  },
  usbBytesPerMs: { value: 1216, range: [832, 1216], unit: 'bytes/ms', source: '§6.2: 19 packets of 64 a frame' },
} as const satisfies Record<string, CostRow>;

/** USB high speed: V3. */
const HIGH_SPEED = {
  commandNs: { value: 0.3e6, range: [0.3e6, 1e6], unit: 'ns per command and reply', source: '§6.2, inferred' },
  usbBytesPerMs: { value: 30e3, range: [20e3, 53e3], unit: 'bytes/ms', source: '§6.2: 13 packets of 512 per 125 us' },
} as const satisfies Record<string, CostRow>;

/** On the wire, whatever the probe. */
const WIRE = {
  clocksPerTransfer: {
    value: 46,
    range: [46, 50],
    unit: 'SWD clocks',
    source: '§6.2: request, turn, ack, 33 data bits',
  },
  clocksPerRefusal: { value: 14, range: [12, 16], unit: 'SWD clocks', source: 'ADIv5: WAIT and FAULT carry no data' },
  clocksPerLineReset: {
    value: 140,
    range: [116, 200],
    unit: 'SWD clocks',
    source: 'two line resets and the switch word',
  },
  waitRetries: { value: 16, range: [4, 64], unit: 'refusals', source: '§2.4: more than 4 before the host hears of it' },
  nrstPulseNs: { value: 1e6, range: [0.1e6, 20e6], unit: 'ns', source: 'not found; the chip needs 20 us' },
} as const satisfies Record<string, CostRow>;

/** The figures a probe runs on. */
export interface CostModel {
  /** Fixed cost of a command and its reply, half before and half after the work, ns. */
  readonly commandNs: number;
  readonly usbBytesPerMs: number;
  readonly clocksPerTransfer: number;
  readonly clocksPerRefusal: number;
  readonly clocksPerLineReset: number;
  /** How often the firmware repeats a transfer answered WAIT before it reports it. */
  readonly waitRetries: number;
  readonly nrstPulseNs: number;
}

/** The default costs of a probe of `generation`, with any figure replaced by `overrides`. */
export function costModel(generation: 2 | 3, overrides: Partial<CostModel> = {}): CostModel {
  const usb = generation === 3 ? HIGH_SPEED : FULL_SPEED;
  const rows = { ...usb, ...WIRE };
  return {
    commandNs: rows.commandNs.value,
    usbBytesPerMs: rows.usbBytesPerMs.value,
    clocksPerTransfer: rows.clocksPerTransfer.value,
    clocksPerRefusal: rows.clocksPerRefusal.value,
    clocksPerLineReset: rows.clocksPerLineReset.value,
    waitRetries: rows.waitRetries.value,
    nrstPulseNs: rows.nrstPulseNs.value,
    ...overrides,
  };
}

/** Desks whose figures differ from the usual ones: what each changes. */
export const PROBE_TIMINGS = {
  usual: {},
  // A V3 on high speed, STMicroelectronics/OpenOCD #9: three exchanges in about 2 ms.
  'v3-seen': { commandNs: 0.7e6 },
  // The slow end of what is told of a V3.
  'v3-slow': { commandNs: 1e6 },
  // A V2 clone that reads at half the speed of ST's own: 50-52 KiB/s where those have 98 (cholla.mmto.org).
  clone: { usbBytesPerMs: 608, clocksPerTransfer: 92 },
  // One Windows host: 6-12 ms a command (QStlink2 #35).
  'slow-host': { commandNs: 12e6 },
} as const satisfies Record<string, Partial<CostModel>>;
export type ProbeTiming = keyof typeof PROBE_TIMINGS;

/** Time `bytes` take on the bus, ns. */
export function usbNs(model: CostModel, bytes: number): number {
  return (bytes * 1e6) / model.usbBytesPerMs;
}

/** Time `clocks` take on the wire at `kHz`, ns. */
export function wireNs(clocks: number, kHz: number): number {
  return (clocks * 1e6) / kHz;
}

/** All rows, for tables and for whoever fits them. */
export const COST_ROWS = { fullSpeed: FULL_SPEED, highSpeed: HIGH_SPEED, wire: WIRE } as const;
