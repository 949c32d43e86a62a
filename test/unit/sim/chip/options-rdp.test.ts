// Option bytes and read protection obey docs/reference/stm32f4.md §4, §5 and the PCROP rule of §6.
import assert from 'node:assert/strict';
import type { ModelSwitches } from '../../../../sim/peripherals/model-switches.ts';
import { ChipFixture, FLASH, MS, RCC } from './chip-fixture.ts';

const OPTION_MS = 350;
const LEVEL_1 = 0x0fff55ec;
const LEVEL_0 = 0x0fffaaec;

function writeOptions(b: ChipFixture, optcr: number, optcr1 = 0x0fff0000): void {
  b.unlockOptions();
  b.poke(FLASH.optcr1, optcr1);
  b.poke(FLASH.optcr, optcr);
  b.poke(FLASH.optcr, optcr | 2);
}
function reset(b: ChipFixture): void {
  b.board.assertNrst();
  b.board.releaseNrst();
}
function powerCycle(b: ChipFixture): void {
  b.board.powerOff();
  b.board.powerOn();
  b.wait(2 * MS);
}

describe('option bytes', () => {
  it('show their factory values in both areas', () => {
    const b = new ChipFixture();
    assert.deepEqual(
      [0x1fffc000, 0x1fffc008, 0x1ffec008].map((at) => b.peek(at, 2)),
      [0xaaef, 0x0fff, 0x0fff],
    );
  });
  it('are locked by keys of their own, jammed by wrong ones', () => {
    const b = new ChipFixture();
    b.unlock();
    b.poke(FLASH.optcr, LEVEL_1);
    assert.equal(b.peek(FLASH.optcr), 0x0fffaaed);
    b.faults(() => b.poke(FLASH.optkeyr, 0x45670123));
    b.faults(() => b.poke(FLASH.optkeyr, 0x08192a3b));
  });
  it('change in the shadow only without OPTSTRT; a reset brings them back', () => {
    const b = new ChipFixture();
    b.unlockOptions();
    b.poke(FLASH.optcr + 1, 0x55, 1);
    assert.equal(b.peek(FLASH.optcr), LEVEL_1);
    reset(b);
    assert.equal(b.peek(FLASH.optcr), 0x0fffaaed);
  });
  it('are programmed by OPTSTRT in 350 ms and kept', () => {
    const b = new ChipFixture();
    writeOptions(b, 0x0ffeaaec, 0x0ffe0000);
    b.wait(OPTION_MS * MS - 1000);
    assert.ok(b.busy);
    b.wait(2000);
    assert.ok(!b.busy);
    assert.equal(b.peek(FLASH.optcr) & 2, 0);
    powerCycle(b);
    assert.equal(b.peek(FLASH.optcr), 0x0ffeaaed);
    assert.equal(b.peek(FLASH.optcr1), 0x0ffe0000);
    assert.equal(b.peek(0x1ffec008, 2), 0x0ffe);
  });
  it('interrupted, come up with RDP neither 0xAA nor 0xCC: level 1', () => {
    for (let seed = 1; seed < 12; seed++) {
      for (const ms of [1, 200, 349]) {
        const b = new ChipFixture({ seed });
        writeOptions(b, 0x0ffeaaec);
        b.wait(ms * MS);
        powerCycle(b);
        const rdp = (b.peek(FLASH.optcr) >>> 8) & 0xff;
        assert.ok(rdp !== 0xaa && rdp !== 0xcc);
        assert.equal(b.board.soc.protection.level, 1);
      }
    }
  });
  it('start the watchdog at reset with WDG_SW=0', () => {
    const b = new ChipFixture();
    writeOptions(b, 0x0fffaacc);
    b.wait(351 * MS);
    b.wait(600 * MS);
    assert.equal(b.peek(RCC.csr) & 0x20000000, 0, 'not before a reset');
    reset(b);
    b.wait(513 * MS);
    assert.notEqual(b.peek(RCC.csr) & 0x20000000, 0);
  });
  it('give PCROP up only together with RDP 1 to 0', () => {
    const b = new ChipFixture();
    writeOptions(b, (0x8001aaec | 0) >>> 0, 0);
    b.wait(351 * MS);
    assert.equal(b.sr, 0);
    b.faults(() => b.peek(0x08000000));
    assert.equal(b.sr, 0x100, 'RDERR');
    assert.equal(b.peek(0x08000000, 2, 'fetch'), 0xffff);
    b.clearSr();
    b.poke(FLASH.optcr, LEVEL_0);
    b.poke(FLASH.optcr, LEVEL_0 | 2);
    assert.equal(b.sr, 0x10);
    assert.equal(b.board.options.words.wrp1, 0x8001);
  });
});

describe('read protection', () => {
  const code = new Uint8Array(0x200000).fill(0x11);
  const blocked = (b: ChipFixture) => {
    for (const master of ['cpu', 'fetch', 'debugger'] as const) b.faults(() => b.peek(0x08000000, 4, master));
    b.faults(() => b.peek(0, 4));
    b.poke(RCC.ahb1enr, 0x00140000);
    b.faults(() => b.peek(0x40024000, 4));
  };

  it('level 0: a debugger may do everything', () => {
    const b = new ChipFixture({ flash: code });
    b.board.debugAccess();
    assert.equal(b.peek(0x08000000, 4, 'debugger'), 0x11111111);
  });
  it('level 1 without a debugger: code from flash reads, erases, programs', () => {
    const b = new ChipFixture({ flash: code, rdp: 1 });
    assert.equal(b.peek(0x08000000), 0x11111111);
    b.unlock();
    b.erase(1);
    b.wait(251 * MS);
    assert.equal(b.sr, 0);
    assert.equal(b.peek(0x08004000), 0xffffffff);
  });
  it('level 1 after a debug access: reads fault, erase and program give WRPERR', () => {
    const b = new ChipFixture({ flash: code, rdp: 1 });
    b.board.debugAccess();
    blocked(b);
    b.unlock();
    b.erase(1);
    assert.equal(b.sr, 0x10);
    b.clearSr();
    b.programMode();
    b.poke(0x08004000, 0);
    assert.equal(b.sr, 0x10);
    assert.equal(b.peek(FLASH.optcr, 4, 'debugger'), 0x0fff55ed, 'OPTCR stays readable');
    b.faults(() => b.peek(0x1fffc000, 2, 'debugger'));
    b.faults(() => b.peek(0x1fff7800, 4, 'debugger'));
    b.poke(0x20000000, 7, 4, 'debugger');
    assert.equal(b.peek(0x20000000, 4, 'debugger'), 7);
  });
  it('keeps the latch across system resets and clears it at power-on', () => {
    const b = new ChipFixture({ flash: code, rdp: 1 });
    b.board.debugAccess();
    reset(b);
    blocked(b);
    powerCycle(b);
    assert.equal(b.peek(0x08000000), 0x11111111);
  });
  it('raised: the register shows it at once, protection starts at power-on', () => {
    const b = new ChipFixture({ flash: code });
    b.board.debugAccess();
    writeOptions(b, LEVEL_1);
    b.wait(351 * MS);
    assert.equal((b.peek(FLASH.optcr) >>> 8) & 0xff, 0x55);
    assert.equal(b.peek(0x08000000, 4, 'debugger'), 0x11111111);
    reset(b);
    assert.equal(b.peek(0x08000000, 4, 'debugger'), 0x11111111);
    powerCycle(b);
    b.board.debugAccess();
    blocked(b);
  });
  it('lowered 1 to 0: flash and backup SRAM are wiped first, OTP is not', () => {
    const b = new ChipFixture({ flash: code, rdp: 1 });
    b.board.debugAccess();
    b.board.soc.backupSram.bytes.fill(0x77);
    writeOptions(b, LEVEL_0);
    b.wait(16_349 * MS);
    assert.ok(b.busy);
    b.wait(2 * MS);
    assert.ok(!b.busy);
    assert.ok(b.board.flash.bytes.every((byte) => byte === 0xff));
    assert.ok(b.board.soc.backupSram.bytes.every((byte) => byte === 0));
    reset(b);
    assert.equal(b.peek(0x08000000, 4, 'debugger'), 0xffffffff);
    assert.equal(b.peek(FLASH.optcr), 0x0fffaaed);
  });
  it('lowered and cut during the wipe: still level 1, and no old code', () => {
    const b = new ChipFixture({ flash: code, rdp: 1 });
    writeOptions(b, LEVEL_0);
    b.wait(5000 * MS);
    powerCycle(b);
    assert.equal(b.board.soc.protection.level, 1);
    assert.ok(b.board.flash.bytes.some((byte) => byte !== 0x11));
  });
  it('level 2 closes the debug port and freezes the options', () => {
    const b = new ChipFixture({ rdp: 2 });
    assert.equal(b.board.debugPortEnabled, false);
    writeOptions(b, LEVEL_0);
    assert.equal(b.sr, 0x10);
    powerCycle(b);
    assert.equal(b.board.debugPortEnabled, false);
  });
  it('trips on the event the switch names', () => {
    const b = new ChipFixture({ flash: code, rdp: 1, switches: { latchTrip: 'c-debugen' } });
    b.board.debugAccess();
    assert.equal(b.peek(0x08000000), 0x11111111);
    b.board.debugEvent('c-debugen');
    blocked(b);
  });
  it('latches an SRAM boot as the switch says', () => {
    const outcomes = (['until-power-reset', 'until-reset', 'no'] as const).map((latchOnSramBoot) => {
      const switches: Partial<ModelSwitches> = { latchOnSramBoot };
      const b = new ChipFixture({ rdp: 1, boot: 'sram', switches });
      const first = b.board.soc.protection.blocking;
      b.board.boot = 'flash';
      reset(b);
      return [first, b.board.soc.protection.blocking];
    });
    assert.deepEqual(outcomes, [
      [true, true],
      [true, false],
      [false, false],
    ]);
  });
});
