// The vendor's jobs for a chip that has a loader, but for writing and comparing an image (docs/devices.md).
import { PLACE_ORDER } from '../../shared/registry/states.ts';
import { command, type OptionTable } from '../command.ts';
import { JOB_OPTIONS, PLAN_OPTIONS } from './commands.ts';

/** Of jobs that bring no image. */
const DEVICE_JOB_OPTIONS = {
  ...JOB_OPTIONS,
  chip: PLAN_OPTIONS.chip,
  'flash-kib': PLAN_OPTIONS['flash-kib'],
  label: PLAN_OPTIONS.label,
  'idle-limit': PLAN_OPTIONS['idle-limit'],
} as const satisfies OptionTable;

const ENROLL_OPTIONS = {
  place: {
    choices: PLACE_ORDER,
    describe:
      'customer: on a customer’s desk, the key is trusted on first use (lock-then-load); bench: where you trust computer, probe ' +
      'and people now (seeded)',
    example: 'bench',
  },
  by: { type: 'string', describe: 'who does it, for the record; your name on this computer unless given' },
} as const satisfies OptionTable;

export const ENROLL = command({
  name: 'enroll',
  who: 'vendor',
  summary: 'put a device with a loader on record: its keys, and where it is',
  options: {
    ...DEVICE_JOB_OPTIONS,
    place: ENROLL_OPTIONS.place,
    product: { type: 'number', describe: 'the number the loader was made for', example: '7' },
    by: ENROLL_OPTIONS.by,
  },
  examples: [
    ['$0 enroll --place bench --product 7 --relay wss://relay.example.com', 'ends with an entry in `devices`'],
  ],
  load: async () => (await import('./enroll.ts')).runEnroll,
});

export const PLANT = command({
  name: 'plant',
  who: 'vendor',
  summary: 'put a loader on a board for good: write it, lock the chip, put the device on record',
  positionals: { loader: { required: true, describe: 'the file of `loader make`' } },
  options: {
    ...DEVICE_JOB_OPTIONS,
    place: ENROLL_OPTIONS.place,
    by: ENROLL_OPTIONS.by,
  },
  examples: [
    ['$0 plant loader.bin --place bench --relay wss://relay.example.com', 'everything on the board is erased first'],
    ['$0 plant loader.bin --place bench --resume JOB', 'finds out what is done, and goes on there'],
  ],
  load: async () => (await import('./plant.ts')).runPlant,
});

export const KEYS = command({
  name: 'keys',
  who: 'vendor',
  summary: 'have the loader of a device forget keys of yours, for ever',
  options: {
    ...DEVICE_JOB_OPTIONS,
    device: { type: 'string', describe: 'which device, by first digits of its UID', example: '00290041' },
    clear: {
      type: 'string',
      describe:
        'which keys, by their place among the --key of `loader make`, from 1: 2 or 1,3; the key you use must have the role keys ' +
        'and stay',
      example: '1',
    },
  },
  examples: [
    [
      '$0 keys --device 00290041 --clear 1 --home spare',
      'with the keys of the folder spare: what comes by key 1 is taken no more',
    ],
  ],
  load: async () => (await import('./keys.ts')).runKeys,
});
