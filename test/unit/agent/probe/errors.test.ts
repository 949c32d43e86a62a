// Proves: every row is something a tired person can use, in order, and foreign text in it is harmless.
import assert from 'node:assert/strict';
import {
  asBlindflashError,
  BlindflashError,
  ERRORS,
  fail,
  isBlindflashError,
} from '../../../../shared/errors/errors.ts';

describe('error table', () => {
  for (const [code, row] of Object.entries(ERRORS)) {
    it(`${code} has a sentence, a remedy and a status`, () => {
      assert.match(code, /^BF-[A-Z]+(-[A-Z0-9]+)*$/);
      assert.match(row.sentence, /^[A-Z].{15,}[.!]$/);
      assert.match(row.remedy, /^[A-Z`].{15,}[.!]$/);
      assert.ok(row.exitStatus > 0 && row.exitStatus < 256);
    });
  }

  it('is sorted', () => {
    const codes = Object.keys(ERRORS);
    assert.deepEqual(codes, [...codes].sort());
  });

  it('gives every row of a group the same exit status, except an interrupted job', () => {
    const groups = new Map<string, Set<number>>();
    for (const [code, row] of Object.entries(ERRORS)) {
      if (code === 'BF-JOB-INTERRUPTED') continue;
      const group = code.split('-')[1];
      groups.set(group, (groups.get(group) ?? new Set()).add(row.exitStatus));
    }
    for (const [group, statuses] of groups) assert.equal(statuses.size, 1, group);
    const all = [...groups.values()].flatMap((statuses) => [...statuses]);
    assert.equal(new Set(all).size, all.length);
  });

  it('strips control characters and length from details', () => {
    const error = fail('BF-PROBE-SEVERAL', `a\u001b[31mb\u202ec\n${'x'.repeat(1000)}`);
    assert.match(error.detail ?? '', /^a \[31mb c x+$/);
    assert.equal(error.detail?.length, 300);
    assert.match(error.message, /^More than one ST-LINK is connected\. \(a /);
  });

  it('keeps coded errors and wraps foreign ones with their cause', () => {
    const coded = fail('BF-USAGE');
    assert.equal(asBlindflashError(coded), coded);
    const foreign = new Error('boom');
    const wrapped = asBlindflashError(foreign);
    assert.ok(wrapped instanceof BlindflashError);
    assert.equal(wrapped.code, 'BF-INTERNAL');
    assert.equal(wrapped.cause, foreign);
    assert.ok(isBlindflashError(coded, 'BF-USAGE'));
    assert.ok(!isBlindflashError(coded, 'BF-INTERNAL'));
  });
});
