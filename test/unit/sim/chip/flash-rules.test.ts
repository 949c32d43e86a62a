// The flash controller obeys every rule of docs/reference/stm32f4.md §3, by register pokes through the bus.
import assert from 'node:assert/strict';
import { ChipFixture, FLASH, MS } from './chip-fixture.ts';

describe('flash: lock', () => {
  it('shows the documented reset values', () => {
    const b = new ChipFixture();
    const words = [FLASH.acr, FLASH.keyr, FLASH.sr, FLASH.cr, FLASH.optcr, FLASH.optcr1].map((at) => b.peek(at));
    assert.deepEqual(words, [0, 0, 0, 0x80000000, 0x0fffaaed, 0x0fff0000]);
  });
  it('opens with the two keys and closes by LOCK', () => {
    const b = new ChipFixture();
    b.unlock();
    assert.equal(b.peek(FLASH.cr), 0);
    b.poke(FLASH.cr, 0x80000000);
    assert.equal(b.peek(FLASH.cr), 0x80000000);
    b.unlock();
    assert.equal(b.peek(FLASH.cr), 0);
  });
  it('answers a wrong key with a bus error and stays shut until the next reset', () => {
    const b = new ChipFixture();
    b.faults(() => b.poke(FLASH.keyr, 0xcdef89ab));
    b.faults(() => b.poke(FLASH.keyr, 0x45670123));
    assert.equal(b.peek(FLASH.cr), 0x80000000);
    b.board.assertNrst();
    b.board.releaseNrst();
    b.unlock();
    assert.equal(b.peek(FLASH.cr), 0);
  });
  it('takes keys while open for a wrong sequence', () => {
    const b = new ChipFixture();
    b.unlock();
    b.faults(() => b.poke(FLASH.keyr, 0x45670123));
    assert.equal(b.peek(FLASH.cr) >>> 31, 1);
  });
  it('refuses narrow key writes', () => {
    const b = new ChipFixture();
    b.faults(() => b.poke(FLASH.keyr, 0x0123, 2));
  });
  it('ignores CR writes while locked, without a flag', () => {
    const b = new ChipFixture();
    b.erase(0);
    assert.equal(b.sr, 0);
    assert.equal(b.peek(FLASH.cr), 0x80000000);
  });
});

describe('flash: programming', () => {
  it('clears bits only: a second word over the first leaves their AND, no flag', () => {
    const b = new ChipFixture();
    b.unlock();
    b.programMode();
    b.program(0x08004000, 0xa5a5f00f);
    assert.equal(b.peek(0x08004000), 0xa5a5f00f);
    b.program(0x08004000, 0x5a5aff00);
    assert.equal(b.peek(0x08004000), 0x0000f000);
    assert.equal(b.sr, 0);
  });
  it('refuses a store with PG=0 with PGSERR and PGPERR', () => {
    const b = new ChipFixture();
    b.poke(0x08004000, 0);
    assert.equal(b.sr, 0xc0);
    assert.equal(b.peek(0x08004000), 0xffffffff);
  });
  for (const [psize, width] of [
    [0, 1],
    [1, 2],
    [2, 4],
  ] as const) {
    it(`takes ${width}-byte stores and no others at PSIZE ${psize}`, () => {
      const b = new ChipFixture();
      b.unlock();
      b.poke(FLASH.cr, 1 | (psize << 8));
      for (const tried of [1, 2, 4] as const) {
        b.poke(0x08008000 + 16 * tried, 0, tried);
        assert.equal(b.sr & 0x40, tried === width ? 0 : 0x40, `width ${tried}`);
        b.clearSr();
        b.wait(20_000);
        const expected = tried === width ? (-1 << (8 * width - 1)) << 1 : -1;
        assert.equal(b.peek(0x08008000 + 16 * tried), expected >>> 0);
      }
    });
  }
  it('flags stores to system memory, option and identity areas with WRPERR', () => {
    for (const address of [0x1fff0000, 0x1fff7a10, 0x1fffc000, 0x1ffec008]) {
      const b = new ChipFixture();
      b.unlock();
      b.programMode();
      b.poke(address, 0);
      assert.equal(b.sr, 0x10, address.toString(16));
    }
  });
  it('flags a store into a write-protected sector', () => {
    const b = new ChipFixture();
    b.board.options.words.wrp1 &= ~2;
    b.unlock();
    b.programMode();
    b.poke(0x08004000, 0);
    assert.equal(b.sr, 0x10);
    b.clearSr();
    b.program(0x08008000, 0);
    assert.equal(b.sr, 0);
  });
  it('programs OTP until its lock byte is written', () => {
    const b = new ChipFixture();
    b.unlock();
    b.programMode();
    b.program(0x1fff7820, 0x12345678);
    b.poke(FLASH.cr, 0x001);
    b.poke(0x1fff7a01, 0, 1);
    b.wait(20_000);
    b.programMode();
    b.poke(0x1fff7824, 0);
    assert.equal(b.sr, 0x10);
    assert.equal(b.peek(0x1fff7820), 0x12345678);
    assert.equal(b.peek(0x1fff7824), 0xffffffff);
  });
  it('raises OPERR and EOP only when their interrupts are enabled', () => {
    const b = new ChipFixture();
    b.unlock();
    b.programMode();
    b.program(0x08004000, 1);
    assert.equal(b.sr, 0);
    b.poke(FLASH.cr, 0x03000201);
    b.program(0x08004004, 1);
    assert.equal(b.sr, 0x1);
    b.clearSr();
    b.poke(0x08004008, 0, 1);
    assert.equal(b.sr, 0x42);
  });
  it('clears flags by writing ones, and a byte write leaves the other flags alone', () => {
    const b = new ChipFixture();
    b.poke(0x08004000, 0);
    b.poke(FLASH.sr, 0x40, 1);
    assert.equal(b.sr, 0x80);
    b.poke(FLASH.sr, 0x80);
    assert.equal(b.sr, 0);
  });
  it('refuses x64, which needs a supply on VPP', () => {
    const b = new ChipFixture();
    b.unlock();
    b.poke(FLASH.cr, 0x301);
    b.poke(0x08004000, 0);
    assert.equal(b.sr & 0x40, 0x40);
  });
});

describe('flash: erase', () => {
  // SNB, first byte, last byte, typical time at x32 in ms: docs/reference/stm32f4.md §2.2 and §3.8.
  const SECTORS = [
    [0x00, 0x08000000, 0x08003fff, 250],
    [0x03, 0x0800c000, 0x0800ffff, 250],
    [0x04, 0x08010000, 0x0801ffff, 550],
    [0x0b, 0x080e0000, 0x080fffff, 1000],
    [0x10, 0x08100000, 0x08103fff, 250],
    [0x14, 0x08110000, 0x0811ffff, 550],
    [0x1b, 0x081e0000, 0x081fffff, 1000],
  ] as const;
  for (const [snb, first, last, ms] of SECTORS) {
    it(`SNB 0x${snb.toString(16)} erases 0x${first.toString(16)}-0x${last.toString(16)} and nothing else in ${ms} ms`, () => {
      const b = new ChipFixture({ flash: new Uint8Array(0x200000) });
      b.unlock();
      b.erase(snb);
      assert.ok(b.busy);
      b.wait(ms * MS - 1000);
      assert.ok(b.busy);
      b.wait(2000);
      assert.ok(!b.busy);
      const bytes = b.board.flash.bytes;
      assert.equal(bytes.indexOf(0xff), first - 0x08000000);
      assert.equal(bytes.lastIndexOf(0xff), last - 0x08000000);
      assert.equal(
        bytes.reduce((n, byte) => n + (byte === 0xff ? 1 : 0), 0),
        last - first + 1,
      );
      assert.equal(b.peek(FLASH.cr) & 0x10000, 0);
    });
  }
  for (const snb of [0x0c, 0x0f, 0x1c, 0x1f]) {
    it(`SNB 0x${snb.toString(16)} is no sector: WRPERR`, () => {
      const b = new ChipFixture();
      b.unlock();
      b.erase(snb);
      assert.equal(b.sr, 0x10);
    });
  }
  for (const [name, cr, first, last] of [
    ['MER', 0x204, 0, 0xfffff],
    ['MER1', 0x8200, 0x100000, 0x1fffff],
    ['MER and MER1', 0x8204, 0, 0x1fffff],
  ] as const) {
    it(`${name} erases its bank or banks in 8 s`, () => {
      const b = new ChipFixture({ flash: new Uint8Array(0x200000) });
      b.unlock();
      b.poke(FLASH.cr, 0x10000 | cr);
      b.wait(7999 * MS);
      assert.ok(b.busy);
      b.wait(2 * MS);
      assert.ok(!b.busy);
      assert.equal(b.board.flash.bytes.indexOf(0xff), first);
      assert.equal(b.board.flash.bytes.lastIndexOf(0xff), last);
    });
  }
  it('takes longer with narrower PSIZE, and by the maximum table', () => {
    for (const [timing, psize, ms] of [
      ['typ', 0, 400],
      ['typ', 1, 300],
      ['max', 2, 500],
    ] as const) {
      const b = new ChipFixture({ flashTiming: timing });
      b.unlock();
      b.poke(FLASH.cr, 0x10002 | (psize << 8));
      b.wait(ms * MS - 1000);
      assert.ok(b.busy);
      b.wait(2000);
      assert.ok(!b.busy);
    }
  });
  it('does nothing for STRT alone but warn, or fault under strict', () => {
    const b = new ChipFixture();
    b.unlock();
    b.poke(FLASH.cr, 0x10200);
    assert.equal(b.sr, 0);
    assert.equal(b.board.warnings.length, 1);
    const strict = new ChipFixture({ strict: true });
    strict.unlock();
    strict.faults(() => strict.poke(FLASH.cr, 0x10200));
  });
  it('refuses sector and bank erase at once', () => {
    const b = new ChipFixture();
    b.unlock();
    b.poke(FLASH.cr, 0x10206);
    assert.equal(b.sr, 0x10);
  });
  it('refuses a protected sector, and a bank that has one', () => {
    const b = new ChipFixture();
    b.board.options.words.wrp2 &= ~1;
    b.unlock();
    b.erase(0x10);
    assert.equal(b.sr, 0x10);
    b.clearSr();
    b.poke(FLASH.cr, 0x18200);
    assert.equal(b.sr, 0x10);
    b.clearSr();
    b.poke(FLASH.cr, 0x10204);
    assert.ok(b.busy);
  });
  it('warns of a PSIZE too wide for the supply', () => {
    const b = new ChipFixture({ supplyVolts: 2.4 });
    b.unlock();
    b.erase(0);
    assert.match(b.board.warnings.join(), /too wide/);
  });
  it('tells the journal the start and end of each operation', () => {
    const b = new ChipFixture();
    const seen: string[] = [];
    b.board.flash.onOperation = ({ kind, phase, address, sector }) =>
      seen.push(`${kind} ${phase} ${address.toString(16)} ${sector ?? '-'}`);
    b.unlock();
    b.erase(0x11);
    b.wait(251 * MS);
    b.programMode();
    b.program(0x08104010, 0);
    assert.deepEqual(seen, [
      'erase start 8104000 13',
      'erase end 8104000 13',
      'program start 8104010 -',
      'program end 8104010 -',
    ]);
  });
});
