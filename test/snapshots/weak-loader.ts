// The loader built from its sources with weaknesses put back, so that the attacks of this folder have something they
// must succeed against. Nothing of it is kept: the sources are copied to a temporary folder and changed there.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FIRMWARE = fileURLToPath(new URL('../../firmware/', import.meta.url));
const FOLDERS = ['common', 'port', 'loader'] as const;

interface Change {
  readonly file: string;
  readonly from: string | RegExp;
  readonly to: string;
}

/** What can be weak, and the change of the sources that makes it so. */
const WEAKNESSES = {
  /** Sessions multiply by d itself, without a random Z. */
  ladder: [
    {
      file: 'loader/installer/device_handshake.c',
      from: 'bf_x25519_blinded(shared, (const uint32_t *)secret, point, noise)',
      to: 'bf_x25519(shared, secret, point)',
    },
  ],
  /** Its primitives are those for speed: 13 words of Salsa20, four variables of SHA-512 in registers at once. */
  registers: [{ file: 'loader/Makefile', from: ' -DBF_SPARSE', to: '' }],
  /** 64 boxes have one key. */
  epochs: [{ file: 'common/device.h', from: /(DEVICE_EPOCH_BOXES +)1u/, to: '$164u' }],
} as const satisfies Record<string, readonly Change[]>;

export type Weakness = keyof typeof WEAKNESSES;

function put(folder: string, { file, from, to }: Change): void {
  const path = join(folder, file);
  const before = readFileSync(path, 'utf8');
  const after = before.replace(from, to);
  if (after === before) throw new Error(`${file} no longer has what is to be changed`);
  writeFileSync(path, after);
}

export interface Built {
  readonly loader: Uint8Array;
  /** Address of each function of the installer, by its name. */
  readonly functions: ReadonlyMap<string, number>;
}

/** A loader with these weaknesses. @throws when the sources no longer have what is to be changed, or do not build */
export function build(...weaknesses: readonly Weakness[]): Built {
  const folder = mkdtempSync(join(tmpdir(), 'blindflash-weak-'));
  try {
    for (const name of FOLDERS) cpSync(join(FIRMWARE, name), join(folder, name), { recursive: true });
    for (const name of weaknesses) for (const change of WEAKNESSES[name]) put(folder, change);
    const make = ['-s', '-j2', '-C', join(folder, 'loader'), 'TARGET=stm32f42x', 'BUILD=weak', 'all'];
    execFileSync('make', make, { stdio: ['ignore', 'ignore', 'pipe'] });
    const out = join(folder, 'loader/weak');
    const names = execFileSync('arm-none-eabi-nm', [join(out, 'installer.elf')], { encoding: 'utf8' });
    const lines = names.split('\n').map((line) => line.split(' ') as [string, string, string]);
    return {
      loader: new Uint8Array(readFileSync(join(out, 'loader-stm32f42x.bin'))),
      functions: new Map(lines.map(([address, , name]) => [name, Number.parseInt(address, 16)])),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export const weakLoader = (...weaknesses: readonly Weakness[]): Uint8Array => build(...weaknesses).loader;
