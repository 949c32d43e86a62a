// The other parts of the family: identity, memories and flash registers as documented (docs/reference/stm32f4.md §1.4,
// §2.3, §3.1).
import assert from 'node:assert/strict';
import type { ChipName } from '../../../../sim/chips/stm32f4.ts';
import { BusFault } from '../../../../sim/bus.ts';
import { ChipFixture, FLASH, RCC } from './chip-fixture.ts';

const faults = (work: () => void): void => assert.throws(work, BusFault);

interface Row {
  readonly chip: ChipName;
  readonly devId: number;
  readonly flashKb: number;
  readonly sectors: number;
  readonly sramKb: number;
  readonly ccm: boolean;
  readonly rng: boolean;
  /** FLASH_CR after all ones were written to an unlocked register, without LOCK and STRT. */
  readonly crBits: number;
}

const SINGLE_CR = 0x0300037f;
const DUAL_CR = 0x030083ff;
const ROWS: readonly Row[] = [
  { chip: 'stm32f405', devId: 0x413, flashKb: 1024, sectors: 12, sramKb: 128, ccm: true, rng: true, crBits: SINGLE_CR },
  { chip: 'stm32f407', devId: 0x413, flashKb: 1024, sectors: 12, sramKb: 128, ccm: true, rng: true, crBits: SINGLE_CR },
  { chip: 'stm32f427', devId: 0x419, flashKb: 2048, sectors: 24, sramKb: 192, ccm: true, rng: true, crBits: DUAL_CR },
  { chip: 'stm32f429', devId: 0x419, flashKb: 2048, sectors: 24, sramKb: 192, ccm: true, rng: true, crBits: DUAL_CR },
  { chip: 'stm32f439', devId: 0x419, flashKb: 2048, sectors: 24, sramKb: 192, ccm: true, rng: true, crBits: DUAL_CR },
  { chip: 'stm32f446', devId: 0x421, flashKb: 512, sectors: 8, sramKb: 128, ccm: false, rng: false, crBits: SINGLE_CR },
  { chip: 'stm32f469', devId: 0x434, flashKb: 2048, sectors: 24, sramKb: 320, ccm: true, rng: true, crBits: DUAL_CR },
  { chip: 'stm32f411', devId: 0x431, flashKb: 512, sectors: 8, sramKb: 128, ccm: false, rng: false, crBits: SINGLE_CR },
  { chip: 'stm32f401', devId: 0x433, flashKb: 512, sectors: 8, sramKb: 96, ccm: false, rng: false, crBits: SINGLE_CR },
  {
    chip: 'stm32f401xc',
    devId: 0x423,
    flashKb: 256,
    sectors: 6,
    sramKb: 64,
    ccm: false,
    rng: false,
    crBits: SINGLE_CR,
  },
];

describe('F4 family', () => {
  for (const row of ROWS) {
    it(`${row.chip}: identity, memories, sectors, RNG and FLASH_CR`, () => {
      const chip = new ChipFixture({ chip: row.chip });
      assert.equal(chip.peek(0xe0042000) & 0xfff, row.devId);
      assert.equal(chip.peek(0x1fff7a22, 2), row.flashKb);
      assert.equal(chip.board.flash.array.sectors.length, row.sectors);
      assert.equal(
        chip.board.flash.array.sectors.reduce((sum, { size }) => sum + size, 0),
        row.flashKb * 1024,
      );
      chip.poke(0x20000000 + row.sramKb * 1024 - 4, 0x5a5a5a5a);
      assert.equal(chip.peek(0x20000000 + row.sramKb * 1024 - 4), 0x5a5a5a5a);
      faults(() => chip.peek(0x20000000 + row.sramKb * 1024));
      if (row.ccm) chip.poke(0x10000000, 1);
      else faults(() => chip.poke(0x10000000, 1));
      if (row.rng) chip.peek(0x50060800);
      else faults(() => chip.peek(0x50060800));
      chip.unlock();
      chip.poke(FLASH.cr, 0x7ffeffff);
      assert.equal(chip.peek(FLASH.cr) >>> 0, row.crBits);
    });
  }

  it('shows no second option register and no PCROP on the F405, and the WRP bits of the sectors that exist', () => {
    const chip = new ChipFixture({ chip: 'stm32f405' });
    assert.equal(chip.peek(FLASH.optcr1), 0);
    faults(() => chip.peek(0x1ffec008, 2));
    chip.unlockOptions();
    chip.poke(FLASH.optcr1, 0);
    assert.equal(chip.peek(FLASH.optcr1), 0);
    chip.poke(FLASH.optcr, 0xffffaafc);
    assert.equal(chip.peek(FLASH.optcr) >>> 0, 0x0fffaaec);
    // docs/reference/stm32f4.md §3.1: a fresh 512 KiB F411.
    assert.equal(new ChipFixture({ chip: 'stm32f411' }).peek(FLASH.optcr) & 0x0fff0000, 0x00ff0000);
  });

  it('a program written for the F42x is told on a strict F405 what that part does not have', () => {
    const PWR_CR = 0x40007000;
    const SCALE_1 = { wide: 0xc000, narrow: 0x4000 } as const;
    const works = new ChipFixture({ chip: 'stm32f427', strict: true });
    const strict = new ChipFixture({ chip: 'stm32f405', strict: true });
    for (const chip of [works, strict]) chip.poke(RCC.apb1enr, 1 << 28);
    works.poke(PWR_CR, SCALE_1.wide);
    faults(() => strict.poke(PWR_CR, SCALE_1.wide));
    assert.equal(strict.peek(PWR_CR) & 0xc000, SCALE_1.narrow, 'scale 1 after a reset');
    works.peek(FLASH.optcr1);
    faults(() => strict.peek(FLASH.optcr1));
    faults(() => strict.poke(FLASH.optcr1, 0));
    works.poke(FLASH.sr, 0x1f2);
    faults(() => strict.poke(FLASH.sr, 0x1f2));
    strict.poke(FLASH.sr, 0x0f2);
    works.poke(FLASH.acr, 8);
    strict.poke(FLASH.acr, 8);
    assert.deepEqual([works.peek(FLASH.acr), strict.peek(FLASH.acr)], [8, 0], 'LATENCY has three bits');
  });
});
