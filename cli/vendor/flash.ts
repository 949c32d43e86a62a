// `blindflash flash IMAGE`: write an image to the chip on the customer's desk.
import { compileFlash } from '../../controller/plan/compile.ts';
import { VendorTerminal } from './vendor-terminal.ts';
import type { ImageArguments, JobArguments, LiftArguments, ReleaseArguments } from './options.ts';
import { bootChoice, chipNamed, liftFlags, loadImage, planOptions, versionOf } from './options.ts';
import { jobDevice, type JobDevice } from '../../controller/registry/job-device.ts';
import type { Image } from '../../controller/image/image.ts';
import type { Chip } from '../../shared/chips/index.ts';
import { fail } from '../../shared/errors/errors.ts';
import type { AnyMode } from '../../shared/plan/modes.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import type { Release } from '../../shared/plan/release.ts';

export interface FlashArguments extends JobArguments, ImageArguments, LiftArguments, ReleaseArguments {
  /** First digits of the UID of a device with a loader. */
  readonly device?: string | undefined;
  readonly lock?: 'none' | 'rdp1' | undefined;
  readonly boot?: string | undefined;
  readonly delta?: boolean | undefined;
  readonly 'always-erase'?: boolean | undefined;
}

export async function runFlash(args: FlashArguments): Promise<void> {
  const chip = chipNamed(args.chip);
  const image = await loadImage(args, chip);
  const version = releaseNumbers(args);
  const terminal = new VendorTerminal(args);
  try {
    const device = args.device === undefined ? undefined : await jobDevice(terminal.registry, args.device);
    const whole = device === undefined ? args : { ...args, mode: claimed(device, args.mode) };
    const release = device === undefined || version === undefined ? undefined : { product: device.product, ...version };
    const plan = (job: Uint8Array, flashKiB: number | undefined) =>
      flashPlan(whole, image, chip, job, flashKiB, release);
    const fixedSize = args['flash-kib'] !== undefined;
    await terminal.run({ kind: 'flash', image, chip, plan, fixedSize, device, delta: args.delta === true });
  } finally {
    await terminal.close();
  }
}

/** The mode a job for this device claims; another one is not to be had. @throws BF-JOB-POLICY */
export function claimed({ uid, mode }: JobDevice, asked: AnyMode | undefined): AnyMode {
  if (asked === undefined || asked === mode) return mode;
  throw fail('BF-JOB-POLICY', `by where ${uid} was enrolled its mode is ${mode}`);
}

/** Version and floor, which go with a device and with nothing else. @throws BF-USAGE */
function releaseNumbers(args: FlashArguments): { version: number; floor: number } | undefined {
  if (args.device === undefined) {
    if (args.release === undefined && args.floor === undefined) return undefined;
    throw fail('BF-USAGE', '--release and --floor go with --device');
  }
  const [version, floor] = versionOf(args);
  return { version, floor };
}

/** The plan these arguments ask for. @param release of the device the job is for */
export function flashPlan(
  args: FlashArguments,
  image: Image,
  chip: Chip,
  job: Uint8Array,
  flashKiB: number | undefined,
  release?: Release,
): Plan {
  return compileFlash(image, chip, {
    ...planOptions(args, job, flashKiB),
    lock: args.lock === 'rdp1' ? 'level 1' : 'none',
    boot: bootChoice(args.boot),
    delta: args.delta,
    release,
    flags: [...(args['always-erase'] === true ? (['always erase'] as const) : []), ...liftFlags(args)],
  });
}
