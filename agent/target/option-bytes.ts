// The option bytes through the debug port: read, and written as the reference manual says (docs/reference/stm32f4.md
// §3.3, §4; RM0090 §3.7.2). A write that is cut off leaves all of them erased, so everything is ready before it starts
// and nothing is done while it lasts.
import { sameOptions, type Chip, type OptionWords } from '../../shared/chips/index.ts';
import { fail } from '../../shared/errors/errors.ts';
import type { Clock, Log } from '../../shared/ports.ts';
import { pause } from '../probe/deadline.ts';
import type { Probe } from '../probe/probe.ts';
import { CHIP, FREEZE_WATCHDOGS } from './debug-state.ts';
import { rethrowUnlessSilent, type CortexM } from './cortex-m.ts';

const FLASH = {
  OPTKEYR: 0x40023c08,
  SR: 0x40023c0c,
} as const satisfies Record<string, number>;
const OPTION_KEYS = [0x08192a3b, 0x4c5d6e7f] as const;
const OPTLOCK = 1 << 0;
const OPTSTRT = 1 << 1;
const SR_BSY = 1 << 16;
/** Every flag that a write of 1 clears, and those of them that tell of an error. */
const SR_FLAGS = 0x1f3;
const SR_ERRORS = 0x1f2;
/** What the two words hold beside lock and start bit. */
const FIELDS: OptionWords = { optcr: 0xfffffffc, optcr1: 0x0fff0000 };

/** Milliseconds: the mass erase on leaving level 1 takes up to 32 s (DS9405), option bytes less than one. */
const MOST_MS = 60_000;
const LOOK_MS = 20;

export interface OptionBytesOptions {
  readonly probe: Probe;
  readonly clock: Clock;
  readonly log: Log;
  readonly core: CortexM;
  readonly chip: Chip;
}

/** The two words without lock and start bit. */
export async function readOptionBytes(probe: Probe, chip: Chip): Promise<OptionWords> {
  const optcr = await probe.readWord(CHIP.FLASH_OPTCR);
  const optcr1 = chip.banks === 2 ? await probe.readWord(CHIP.FLASH_OPTCR1) : 0;
  return { optcr: (optcr & FIELDS.optcr) >>> 0, optcr1: (optcr1 & FIELDS.optcr1) >>> 0 };
}

/**
 * Writes both words; the core is halted and its watchdogs stand still, for a reset meanwhile would cut the write off.
 * Returns what the registers read afterwards. @throws BF-TARGET-OPTIONS, or what probe and wire bring before the write
 * has begun
 */
export async function writeOptionBytes(options: OptionBytesOptions, wanted: OptionWords): Promise<OptionWords> {
  const { probe, core, chip, log } = options;
  await probe.writeWord(CHIP.DBGMCU_APB1_FZ, ((await probe.readWord(CHIP.DBGMCU_APB1_FZ)) | FREEZE_WATCHDOGS) >>> 0);
  await core.halt();
  await untilIdle(options);
  await probe.writeWord(FLASH.SR, SR_FLAGS);
  if (((await probe.readWord(CHIP.FLASH_OPTCR)) & OPTLOCK) !== 0) {
    for (const key of OPTION_KEYS) await probe.writeWord(FLASH.OPTKEYR, key);
  }
  if (((await probe.readWord(CHIP.FLASH_OPTCR)) & OPTLOCK) !== 0) throw fail('BF-TARGET-OPTIONS', 'they stay locked');
  if (chip.banks === 2) await probe.writeWord(CHIP.FLASH_OPTCR1, wanted.optcr1);
  await probe.writeWord(CHIP.FLASH_OPTCR, wanted.optcr);
  log.info({ ...wanted }, 'writing the option bytes');
  // From here on an error of the wire proves nothing: the write may have begun.
  await probe.writeWord(CHIP.FLASH_OPTCR, (wanted.optcr | OPTSTRT) >>> 0).catch(rethrowUnlessSilent);
  await untilIdle(options);
  const errors = (await probe.readWord(FLASH.SR)) & SR_ERRORS;
  await probe.writeWord(CHIP.FLASH_OPTCR, (wanted.optcr | OPTLOCK) >>> 0);
  if (errors !== 0) throw fail('BF-TARGET-OPTIONS', `FLASH_SR 0x${errors.toString(16)}`);
  const now = await readOptionBytes(probe, chip);
  if (!sameOptions(now, wanted)) {
    throw fail('BF-TARGET-OPTIONS', `OPTCR reads 0x${now.optcr.toString(16)}, OPTCR1 0x${now.optcr1.toString(16)}`);
  }
  return now;
}

/** BSY is 0. The chip may not answer while it erases, and a mass erase may cost the connection. */
async function untilIdle({ probe, clock }: OptionBytesOptions): Promise<void> {
  const end = clock.now() + MOST_MS;
  let lost = false;
  for (;;) {
    try {
      if (lost) await probe.connect();
      lost = false;
      if (((await probe.readWord(FLASH.SR)) & SR_BSY) === 0) return;
    } catch (error) {
      rethrowUnlessSilent(error);
      lost = true;
      await probe.disconnect().catch(rethrowUnlessSilent);
    }
    if (clock.now() >= end) throw fail('BF-TARGET-OPTIONS', `the flash is busy for more than ${MOST_MS / 1000} s`);
    await pause(clock, LOOK_MS);
  }
}
