// The agent's declared machines and the tables of docs/state-machines.md say the same.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { AGENT_SESSION } from '../../agent/session/session-table.ts';
import { STUB_WORK } from '../../agent/session/stub-work-table.ts';
import { TARGET_SESSION } from '../../agent/target/target-session.ts';

const PAGE = readFileSync(new URL('../../docs/state-machines.md', import.meta.url), 'utf8');

/** The first table below a heading: row name → column name → cell; a dash is no entry. */
function tableUnder(heading: string): Record<string, Record<string, string>> {
  const section = PAGE.slice(PAGE.indexOf(heading));
  const lines = /(?:^\|.*\n)+/m.exec(section)?.[0].trimEnd().split('\n') ?? [];
  const [head = [], , ...rows] = lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  return Object.fromEntries(
    rows.map(([name = '', ...cells]) => {
      const entries = cells.map((cell, at) => [head[at + 1] ?? '', cell] as const);
      return [name, Object.fromEntries(entries.filter(([, cell]) => cell !== '–'))];
    }),
  );
}

describe('machines of the agent', () => {
  it('the session is the first table of §8', () => {
    assert.deepEqual(tableUnder("## 8. The agent's session"), AGENT_SESSION);
  });

  it('the work with the stub is the second table of §8', () => {
    assert.deepEqual(tableUnder('### Work with the stub'), STUB_WORK);
  });

  it('the target session is the table of §9', () => {
    assert.deepEqual(tableUnder('## 9. The target session'), TARGET_SESSION);
  });
});
