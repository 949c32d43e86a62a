// Rows M6 to M10, M12 and P5: the probe and the debug components as people met them (docs/simulation.md).
import assert from 'node:assert/strict';
import { EventQueue } from '../../../../sim/event-queue.ts';
import { Board } from '../../../../sim/board.ts';
import type { FlashTiming } from '../../../../sim/peripherals/flash-timing.ts';
import { PROBE_TIMINGS, type ProbeTiming } from '../../../../sim/stlink/cost.ts';
import type { FirmwareSwitches } from '../../../../sim/stlink/firmware.ts';
import type { IdentityName } from '../../../../sim/stlink/identity.ts';
import { VirtualStlink } from '../../../../sim/stlink/virtual-stlink.ts';
import { VirtualUsbDevice } from '../../../../sim/stlink/virtual-usb.ts';
import { StlinkDriver } from '../../../../agent/probe/stlink/driver.ts';
import { WebUsbTransport } from '../../../../agent/probe/stlink/webusb-transport.ts';
import { isBlindflashError } from '../../../../shared/errors/errors.ts';
import { bytes, hex } from '../probe/probe-fixture.ts';
import { ChipFixture, FLASH, MS } from '../chip/chip-fixture.ts';
import { ENTER, peek, poke, program, SeenFixture } from './seen-fixture.ts';

const SPIN = 0xe7fe;
const DEMCR = 0xe000edfc;
const HALT = poke(0xe000edf0, 0xa05f0003);
const MODE = 'f5';
const VOLTAGE = 'f7';
const BOARD_ID = 'f2 56';
const ANSWERED = 'dc 05 00 00 0f 08 00 00';

/** A probe as it wakes up. */
const fresh = (identity: IdentityName, switches: Partial<FirmwareSwitches> = {}): SeenFixture =>
  new SeenFixture({}, { identity, switches: { startMode: 'usual', ...switches } });

describe('M6: a freshly plugged probe', () => {
  it('M6: a V2 wakes in DFU and says 00 01 there; F7 is silent until F3 07', () => {
    const probe = fresh('v2');
    assert.equal(probe.ask(MODE), '00 01');
    assert.equal(probe.ask(VOLTAGE), '');
    assert.equal(probe.status(ENTER), '06');
    probe.ask('f3 07');
    assert.equal(probe.ask(MODE), '01 00');
    assert.equal(probe.ask(VOLTAGE), ANSWERED);
    probe.ask(ENTER);
    assert.equal(probe.ask(MODE), '02 00');
  });
  it('M6: V2-1 and V3 wake in mass storage; an older V2 answered F7 in DFU: a switch', () => {
    for (const identity of ['v2-1', 'v3'] as const) assert.equal(fresh(identity).ask(MODE), '01 00');
    assert.equal(fresh('v2', { voltageInDfu: 'answered' }).ask(VOLTAGE), ANSWERED);
  });
});

describe('M7: READREG of a core that runs', () => {
  const answer = (identity: IdentityName, command: string): string => {
    const probe = new SeenFixture({ flash: program([], SPIN) }, { identity });
    probe.attach();
    probe.ask(HALT);
    assert.notEqual(probe.ask('f2 33 0f'), '80 00 00 00 00 00 00 00');
    probe.ask(poke(0xe000edf0, 0xa05f0001));
    return probe.ask(command);
  };
  it('M7: is 08 from J38 on, and 80 with 0 before', () => {
    assert.equal(answer('v2', 'f2 33 0f'), '80 00 00 00 00 00 00 00');
    for (const identity of ['v2-1', 'v3'] as const) {
      assert.equal(answer(identity, 'f2 33 0f'), '08 00 00 00 00 00 00 00');
    }
    assert.equal(answer('v2-1', 'f2 3a 00').slice(0, 2), '08', 'READALLREGS');
  });
});

describe('M8: byte writes', () => {
  it('M8: that read back differently answer 0D at the first such byte; words do not', () => {
    const probe = new SeenFixture();
    probe.attach();
    probe.ask('f2 0d 00 10 00 20 04 00', '01 02 03 04');
    assert.equal(probe.lastStatus, '80');
    // RCC_CR: HSIRDY is read-only.
    probe.ask('f2 0d 00 38 02 40 02 00', '81 00');
    assert.equal(probe.ask('f2 3e'), '0d 00 00 00 00 38 02 40 00 00 00 00');
    probe.ask('f2 08 00 38 02 40 04 00', '81 00 00 00');
    assert.equal(probe.lastStatus, '80');
  });
});

describe('M9: GET_BOARD_IDENTIFIERS', () => {
  it('M9: is answered, or the last command a probe hears until it is plugged anew: a switch', () => {
    const probe = new SeenFixture({}, { identity: 'v2-1' });
    assert.equal(probe.ask(BOARD_ID).length, 3 * 128 - 1);
    const hanging = new SeenFixture({}, { identity: 'v2-1', switches: { boardId: 'hangs' } });
    assert.deepEqual([hanging.ask(BOARD_ID), hanging.ask(MODE)], ['', '']);
    hanging.stlink.powerCycle();
    assert.equal(hanging.ask(MODE), '01 00');
  });
});

describe('M10: identification of the trace components', () => {
  it('M10: TPIU says DEVID ca1 with TRCENA; without it DWT, ITM and TPIU read as rubbish, SCS and FPB as ever', () => {
    const probe = new SeenFixture();
    probe.attach();
    const PREAMBLE = 0xff0;
    const preamble = (base: number): number => probe.word(base + PREAMBLE);
    for (const traced of [0xe0001000, 0xe0000000, 0xe0040000]) assert.notEqual(preamble(traced), 0x0d);
    for (const always of [0xe000e000, 0xe0002000]) assert.equal(preamble(always), 0x0d);
    assert.notEqual(probe.word(0xe0040fc8), 0xca1);
    probe.ask(poke(DEMCR, 0x01000000));
    for (const traced of [0xe0001000, 0xe0000000, 0xe0040000]) assert.equal(preamble(traced), 0x0d);
    assert.equal(probe.word(0xe0040fc8), 0xca1);
  });
});

describe('M12: times', () => {
  const eraseMs = (flashTiming: FlashTiming, cr: number): number => {
    const b = new ChipFixture({ flashTiming });
    b.unlock();
    b.poke(FLASH.cr, cr);
    b.poke(FLASH.cr, cr | 0x10000);
    const began = b.board.time.now;
    while (b.busy) b.wait(10 * MS);
    return Math.round((b.board.time.now - began) / MS / 10) * 10;
  };
  it('M12: 128 KB at x16 take 1.3 s, 2.05 s on one F429; the whole chip 8 s, 15 s on one F439', () => {
    const SECTOR_5_X16 = 0x100 | 0x2 | (5 << 3);
    const CHIP_X32 = 0x8204;
    assert.deepEqual([eraseMs('typ', SECTOR_5_X16), eraseMs('f429', SECTOR_5_X16)], [1300, 2050]);
    assert.deepEqual([eraseMs('typ', CHIP_X32), eraseMs('f439', CHIP_X32)], [8000, 15_000]);
  });

  const exchange = (identity: IdentityName, timing: ProbeTiming, command: string): number => {
    const probe = new SeenFixture({}, { identity, cost: PROBE_TIMINGS[timing] });
    probe.attach();
    const began = probe.board.time.now;
    probe.ask(command);
    return (probe.board.time.now - began) / MS;
  };
  it('M12: an exchange with a V3 takes 0.3 ms, 0.7 or 1 ms; a clone reads at half speed; a slow host asks 12 ms', () => {
    const MODE_OF_V3 = (['usual', 'v3-seen', 'v3-slow'] as const).map((timing) => exchange('v3', timing, MODE));
    assert.deepEqual(
      MODE_OF_V3.map((ms) => Math.round(ms * 10) / 10),
      [0.3, 0.7, 1],
    );
    const BLOCK = 'f2 07 00 00 00 20 00 18';
    const factor = exchange('v2', 'clone', BLOCK) / exchange('v2', 'usual', BLOCK);
    assert.ok(factor > 1.9 && factor <= 2, `${factor}`);
    assert.ok(exchange('v2', 'slow-host', MODE) >= 12);
  });
});

describe('the probe and the supply', () => {
  it('reads 0.01 V beside a chip that answers where the wire is missing', () => {
    const probe = new SeenFixture({}, { switches: { supplyWired: false } });
    assert.equal(probe.ask(VOLTAGE), 'dc 05 00 00 06 00 00 00');
    probe.attach();
    assert.equal(probe.status(peek(0xe000ed00)), '80');
  });
});

describe('P5: a failed ENTER', () => {
  /** A board without power under a probe that remembers a failed ENTER; opened twice by our driver. */
  const twice = async (repair: (board: Board) => void): Promise<unknown> => {
    const queue = new EventQueue();
    const board = new Board();
    const stlink = new VirtualStlink({ board, identity: 'v3', switches: { failedEnter: 'lingers' } });
    const usb = new VirtualUsbDevice({ stlink, queue });
    const connect = async (): Promise<unknown> => {
      const driver = new StlinkDriver(new WebUsbTransport(usb, { clock: queue }), { clock: queue });
      try {
        await driver.open();
        await driver.connect();
        return 'connected';
      } catch (error) {
        return isBlindflashError(error) ? error.code : error;
      } finally {
        await driver.close();
      }
    };
    return queue.drive(
      (async () => {
        const first = await connect();
        repair(board);
        return [first, await connect()];
      })(),
    );
  };

  it('P5: is left with EXIT, so that the next program finds a probe that answers', async () => {
    const ends = await twice((board) => {
      board.powerOn();
      board.runTo(board.time.now + 5 * MS);
    });
    assert.deepEqual(ends, ['BF-TARGET-NO-POWER', 'connected']);
  });

  it('P5: without EXIT such a probe is mute for the next', async () => {
    const queue = new EventQueue();
    const stlink = new VirtualStlink({ board: new Board(), identity: 'v3', switches: { failedEnter: 'lingers' } });
    const transport = new WebUsbTransport(new VirtualUsbDevice({ stlink, queue }), { clock: queue });
    const send = (text: string): Promise<Uint8Array> => {
      const whole = new Uint8Array(16);
      whole.set(bytes(text));
      return transport.exchange(whole, undefined, 2, 1000);
    };
    const twoPrograms = async (): Promise<unknown> => {
      await transport.open();
      const entered = hex(await send(ENTER));
      await transport.close();
      await transport.open();
      return [entered, await send(MODE).catch((error: unknown) => isBlindflashError(error) && error.code)];
    };
    assert.deepEqual(await queue.drive(twoPrograms()), ['05 00', 'BF-PROBE-TIMEOUT']);
  });
});
