// The table of the vendor's job: every phase is reached and left, every step is taken, and the page that draws it agrees.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { JOB_TABLE, PHASES, STEPS, type Cell, type Phase, type Step } from '../../../controller/job/job-table.ts';
import { withJobTableSection } from '../../../scripts/job-table-doc.ts';

const cells = (phase: Phase): Cell[] => Object.values(JOB_TABLE[phase]);
const stepsOf = (phase: Phase): Step[] => cells(phase).flatMap((cell) => ('step' in cell ? [cell.step] : []));

describe('controller: the table of a job', () => {
  it('reaches every phase from the first, and the last from every one', () => {
    const reachable = (from: Phase, found = new Set<Phase>()): Set<Phase> => {
      if (found.has(from)) return found;
      found.add(from);
      for (const step of stepsOf(from)) for (const next of STEPS[step]) reachable(next, found);
      return found;
    };
    assert.deepEqual([...reachable('waiting')].sort(), Object.keys(PHASES).sort());
    for (const phase of Object.keys(PHASES) as Phase[]) assert.ok(reachable(phase).has('closed'), phase);
  });

  it('takes every step somewhere, and every open phase can fail', () => {
    const taken = new Set((Object.keys(PHASES) as Phase[]).flatMap(stepsOf));
    assert.deepEqual([...taken].sort(), Object.keys(STEPS).sort());
    for (const phase of Object.keys(PHASES) as Phase[]) assert.equal('failure' in JOB_TABLE[phase], phase !== 'closed');
  });

  it('is what docs/state-machines.md says', () => {
    const page = readFileSync(new URL('../../../docs/state-machines.md', import.meta.url), 'utf8');
    assert.equal(page, withJobTableSection(page), 'run: node --import=tsx scripts/job-table-doc.ts');
  });
});
