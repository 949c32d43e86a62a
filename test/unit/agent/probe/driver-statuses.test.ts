// Proves: every status of the probe has its code; waits are repeated within bounds, faults are followed by ABORT.
import assert from 'node:assert/strict';
import type { ErrorCode } from '../../../../shared/errors/errors.ts';
import { BUS, OK, OK_LAST, openedV2 } from './scripted-driver.ts';
import { line, rejectsWith } from './support.ts';

describe('ST-LINK driver: statuses', () => {
  /** docs/reference/stlink.md §2.7 spelled out again; the code is what a person gets to see. */
  const STATUSES: readonly (readonly [status: string, code: ErrorCode, words: RegExp])[] = [
    ['01', 'BF-TARGET-FAULT', /unknown error/],
    ['02', 'BF-PROBE-COMMAND', /SPI/],
    ['03', 'BF-PROBE-COMMAND', /DMA/],
    ['04', 'BF-TARGET-NONE', /JTAG chain/],
    ['05', 'BF-TARGET-NONE', /no device/],
    ['06', 'BF-PROBE-COMMAND', /ignored/],
    ['07', 'BF-PROBE-COMMAND', /wait/],
    ['08', 'BF-PROBE-COMMAND', /command error/],
    ['09', 'BF-TARGET-NONE', /no SWD answer/],
    ['0A', 'BF-TARGET-ALIGNMENT', /alignment/],
    ['0B', 'BF-TARGET-NONE', /power/],
    ['0C', 'BF-TARGET-FAULT', /write error/],
    ['0E', 'BF-PROBE-COMMAND', /another mode/],
    ['12', 'BF-TARGET-WIRE', /AP protocol/],
    ['13', 'BF-TARGET-WIRE', /AP parity/],
    ['16', 'BF-TARGET-WIRE', /DP protocol/],
    ['17', 'BF-TARGET-WIRE', /DP parity/],
    ['1A', 'BF-TARGET-WIRE', /overrun/],
    ['1B', 'BF-PROBE-BUSY', /already used/],
    ['1C', 'BF-TARGET-WIRE', /turnaround/],
    ['1D', 'BF-PROBE-COMMAND', /not open/],
    ['20', 'BF-PROBE-COMMAND', /trace/],
    ['21', 'BF-PROBE-COMMAND', /loader/],
    ['29', 'BF-PROBE-COMMAND', /too many/],
    ['30', 'BF-PROBE-SERVER', /not found/],
    ['31', 'BF-PROBE-SERVER', /too many/],
    ['40', 'BF-PROBE-COMMAND', /configuration/],
    ['41', 'BF-PROBE-SPEED', /frequency/],
    ['42', 'BF-PROBE-OLD-FIRMWARE', /unknown command/],
    ['81', 'BF-TARGET-FAULT', /fault/],
    ['7F', 'BF-PROBE-GARBAGE', /unlisted/],
    ['00', 'BF-PROBE-GARBAGE', /unlisted/],
    ['FF', 'BF-PROBE-GARBAGE', /unlisted/],
  ];
  for (const [status, code, words] of STATUSES) {
    it(`${status} → ${code}, told once, never repeated`, async () => {
      const { driver, transport, clock } = await openedV2(line('F2 3C 00', `${status} 00`));
      const error = await rejectsWith(driver.driveNrst('low'), code);
      assert.match(error.detail ?? '', words);
      assert.match(error.detail ?? '', /DRIVE_NRST low/);
      assert.deepEqual(clock.delays, []);
      transport.done();
    });
  }

  for (const status of ['80', '0D']) {
    it(`${status} is success`, async () => {
      const { driver } = await openedV2(line('F2 3C 00', `${status} 00`));
      await driver.driveNrst('low');
    });
  }

  for (const status of ['11', '15', '18', '19']) {
    it(`${status} → fault, after DP ABORT ← 1E`, async () => {
      const { driver, transport } = await openedV2(
        line('F2 36 00 00 00 60', `${status} 00 00 00 00 00 00 00`),
        line('F2 46 FF FF 00 00 1E 00 00 00', OK),
      );
      await rejectsWith(driver.readWord(0x60000000), 'BF-TARGET-FAULT');
      transport.done();
    });
  }

  for (const status of ['10', '14']) {
    it(`${status} is repeated eight times with doubling pauses, then told`, async () => {
      const busy = line('F2 36 00 00 00 20', `${status} 00 00 00 00 00 00 00`);
      const { driver, transport, clock } = await openedV2(...Array.from({ length: 9 }, () => busy));
      await rejectsWith(driver.readWord(0x20000000), 'BF-TARGET-WAIT');
      assert.deepEqual(clock.delays, [1, 2, 4, 8, 16, 32, 64, 128]);
      transport.done();
    });
  }

  it('repeats a waiting write whole, data included', async () => {
    const write = line(`F2 08 00 00 00 20 04 00${BUS}`, '', '01 02 03 04');
    const { driver, transport, clock } = await openedV2(
      write,
      line('F2 3E', '10 00 00 00 00 00 00 00 00 00 00 00'),
      write,
      line('F2 3E', OK_LAST),
    );
    await driver.writeMemory(0x20000000, Uint8Array.of(1, 2, 3, 4));
    assert.deepEqual(clock.delays, [1]);
    transport.done();
  });

  it('tells the address a memory transfer stopped at', async () => {
    const { driver } = await openedV2(
      line(`F2 07 00 00 00 60 08 00${BUS}`, '00 00 00 00 00 00 00 00'),
      line('F2 3E', '11 00 00 00 04 00 00 60 00 00 00 00'),
      line('F2 46 FF FF 00 00 1E 00 00 00', OK),
    );
    const error = await rejectsWith(driver.readMemory(0x60000000, 8), 'BF-TARGET-FAULT');
    assert.match(error.message, /0x60000004/);
  });
});
