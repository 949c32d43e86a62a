// `blindflash verify IMAGE`: compare the chip with an image, changing nothing.
import { compileVerify } from '../../controller/plan/compile.ts';
import { VendorTerminal } from './vendor-terminal.ts';
import { chipNamed, loadImage, planOptions } from './options.ts';
import type { ImageArguments, JobArguments } from './options.ts';

interface VerifyArguments extends JobArguments, ImageArguments {
  readonly where?: boolean | undefined;
}

export async function runVerify(args: VerifyArguments): Promise<void> {
  const chip = chipNamed(args.chip);
  const image = await loadImage(args, chip);
  const terminal = new VendorTerminal(args);
  try {
    const plan = (job: Uint8Array, flashKiB: number | undefined) =>
      compileVerify(image, chip, { ...planOptions(args, job, flashKiB), where: args.where });
    await terminal.run({
      kind: 'verify',
      image,
      chip,
      plan,
      fixedSize: args['flash-kib'] !== undefined,
      where: args.where === true,
    });
  } finally {
    await terminal.close();
  }
}
