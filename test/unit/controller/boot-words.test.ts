// Which words of an image are written last: those the chip starts from, by the rule of the core and not that of a
// compiler.
import assert from 'node:assert/strict';
import { compileFlash } from '../../../controller/plan/compile.ts';
import { describePlan } from '../../../controller/plan/describe.ts';
import type { BootChoice } from '../../../controller/plan/boot.ts';
import type { Image } from '../../../controller/image/image.ts';
import { STM32F42X } from '../../../shared/chips/index.ts';
import { isBlindflashError } from '../../../shared/errors/errors.ts';
import { imageOf } from '../../fixtures/images.ts';
import { refuses } from '../shared/support.ts';

const FLASH = 0x08000000;
const APPLICATION = FLASH + 0x20000;
const JOB = new Uint8Array(16);

/** A vector table for code that follows it. */
function table(at: number, stack = 0x20030000, entry = at + 0x41): Uint8Array {
  const bytes = new Uint8Array(0x200).fill(0x11);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, stack, true);
  view.setUint32(4, entry, true);
  return bytes;
}

const compile = (image: Image, boot?: BootChoice) => compileFlash(image, STM32F42X, { job: JOB, boot });
const words = (image: Image, boot?: BootChoice) =>
  describePlan(compile(image, boot), STM32F42X, image)
    .filter((line) => /^boot|^ {9}/.test(line))
    .join('\n');

describe('controller: the choice of the boot words', () => {
  it('a loader whose stack is on 4 bytes, or odd, is not passed over for the application behind it', () => {
    for (const stack of [0x20020000, 0x2001fffc, 0x2001ffff, 0x20030002, 0x10010000, 0x20000004]) {
      const image = imageOf([FLASH, table(FLASH, stack)], [APPLICATION, table(APPLICATION)]);
      assert.equal(compile(image).bootAddress, FLASH, stack.toString(16));
    }
  });

  it('an image that covers the start of flash without a table the chip could start from is refused, not begun elsewhere', () => {
    const bad = [
      table(FLASH, 0x20000000),
      table(FLASH, 0x20000003),
      table(FLASH, 0x20030004),
      table(FLASH, 0xffffffff),
      table(FLASH, 0x20030000, FLASH + 0x40),
      table(FLASH, 0x20030000, FLASH + 0x1001),
      Uint8Array.of(1, 2, 3, 4),
    ];
    for (const bytes of bad) {
      const image = imageOf([FLASH, bytes], [APPLICATION, table(APPLICATION)]);
      assert.throws(
        () => compile(image),
        (error) =>
          isBlindflashError(error, 'BF-IMAGE-BOOT-WORDS') &&
          /0x08000000, where the chip starts/.test(error.detail ?? ''),
      );
      assert.equal(compile(image, FLASH).bootAddress, FLASH, 'unless it is named');
    }
  });

  it('nobody is led to write the table the chip starts from before the rest', () => {
    const image = imageOf([FLASH, table(FLASH)], [APPLICATION, table(APPLICATION)]);
    refuses('BF-IMAGE-BOOT-WORDS', () => compile(image, APPLICATION));
    const blank = imageOf([FLASH, new Uint8Array(64).fill(0xff)], [APPLICATION, table(APPLICATION)]);
    assert.equal(compile(blank, APPLICATION).bootAddress, APPLICATION);
    assert.match(
      words(blank, APPLICATION),
      /because --boot names it; at 0x08000000, where the chip starts, the image has no/,
    );
    assert.match(words(blank, APPLICATION), /sector 0 is erased/);
  });

  it('without anything at the start of flash the lowest table is taken, and the plan says so and names the next', () => {
    const second = APPLICATION + 0x20000;
    const image = imageOf(
      [APPLICATION - 0x100, Uint8Array.of(1, 2, 3, 4)],
      [APPLICATION, table(APPLICATION)],
      [second, table(second)],
    );
    assert.equal(compile(image).bootAddress, APPLICATION);
    assert.equal(
      words(image),
      [
        'boot     64 bytes at 0x08020000, written last',
        '         because the image has nothing at 0x08000000, where the chip starts; what is there must start it',
        '         another vector table is at 0x08040000; --boot names which',
      ].join('\n'),
    );
    assert.equal(compile(image, second).bootAddress, second);
  });

  it('a plan that erases what starts the chip and puts nothing there says that the board will not start', () => {
    const image = imageOf([FLASH + 0x400, Uint8Array.of(1, 2, 3, 4)], [APPLICATION, table(APPLICATION)]);
    assert.match(
      words(image),
      /sector 0 is erased, and the image does not start the chip from 0x08000000: it will not start/,
    );
  });

  it('data has none, says so, and stays out of the sector the chip starts from', () => {
    const image = imageOf([FLASH + 0x4000, table(FLASH + 0x4000)], [APPLICATION, Uint8Array.of(1, 2, 3, 4)]);
    const plan = compile(image, 'none');
    assert.deepEqual([plan.bootAddress, plan.sectors], [undefined, [1, 5]]);
    assert.equal(
      words(image, 'none'),
      'boot     none: the image is data, written in order; what the board starts from is not touched',
    );
    refuses('BF-IMAGE-DATA', () => compile(imageOf([FLASH + 0x3ffc, Uint8Array.of(1, 2, 3, 4)]), 'none'));
    refuses('BF-PLAN-OPTIONS', () => compileFlash(image, STM32F42X, { job: JOB, boot: 'none', lock: 'level 1' }));
  });

  it('where the words are those the chip starts from there is nothing to explain', () => {
    assert.equal(words(imageOf([FLASH, table(FLASH)])), 'boot     64 bytes at 0x08000000, written last');
  });
});
