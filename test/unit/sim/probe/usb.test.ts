// The virtual probe as a USB device: WebUSB manners, time on the event queue, cables pulled at an instant
// (docs/reference/stlink.md §2.1, §6.2).
import assert from 'node:assert/strict';
import type { UsbDeviceLike } from '../../../../agent/probe/usb/usb-device.ts';
import { EventQueue } from '../../../../sim/event-queue.ts';
import { VirtualStlink } from '../../../../sim/stlink/virtual-stlink.ts';
import { VirtualUsbDevice } from '../../../../sim/stlink/virtual-usb.ts';
import type { IdentityName } from '../../../../sim/stlink/identity.ts';
import { MinimalBoard, bytes, hex } from './probe-fixture.ts';

function usbFixture(identity: IdentityName = 'v2') {
  const queue = new EventQueue();
  const board = new MinimalBoard();
  const stlink = new VirtualStlink({ board, identity, switches: { startMode: 'mass' } });
  const usb = new VirtualUsbDevice({ stlink, queue });
  const { endpointIn, endpointOut } = stlink.identity;
  const command = (text: string) => {
    const whole = new Uint8Array(16);
    whole.set(bytes(text));
    return usb.transferOut(endpointOut, whole);
  };
  const reply = async (length = 64) => {
    const result = await usb.transferIn(endpointIn, length);
    return result.data === undefined ? result.status! : hex(new Uint8Array(result.data.buffer));
  };
  const open = async () => {
    await usb.open();
    await usb.selectConfiguration(1);
    await usb.claimInterface(0);
  };
  const ask = async (text: string, length?: number) => {
    await command(text);
    return reply(length);
  };
  return { queue, board, stlink, usb, command, reply, ask, open, endpointOut };
}

describe('virtual USB probe', () => {
  it('answers a command after its cost in virtual time', async () => {
    const { queue, board, open, ask } = usbFixture();
    const work = async () => {
      await open();
      return ask('f1');
    };
    assert.equal(await queue.drive(work()), '29 47 83 04 48 37');
    const expected = 1e6 + (6 / 1216) * 1e6;
    assert.ok(Math.abs(queue.nowNs - expected) < 2, `${queue.nowNs}`);
    assert.ok(board.time.now >= expected - 1);
  });

  it('takes commands and data in order though the host does not wait in between', async () => {
    const { queue, board, usb, open, command, reply, endpointOut } = usbFixture();
    const work = async () => {
      await open();
      const pending = [
        command('f2 30 a3'),
        command('f2 4b 00'),
        command('f2 08 00 00 00 20 08 00'),
        usb.transferOut(endpointOut, bytes('01 02 03 04')),
        usb.transferOut(endpointOut, bytes('05 06 07 08')),
        command('f2 3b'),
      ];
      const replies = [await reply(), await reply(), await reply()];
      await Promise.all(pending);
      return replies;
    };
    assert.deepEqual(await queue.drive(work()), ['80 00', '80 00', '80 00']);
    assert.equal(hex(board.ram.subarray(0, 8)), '01 02 03 04 05 06 07 08');
  });

  it('cuts long replies into packets, joins them for the host, and babbles at a host that asks for too little', async () => {
    const { queue, usb, open, ask, command, board } = usbFixture();
    board.ram.fill(0xee);
    const work = async () => {
      await open();
      await ask('f2 30 a3');
      await ask('f2 4b 00');
      const whole = await ask('f2 07 00 00 00 20 00 01', 256);
      await command('f1');
      const babble = await usb.transferIn(1, 4);
      return [whole.split(' ').length, babble.status];
    };
    assert.deepEqual(await queue.drive(work()), [256, 'babble']);
  });

  it('never answers what is not answered', async () => {
    const { queue, usb, open, command, reply } = usbFixture();
    let answered = false;
    const work = async () => {
      await open();
      await command('f2 21');
      usb.transferIn(1, 64).then(
        () => (answered = true),
        () => {},
      );
      await new Promise<void>((resolve) => queue.after(1000, resolve));
      await usb.close();
      await open();
      await command('f5');
      return reply();
    };
    assert.equal(await queue.drive(work()), '01 00');
    assert.equal(answered, false);
  });

  it('fails everything when the cable is pulled, in the middle of a block, at its instant', async () => {
    const { queue, board, usb, open, ask, command } = usbFixture();
    const cut = 20e6;
    const block = new Uint8Array(6144).fill(0x55);
    const work = async () => {
      await open();
      await ask('f2 30 a3');
      await ask('f2 4b 00');
      usb.unplugAt(cut);
      await command('f2 08 00 00 00 20 00 18');
      await usb.transferOut(2, block);
      await assert.rejects(usb.transferIn(1, 64), { name: 'NetworkError' });
      assert.equal(queue.nowNs, cut);
      await assert.rejects(usb.open(), { name: 'NotFoundError' });
    };
    await queue.drive(work());
    const written = board.ram.filter((byte) => byte === 0x55).length;
    assert.ok(written > 0 && written < 6144, `${written}`);
    assert.ok(board.time.now <= cut + 1);
    usb.replug();
    await queue.drive(open());
    assert.equal(await queue.drive(ask('f5')), '01 00');
  });

  it('stalls when told to, and goes on', async () => {
    const { queue, stlink, open, ask } = usbFixture();
    stlink.faults.stalls = 1;
    const work = async () => {
      await open();
      return [await ask('f5'), await ask('f5')];
    };
    assert.deepEqual(await queue.drive(work()), ['stall', '01 00']);
  });

  it('minds the manners of WebUSB, in the shape the driver stands on', async () => {
    const usb: UsbDeviceLike = usbFixture().usb;
    await assert.rejects(usb.transferIn(1, 64), { name: 'InvalidStateError' });
    await usb.open();
    await assert.rejects(usb.transferIn(1, 64), { name: 'InvalidStateError' });
    await assert.rejects(usb.claimInterface(1), { name: 'NotFoundError' });
    await usb.claimInterface(0);
    await assert.rejects(usb.transferOut(5, new Uint8Array(16)), { name: 'NotFoundError' });
  });

  it('shows the endpoints of its PID and both forms of the serial descriptor', async () => {
    const v3 = usbFixture('v3').usb;
    const endpoints = v3.configuration.interfaces[0]!.alternate.endpoints;
    assert.deepEqual(
      endpoints.map(({ endpointNumber, direction, packetSize }) => [endpointNumber, direction, packetSize]),
      [
        [1, 'out', 512],
        [1, 'in', 512],
        [2, 'in', 512],
      ],
    );
    const setup = { requestType: 'standard', recipient: 'device', request: 6, value: 0x0303, index: 0x0409 } as const;
    const { stlink, queue, usb } = usbFixture();
    await usb.open();
    const proper = new Uint8Array((await usb.controlTransferIn(setup, 255)).data!.buffer);
    assert.equal(proper.length, 50);
    assert.equal(hex(proper.subarray(0, 6)), '32 03 35 00 33 00');
    const old = new VirtualUsbDevice({ stlink, queue, rawSerial: true });
    await old.open();
    const raw = new Uint8Array((await old.controlTransferIn(setup, 255)).data!.buffer);
    assert.equal(hex(raw.subarray(0, 6)), '1a 03 53 00 ff 00');
  });
});
