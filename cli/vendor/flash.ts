// `blindflash flash IMAGE`: write an image to the chip on the customer's desk.
import { compileFlash } from '../../controller/plan/compile.ts';
import { VendorTerminal } from './vendor-terminal.ts';
import type { ImageArguments, JobArguments, LiftArguments } from './options.ts';
import { bootChoice, chipNamed, liftFlags, loadImage, planOptions } from './options.ts';
import type { Image } from '../../controller/image/image.ts';
import type { Chip } from '../../shared/chips/index.ts';
import type { Plan } from '../../shared/plan/plan.ts';

export interface FlashArguments extends JobArguments, ImageArguments, LiftArguments {
  readonly lock?: 'none' | 'rdp1' | undefined;
  readonly boot?: string | undefined;
  readonly delta?: boolean | undefined;
  readonly 'always-erase'?: boolean | undefined;
}

export async function runFlash(args: FlashArguments): Promise<void> {
  const chip = chipNamed(args.chip);
  const image = await loadImage(args, chip);
  const terminal = new VendorTerminal(args);
  try {
    const plan = (job: Uint8Array, flashKiB: number | undefined) => flashPlan(args, image, chip, job, flashKiB);
    const fixedSize = args['flash-kib'] !== undefined;
    await terminal.run({ kind: 'flash', image, chip, plan, fixedSize, delta: args.delta === true });
  } finally {
    await terminal.close();
  }
}

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
    boot: bootChoice(args.boot),
    delta: args.delta,
    flags: [...(args['always-erase'] === true ? (['always erase'] as const) : []), ...liftFlags(args)],
  });
}
