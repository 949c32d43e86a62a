// Proves: every row is something a tired person can use, in order, and foreign text in it is harmless.
import assert from 'node:assert/strict';
import { ERRORS, PARTS, type ErrorRow } from '../../../../shared/errors/catalogue.ts';
import {
  asBlindflashError,
  BlindflashError,
  endsAgent,
  exitStatusOf,
  fail,
  isBlindflashError,
  isErrorCode,
  mayRepeatAccess,
  restartAfter,
  tell,
  wordingFor,
  type ErrorCode,
} from '../../../../shared/errors/errors.ts';

const rows = Object.entries(ERRORS) as [ErrorCode, ErrorRow][];

describe('error table', () => {
  for (const [code, row] of rows) {
    it(`${code} has a sentence, a remedy and a status`, () => {
      assert.match(code, /^BF-[A-Z]+(-[A-Z0-9]+)*$/);
      assert.match(row.sentence, /^[A-Z].{15,}[.!]$/);
      assert.match(row.remedy, /^[A-Z`].{15,}[.!]$/);
      assert.ok(exitStatusOf(code) > 0 && exitStatusOf(code) < 256);
    });
  }

  it('is sorted', () => {
    const codes = Object.keys(ERRORS);
    assert.deepEqual(codes, [...codes].sort());
  });

  it('gives every row of a group the same exit status, except an interrupted job', () => {
    const groups = new Map<string, Set<number>>();
    for (const [code] of rows) {
      if (code === 'BF-JOB-INTERRUPTED') continue;
      const group = code.split('-')[1]!;
      groups.set(group, (groups.get(group) ?? new Set()).add(exitStatusOf(code)));
    }
    for (const [group, statuses] of groups) assert.equal(statuses.size, 1, group);
    const all = [...groups.values()].flatMap((statuses) => [...statuses]);
    assert.equal(new Set(all).size, all.length);
  });

  it('strips control characters and length from details', () => {
    const error = fail('BF-PROBE-SEVERAL', `a\u001b[31mb\u202ec\n${'x'.repeat(1000)}`);
    assert.match(error.detail ?? '', /^a·\[31mb·c x+…$/);
    assert.equal(error.detail?.length, 300);
    assert.match(error.message, /^More than one ST-LINK is connected\. \(a·/);
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

describe('error policy', () => {
  const named = (codes: readonly ErrorCode[]): string[] => codes.map((code) => code.slice(3)).sort();
  const codesWhere = (holds: (code: ErrorCode) => boolean): string[] => named(rows.map(([code]) => code).filter(holds));

  it('repeats an access only where wire or probe may have spoilt it', () => {
    assert.deepEqual(
      codesWhere((code) => mayRepeatAccess(fail(code), 'probe')),
      ['PROBE-GARBAGE', 'PROBE-TIMEOUT'],
    );
    assert.deepEqual(
      codesWhere((code) => mayRepeatAccess(fail(code), 'target')),
      ['TARGET-FAULT', 'TARGET-WAIT', 'TARGET-WIRE'],
    );
    assert.equal(mayRepeatAccess(new Error('BF-TARGET-WIRE'), 'target'), false);
  });

  it('starts a session anew where that can heal something, with a pause where the board is in trouble', () => {
    assert.deepEqual(
      codesWhere((code) => restartAfter(code) === 'session'),
      ['JOB-EXPIRED', 'STUB-AUTHENTICATION'],
    );
    assert.deepEqual(
      codesWhere((code) => restartAfter(code) === 'board'),
      [
        ...['LOADER-CLOCK', 'LOADER-KEYS', 'LOADER-SILENT'],
        ...['SERIAL-BUSY', 'SERIAL-GONE', 'SERIAL-NONSENSE', 'SERIAL-SILENT'],
        ...['STUB-CRASHED', 'STUB-LOAD', 'STUB-MAILBOX', 'STUB-SILENT', 'TARGET-FAULT', 'TARGET-NO-HALT'],
        ...['TARGET-NO-POWER', 'TARGET-NO-RESET', 'TARGET-NONE', 'TARGET-WAIT', 'TARGET-WATCHED', 'TARGET-WIRE'],
        'UPDATE-INTERRUPTED',
      ],
    );
  });

  it('ends an agent’s run by trouble of its probe, its way to the vendor or itself, never by the board’s', () => {
    const parts = new Set(codesWhere(endsAgent).map((name) => name.split('-')[0]!));
    assert.deepEqual([...parts], ['INTERNAL', 'JOB', 'LINK', 'PROBE', 'RELAY', 'TUNNEL']);
    assert.deepEqual(
      codesWhere(endsAgent).filter((name) => name.startsWith('JOB')),
      ['JOB-INTERRUPTED'],
    );
  });

  it('ends no job that something can heal', () => {
    for (const [code, { retry, endsJob }] of rows) assert.ok(!endsJob || retry === 'never', code);
  });

  it('knows its own codes and no others', () => {
    assert.ok(isErrorCode('BF-USAGE'));
    for (const text of ['BF-USAGE-NOVEL', 'toString', '']) assert.equal(isErrorCode(text), false, text);
  });
});

describe('error wording', () => {
  /** What only a vendor can type, and who is spoken about instead of spoken to. */
  const VENDORS = /--(resume|base|format|home|keys|lock|delta)|blindflash (keygen|plan|invite|receipt)|[Tt]he customer/;
  const CUSTOMERS = /(Ask|Call|Tell|tell) the vendor|blindflash agent/;
  const texts = (code: ErrorCode, audience: 'customer' | 'vendor'): string => {
    const { sentence, remedy } = wordingFor(code, audience);
    // What is marked as somebody else's to do may speak to them.
    return remedy.startsWith('For the ') ? sentence : `${sentence} ${remedy}`;
  };

  for (const [code] of rows) {
    it(`${code} speaks to whoever reads it`, () => {
      assert.doesNotMatch(texts(code, 'customer'), VENDORS);
      assert.doesNotMatch(texts(code, 'vendor'), CUSTOMERS);
    });
  }

  it('says whose a remedy is when the reader cannot do it', () => {
    assert.match(wordingFor('BF-PROBE-NONE', 'vendor').remedy, /^For the customer to do: Plug it in/);
    assert.match(wordingFor('BF-PROBE-NONE', 'customer').remedy, /^Plug it in/);
    assert.match(wordingFor('BF-IMAGE-BASE', 'customer').remedy, /^For the vendor to do: Add --base/);
    assert.match(wordingFor('BF-RELAY-CONFIG', 'operator').remedy, /^Correct the tenants file/);
  });

  it('tells the customer of his own no, and the vendor of the customer’s', () => {
    assert.equal(
      tell(fail('BF-JOB-DECLINED', 'plan 1'), 'customer'),
      'You looked at the plan and said no; nothing was changed on the board. (plan 1)',
    );
    assert.match(tell(fail('BF-JOB-DECLINED'), 'vendor'), /^The customer looked at the plan and said no/);
  });

  it('has a title and an exit status of its own for every part', () => {
    const statuses = Object.values(PARTS).map(({ exitStatus }) => exitStatus);
    assert.equal(new Set(statuses).size, statuses.length);
  });
});
