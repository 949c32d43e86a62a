// A secret in the words of a command is recognised, said to be spent, and not repeated.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
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

  it('end the command with a sentence that does not hold them', function () {
    this.timeout(120_000);
    const main = new URL('../../../cli/main.ts', import.meta.url).pathname;
    const words = ['--import=tsx', main, 'agent', '--invite-file', INVITE];
    const { stdout, stderr, status } = spawnSync(process.execPath, words, { encoding: 'utf8' });
    assert.equal(status, 2);
    assert.match(stderr, /^error BF-USAGE-SECRET-ARGUMENT: A secret was given on the command line/);
    assert.ok(!`${stdout}${stderr}`.includes(INVITE.slice(4, 20)));
  });
});
