// The commands of the customer, on whose desk board and probe are.
import { command, type OptionTable } from '../command.ts';
import { RELAY_OPTIONS } from '../terminal/relay-options.ts';

const REACH_OPTIONS = {
  'under-reset': {
    type: 'boolean',
    describe: 'connect under reset at once: for a program that switches the debug pins off; it is restarted',
  },
} as const satisfies OptionTable;

export const AGENT = command({
  name: 'agent',
  who: 'customer',
  summary: 'let the vendor flash the board on this desk; asks for the invite',
  positionals: { words: { list: true, hidden: true } },
  options: {
    probe: {
      type: 'string',
      describe: 'serial number of the ST-LINK, or tcp:HOST:PORT of an stlink-server',
      example: 'tcp:127.0.0.1:7184',
    },
    speed: {
      type: 'number',
      unit: 'kHz',
      describe: 'SWD clock in kHz; lower it when the wires are long',
      example: '950',
    },
    ...REACH_OPTIONS,
    serial: {
      type: 'string',
      describe:
        'a board with a loader: its serial port by name, "probe" for the port in the ST-LINK, or rfc2217:HOST:PORT; no probe is used',
      example: '/dev/ttyACM0',
    },
    'then-serial': {
      type: 'string',
      describe:
        'for a vendor who plants a loader: the serial port of the board, for the second half; the port in the ST-LINK unless given',
      example: '/dev/ttyUSB0',
    },
    'invite-file': { type: 'string', describe: 'file that holds the invite; - reads it from standard input' },
    yes: {
      type: 'string',
      describe: 'agree beforehand, but only to the plan with this hash (all 128 digits); with --vendor',
    },
    vendor: {
      type: 'string',
      describe: 'the fingerprint (20 digits) the vendor has read to you, without which --yes agrees to nothing',
      example: '0123456789abcdef0123',
    },
    'receipt-out': { type: 'string', describe: 'file for your copy of the vendor’s receipt' },
    ...RELAY_OPTIONS,
  },
  examples: [
    ['$0 agent', 'asks for the invite, shows what would be done, asks you, and does it'],
    ['$0 agent --probe tcp:127.0.0.1:7184', 'uses a probe behind an stlink-server'],
  ],
  load: async () => (await import('./agent.ts')).runAgent,
});

export const INSPECT = command({
  name: 'inspect',
  who: 'anyone',
  summary: 'say what an update file says of itself: product, version, chip, size; needs no key',
  positionals: { file: { required: true } },
  examples: [['$0 inspect release-5.bfu', 'shows what it would do to a device it is sealed for']],
  load: async () => (await import('./inspect.ts')).runInspect,
});

export const UPDATE = command({
  name: 'update',
  who: 'customer',
  summary: 'install an update file on the board of this desk; no vendor, no network',
  positionals: { file: { required: true } },
  options: {
    serial: {
      type: 'string',
      describe:
        'the serial port the board’s loader is at: its name, "probe" for the port in the ST-LINK, or rfc2217:HOST:PORT',
      example: '/dev/ttyACM0',
    },
    probe: { type: 'string', describe: 'serial number of the ST-LINK, for --serial probe' },
    yes: {
      type: 'string',
      describe: 'agree beforehand, but only to the file with this header hash (all 128 digits), which inspect shows',
    },
    'record-out': { type: 'string', describe: 'file for a record of what was installed where; signed by nobody' },
  },
  examples: [
    ['$0 update release-5.bfu --serial /dev/ttyACM0', 'shows what would be done, asks you, and does it'],
    ['$0 update release-5.bfu --serial probe', 'at the serial port in the ST-LINK'],
  ],
  load: async () => (await import('./update.ts')).runUpdateCommand,
});

export const DOCTOR = command({
  name: 'doctor',
  who: 'customer',
  summary: 'find out what is wrong with probe, wires or board',
  options: {
    probe: {
      type: 'string',
      describe: 'serial number of the ST-LINK, or tcp:HOST:PORT',
      example: 'tcp:127.0.0.1:7184',
    },
    serial: {
      type: 'string',
      describe:
        'look for a loader at this serial port and at no probe: its name, "probe" for the port in the ST-LINK, or rfc2217:HOST:PORT',
      example: '/dev/ttyACM0',
    },
    ...REACH_OPTIONS,
  },
  load: async () => (await import('./doctor.ts')).runDoctor,
});

export const PROBES = command({
  name: 'probes',
  who: 'customer',
  summary: 'list the ST-LINKs connected here, as --probe takes them',
  examples: [['$0 probes', 'one line for each']],
  load: async () => (await import('./probes.ts')).runProbes,
});
