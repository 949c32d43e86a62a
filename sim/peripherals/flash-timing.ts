// Durations and limits of the flash: docs/reference/stm32f4.md §3.3 (PSIZE against supply), §3.8 (times), §3.9 (wait
// states).

/**
 * Erase and program times by PSIZE code 0-3 (x8, x16, x32, x64), ms; programming in us. The data sheet's typical and
 * longest, then what single parts were seen to take.
 */
const FLASH_TIMES = {
  typ: {
    programUs: [16, 16, 16, 16],
    erase16Ms: [400, 300, 250, 230],
    erase64Ms: [1200, 700, 550, 490],
    erase128Ms: [2000, 1300, 1000, 875],
    massMs: [16000, 11000, 8000, 6900],
    optionMs: 350,
  },
  max: {
    programUs: [100, 100, 100, 100],
    erase16Ms: [800, 600, 500, 500],
    erase64Ms: [2400, 1400, 1100, 1100],
    erase128Ms: [4000, 2600, 2000, 2000],
    massMs: [32000, 22000, 16000, 16000],
    optionMs: 700,
  },
  // One F429 as PX4 measured it at x16: 267 ms, 2.05 s, 20 us; the rest in the proportions of the typical figures.
  f429: {
    programUs: [20, 20, 20, 20],
    erase16Ms: [356, 267, 223, 205],
    erase64Ms: [1892, 1104, 867, 773],
    erase128Ms: [3154, 2050, 1577, 1380],
    massMs: [25231, 17346, 12615, 10881],
    optionMs: 350,
  },
  // One F439 as pyOCD met it: 15 s for the whole chip at x32; sectors were not measured and are typical.
  f439: {
    programUs: [16, 16, 16, 16],
    erase16Ms: [400, 300, 250, 230],
    erase64Ms: [1200, 700, 550, 490],
    erase128Ms: [2000, 1300, 1000, 875],
    massMs: [30000, 20625, 15000, 12938],
    optionMs: 350,
  },
} as const;
export type FlashTiming = keyof typeof FLASH_TIMES;

/** Widest PSIZE code for a supply, V; x64 needs V_PP, which the virtual board does not have. */
export function widestPsize(volts: number): number {
  return volts >= 2.7 ? 2 : volts >= 2.1 ? 1 : 0;
}

/** Sector erase time, ns. */
export function sectorEraseNs(timing: FlashTiming, sizeBytes: number, psize: number): number {
  const table = FLASH_TIMES[timing];
  const row = sizeBytes <= 0x4000 ? table.erase16Ms : sizeBytes <= 0x10000 ? table.erase64Ms : table.erase128Ms;
  return row[psize]! * 1e6;
}

/** Bank or mass erase time, ns: the data sheet gives both the same figure. */
export function massEraseNs(timing: FlashTiming, psize: number): number {
  return FLASH_TIMES[timing].massMs[psize]! * 1e6;
}

export function programNs(timing: FlashTiming, psize: number): number {
  return FLASH_TIMES[timing].programUs[psize]! * 1e3;
}

export function optionNs(timing: FlashTiming): number {
  return FLASH_TIMES[timing].optionMs * 1e6;
}

/** Highest HCLK in MHz for LATENCY 0, 1, 2 … by supply range. */
const WAIT_STATES = [
  { fromVolts: 2.7, mhz: [30, 60, 90, 120, 150, 180] },
  { fromVolts: 2.4, mhz: [24, 48, 72, 96, 120, 144, 168, 180] },
  { fromVolts: 2.1, mhz: [22, 44, 66, 88, 110, 132, 154, 176, 180] },
  { fromVolts: 0, mhz: [20, 40, 60, 80, 100, 120, 140, 160, 168] },
] as const;

/** Fewest wait states flash needs at `hz` and `volts`. */
export function latencyNeeded(hz: number, volts: number): number {
  const row = WAIT_STATES.find(({ fromVolts }) => volts >= fromVolts)!;
  const states = row.mhz.findIndex((mhz) => hz <= mhz * 1e6 + 1);
  return states < 0 ? row.mhz.length : states;
}
