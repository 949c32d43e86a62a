// Chips as people have them: strapped to system memory, in two banks, write-protected, with programs that reset
// themselves or take the debug pins (docs/simulation.md; docs/reference/stm32f4.md §2.3, §2.5, §3.4).
import assert from 'node:assert/strict';
import { ChipFixture, FLASH, MS, RCC } from '../chip/chip-fixture.ts';
import { SeenFixture, ENTER, NRST_HIGH, NRST_LOW, poke, program } from './seen-fixture.ts';

const SPIN = 0xe7fe;
const DB1M = 0x4fffaaed;
const OLD = new Uint8Array(0x100000).fill(0x5a);
const MASS = { low: 0x204, both: 0x8204 } as const;

function massErase(b: ChipFixture, bits: number): void {
  b.unlock();
  b.poke(FLASH.cr, bits);
  b.poke(FLASH.cr, bits | 0x10000);
}
const erased = (b: ChipFixture): number[] =>
  b.board.flash.array.sectors.filter(({ offset }) => b.board.flash.bytes[offset] === 0xff).map(({ index }) => index);

describe('a part of 1 MB', () => {
  it('has sectors 0-11 in one bank, and with DB1M 0-7 and 12-19 in two', () => {
    const table = (optcr: number): number[][] => {
      const b = new ChipFixture({ chip: 'stm32f427xg', optcr });
      return b.board.flash.array.sectors.map(({ index, offset, size, bank }) => [
        index,
        offset >> 10,
        size >> 10,
        bank,
      ]);
    };
    const one = table(0x0fffaaed);
    assert.equal(one.length, 12);
    assert.deepEqual(one.at(-1), [11, 896, 128, 0]);
    const two = table(DB1M);
    assert.deepEqual(
      two.map(([index]) => index),
      [0, 1, 2, 3, 4, 5, 6, 7, 12, 13, 14, 15, 16, 17, 18, 19],
    );
    assert.deepEqual(two[8], [12, 512, 16, 1]);
    assert.deepEqual(two.at(-1), [19, 896, 128, 1]);
  });

  it('takes DB1M over at the reset, not before; a saved board keeps its banks', () => {
    const b = new ChipFixture({ chip: 'stm32f427xg' });
    b.board.options.load(DB1M, 0x0fff0000);
    assert.equal(b.board.flash.array.sectors.length, 12);
    b.board.assertNrst();
    b.board.releaseNrst();
    const saved = b.board.snapshot();
    const other = new ChipFixture({ chip: 'stm32f427xg' });
    other.board.restore(saved);
    assert.equal(other.board.flash.array.sectors.length, 16);
  });

  it('with DB1M erases the upper half by its new numbers; by the old ones nothing happens and nothing tells', () => {
    const b = new ChipFixture({ chip: 'stm32f427xg', optcr: DB1M, flash: OLD });
    b.unlock();
    b.erase(9);
    assert.deepEqual([b.busy, b.sr], [false, 0]);
    b.erase(0x11);
    b.wait(251 * MS);
    assert.deepEqual(erased(b), [13]);
    assert.equal(b.board.flash.bytes[0x84000], 0xff);
  });

  it('with DB1M reads one bank while the other erases', () => {
    const b = new ChipFixture({ chip: 'stm32f427xg', optcr: DB1M, flash: OLD });
    b.unlock();
    b.erase(0x10);
    const before = b.board.time.now;
    assert.equal(b.peek(0x08000000), 0x5a5a5a5a);
    assert.ok(b.busy && b.board.time.now - before < MS);
    b.peek(0x08080000);
    assert.ok(!b.busy);
  });

  it('in one bank does nothing for MER1 alone', () => {
    const b = new ChipFixture({ chip: 'stm32f427xg', flash: OLD });
    massErase(b, 0x8200);
    assert.deepEqual([b.busy, erased(b)], [false, []]);
  });
});

describe('mass erase', () => {
  it('takes 8 s at x32 for both banks, and leaves option bytes and OTP alone', () => {
    const b = new ChipFixture({ flash: new Uint8Array(0x200000) });
    massErase(b, MASS.both);
    b.wait(7999 * MS);
    assert.ok(b.busy);
    b.wait(2 * MS);
    assert.ok(!b.busy);
    assert.equal(erased(b).length, 24);
    assert.equal(b.peek(FLASH.optcr), 0x0fffaaed);
  });
  it('is refused while one sector is write-protected; of a bank, while one of that bank is', () => {
    const b = new ChipFixture({ flash: new Uint8Array(0x200000), optcr1: 0x0ffe0000 });
    massErase(b, MASS.both);
    assert.deepEqual([b.sr, b.busy], [0x10, false]);
    b.clearSr();
    b.poke(FLASH.cr, MASS.low | 0x10000);
    assert.deepEqual([b.sr & 0xff, b.busy], [0, true]);
  });
});

describe('write protection from the shelf', () => {
  for (const [what, optcr] of [
    ['nWRP bits', 0x0ffcaaed],
    ['PCROP', 0x8003aaed],
  ] as const) {
    it(`${what} of sectors 0 and 1 refuse erase and program with WRPERR, sector 2 takes both`, () => {
      const b = new ChipFixture({ flash: OLD, optcr, optcr1: what === 'PCROP' ? 0 : 0x0fff0000 });
      b.unlock();
      for (const sector of [0, 1]) {
        b.erase(sector);
        assert.deepEqual([b.sr & 0x10, b.busy], [0x10, false]);
        b.clearSr();
        b.programMode();
        b.poke(0x08000000 + 0x4000 * sector, 0);
        assert.equal(b.sr & 0x10, 0x10);
        b.clearSr();
      }
      b.erase(2);
      b.wait(251 * MS);
      assert.equal(b.sr, 0);
      b.programMode();
      b.program(0x08008000, 0x12345678);
      assert.deepEqual([b.sr, b.peek(0x08008000)], [0, 0x12345678]);
    });
  }
});

describe('boot pins', () => {
  it('with BOOT0 high the core runs in system memory, a reset later in flash', () => {
    const fixture = new SeenFixture({ flash: program([], SPIN), boot: 'system' });
    fixture.attach();
    fixture.ask(poke(0xe000edf0, 0xa05f0003));
    assert.equal(fixture.board.core.regs[15]! >>> 16, 0x1fff);
    fixture.board.boot = 'flash';
    fixture.ask(poke(0xe000edf0, 0xa05f0001));
    fixture.ask(NRST_LOW);
    fixture.ask(NRST_HIGH);
    assert.equal(fixture.board.core.regs[15], 0x08000100);
  });
});

describe('residents', () => {
  const catchIt = (fixture: SeenFixture): void => {
    fixture.ask(NRST_LOW);
    fixture.attach();
    fixture.ask(poke(0xe000edf0, 0xa05f0001));
    fixture.ask(poke(0xe000edfc, 1));
    fixture.ask(NRST_HIGH);
    fixture.wait(MS);
    assert.ok(fixture.board.core.halted);
    assert.equal(fixture.board.core.regs[15], 0x08000100);
  };

  it('one that resets itself for ever is caught under reset, and by its vector without the wire', () => {
    const image = program([[0xe000ed0c, 0x05fa0004]], SPIN);
    const fixture = new SeenFixture({ flash: image });
    const flags = fixture.board.soc.rcc.read(0x74, 4, 'debugger');
    assert.equal(flags & 0x10000000, 0x10000000, 'SFTRSTF');
    catchIt(fixture);
    const wireless = new SeenFixture({ flash: image }, { switches: { nrstWired: false } });
    wireless.attach();
    wireless.ask(poke(0xe000edf0, 0xa05f0001));
    wireless.ask(poke(0xe000edfc, 1));
    wireless.wait(MS);
    assert.ok(wireless.board.core.halted, 'the next of its resets is the last');
  });

  it('one that takes the debug pins is silent on the wire until it is reset, and caught under reset', () => {
    const fixture = new SeenFixture({
      flash: program(
        [
          [RCC.ahb1enr, 0x00100001],
          [0x40020000, 0x14000000],
        ],
        SPIN,
      ),
    });
    assert.equal(fixture.status(ENTER), '09');
    catchIt(fixture);
  });
});
