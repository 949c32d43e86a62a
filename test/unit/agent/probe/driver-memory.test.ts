// Proves: a memory transfer of any address and length becomes the commands the probe can carry, each with its status.
import assert from 'node:assert/strict';
import { StlinkDriver } from '../../../../agent/probe/stlink/driver.ts';
import { BUS, OK_LAST, OPEN_V2, OPEN_V3, openedV2, scriptedDriver } from './scripted-driver.ts';
import { EagerClock, hex, line, rejectsWith, ScriptedTransport } from './support.ts';

describe('ST-LINK driver: memory', () => {
  const zeros = (count: number): string => '00'.repeat(count);

  it('never crosses 4 KB', async () => {
    const { driver, transport } = await openedV2(
      line(`F2 07 F8 0F 00 20 08 00${BUS}`, zeros(8)),
      line('F2 3E', OK_LAST),
      line(`F2 07 00 10 00 20 00 10${BUS}`, zeros(4096)),
      line('F2 3E', OK_LAST),
      line(`F2 07 00 20 00 20 04 00${BUS}`, zeros(4)),
      line('F2 3E', OK_LAST),
    );
    assert.equal((await driver.readMemory(0x20000ff8, 4108)).length, 4108);
    transport.done();
  });

  it('reads odd ranges as bytes, words, bytes, and puts them together', async () => {
    const { driver, transport } = await openedV2(
      line(`F2 0C 03 00 00 20 01 00${BUS}`, '01 FF'),
      line('F2 3E', OK_LAST),
      line(`F2 07 04 00 00 20 04 00${BUS}`, '02 03 04 05'),
      line('F2 3E', OK_LAST),
      line(`F2 0C 08 00 00 20 02 00${BUS}`, '06 07'),
      line('F2 3E', OK_LAST),
    );
    assert.equal(hex(await driver.readMemory(0x20000003, 7)), '01 02 03 04 05 06 07');
    transport.done();
  });

  it('sends at most 64 single bytes to a V2', async () => {
    const { driver, transport } = await openedV2(
      line(`F2 0D 00 00 00 20 40 00${BUS}`, '', zeros(64)),
      line('F2 3E', OK_LAST),
      line(`F2 0D 40 00 00 20 01 00${BUS}`, '', zeros(1)),
      line('F2 3E', OK_LAST),
    );
    await driver.writeMemory(0x20000000, new Uint8Array(65), 8);
    transport.done();
  });

  it('sends at most 512 single bytes to a V3', async () => {
    const { driver, transport } = scriptedDriver(0x374f, [
      ...OPEN_V3,
      line(`F2 0D 00 00 00 20 00 02${BUS}`, '', zeros(512)),
      line('F2 3E', OK_LAST),
      line(`F2 0D 00 02 00 20 01 00${BUS}`, '', zeros(1)),
      line('F2 3E', OK_LAST),
    ]);
    await driver.open();
    await driver.writeMemory(0x20000000, new Uint8Array(513), 8);
    transport.done();
  });

  it('obeys a transport that carries only 1024 bytes', async () => {
    const transport = new ScriptedTransport(0x3748, 1024).expect(
      ...OPEN_V2,
      line(`F2 08 00 00 00 20 00 04${BUS}`, '', zeros(1024)),
      line('F2 3E', OK_LAST),
      line(`F2 08 00 04 00 20 04 00${BUS}`, '', zeros(4)),
      line('F2 3E', OK_LAST),
    );
    const driver = new StlinkDriver(transport, { clock: new EagerClock() });
    await driver.open();
    await driver.writeMemory(0x20000000, new Uint8Array(1028));
    transport.done();
  });

  it('leaves AP and CSW empty before J32, and has no 16-bit access before J26', async () => {
    const { driver, transport } = scriptedDriver(0x3748, [
      line('F1', '26 40 83 04 48 37'),
      line('F5', '01 00'),
      line('F2 07 00 00 00 20 04 00', '01 02 03 04'),
      line('F2 3E', OK_LAST),
    ]);
    await driver.open();
    assert.equal(driver.info.firmware, 'V2J25S0');
    await driver.readMemory(0x20000000, 4);
    await rejectsWith(driver.readMemory(0x20000000, 2, 16), 'BF-PROBE-OLD-FIRMWARE');
    transport.done();
  });

  it('asks 3B instead of 3E before J15, where nothing can be aborted either', async () => {
    const { driver, transport } = scriptedDriver(
      0x3748,
      [
        line('F1', '23 80 83 04 48 37'),
        line('F5', '01 00'),
        line('F2 07 00 00 00 20 04 00', '01 02 03 04'),
        line('F2 3B', '11 00'),
      ],
      { oldestFirmware: { v2: 11, v3: 1 } },
    );
    await driver.open();
    await rejectsWith(driver.readMemory(0x20000000, 4), 'BF-TARGET-FAULT');
    transport.done();
  });

  it('refuses misaligned widths and ranges beyond the address space, without a command', async () => {
    const { driver } = await openedV2();
    await rejectsWith(driver.readMemory(0x20000002, 4, 32), 'BF-TARGET-ALIGNMENT');
    await rejectsWith(driver.readMemory(0x20000000, 3, 16), 'BF-TARGET-ALIGNMENT');
    await rejectsWith(driver.readWord(0x20000002), 'BF-TARGET-ALIGNMENT');
    await rejectsWith(driver.readMemory(0xfffffffc, 8), 'BF-INTERNAL-ARGUMENT');
    await rejectsWith(driver.readMemory(0, -4), 'BF-INTERNAL-ARGUMENT');
  });

  it('keeps a transfer and its status together when two callers overlap', async () => {
    const { driver, transport } = await openedV2(
      line(`F2 07 00 00 00 20 04 00${BUS}`, '01 02 03 04'),
      line('F2 3E', OK_LAST),
      line('F2 36 F0 ED 00 E0', '80 00 00 00 03 00 03 00'),
    );
    const [memory, word] = await Promise.all([driver.readMemory(0x20000000, 4), driver.readWord(0xe000edf0)]);
    assert.equal(hex(memory), '01 02 03 04');
    assert.equal(word, 0x00030003);
    transport.done();
  });
});
