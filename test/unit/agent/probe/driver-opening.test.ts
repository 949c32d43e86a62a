// Proves: what the driver asks a probe when it is opened, which probes it refuses, and how it connects
// and lets go, byte for byte.
import assert from 'node:assert/strict';
import type { ErrorCode } from '../../../../shared/errors/errors.ts';
import { CONNECT_V2, OK, OPEN_V2, OPEN_V3, openedV2, scriptedDriver, V3_SPEEDS } from './scripted-driver.ts';
import { line, rejectsWith, type ScriptLine } from './support.ts';

describe('ST-LINK driver: opening', () => {
  it('opens a V2 with version and mode only, and touches no target', async () => {
    const { driver, transport } = await openedV2();
    assert.deepEqual(driver.info, {
      kind: 'ST-LINK/V2',
      firmware: 'V2J37S7',
      serial: '066DFF303230504E43112233',
      path: 'usb',
    });
    transport.done();
  });

  it('opens a V2-1 and names it by its mass-storage version', async () => {
    const { driver } = scriptedDriver(0x374b, [line('F1', '2A 1B 83 04 4B 37'), line('F5', '01 00')]);
    await driver.open();
    assert.equal(driver.info.firmware, 'V2J40M27');
    assert.equal(driver.info.kind, 'ST-LINK/V2-1');
  });

  it('asks a V3 for its extended version', async () => {
    const { driver, transport } = scriptedDriver(0x374f, OPEN_V3);
    await driver.open();
    assert.equal(driver.info.firmware, 'V3J15M7B5S1');
    transport.done();
  });

  const LEAVING: readonly (readonly [what: string, mode: string, leave: string])[] = [
    ['DFU', '00 00', 'F3 07'],
    ['debug', '02 00', 'F2 21'],
    ['SWIM', '03 00', 'F4 01'],
  ];
  for (const [what, mode, leave] of LEAVING) {
    it(`leaves ${what} mode it finds the probe in`, async () => {
      const lines = [OPEN_V2[0], line('F5', mode), line(leave), line('F5', '01 00')];
      const { driver, transport } = scriptedDriver(0x3748, lines);
      await driver.open();
      transport.done();
    });
  }

  const REFUSED: readonly (readonly [what: string, productId: number, lines: ScriptLine[], code: ErrorCode])[] = [
    ['a probe in its boot loader', 0x3748, [OPEN_V2[0], line('F5', '04 00')], 'BF-PROBE-LOADER'],
    ['an unheard-of mode', 0x3748, [OPEN_V2[0], line('F5', '77 00')], 'BF-PROBE-GARBAGE'],
    ['V2J23', 0x3748, [line('F1', '25 C0 83 04 48 37')], 'BF-PROBE-OLD-FIRMWARE'],
    ['V3J2', 0x374f, [OPEN_V3[0], line('FB', '03 00 02 01 00 00 00 00 83 04 4F 37')], 'BF-PROBE-OLD-FIRMWARE'],
    ['a swim-only board', 0x374b, [line('F1', '25 87 83 04 4B 37')], 'BF-PROBE-UNSUPPORTED'],
    ['a V1', 0x3744, [line('F1', '14 00 83 04 44 37')], 'BF-PROBE-UNSUPPORTED'],
  ];
  for (const [what, productId, lines, code] of REFUSED) {
    it(`refuses ${what} with ${code}, and closes`, async () => {
      const { driver, transport } = scriptedDriver(productId, lines);
      await rejectsWith(driver.open(), code);
      assert.deepEqual(transport.events, ['open', 'close']);
    });
  }

  it('says which firmware it has and which it needs', async () => {
    const { driver } = scriptedDriver(0x3748, [line('F1', '25 C0 83 04 48 37')]);
    const error = await rejectsWith(driver.open(), 'BF-PROBE-OLD-FIRMWARE');
    assert.equal(error.detail, 'it has V2J23S0, V2J24 or newer is needed');
    assert.match(error.remedy, /STSW-LINK007/);
  });

  it('gives up on a probe that never leaves its mode', async () => {
    const stuck = [line('F5', '02 00'), line('F2 21')];
    const { driver } = scriptedDriver(0x3748, [OPEN_V2[0], ...stuck, ...stuck, ...stuck, line('F5', '02 00')]);
    await rejectsWith(driver.open(), 'BF-PROBE-GARBAGE');
  });

  it('is closed before it is opened', async () => {
    const { driver } = scriptedDriver(0x3748, []);
    await rejectsWith(driver.readWord(0), 'BF-PROBE-CLOSED');
  });
});

describe('ST-LINK driver: connection', () => {
  it('sets the speed explicitly, enters SWD, opens AP 0; leaves them in reverse', async () => {
    const { driver, transport } = await openedV2(
      ...CONNECT_V2,
      line('F2 4C 00', '1D 00'),
      line('F2 21'),
      line('F5', '01 00'),
    );
    await driver.connect();
    await driver.disconnect();
    await driver.disconnect();
    transport.done();
  });

  it('takes the listed V3 speed at or below the one wanted', async () => {
    const set = line('F2 61 00 00 E8 03 00 00', '80 00 00 00 E8 03 00 00');
    const { driver, transport } = scriptedDriver(
      0x374f,
      [...OPEN_V3, V3_SPEEDS, set, line('F2 30 A3', OK), line('F2 4B 00', OK)],
      { speedKHz: 3000 },
    );
    await driver.open();
    await driver.connect();
    transport.done();
  });

  it('takes the slowest speed when even that is above the one wanted', async () => {
    const { driver, transport } = await openedV2(line('F2 43 1E 03', OK));
    assert.equal(await driver.setSpeed(1), 5);
    assert.equal((await driver.listSpeeds())[0], 4000);
    transport.done();
  });

  it('goes on at the speed it has when the probe refuses ours', async () => {
    const { driver, transport } = await openedV2(line('F2 43 01 00', '08 00'), ...CONNECT_V2.slice(1));
    await driver.connect();
    transport.done();
  });

  for (const status of ['09', '05']) {
    it(`tells no target (${status}) from no power by the voltage`, async () => {
      const enter = [CONNECT_V2[0], line('F2 30 A3', `${status} 00`)];
      const leave = [line('F2 21'), line('F5', '01 00')];
      const powered = await openedV2(...enter, line('F7', 'DC 05 00 00 EF 07 00 00'), ...leave);
      const none = await rejectsWith(powered.driver.connect(), 'BF-TARGET-NONE');
      assert.match(none.message, /3\.25 V/);
      powered.transport.done();
      const dark = await openedV2(...enter, line('F7', '55 05 00 00 40 00 00 00'), ...leave);
      await rejectsWith(dark.driver.connect(), 'BF-TARGET-NO-POWER');
      dark.transport.done();
    });
  }

  it('reads and writes registers of core, access port and debug port, drives NRST, and closes with manners', async () => {
    const { driver, transport } = await openedV2(
      ...CONNECT_V2,
      line('F2 31', '80 00 00 00 77 14 A0 2B 00 00 00 00'),
      line('F2 45 00 00 FC 00', '80 00 00 00 11 00 77 24'),
      line('F2 33 0F', '80 00 00 00 34 12 00 08'),
      line('F2 34 00 00 00 00 20', OK),
      line('F2 35 F0 ED 00 E0 03 00 5F A0', OK),
      line('F2 3C 00', OK),
      line('F2 3C 01', OK),
      line('F2 4C 00', OK),
      line('F2 21'),
      line('F5', '01 00'),
    );
    await driver.connect();
    assert.equal(await driver.readDpIdr(), 0x2ba01477);
    assert.equal(await driver.readAp(0, 0xfc), 0x24770011);
    assert.equal(await driver.readCoreRegister(15), 0x08001234);
    await driver.writeCoreRegister(0, 0x20000000);
    await driver.writeWord(0xe000edf0, 0xa05f0003);
    await driver.driveNrst('low');
    await driver.driveNrst('high');
    await driver.close();
    await driver.close();
    assert.deepEqual(transport.events, ['open', 'close', 'close']);
    transport.done();
  });

  it('recovers into the same connection', async () => {
    const { driver, transport } = await openedV2(
      ...CONNECT_V2,
      line('F5', '02 00'),
      line('F2 21'),
      line('F5', '01 00'),
      ...CONNECT_V2,
    );
    await driver.connect();
    await driver.recover();
    assert.deepEqual(transport.events, ['open', 'reset']);
    transport.done();
  });
});
