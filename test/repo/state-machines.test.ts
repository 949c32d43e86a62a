// docs/state-machines.md draws the machines that code declares, with every transition.
import assert from 'node:assert/strict';
import { readDocument } from '../../scripts/generated-text.ts';
import { withMachines } from '../../scripts/state-machines-doc.ts';

describe('repository: state machines', () => {
  it('have the tables in docs/state-machines.md that scripts/state-machines-doc.ts writes', () => {
    const document = readDocument('docs/state-machines.md');
    assert.equal(document, withMachines(document), 'run: node --import=tsx scripts/state-machines-doc.ts');
  });
});
