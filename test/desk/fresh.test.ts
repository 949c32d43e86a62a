// When a start counts as one with the power (docs/loader.md, "Keys"): NRST so soon behind the power that the flags do
// not tell, and starts out of Standby. What a probe can leave in the core meanwhile is seen by itself.
import assert from 'node:assert/strict';
import { Board } from '../../sim/board.ts';
import { LOCKED, plantedFlash, runMs } from '../integration/loader/loader-fixture.ts';
import { ATTACKS } from './attacks.ts';
import { Secrets, slotSecrets } from './secrets.ts';
import { slotOf } from './walk.ts';

const POWER_ON_NS = 1.5e6;
const PULSE_NS = 50_000;
const MADE_MS = 60;
const PWR_CR = 0x40007000;
const PDDS = 2;
const RCC_APB1ENR = 0x40023840;
const PWR_CLOCK = 1 << 28;
const SCR = 0xe000ed10;
const SLEEPDEEP = 4;
const DBGMCU_CR = 0xe0042004;
const WFI = 0xbf30;
const SRAM = 0x20000000;
const RECOVERS_NS = 2e6;
/** What a probe may set that a reset leaves. */
const LEFT = {
  debugging: [0xe000edf0, 0xa05f0001],
  breakpoints: [0xe0002000, 3],
  trace: [0xe000edfc, 1 << 24],
  'low power debugging': [DBGMCU_CR, 7],
} as const;

const flash = plantedFlash();
/** A planted and locked board, so many ns behind the instant its core leaves the reset of the power. */
function powered(ns: number): Board {
  const board = new Board({ ...LOCKED, flash, switches: { latchEnds: 'any-reset' } });
  board.powerOn();
  board.runTo(POWER_ON_NS + ns);
  return board;
}
function pulse(board: Board, meanwhile: () => void = () => {}): void {
  board.assertNrst();
  board.runTo(board.time.now + PULSE_NS);
  meanwhile();
  board.releaseNrst();
}
const hasKeys = (board: Board): boolean => {
  runMs(board, MADE_MS);
  return slotOf(board).some((byte) => byte !== 0xff);
};

/** Secrets of the keys that were made, as a probe finds them that connects under reset. */
function found(board: Board): string[] {
  const secrets = new Secrets();
  secrets.addAll(slotSecrets(slotOf(board)));
  const { memory, words } = ATTACKS['connect under reset'](board, secrets, 0)!;
  return [...memory, ...words];
}

describe('desk: a start with the power', () => {
  it('NRST in its first 0.1 ms cannot be told from it, and gains nothing: no secret is found behind keys made so', () => {
    const board = powered(20_000);
    pulse(board);
    assert.ok(hasKeys(board));
    assert.deepEqual(found(board), []);
  });

  it('NRST later makes no keys', () => {
    for (const us of [400, 1000, 3000]) {
      const board = powered(us * 1000);
      pulse(board);
      assert.ok(!hasKeys(board), `${us} µs`);
    }
  });

  for (const [what, [address, value]] of Object.entries(LEFT)) {
    it(`whatever a probe leaves in the core then makes no keys: ${what}`, () => {
      const board = powered(20_000);
      pulse(board, () => {
        board.debugAccess();
        board.bus.write(address, value, 4, 'debugger');
      });
      board.runTo(board.time.now + PULSE_NS);
      pulse(board);
      assert.ok(!board.soc.protection.intruded, 'the latch is open again, by a switch');
      assert.ok(!hasKeys(board));
    });
  }

  for (const kept of [false, true]) {
    const how = kept ? 'the core kept alive by a probe, is none' : 'where nothing has power, is one, and gains nothing';
    it(`a start out of Standby, ${how}`, () => {
      const board = powered(3e6);
      pulse(board);
      runMs(board, 1);
      board.bus.write(RCC_APB1ENR, PWR_CLOCK, 4, 'cpu');
      board.bus.write(PWR_CR, PDDS, 4, 'cpu');
      board.bus.write(SCR, SLEEPDEEP, 4, 'cpu');
      if (kept) board.bus.write(DBGMCU_CR, 7, 4, 'debugger');
      board.bus.write(SRAM, WFI, 2, 'cpu');
      board.bus.invalidate(SRAM, 4);
      board.core.regs[15] = SRAM;
      runMs(board, 1);
      assert.ok(board.inStandby);
      board.pressButton();
      board.releaseButton();
      board.runTo(board.time.now + RECOVERS_NS);
      assert.ok(!board.inStandby);
      assert.equal(hasKeys(board), !kept);
      if (!kept) assert.deepEqual(found(board), []);
    });
  }
});
