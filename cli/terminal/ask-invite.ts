// Edge: an invite from the prompt. Mail programs cut long lines, and a terminal hands out one line at a time: the rest
// must not be left to the shell, which would run it and keep it in its history.
import { fromUtf8 } from '../../shared/codec/bytes.ts';
import { isBlindflashError } from '../../shared/errors/errors.ts';
import { readPrivateFile } from '../../shared/platform/node/private-file.ts';
import { isCutShort } from '../../shared/tunnel/invite.ts';
import type { Prompt } from './prompt.ts';

const GO_ON = 'That is only the beginning of an invite: paste the rest, or press Enter to stop.\n';

/** The invite as pasted, its lines joined; an empty line or the end of the input ends one that is not whole. */
export async function askInvite(prompt: Prompt, question: string): Promise<string> {
  let pasted = '';
  while (pasted === '') {
    pasted = await prompt.ask(question);
    if (!prompt.interactive) break;
  }
  while (isCutShort(pasted)) {
    const more = await askForRest(prompt);
    if (more === '') break;
    pasted += more;
  }
  return pasted;
}

/** An invite from a file, which must be its owner's alone. @throws BF-USAGE-FILE, BF-KEYS-PERMISSIONS */
export async function readInviteFile(path: string): Promise<string> {
  return fromUtf8(await readPrivateFile(path, { missing: 'BF-USAGE-FILE' }), 'BF-INVITE-MALFORMED', 'the file');
}

async function askForRest(prompt: Prompt): Promise<string> {
  try {
    return await prompt.ask(prompt.interactive ? GO_ON : '');
  } catch (error) {
    if (isBlindflashError(error, 'BF-USAGE-NOT-INTERACTIVE')) return '';
    throw error;
  }
}
