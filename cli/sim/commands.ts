// The command of developers: a virtual probe and board.
import { command, type OptionTable } from '../command.ts';
import type { ChipName } from '../../sim/chips/stm32f4.ts';
import type { BootMode } from '../../sim/peripherals/syscfg.ts';
import type { UsartName } from '../../sim/peripherals/usart-table.ts';
import type { FlashTiming } from '../../sim/peripherals/flash-timing.ts';
import type { ProbeTiming } from '../../sim/stlink/cost.ts';
import type { IdentityName } from '../../sim/stlink/identity.ts';
import { CONTROL_LINES } from './board-control.ts';
import { MODEL_OPTIONS } from './model-options.ts';

const GROUP = 'The board and its probe:';

/** The keys of a table that the compiler holds against a union: one for each of its members. */
const namesOf = <Name extends string>(table: Readonly<Record<Name, true>>) => Object.keys(table) as Name[];

const PROBES = namesOf<IdentityName>({ v2: true, 'v2-1': true, v3: true });
const BOARDS = namesOf<ChipName>({
  stm32f427: true,
  stm32f427xg: true,
  stm32f429: true,
  stm32f429xg: true,
  stm32f439: true,
  stm32f405: true,
  stm32f407: true,
  stm32f446: true,
  stm32f469: true,
  stm32f411: true,
  stm32f401: true,
  stm32f401xc: true,
});

const BOOTS = namesOf<BootMode>({ flash: true, system: true, sram: true });

const BOARD_OPTIONS = {
  tcp: {
    type: 'number',
    default: 7184,
    least: 0,
    most: 0xffff,
    describe: 'port on 127.0.0.1; 0 takes any free one',
    group: GROUP,
  },
  flash: { type: 'string', describe: 'file that keeps flash and option bytes; made when missing', group: GROUP },
  stlink: { choices: PROBES, default: 'v2', describe: 'which probe to be', group: GROUP },
  board: { choices: BOARDS, default: 'stm32f427', describe: 'which chip is on the board', group: GROUP },
  rdp: { choices: [0, 1, 2], describe: 'read protection level at start', group: GROUP },
  boot: {
    choices: BOOTS,
    default: BOOTS[0]!,
    describe: 'what the boot pins are strapped to',
    group: GROUP,
  },
  optcr: {
    type: 'string',
    describe: 'option bytes at start, as FLASH_OPTCR shows them: eight hex digits',
    group: GROUP,
  },
  optcr1: { type: 'string', describe: 'write protection of sectors 12-23, as FLASH_OPTCR1 shows it', group: GROUP },
  'nrst-rise': {
    type: 'number',
    default: 0,
    least: 0,
    most: 1000,
    describe: 'how long the reset line takes to rise once nobody pulls it, ms',
    group: GROUP,
  },
  'flash-timing': {
    choices: namesOf<FlashTiming>({ typ: true, max: true, f429: true, f439: true }),
    default: 'typ',
    describe: "how long flash takes: the data sheet's typical or longest, or as one part was seen to",
    group: GROUP,
  },
  'probe-timing': {
    choices: namesOf<ProbeTiming>({ usual: true, 'v3-seen': true, 'v3-slow': true, clone: true, 'slow-host': true }),
    default: 'usual',
    describe: 'what an exchange with the probe takes',
    group: GROUP,
  },
  'probe-serial': {
    type: 'string',
    describe: "the probe's serial number; clones share one, or have none",
    group: GROUP,
  },
  serial: {
    type: 'string',
    describe:
      'connects a serial port of the chip: tcp:PORT (raw bytes), rfc2217:PORT (the client sets the bit rate), pty',
    example: 'rfc2217:7200',
    group: GROUP,
  },
  'serial-unit': {
    choices: namesOf<UsartName>({
      USART1: true,
      USART2: true,
      USART3: true,
      UART4: true,
      UART5: true,
      USART6: true,
      UART7: true,
      UART8: true,
    }),
    default: 'USART1',
    describe: 'which serial port --serial connects, at the pins it has on most boards',
    group: GROUP,
  },
  baud: {
    type: 'number',
    default: 115_200,
    least: 300,
    most: 11_250_000,
    describe: 'bit rate at the far end of --serial, until its program sets another',
    group: GROUP,
  },
  'serial-noise': {
    type: 'number',
    default: 0,
    least: 0,
    most: 100_000,
    describe: 'pulses a second on the wire to the chip',
    group: GROUP,
  },
  hsi: { type: 'number', default: 0, least: -8, most: 5, describe: "error of the chip's HSI, percent", group: GROUP },
  seed: {
    type: 'number',
    default: 1,
    describe: "seed of the board's chance: unique id, RNG, RAM noise",
    group: GROUP,
  },
  uid: {
    type: 'string',
    describe: 'unique id of the chip, 24 hex digits; by the seed unless given',
    example: '0a0021001437313330343937',
    group: GROUP,
  },
  strict: { type: 'boolean', default: false, describe: 'answer program errors with bus errors', group: GROUP },
  uart: { type: 'boolean', default: false, describe: "print the board's USART1 output", group: GROUP },
  capture: { type: 'string', describe: 'file to append all USB and SWD traffic to, as raw bytes', group: GROUP },
  'usb-socket': {
    type: 'string',
    describe: 'unix socket for the bridge that shows the probe to libusb',
    group: GROUP,
  },
  json: { type: 'boolean', default: false, describe: 'one JSON object per line', group: GROUP },
} as const satisfies OptionTable;

export const SIM = command({
  name: 'sim',
  who: 'developer',
  summary: 'run a virtual ST-LINK with a virtual STM32F427',
  options: { ...BOARD_OPTIONS, ...MODEL_OPTIONS },
  epilogue: `Lines on standard input act on the board:\n${CONTROL_LINES.map((line) => `  ${line}`).join('\n')}`,
  load: async () => (await import('./sim.ts')).runSim,
});
