// The table of the vendor's job: every phase is reached and left, every transition is made, and the
// page that draws it agrees.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import {
  JOB_TABLE,
  PHASES,
  TRANSITIONS,
  type Cell,
  type Phase,
  type Transition,
} from '../../../controller/job/job-table.ts';
import { withJobTableSection } from '../../../scripts/job-table-doc.ts';

const cells = (phase: Phase): Cell[] => Object.values(JOB_TABLE[phase]);
const transitionsOf = (phase: Phase): Transition[] =>
  cells(phase).flatMap((cell) => ('transition' in cell ? [cell.transition] : []));

describe('controller: the table of a job', () => {
  it('reaches every phase from the first, and the last from every one', () => {
    const reachable = (from: Phase, found = new Set<Phase>()): Set<Phase> => {
      if (found.has(from)) return found;
      found.add(from);
      for (const transition of transitionsOf(from)) for (const next of TRANSITIONS[transition]) reachable(next, found);
      return found;
    };
    assert.deepEqual([...reachable('waiting')].sort(), Object.keys(PHASES).sort());
    for (const phase of Object.keys(PHASES) as Phase[]) assert.ok(reachable(phase).has('closed'), phase);
  });

  it('makes every transition somewhere, and every open phase can fail', () => {
    const made = new Set((Object.keys(PHASES) as Phase[]).flatMap(transitionsOf));
    assert.deepEqual([...made].sort(), Object.keys(TRANSITIONS).sort());
    for (const phase of Object.keys(PHASES) as Phase[]) assert.equal('failure' in JOB_TABLE[phase], phase !== 'closed');
  });

  it('is what docs/state-machines.md says', () => {
    const page = readFileSync(new URL('../../../docs/state-machines.md', import.meta.url), 'utf8');
    assert.equal(page, withJobTableSection(page), 'run: node --import=tsx scripts/job-table-doc.ts');
  });
});
