// Secrets among the words of a command line: other users of the computer can list them, and
// shells keep them in a history.
import { fail } from '../shared/errors/errors.ts';

/** An invite of any version, bare or as an option's value, and not a file that is merely named like one. */
const INVITE = /(?:^|=)["'<]*bf\d+\.[\w-]{32,}/;

/**
 * @throws BF-USAGE-SECRET-ARGUMENT when an invite stands where a file's name was expected, or anywhere
 * else; it is not repeated
 */
export function refuseSecrets(words: readonly string[]): void {
  if (words.some((word) => INVITE.test(word))) throw fail('BF-USAGE-SECRET-ARGUMENT', 'an invite');
}
