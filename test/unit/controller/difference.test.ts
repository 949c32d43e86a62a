// Where a chip differs: pieces as small as the stub answers about, never more questions than there are, and words that
// blame padding where there is some.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describeDifference, placeQuestions } from '../../../controller/job/difference.ts';
import { compileVerify } from '../../../controller/plan/compile.ts';
import { expectedDigests } from '../../../controller/plan/steps.ts';
import { STM32F42X } from '../../../shared/chips/index.ts';
import { checkPlan } from '../../../shared/plan/rules.ts';
import { FLASH, imageOf } from '../../fixtures/images.ts';
import { seededRandom } from '../../fixtures/seeded.ts';

const noise = (length: number) =>
  seededRandom(length)
    .bytes(length)
    .map((byte) => byte | 1);
const planned = (...parts: (readonly [number, Uint8Array])[]) => {
  const image = imageOf(...parts);
  const plan = compileVerify(image, STM32F42X, { job: new Uint8Array(16), where: true });
  checkPlan(plan, STM32F42X);
  return { image, plan, expected: expectedDigests(plan, image, STM32F42X) };
};

describe('controller: where a chip differs', () => {
  it('pieces are at least 1024 bytes and at most 64, and together they are the image', () => {
    const part = fc.tuple(fc.nat(0x1f_ffff), fc.integer({ min: 1, max: 60_000 }));
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), fc.integer({ min: 0, max: 256 }), (spans, left) => {
        const parts: (readonly [number, Uint8Array])[] = [];
        let end = 0;
        for (const [start, words] of [...spans].sort((a, b) => a[0] - b[0])) {
          const [at, length] = [start - (start % 4), 4 * Math.ceil(words / 4)];
          if (at >= end && at + length <= 0x20_0000) parts.push([FLASH + at, new Uint8Array(length)]);
          if (parts.at(-1)?.[0] === FLASH + at) end = at + length + 4;
        }
        if (parts.length === 0) return;
        const { image, plan, expected } = planned(...parts);
        const sizes = plan.ranges.map(({ length }) => length);
        assert.equal(
          sizes.reduce((sum, length) => sum + length, 0),
          image.length,
        );
        const questions = placeQuestions(expected, left);
        assert.ok(questions.length <= Math.min(left, 64));
        const bytes = questions.map(({ first, count }) =>
          sizes.slice(first, first + count).reduce((sum, length) => sum + length, 0),
        );
        assert.ok(bytes.every((length) => length >= 1024));
        assert.ok(questions.length === 0 || bytes.reduce((sum, length) => sum + length, 0) === image.length);
      }),
      { numRuns: 200 },
    );
  });

  it('names neighbours as one stretch, how many bytes, and that the rest is equal', () => {
    const { image, expected } = planned([FLASH, noise(0x4000)], [FLASH + 0x20000, noise(0x800)]);
    const questions = placeQuestions(expected, 256);
    assert.equal(questions.length, 18);
    const answers = questions.map((_, index) => ![2, 3, 17].includes(index));
    assert.equal(
      describeDifference(expected, image, questions, answers),
      'in 0x08000800..0x08000fff, 0x08020400..0x080207ff, 3072 of 18432 bytes; all else is equal',
    );
  });

  it('says how much of it is padding', () => {
    const bytes = noise(0x1000);
    bytes.fill(0xff, 0x410, 0x430).fill(0, 0x7f0, 0x800).fill(0, 0x500, 0x50f).fill(0xff, 0, 0x100);
    const { image, expected } = planned([FLASH, bytes]);
    const questions = placeQuestions(expected, 256);
    const text = describeDifference(expected, image, questions, [true, false, true, true]);
    assert.match(
      text,
      /^in 0x08000400\.\.0x080007ff, 1024 of 4096 bytes; all else is equal; 48 bytes of the image there are padding/,
    );
  });

  it('says when no smaller part can be asked about, and when every part is equal after all', () => {
    const { image, expected } = planned([FLASH, noise(1500)]);
    assert.deepEqual(placeQuestions(expected, 256), []);
    assert.match(describeDifference(expected, image, [], []), /^something among 1500 bytes; no smaller part/);
    const larger = planned([FLASH, noise(4096)]);
    const questions = placeQuestions(larger.expected, 256);
    assert.match(
      describeDifference(
        larger.expected,
        larger.image,
        questions,
        questions.map(() => true),
      ),
      /equal now/,
    );
    assert.deepEqual(placeQuestions(larger.expected, 1), []);
  });
});
