// `blindflash enroll`: puts a device with a loader on record.
import { compileEnroll } from '../../controller/plan/compile.ts';
import { fail } from '../../shared/errors/errors.ts';
import { PLACES, type Place } from '../../shared/registry/states.ts';
import { whoIs, type WritingArguments } from './devices.ts';
import { chipNamed, planOptions, type JobArguments } from './options.ts';
import { VendorTerminal } from './vendor-terminal.ts';

interface EnrollArguments extends JobArguments, WritingArguments {
  readonly product?: number | undefined;
  readonly place?: Place | undefined;
}

export async function runEnroll(args: EnrollArguments): Promise<void> {
  const { product, place } = args;
  if (place === undefined) throw fail('BF-USAGE', '--place says where the device is: customer or bench');
  if (product === undefined || !Number.isInteger(product) || product < 1 || product > 0xffffffff) {
    throw fail('BF-USAGE', '--product is the number the loader was made for, from 1');
  }
  const chip = chipNamed(args.chip);
  const by = whoIs(args);
  const release = { product, version: 0, floor: 0 };
  const terminal = new VendorTerminal(args);
  try {
    const plan = (job: Uint8Array, flashKiB: number | undefined) =>
      compileEnroll(chip, { ...planOptions(args, job, flashKiB), mode: PLACES[place].mode, release });
    await terminal.run({
      kind: 'enroll',
      image: undefined,
      chip,
      plan,
      fixedSize: args['flash-kib'] !== undefined,
      enrol: (facts) => terminal.registry.enrol(facts, by),
    });
  } finally {
    await terminal.close();
  }
}
