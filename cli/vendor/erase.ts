// `blindflash erase`: erase named sectors, or the whole chip.
import { compileErase } from '../../controller/plan/compile.ts';
import { VendorTerminal } from './vendor-terminal.ts';
import { fail } from '../../shared/errors/errors.ts';
import { chipNamed, liftFlags, parseSectors, planOptions, type JobArguments, type LiftArguments } from './options.ts';

interface EraseArguments extends JobArguments, LiftArguments {
  readonly sectors?: string | undefined;
  readonly all?: boolean | undefined;
}

export async function runErase(args: EraseArguments): Promise<void> {
  const sectors = args.sectors === undefined ? undefined : parseSectors(args.sectors);
  if ((sectors === undefined) !== (args.all === true)) throw fail('BF-USAGE', 'say --all or name --sectors');
  const chip = chipNamed(args.chip);
  const flags = liftFlags(args);
  const terminal = new VendorTerminal(args);
  try {
    const plan = (job: Uint8Array, flashKiB: number | undefined) =>
      compileErase(chip, { ...planOptions(args, job, flashKiB), flags, ...(sectors === undefined ? {} : { sectors }) });
    await terminal.run({ kind: 'erase', image: undefined, chip, plan, fixedSize: args['flash-kib'] !== undefined });
  } finally {
    await terminal.close();
  }
}
