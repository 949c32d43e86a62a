// Other versions of the link: each is refused, and it is said which side has to be updated. Spec: docs/protocol.md §12.
import { fail, type BlindflashError } from '../errors/errors.ts';
import { ADMISSION } from './limits.ts';

/**
 * BF-VERSION-MISMATCH for something that was made for another version.
 * @param what what it is, with its article. @param maker where it was made: `at the relay`.
 */
export function foreignVersion(what: string, version: number, maker: string): BlindflashError {
  const late = version < ADMISSION.version ? maker : 'here';
  return fail(
    'BF-VERSION-MISMATCH',
    `${what} has version ${version}, this program ${ADMISSION.version}: update Blindflash ${late}`,
  );
}
