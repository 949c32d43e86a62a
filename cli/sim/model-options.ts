// Options for what only silicon can answer: how read protection and the probe's firmware behave where no document tells
// (docs/reference/stm32f4.md §5.5, docs/reference/stlink.md §9). Each is one row; its default is the model's, but for
// what a row says other programs need.
import type { DEFAULT_SWITCHES as BOARD_DEFAULTS, ModelSwitches } from '../../sim/peripherals/model-switches.ts';
import type { DEFAULT_SWITCHES as PROBE_DEFAULTS, FirmwareSwitches } from '../../sim/stlink/firmware.ts';
import type { OptionRow, OptionTable } from '../command.ts';

/** An option for one switch; the compiler holds `default` against the model's own. */
type SwitchRow<Switches, Defaults extends { readonly [Name in keyof Switches]: unknown }> = {
  [Name in keyof Switches]: {
    readonly switch: Name;
    readonly describe: string;
    readonly default: Defaults[Name];
    /** Values of a switch that is not a yes or no. */
    readonly choices?: readonly (Switches[Name] & string)[];
  };
}[keyof Switches];
type Rows<Switches, Defaults extends { readonly [Name in keyof Switches]: unknown }> = Readonly<
  Record<string, SwitchRow<Switches, Defaults>>
>;

export const PROBE_ROWS: Rows<FirmwareSwitches, Omit<typeof PROBE_DEFAULTS, 'enterOpensAp'> & { enterOpensAp: true }> =
  {
    'enter-halts': { switch: 'enterHalts', default: false, describe: 'entering debug mode halts the core' },
    'enter-opens-ap': {
      switch: 'enterOpensAp',
      // st-flash and st-util never open it and work on such firmware every day; our own tests
      // keep the stricter reading.
      default: true,
      describe: 'entering debug mode opens access port 0; st-flash and st-util never ask for it',
    },
    'exit-clears-debug': {
      switch: 'exitClearsDebug',
      default: false,
      describe: 'leaving debug mode clears C_DEBUGEN',
    },
    'init-ap-sets-debug': {
      switch: 'initApSetsDebug',
      default: false,
      describe: 'opening an access port sets C_DEBUGEN',
    },
    'nrst-wired': {
      switch: 'nrstWired',
      default: true,
      describe: "the probe's reset wire is connected; cables of clones often lack it",
    },
    'start-mode': {
      switch: 'startMode',
      choices: ['usual', 'mass', 'dfu', 'debug'],
      default: 'usual',
      describe: 'mode the probe wakes up in; usual: dfu for a V2, mass for the others',
    },
    'voltage-in-dfu': {
      switch: 'voltageInDfu',
      choices: ['silent', 'answered'],
      default: 'silent',
      describe: 'the question for the supply before DFU mode is left',
    },
    'supply-wired': {
      switch: 'supplyWired',
      default: true,
      describe: "the probe measures the target's supply; without the wire it reads 0.01 V",
    },
    'board-id': {
      switch: 'boardId',
      choices: ['answered', 'hangs'],
      default: 'answered',
      describe: "the question for the board's id; hangs: the probe is mute until it is plugged anew",
    },
    'failed-enter': {
      switch: 'failedEnter',
      choices: ['forgotten', 'lingers'],
      default: 'forgotten',
      describe: 'entering debug mode failed and nobody left it; lingers: mute for whoever opens the probe next',
    },
  };

export const BOARD_ROWS: Rows<ModelSwitches, typeof BOARD_DEFAULTS> = {
  'latch-trip': {
    switch: 'latchTrip',
    choices: ['line-reset', 'power-up-request', 'ap-transaction', 'c-debugen'],
    default: 'ap-transaction',
    describe: 'debug activity that trips the intrusion latch of read protection level 1',
  },
  'latch-on-sram-boot': {
    switch: 'latchOnSramBoot',
    choices: ['until-power-reset', 'until-reset', 'no'],
    default: 'until-power-reset',
    describe: 'whether booting from SRAM trips the latch, and until when',
  },
  'latch-on-system-boot': {
    switch: 'latchOnSystemMemoryBoot',
    default: false,
    describe: 'booting from system memory trips the latch',
  },
  'standby-clears': { switch: 'standbyClears', default: true, describe: 'leaving Standby clears the latch' },
  'rtc-readable-at-rdp1': {
    switch: 'rtcBkpReadableAtL1',
    default: true,
    describe: 'RTC backup registers stay readable at level 1',
  },
  'options-readable-at-rdp1': {
    switch: 'optBytesReadableAtL1',
    default: false,
    describe: 'the option byte area stays readable at level 1',
  },
  'otp-readable-at-rdp1': {
    switch: 'otpReadableAtL1',
    default: false,
    describe: 'the OTP area stays readable at level 1',
  },
  'registers-at-reset': {
    switch: 'registersAtReset',
    choices: ['zero', 'kept'],
    default: 'kept',
    describe: 'r0-r12 after a system reset',
  },
  'cut-options': {
    switch: 'cutOptions',
    choices: ['torn', 'ones', 'dead'],
    default: 'torn',
    describe: 'option bytes after a reset or power cut inside their write; dead: ones for good',
  },
  'rdp-in-force': {
    switch: 'rdpInForce',
    choices: ['from-power-on', 'at-once'],
    default: 'from-power-on',
    describe: 'when read protection level 1 begins',
  },
  'latch-ends': {
    switch: 'latchEnds',
    choices: ['power-reset', 'any-reset'],
    default: 'power-reset',
    describe: 'what ends an intrusion caused by a debugger',
  },
  'identity-at-rdp1': {
    switch: 'identityAtL1',
    choices: ['refused', 'zero', 'readable'],
    default: 'refused',
    describe: 'what a debugger gets of unique id and flash size at level 1',
  },
  'backup-sram-for-debugger-at-rdp1': {
    switch: 'bkpSramReadableByDebuggerAtL1',
    default: false,
    describe: 'a debugger reads backup SRAM at level 1',
  },
  'backup-sram-for-cpu-at-rdp1': {
    switch: 'bkpSramReadableByCpuAtL1',
    default: false,
    describe: 'code reads backup SRAM at level 1 after an intrusion',
  },
  'backup-sram-for-dma-at-rdp1': {
    switch: 'bkpSramReadableByDmaAtL1',
    default: false,
    describe: 'DMA reads backup SRAM at level 1 after an intrusion',
  },
  'dma-reaches-backup-sram': {
    switch: 'dmaReachesBkpSram',
    choices: ['peripheral-port', 'any-port', 'no'],
    default: 'peripheral-port',
    describe: 'which ports of a DMA controller reach backup SRAM',
  },
  'word-before-latch': {
    switch: 'wordBeforeLatch',
    default: false,
    describe: 'the first protected word a debugger reads at level 1 is let through',
  },
  'wrp-survives-regression': {
    switch: 'wrpSurvivesRegression',
    default: false,
    describe: 'write protected sectors survive the erase of leaving level 1',
  },
  'backup-sram-at-power-off': {
    switch: 'bkpSramAtPowerOff',
    choices: ['by-regulator', 'kept', 'lost'],
    default: 'by-regulator',
    describe: 'backup SRAM over a loss of power',
  },
  'reset-flags': {
    switch: 'resetFlags',
    choices: ['true', 'power-too'],
    default: 'true',
    describe: 'flags of a system reset; power-too: also those of a power reset',
  },
  'cut-erase': {
    switch: 'cutErase',
    choices: ['stable', 'weak'],
    default: 'stable',
    describe: 'a sector whose erase was broken off; weak: some bits read differently each time',
  },
  'unaligned-device': {
    switch: 'unalignedDevice',
    choices: ['faults', 'splits'],
    default: 'faults',
    describe: 'an unaligned access to a peripheral',
  },
  'sleeping-core-answers': {
    switch: 'sleepingCoreAnswers',
    default: false,
    describe: 'a debugger reaches a sleeping core although DBG_SLEEP is 0',
  },
};

const GROUP = 'What only silicon can answer:';

/** All of them as options of a command. */
export const MODEL_OPTIONS: OptionTable = Object.fromEntries(
  [...Object.entries(PROBE_ROWS), ...Object.entries(BOARD_ROWS)].map(([name, row]) => [name, asOption(row)]),
);

function asOption(row: (typeof PROBE_ROWS)[string] | (typeof BOARD_ROWS)[string]): OptionRow {
  const { describe, choices, default: preset } = row;
  if (choices !== undefined) return { choices, default: String(preset), describe, group: GROUP };
  return { type: 'boolean', default: preset === true, describe, group: GROUP };
}
