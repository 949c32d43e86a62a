// Time and the flash: busy stalls per bank, the stale data cache, and operations that lose their power half-way
// (docs/reference/stm32f4.md §3.5, §3.7).
import assert from 'node:assert/strict';
import { BusWait } from '../../../../sim/bus.ts';
import { ChipFixture, FLASH, MS, RCC } from './chip-fixture.ts';

describe('flash: busy bank', () => {
  it('stalls a core read of the erased bank until the end, and returns the right data', () => {
    const b = new ChipFixture({ flash: new Uint8Array(0x200000) });
    b.unlock();
    b.erase(1);
    const began = b.board.time.now;
    assert.equal(b.peek(0x08004000), 0xffffffff);
    assert.ok(b.board.time.now - began >= 250 * MS - 1000);
    assert.equal(b.board.flash.stalls, 1);
  });
  it('reads the other bank meanwhile', () => {
    const b = new ChipFixture({ flash: new Uint8Array(0x200000) });
    b.unlock();
    b.erase(0x11);
    assert.equal(b.peek(0x08004000), 0);
    assert.equal(b.board.flash.stalls, 0);
    assert.ok(b.busy);
  });
  it('tells the debugger to wait, and until when', () => {
    const b = new ChipFixture();
    b.unlock();
    b.erase(0);
    const end = b.board.time.now + 250 * MS;
    const late = (error: unknown) => error instanceof BusWait && Math.abs(error.untilNs - end) < 1000;
    assert.throws(() => b.peek(0x08000000, 4, 'debugger'), late);
    assert.throws(() => b.poke(FLASH.cr, 0x202, 4, 'debugger'), late);
    assert.throws(() => b.poke(0x08100000, 0, 4, 'debugger'), late);
    assert.equal(b.peek(0x08100000, 4, 'debugger'), 0xffffffff);
  });
  it('stalls a CR write until the operation is over', () => {
    const b = new ChipFixture();
    b.unlock();
    b.erase(0);
    b.poke(FLASH.cr, 0x80000000);
    assert.ok(!b.busy);
    assert.equal(b.board.flash.storeStalls, 1);
  });
  it('stalls back-to-back stores 16 µs each, across banks too', () => {
    const b = new ChipFixture();
    b.unlock();
    b.programMode();
    const began = b.board.time.now;
    for (const [i, at] of [0x08000000, 0x08000004, 0x08100000, 0x08000008].entries()) b.poke(at, i);
    assert.ok(Math.abs(b.board.time.now - began - 48_000) < 1000);
    b.wait(20_000);
    assert.deepEqual(
      [0, 4, 8].map((at) => b.peek(0x08000000 + at)),
      [0, 1, 3],
    );
    assert.equal(b.peek(0x08100000), 2);
    assert.equal(b.sr, 0);
  });
});

describe('flash: caches and wait states', () => {
  it('verifies stale data after an erase with DCEN=1, until DCRST', () => {
    const b = new ChipFixture({ flash: new Uint8Array(0x200000) });
    b.poke(FLASH.acr, 0x400);
    assert.equal(b.peek(0x08004000), 0);
    b.unlock();
    b.erase(1);
    b.wait(251 * MS);
    assert.equal(b.peek(0x08004000), 0, 'the cached line still answers');
    assert.equal(b.peek(0x08004010), 0xffffffff, 'the next line was never cached');
    b.poke(FLASH.acr, 0);
    assert.equal(b.peek(0x08004000), 0xffffffff, 'uncached reads see the array');
    b.poke(FLASH.acr, 0x400);
    assert.equal(b.peek(0x08004000), 0, 'enabling again without reset brings the stale line back');
    b.poke(FLASH.acr, 0);
    b.poke(FLASH.acr, 0x1000);
    b.poke(FLASH.acr, 0x400);
    assert.equal(b.peek(0x08004000), 0xffffffff);
  });
  it('shows the written word, not the AND, from a cached line', () => {
    const b = new ChipFixture();
    b.unlock();
    b.programMode();
    b.program(0x08004000, 0xa5a5a5a5);
    b.poke(FLASH.acr, 0x400);
    assert.equal(b.peek(0x08004000), 0xa5a5a5a5);
    b.program(0x08004000, 0x5a5a5a5a);
    assert.equal(b.peek(0x08004000), 0x5a5a5a5a);
    b.poke(FLASH.acr, 0);
    assert.equal(b.peek(0x08004000), 0);
  });
  it('drops a stale line when eight others push it out', () => {
    const b = new ChipFixture({ flash: new Uint8Array(0x200000) });
    b.poke(FLASH.acr, 0x400);
    b.peek(0x08004000);
    b.unlock();
    b.erase(1);
    b.wait(251 * MS);
    for (let line = 0; line < 8; line++) b.peek(0x08100000 + 16 * line);
    assert.equal(b.peek(0x08004000), 0xffffffff);
  });
  it('charges LATENCY cycles per 128-bit line', () => {
    const b = new ChipFixture();
    b.poke(FLASH.acr, 5);
    const began = b.board.time.cycles;
    b.peek(0x08000000);
    b.peek(0x0800000c);
    b.peek(0x08000010);
    assert.equal(b.board.time.cycles - began, 10);
  });
  it('warns when LATENCY is too low for the clock', () => {
    const b = new ChipFixture();
    b.poke(RCC.pllcfgr, 0x07002a08);
    b.poke(RCC.cr, 0x01000083);
    b.wait(MS);
    b.poke(RCC.cfgr, 0x9402);
    assert.match(b.board.warnings.join('\n'), /LATENCY 0 is too low at 168 MHz: 5 wait/);
  });
});

describe('flash: interrupted operations', () => {
  const ones = (bytes: Uint8Array) => bytes.reduce((n, byte) => n + (byte === 0xff ? 1 : 0), 0);
  const PATTERN = new Uint8Array(0x200000).fill(0x5a);

  for (const [name, stop] of [
    ['power cut', (b: ChipFixture) => b.board.powerOff()],
    ['NRST', (b: ChipFixture) => b.board.assertNrst()],
  ] as const) {
    it(`leaves a mix of old and erased bits after ${name} in an erase`, () => {
      const b = new ChipFixture({ flash: PATTERN });
      b.unlock();
      b.erase(2);
      b.wait(100 * MS);
      stop(b);
      const sector = b.board.flash.bytes.slice(0x8000, 0xc000);
      assert.ok(
        sector.every((byte) => (byte & 0x5a) === 0x5a),
        'ones stay ones',
      );
      assert.ok(
        sector.some((byte) => byte !== 0x5a && byte !== 0xff),
        'torn',
      );
      assert.ok(b.board.flash.bytes.subarray(0, 0x8000).every((byte) => byte === 0x5a));
      assert.ok(b.board.flash.bytes.subarray(0xc000).every((byte) => byte === 0x5a));
    });
  }
  it('leaves only bits of the word cleared after a cut in programming', () => {
    const words = new Set<number>();
    for (let seed = 1; seed < 20; seed++) {
      const b = new ChipFixture({ seed });
      b.unlock();
      b.programMode();
      b.poke(0x08000010, 0x12345678);
      b.wait(8000);
      b.board.powerOff();
      const word = new DataView(b.board.flash.bytes.buffer).getUint32(0x10, true);
      assert.equal((word & 0x12345678) >>> 0, 0x12345678);
      assert.equal(ones(b.board.flash.bytes.subarray(0, 16)), 16);
      assert.equal(ones(b.board.flash.bytes.subarray(20, 32)), 12);
      words.add(word);
    }
    assert.ok(words.size > 10, 'seeds give different remains');
  });
  it('is the same garbage for the same seed', () => {
    const remains = [1, 1, 2].map((seed) => {
      const b = new ChipFixture({ flash: PATTERN, seed });
      b.unlock();
      b.erase(2);
      b.board.powerOff();
      return Buffer.from(b.board.flash.bytes).toString('latin1');
    });
    assert.equal(remains[0], remains[1]);
    assert.notEqual(remains[0], remains[2]);
  });
  it('can be cut from the journal exactly at start and end', () => {
    for (const phase of ['start', 'end'] as const) {
      const b = new ChipFixture({ flash: PATTERN });
      b.board.flash.onOperation = (entry) => {
        if (entry.phase === phase) b.board.powerOff();
      };
      b.unlock();
      b.erase(2);
      b.wait(300 * MS);
      assert.equal(b.board.powered, false);
      const sector = b.board.flash.bytes.subarray(0x8000, 0xc000);
      assert.equal(
        sector.every((byte) => byte === 0xff),
        phase === 'end',
      );
    }
  });
  it('is cut inside a bus stall by a scheduled power cut', () => {
    const b = new ChipFixture({ flash: PATTERN });
    b.unlock();
    b.erase(2);
    const cutAt = b.board.time.now + 100 * MS;
    b.board.cutPowerAt(cutAt);
    b.peek(0x08000000);
    assert.equal(b.board.powered, false);
    assert.ok(b.board.time.now - cutAt < 1000);
  });
  it('starts afresh after the power cut', () => {
    const b = new ChipFixture({ flash: PATTERN });
    b.unlock();
    b.erase(2);
    b.wait(MS);
    b.board.powerOff();
    b.wait(MS);
    b.board.powerOn();
    b.wait(2 * MS);
    assert.equal(b.sr, 0);
    assert.equal(b.peek(FLASH.cr), 0x80000000);
    b.unlock();
    b.erase(2);
    b.wait(251 * MS);
    assert.equal(b.peek(0x08008000), 0xffffffff);
  });
});
