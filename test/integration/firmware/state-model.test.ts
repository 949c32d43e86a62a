// The stub against the model of its state table over random sequences of commands, frames, waiting and faults.
// STUB_SEQUENCES sets how many; `npm run test:stub` plays 20,000 others, or as many as its option --sequences says.
import assert from 'node:assert/strict';
import { explore } from './random-sequences.ts';

const SEQUENCES = Number(process.env['STUB_SEQUENCES'] ?? 500);
const SEED = 1;

describe('stub state machine', () => {
  it(`agrees with the model over ${SEQUENCES} random sequences`, function () {
    this.timeout(0);
    const { wrong, sequences } = explore(0, SEQUENCES, SEED);
    assert.equal(wrong, undefined);
    assert.equal(sequences, SEQUENCES);
  });
});
