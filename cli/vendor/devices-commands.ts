// The commands around the vendor's registry of devices (docs/devices.md).
import { DEVICE_STATES, PLACE_ORDER } from '../../shared/registry/states.ts';
import { command, commandGroup, type OptionTable, type PositionalTable } from '../command.ts';
import { KEY_OPTIONS } from './commands.ts';

const { home, keys } = KEY_OPTIONS;
/** Reading needs the public half of the keys alone. */
const READING = { home, keys } as const satisfies OptionTable;
const WRITING = {
  ...KEY_OPTIONS,
  by: { type: 'string', describe: 'who does it, for the record; the name of the user of this computer unless given' },
} as const satisfies OptionTable;
const CHANGING = {
  ...WRITING,
  note: { type: 'string', describe: 'why, for the record; at most 200 characters', example: '"lost in transit"' },
} as const satisfies OptionTable;
const DEVICE = { uid: { required: true, describe: '24 digits' } } as const satisfies PositionalTable;

const LIST = command({
  name: 'list',
  who: 'vendor',
  summary: 'list the devices, and say which have keys that wait for a decision',
  options: {
    ...READING,
    state: { choices: DEVICE_STATES, describe: 'those in this state only' },
    uid: { type: 'string', describe: 'those whose UID begins so', example: '00290041' },
  },
  load: async () => (await import('./devices.ts')).listDevices,
});

const SHOW = command({
  name: 'show',
  who: 'vendor',
  summary: 'show a device: keys, state, where it was enrolled, history',
  positionals: DEVICE,
  options: READING,
  load: async () => (await import('./devices.ts')).showDevice,
});

const RETIRE = command({
  name: 'retire',
  who: 'vendor',
  summary: 'say that a device is out of use',
  positionals: DEVICE,
  options: CHANGING,
  load: async () => (await import('./devices.ts')).changeTo('retired'),
});

const STOLEN = command({
  name: 'stolen',
  who: 'vendor',
  summary: 'say that a device is in somebody else’s hands',
  positionals: DEVICE,
  options: CHANGING,
  load: async () => (await import('./devices.ts')).changeTo('stolen'),
});

const ACTIVATE = command({
  name: 'activate',
  who: 'vendor',
  summary: 'say that a retired or stolen device is in use again',
  positionals: DEVICE,
  options: CHANGING,
  load: async () => (await import('./devices.ts')).changeTo('active'),
});

const ACCEPT = command({
  name: 'accept',
  who: 'vendor',
  summary: 'take a second key of a device for its own from now on, in place of the one before',
  positionals: { ...DEVICE, key: { required: true, describe: 'first digits of the key, at least 8' } },
  options: {
    ...WRITING,
    place: {
      choices: PLACE_ORDER,
      describe:
        'where you know it to have been enrolled, and no better than it was; without provenance unless given, so that ' +
        'no mode rests on it',
    },
  },
  load: async () => (await import('./devices.ts')).acceptKey,
});

const EXPORT = command({
  name: 'export',
  who: 'vendor',
  summary: 'write the registry to a signed file for another computer',
  positionals: { file: { required: true } },
  options: KEY_OPTIONS,
  load: async () => (await import('./devices.ts')).exportDevices,
});

const IMPORT = command({
  name: 'import',
  who: 'vendor',
  summary: 'take the devices of such a file into the registry',
  positionals: { file: { required: true } },
  options: {
    ...WRITING,
    key: { type: 'string', describe: 'receipt key of the other vendor whose file it is, 64 digits' },
  },
  load: async () => (await import('./devices.ts')).importDevices,
});

export const DEVICES = commandGroup({ name: 'devices', who: 'vendor', summary: 'keep the registry of devices' }, [
  LIST,
  SHOW,
  RETIRE,
  STOLEN,
  ACTIVATE,
  ACCEPT,
  EXPORT,
  IMPORT,
]);
