// Edge: hashes of the stubs that come with this installation (firmware/prebuilt): the only ones a job is sent to.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fail } from '../../shared/errors/errors.ts';

/** From the sources (controller/service) and from the compiled program (dist/controller/service). */
const FOLDERS = ['../../firmware/prebuilt/', '../../../firmware/prebuilt/'];

/** SHA-512 of every bundled stub, 128 digits each. @throws BF-INTERNAL-BUILD when there is none. */
export function trustedStubs(): string[] {
  const folder = FOLDERS.map((path) => new URL(path, import.meta.url)).find((url) => existsSync(url));
  const names = folder === undefined ? [] : readdirSync(folder).filter((name) => /^stub-.*\.bin$/.test(name));
  if (folder === undefined || names.length === 0) {
    throw fail('BF-INTERNAL-BUILD', 'the folder firmware/prebuilt is missing');
  }
  return names.map((name) =>
    createHash('sha512')
      .update(readFileSync(new URL(name, folder)))
      .digest('hex'),
  );
}
