// Where the time of a job went, in words.
import assert from 'node:assert/strict';
import { timesText } from '../../../cli/terminal/times.ts';

describe('the time of a job in words', () => {
  it('has all its parts, those that took none as well: info and both receipts say it in one form', () => {
    assert.equal(
      timesText({ people: 20_100, network: 1200, erase: 0, program: 0, check: 0 }),
      '1.2 s (erasing 0.0 s, programming 0.0 s, checking 0.0 s, network and the rest 1.2 s), and 20.1 s waiting for people',
    );
    assert.match(
      timesText({ people: 0, network: 400, erase: 300, program: 200, check: 100 }),
      /^1\.0 s \(erasing 0\.3 s/,
    );
  });
});
