// `blindflash verify IMAGE`: compare the chip with an image, changing nothing.
import { compileVerify } from '../../controller/plan/compile.ts';
import { jobDevice } from '../../controller/registry/job-device.ts';
import { claimed } from './flash.ts';
import { VendorTerminal } from './vendor-terminal.ts';
import { chipNamed, loadImage, planOptions } from './options.ts';
import type { ImageArguments, JobArguments } from './options.ts';

interface VerifyArguments extends JobArguments, ImageArguments {
  readonly where?: boolean | undefined;
  /** First digits of the UID of a device with a loader. */
  readonly device?: string | undefined;
}

export async function runVerify(args: VerifyArguments): Promise<void> {
  const chip = chipNamed(args.chip);
  const image = await loadImage(args, chip);
  const terminal = new VendorTerminal(args);
  try {
    const device = args.device === undefined ? undefined : await jobDevice(terminal.registry, args.device);
    const whole = device === undefined ? args : { ...args, mode: claimed(device, args.mode) };
    const release = device === undefined ? undefined : { product: device.product, version: 0, floor: 0 };
    const plan = (job: Uint8Array, flashKiB: number | undefined) =>
      compileVerify(image, chip, { ...planOptions(whole, job, flashKiB), where: args.where, release });
    await terminal.run({
      kind: 'verify',
      image,
      chip,
      plan,
      fixedSize: args['flash-kib'] !== undefined,
      device,
      where: args.where === true,
    });
  } finally {
    await terminal.close();
  }
}
