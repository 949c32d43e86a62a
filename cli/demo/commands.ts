// The command that shows everything at once.
import { command } from '../command.ts';

export const DEMO = command({
  name: 'demo',
  who: 'anyone',
  summary: 'show the whole job on this machine, with a virtual board',
  positionals: { image: { describe: 'image to flash; the example bootloader unless given' } },
  options: {
    base: { type: 'string', describe: 'address of a plain binary, such as 0x08000000', example: '0x08000000' },
    'chip-state': {
      choices: ['open', 'rdp1'],
      default: 'open',
      describe: 'rdp1: a board that is locked and write-protected is refused, unlocked and flashed',
    },
    mode: {
      choices: ['host-blind', 'seeded'],
      default: 'host-blind',
      describe:
        'seeded: a loader is planted and enrolled, an image goes to that device alone, two thieves get nothing, a file is installed without the vendor',
    },
  },
  load: async () => (await import('./demo.ts')).runDemo,
});
