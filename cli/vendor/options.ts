// Options the vendor's commands share, and how their values are read.
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Argv } from 'yargs';
import { FORMATS, type ImageFormat } from '../../controller/image/detect.ts';
import { readImage, type Image } from '../../controller/image/image.ts';
import type { PlanOptions } from '../../controller/plan/compile.ts';
import type { VendorArguments } from './vendor-terminal.ts';
import { CHIPS, type Chip } from '../../shared/chips/index.ts';
import { fail } from '../../shared/errors/errors.ts';
import { MODE_ORDER, type AnyMode } from '../../shared/plan/trust.ts';

export interface PlanArguments {
  readonly chip?: string | undefined;
  readonly 'flash-kib'?: number | undefined;
  readonly label?: string | undefined;
  readonly 'idle-limit'?: number | undefined;
  readonly mode?: AnyMode | undefined;
  readonly 'minimum-mode'?: AnyMode | undefined;
  readonly halt?: boolean | undefined;
}

export interface ImageArguments {
  readonly image?: string | undefined;
  readonly base?: string | undefined;
  readonly format?: ImageFormat | undefined;
}

export const DEFAULT_CHIP = 'stm32f427';

export function keyFlags<T>(yargs: Argv<T>) {
  return yargs
    .option('home', { type: 'string', describe: 'folder for keys, jobs and receipts (BLINDFLASH_HOME, ~/.blindflash)' })
    .option('keys', { type: 'string', describe: 'key file; keys.json in the folder unless given' })
    .option('passphrase-file', {
      type: 'string',
      describe: 'file with the passphrase of the keys; - reads it from stdin',
    });
}

export function roomFlags<T>(yargs: Argv<T>) {
  return keyFlags(yargs)
    .option('relay', { type: 'string', describe: 'relay, wss://HOST (or BLINDFLASH_RELAY)' })
    .option('invite-out', { type: 'string', describe: 'write the invite to this file instead of showing it' })
    .option('valid-hours', { type: 'number', describe: 'how long the invite is valid; 24 unless given' });
}

export function jobFlags<T>(yargs: Argv<T>) {
  return roomFlags(yargs)
    .option('invite', { type: 'string', describe: 'file with an invite of `blindflash invite`; - reads it from stdin' })
    .option('resume', {
      type: 'string',
      describe: 'go on with this job; its own plan holds, the image must be the same',
    })
    .option('code', { type: 'boolean', default: true, describe: 'compare the short code (--no-code waives it)' })
    .option('yes', { type: 'boolean', describe: 'do not ask whether to go ahead' });
}

export function planFlags<T>(yargs: Argv<T>) {
  return yargs
    .option('chip', { type: 'string', default: DEFAULT_CHIP, describe: 'type of the chip' })
    .option('flash-kib', { type: 'number', describe: 'flash size; found out unless given' })
    .option('label', { type: 'string', describe: 'what the customer reads; at most 64 bytes' })
    .option('idle-limit', { type: 'number', describe: 'seconds after which a forgotten chip wipes its keys; 600' })
    .option('halt', { type: 'boolean', describe: 'leave the chip halted instead of starting it' })
    .option('mode', { choices: MODE_ORDER, describe: 'trust mode; this version has host-blind' })
    .option('minimum-mode', { choices: MODE_ORDER, describe: 'weakest mode the firmware’s policy allows' });
}

export function imageFlags<T>(yargs: Argv<T>) {
  return yargs
    .positional('image', { type: 'string', demandOption: true, describe: 'ELF, Intel HEX, S-record or plain binary' })
    .option('base', { type: 'string', describe: 'address of a plain binary, such as 0x08000000' })
    .option('format', { choices: FORMATS, describe: 'when contents and name do not tell' });
}

/** Arguments of a command that runs a job. */
export type JobArguments = VendorArguments & PlanArguments;

/** The chip with this marking. @throws BF-USAGE naming those there are. */
export function chipNamed(name: string = DEFAULT_CHIP): Chip {
  const wanted = name.toUpperCase();
  const chip = CHIPS.find(({ parts, stub }) => stub !== undefined && parts.some((part) => isPart(wanted, part)));
  if (chip !== undefined) return chip;
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

/** Reads the image file. @throws BF-IMAGE-* */
export async function loadImage(args: ImageArguments): Promise<Image> {
  const path = args.image as string;
  const bytes = await readFile(path).catch((error: unknown) => {
    throw fail('BF-IMAGE-READ', path, error);
  });
  const base = args.base === undefined ? undefined : parseAddress(args.base, 'BF-IMAGE-ADDRESS');
  return readImage(new Uint8Array(bytes), { name: basename(path), format: args.format, base });
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
