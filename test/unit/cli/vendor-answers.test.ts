// What a program may answer to the question for the code: the number of the tunnel keeps a late answer from being
// taken for another question's.
import assert from 'node:assert/strict';
import { answerOf } from '../../../cli/vendor/vendor-terminal.ts';

describe('the answer of a program to the question for the code', () => {
  it('is a code, or a code behind the number of its tunnel', () => {
    assert.deepEqual(answerOf('ABC-DEF', 3), { code: 'ABC-DEF', tunnel: 3 });
    assert.deepEqual(answerOf('2 ABC-DEF', 3), { code: 'ABC-DEF', tunnel: 2 });
    assert.deepEqual(answerOf('12 345 678', 3), { code: '345 678', tunnel: 12 });
  });

  it('is taken whole when what is behind a number is no code', () => {
    for (const line of ['123 456', '1 23456', '', '7 ABC', 'x 2 ABC-DEF']) {
      assert.deepEqual(answerOf(line, 3), { code: line, tunnel: 3 });
    }
  });
});
