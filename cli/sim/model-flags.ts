// Flags for what only silicon can answer: how read protection and the probe's firmware behave where no document tells
// (docs/reference/stm32f4.md §5.5, docs/reference/stlink.md §9). Each flag is one row; the defaults stand in the models
// themselves, but for what a row says other programs need.
import type { Argv } from 'yargs';
import { DEFAULT_SWITCHES as BOARD_DEFAULTS } from '../../sim/peripherals/model-switches.ts';
import type { ModelSwitches } from '../../sim/peripherals/model-switches.ts';
import { DEFAULT_SWITCHES as PROBE_DEFAULTS } from '../../sim/stlink/firmware.ts';
import type { FirmwareSwitches } from '../../sim/stlink/firmware.ts';

interface FlagRow<Switches> {
  readonly flag: string;
  readonly name: keyof Switches;
  readonly describe: string;
  /** Values of a flag that is not a yes or no. */
  readonly choices?: readonly string[];
  /** Default here, where it is not the model's. */
  readonly default?: boolean;
}

const PROBE_FLAGS: readonly FlagRow<FirmwareSwitches>[] = [
  { flag: 'enter-halts', name: 'enterHalts', describe: 'entering debug mode halts the core' },
  {
    flag: 'enter-opens-ap',
    name: 'enterOpensAp',
    // st-flash and st-util never open it and work on such firmware every day; our own tests keep the stricter reading.
    describe: 'entering debug mode opens access port 0; st-flash and st-util never ask for it',
    default: true,
  },
  { flag: 'exit-clears-debug', name: 'exitClearsDebug', describe: 'leaving debug mode clears C_DEBUGEN' },
  { flag: 'init-ap-sets-debug', name: 'initApSetsDebug', describe: 'opening an access port sets C_DEBUGEN' },
  { flag: 'start-mode', name: 'startMode', describe: 'mode the probe wakes up in', choices: ['mass', 'dfu', 'debug'] },
];

const BOARD_FLAGS: readonly FlagRow<ModelSwitches>[] = [
  {
    flag: 'latch-trip',
    name: 'latchTrip',
    describe: 'debug activity that trips the intrusion latch of read protection level 1',
    choices: ['line-reset', 'power-up-request', 'ap-transaction', 'c-debugen'],
  },
  {
    flag: 'latch-on-sram-boot',
    name: 'latchOnSramBoot',
    describe: 'whether booting from SRAM trips the latch, and until when',
    choices: ['until-power-reset', 'until-reset', 'no'],
  },
  {
    flag: 'latch-on-system-boot',
    name: 'latchOnSystemMemoryBoot',
    describe: 'booting from system memory trips the latch',
  },
  { flag: 'standby-clears', name: 'standbyClears', describe: 'leaving Standby clears the latch' },
  {
    flag: 'rtc-readable-at-rdp1',
    name: 'rtcBkpReadableAtL1',
    describe: 'RTC backup registers stay readable at level 1',
  },
  {
    flag: 'options-readable-at-rdp1',
    name: 'optBytesReadableAtL1',
    describe: 'the option byte area stays readable at level 1',
  },
  { flag: 'otp-readable-at-rdp1', name: 'otpReadableAtL1', describe: 'the OTP area stays readable at level 1' },
];

const GROUP = 'What only silicon can answer:';

/** Declares all model flags. */
export function addModelFlags<T>(yargs: Argv<T>): Argv<T> {
  addRows(yargs, PROBE_FLAGS, PROBE_DEFAULTS);
  addRows(yargs, BOARD_FLAGS, BOARD_DEFAULTS);
  return yargs;
}

/** The probe's switches as the command line sets them. */
export function probeSwitches(args: Readonly<Record<string, unknown>>): FirmwareSwitches {
  return { ...PROBE_DEFAULTS, ...chosen(PROBE_FLAGS, args) };
}

/** The board's switches as the command line sets them. */
export function boardSwitches(args: Readonly<Record<string, unknown>>): ModelSwitches {
  return { ...BOARD_DEFAULTS, ...chosen(BOARD_FLAGS, args) };
}

function addRows<Switches extends object>(
  yargs: Argv<unknown>,
  rows: readonly FlagRow<Switches>[],
  defaults: Switches,
): void {
  for (const { flag, name, describe, choices, default: here } of rows) {
    const common = { describe, group: GROUP, default: here ?? defaults[name] };
    if (choices === undefined) yargs.option(flag, { ...common, type: 'boolean' });
    else yargs.option(flag, { ...common, choices });
  }
}

/** Flags that were given a value; yargs has checked it against the row's choices. */
function chosen<Switches>(
  rows: readonly FlagRow<Switches>[],
  args: Readonly<Record<string, unknown>>,
): Partial<Switches> {
  const given = rows.filter(({ flag }) => args[flag] !== undefined);
  return Object.fromEntries(given.map(({ flag, name }) => [name, args[flag]])) as Partial<Switches>;
}
