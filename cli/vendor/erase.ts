// `blindflash erase`: erase named sectors, or the whole chip.
import type { CommandModule } from 'yargs';
import { compileErase } from '../../controller/plan/compile.ts';
import { VendorTerminal } from './vendor-terminal.ts';
import { fail } from '../../shared/errors/errors.ts';
import { chipNamed, jobFlags, parseSectors, planFlags, planOptions, type JobArguments } from './options.ts';

interface EraseArguments extends JobArguments {
  readonly sectors?: string | undefined;
  readonly all?: boolean | undefined;
}

export const eraseCommand: CommandModule<object, EraseArguments> = {
  command: 'erase',
  describe: 'erase sectors of the chip (vendor)',
  builder: (yargs) =>
    planFlags(jobFlags(yargs))
      .option('sectors', { type: 'string', describe: 'which, such as 0-3,5' })
      .option('all', { type: 'boolean', describe: 'the whole chip' }),
  handler: async (args) => {
    const sectors = args.sectors === undefined ? undefined : parseSectors(args.sectors);
    if ((sectors === undefined) !== (args.all === true)) throw fail('BF-USAGE', 'say --all or name --sectors');
    const chip = chipNamed(args.chip);
    const desk = new VendorTerminal(args);
    try {
      const plan = (job: Uint8Array, flashKiB: number | undefined) =>
        compileErase(chip, { ...planOptions(args, job, flashKiB), ...(sectors === undefined ? {} : { sectors }) });
      await desk.run({ kind: 'erase', image: undefined, chip, plan, fixedSize: args['flash-kib'] !== undefined });
    } finally {
      desk.close();
    }
  },
};
