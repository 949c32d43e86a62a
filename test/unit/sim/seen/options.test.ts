// Rows M2 to M5, M11: option bytes and read protection level 1 as people met them (docs/simulation.md).
import assert from 'node:assert/strict';
import type { BoardOptions } from '../../../../sim/board.ts';
import { ChipFixture, FLASH, MS } from '../chip/chip-fixture.ts';
import { SeenFixture, peek, poke, program } from './seen-fixture.ts';

const LEVEL_0 = 0x0fffaaec;
const LEVEL_1 = 0x0fff55ec;
const OPTION_NS = 351 * MS;
const SPIN = 0xe7fe;
const UID = 0x1fff7a10;
const SIZE = 0x1fff7a20;

function startWrite(b: ChipFixture, optcr: number, optcr1 = 0x0fff0000): void {
  b.unlockOptions();
  b.poke(FLASH.optcr1, optcr1);
  b.poke(FLASH.optcr, optcr);
  b.poke(FLASH.optcr, optcr | 2);
}
/** A write with the core halted: one that runs from flash would wait for its end, past any instant of a cut. */
function startHalted(b: ChipFixture, optcr: number): void {
  b.poke(0xe000edf0, 0xa05f0003, 4, 'debugger');
  startWrite(b, optcr);
}
function pressReset(b: ChipFixture): void {
  b.board.pressButton();
  b.wait(MS);
  b.board.releaseButton();
  b.wait(MS);
}
function powerCycle(b: ChipFixture): void {
  b.board.powerOff();
  b.wait(50 * MS);
  b.board.powerOn();
  b.wait(5 * MS);
}
/** Three ways of breaking into an option write. */
const CUTS: Readonly<Record<string, (b: ChipFixture) => void>> = {
  'a power cut': powerCycle,
  'the reset button': pressReset,
  'a software reset': (b) => {
    b.poke(0xe000ed0c, 0x05fa0004);
    b.wait(5 * MS);
  },
};
const running = (): Uint8Array => program([], SPIN);

describe('M2: an option write that was cut', () => {
  for (const [name, cut] of Object.entries(CUTS)) {
    it(`M2: by ${name}, may leave all ones: level 1 and PCROP on every sector, nothing runs until level 1 is left`, () => {
      const b = new ChipFixture({ flash: running(), switches: { cutOptions: 'ones' } });
      startHalted(b, LEVEL_1);
      b.wait(100 * MS);
      cut(b);
      assert.equal(b.peek(FLASH.optcr), 0xcffffffd);
      assert.equal(b.peek(FLASH.optcr1), 0x0fff0000);
      powerCycle(b);
      assert.equal(b.board.soc.protection.level, 1);
      assert.ok(b.board.core.lockedUp || b.board.core.regs[15]! >>> 16 === 0x1fff, 'not in the product');
      b.board.debugAccess();
      startWrite(b, LEVEL_0);
      b.wait(16_000 * MS + OPTION_NS);
      assert.equal(b.sr, 0);
      powerCycle(b);
      assert.equal(b.peek(FLASH.optcr), LEVEL_0 | 1);
      assert.ok(b.board.flash.bytes.every((byte) => byte === 0xff));
    });
  }

  it('M2: torn bytes stay the default; a few parts never come back', () => {
    const dead = new ChipFixture({ flash: running(), switches: { cutOptions: 'dead' } });
    startHalted(dead, LEVEL_1);
    dead.wait(100 * MS);
    powerCycle(dead);
    startWrite(dead, LEVEL_0);
    dead.wait(17_000 * MS);
    assert.ok(!dead.busy);
    powerCycle(dead);
    assert.equal(dead.peek(FLASH.optcr), 0xcffffffd);
    const torn = new ChipFixture({ flash: running() });
    startHalted(torn, LEVEL_1);
    torn.wait(100 * MS);
    powerCycle(torn);
    assert.equal(torn.peek(FLASH.optcr) & 0x80000000, 0, 'SPRMOD is old or new');
  });
});

describe('M3: when level 1 begins', () => {
  const locked = (switches: BoardOptions['switches'], debugger_: boolean): ChipFixture => {
    const b = new ChipFixture({ flash: running(), ...(switches && { switches }) });
    if (debugger_) b.board.debugAccess();
    startWrite(b, LEVEL_1);
    b.wait(OPTION_NS);
    return b;
  };

  it('M3: at once where a debugger was seen since power-on: flash shuts, the core locks up until a power cycle', () => {
    const b = locked({ rdpInForce: 'at-once' }, true);
    assert.equal(b.board.soc.protection.blocking, true);
    for (const master of ['cpu', 'fetch', 'debugger'] as const) b.faults(() => b.peek(0x08000000, 4, master));
    assert.ok(b.board.core.lockedUp);
    pressReset(b);
    assert.ok(b.board.core.lockedUp, 'the reset button does not help');
    powerCycle(b);
    assert.ok(!b.board.core.lockedUp && !b.board.soc.protection.blocking);
  });

  it('M3: without a debugger nothing shuts; one that comes later is shut out at once', () => {
    const b = locked({ rdpInForce: 'at-once' }, false);
    assert.equal(b.board.core.lockedUp, false);
    assert.equal(b.peek(0x08000000), 0x20010000);
    b.board.debugAccess();
    b.faults(() => b.peek(0x08000000, 4, 'debugger'));
  });

  it('M3: by default from the next power-on, as one reading of the manual has it', () => {
    const b = locked(undefined, true);
    assert.equal(b.board.soc.protection.blocking, false);
    assert.equal(b.peek(0x08000000, 4, 'debugger'), 0x20010000);
  });

  it('M3: on one part the reset button ended the lockup: a switch', () => {
    const b = locked({ rdpInForce: 'at-once', latchEnds: 'any-reset' }, true);
    assert.ok(b.board.core.lockedUp);
    pressReset(b);
    assert.ok(!b.board.core.lockedUp);
    b.board.debugAccess();
    assert.equal(b.board.soc.protection.blocking, true);
  });

  it('M3: writing level 1 again over level 1 does no harm', () => {
    const b = new ChipFixture({ flash: running(), rdp: 1, switches: { rdpInForce: 'at-once' } });
    startWrite(b, LEVEL_1);
    b.wait(OPTION_NS);
    assert.equal(b.sr, 0);
    assert.equal(b.board.core.lockedUp, false);
  });
});

describe('M4: identity at level 1', () => {
  const replies = (switches: BoardOptions['switches']): string[] => {
    const fixture = new SeenFixture({ rdp: 1, ...(switches && { switches }) });
    fixture.attach();
    const seen = [UID, SIZE].map((address) => fixture.status(peek(address)));
    return [...seen, fixture.word(SIZE).toString(16)];
  };
  it('M4: unique id and flash size are refused, or zero, or readable: a switch', () => {
    assert.deepEqual(replies(undefined).slice(0, 2), ['11', '11']);
    assert.deepEqual(replies({ identityAtL1: 'zero' }), ['80', '80', '0']);
    const [uid, size, word] = replies({ identityAtL1: 'readable' });
    assert.deepEqual([uid, size], ['80', '80']);
    assert.equal(Number.parseInt(word!, 16) >>> 16, 2048);
  });
  it('M4: at level 0, and for the code on the chip, they are always readable', () => {
    const fixture = new SeenFixture();
    fixture.attach();
    assert.equal(fixture.word(SIZE) >>> 16, 2048);
    const locked = new ChipFixture({ rdp: 1 });
    locked.board.debugAccess();
    assert.equal(locked.peek(0x1fff7a22, 2), 2048);
  });
});

describe('M5: reset and halt at level 1', () => {
  it('M5: the vectors read as ones: msp fffffffc, pc fffffffe, as on a blank chip', () => {
    const registers = (options: BoardOptions): number[] => {
      const fixture = new SeenFixture(options);
      fixture.attach();
      fixture.ask(poke(0xe000edf0, 0xa05f0003));
      fixture.ask(poke(0xe000edfc, 1));
      fixture.ask('f2 32');
      fixture.wait(5 * MS);
      assert.notEqual(fixture.word(0xe000edf0) & 0x20000, 0, 'S_HALT');
      return [15, 17, 14, 16, 0].map((register) => {
        const reply = fixture.ask(`f2 33 ${register.toString(16).padStart(2, '0')}`).split(' ');
        return Number.parseInt(reply.slice(4).reverse().join(''), 16);
      });
    };
    const expected = [0xfffffffe, 0xfffffffc, 0xffffffff, 0x01000000, 0];
    assert.deepEqual(registers({ rdp: 1, flash: running() }), expected);
    assert.deepEqual(registers({}), expected, 'a blank chip');
  });
});

describe('M11: BFB2', () => {
  it('M11: an option write with BFB2 set is accepted, and the chip starts in system memory', () => {
    const b = new ChipFixture({ flash: running() });
    startWrite(b, 0x0fffaafc);
    b.wait(OPTION_NS);
    assert.equal(b.sr, 0);
    powerCycle(b);
    assert.equal(b.peek(FLASH.optcr), 0x0fffaafd);
    assert.equal(b.board.core.regs[15]! >>> 16, 0x1fff);
    assert.match(b.board.warnings.join(), /BFB2/);
  });
});

describe('registers at a reset', () => {
  const afterReset = (switches: BoardOptions['switches']): number => {
    const fixture = new SeenFixture({ flash: program([], 0x20aa, SPIN), ...(switches && { switches }) });
    fixture.board.assertNrst();
    fixture.attach();
    fixture.ask(poke(0xe000edf0, 0xa05f0001));
    fixture.ask(poke(0xe000edfc, 1));
    fixture.board.releaseNrst();
    return fixture.board.core.regs[0]!;
  };
  it('r0-r12 read zero at the vector, or keep what a program left: a switch', () => {
    assert.equal(afterReset(undefined), 0xaa);
    assert.equal(afterReset({ registersAtReset: 'zero' }), 0);
  });
});
