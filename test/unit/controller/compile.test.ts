// Plan compiler and steps: sectors, ranges, boot words, digests, and that nothing but the plan
// decides how much is sent.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import {
  compileErase,
  compileFlash,
  compileInfo,
  compileReset,
  compileVerify,
} from '../../../controller/plan/compile.ts';
import { estimate } from '../../../controller/plan/estimate.ts';
import { readImage, type Image } from '../../../controller/image/image.ts';
import { tidySegments } from '../../../controller/image/segments.ts';
import {
  bootSector,
  coversSector,
  expectedDigests,
  finalStep,
  imageBytes,
  imageSteps,
} from '../../../controller/plan/steps.ts';
import { sectorsOf, STM32F42X } from '../../../shared/chips/index.ts';
import { decodePlan, encodePlan } from '../../../shared/plan/plan.ts';
import { checkPlan } from '../../../shared/plan/rules.ts';
import { refuses, seeded } from '../shared/support.ts';
import { sampleImage } from './job-fixture.ts';
import { FLASH } from '../../fixtures/images.ts';

const JOB = Uint8Array.from({ length: 16 }, (_, i) => i);
const options = { job: JOB };

function imageAt(...parts: [number, Uint8Array][]): Image {
  const segments = tidySegments(parts.map(([address, bytes]) => ({ address, bytes })));
  return { format: 'bin', segments, length: segments.reduce((sum, { bytes }) => sum + bytes.length, 0) };
}

/** A vector table for code that follows it. */
function vectors(at: number, length = 512, stack = 0x20030000): Uint8Array {
  const bytes = new Uint8Array(length).fill(0x11);
  new DataView(bytes.buffer).setUint32(0, stack, true);
  new DataView(bytes.buffer).setUint32(4, at + 9, true);
  return bytes;
}

describe('controller: compiling a plan', () => {
  it('erases what the image touches and cuts ranges at sector boundaries', () => {
    const image = imageAt([FLASH, vectors(FLASH, 0x4000 + 100)], [FLASH + 0x100000 + 0x3ff0, new Uint8Array(32)]);
    const plan = compileFlash(image, STM32F42X, options);
    assert.deepEqual(plan.sectors, [0, 1, 12, 13]);
    assert.deepEqual(
      plan.ranges.map(({ address, length }) => [address, length]),
      [
        [0x08000000, 0x4000],
        [0x08004000, 100],
        [0x08103ff0, 16],
        [0x08104000, 16],
      ],
    );
    assert.equal(plan.bootAddress, FLASH);
    assert.equal(bootSector(plan, STM32F42X), 0);
    checkPlan(decodePlan(encodePlan(plan)), STM32F42X);
  });

  it('under --delta the rest of every sector but the boot words’ is checked, so that a skipped sector is proven whole', () => {
    const parts: [number, Uint8Array][] = [
      [FLASH, vectors(FLASH, 600)],
      [FLASH + 0x4000, new Uint8Array(0x4000)],
      [FLASH + 0x8010, new Uint8Array(16)],
      [FLASH + 0x8030, new Uint8Array(16)],
    ];
    const plan = compileFlash(imageAt(...parts), STM32F42X, { ...options, delta: true });
    assert.deepEqual(
      plan.ranges.map(({ address, length, use }) => [address - FLASH, length, use]),
      [
        [0, 600, 'program'],
        [0x4000, 0x4000, 'program'],
        [0x8000, 16, 'digest'],
        [0x8010, 16, 'program'],
        [0x8020, 16, 'digest'],
        [0x8030, 16, 'program'],
        [0x8040, 0x3fc0, 'digest'],
      ],
    );
    const plain = compileFlash(imageAt(...parts), STM32F42X, options);
    assert.deepEqual(
      plain.ranges,
      plan.ranges.filter(({ use }) => use === 'program'),
    );
    assert.deepEqual(plain.sectors, plan.sectors);
    const covered = expectedDigests(plan, imageAt(...parts), STM32F42X);
    assert.deepEqual(
      [0, 1, 2].map((sector) => coversSector(covered, sector, 0x4000)),
      [false, true, true],
    );
  });

  it('under --delta a sector whose rests no longer fit into the plan goes without them, and the plan stays a good one', () => {
    const pieces = Array.from({ length: 40 }, (_, i): [number, Uint8Array] => [
      FLASH + 0x4000 + 64 * i,
      new Uint8Array(16),
    ]);
    const image = imageAt([FLASH, vectors(FLASH)], ...pieces, [FLASH + 0x8000, new Uint8Array(16)]);
    const plan = compileFlash(image, STM32F42X, { ...options, delta: true });
    checkPlan(decodePlan(encodePlan(plan)), STM32F42X);
    const covered = expectedDigests(plan, image, STM32F42X);
    assert.deepEqual(
      [1, 2].map((sector) => coversSector(covered, sector, 0x4000)),
      [false, true],
    );
  });

  it('is a function of its arguments alone', () => {
    const image = sampleImage();
    const once = encodePlan(compileFlash(image, STM32F42X, options));
    assert.deepEqual(encodePlan(compileFlash(image, STM32F42X, options)), once);
  });

  it('makes room for 64 boot words in a shorter segment', () => {
    const plan = compileFlash(imageAt([FLASH, vectors(FLASH, 16)]), STM32F42X, options);
    assert.deepEqual(plan.ranges, [{ address: FLASH, length: 64, use: 'program' }]);
    const near = imageAt([FLASH, vectors(FLASH, 16)], [FLASH + 32, new Uint8Array(64)]);
    assert.deepEqual(compileFlash(near, STM32F42X, options).ranges, [{ address: FLASH, length: 96, use: 'program' }]);
  });

  it('fills the smallest gaps when there are more than 64 parts, and only inside sectors', () => {
    const parts: [number, Uint8Array][] = [[FLASH, vectors(FLASH)]];
    for (let i = 0; i < 100; i++) parts.push([FLASH + 0x4000 + 16 * i + (i > 50 ? 64 : 0), Uint8Array.of(i, i, i, i)]);
    const plan = compileFlash(imageAt(...parts), STM32F42X, options);
    assert.equal(plan.ranges.length, 64);
    // 101 parts, 37 of the 12-byte gaps closed; the wide gap is still there.
    assert.ok(plan.ranges.some(({ address }) => address === FLASH + 0x4000 + 16 * 51 + 64));
    checkPlan(plan, STM32F42X);
    const many: [number, Uint8Array][] = [[FLASH, vectors(FLASH)]];
    for (let i = 0; i < 30_000; i++) many.push([FLASH + 0x4000 + 8 * i, Uint8Array.of(1)]);
    assert.equal(compileFlash(imageAt(...many), STM32F42X, options).ranges.length, 64);
  });

  it('refuses modes this version does not have and policies it cannot meet', () => {
    const image = sampleImage();
    refuses('BF-JOB-POLICY', () => compileFlash(image, STM32F42X, { ...options, minimumMode: 'seeded' }));
    refuses('BF-JOB-POLICY', () => compileFlash(image, STM32F42X, { ...options, mode: 'open' }));
    compileFlash(image, STM32F42X, { ...options, minimumMode: 'open' });
  });

  it('makes the other kinds within the rules of all sides', () => {
    const verify = compileVerify(sampleImage(), STM32F42X, options);
    assert.deepEqual([verify.sectors, verify.bootAddress], [[], undefined]);
    assert.ok(verify.ranges.every(({ use }) => use === 'digest'));
    assert.equal(compileErase(STM32F42X, options).sectors.length, 24);
    assert.equal(compileErase(STM32F42X, { ...options, flashKiB: 1024 }).sectors.length, 12);
    refuses('BF-PLAN-RANGE', () => compileErase(STM32F42X, { ...options, flashKiB: 1024, sectors: [12] }));
    assert.equal(compileInfo(STM32F42X, options).flashKiB, 0);
    assert.equal(compileReset(STM32F42X, options).finalAction, 'run');
    refuses('BF-PLAN-TOO-LONG', () => encodePlan(compileInfo(STM32F42X, { ...options, label: 'ö'.repeat(33) })));
  });

  it('refuses an image for another flash size', () => {
    const image = imageAt([FLASH, vectors(FLASH)], [FLASH + 0x100000, new Uint8Array(4)]);
    refuses('BF-IMAGE-OUTSIDE-FLASH', () => compileFlash(image, STM32F42X, { ...options, flashKiB: 1024 }));
  });

  it('estimates by the data sheet', () => {
    const plan = compileFlash(imageAt([FLASH, vectors(FLASH, 4000)]), STM32F42X, options);
    assert.deepEqual(estimate(plan, STM32F42X), {
      erase: { typical: 250, most: 500 },
      program: { typical: 16, most: 100 },
    });
  });
});

describe('controller: steps', () => {
  const image = sampleImage();
  const plan = compileFlash(image, STM32F42X, options);
  const expected = expectedDigests(plan, image, STM32F42X);
  const framesOf = (of: Image) => plan.sectors.flatMap((sector) => [...imageSteps(plan, of, expected, sector)]);

  it('commands carry every byte of the ranges once, ascending, but for the boot words', () => {
    const flash = new Map<number, number>();
    let last = 0;
    for (const { address, data } of framesOf(image)) {
      assert.ok(address >= last && data.length % 4 === 0 && data.length >= 4 && data.length <= 4032);
      last = address + data.length;
      data.forEach((byte, i) => flash.set(address + i, byte));
    }
    for (const { address, bytes } of image.segments) {
      bytes.forEach((byte, i) => {
        const at = address + i;
        const isBoot = at >= FLASH && at < FLASH + 64;
        assert.equal(flash.get(at), isBoot ? undefined : byte);
      });
    }
    assert.equal(flash.size, imageBytes(plan, expected));
  });

  it('images of equal size give equal commands but for their contents, FF or not', () => {
    const shape = (of: Image) => framesOf(of).map(({ address, data }) => [address, data.length]);
    const blank = imageAt(
      ...image.segments.map(({ address, bytes }): [number, Uint8Array] => [
        address,
        new Uint8Array(bytes.length).fill(0xff),
      ]),
    );
    assert.deepEqual(shape(blank), shape(image));
    assert.deepEqual(shape(sampleImage('other')), shape(image));
  });

  it('digests and roots are those of plain SHA-512', () => {
    const sha = (...parts: Uint8Array[]) => {
      const hash = createHash('sha512');
      for (const part of parts) hash.update(part);
      return new Uint8Array(hash.digest());
    };
    const before = new Uint8Array(image.segments[0].bytes).fill(0xff, 0, 64);
    assert.deepEqual(expected.ranges[0].before, sha(before));
    assert.deepEqual(expected.ranges[0].after, sha(image.segments[0].bytes));
    assert.deepEqual(expected.ranges[1].before, expected.ranges[1].after);
    const word = (value: number) => Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
    const list = expected.ranges.flatMap((range) => [word(range.address), word(range.length), range.before]);
    assert.deepEqual(expected.rootBefore, sha(new TextEncoder().encode('blindflash/2 root'), word(3), ...list));
    assert.notDeepEqual(expected.rootAfter, expected.rootBefore);
    const final = finalStep(plan, image, expected);
    assert.ok(final.name === 'FINAL');
    assert.deepEqual(final.bootWords, image.segments[0].bytes.slice(0, 64));
  });

  it('boot words in the middle of a range split its commands around them', () => {
    const boot = FLASH + 0x4100;
    const late = imageAt([FLASH + 0x4000, new Uint8Array(0x400).fill(1)]);
    const other = compileFlash(late, STM32F42X, { ...options, boot });
    const steps = [...imageSteps(other, late, expectedDigests(other, late, STM32F42X), 1)];
    const spans = steps.slice(0, 3).map(({ address, data }) => [address, data.length]);
    assert.deepEqual(spans, [
      [FLASH + 0x4000, 160],
      [FLASH + 0x40a0, 96],
      [boot + 64, 0x300 - 64],
    ]);
  });

  it('any image that compiles keeps the rules of all sides', () => {
    const sectors = sectorsOf(STM32F42X);
    const part = fc.tuple(fc.nat(2048 * 1024 - 1), fc.integer({ min: 1, max: 9000 }));
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (spans) => {
        const segments: [number, Uint8Array][] = [[FLASH, vectors(FLASH)]];
        let end = 1024;
        for (const [start, length] of [...spans].sort((a, b) => a[0] - b[0])) {
          if (start >= end && start + length <= 2048 * 1024) {
            segments.push([FLASH + start, seeded(`${start}`).bytes(length)]);
            end = start + length;
          }
        }
        const some = imageAt(...segments);
        const compiled = compileFlash(some, STM32F42X, options);
        checkPlan(compiled, STM32F42X);
        const digests = expectedDigests(compiled, some, STM32F42X);
        const sent = sectors.flatMap(({ index }) => [...imageSteps(compiled, some, digests, index)]);
        const bytes = sent.reduce((sum, { data }) => sum + data.length, 0);
        assert.equal(bytes, compiled.ranges.reduce((sum, { length }) => sum + length, 0) - 64);
      }),
      { numRuns: 60 },
    );
  });

  it('compiles the example', () => {
    const url = new URL('../../../examples/bootloader/prebuilt/combined.elf', import.meta.url);
    return import('node:fs').then(({ readFileSync }) => {
      const example = compileFlash(readImage(readFileSync(url)), STM32F42X, options);
      assert.deepEqual([example.bootAddress, example.sectors], [FLASH, [0, 5]]);
    });
  });
});
