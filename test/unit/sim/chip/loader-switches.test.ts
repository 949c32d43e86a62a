// Switches for what a resident program with secrets has to reckon with: backup SRAM at level 1, the word before the
// latch, regressions that spare sectors, reset flags that lie, weak cells (docs/simulation.md, "What only silicon can
// answer").
import assert from 'node:assert/strict';
import type { BoardOptions } from '../../../../sim/board.ts';
import { BusFault } from '../../../../sim/bus.ts';
import { ChipFixture, FLASH, MS, RCC } from './chip-fixture.ts';

const BKPSRAM = 0x40024000;
const PWR_CR = 0x40007000;
const PWR_CSR = 0x40007004;
const SECRET = 0x5ec4e700;
const FLASH_WORD = 0x08004000;

type Switches = NonNullable<BoardOptions['switches']>;

/** A board at level 1 with a word in backup SRAM and one in flash. */
function locked(switches: Switches = {}, more: BoardOptions = {}): ChipFixture {
  const flash = new Uint8Array(0x8000).fill(0xff);
  flash.set([0x11, 0x22, 0x33, 0x44], FLASH_WORD - 0x08000000);
  const b = new ChipFixture({ rdp: 1, flash, switches, ...more });
  openBackup(b);
  b.poke(BKPSRAM, SECRET);
  return b;
}
function openBackup(b: ChipFixture): void {
  b.poke(RCC.apb1enr, 0x10000000);
  b.poke(RCC.ahb1enr, 0x00040000);
  b.poke(PWR_CR, 0xc100);
}
/** Ends read protection level 1 with the registers, waits until flash is erased. */
function regress(b: ChipFixture): void {
  b.unlockOptions();
  const optcr = (b.peek(FLASH.optcr) & ~0xff03) | 0xaa00;
  b.poke(FLASH.optcr, optcr);
  b.poke(FLASH.optcr, optcr | 2);
  b.wait(40_000 * MS);
}
const powerCycle = (b: ChipFixture) => {
  b.board.powerOff();
  b.wait(50 * MS);
  b.board.powerOn();
  b.wait(5 * MS);
};

describe('backup SRAM at level 1', () => {
  it('opens without an intrusion, and to nobody with one', () => {
    const b = locked();
    assert.equal(b.peek(BKPSRAM), SECRET);
    b.board.debugEvent('ap-transaction');
    for (const master of ['debugger', 'cpu', 'dma'] as const) assert.throws(() => b.peek(BKPSRAM, 4, master), BusFault);
  });
  it('may open to the debugger, to code or to DMA alone', () => {
    const rows = {
      debugger: 'bkpSramReadableByDebuggerAtL1',
      cpu: 'bkpSramReadableByCpuAtL1',
      dma: 'bkpSramReadableByDmaAtL1',
    } as const;
    for (const open of ['debugger', 'cpu', 'dma'] as const) {
      const b = locked({ [rows[open]]: true });
      b.board.debugEvent('ap-transaction');
      for (const master of ['debugger', 'cpu', 'dma'] as const) {
        if (master === open) assert.equal(b.peek(BKPSRAM, 4, master), SECRET, open);
        else assert.throws(() => b.peek(BKPSRAM, 4, master), BusFault, `${open}: ${master}`);
      }
    }
  });
});

describe('the word before the latch', () => {
  for (const [where, address, value] of [
    ['flash', FLASH_WORD, 0x44332211],
    ['backup SRAM', BKPSRAM, SECRET],
  ] as const) {
    it(`is one protected word a power reset, for the debugger, of ${where}`, () => {
      const b = locked({ wordBeforeLatch: true });
      b.board.debugEvent('ap-transaction');
      assert.throws(() => b.peek(address, 4, 'cpu'), BusFault);
      assert.equal(b.peek(address, 4, 'debugger'), value);
      assert.throws(() => b.peek(address, 4, 'debugger'), BusFault);
      b.board.debugEvent('ap-transaction');
      b.board.assertNrst();
      b.board.releaseNrst();
      b.wait(MS);
      openBackup(b);
      assert.throws(() => b.peek(address, 4, 'debugger'), BusFault, 'a system reset brings no other');
      powerCycle(b);
      openBackup(b);
      b.board.debugEvent('ap-transaction');
      const again = b.peek(address, 4, 'debugger');
      if (where === 'flash') assert.equal(again, value);
      assert.throws(() => b.peek(address, 4, 'debugger'), BusFault);
    });
  }
  it('is none by default', () => {
    const b = locked();
    b.board.debugEvent('ap-transaction');
    assert.throws(() => b.peek(FLASH_WORD, 4, 'debugger'), BusFault);
  });
});

describe('leaving level 1', () => {
  it('erases write protected sectors, or spares them by a switch; backup SRAM is wiped either way', () => {
    for (const survives of [false, true]) {
      // nWRP of sector 1 is 0.
      const b = locked({ wrpSurvivesRegression: survives }, { optcr: 0x0ffdaaed });
      b.board.flash.bytes[0x10000] = 0;
      regress(b);
      assert.equal(b.board.flash.bytes[0x4000], survives ? 0x11 : 0xff);
      assert.equal(b.board.flash.bytes[0x10000], 0xff);
      assert.equal(b.peek(BKPSRAM), 0);
    }
  });
});

describe('backup SRAM over a loss of power', () => {
  const after = (battery: boolean, regulated: boolean, switches: Switches = {}) => {
    const b = locked(switches, { battery });
    if (regulated) b.poke(PWR_CSR, 0x200);
    b.wait(MS);
    assert.equal((b.peek(PWR_CSR) >>> 3) & 1, regulated ? 1 : 0, 'BRR');
    powerCycle(b);
    openBackup(b);
    return b.peek(BKPSRAM) === SECRET;
  };
  it('lives by battery and regulator together', () => {
    assert.equal(after(true, true), true);
    assert.equal(after(true, false), false);
    assert.equal(after(false, true), false);
    assert.equal(after(false, false), false);
  });
  it('is always kept or always lost, by a switch', () => {
    assert.equal(after(false, false, { bkpSramAtPowerOff: 'kept' }), true);
    assert.equal(after(true, true, { bkpSramAtPowerOff: 'lost' }), false);
  });
});

describe('reset flags', () => {
  const flagsAfterPin = (switches: Switches) => {
    const b = new ChipFixture({ switches });
    assert.equal(b.peek(RCC.csr) >>> 24, 0x0e, 'PORRSTF, PINRSTF, BORRSTF after a power reset');
    b.poke(RCC.csr, 0x01000000);
    assert.equal(b.peek(RCC.csr) >>> 24, 0);
    b.board.assertNrst();
    b.board.releaseNrst();
    b.wait(MS);
    return b.peek(RCC.csr) >>> 24;
  };
  it('tell a pin reset from one of the supply, or do not', () => {
    assert.equal(flagsAfterPin({}), 0x04);
    assert.equal(flagsAfterPin({ resetFlags: 'power-too' }), 0x0e);
  });
});

describe('a broken-off erase', () => {
  const torn = (switches: Switches) => {
    const b = new ChipFixture({ switches, flash: new Uint8Array(0x8000) });
    b.unlock();
    b.erase(1);
    b.wait(10 * MS);
    powerCycle(b);
    return b;
  };
  const reads = (b: ChipFixture, address: number) => Array.from({ length: 64 }, () => b.peek(address));
  it('leaves cells that read the same each time', () => {
    const b = torn({});
    for (let at = 0x08004000; at < 0x08004100; at += 4) assert.equal(new Set(reads(b, at)).size, 1);
  });
  it('may leave weak cells, in that sector alone, until it is erased', () => {
    const b = torn({ cutErase: 'weak' });
    assert.ok(new Set(reads(b, 0x08004010)).size > 20);
    assert.ok(new Set(Array.from({ length: 64 }, () => b.peek(0x08007ffc, 4, 'debugger'))).size > 20);
    assert.equal(new Set(reads(b, 0x08003ffc)).size, 1);
    b.unlock();
    b.erase(1);
    b.wait(1000 * MS);
    assert.deepEqual(new Set(reads(b, 0x08004010)), new Set([0xffffffff]));
  });
});

describe('a cut option write', () => {
  it('may leave all ones: RDP FF is level 1, SPRMOD, BFB2 and every nWRP are set', () => {
    const b = new ChipFixture({ switches: { cutOptions: 'ones' } });
    b.unlockOptions();
    b.poke(FLASH.optcr, 0x0ffe55ec);
    b.poke(FLASH.optcr, 0x0ffe55ee);
    b.wait(5 * MS);
    powerCycle(b);
    assert.equal(b.peek(FLASH.optcr) >>> 0, 0xcffffffd);
    assert.equal(b.peek(FLASH.optcr1), 0x0fff0000);
    assert.equal(b.board.options.rdpLevel, 1);
    assert.ok(b.board.options.sprmod && b.board.options.bootsBank2);
  });
});
