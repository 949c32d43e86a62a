// The doctor's round: probe, driver, firmware, supply, wiring, chip, protection; each a finding with what to do
// (docs/product.md §4). Reads identification only, and leaves the board as it was.
import { asBlindflashError, fail, tell, wordingFor, type ErrorCode } from '../../shared/errors/errors.ts';
import {
  findChip,
  isCutWrite,
  sectorProtection,
  sectorRuns,
  type Chip,
  type OptionWords,
} from '../../shared/chips/index.ts';
import type { Clock, Log } from '../../shared/ports.ts';
import { LOWEST_SUPPLY_VOLTS, type Probe } from '../probe/probe.ts';
import { attach } from './attach.ts';
import { restoreDebugState } from './debug-state.ts';
import type { ConnectMode, Reached } from './reach.ts';

/** What is looked at: behind the probe, and behind a serial port. */
export const EXAMINED = [
  'probe',
  'firmware',
  'supply',
  'speeds',
  'chip',
  'protection',
  'core',
  'serial',
  'loader',
  'image',
] as const;

export interface Finding {
  readonly what: (typeof EXAMINED)[number];
  readonly verdict: 'good' | 'note' | 'bad';
  readonly text: string;
  /** For notes and bad findings. */
  readonly remedy: string | undefined;
  readonly code: ErrorCode | undefined;
}

/** Below this the chip does not program its flash word by word; volts (DS9405: 2.7 V for 32-bit programming). */
const WORD_PROGRAMMING_VOLTS = 2.7;

/** How it looks, and whom it asks to hold the reset button. */
export interface DoctorOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly connect?: ConnectMode | undefined;
  readonly ask?: ((text: string) => void) | undefined;
}

/** Examines a probe that is not yet opened; every finding as it is made. Ends after the first one that bars the way. */
export async function* examine(probe: Probe, { clock, log, connect, ask }: DoctorOptions): AsyncGenerator<Finding> {
  try {
    await probe.open();
    yield good('probe', `${probe.info.kind}, serial ${probe.info.serial ?? 'unknown'}, ${probe.info.path}`);
    yield good('firmware', probe.info.firmware);
    const volts = await probe.readVoltage();
    const low = volts !== undefined && volts < LOWEST_SUPPLY_VOLTS ? volts : undefined;
    if (low === undefined) yield supply(volts);
    yield good('speeds', `SWD at ${(await probe.listSpeeds()).join(', ')} kHz`);
    let told = low === undefined;
    for await (const finding of examineTarget(probe, { clock, log, connect, ask })) {
      // Only the chip itself can say whether a supply that is not measured is there.
      if (!told && low !== undefined) yield finding.verdict === 'bad' ? supply(low) : notMeasured(low);
      told = true;
      yield finding;
    }
  } catch (error) {
    yield bad('probe', error);
  } finally {
    await probe.close();
  }
}

async function* examineTarget(probe: Probe, options: DoctorOptions): AsyncGenerator<Finding> {
  try {
    const { identity, saved, how } = await attach(probe, options);
    try {
      const { devId, revId, flashKiB, rdp, foundHalted, foundLockedUp } = identity;
      const size = flashKiB === undefined ? '' : `, ${flashKiB} KiB of flash`;
      const row = findChip(devId);
      const text = `${row?.name ?? 'unknown'}, revision 0x${revId.toString(16)}${size}`;
      yield row?.random === false ? bad('chip', fail('BF-TARGET-NO-RANDOM', text)) : good('chip', text);
      const barred = protection(rdp, row, flashKiB ?? 0, identity);
      yield barred;
      yield how === 'running' ? core(foundHalted, foundLockedUp, rdp) : hardToReach(how, rdp, barred.verdict === 'bad');
    } finally {
      await restoreDebugState(probe, saved, how !== 'running');
    }
  } catch (error) {
    yield bad('chip', error);
  } finally {
    await probe.disconnect();
  }
}

/** Level and protected sectors, and the state a cut option write leaves, by name. */
function protection(rdp: 0 | 1 | 2, chip: Chip | undefined, flashKiB: number, words: OptionWords): Finding {
  if (chip !== undefined && isCutWrite(chip, words)) return bad('protection', fail('BF-TARGET-OPTIONS-CUT'));
  if (rdp !== 0) return bad('protection', fail('BF-TARGET-RDP1'));
  const text = 'none (RDP level 0)';
  if (chip === undefined) return good('protection', text);
  const known = chip.flashKiB.includes(flashKiB) ? flashKiB : 0;
  const { how, sectors } = sectorProtection(chip, known, words);
  if (sectors.length === 0) return good('protection', text);
  if (how === 'code') return bad('protection', fail('BF-TARGET-PCROP', sectorRuns(sectors)));
  const remedy = 'A job that erases them is refused unless the vendor plans it with --lift-write-protection.';
  const what = `RDP level 0; write-protected: ${sectorRuns(sectors)}`;
  return note('protection', what, remedy);
}

function supply(volts: number | undefined): Finding {
  if (volts === undefined) return good('supply', 'this probe does not measure it');
  const text = `${volts.toFixed(2)} V`;
  if (volts < LOWEST_SUPPLY_VOLTS) return bad('supply', fail('BF-TARGET-NO-POWER', text));
  if (volts >= WORD_PROGRAMMING_VOLTS) return good('supply', text);
  const remedy = 'It works, but slowly: below 2.7 V flash is written in smaller pieces. Check the 3.3 V of the board.';
  return note('supply', text, remedy);
}

function notMeasured(volts: number): Finding {
  const text = `${volts.toFixed(2)} V, but the chip answers: the measuring pin of the probe (VTref) is not connected`;
  const remedy = 'Connect VTref (VAPP) to the 3.3 V of the board: without it nobody sees a weak supply.';
  return note('supply', text, remedy);
}

function core(halted: boolean, lockedUp: boolean, rdp: 0 | 1 | 2): Finding {
  if (lockedUp && rdp !== 0) {
    const text = 'locked up: a read-protected chip stops its program when a probe looks at it';
    return note('core', text, 'Switch the board off and on.');
  }
  if (!halted && !lockedUp) return good('core', 'running');
  const text = lockedUp ? 'locked up: there is no program, or it has crashed' : 'halted, by an earlier tool';
  const remedy = lockedUp ? 'Normal for an empty chip.' : 'Switch the board off and on if it should run.';
  return note('core', text, remedy);
}

/** Why a job would restart the program; where protection bars the way, no job is promised. */
function hardToReach(how: Exclude<Reached, 'running'>, rdp: 0 | 1 | 2, barred: boolean): Finding {
  const anew = 'It was stopped for this look, and starts anew now.';
  const open = barred ? anew : `A job works all the same. ${anew}`;
  const locked = 'It was stopped for this look. Switch the board off and on, so that it runs again.';
  return note('core', REACHED_TEXTS[how], rdp === 0 ? open : locked);
}

const REACHED_TEXTS = {
  halted: 'its program sleeps: it answered only when it was halted',
  'under reset': 'its program sleeps or has switched the debug pins off: it answered only under reset (NRST)',
  'by button':
    'its program sleeps or has switched the debug pins off, and NRST is not connected: it answered by the reset button',
} as const satisfies Record<Exclude<Reached, 'running'>, string>;

/** Worth knowing, with what to do about it. */
export function note(what: Finding['what'], text: string, remedy: string): Finding {
  return { what, verdict: 'note', text, remedy, code: undefined };
}

/** As it should be. */
export function good(what: Finding['what'], text: string): Finding {
  return { what, verdict: 'good', text, remedy: undefined, code: undefined };
}

/** What barred the way, as a finding. */
export function bad(what: Finding['what'], error: unknown): Finding {
  const known = asBlindflashError(error);
  const { remedy } = wordingFor(known.code, 'customer');
  return { what, verdict: 'bad', text: tell(known, 'customer'), remedy, code: known.code };
}
