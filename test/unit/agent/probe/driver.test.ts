// Proves: the driver's opening, retry, abort and splitting rules against a script of bytes; every status has its code.
import assert from 'node:assert/strict';
import { StlinkDriver, type StlinkDriverOptions } from '../../../../agent/probe/stlink/driver.ts';
import type { ErrorCode } from '../../../../shared/errors/errors.ts';
import { EagerClock, hex, line, rejectsWith, ScriptedTransport, type ScriptLine } from './support.ts';

const OK = '80 00';
const OK_LAST = '80 00 00 00 00 00 00 00 00 00 00 00';
/** CSW bytes 9..11 of memory commands on J32 and newer. */
const BUS = ' 00 00 00 A2';

const OPEN_V2 = [line('F1', '29 47 83 04 48 37'), line('F5', '01 00')];
const OPEN_V3 = [
  line('F1', '30 00 83 04 4F 37'),
  line('FB', '03 01 0F 07 05 00 00 00 83 04 4F 37'),
  line('F5', '01 00'),
];
/** current 3300, three entries. */
const V3_SPEEDS = line(
  'F2 62 00',
  `80 00 00 00 E4 0C 00 00 03 00 00 00 C0 5D 00 00 E4 0C 00 00 E8 03 00 00 ${'00 '.repeat(28)}`,
);
const CONNECT_V2 = [line('F2 43 01 00', OK), line('F2 30 A3', OK), line('F2 4B 00', OK)];

interface Bench {
  readonly driver: StlinkDriver;
  readonly transport: ScriptedTransport;
  readonly clock: EagerClock;
}

function bench(productId: number, lines: readonly ScriptLine[], options: Partial<StlinkDriverOptions> = {}): Bench {
  const clock = new EagerClock();
  const transport = new ScriptedTransport(productId).expect(...lines);
  return { driver: new StlinkDriver(transport, { clock, ...options }), transport, clock };
}

async function opened(...lines: readonly ScriptLine[]): Promise<Bench> {
  const made = bench(0x3748, [...OPEN_V2, ...lines]);
  await made.driver.open();
  return made;
}

describe('ST-LINK driver: opening', () => {
  it('opens a V2 with version and mode only, and touches no target', async () => {
    const { driver, transport } = await opened();
    assert.deepEqual(driver.info, {
      kind: 'ST-LINK/V2',
      firmware: 'V2J37S7',
      serial: '066DFF303230504E43112233',
      path: 'usb',
    });
    assert.equal(driver.capabilities.maxBlock8, 64);
    transport.done();
  });

  it('opens a V2-1 and names it by its mass-storage version', async () => {
    const { driver } = bench(0x374b, [line('F1', '2A 1B 83 04 4B 37'), line('F5', '01 00')]);
    await driver.open();
    assert.equal(driver.info.firmware, 'V2J40M27');
    assert.equal(driver.info.kind, 'ST-LINK/V2-1');
  });

  it('asks a V3 for its extended version', async () => {
    const { driver, transport } = bench(0x374f, OPEN_V3);
    await driver.open();
    assert.equal(driver.info.firmware, 'V3J15M7B5S1');
    assert.equal(driver.capabilities.maxBlock8, 512);
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
      const { driver, transport } = bench(0x3748, lines);
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
      const { driver, transport } = bench(productId, lines);
      await rejectsWith(driver.open(), code);
      assert.deepEqual(transport.events, ['open', 'close']);
    });
  }

  it('says which firmware it has and which it needs', async () => {
    const { driver } = bench(0x3748, [line('F1', '25 C0 83 04 48 37')]);
    const error = await rejectsWith(driver.open(), 'BF-PROBE-OLD-FIRMWARE');
    assert.equal(error.detail, 'it has V2J23S0, V2J24 or newer is needed');
    assert.match(error.remedy, /STSW-LINK007/);
  });

  it('gives up on a probe that never leaves its mode', async () => {
    const stuck = [line('F5', '02 00'), line('F2 21')];
    const { driver } = bench(0x3748, [OPEN_V2[0], ...stuck, ...stuck, ...stuck, line('F5', '02 00')]);
    await rejectsWith(driver.open(), 'BF-PROBE-GARBAGE');
  });

  it('is closed before it is opened', async () => {
    const { driver } = bench(0x3748, []);
    await rejectsWith(driver.readWord(0), 'BF-PROBE-CLOSED');
  });
});

describe('ST-LINK driver: connection', () => {
  it('sets the speed explicitly, enters SWD, opens AP 0; leaves them in reverse', async () => {
    const { driver, transport } = await opened(
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
    const { driver, transport } = bench(
      0x374f,
      [...OPEN_V3, V3_SPEEDS, set, line('F2 30 A3', OK), line('F2 4B 00', OK)],
      { speedKHz: 3000 },
    );
    await driver.open();
    await driver.connect();
    transport.done();
  });

  it('takes the slowest speed when even that is above the one wanted', async () => {
    const { driver, transport } = await opened(line('F2 43 1E 03', OK));
    assert.equal(await driver.setSpeed(1), 5);
    assert.equal((await driver.listSpeeds())[0], 4000);
    transport.done();
  });

  it('goes on at the speed it has when the probe refuses ours', async () => {
    const { driver, transport } = await opened(line('F2 43 01 00', '08 00'), ...CONNECT_V2.slice(1));
    await driver.connect();
    transport.done();
  });

  for (const status of ['09', '05']) {
    it(`tells no target (${status}) from no power by the voltage`, async () => {
      const enter = [CONNECT_V2[0], line('F2 30 A3', `${status} 00`)];
      const powered = await opened(...enter, line('F7', 'DC 05 00 00 EF 07 00 00'));
      const none = await rejectsWith(powered.driver.connect(), 'BF-TARGET-NONE');
      assert.match(none.message, /3\.25 V/);
      const dark = await opened(...enter, line('F7', '55 05 00 00 40 00 00 00'));
      await rejectsWith(dark.driver.connect(), 'BF-TARGET-NO-POWER');
    });
  }

  it('reads and writes registers of core, access port and debug port, drives NRST, and closes with manners', async () => {
    const { driver, transport } = await opened(
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
    const { driver, transport } = await opened(
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

describe('ST-LINK driver: statuses', () => {
  /** §2.7 spelled out again; the code is what a person gets to see. */
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
      const { driver, transport, clock } = await opened(line('F2 32', `${status} 00`));
      const error = await rejectsWith(driver.systemReset(), code);
      assert.match(error.detail ?? '', words);
      assert.match(error.detail ?? '', /RESETSYS/);
      assert.deepEqual(clock.delays, []);
      transport.done();
    });
  }

  for (const status of ['80', '0D']) {
    it(`${status} is success`, async () => {
      const { driver } = await opened(line('F2 32', `${status} 00`));
      await driver.systemReset();
    });
  }

  for (const status of ['11', '15', '18', '19']) {
    it(`${status} → fault, after DP ABORT ← 1E`, async () => {
      const { driver, transport } = await opened(
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
      const { driver, transport, clock } = await opened(...Array.from({ length: 9 }, () => busy));
      await rejectsWith(driver.readWord(0x20000000), 'BF-TARGET-WAIT');
      assert.deepEqual(clock.delays, [1, 2, 4, 8, 16, 32, 64, 128]);
      transport.done();
    });
  }

  it('repeats a waiting write whole, data included', async () => {
    const write = line(`F2 08 00 00 00 20 04 00${BUS}`, '', '01 02 03 04');
    const { driver, transport, clock } = await opened(
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
    const { driver } = await opened(
      line(`F2 07 00 00 00 60 08 00${BUS}`, '00 00 00 00 00 00 00 00'),
      line('F2 3E', '11 00 00 00 04 00 00 60 00 00 00 00'),
      line('F2 46 FF FF 00 00 1E 00 00 00', OK),
    );
    const error = await rejectsWith(driver.readMemory(0x60000000, 8), 'BF-TARGET-FAULT');
    assert.match(error.message, /0x60000004/);
  });
});

describe('ST-LINK driver: memory', () => {
  const zeros = (count: number): string => '00'.repeat(count);

  it('never crosses 4 KB', async () => {
    const { driver, transport } = await opened(
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
    const { driver, transport } = await opened(
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
    const { driver, transport } = await opened(
      line(`F2 0D 00 00 00 20 40 00${BUS}`, '', zeros(64)),
      line('F2 3E', OK_LAST),
      line(`F2 0D 40 00 00 20 01 00${BUS}`, '', zeros(1)),
      line('F2 3E', OK_LAST),
    );
    await driver.writeMemory(0x20000000, new Uint8Array(65), 8);
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
    const { driver, transport } = bench(0x3748, [
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
    const { driver, transport } = bench(
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
    const { driver } = await opened();
    await rejectsWith(driver.readMemory(0x20000002, 4, 32), 'BF-TARGET-ALIGNMENT');
    await rejectsWith(driver.readMemory(0x20000000, 3, 16), 'BF-TARGET-ALIGNMENT');
    await rejectsWith(driver.readWord(0x20000002), 'BF-TARGET-ALIGNMENT');
    await rejectsWith(driver.readMemory(0xfffffffc, 8), 'BF-INTERNAL-ARGUMENT');
    await rejectsWith(driver.readMemory(0, -4), 'BF-INTERNAL-ARGUMENT');
  });

  it('keeps a transfer and its status together when two callers overlap', async () => {
    const { driver, transport } = await opened(
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
