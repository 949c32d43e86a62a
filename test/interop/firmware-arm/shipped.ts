// The stub as shipped: firmware/prebuilt, with the addresses of its functions. The addresses come from an ELF file
// built here; they hold for the prebuilt bytes only because the rebuilt bytes are the same, which `rebuilt` checks.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../../..');
/** Everything test:stub builds; not in the repository. */
export const BUILD = resolve(ROOT, 'test/interop/build/firmware-arm');
const PREBUILT = resolve(ROOT, 'firmware/prebuilt/stub-stm32f42x.bin');
export const LOAD_ADDRESS = 0x20000000;

const SOURCES = resolve(BUILD, 'ship');
const ELF = resolve(SOURCES, 'out/stub-stm32f42x.elf');

export interface Sym {
  readonly name: string;
  /** Address without the Thumb bit. */
  readonly address: number;
  /** Bytes; 0 when the symbol has no size. */
  readonly size: number;
}

export interface Shipped {
  /** The file the bytes are from. */
  readonly file: string;
  readonly image: Uint8Array;
  readonly elf: string;
  /** The rebuilt bytes are the prebuilt ones. */
  readonly identical: boolean;
  /** Functions of the whole stub by name. */
  readonly functions: ReadonlyMap<string, Sym>;
  /** Names of the functions that come from firmware/common/crypto. */
  readonly crypto: ReadonlySet<string>;
}

function text(program: string, args: readonly string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
}

/** Functions of an ELF or object file, by name. */
export function functionsOf(file: string): Map<string, Sym> {
  const symbols = new Map<string, Sym>();
  for (const line of text('arm-none-eabi-nm', ['-S', file]).split('\n')) {
    const match = /^([0-9a-f]{8}) (?:([0-9a-f]{8}) )?[tTW] ([A-Za-z_][\w.]*)$/.exec(line);
    if (match === null) continue;
    const [, address, size, name] = match;
    symbols.set(name!, { name: name!, address: parseInt(address!, 16) & ~1, size: parseInt(size ?? '0', 16) });
  }
  return symbols;
}

/** Addresses of the variables and linker's marks in the private memory, by name. */
export function variablesOf(file: string): Map<string, number> {
  const symbols = new Map<string, number>();
  for (const line of text('arm-none-eabi-nm', [file]).split('\n')) {
    const match = /^([0-9a-f]{8}) [bB] ([A-Za-z_]\w*)$/.exec(line);
    if (match !== null) symbols.set(match[2]!, parseInt(match[1]!, 16));
  }
  return symbols;
}

/** Copies the stub's sources away, so that nobody changes them meanwhile, and builds them. */
function rebuild(): void {
  rmSync(SOURCES, { recursive: true, force: true });
  mkdirSync(SOURCES, { recursive: true });
  cpSync(resolve(ROOT, 'firmware'), SOURCES, {
    recursive: true,
    filter: (path) => !/\/(build|pc|prebuilt)$/.test(path),
  });
  execFileSync('make', ['-s', '-C', SOURCES, 'BUILD=out', 'all'], { stdio: ['ignore', 'inherit', 'inherit'] });
}

function cryptoNames(): Set<string> {
  const folder = resolve(SOURCES, 'out/common/crypto');
  const objects = readdirSync(folder).filter((name) => name.endsWith('.o'));
  return new Set(objects.flatMap((name) => [...functionsOf(resolve(folder, name)).keys()]));
}

/** The shipped stub; with `useRebuilt` the bytes just built, for work on the stub between two `make prebuilt`. */
export function shipped(useRebuilt = false): Shipped {
  rebuild();
  const bin = resolve(SOURCES, 'out/stub-stm32f42x.bin');
  const built = readFileSync(bin);
  const prebuilt = readFileSync(PREBUILT);
  const file = useRebuilt ? bin : PREBUILT;
  return {
    file,
    image: new Uint8Array(useRebuilt ? built : prebuilt),
    elf: ELF,
    identical: built.equals(prebuilt),
    functions: functionsOf(ELF),
    crypto: cryptoNames(),
  };
}
