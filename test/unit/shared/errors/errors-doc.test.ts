// docs/errors.md and the tables agree, in both directions: nothing undocumented, nothing invented, no other words.
// After a change: `node --import=tsx scripts/errors-doc.ts`.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { ERRORS } from '../../../../shared/errors/catalogue.ts';
import { exitStatusOf, wordingFor, type ErrorCode } from '../../../../shared/errors/errors.ts';
import { CLOSE, type CloseRow } from '../../../../shared/link/close.ts';
import { errorsDocument } from '../../../../scripts/errors-doc.ts';

const text = readFileSync(new URL('../../../../docs/errors.md', import.meta.url), 'utf8');
/** Prettier escapes what Markdown could take for emphasis. */
const plain = (markdown: string): string => markdown.replace(/\\([|*_])/g, '$1').replace(/\s+/g, ' ');
const sections = text.split(/^#+ /m).filter((section) => section.startsWith('`BF-'));
const closeRows = text
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .map((line) => line.slice(1, -1).split(/(?<!\\)\|/))
  .map((cells) => cells.map((cell) => plain(cell).trim()))
  .filter((cells) => cells.length === 6 && /^\d{4}$/.test(cells[0]!));

describe('docs/errors.md', () => {
  it('is what its script writes', async () => {
    assert.equal(text, await errorsDocument());
  });

  it('lists every error code once, in the words of the table, and no other', () => {
    const told = sections.map((section) => section.split('`')[1]!);
    assert.deepEqual(told.sort(), Object.keys(ERRORS).sort());
    for (const section of sections) {
      const code = section.split('`')[1] as ErrorCode;
      const words = plain(section);
      for (const audience of ['customer', 'vendor'] as const) {
        const { sentence, remedy } = wordingFor(code, audience);
        assert.ok(
          words.includes(sentence) && words.includes(remedy.replace(/^For the \w+ to do: /, '')),
          `${code} as the ${audience} reads it`,
        );
      }
      assert.ok(words.includes(`Exit status ${exitStatusOf(code)};`), code);
    }
  });

  it('lists every close reason once, and no other', () => {
    const meant = (Object.entries(CLOSE) as [string, CloseRow][])
      .sort(([, a], [, b]) => a.code - b.code)
      .map(([name, { code, by, retry, say, error }]) => [
        String(code),
        `\`${name}\``,
        by,
        retry ? 'yes' : 'no',
        say,
        `\`${error}\``,
      ]);
    assert.deepEqual(closeRows, meant);
  });

  it('names no code that does not exist', () => {
    for (const [code] of text.matchAll(/BF-[A-Z0-9-]+/g)) assert.ok(code in ERRORS, code);
  });
});
