// What each kind of reset clears and keeps, and saving a board (docs/reference/stm32f4.md §8).
import assert from 'node:assert/strict';
import { Board } from '../../../../sim/board.ts';
import { ChipFixture, FLASH, MS, RCC } from './chip-fixture.ts';

const SCRATCH = 0x20001000;
const CSR_IWDG = 0x20000000;

function marked(options = {}): ChipFixture {
  const b = new ChipFixture(options);
  b.poke(RCC.apb1enr, 0x10000000);
  b.poke(RCC.ahb1enr, 0x00140000);
  b.poke(0x40007000, 0xc100);
  b.poke(SCRATCH, 0xcafe0001);
  b.poke(0x10000000, 0xcafe0002);
  b.poke(0x40002850, 0xcafe0003);
  b.poke(0x40024000, 0xcafe0004);
  b.poke(0xe0042008, 0x1000);
  b.poke(FLASH.acr, 5);
  return b;
}
const backupSram = (b: ChipFixture) => {
  b.poke(RCC.ahb1enr, 0x00140000);
  return b.peek(0x40024000);
};

describe('system reset', () => {
  it('by NRST keeps memories, backup domain and DBGMCU, clears registers, flags the pin', () => {
    const b = marked();
    b.board.assertNrst();
    b.board.releaseNrst();
    assert.equal(b.peek(SCRATCH), 0xcafe0001);
    assert.equal(b.peek(0x10000000), 0xcafe0002);
    assert.equal(b.peek(0x40002850), 0xcafe0003);
    assert.equal(b.peek(0xe0042008), 0x1000);
    assert.equal(b.peek(FLASH.acr), 0);
    assert.equal(b.peek(RCC.ahb1enr), 0x00100000);
    assert.equal(backupSram(b), 0xcafe0004);
    assert.equal(b.peek(RCC.csr), 0x0e000000);
  });
  it('gives the debug pins back that software had taken', () => {
    const b = new ChipFixture();
    b.poke(RCC.ahb1enr, 0x00100001);
    for (const [address, taken, given] of [
      [0x40020000, 0x80000000, 0xa8000000],
      [0x40020000, 0xa4000000, 0xa8000000],
      [0x40020024, 0x00700000, 0],
    ] as const) {
      b.poke(address, taken);
      assert.equal(b.board.debugPortEnabled, false);
      b.poke(address, given);
      assert.equal(b.board.debugPortEnabled, true);
    }
    b.poke(0x40020000, 0);
    b.board.assertNrst();
    assert.equal(b.board.debugPortEnabled, true, 'connecting under reset');
    b.board.releaseNrst();
    assert.equal(b.board.debugPortEnabled, true);
  });
  it('by watchdog flags IWDG and PIN, as benches read it', () => {
    const b = new ChipFixture();
    b.poke(RCC.csr, 0x01000000);
    assert.equal(b.peek(RCC.csr), 0);
    b.poke(0x40003000, 0xcccc);
    b.wait(500 * MS);
    assert.equal(b.peek(RCC.csr) & CSR_IWDG, 0);
    b.wait(13 * MS);
    assert.equal(b.peek(RCC.csr) & 0xfe000000, 0x24000000);
  });
  it('NRST held: peripherals and memories fault, DBGMCU answers, nothing runs', () => {
    const b = new ChipFixture();
    b.board.assertNrst();
    b.wait(10 * MS);
    assert.ok(b.board.inReset && b.board.powered);
    for (const address of [0x20000000, 0x40020000, FLASH.cr, 0x08000000, 0x1fff7a10]) {
      b.faults(() => b.peek(address, 4, 'debugger'));
    }
    assert.equal(b.peek(0xe0042000, 4, 'debugger'), 0x20036419);
    b.board.releaseNrst();
    assert.equal(b.peek(0x08000000, 4, 'debugger'), 0xffffffff);
  });
});

describe('power', () => {
  it('comes up after 1.5 ms with noise in every RAM', () => {
    const board = new Board();
    board.powerOn();
    board.runTo(1.4 * MS);
    assert.ok(board.inReset);
    board.runTo(1.6 * MS);
    assert.ok(!board.inReset);
    for (const { bytes } of board.soc.memories.ram) assert.equal(new Set(bytes).size, 256);
  });
  it('cut: loses memories, backup domain and DBGMCU, keeps flash and options', () => {
    const b = marked({ flash: Uint8Array.of(1, 2, 3, 4) });
    b.board.powerOff();
    b.wait(5 * MS);
    b.board.powerOn();
    b.wait(2 * MS);
    assert.notEqual(b.peek(SCRATCH), 0xcafe0001);
    assert.notEqual(b.peek(0x10000000), 0xcafe0002);
    assert.equal(b.peek(0x40002850), 0);
    assert.equal(b.peek(0xe0042008), 0);
    assert.notEqual(backupSram(b), 0xcafe0004);
    assert.equal(b.peek(0x08000000), 0x04030201);
    assert.equal(b.peek(RCC.csr), 0x0e000000);
  });
  it('cut with a battery keeps backup registers, and backup SRAM only with its regulator', () => {
    for (const regulator of [false, true]) {
      const b = marked({ battery: true });
      if (regulator) b.poke(0x40007004, 0x200);
      b.wait(MS);
      b.board.powerOff();
      b.board.powerOn();
      b.wait(2 * MS);
      assert.equal(b.peek(0x40002850), 0xcafe0003);
      assert.equal(backupSram(b) === 0xcafe0004, regulator);
    }
  });
  it('brown-out resets below its level and recovers above', () => {
    const b = new ChipFixture();
    b.board.options.words.user &= ~0x0c;
    b.board.supplyVolts = 2.8;
    assert.equal(b.board.powered, false);
    b.board.supplyVolts = 2.9;
    b.wait(5 * MS);
    assert.equal(b.board.powered, false);
    b.board.supplyVolts = 2.95;
    b.wait(5 * MS);
    assert.ok(b.board.powered && !b.board.inReset);
  });
  it('counts power-ups for the debug port', () => {
    const b = new ChipFixture();
    const before = b.board.powerUps;
    b.board.assertNrst();
    b.board.releaseNrst();
    assert.equal(b.board.powerUps, before);
    b.board.powerOff();
    b.board.powerOn();
    assert.equal(b.board.powerUps, before + 1);
  });
});

describe('snapshot', () => {
  it('restores a run in the middle of an erase, in the same board and in another', () => {
    const flash = new Uint8Array(0x200000).fill(0x5a);
    const b = new ChipFixture({ flash, seed: 7 });
    b.poke(0x40003000, 0xcccc);
    b.poke(SCRATCH, 1);
    b.unlock();
    b.erase(2);
    b.wait(100 * MS);
    const saved = b.board.snapshot();
    const outcome = (board: Board) => {
      board.runTo(board.time.now + 60 * MS);
      board.powerOff();
      return board.snapshot();
    };
    const first = outcome(b.board);
    b.board.restore(saved);
    assert.deepEqual(b.board.snapshot(), saved);
    const again = outcome(b.board);
    const fork = new Board({ seed: 7 });
    fork.restore(saved);
    const forked = outcome(fork);
    assert.deepEqual(again, first);
    assert.deepEqual(forked, first);
  });
  it('is deaf to what happens to the board afterwards', () => {
    const b = new ChipFixture();
    b.poke(SCRATCH, 1);
    const saved = b.board.snapshot();
    b.poke(SCRATCH, 2);
    b.unlock();
    b.board.restore(saved);
    assert.equal(b.peek(SCRATCH), 1);
    assert.equal(b.peek(FLASH.cr), 0x80000000);
  });
});
