// `blindflash unlock` and `blindflash options`: jobs that change option bytes through the agent, and run no stub.
import { compileOptions, compileUnlock } from '../../controller/plan/compile.ts';
import {
  BROWN_OUT_LEVELS,
  OPTCR,
  sectorsOf,
  withOptionBits,
  writeProtectionBits,
  type BrownOutLevel,
  type Chip,
  type OptionWords,
} from '../../shared/chips/index.ts';
import { fail } from '../../shared/errors/errors.ts';
import { NO_OPTIONS, type OptionChange, type Plan } from '../../shared/plan/plan.ts';
import { chipNamed, parseSectors, planOptions, type JobArguments } from './options.ts';
import { VendorTerminal } from './vendor-terminal.ts';

/** What the vendor may ask for; each is a line of the plan. */
export interface OptionsArguments extends JobArguments {
  readonly 'brown-out'?: BrownOutLevel | undefined;
  readonly watchdog?: 'hardware' | 'software' | undefined;
  readonly 'stop-mode'?: 'allowed' | 'reset' | undefined;
  readonly 'standby-mode'?: 'allowed' | 'reset' | undefined;
  readonly protect?: string | undefined;
  readonly unprotect?: string | undefined;
}

/** The lock taken away again, and everything on the chip with it. */
export async function runUnlock(args: JobArguments): Promise<void> {
  const chip = chipNamed(args.chip);
  await run(args, 'unlock', chip, (job) => compileUnlock(chip, planOptions(args, job, undefined)));
}

/** Option bytes as asked for. `info` shows them. @throws BF-USAGE when nothing is asked for */
export async function runOptions(args: OptionsArguments): Promise<void> {
  const chip = chipNamed(args.chip);
  const change = optionChange(args, chip);
  await run(args, 'options', chip, (job) => compileOptions(chip, { ...planOptions(args, job, undefined), change }));
}

async function run(
  args: JobArguments,
  kind: 'unlock' | 'options',
  chip: Chip,
  plan: (job: Uint8Array) => Plan,
): Promise<void> {
  const terminal = new VendorTerminal(args);
  try {
    await terminal.run({ kind, image: undefined, chip, plan, fixedSize: true });
  } finally {
    await terminal.close();
  }
}

/** The bits that were asked for. @throws BF-USAGE */
function optionChange(args: OptionsArguments, chip: Chip): OptionChange {
  const [protect, unprotect] = [sectorsIn(args.protect, chip), sectorsIn(args.unprotect, chip)];
  if (protect.some((sector) => unprotect.includes(sector))) {
    throw fail('BF-USAGE', 'a sector is named by --protect and by --unprotect');
  }
  const level = args['brown-out'];
  const parts: readonly (readonly [mask: OptionWords, value: OptionWords])[] = [
    ...(level === undefined ? [] : [both(OPTCR.brownOut, BROWN_OUT_LEVELS[level].bits)]),
    ...bit(OPTCR.softwareWatchdog, args.watchdog, 'software'),
    ...bit(OPTCR.noResetInStop, args['stop-mode'], 'allowed'),
    ...bit(OPTCR.noResetInStandby, args['standby-mode'], 'allowed'),
    [writeProtectionBits(protect), { optcr: 0, optcr1: 0 }],
    [writeProtectionBits(unprotect), writeProtectionBits(unprotect)],
  ];
  const change = parts.reduce<OptionChange>(
    (all, [mask, value]) => ({
      mask: withOptionBits(all.mask, mask, mask),
      value: withOptionBits(all.value, mask, value),
    }),
    NO_OPTIONS,
  );
  if (change.mask.optcr === 0 && change.mask.optcr1 === 0) {
    throw fail(
      'BF-USAGE',
      'say what to change, such as --brown-out 3 or --protect 0-1; `blindflash info` shows what is set',
    );
  }
  return change;
}

function both(mask: number, value: number): readonly [OptionWords, OptionWords] {
  return [
    { optcr: mask, optcr1: 0 },
    { optcr: value, optcr1: 0 },
  ];
}

function bit<Name extends string>(
  mask: number,
  asked: Name | undefined,
  set: Name,
): (readonly [OptionWords, OptionWords])[] {
  return asked === undefined ? [] : [both(mask, asked === set ? mask : 0)];
}

function sectorsIn(text: string | undefined, chip: Chip): number[] {
  const sectors = text === undefined ? [] : parseSectors(text);
  const known = sectorsOf(chip).map(({ index }) => index);
  const unknown = sectors.find((sector) => !known.includes(sector));
  if (unknown !== undefined) throw fail('BF-USAGE', `${chip.name} has no sector ${unknown}`);
  return sectors;
}
