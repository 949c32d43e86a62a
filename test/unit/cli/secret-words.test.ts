// A secret in the words of a command is recognised, said to be spent, and not repeated.
import { refuseSecrets } from '../../../cli/secret-words.ts';
import { refuses } from '../shared/support.ts';

const INVITE = `bf2.${'Qk'.repeat(40)}_-`;

describe('secrets on the command line', () => {
  it('are refused wherever they stand', () => {
    for (const words of [
      ['agent', INVITE],
      ['agent', '--invite-file', INVITE],
      ['flash', 'image.bin', `--invite=${INVITE}`],
      ['flash', 'image.bin', '--invite', `"${INVITE}"`],
      ['agent', '--invite-file', INVITE.replace('bf2', 'bf1')],
    ]) {
      refuses('BF-USAGE-SECRET-ARGUMENT', () => refuseSecrets(words), words.join(' '));
    }
  });

  it('are none when a file is named like one', () => {
    for (const name of ['bf2.txt', './bf2.invite', 'bf2.', `mails/${INVITE}`, 'invite.txt']) {
      refuseSecrets(['agent', '--invite-file', name]);
    }
  });
});
