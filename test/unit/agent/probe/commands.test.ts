// Proves: every command is byte for byte what the session of docs/reference/stlink.md §3.1 shows, and replies mean what
// it says.
import assert from 'node:assert/strict';
import * as command from '../../../../agent/probe/stlink/commands.ts';
import { bytes, hex, padded, rejectsWith } from './support.ts';

type AnyCommand = command.StlinkCommand<unknown>;

/** §3.1, left column → what we build; then the reply length. */
const SESSION: readonly (readonly [shown: string, built: AnyCommand, replyLength: number])[] = [
  ['F1', command.getVersion(), 6],
  ['FB', command.getVersionEx(), 12],
  ['F5', command.getCurrentMode(), 2],
  ['F3 07', command.leaveDfu(), 0],
  ['F2 21', command.leaveDebug(), 0],
  ['F4 01', command.leaveSwim(), 0],
  ['F7', command.getTargetVoltage(), 8],
  ['F2 43 01 00', command.setSwdDivisor(1), 2],
  ['F2 43 1E 03', command.setSwdDivisor(798), 2],
  ['F2 62 00', command.getComFrequencies(), 52],
  ['F2 61 00 00 E4 0C 00 00', command.setComFrequency(3300), 8],
  ['F2 30 A3', command.enterSwd(), 2],
  ['F2 31', command.readIdCodes(), 12],
  ['F2 4B 00', command.initAp(0), 2],
  ['F2 4C 00', command.closeAp(0), 2],
  ['F2 07 00 ED 00 E0 04 00', command.readMemory(32, 0xe000ed00, 4), 4],
  ['F2 3E', command.lastStatus2(), 12],
  ['F2 3B', command.lastStatus(), 2],
  ['F2 35 F0 ED 00 E0 03 00 5F A0', command.writeDebugRegister(0xe000edf0, 0xa05f0003), 2],
  ['F2 36 F0 ED 00 E0', command.readDebugRegister(0xe000edf0), 8],
  ['F2 33 0F', command.readRegister(15), 8],
  ['F2 34 00 00 00 00 20', command.writeRegister(0, 0x20000000), 2],
  ['F2 0C 01 00 00 20 07 00', command.readMemory(8, 0x20000001, 7), 7],
  ['F2 0C 01 00 00 20 01 00', command.readMemory(8, 0x20000001, 1), 2],
  ['F2 47 02 00 00 20 06 00', command.readMemory(16, 0x20000002, 6), 6],
  ['F2 08 10 00 00 20 0C 00', command.writeMemory(32, 0x20000010, new Uint8Array(12)), 0],
  ['F2 0D 21 00 00 20 05 00', command.writeMemory(8, 0x20000021, new Uint8Array(5)), 0],
  ['F2 48 22 00 00 20 02 00', command.writeMemory(16, 0x20000022, new Uint8Array(2)), 0],
  ['F2 45 FF FF 04 00', command.readDapRegister(0xffff, 4), 8],
  ['F2 46 FF FF 04 00 00 00 00 50', command.writeDapRegister(0xffff, 4, 0x50000000), 2],
  ['F2 45 00 00 FC 00', command.readDapRegister(0, 0xfc), 8],
  ['F2 3C 00', command.driveNrst('low'), 2],
  ['F2 3C 01', command.driveNrst('high'), 2],
  ['F2 07 00 ED 00 E0 04 00 00 00 00 A2', command.readMemory(32, 0xe000ed00, 4, { ap: 0, csw: 0xa2000000 }), 4],
  ['F2 07 00 ED 00 E0 04 00 01 00 00 A2', command.readMemory(32, 0xe000ed00, 4, { ap: 1, csw: 0xa20000ff }), 4],
];

/** Version replies of §2.2 and §2.10, with what ST's tools print. */
const VERSIONS: readonly (readonly [reply: string, text: string, jtag: number])[] = [
  ['29 47 83 04 48 37', 'V2J37S7', 37],
  ['2A 1B 83 04 4B 37', 'V2J40M27', 40],
  // 374B, first field 22 and second 7: a swim-only board.
  ['25 87 83 04 4B 37', 'V2M22S7', 0],
  // 374B, first field 25, second 9: swim-only again; second 13: not.
  ['26 49 83 04 52 37', 'V2M25S9', 0],
  ['26 4D 83 04 52 37', 'V2J25M13', 25],
  ['03 01 0F 07 05 00 00 00 83 04 4F 37', 'V3J15M7B5S1', 15],
  ['03 00 0A 03 00 00 00 00 83 04 4E 37', 'V3J10M3', 10],
  ['04 00 06 00 02 06 00 00 83 04 57 37', 'V4J6M0B2P6', 6],
];

describe('ST-LINK commands', () => {
  for (const [shown, built, replyLength] of SESSION) {
    it(`${built.name} is ${shown}, reply ${replyLength}`, () => {
      assert.equal(hex(built.bytes), hex(padded(shown)));
      assert.equal(built.replyLength, replyLength);
    });
  }

  for (const [reply, text, jtag] of VERSIONS) {
    it(`reads ${reply} as ${text}`, () => {
      const wanted = reply.length > 20 ? command.getVersionEx() : command.getVersion();
      const version = wanted.decode(bytes(reply));
      assert.equal(version.text, text);
      assert.equal(version.jtag, jtag);
      assert.equal(version.vendorId, 0x0483);
    });
  }

  it('sees that a V3 has to be asked again', () => {
    const version = command.getVersion().decode(bytes('30 00 83 04 4F 37'));
    assert.equal(version.hardware, 3);
    assert.equal(version.productId, 0x374f);
  });

  it('refuses an extended version that claims to be old hardware', async () => {
    const decode = async (): Promise<unknown> => command.getVersionEx().decode(bytes('020000000000000083044F37'));
    await rejectsWith(decode(), 'BF-PROBE-GARBAGE');
  });

  it('computes the voltage as documented, and never divides by zero', () => {
    const { decode } = command.getTargetVoltage();
    assert.equal(decode(bytes('DC 05 00 00 EF 07 00 00'))?.toFixed(4), '3.2496');
    assert.equal(decode(bytes('55 05 00 00 40 00 00 00'))?.toFixed(2), '0.11');
    assert.equal(decode(bytes('00 00 00 00 40 00 00 00')), undefined);
  });

  it('reads DPIDR, fault address and a word from their places', () => {
    assert.equal(command.readIdCodes().decode(bytes('80 00 00 00 77 14 A0 2B 00 00 00 00')), 0x2ba01477);
    assert.equal(command.readDebugRegister(0).decode(bytes('80 00 00 00 03 00 03 80')), 0x80030003);
    const last = command.lastStatus2().decode(bytes('11 00 00 00 04 00 00 60 00 00 00 00'));
    assert.deepEqual(last, { status: 0x11, address: 0x60000004 });
  });

  it('does not believe a frequency list longer than its room, and sorts it', () => {
    const reply = new Uint8Array(52);
    const view = new DataView(reply.buffer);
    view.setUint32(8, 0xffffffff, true);
    [1000, 24000, 0, 8000].forEach((kHz, index) => view.setUint32(12 + 4 * index, kHz, true));
    assert.deepEqual(command.getComFrequencies().decode(reply), [24000, 8000, 1000]);
  });

  it('cuts the second byte of a one-byte read', () => {
    assert.equal(hex(command.readMemory(8, 0x20000001, 1).decode(bytes('AB CD'))), 'AB');
  });
});
