// Clock arithmetic of the F42x and its limits (docs/reference/stm32f4.md §3.10). Pure: registers in, frequencies and
// complaints out.

export const HSI_HZ = 16e6;
export const LSI_HZ = 32e3;

export interface PllSettings {
  readonly m: number;
  readonly n: number;
  readonly p: number;
  readonly q: number;
  readonly fromHse: boolean;
}

export function pllSettings(pllcfgr: number): PllSettings {
  return {
    m: pllcfgr & 0x3f,
    n: (pllcfgr >>> 6) & 0x1ff,
    p: (((pllcfgr >>> 16) & 3) + 1) * 2,
    q: (pllcfgr >>> 24) & 0xf,
    fromHse: ((pllcfgr >>> 22) & 1) === 1,
  };
}

/** Oscillators that may drive the PLL, Hz. */
export interface PllSources {
  readonly hsiHz: number;
  readonly hseHz: number;
}

/** Frequencies of a running PLL, Hz. */
export function pllOutputs(
  settings: PllSettings,
  { hsiHz, hseHz }: PllSources,
): { vco: number; sysclk: number; pll48: number } {
  const { m, n, p, q, fromHse } = settings;
  const vco = ((fromHse ? hseHz : hsiHz) / Math.max(m, 1)) * n;
  return { vco, sysclk: vco / p, pll48: vco / Math.max(q, 1) };
}

/** What is wrong with PLL settings, empty when they are legal; HSI counts with its nominal frequency. */
export function pllFaults(settings: PllSettings, hseHz: number): string[] {
  const { m, n, q, fromHse } = settings;
  const input = (fromHse ? hseHz : HSI_HZ) / Math.max(m, 1);
  const { vco } = pllOutputs(settings, { hsiHz: HSI_HZ, hseHz });
  const faults: string[] = [];
  if (m < 2) faults.push(`PLLM ${m} is below 2`);
  if (n < 50 || n > 432) faults.push(`PLLN ${n} is outside 50-432`);
  if (q < 2) faults.push(`PLLQ ${q} is below 2`);
  if (input < 0.95e6 || input > 2.1e6) faults.push(`PLL input ${input / 1e6} MHz is outside 1-2 MHz`);
  if (vco < 100e6 || vco > 432e6) faults.push(`PLL VCO ${vco / 1e6} MHz is outside 100-432 MHz`);
  return faults;
}

const AHB_DIVIDER = [2, 4, 8, 16, 64, 128, 256, 512] as const;
export function ahbDivider(cfgr: number): number {
  const code = (cfgr >>> 4) & 0xf;
  return code < 8 ? 1 : AHB_DIVIDER[code - 8]!;
}
/** APB divider of bus 1 or 2. */
export function apbDivider(cfgr: number, bus: 1 | 2): number {
  const code = (cfgr >>> (bus === 1 ? 10 : 13)) & 7;
  return code < 4 ? 1 : 2 << (code - 4);
}

/** Highest HCLK for a voltage scale (PWR_CR.VOS 1-3), MHz, without and with over-drive. */
const SCALE_MHZ = { 1: [120, 120], 2: [144, 168], 3: [168, 180] } as const;
const APB_MHZ = { 1: [42, 45], 2: [84, 90] } as const;

/** What is wrong with running at `hclk` Hz under `vos` (1-3). */
export function speedFaults(hclk: number, cfgr: number, vos: 1 | 2 | 3, overDrive: boolean): string[] {
  const column = overDrive ? 1 : 0;
  const limit = SCALE_MHZ[vos][column];
  const faults = hclk > limit * 1e6 + 1 ? [`HCLK ${hclk / 1e6} MHz exceeds ${limit} MHz of VOS ${vos}`] : [];
  for (const bus of [1, 2] as const) {
    const hz = hclk / apbDivider(cfgr, bus);
    const top = APB_MHZ[bus][column];
    if (hz > top * 1e6 + 1) faults.push(`APB${bus} at ${hz / 1e6} MHz exceeds ${top} MHz`);
  }
  return faults;
}
