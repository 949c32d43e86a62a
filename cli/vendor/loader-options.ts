// The options of `loader make` that make up the config (docs/loader.md, "Config"); the entries of a config file have
// these names and values, too.
import type { OptionTable } from '../command.ts';

export const CONFIG_OPTIONS = {
  chip: { type: 'string', describe: 'type of the chip; stm32f427 unless given', example: 'stm32f407vg' },
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
  uart: { type: 'number', describe: 'serial port of the chip; 1 unless given', least: 1, most: 8 },
  tx: { type: 'string', describe: 'its pin that sends; PA9 unless given', example: 'PB6' },
  rx: { type: 'string', describe: 'its pin that receives; PA10 unless given', example: 'PB7' },
  baud: {
    type: 'number',
    describe: 'highest bit rate; 921600 unless given',
    unit: 'bit/s',
    least: 115200,
    most: 10_000_000,
  },
  listen: {
    type: 'number',
    describe: 'how long every start listens for a knock; not at all unless given',
    unit: 'ms',
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
  digest: { type: 'boolean', describe: 'hash the image before every start; it is unless --no-digest is given' },
} as const satisfies OptionTable;
