// The models' switches as the command line sets them (cli/sim/model-options.ts).
import { DEFAULT_SWITCHES as BOARD_DEFAULTS } from '../../sim/peripherals/model-switches.ts';
import type { ModelSwitches } from '../../sim/peripherals/model-switches.ts';
import { DEFAULT_SWITCHES as PROBE_DEFAULTS } from '../../sim/stlink/firmware.ts';
import type { FirmwareSwitches } from '../../sim/stlink/firmware.ts';
import { BOARD_ROWS, PROBE_ROWS } from './model-options.ts';

/** The probe's switches. */
export function probeSwitches(args: Readonly<Record<string, unknown>>): FirmwareSwitches {
  return { ...PROBE_DEFAULTS, ...chosen<FirmwareSwitches>(PROBE_ROWS, args) };
}

/** The board's switches. */
export function boardSwitches(args: Readonly<Record<string, unknown>>): ModelSwitches {
  return { ...BOARD_DEFAULTS, ...chosen<ModelSwitches>(BOARD_ROWS, args) };
}

/** Switches that were given a value; yargs has checked it against the row's choices. */
function chosen<Switches>(
  rows: Readonly<Record<string, { readonly switch: keyof Switches }>>,
  args: Readonly<Record<string, unknown>>,
): Partial<Switches> {
  const given = Object.entries(rows).filter(([option]) => args[option] !== undefined);
  return Object.fromEntries(given.map(([option, row]) => [row.switch, args[option]])) as Partial<Switches>;
}
