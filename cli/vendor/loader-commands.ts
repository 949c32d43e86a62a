// The commands around the resident loader (docs/loader.md).
import { command, commandGroup } from '../command.ts';
import { CONFIG_OPTIONS } from './loader-options.ts';

const MAKE = command({
  name: 'make',
  who: 'vendor',
  summary: 'make the loader of one product: the program that is the same for everybody, and your config',
  options: {
    ...CONFIG_OPTIONS,
    config: {
      type: 'string',
      describe: 'a YAML file with entries of the names above; an option wins over its entry',
      example: 'loader.yaml',
    },
    out: { type: 'string', describe: 'the file to write', default: 'loader.bin' },
  },
  examples: [
    ['$0 loader make --config loader.yaml --chip stm32f407vg', 'all but the chip from a file'],
    ['$0 loader make --product 7 --key sessions=5f1d… --rtc 5=0x600dcafe', 'a loader the image can ask for'],
  ],
  load: async () => (await import('./loader-make.ts')).runLoaderMake,
});

export const LOADER = commandGroup(
  { name: 'loader', who: 'vendor', summary: 'the program in a locked chip that installs what is sealed for it' },
  [MAKE],
);
