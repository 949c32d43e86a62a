// Which format an image file has: by what it says itself, else by its name.
import { equalBytes } from '../../shared/codec/bytes.ts';
import { ELF_MAGIC } from './elf.ts';

export const FORMATS = ['elf', 'hex', 'srec', 'bin'] as const;
export type ImageFormat = (typeof FORMATS)[number];

/** What files of a format begin with. A plain binary begins with anything, so it is known by name or base only. */
const BEGINNINGS: readonly { readonly format: ImageFormat; readonly fits: (file: Uint8Array) => boolean }[] = [
  { format: 'elf', fits: (file) => equalBytes(file.subarray(0, 4), ELF_MAGIC) },
  { format: 'hex', fits: (file) => /^\s*:[0-9A-Fa-f]{10}/.test(headOf(file)) },
  { format: 'srec', fits: (file) => /^\s*[Ss][0-9][0-9A-Fa-f]{6}/.test(headOf(file)) },
];

const EXTENSIONS: Readonly<Record<string, ImageFormat>> = {
  elf: 'elf',
  axf: 'elf',
  out: 'elf',
  hex: 'hex',
  ihex: 'hex',
  ihx: 'hex',
  srec: 'srec',
  s19: 'srec',
  s28: 'srec',
  s37: 'srec',
  mot: 'srec',
  bin: 'bin',
};

/**
 * The format, or undefined when neither contents nor name tell. Contents win over the name: a HEX file called .bin is
 * taken for what it is.
 * @param name file name, with or without folders.
 */
export function detectFormat(file: Uint8Array, name: string): ImageFormat | undefined {
  const found = BEGINNINGS.find(({ fits }) => fits(file));
  return found?.format ?? EXTENSIONS[/\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase() ?? ''];
}

function headOf(file: Uint8Array): string {
  return String.fromCharCode(...file.subarray(0, 32));
}
