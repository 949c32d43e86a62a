// Options the vendor's commands share, and how their values are read.
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ImageFormat } from '../../controller/image/detect.ts';
import { readImages, type ImageFile, type LoadedImage } from '../../controller/image/image.ts';
import { parseSkip } from '../../controller/image/regions.ts';
import type { BootChoice } from '../../controller/plan/boot.ts';
import type { PlanOptions } from '../../controller/plan/compile.ts';
import type { VendorArguments } from './vendor-terminal.ts';
import { CHIPS, type Chip } from '../../shared/chips/index.ts';
import { fail } from '../../shared/errors/errors.ts';
import type { PlanFlag } from '../../shared/plan/plan.ts';
import type { AnyMode } from '../../shared/plan/modes.ts';

export interface PlanArguments {
  readonly chip: string;
  readonly 'flash-kib'?: number | undefined;
  readonly label?: string | undefined;
  readonly 'idle-limit'?: number | undefined;
  readonly mode?: AnyMode | undefined;
  readonly 'minimum-mode'?: AnyMode | undefined;
  readonly halt?: boolean | undefined;
}

/** Of the commands that erase. */
export interface LiftArguments {
  readonly 'lift-write-protection'?: boolean | undefined;
  readonly 'keep-lifted'?: boolean | undefined;
}

export interface ImageArguments {
  /** Paths; a plain binary may have its address behind it, as FILE@0x08000000. */
  readonly image: readonly string[];
  readonly base?: string | undefined;
  readonly format?: ImageFormat | undefined;
  readonly skip?: string | undefined;
}

/** Which version a device gets, and the least it takes afterwards. */
export interface ReleaseArguments {
  readonly release?: number | undefined;
  readonly floor?: number | undefined;
}

/** Arguments of a command that runs a job. */
export type JobArguments = VendorArguments & PlanArguments;

/** The chip with this marking, one without stub or loader included. */
export function chipMarked(name: string): Chip | undefined {
  const wanted = name.toUpperCase();
  return CHIPS.find(({ parts }) => parts.some((part) => isPart(wanted, part)));
}

/** The chip with this marking that has a stub. @throws BF-USAGE naming those there are. */
export function chipNamed(name: string): Chip {
  const chip = chipMarked(name);
  if (chip?.stub !== undefined) return chip;
  const known = CHIPS.flatMap(({ parts, stub }) => (stub === undefined ? [] : parts));
  throw fail('BF-USAGE', `${name} is not one of ${known.join(', ').toLowerCase()}`);
}

/** True if `marking` begins as `part` does, whose x stands for the letter of the package. */
function isPart(marking: string, part: string): boolean {
  return [...part].every((letter, at) => (letter === 'x' ? at < marking.length : letter === marking[at]));
}

/** Options of a plan as the compiler takes them. */
export function planOptions(args: PlanArguments, job: Uint8Array, flashKiB: number | undefined): PlanOptions {
  const idle = args['idle-limit'];
  return {
    job,
    flashKiB: args['flash-kib'] ?? flashKiB,
    label: args.label,
    idleLimitMs: idle === undefined ? undefined : Math.round(idle * 1000),
    mode: args.mode,
    minimumMode: args['minimum-mode'],
    finalAction: args.halt === undefined ? undefined : args.halt ? 'halt' : 'run',
  };
}

/** What the plan asks for beside its kind. @throws BF-USAGE */
export function liftFlags(args: LiftArguments): PlanFlag[] {
  const [lift, keep] = [args['lift-write-protection'] === true, args['keep-lifted'] === true];
  if (keep && !lift) throw fail('BF-USAGE', '--keep-lifted goes with --lift-write-protection');
  return [...(lift ? (['lift write protection'] as const) : []), ...(keep ? (['keep lifted'] as const) : [])];
}

/** Reads the image, of one file or of several. @throws BF-IMAGE-* */
export async function loadImage(args: ImageArguments, chip: Chip): Promise<LoadedImage> {
  const { image: paths, base, format, skip } = args;
  if (paths.length > 1 && (base !== undefined || format !== undefined)) {
    throw fail(
      'BF-USAGE',
      '--base and --format are for one file; of several, a plain binary is given as FILE@0x08000000',
    );
  }
  const files: ImageFile[] = [];
  for (const path of paths) files.push(await readImageFile(path, format, base));
  return readImages(files, skip === undefined ? [] : parseSkip(skip, chip));
}

async function readImageFile(
  given: string,
  format: ImageFormat | undefined,
  baseText: string | undefined,
): Promise<ImageFile> {
  const [, path = given, address] = /^(.+)@(0x[0-9a-f]+)$/i.exec(given) ?? [];
  const bytes = await readFile(path).catch((error: unknown) => {
    throw fail('BF-IMAGE-READ', path, error);
  });
  const text = address ?? baseText;
  const base = text === undefined ? undefined : parseAddress(text, 'BF-IMAGE-ADDRESS');
  return { name: basename(path), bytes: new Uint8Array(bytes), format, base };
}

/** Version and floor. @throws BF-USAGE */
export function versionOf({ release, floor = release }: ReleaseArguments): [version: number, floor: number] {
  const isNumber = (value: unknown): value is number => Number.isInteger(value) && Number(value) >= 0;
  if (!isNumber(release) || release > 0xffffffff) throw fail('BF-USAGE', '--release is a whole number from 0');
  if (!isNumber(floor) || floor > release) throw fail('BF-USAGE', '--floor is a whole number from 0 to --release');
  return [release, floor];
}

/** What --boot says. @throws BF-USAGE */
export function bootChoice(text: string | undefined): BootChoice {
  if (text === undefined) return 'found';
  return text === 'none' ? 'none' : parseAddress(text, 'BF-USAGE');
}

/** `0x08000000` or decimal digits. */
export function parseAddress(text: string, code: 'BF-IMAGE-ADDRESS' | 'BF-USAGE'): number {
  const value = /^(0x[0-9a-f]{1,8}|[0-9]{1,10})$/i.test(text) ? Number(text) : Number.NaN;
  if (!(value <= 0xffffffff)) throw fail(code, text);
  return value;
}

/** `0-3,5` as ascending sector numbers. @throws BF-USAGE */
export function parseSectors(text: string): number[] {
  const sectors = text.split(',').flatMap((part) => {
    const match = /^\s*(\d{1,2})(?:-(\d{1,2}))?\s*$/.exec(part);
    const [first, last] = [Number(match?.[1] ?? Number.NaN), Number(match?.[2] ?? match?.[1])];
    if (!(first <= last && last < 32)) throw fail('BF-USAGE', `sectors are given as 0-3,5, not ${text}`);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
  return [...new Set(sectors)].sort((a, b) => a - b);
}
