// `blindflash verify IMAGE`: compare the chip with an image, changing nothing.
import type { CommandModule } from 'yargs';
import { compileVerify } from '../../controller/plan/compile.ts';
import { VendorTerminal } from './vendor-terminal.ts';
import { chipNamed, imageFlags, jobFlags, loadImage, planFlags, planOptions } from './options.ts';
import type { ImageArguments, JobArguments } from './options.ts';

export const verifyCommand: CommandModule<object, JobArguments & ImageArguments> = {
  command: 'verify <image>',
  describe: 'compare the chip with an image, changing nothing (vendor)',
  builder: (yargs) => imageFlags(planFlags(jobFlags(yargs))),
  handler: async (args) => {
    const image = await loadImage(args);
    const chip = chipNamed(args.chip);
    const desk = new VendorTerminal(args);
    try {
      const plan = (job: Uint8Array, flashKiB: number | undefined) =>
        compileVerify(image, chip, planOptions(args, job, flashKiB));
      await desk.run({ kind: 'verify', image, chip, plan, fixedSize: args['flash-kib'] !== undefined });
    } finally {
      desk.close();
    }
  },
};
