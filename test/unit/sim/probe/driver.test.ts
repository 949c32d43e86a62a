// The agent's driver and the virtual probe were transcribed apart: here they meet, over every probe identity.
import assert from 'node:assert/strict';
import { StlinkDriver } from '../../../../agent/probe/stlink/driver.ts';
import { WebUsbTransport } from '../../../../agent/probe/stlink/webusb-transport.ts';
import { DEBUG as DRIVER_DEBUG } from '../../../../agent/probe/stlink/constants.ts';
import { Board } from '../../../../sim/board.ts';
import { EventQueue } from '../../../../sim/event-queue.ts';
import { IDENTITIES, type IdentityName } from '../../../../sim/stlink/identity.ts';
import { VirtualStlink } from '../../../../sim/stlink/virtual-stlink.ts';
import { VirtualUsbDevice } from '../../../../sim/stlink/virtual-usb.ts';
import { DEBUG } from '../../../../sim/stlink/opcodes.ts';
import { seededRandom } from '../../../fixtures/seeded.ts';

describe('driver and virtual probe', () => {
  for (const identity of Object.keys(IDENTITIES) as IdentityName[]) {
    it(`understand each other as ${identity}`, async () => {
      const queue = new EventQueue();
      const board = new Board();
      const stlink = new VirtualStlink({ board, identity });
      const usb = new VirtualUsbDevice({ stlink, queue });
      board.powerOn();
      const driver = new StlinkDriver(new WebUsbTransport(usb, { clock: queue }), { clock: queue });
      const image = seededRandom(7).bytes(10_001);
      const work = async () => {
        await driver.open();
        assert.equal(driver.info.firmware, stlink.identity.firmware);
        assert.ok(Math.abs((await driver.readVoltage())! - 3.3) < 0.01);
        await driver.connect();
        assert.equal(await driver.readDpIdr(), 0x2ba01477);
        assert.equal(await driver.readWord(0xe0042000), 0x20036419);
        await driver.writeWord(0xe000edf0, 0xa05f0003);
        await driver.writeMemory(0x20000ffd, image, 8);
        assert.deepEqual(await driver.readMemory(0x20000ffd, image.length, 8), image);
        await driver.writeMemory(0x20000ffc, image.subarray(0, 9_000), 32);
        assert.deepEqual(await driver.readMemory(0x20000ffc, 9_000, 16), image.slice(0, 9_000));
        await driver.writeCoreRegister(5, 0xcafe0001);
        assert.equal(await driver.readCoreRegister(5), 0xcafe0001);
        await assert.rejects(driver.readMemory(0x30000000, 8), /0x30000000|30000000/i);
        stlink.faults.waits = 2;
        assert.equal(await driver.readWord(0xe000ed00), 0x410fc241);
        await driver.close();
      };
      await queue.drive(work());
      assert.equal(stlink.mode, 'mass');
    });
  }

  it('agree on every command byte both know', () => {
    const ours = new Set<number>(Object.values(DEBUG));
    for (const [name, code] of Object.entries(DRIVER_DEBUG)) {
      assert.ok(ours.has(code), `${name} 0x${code.toString(16)}`);
    }
  });
});
