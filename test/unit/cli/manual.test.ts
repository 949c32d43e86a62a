// What is made from the declarations of the commands beside their help: the overview and the manual page.
import assert from 'node:assert/strict';
import { COMMANDS } from '../../../cli/commands.ts';
import { manPage } from '../../../cli/man-page.ts';
import { overview } from '../../../cli/overview.ts';

describe('`blindflash` alone', () => {
  it('names every command once, the customer’s first', () => {
    const named = overview(COMMANDS).flatMap((line) => /^ {2}blindflash (\S+) /.exec(line)?.[1] ?? []);
    assert.deepEqual([...named].sort(), COMMANDS.map(({ name }) => name).sort());
    assert.equal(named[0], 'agent');
  });
});

describe('the manual page', () => {
  const page = manPage(COMMANDS).split('\n');

  it('has every command and option', () => {
    const leaves = COMMANDS.flatMap((one) => (one.subcommands.length === 0 ? [one] : one.subcommands));
    assert.equal(page.filter((line) => line.startsWith('.SS ')).length, leaves.length);
    for (const { options } of leaves) {
      for (const name of Object.keys(options)) {
        const label = `.B "\\-\\-${name.replaceAll('-', '\\-')}`;
        assert.ok(
          page.some((line) => line === `${label}"` || line.startsWith(`${label} `)),
          name,
        );
      }
    }
  });

  it('is ASCII, and no line of text is taken for a request', () => {
    const requests = /^\.(TH|SH|SS|TP|P|br|B|I|BR|RI)( |$)/;
    for (const line of page) {
      assert.match(line, /^[ -~]*$/);
      assert.ok(!/^[.']/.test(line) || requests.test(line), line);
    }
  });

  it('shows no word that is taken only to be refused', () => {
    assert.ok(page.includes('.SS "agent"'));
  });
});
