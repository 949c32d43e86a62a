// Row M1: a debugger meets a sleeping core as people met it (docs/simulation.md, "A core that sleeps").
import assert from 'node:assert/strict';
import { AGAIN, Desk, ENTER, INIT_AP, MS, NRST_HIGH, NRST_LOW, peek, poke, program, WFI } from './desk.ts';

const DHCSR = 0xe000edf0;
const DEMCR = 0xe000edfc;
const DBGMCU_CR = 0xe0042004;
const HALT = 0xa05f0003;
const CPUID = peek(0xe000ed00);
const SCR = 0xe000ed10;
const LOOP_OF_WFI = [WFI, AGAIN];

/** A product that idles in WFI; `dbgmcu` is what it keeps in DBGMCU_CR. */
const sleeper = (dbgmcu = 0): Uint8Array => program([[DBGMCU_CR, dbgmcu]], ...LOOP_OF_WFI);
/** The same in Stop mode, EXTI line 0 armed on its rising edge, interrupt 6 on. */
const STOP = [
  [SCR, 4],
  [0x40013c00, 1],
  [0x40013c08, 1],
  [0xe000e100, 1 << 6],
] as const;
const stopper = (dbgmcu = 0): Uint8Array => program([...STOP, [DBGMCU_CR, dbgmcu]], ...LOOP_OF_WFI);

describe('M1: a core in WFI', () => {
  it('M1: access to a sleeping core answers wait until it wakes, unless DBG_SLEEP is set', () => {
    const desk = new Desk({ flash: sleeper() });
    assert.ok(desk.board.core.sleeping);
    assert.equal(desk.status(ENTER), '80', 'the debug port itself has a clock');
    assert.equal(desk.status(INIT_AP), '10');
    assert.equal(desk.ask(CPUID), '14 00 00 00 00 00 00 00');
    assert.equal(desk.status(poke(DHCSR, HALT)), '14');
    const awake = new Desk({ flash: sleeper(1) });
    assert.ok(awake.board.core.sleeping);
    awake.attach();
    assert.equal(awake.ask(CPUID), '80 00 00 00 41 c2 0f 41');
    assert.equal(awake.status(poke(DHCSR, HALT)), '80');
    assert.ok(awake.board.core.halted);
  });

  it('M1: one that falls asleep under a session answers 10, and 14 to the next', () => {
    // A count of a million, then sleep.
    const desk = new Desk({ flash: program([], 0xf64f, 0x70ff, 0x0100, 0x3801, 0xd1fd, ...LOOP_OF_WFI) });
    desk.attach();
    assert.equal(desk.status(CPUID), '80');
    desk.wait(400 * MS);
    assert.deepEqual([desk.status(CPUID), desk.status(ENTER), desk.status(CPUID)], ['10', '14', '14']);
  });

  it('M1: it answers while it is awake for an interrupt', () => {
    const ticks = [
      [0xe000e014, 0xffff],
      [0xe000e010, 7],
    ] as const;
    // Every 65536 cycles the core wakes and counts to 0x4000: about a fifth of the time.
    const desk = new Desk({ flash: program(ticks, WFI, 0xf44f, 0x4080, 0x3801, 0xd1fd, 0xe7f9) });
    desk.ask(ENTER);
    const seen = new Set(Array.from({ length: 40 }, () => desk.status(INIT_AP)));
    assert.deepEqual([...seen].sort(), ['10', '80']);
  });

  it('M1: under reset it is caught by its vector, and runs on when let go', () => {
    const desk = new Desk({ flash: sleeper() });
    desk.ask(NRST_LOW);
    desk.attach();
    for (const write of [poke(DHCSR, 0xa05f0001), poke(DEMCR, 1)]) assert.equal(desk.status(write), '80');
    desk.ask(NRST_HIGH);
    assert.equal(desk.word(DHCSR) & 0x20000, 0x20000, 'S_HALT');
    assert.equal(desk.board.core.regs[15], 0x08000100);
    desk.ask(poke(DEMCR, 0));
    desk.ask(poke(DHCSR, 0xa05f0000));
    desk.wait(MS);
    assert.equal(desk.status(CPUID), '10');
  });

  it('M1: the reset wire may be missing: then only the button helps', () => {
    const desk = new Desk({ flash: sleeper() }, { switches: { nrstWired: false } });
    assert.equal(desk.status(NRST_LOW), '80');
    assert.equal(desk.board.nrstAsserted, false);
    desk.ask(ENTER);
    assert.equal(desk.status(INIT_AP), '10');
    desk.board.pressButton();
    assert.equal(desk.status(INIT_AP), '80');
    desk.ask(poke(DHCSR, 0xa05f0001));
    desk.ask(poke(DEMCR, 1));
    desk.board.releaseButton();
    desk.wait(MS);
    assert.ok(desk.board.core.halted);
  });

  it('M1: button and probe pull one line: it rises when both let go, and no sooner than its circuit lets it', () => {
    const desk = new Desk({ flash: sleeper(), nrstRiseNs: 20 * MS });
    desk.board.pressButton();
    desk.ask(NRST_LOW);
    desk.board.releaseButton();
    assert.equal(desk.board.nrstAsserted, true);
    desk.ask(NRST_HIGH);
    desk.wait(10 * MS);
    assert.ok(desk.board.inReset);
    desk.wait(10 * MS);
    assert.ok(!desk.board.inReset);
  });

  it('M1: by the letter of the manual a debugger keeps the clock on: a switch', () => {
    const desk = new Desk({ flash: sleeper(), switches: { sleepingCoreAnswers: true } });
    desk.attach();
    assert.equal(desk.ask(CPUID), '80 00 00 00 41 c2 0f 41');
  });
});

describe('M1: Stop mode', () => {
  it('M1: answers wait as sleep does, unless DBG_STOP is set', () => {
    for (const [dbgmcu, answer] of [
      [0, '10'],
      [1, '10'],
      [2, '80'],
    ] as const) {
      const desk = new Desk({ flash: stopper(dbgmcu) });
      assert.ok(desk.board.inStop);
      desk.ask(ENTER);
      assert.equal(desk.status(INIT_AP), answer, `DBGMCU_CR ${dbgmcu}`);
    }
  });

  it('M1: an EXTI line wakes it, on HSI with the PLL off', () => {
    const pll = [
      [0x40023804, 0x07402a08],
      [0x40023c00, 5],
      [0x40023800, 0x01000083],
      [0x40023808, 0x00009402],
    ] as const;
    const wait = [0xf44f, 0x4080, 0x3801, 0xd1fd];
    const desk = new Desk({ flash: program([...STOP, ...pll], ...wait, WFI, AGAIN) });
    const { board } = desk;
    assert.ok(board.inStop);
    board.soc.exti.setLine(0, true);
    desk.wait(1000);
    assert.ok(!board.inStop && !board.core.sleeping, 'in its interrupt');
    assert.equal(board.time.hz, 16e6);
    assert.equal(board.bus.read(0x40023808, 4, 'debugger') & 0xf, 0, 'SW and SWS say HSI');
    assert.equal(board.bus.read(0x40023800, 4, 'debugger') & 0x03000003, 3);
  });

  it('M1: SysTick, the window watchdog and the serial port stand still; the independent watchdog bites', () => {
    const ticking = [
      [0x40023840, 0x10000800],
      [0x40002c00, 0xff],
      [0xe000e014, 0xfff],
      [0xe000e010, 7],
      [0x40003000, 0xcccc],
    ] as const;
    const desk = new Desk({ flash: program([...ticking, ...STOP], ...LOOP_OF_WFI) });
    desk.board.uart.receive(Uint8Array.of(1, 2, 3));
    desk.wait(500 * MS);
    assert.ok(desk.board.inStop);
    desk.wait(20 * MS);
    assert.equal(desk.board.bus.read(0x40023874, 4, 'debugger') >>> 29, 1, 'IWDGRSTF alone');
  });

  it('M1: with nRST_STOP = 0 the chip resets instead', () => {
    const desk = new Desk({ flash: stopper(), optcr: 0x0fffaaac });
    assert.ok(!desk.board.inStop);
    assert.equal(desk.board.soc.rcc.read(0x74, 4, 'debugger') >>> 31, 1, 'LPWRRSTF');
  });

  it('M1: NRST ends it; a saved board wakes as the first does', () => {
    const desk = new Desk({ flash: stopper() });
    const saved = desk.board.snapshot();
    const outcome = (): unknown => {
      desk.board.soc.exti.setLine(0, true);
      desk.wait(MS);
      return desk.board.snapshot();
    };
    const first = outcome();
    desk.board.restore(saved);
    assert.ok(desk.board.inStop);
    assert.deepEqual(outcome(), first);
    desk.board.restore(saved);
    desk.ask(NRST_LOW);
    assert.ok(!desk.board.inStop);
    desk.attach();
    assert.equal(desk.status(CPUID), '80');
  });
});
