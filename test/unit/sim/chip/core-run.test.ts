// The board with its core: hand-assembled Thumb code runs from SRAM and flash and meets busy banks, resets and Standby
// the way docs/reference/stm32f4.md §3.7, §8.1 and §8.4 say.
import assert from 'node:assert/strict';
import { Board, type BoardOptions } from '../../../../sim/board.ts';
import { MS } from './chip-fixture.ts';

const STACK = 0x20002000;

/** Vector table, code at +0x40, literals at +0x80; `literal(n)` loads literal n of `literals`. */
function image(base: number, code: readonly number[], literals: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(0x100);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, STACK, true);
  view.setUint32(4, base + 0x41, true);
  code.forEach((half, i) => view.setUint16(0x40 + 2 * i, place(half, 0x40 + 2 * i), true));
  literals.forEach((word, i) => view.setUint32(0x80 + 4 * i, word, true));
  return bytes;
}
/** LDR Rt, literal n: encoded late, because its offset depends on where it stands. */
const LITERAL = 0x10000;
const ldr = (rt: number, n: number) => LITERAL | (rt << 8) | n;
const place = (half: number, at: number) =>
  half < LITERAL ? half : 0x4800 | (half & 0x700) | ((0x80 + 4 * (half & 0xff) - ((at + 4) & ~3)) >>> 2);

const STR_R1_R0_4 = 0x6041;
const STR_R1_R0_10 = 0x6101;
const LDR_R3_R2 = 0x6813;
const LOOP = 0xe7fe;

/** Unlocks, erases the sector with code `snb`, reads `probe` into r3, sets r4 = 1, loops. */
const eraseAndRead = (snb: number, probe: number) => ({
  code: [
    ldr(0, 0),
    ldr(1, 1),
    STR_R1_R0_4,
    ldr(1, 2),
    STR_R1_R0_4,
    ldr(2, 5),
    ldr(1, 3),
    STR_R1_R0_10,
    ldr(1, 4),
    STR_R1_R0_10,
    0x2401,
    LDR_R3_R2,
    0x2501,
    LOOP,
  ],
  literals: [0x40023c00, 0x45670123, 0xcdef89ab, 0x202 | (snb << 3), 0x10202 | (snb << 3), probe],
});

function fromSram(
  program: { code: readonly number[]; literals: readonly number[] },
  options: BoardOptions = {},
): Board {
  const board = new Board({ boot: 'sram', flash: new Uint8Array(0x200000), ...options });
  board.powerOn();
  board.soc.memories.ram[0]!.bytes.set(image(0x20000000, program.code, program.literals));
  return board;
}
function fromFlash(
  program: { code: readonly number[]; literals: readonly number[] },
  options: BoardOptions = {},
): Board {
  const flash = new Uint8Array(0x200000);
  flash.set(image(0x08000000, program.code, program.literals));
  const board = new Board({ flash, ...options });
  board.powerOn();
  return board;
}

describe('core on the board: busy flash', () => {
  it('code in SRAM reading the bank it erases waits and then sees erased words', () => {
    const board = fromSram(eraseAndRead(1, 0x08004000));
    board.runTo(10 * MS);
    assert.equal(board.flash.stalls, 1);
    assert.ok(board.time.now > 250 * MS);
    board.runTo(260 * MS);
    assert.deepEqual([...board.core.regs.slice(3, 6)], [0xffffffff, 1, 1]);
  });
  it('code in SRAM reads the other bank without waiting', () => {
    const board = fromSram(eraseAndRead(0x11, 0x08004000));
    board.runTo(10 * MS);
    assert.equal(board.flash.stalls, 0);
    assert.ok(board.time.now < 11 * MS);
    assert.deepEqual([...board.core.regs.slice(3, 6)], [0, 1, 1]);
  });
  it('code in flash stands still while its own bank is erased', () => {
    const board = fromFlash(eraseAndRead(1, 0x20000000));
    board.runTo(10 * MS);
    assert.ok(board.flash.stalls >= 1);
    assert.ok(board.time.now > 250 * MS);
    board.runTo(300 * MS);
    assert.equal(board.core.regs[5], 1);
  });
  it('code in flash runs on while the other bank is erased', () => {
    const board = fromFlash(eraseAndRead(0x11, 0x08000080));
    board.runTo(3 * MS);
    assert.equal(board.flash.stalls, 0);
    assert.deepEqual([...board.core.regs.slice(3, 6)], [0x40023c00, 1, 1]);
    assert.ok(board.flash.busy);
  });
  it('a power cut inside the wait stops everything there', () => {
    const board = fromSram(eraseAndRead(1, 0x08004000));
    board.cutPowerAt(100 * MS);
    board.runTo(120 * MS);
    assert.equal(board.powered, false);
    assert.equal(board.core.runnable, false);
    assert.ok(board.flash.bytes.subarray(0x4000, 0x8000).some((byte) => byte !== 0 && byte !== 0xff));
  });
});

describe('core on the board: resets', () => {
  // r1 = AIRCR, r0 = 0x05FA0004: SYSRESETREQ.
  const RESETS_ITSELF = {
    code: [ldr(2, 2), 0x6813, 0x3301, 0x6013, ldr(0, 1), ldr(1, 0), 0x6008, LOOP],
    literals: [0xe000ed0c, 0x05fa0004, 0x20001000],
  };
  it('SYSRESETREQ restarts the code and keeps SRAM', () => {
    const board = fromSram(RESETS_ITSELF);
    board.soc.memories.ram[0]!.bytes.fill(0, 0x1000, 0x1004);
    board.runTo(1.5 * MS + 100_000);
    const runs = board.soc.memories.ram[0]!.bytes[0x1000]!;
    // A pulse of 20 µs and under a microsecond of code each time.
    assert.ok(runs >= 4 && runs <= 6, String(runs));
    assert.equal(board.soc.rcc.read(0x74, 4, 'debugger') >>> 28, 1, 'SFTRSTF');
  });
  it('the watchdog pulls the core out of a busy wait', () => {
    const board = fromSram({
      code: [ldr(0, 0), ldr(1, 1), 0x6001, ldr(2, 2), 0x6813, 0x3301, 0x6013, LOOP],
      literals: [0x40003000, 0xcccc, 0x20001000],
    });
    board.soc.memories.ram[0]!.bytes.fill(0, 0x1000, 0x1004);
    board.runTo(1200 * MS);
    assert.equal(board.bus.read(0x20001000, 4, 'debugger'), 3);
  });
  it('a level-1 chip locks up when a debugger trips the latch under flash code', () => {
    const board = fromFlash({ code: [LOOP], literals: [] }, { rdp: 1 });
    board.runTo(2 * MS);
    assert.ok(board.core.runnable);
    board.debugAccess();
    board.runTo(3 * MS);
    assert.ok(board.core.lockedUp);
  });
});

describe('core on the board: snapshot', () => {
  it('a fork runs exactly as the original', () => {
    const program = eraseAndRead(0x11, 0x08004000);
    const board = fromSram(program);
    board.runTo(1.6 * MS);
    const saved = board.snapshot();
    board.runTo(400 * MS);
    const fork = new Board({ boot: 'sram' });
    fork.restore(saved);
    fork.runTo(400 * MS);
    assert.deepEqual(fork.snapshot(), board.snapshot());
  });
});

describe('core on the board: Standby', () => {
  // SCR.SLEEPDEEP, RTC wake-up from LSI after 100 ms, PWR_CR.PDDS, WFI. r0 base, r1 value.
  const store = (address: number, value: number) => ({ address, value });
  const STEPS = [
    store(0x40023840, 0x10000000),
    store(0x40007000, 0xc100),
    store(0x40023874, 1),
    store(0x40023870, 0x8200),
    store(0x40002824, 0xca),
    store(0x40002824, 0x53),
    store(0x40002814, 199),
    store(0x40002808, 0x4400),
    store(0x40007000, 0xc102),
    store(0xe000ed10, 4),
  ];
  const sleeper = (extra: readonly { address: number; value: number }[] = []) => {
    const steps = [...extra, ...STEPS];
    const bytes = new Uint8Array(0x200);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, STACK, true);
    view.setUint32(4, 0x08000041, true);
    let at = 0x40;
    const put = (half: number) => {
      view.setUint16(at, half, true);
      at += 2;
    };
    const load = (rt: number, from: number) => put(0x4800 | (rt << 8) | ((from - ((at + 4) & ~3)) >>> 2));
    steps.forEach((step, i) => {
      view.setUint32(0x100 + 8 * i, step.address, true);
      view.setUint32(0x104 + 8 * i, step.value, true);
      load(0, 0x100 + 8 * i);
      load(1, 0x104 + 8 * i);
      put(0x6001);
    });
    put(0xbf30);
    put(LOOP);
    return bytes;
  };
  const start = (options: BoardOptions = {}, extra: readonly { address: number; value: number }[] = []) => {
    const board = new Board({ flash: sleeper(extra), ...options });
    board.powerOn();
    return board;
  };

  it('powers the domain down, wakes by RTC through a reset, clears an SRAM word and the latch', () => {
    const board = start({ rdp: 0 });
    board.runTo(1.502 * MS);
    board.debugAccess();
    board.runTo(50 * MS);
    assert.equal(board.powered, false);
    assert.ok(board.inStandby);
    const ups = board.powerUps;
    board.runTo(101.8 * MS);
    assert.equal(board.powerUps, ups + 1);
    assert.equal(board.soc.protection.intruded, false);
    assert.ok(board.powered);
  });
  it('with DBG_STANDBY set keeps the domain, its RAM and the latch', () => {
    const board = start({}, [store(0xe0042004, 4), store(0x20001000, 0xcafe)]);
    board.runTo(1.502 * MS);
    board.debugAccess();
    board.runTo(50 * MS);
    assert.deepEqual([board.powered, board.inStandby], [true, true]);
    board.runTo(101.8 * MS);
    assert.ok(!board.inStandby);
    assert.equal(board.soc.protection.intruded, true);
    assert.equal(board.soc.memories.ram[0]!.bytes[0x1000], 0xfe);
  });
  it('with nRST_STDBY=0 resets instead', () => {
    const board = start();
    board.options.words.user &= ~0x80;
    board.runTo(1.6 * MS);
    assert.equal(board.inStandby, false);
    assert.equal(board.soc.rcc.read(0x74, 4, 'debugger') >>> 31, 1, 'LPWRRSTF');
  });
});
