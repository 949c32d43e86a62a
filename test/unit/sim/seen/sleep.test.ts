// Row M1: a debugger meets a sleeping core as people met it (docs/simulation.md, "A core that sleeps").
import assert from 'node:assert/strict';
import {
  AGAIN,
  SeenFixture,
  ENTER,
  INIT_AP,
  MS,
  NRST_HIGH,
  NRST_LOW,
  peek,
  poke,
  program,
  WFI,
} from './seen-fixture.ts';

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
    const fixture = new SeenFixture({ flash: sleeper() });
    assert.ok(fixture.board.core.sleeping);
    assert.equal(fixture.status(ENTER), '80', 'the debug port itself has a clock');
    assert.equal(fixture.status(INIT_AP), '10');
    assert.equal(fixture.ask(CPUID), '14 00 00 00 00 00 00 00');
    assert.equal(fixture.status(poke(DHCSR, HALT)), '14');
    const awake = new SeenFixture({ flash: sleeper(1) });
    assert.ok(awake.board.core.sleeping);
    awake.attach();
    assert.equal(awake.ask(CPUID), '80 00 00 00 41 c2 0f 41');
    assert.equal(awake.status(poke(DHCSR, HALT)), '80');
    assert.ok(awake.board.core.halted);
  });

  it('M1: one that falls asleep under a session answers 10, and 14 to the next', () => {
    // A count of a million, then sleep.
    const fixture = new SeenFixture({ flash: program([], 0xf64f, 0x70ff, 0x0100, 0x3801, 0xd1fd, ...LOOP_OF_WFI) });
    fixture.attach();
    assert.equal(fixture.status(CPUID), '80');
    fixture.wait(400 * MS);
    assert.deepEqual([fixture.status(CPUID), fixture.status(ENTER), fixture.status(CPUID)], ['10', '14', '14']);
  });

  it('M1: it answers while it is awake for an interrupt', () => {
    const ticks = [
      [0xe000e014, 0xffff],
      [0xe000e010, 7],
    ] as const;
    // Every 65536 cycles the core wakes and counts to 0x4000: about a fifth of the time.
    const fixture = new SeenFixture({ flash: program(ticks, WFI, 0xf44f, 0x4080, 0x3801, 0xd1fd, 0xe7f9) });
    fixture.ask(ENTER);
    const seen = new Set(Array.from({ length: 40 }, () => fixture.status(INIT_AP)));
    assert.deepEqual([...seen].sort(), ['10', '80']);
  });

  it('M1: under reset it is caught by its vector, and runs on when let go', () => {
    const fixture = new SeenFixture({ flash: sleeper() });
    fixture.ask(NRST_LOW);
    fixture.attach();
    for (const write of [poke(DHCSR, 0xa05f0001), poke(DEMCR, 1)]) assert.equal(fixture.status(write), '80');
    fixture.ask(NRST_HIGH);
    assert.equal(fixture.word(DHCSR) & 0x20000, 0x20000, 'S_HALT');
    assert.equal(fixture.board.core.regs[15], 0x08000100);
    fixture.ask(poke(DEMCR, 0));
    fixture.ask(poke(DHCSR, 0xa05f0000));
    fixture.wait(MS);
    assert.equal(fixture.status(CPUID), '10');
  });

  it('M1: the reset wire may be missing: then only the button helps', () => {
    const fixture = new SeenFixture({ flash: sleeper() }, { switches: { nrstWired: false } });
    assert.equal(fixture.status(NRST_LOW), '80');
    assert.equal(fixture.board.nrstAsserted, false);
    fixture.ask(ENTER);
    assert.equal(fixture.status(INIT_AP), '10');
    fixture.board.pressButton();
    assert.equal(fixture.status(INIT_AP), '80');
    fixture.ask(poke(DHCSR, 0xa05f0001));
    fixture.ask(poke(DEMCR, 1));
    fixture.board.releaseButton();
    fixture.wait(MS);
    assert.ok(fixture.board.core.halted);
  });

  it('M1: button and probe pull one line: it rises when both let go, and no sooner than its circuit lets it', () => {
    const fixture = new SeenFixture({ flash: sleeper(), nrstRiseNs: 20 * MS });
    fixture.board.pressButton();
    fixture.ask(NRST_LOW);
    fixture.board.releaseButton();
    assert.equal(fixture.board.nrstAsserted, true, 'by the probe');
    fixture.board.pressButton();
    fixture.ask(NRST_HIGH);
    fixture.wait(30 * MS);
    assert.ok(fixture.board.inReset, 'by the button');
    fixture.board.releaseButton();
    fixture.wait(10 * MS);
    assert.ok(fixture.board.inReset);
    fixture.wait(10 * MS);
    assert.ok(!fixture.board.inReset);
  });

  it('M1: by the letter of the manual a debugger keeps the clock on: a switch', () => {
    const fixture = new SeenFixture({ flash: sleeper(), switches: { sleepingCoreAnswers: true } });
    fixture.attach();
    assert.equal(fixture.ask(CPUID), '80 00 00 00 41 c2 0f 41');
  });
});

describe('M1: Stop mode', () => {
  it('M1: answers wait as sleep does, unless DBG_STOP is set', () => {
    for (const [dbgmcu, answer] of [
      [0, '10'],
      [1, '10'],
      [2, '80'],
    ] as const) {
      const fixture = new SeenFixture({ flash: stopper(dbgmcu) });
      assert.ok(fixture.board.inStop);
      fixture.ask(ENTER);
      assert.equal(fixture.status(INIT_AP), answer, `DBGMCU_CR ${dbgmcu}`);
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
    const fixture = new SeenFixture({ flash: program([...STOP, ...pll], ...wait, WFI, AGAIN) });
    const { board } = fixture;
    assert.ok(board.inStop);
    board.soc.exti.setLine(0, true);
    fixture.wait(1000);
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
      // USART1, 115200 baud, receiver on.
      [0x40023844, 0x10],
      [0x40011008, 0x8b],
      [0x4001100c, 0x2004],
    ] as const;
    const fixture = new SeenFixture({ flash: program([...ticking, ...STOP], ...LOOP_OF_WFI) });
    const { bus, uart } = fixture.board;
    const counter = bus.read(0xe000e018, 4, 'debugger');
    uart.receive(Uint8Array.of(1, 2, 3));
    fixture.wait(500 * MS);
    assert.ok(fixture.board.inStop);
    assert.equal(bus.read(0xe000e018, 4, 'debugger'), counter, 'SysTick');
    assert.equal(uart.read(0, 4, 'debugger') & 0x20, 0, 'RXNE');
    fixture.wait(20 * MS);
    assert.equal(fixture.board.bus.read(0x40023874, 4, 'debugger') >>> 29, 1, 'IWDGRSTF alone');
  });

  it('M1: with nRST_STOP = 0 the chip resets instead', () => {
    const fixture = new SeenFixture({ flash: stopper(), optcr: 0x0fffaaac });
    assert.ok(!fixture.board.inStop);
    assert.equal(fixture.board.soc.rcc.read(0x74, 4, 'debugger') >>> 31, 1, 'LPWRRSTF');
  });

  it('M1: NRST ends it; a saved board wakes as the first does', () => {
    const fixture = new SeenFixture({ flash: stopper() });
    const saved = fixture.board.snapshot();
    const outcome = (): unknown => {
      fixture.board.soc.exti.setLine(0, true);
      fixture.wait(MS);
      return fixture.board.snapshot();
    };
    const first = outcome();
    fixture.board.restore(saved);
    assert.ok(fixture.board.inStop);
    assert.deepEqual(outcome(), first);
    fixture.board.restore(saved);
    fixture.ask(NRST_LOW);
    assert.ok(!fixture.board.inStop);
    fixture.attach();
    assert.equal(fixture.status(CPUID), '80');
  });
});
