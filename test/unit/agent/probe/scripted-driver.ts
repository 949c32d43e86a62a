// An ST-LINK driver over a transport that plays a script of bytes, and the lines every script begins with.
import { StlinkDriver, type StlinkDriverOptions } from '../../../../agent/probe/stlink/driver.ts';
import { EagerClock, line, ScriptedTransport, type ScriptLine } from './support.ts';

export const OK = '80 00';
export const OK_LAST = '80 00 00 00 00 00 00 00 00 00 00 00';
/** CSW bytes 9..11 of memory commands on J32 and newer. */
export const BUS = ' 00 00 00 A2';

export const OPEN_V2 = [line('F1', '29 47 83 04 48 37'), line('F5', '01 00')];
export const OPEN_V3 = [
  line('F1', '30 00 83 04 4F 37'),
  line('FB', '03 01 0F 07 05 00 00 00 83 04 4F 37'),
  line('F5', '01 00'),
];
/** current 3300, three entries. */
export const V3_SPEEDS = line(
  'F2 62 00',
  `80 00 00 00 E4 0C 00 00 03 00 00 00 C0 5D 00 00 E4 0C 00 00 E8 03 00 00 ${'00 '.repeat(28)}`,
);
export const CONNECT_V2 = [line('F2 43 01 00', OK), line('F2 30 A3', OK), line('F2 4B 00', OK)];

export interface ScriptedDriver {
  readonly driver: StlinkDriver;
  readonly transport: ScriptedTransport;
  readonly clock: EagerClock;
}

/** A driver nobody has opened, of a probe with this product id. */
export function scriptedDriver(
  productId: number,
  lines: readonly ScriptLine[],
  options: Partial<StlinkDriverOptions> = {},
): ScriptedDriver {
  const clock = new EagerClock();
  const transport = new ScriptedTransport(productId).expect(...lines);
  return { driver: new StlinkDriver(transport, { clock, ...options }), transport, clock };
}

/** A V2J37S7 that was opened; `lines` is what comes then. */
export async function openedV2(...lines: readonly ScriptLine[]): Promise<ScriptedDriver> {
  const made = scriptedDriver(0x3748, [...OPEN_V2, ...lines]);
  await made.driver.open();
  return made;
}
