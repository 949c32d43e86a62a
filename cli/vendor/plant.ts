// `blindflash plant LOADER`: a loader for life: written, locked, and its device put on record.
import { compileEnroll, compilePlant } from '../../controller/plan/compile.ts';
import { readLoader } from '../../controller/loader/read-loader.ts';
import { trustedPrograms } from '../../controller/service/trusted-programs.ts';
import { fail } from '../../shared/errors/errors.ts';
import { PLACES, type Place } from '../../shared/registry/states.ts';
import { whoIs, type WritingArguments } from './devices.ts';
import { chipNamed, loadImage, planOptions, type JobArguments } from './options.ts';
import { VendorTerminal } from './vendor-terminal.ts';

interface PlantArguments extends JobArguments, WritingArguments {
  readonly loader: string;
  readonly place?: Place | undefined;
}

export async function runPlant(args: PlantArguments): Promise<void> {
  const { place } = args;
  if (place === undefined) throw fail('BF-USAGE', '--place says where the board is: customer or bench');
  const chip = chipNamed(args.chip);
  const image = await loadImage({ image: [args.loader], base: '0x08000000' }, chip);
  const loader = readLoader(image);
  const by = whoIs(args);
  const release = { product: loader.product, version: 0, floor: 0 };
  const { mode } = PLACES[place];
  const fixedSize = args['flash-kib'] !== undefined;
  const terminal = new VendorTerminal(args);
  try {
    await terminal.plant(loader, trustedPrograms(chip, 'loader'), {
      planting: {
        kind: 'flash',
        image,
        chip,
        plan: (job, flashKiB) => compilePlant(image, chip, planOptions(args, job, flashKiB)),
        fixedSize,
      },
      enrolment: {
        kind: 'enroll',
        image: undefined,
        chip,
        plan: (job, flashKiB) => compileEnroll(chip, { ...planOptions(args, job, flashKiB), mode, release }),
        fixedSize,
        enrol: (facts) => terminal.registry.enrol(facts, by),
      },
    });
  } finally {
    await terminal.close();
  }
}
