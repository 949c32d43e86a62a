// docs/errors.md and the tables agree, in both directions: nothing undocumented, nothing invented, no other words.
// After a change: `node --import=tsx scripts/errors-doc.mjs` and prettier.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { ERRORS, type ErrorRow } from '../../../../shared/errors/errors.ts';
import { CLOSE, type CloseRow } from '../../../../shared/link/close.ts';

const text = readFileSync(new URL('../../../../docs/errors.md', import.meta.url), 'utf8');
const tables = text
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .map((line) => line.slice(1, -1).split(/(?<!\\)\|/))
  // Prettier escapes what Markdown could take for emphasis.
  .map((cells) => cells.map((cell) => cell.trim().replace(/\\([|*_])/g, '$1')));

const errorRows = tables.filter((cells) => cells.length === 4 && cells[0]!.startsWith('`BF-'));
const closeRows = tables.filter((cells) => cells.length === 6 && /^\d{4}$/.test(cells[0]!));

describe('docs/errors.md', () => {
  it('lists every error code once, in the words of the table, and no other', () => {
    const told = errorRows.map(([code, sentence, remedy, exit]) => [code, sentence, remedy, exit]);
    const meant = (Object.entries(ERRORS) as [string, ErrorRow][])
      .map(([code, { sentence, remedy, exitStatus }]) => [`\`${code}\``, sentence, remedy, String(exitStatus)])
      .sort(([a], [b]) => (a! < b! ? -1 : 1));
    assert.deepEqual(
      told.sort(([a], [b]) => (a! < b! ? -1 : 1)),
      meant,
    );
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
