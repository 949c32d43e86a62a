// What a stub and a loader report, and the code a person is told: the words of the one do not fit the other.
import assert from 'node:assert/strict';
import { ERRORS } from '../../../../shared/errors/catalogue.ts';
import { CHIP_ERRORS, chipError } from '../../../../shared/errors/chip-errors.ts';
import { wordingFor, type ErrorCode } from '../../../../shared/errors/errors.ts';

/** Numbers by the name of their row. */
const number = (name: keyof typeof CHIP_ERRORS): number => CHIP_ERRORS[name].number;
const told = (program: 'stub' | 'loader', name: keyof typeof CHIP_ERRORS, detail = 0): string | undefined =>
  chipError(program, number(name), detail)?.code;
const loaderCodes = [
  ...new Set(Object.values(CHIP_ERRORS).flatMap(({ loader }) => (loader === undefined ? [] : [loader]))),
  'BF-LOADER-PRODUCT',
  'BF-LOADER-VERSION',
  'BF-LOADER-WRITE-PROTECTED',
  'BF-LOADER-SILENT',
  'BF-LOADER-UNKNOWN',
] as readonly ErrorCode[];

describe('what the chip reports', () => {
  it('of the same number is told as what it means for stub and for loader', () => {
    const pairs = {
      protectedChip: ['BF-TARGET-RDP1', 'BF-LOADER-KEYS'],
      clockFailed: ['BF-STUB-CRASHED', 'BF-LOADER-CLOCK'],
      flashTimeout: ['BF-STUB-PROGRAM', 'BF-LOADER-FLASH'],
      boxFailed: ['BF-STUB-AUTHENTICATION', 'BF-STUB-AUTHENTICATION'],
      vendorKey: [undefined, 'BF-STUB-VENDOR-KEY'],
      noEntry: [undefined, 'BF-UPDATE-REFUSED'],
      optionsFailed: ['BF-STUB-OPTIONS', undefined],
      noRandom: ['BF-TARGET-NO-RANDOM', undefined],
    } as const;
    for (const [name, codes] of Object.entries(pairs) as [keyof typeof pairs, readonly unknown[]][]) {
      assert.deepEqual([told('stub', name), told('loader', name)], codes, name);
    }
    assert.equal(chipError('loader', 99, 0), undefined);
  });

  it('of a plan: the version below the floor and the other product are told as that, by a loader alone', () => {
    const offsets = {
      48: 'BF-LOADER-PRODUCT',
      52: 'BF-LOADER-VERSION',
      56: 'BF-PLAN-MALFORMED',
      8: 'BF-PLAN-MALFORMED',
    };
    for (const [offset, code] of Object.entries(offsets)) {
      assert.equal(told('loader', 'planMalformed', Number(offset)), code);
      assert.equal(told('stub', 'planMalformed', Number(offset)), 'BF-PLAN-MALFORMED');
    }
  });

  it('of a protected sector: where option bytes may be lifted, and where not; an address is no status', () => {
    assert.equal(told('stub', 'flashError', 0x10), 'BF-TARGET-WRITE-PROTECTED');
    assert.equal(told('loader', 'flashError', 0x10), 'BF-LOADER-WRITE-PROTECTED');
    assert.equal(told('loader', 'flashError', 0x80), 'BF-LOADER-FLASH');
    assert.equal(told('loader', 'flashError', 0x08008010), 'BF-LOADER-FLASH');
  });

  it('by a loader is told in words without RAM, probe commands and unlocking, to both sides', () => {
    for (const code of loaderCodes) {
      for (const audience of ['customer', 'vendor'] as const) {
        const { sentence, remedy } = wordingFor(code, audience);
        assert.doesNotMatch(`${sentence} ${remedy}`, /\bRAM\b|unlock|--speed|--lift/, `${code} to the ${audience}`);
      }
    }
  });

  it('has a row of the catalogue for every code', () => {
    for (const { stub, loader } of Object.values(CHIP_ERRORS)) {
      for (const code of [stub, loader]) if (code !== undefined) assert.ok(code in ERRORS, code);
    }
  });
});
