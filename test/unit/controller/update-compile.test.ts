// What goes into an update file (controller/update/compile.ts): images for behind the loader, and no others.
import assert from 'node:assert/strict';
import { compileUpdate } from '../../../controller/update/compile.ts';
import { findChip, STM32F42X } from '../../../shared/chips/index.ts';
import { isBlindflashError, type ErrorCode } from '../../../shared/errors/errors.ts';
import { bootable, imageOf } from '../../fixtures/images.ts';

const OPTIONS = { mode: 'seeded', release: { product: 1, version: 2, floor: 2 } } as const;
const START = 0x08010000;
const F407 = findChip(0x413) as NonNullable<ReturnType<typeof findChip>>;

const coded = (code: ErrorCode, detail: RegExp) => (error: unknown) =>
  isBlindflashError(error, code) && detail.test(error.detail ?? '');

describe('what goes into an update file', () => {
  it('a plan over the sectors behind the loader, erased whatever they read, boot words last, END', () => {
    const image = imageOf([START, bootable(1, 70_000, START)]);
    const { plan, commands } = compileUpdate(image, STM32F42X, OPTIONS);
    assert.deepEqual(plan.plan.sectors, [4, 5]);
    assert.equal(plan.plan.bootAddress, START);
    assert.deepEqual(
      commands.filter(({ name }) => name !== 'IMAGE').map((command) => ({ ...command, root: 0, bootWords: 0 })),
      [
        { name: 'ERASE', sector: 4, root: 0, bootWords: 0 },
        { name: 'ERASE', sector: 5, root: 0, bootWords: 0 },
        { name: 'FINAL', root: 0, bootWords: 0 },
        { name: 'END', root: 0, bootWords: 0 },
      ],
    );
  });

  it('an image that is linked elsewhere is refused with the line for the linker script', () => {
    for (const [address, chip, line] of [
      [0x08000000, STM32F42X, /begins at 0x08000000; .*FLASH \(rx\) : ORIGIN = 0x08010000, LENGTH = 1984K$/],
      [0x08020000, STM32F42X, /begins at 0x08020000/],
      [0x0800c000, F407, /ORIGIN = 0x08010000, LENGTH = 960K$/],
    ] as const) {
      const image = imageOf([address, bootable(1, 2000, address)]);
      assert.throws(() => compileUpdate(image, chip, OPTIONS), coded('BF-IMAGE-BEHIND-LOADER', line));
    }
    const image = imageOf([0x08000000, bootable(1, 2000, 0x08000000)]);
    assert.throws(() => compileUpdate(image, STM32F42X, { ...OPTIONS, flashKiB: 1024 }), /LENGTH = 960K/);
  });

  it('one that begins with no vector table, and a floor above the version, are refused', () => {
    const data = imageOf([START, new Uint8Array(1000)], [0x08020000, bootable(1, 2000, 0x08020000)]);
    assert.throws(() => compileUpdate(data, STM32F42X, OPTIONS), coded('BF-IMAGE-BOOT-WORDS', /0x08010000/));
    const image = imageOf([START, bootable(1, 2000, START)]);
    const release = { product: 1, version: 2, floor: 3 };
    assert.throws(
      () => compileUpdate(image, STM32F42X, { ...OPTIONS, release }),
      coded('BF-UPDATE-MALFORMED', /floor 3/),
    );
  });
});
