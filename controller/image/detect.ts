// Which format an image file has: by what it says itself, else by its name.
import { equalBytes } from '../../shared/codec/bytes.ts';
import { DFUSE_MAGIC } from './dfuse.ts';
import { ELF_MAGIC } from './elf.ts';
import { UF2_MAGIC } from './uf2.ts';

export const FORMATS = ['elf', 'hex', 'srec', 'dfuse', 'uf2', 'bin'] as const;
export type ImageFormat = (typeof FORMATS)[number];

/** What files of a format begin with. A plain binary begins with anything, so it is known by name or base only. */
const BEGINNINGS: readonly { readonly format: ImageFormat; readonly fits: (file: Uint8Array) => boolean }[] = [
  { format: 'elf', fits: (file) => equalBytes(file.subarray(0, 4), ELF_MAGIC) },
  { format: 'dfuse', fits: (file) => equalBytes(file.subarray(0, DFUSE_MAGIC.length), DFUSE_MAGIC) },
  { format: 'uf2', fits: (file) => equalBytes(file.subarray(0, UF2_MAGIC.length), UF2_MAGIC) },
  { format: 'hex', fits: (file) => HEX_BEGINNING.test(headOf(file)) },
  { format: 'srec', fits: (file) => SREC_BEGINNING.test(headOf(file)) },
];
const HEX_BEGINNING = /^(\u00ef\u00bb\u00bf)?\s*:[0-9A-Fa-f]{10}/;
const SREC_BEGINNING = /^(\u00ef\u00bb\u00bf)?\s*([Ss][0-9][0-9A-Fa-f]{6}|\$\$)/;

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
  dfu: 'dfuse',
  uf2: 'uf2',
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

/** True for Intel HEX or S-records in UTF-16, as some shells and editors write what is redirected or saved there. */
export function isUtf16Text(file: Uint8Array): boolean {
  const head = file.subarray(0, 64);
  return ['utf-16le', 'utf-16be'].some((encoding) => {
    const text = new TextDecoder(encoding).decode(head);
    return HEX_BEGINNING.test(text) || SREC_BEGINNING.test(text);
  });
}

function headOf(file: Uint8Array): string {
  return String.fromCharCode(...file.subarray(0, 32));
}
