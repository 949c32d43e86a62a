// `blindflash flash IMAGE`: write an image to the chip on the customer's desk.
import type { CommandModule } from 'yargs';
import { compileFlash } from '../../controller/plan/compile.ts';
import { VendorTerminal } from './vendor-terminal.ts';
import { imageFlags, jobFlags, planFlags, type ImageArguments, type JobArguments } from './options.ts';
import { chipNamed, loadImage, parseAddress, planOptions } from './options.ts';
import type { Image } from '../../controller/image/image.ts';
import type { Chip } from '../../shared/chips/index.ts';
import type { Plan } from '../../shared/plan/plan.ts';

export interface FlashArguments extends JobArguments, ImageArguments {
  readonly lock?: 'none' | 'rdp1' | undefined;
  readonly boot?: string | undefined;
  readonly delta?: boolean | undefined;
}

export const LOCK_FLAG = {
  choices: ['none', 'rdp1'] as const,
  default: 'none' as const,
  describe: 'rdp1: read protection once the image is verified',
};
export const BOOT_FLAG = {
  type: 'string',
  describe: 'address of the boot words; found by itself unless given',
} as const;

export const DELTA_FLAG = {
  type: 'boolean',
  default: false,
  describe:
    'leave alone sectors that hold the right content already; relay and laptop then see which, and whoever can write the ' +
    'board beforehand can test guesses about a sector',
} as const;

export const flashCommand: CommandModule<object, FlashArguments> = {
  command: 'flash <image>',
  describe: 'write an image to the chip on the customer’s desk (vendor)',
  builder: (yargs) =>
    imageFlags(planFlags(jobFlags(yargs)))
      .option('lock', LOCK_FLAG)
      .option('boot', BOOT_FLAG)
      .option('delta', DELTA_FLAG)
      .example('$0 flash firmware.elf --relay wss://relay.example.com', 'makes an invite, waits, writes, verifies')
      .example('$0 flash firmware.elf --resume JOB', 'goes on with an interrupted job'),
  handler: async (args) => {
    const image = await loadImage(args);
    const chip = chipNamed(args.chip);
    const desk = new VendorTerminal(args);
    try {
      const plan = (job: Uint8Array, flashKiB: number | undefined) => flashPlan(args, image, chip, job, flashKiB);
      const fixedSize = args['flash-kib'] !== undefined;
      await desk.run({ kind: 'flash', image, chip, plan, fixedSize, delta: args.delta === true });
    } finally {
      desk.close();
    }
  },
};

/** The plan these arguments ask for. */
export function flashPlan(
  args: FlashArguments,
  image: Image,
  chip: Chip,
  job: Uint8Array,
  flashKiB: number | undefined,
): Plan {
  return compileFlash(image, chip, {
    ...planOptions(args, job, flashKiB),
    lock: args.lock === 'rdp1' ? 'level 1' : 'none',
    boot: args.boot === undefined ? undefined : parseAddress(args.boot, 'BF-USAGE'),
    delta: args.delta,
  });
}
