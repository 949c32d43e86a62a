// Clock tree, power control and the random number generator (docs/reference/stm32f4.md §3.10, §7, §8.2).
import assert from 'node:assert/strict';
import { ChipFixture, FLASH, MS, RCC } from './chip-fixture.ts';

const RNG = { cr: 0x50060800, sr: 0x50060804, dr: 0x50060808 } as const;
const PWR = { cr: 0x40007000, csr: 0x40007004 } as const;

/** PLL at M 8, N 168, P 2, Q 7 from HSI: SYSCLK 168 MHz, PLL48 48 MHz. */
function startPll(b: ChipFixture): void {
  b.poke(RCC.pllcfgr, 0x07002a08);
  b.poke(RCC.cr, 0x01000083);
  b.wait(0.3 * MS);
}
function withRng(options = {}): ChipFixture {
  const b = new ChipFixture(options);
  startPll(b);
  b.poke(RCC.ahb2enr, 0x40);
  return b;
}

describe('clock control', () => {
  it('starts on HSI at 16 MHz with the documented reset values', () => {
    const b = new ChipFixture();
    assert.equal(b.board.time.hz, 16e6);
    const words = [RCC.cr, RCC.pllcfgr, RCC.cfgr, RCC.ahb1enr, RCC.csr].map((at) => b.peek(at));
    assert.deepEqual(words, [0x83, 0x24003010, 0, 0x00100000, 0x0e000000]);
  });
  it('locks the PLL after 200 µs and switches to 168 MHz', () => {
    const b = new ChipFixture();
    b.poke(FLASH.acr, 5);
    b.poke(RCC.pllcfgr, 0x07002a08);
    b.poke(RCC.cr, 0x01000083);
    b.wait(199_000);
    assert.equal(b.peek(RCC.cr) & 0x02000000, 0);
    b.poke(RCC.cfgr, 0x9402);
    assert.equal(b.peek(RCC.cfgr) & 0xc, 0, 'not ready, not switched');
    b.wait(2_000);
    assert.equal(b.peek(RCC.cfgr) & 0xc, 8);
    assert.equal(Math.round(b.board.time.hz), 168e6);
    const [ns, cycles] = [b.board.time.now, b.board.time.cycles];
    b.wait(MS);
    assert.ok(Math.abs(b.board.time.cycles - cycles - 168_000) <= 1);
    assert.ok(b.board.time.now - ns < MS + 10);
    assert.deepEqual(b.board.warnings, []);
  });
  it('divides HCLK and refuses to stop the oscillator in use', () => {
    const b = new ChipFixture();
    b.poke(RCC.cfgr, 0x80);
    assert.equal(Math.round(b.board.time.hz), 8e6);
    b.poke(RCC.cr, 0);
    assert.equal(b.peek(RCC.cr) & 3, 3);
  });
  for (const [settings, message] of [
    [0x07002a01, /PLLM 1/],
    [0x07000c48, /PLLN 49/],
    [0x01002a08, /PLLQ 1/],
    [0x07007008, /VCO 896 MHz/],
  ] as const) {
    it(`checks PLLCFGR 0x${settings.toString(16)}`, () => {
      const b = new ChipFixture();
      b.poke(RCC.pllcfgr, settings);
      b.poke(RCC.cr, 0x01000083);
      assert.match(b.board.warnings.join(), message);
      const strict = new ChipFixture({ strict: true });
      strict.poke(RCC.pllcfgr, settings);
      strict.faults(() => strict.poke(RCC.cr, 0x01000083));
    });
  }
  it('warns when APB1 runs too fast', () => {
    const b = new ChipFixture();
    b.poke(FLASH.acr, 5);
    startPll(b);
    b.poke(RCC.cfgr, 0x2);
    assert.match(b.board.warnings.join('\n'), /APB1 at 168 MHz exceeds 42/);
    assert.match(b.board.warnings.join('\n'), /APB2 at 168 MHz exceeds 84/);
  });
  it('answers 0 from a peripheral whose clock is off, and warns', () => {
    const b = new ChipFixture();
    b.poke(0x40020414, 0xffff);
    assert.equal(b.peek(0x40020400), 0);
    assert.match(b.board.warnings.join(), /GPIOB was accessed while its clock is off/);
    b.poke(RCC.ahb1enr, 0x00100002);
    assert.equal(b.peek(0x40020400), 0x280);
    assert.equal(b.peek(0x40020414), 0);
  });
});

describe('random number generator', () => {
  const word = (b: ChipFixture) => {
    for (let i = 0; i < 100 && (b.peek(RNG.sr) & 1) === 0; i++) b.wait(100);
    return b.peek(RNG.dr);
  };
  it('gives a word 40 clocks of PLL48 after enabling and after each read', () => {
    const b = withRng();
    b.poke(RNG.cr, 4);
    b.wait(800);
    assert.equal(b.peek(RNG.sr), 0);
    b.wait(100);
    assert.equal(b.peek(RNG.sr), 1);
    b.peek(RNG.dr);
    assert.equal(b.peek(RNG.sr), 0);
    b.wait(900);
    assert.equal(b.peek(RNG.sr), 1);
  });
  it('repeats by seed and differs between words and seeds', () => {
    const draw = (seed: number) => {
      const b = withRng({ seed });
      b.poke(RNG.cr, 4);
      return Array.from({ length: 50 }, () => word(b));
    };
    const [first, again, other] = [draw(1), draw(1), draw(2)];
    assert.deepEqual(first, again);
    assert.equal(new Set([...first, ...other]).size, 100);
  });
  it('never gets ready on HSI alone, and says clock error', () => {
    const b = new ChipFixture();
    b.poke(RCC.ahb2enr, 0x40);
    b.poke(RNG.cr, 4);
    b.wait(MS);
    assert.equal(b.peek(RNG.sr), 0x22);
  });
  it('takes word accesses only', () => {
    const b = withRng();
    b.faults(() => b.peek(RNG.sr, 1));
  });
  it('shows injected faults the way the manual describes them', () => {
    const flags = (['stuck', 'no-clock', 'seed-error'] as const).map((fault) => {
      const b = withRng();
      b.board.rng.fault = fault;
      b.poke(RNG.cr, 4);
      b.wait(MS);
      return b.peek(RNG.sr);
    });
    assert.deepEqual(flags, [0x00, 0x22, 0x44]);
  });
  it('recovers from a seed error by clearing SEIS and enabling again', () => {
    const b = withRng();
    b.board.rng.fault = 'seed-error';
    b.poke(RNG.cr, 4);
    b.board.rng.fault = undefined;
    b.poke(RNG.sr, 0);
    assert.equal(b.peek(RNG.sr) & 0x44, 0x04);
    b.poke(RNG.cr, 0);
    b.poke(RNG.cr, 4);
    b.wait(1000);
    assert.equal(b.peek(RNG.sr), 1);
  });
  it('repeats one word on demand', () => {
    const b = withRng();
    b.poke(RNG.cr, 4);
    word(b);
    b.board.rng.fault = 'repeating';
    assert.equal(word(b), word(b));
  });
  it('keeps a finished word when disabled', () => {
    const b = withRng();
    b.poke(RNG.cr, 4);
    b.wait(1000);
    b.poke(RNG.cr, 0);
    assert.equal(b.peek(RNG.sr), 1);
    assert.notEqual(b.peek(RNG.dr), 0);
  });
});

describe('power control', () => {
  const on = (options = {}) => {
    const b = new ChipFixture(options);
    b.poke(RCC.apb1enr, 0x10000000);
    return b;
  };
  it('compares the supply with each detector level, 30 µs late', () => {
    const LEVELS = [2.0, 2.1, 2.3, 2.5, 2.6, 2.7, 2.8, 2.9];
    LEVELS.forEach((volts, pls) => {
      for (const [supply, expected] of [
        [volts + 0.02, 0],
        [volts - 0.02, 4],
      ] as const) {
        const b = on({ supplyVolts: supply });
        b.poke(PWR.cr, 0xc010 | (pls << 5));
        b.wait(29_000);
        assert.equal(b.peek(PWR.csr) & 4, 0);
        b.wait(2_000);
        assert.equal(b.peek(PWR.csr) & 4, expected, `level ${pls} at ${supply} V`);
      }
    });
  });
  it('notices a dip while running and its end', () => {
    const b = on();
    b.poke(PWR.cr, 0xc0f0);
    b.board.supplyVolts = 2.75;
    b.wait(31_000);
    assert.equal(b.peek(PWR.csr) & 4, 4);
    b.board.supplyVolts = 3.3;
    b.wait(31_000);
    assert.equal(b.peek(PWR.csr) & 4, 0);
  });
  it('gates backup registers and backup SRAM writes with DBP', () => {
    const b = on();
    b.poke(RCC.ahb1enr, 0x00140000);
    const before = b.peek(0x40024000);
    b.poke(0x40002850, 0x1234);
    b.poke(0x40024000, before ^ 1);
    assert.equal(b.peek(0x40002850), 0);
    assert.equal(b.peek(0x40024000), before);
    b.poke(PWR.cr, 0xc100);
    b.poke(0x40002850, 0x1234);
    b.poke(0x40024000, before ^ 1);
    assert.equal(b.peek(0x40002850), 0x1234);
    assert.equal(b.peek(0x40024000), (before ^ 1) >>> 0);
  });
  it('reaches over-drive and readies the backup regulator', () => {
    const b = on();
    b.poke(PWR.cr, 0x1c100);
    b.wait(MS);
    assert.equal(b.peek(PWR.csr) & 0x30000, 0x10000);
    b.poke(PWR.cr, 0x3c100);
    b.poke(PWR.csr, 0x200);
    b.wait(MS);
    assert.equal(b.peek(PWR.csr) & 0x30208, 0x30208);
  });
});
