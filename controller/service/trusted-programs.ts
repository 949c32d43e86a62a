// Edge: the hash of the program that comes with this installation for a chip (firmware/prebuilt), stub or loader: the
// only one a job is sent to.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { Chip } from '../../shared/chips/index.ts';
import { fail } from '../../shared/errors/errors.ts';
import type { ProgramOnChip } from '../../shared/plan/modes.ts';

/** From the sources (controller/service) and from the compiled program (dist/controller/service). */
const FOLDERS = ['../../firmware/prebuilt/', '../../../firmware/prebuilt/'];

/**
 * SHA-512 of the bundled program for a chip, 128 digits, none for a chip that has none. There are loaders for some of
 * the chips that have stubs.
 * @throws BF-INTERNAL-BUILD when it is missing
 */
export function trustedPrograms(chip: Chip, program: ProgramOnChip): string[] {
  const name = chip[program];
  if (name === undefined) return [];
  const urls = FOLDERS.map((path) => new URL(`${path}${program}-${name}.bin`, import.meta.url));
  const url = urls.find((candidate) => existsSync(candidate));
  if (url === undefined) throw fail('BF-INTERNAL-BUILD', `${program}-${name}.bin is missing in firmware/prebuilt`);
  return [createHash('sha512').update(readFileSync(url)).digest('hex')];
}
