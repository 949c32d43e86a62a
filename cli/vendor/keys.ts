// `blindflash keys`: a device's loader forgets keys of its vendor.
import { compileKeys } from '../../controller/plan/compile.ts';
import { jobDevice } from '../../controller/registry/job-device.ts';
import { fail } from '../../shared/errors/errors.ts';
import { LOADER_KEYS } from '../../shared/plan/release.ts';
import { chipNamed, parseSectors, planOptions, type JobArguments } from './options.ts';
import { VendorTerminal } from './vendor-terminal.ts';

interface KeysArguments extends JobArguments {
  readonly device?: string | undefined;
  readonly clear?: string | undefined;
}

export async function runKeys(args: KeysArguments): Promise<void> {
  const chip = chipNamed(args.chip);
  const cleared = clearedPlaces(args.clear);
  if (args.device === undefined) throw fail('BF-USAGE', '--device says which one, by first digits of its UID');
  const terminal = new VendorTerminal(args);
  try {
    const device = await jobDevice(terminal.registry, args.device);
    const plan = (job: Uint8Array, flashKiB: number | undefined) =>
      compileKeys(chip, { ...planOptions(args, job, flashKiB), mode: device.mode, cleared });
    const fixedSize = args['flash-kib'] !== undefined;
    await terminal.run({ kind: 'keys', image: undefined, chip, plan, fixedSize, device });
  } finally {
    await terminal.close();
  }
}

/** `2` or `1,3` as places from 0. @throws BF-USAGE */
export function clearedPlaces(text: string | undefined): number[] {
  if (text === undefined) throw fail('BF-USAGE', '--clear says which keys, by their place in `loader make`, from 1');
  const numbers = parseSectors(text);
  if (numbers.some((number) => number < 1 || number > LOADER_KEYS)) {
    throw fail('BF-USAGE', `the keys of a loader are 1 to ${LOADER_KEYS}, not ${text}`);
  }
  return numbers.map((number) => number - 1);
}
