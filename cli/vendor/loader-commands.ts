// The commands around the resident loader (docs/loader.md).
import { command, commandGroup } from '../command.ts';

const MAKE = command({
  name: 'make',
  who: 'vendor',
  summary: 'make the loader of one product: the program that is the same for everybody, and your config',
  options: {
    product: {
      type: 'number',
      describe: 'number of the product, yours to choose',
      example: '7',
      least: 0,
      most: 0xffffffff,
    },
    key: {
      type: 'string',
      list: true,
      describe:
        'a key the loader takes, as keygen tells it, behind what it may do: sessions, files, keys, spare; up to 4',
      example: 'sessions+keys=5f1d…',
    },
    uart: { type: 'number', describe: 'serial port of the chip, 1 to 8', default: 1, least: 1, most: 8 },
    tx: { type: 'string', describe: 'its pin that sends', default: 'PA9' },
    rx: { type: 'string', describe: 'its pin that receives', default: 'PA10' },
    baud: { type: 'number', describe: 'highest bit rate', unit: 'bit/s', default: 921600, least: 115200 },
    listen: {
      type: 'number',
      describe: 'how long every start listens for a knock',
      unit: 'ms',
      default: 0,
      least: 0,
      most: 200,
    },
    strap: { type: 'string', describe: 'a pin and the level at which a start enters the installer', example: 'PB3=1' },
    rtc: {
      type: 'string',
      describe: 'an RTC backup register and the word in it with which the image asks for the installer',
      example: '5=0x600dcafe',
    },
    'debug-pins-off': { type: 'boolean', describe: 'SWD stays off on a locked chip, in the image too' },
    digest: { type: 'boolean', describe: 'hash the image before every start', default: true },
    out: { type: 'string', describe: 'the file to write', default: 'loader.bin' },
  },
  examples: [['$0 loader make --product 7 --key sessions=5f1d… --rtc 5=0x600dcafe', 'a loader the image can ask for']],
  load: async () => (await import('./loader-make.ts')).runLoaderMake,
});

export const LOADER = commandGroup(
  { name: 'loader', who: 'vendor', summary: 'the program in a locked chip that installs what is sealed for it' },
  [MAKE],
);
