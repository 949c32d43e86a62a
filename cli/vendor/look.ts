// `blindflash info` and `blindflash reset`: jobs that need no image and no stub.
import type { CommandModule } from 'yargs';
import { compileInfo, compileReset } from '../../controller/plan/compile.ts';
import { VendorTerminal } from './vendor-terminal.ts';
import { helloLines } from './job-view.ts';
import { chipNamed, jobFlags, planFlags, planOptions, type JobArguments } from './options.ts';

export const infoCommand = lookCommand('info', compileInfo, 'say what is connected, changing nothing (vendor)');
export const resetCommand = lookCommand('reset', compileReset, 'reset the board (vendor)');

function lookCommand(
  kind: 'info' | 'reset',
  compile: typeof compileInfo,
  describe: string,
): CommandModule<object, JobArguments> {
  return {
    command: kind,
    describe,
    builder: (yargs) => planFlags(jobFlags(yargs)),
    handler: async (args) => {
      const chip = chipNamed(args.chip);
      const desk = new VendorTerminal(args);
      try {
        const plan = (job: Uint8Array) => compile(chip, planOptions(args, job, undefined));
        const { hello } = await desk.run({ kind, image: undefined, chip, plan, fixedSize: true });
        if (kind === 'info' && args.json !== true) process.stdout.write(`${helloLines(hello).join('\n')}\n`);
      } finally {
        desk.close();
      }
    },
  };
}
