// `blindflash loader make`: the loader of one product, as a file to be planted, and the lines the image's linker needs.
import { readFile, writeFile } from 'node:fs/promises';
import { assembleLoader, LOADER_MAP } from '../../controller/loader/config.ts';
import { bundledLoader } from '../../controller/service/bundled-loader.ts';
import { CHIPS, requireLoader, type Chip } from '../../shared/chips/index.ts';
import { fail } from '../../shared/errors/errors.ts';
import { print, printJson } from '../terminal/output.ts';
import { readConfigFile } from './loader-config-file.ts';
import { configFrom, type ConfigValues } from './loader-values.ts';
import { chipMarked } from './options.ts';

interface LoaderArguments extends ConfigValues {
  readonly config?: string | undefined;
  readonly out: string;
  readonly json?: boolean | undefined;
}

const USUAL_CHIP = 'stm32f427';
/** KiB of flash by the letter of the marking. */
const FLASH_LETTERS: Readonly<Record<string, number>> = { E: 512, G: 1024, I: 2048 };
/** Place of that letter in STM32F427ZI. */
const FLASH_LETTER_AT = 10;

/** What is given: an option wins over the entry of the file. */
async function valuesOf(args: LoaderArguments): Promise<ConfigValues> {
  const given = Object.fromEntries(Object.entries(args).filter(([, value]) => value !== undefined));
  return { ...(args.config === undefined ? {} : await fromFile(args.config)), ...given };
}

async function fromFile(path: string): Promise<ConfigValues> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw fail('BF-USAGE-FILE', path, error);
  }
  return readConfigFile(text, path);
}

/** @throws BF-USAGE for a marking nobody knows, BF-TARGET-NO-LOADER for a chip that lacks what a loader needs */
function loaderChip(marking: string): Chip {
  const chip = chipMarked(marking);
  if (chip !== undefined) return chip;
  const known = CHIPS.flatMap(({ parts, loader }) => (loader === undefined ? [] : parts));
  throw fail('BF-USAGE', `--chip ${marking}: there are loaders for ${known.join(', ').toLowerCase()}`);
}

interface MadeLoader {
  readonly file: string;
  readonly bytes: number;
  readonly chip: string;
  readonly product: number;
  readonly loaderHash: string;
}

export async function runLoaderMake(args: LoaderArguments): Promise<void> {
  const values = await valuesOf(args);
  tell(args, values.chip ?? USUAL_CHIP, await write(args.out, values));
}

/**
 * Writes the file.
 * @throws BF-USAGE for options that make no loader, BF-USAGE-CONFIG for such a config file, BF-USAGE-FILE when a file
 * cannot be read or written, BF-TARGET-NO-LOADER
 */
export async function makeLoader(args: LoaderArguments): Promise<MadeLoader> {
  return write(args.out, await valuesOf(args));
}

async function write(out: string, values: ConfigValues): Promise<MadeLoader> {
  const chip = loaderChip(values.chip ?? USUAL_CHIP);
  const target = requireLoader(chip);
  const config = configFrom(values);
  const prebuilt = bundledLoader(target);
  const bytes = assembleLoader(prebuilt.image, config, target);
  try {
    await writeFile(out, bytes);
  } catch (error) {
    throw fail('BF-USAGE-FILE', out, error);
  }
  const { length } = bytes;
  return { file: out, bytes: length, chip: chip.name, product: config.product, loaderHash: prebuilt.sha512 };
}

/** KiB of flash as the marking says, else the most there are. */
function flashKiBOf(marking: string): number {
  const letter = marking.toUpperCase()[FLASH_LETTER_AT] ?? '';
  return FLASH_LETTERS[letter] ?? loaderChip(marking).flashKiB[0] ?? 0;
}

function tell(args: LoaderArguments, marking: string, made: MadeLoader): void {
  if (args.json === true) return printJson({ event: 'loader', ...made, imageStart: LOADER_MAP.image });
  const image = `0x${LOADER_MAP.image.toString(16).padStart(8, '0')}`;
  const flashKiB = flashKiBOf(marking);
  print(
    `Loader for ${made.chip} written to ${made.file}, ${made.bytes} bytes; it goes to 0x08000000.`,
    `loader hash  ${made.loaderHash}`,
    `For the linker script of the image (of a part with ${flashKiB} KB of flash):`,
    `  FLASH (rx) : ORIGIN = ${image}, LENGTH = ${flashKiB}K - 64K`,
    'and in its start code:',
    `  SCB->VTOR = ${image};`,
  );
}
