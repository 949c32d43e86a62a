// The table of chips: sectors as RM0090 has them (docs/reference/stm32f4.md).
import assert from 'node:assert/strict';
import { CHIPS, eraseTime, requireChip, sectorAt, sectorsOf, STM32F42X } from '../../../shared/chips/index.ts';
import { refuses } from './support.ts';

describe('chips', () => {
  it('F42x sectors are those of RM0090 table 6, spelled out', () => {
    const K = 1024;
    const sectors = sectorsOf(STM32F42X);
    assert.equal(sectors.length, 24);
    const row = (i: number) => [sectors[i].index, sectors[i].bank, sectors[i].base, sectors[i].bytes, sectors[i].snb];
    assert.deepEqual(row(0), [0, 1, 0x08000000, 16 * K, 0]);
    assert.deepEqual(row(3), [3, 1, 0x0800c000, 16 * K, 3]);
    assert.deepEqual(row(4), [4, 1, 0x08010000, 64 * K, 4]);
    assert.deepEqual(row(5), [5, 1, 0x08020000, 128 * K, 5]);
    assert.deepEqual(row(11), [11, 1, 0x080e0000, 128 * K, 11]);
    assert.deepEqual(row(12), [12, 2, 0x08100000, 16 * K, 0x10]);
    assert.deepEqual(row(16), [16, 2, 0x08110000, 64 * K, 0x14]);
    assert.deepEqual(row(23), [23, 2, 0x081e0000, 128 * K, 0x1b]);
    assert.equal(sectorAt(STM32F42X, 0x0800ffff)?.index, 3);
    assert.equal(sectorAt(STM32F42X, 0x08010000)?.index, 4);
    assert.equal(sectorAt(STM32F42X, 0x08200000), undefined);
    assert.equal(sectorAt(STM32F42X, 0x07ffffff), undefined);
    assert.equal(sectorsOf(STM32F42X, 1024).length, 12);
    assert.equal(sectorsOf(STM32F42X, 512).length, 8);
    assert.deepEqual(eraseTime(STM32F42X, sectors[5], 'x32'), { typical: 1000, most: 2000 });
  });

  it('every row: sectors fill the largest flash exactly and DEV_IDs differ', () => {
    for (const chip of CHIPS) {
      const bytes = sectorsOf(chip).reduce((sum, sector) => sum + sector.bytes, 0);
      assert.equal(bytes, chip.flashKiB[0] * 1024, chip.name);
      for (const sizeKiB of chip.flashKiB) {
        assert.equal(
          sectorsOf(chip, sizeKiB).reduce((sum, sector) => sum + sector.bytes, 0),
          sizeKiB * 1024,
          chip.name,
        );
      }
    }
    assert.equal(new Set(CHIPS.map((chip) => chip.devId)).size, CHIPS.length);
    assert.equal(requireChip(0x419).stub, 'stm32f42x');
    refuses('BF-TARGET-WRONG-CHIP', () => requireChip(0x441));
    refuses('BF-TARGET-WRONG-CHIP', () => requireChip(0x999));
  });
});
