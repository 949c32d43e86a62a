// Edge: the loaders that come with this installation (firmware/prebuilt), held against their description.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { LoaderName } from '../../shared/chips/index.ts';
import { fail } from '../../shared/errors/errors.ts';

/** Beside the sources, and beside what is built from them. */
const FOLDERS = ['../../firmware/prebuilt/', '../../../firmware/prebuilt/'];

export interface BundledLoader {
  readonly image: Uint8Array;
  /** The loader hash: SHA-512 of the image, 128 digits. */
  readonly sha512: string;
}

/** @throws BF-INTERNAL-BUILD when it is missing or is not what its description says */
export function bundledLoader(name: LoaderName): BundledLoader {
  const file = `loader-${name}`;
  const folder = FOLDERS.map((path) => new URL(path, import.meta.url)).find((url) =>
    existsSync(new URL(`${file}.bin`, url)),
  );
  if (folder === undefined) throw fail('BF-INTERNAL-BUILD', `${file}.bin is missing in firmware/prebuilt`);
  const image = new Uint8Array(readFileSync(new URL(`${file}.bin`, folder)));
  const { sha512 } = JSON.parse(readFileSync(new URL(`${file}.json`, folder), 'utf8')) as { sha512: string };
  if (createHash('sha512').update(image).digest('hex') !== sha512) {
    throw fail('BF-INTERNAL-BUILD', `${file}.bin in firmware/prebuilt is not the one of its description`);
  }
  return { image, sha512 };
}
