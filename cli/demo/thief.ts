// The thief with a probe in the demo: on a board whose chip is locked he connects as any debugger does, under reset
// when that is the only way, and reads what there is to read (RM0090 §3.7.3).
import { findProbe } from '../../agent/probe/drivers.ts';
import type { Probe } from '../../agent/probe/probe.ts';
import { attach } from '../../agent/target/attach.ts';
import { LOADER_MAP } from '../../controller/loader/config.ts';
import { isBlindflashError } from '../../shared/errors/errors.ts';
import { silentLog } from '../../shared/ports.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';

export interface Seized {
  readonly what: string;
  /** Undefined where the chip refused. */
  readonly bytes: Uint8Array | undefined;
}

/** RM0090 §6.3.10, §6.3.13: with these the clocks of backup SRAM and of the power controller run. */
const CLOCKS = [
  [0x40023830, 1 << 18],
  [0x40023840, 1 << 28],
] as const;
const PLACES = [
  ['the image in flash', LOADER_MAP.image, 0x2000],
  ['the key slots in flash', LOADER_MAP.slots, 0x800],
  ['backup SRAM', 0x40024000, 0x1000],
  ['CCM', 0x10000000, 0x10000],
  ['SRAM', 0x20000000, 0x30000],
] as const;

/**
 * Connects plainly. False when the chip does not answer: what runs on it keeps the debug pins off.
 * @param selector as `agent --probe` takes it. @throws BF-PROBE-*
 */
export function answers(selector: string): Promise<boolean> {
  return withProbe(selector, async (probe) => {
    try {
      await probe.connect();
      return true;
    } catch (error) {
      if (isBlindflashError(error, 'BF-TARGET-NONE')) return false;
      throw error;
    }
  });
}

/** Stops the chip at its first instruction after a reset, which leaves its RAM alone, and reads. @throws BF-PROBE-* */
export function seize(selector: string): Promise<readonly Seized[]> {
  return withProbe(selector, async (probe) => {
    await attach(probe, { clock: systemClock, connect: 'under reset' });
    for (const [register, bit] of CLOCKS) await probe.writeWord(register, (await probe.readWord(register)) | bit);
    const seized: Seized[] = [];
    for (const [what, address, length] of PLACES) seized.push({ what, bytes: await read(probe, address, length) });
    return seized;
  });
}

async function withProbe<T>(selector: string, work: (probe: Probe) => Promise<T>): Promise<T> {
  const probe = await findProbe(selector, { clock: systemClock, log: silentLog });
  await probe.open();
  try {
    return await work(probe);
  } finally {
    await probe.close();
  }
}

/** Undefined when the chip refuses. */
async function read(probe: Probe, address: number, length: number): Promise<Uint8Array | undefined> {
  try {
    return await probe.readMemory(address, length, 32);
  } catch (error) {
    if (isBlindflashError(error, 'BF-TARGET-FAULT')) return undefined;
    throw error;
  }
}
