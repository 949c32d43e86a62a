// Probe and board together on one event queue: real chip model, virtual USB, a power cut in the middle of a transfer.
import assert from 'node:assert/strict';
import { Board } from '../../../../sim/board.ts';
import { EventQueue } from '../../../../sim/event-queue.ts';
import { VirtualStlink } from '../../../../sim/stlink/virtual-stlink.ts';
import { VirtualUsbDevice } from '../../../../sim/stlink/virtual-usb.ts';
import { bytes, hex } from './probe-fixture.ts';

/** movs r0,#0; adds r0,#1; b back to adds; at 0x08000100. */
function counter(): Uint8Array {
  const image = new Uint8Array(0x106);
  const view = new DataView(image.buffer);
  view.setUint32(0, 0x20010000, true);
  view.setUint32(4, 0x08000101, true);
  [0x2000, 0x3001, 0xe7fd].forEach((half, index) => view.setUint16(0x100 + 2 * index, half, true));
  return image;
}

function usbFixture(options: ConstructorParameters<typeof Board>[0] = {}) {
  const queue = new EventQueue();
  const board = new Board({ flash: counter(), ...options });
  const stlink = new VirtualStlink({ board, switches: { startMode: 'mass' } });
  const usb = new VirtualUsbDevice({ stlink, queue });
  board.powerOn();
  const open = async () => {
    await usb.open();
    await usb.claimInterface(0);
  };
  const send = async (text: string) => {
    const whole = new Uint8Array(16);
    whole.set(bytes(text));
    await usb.transferOut(2, whole);
  };
  const ask = async (text: string) => {
    await send(text);
    return hex(new Uint8Array((await usb.transferIn(1, 64)).data!.buffer));
  };
  const attach = async () => {
    await open();
    await new Promise<void>((resolve) => queue.after(5, resolve));
    return [await ask('f2 30 a3'), await ask('f2 4b 00')].join(' ');
  };
  return { queue, board, stlink, usb, send, ask, attach };
}

describe('virtual probe on the virtual board', () => {
  it('reads the documented identity words', async () => {
    const { queue, attach, ask } = usbFixture();
    const work = async () => {
      assert.equal(await attach(), '80 00 80 00');
      return [await ask('f2 31'), await ask('f2 36 00 20 04 e0'), await ask('f2 36 00 ed 00 e0')];
    };
    assert.deepEqual(await queue.drive(work()), [
      '80 00 00 00 77 14 a0 2b 00 00 00 00',
      '80 00 00 00 19 64 03 20',
      '80 00 00 00 41 c2 0f 41',
    ]);
  });

  it('holds the core in reset by NRST, the debug port staying alive, and S_RESET_ST tells of it once', async () => {
    const { queue, board, attach, ask } = usbFixture();
    const work = async () => {
      await attach();
      await ask('f2 36 f0 ed 00 e0');
      await ask('f2 3c 00');
      assert.equal(board.nrstAsserted, true);
      assert.equal((await ask('f2 36 00 20 04 e0')).slice(0, 2), '80');
      await ask('f2 3c 01');
      const first = bytes(await ask('f2 36 f0 ed 00 e0'));
      const second = bytes(await ask('f2 36 f0 ed 00 e0'));
      return [first[7]! & 2, second[7]! & 2];
    };
    assert.deepEqual(await queue.drive(work()), [2, 0]);
  });

  it('halts, reads and writes registers, steps and runs', async () => {
    const { queue, board, attach, ask } = usbFixture();
    const work = async () => {
      await attach();
      await ask('f2 35 f0 ed 00 e0 03 00 5f a0');
      assert.equal(await ask('f2 34 0f 02 01 00 08'), '80 00');
      assert.equal(await ask('f2 34 00 29 00 00 00'), '80 00');
      await ask('f2 35 f0 ed 00 e0 05 00 5f a0');
      assert.equal(await ask('f2 33 00'), '80 00 00 00 2a 00 00 00');
      assert.equal(await ask('f2 33 0f'), '80 00 00 00 04 01 00 08');
      await ask('f2 35 f0 ed 00 e0 01 00 5f a0');
      return ask('f2 01');
    };
    assert.equal(await queue.drive(work()), '80 00');
    assert.equal(board.core.halted, false);
  });

  it('meets a power cut between two words of a block', async () => {
    const { queue, board, usb, send, ask, attach } = usbFixture();
    const work = async () => {
      await attach();
      queue.at(queue.nowNs + 20e6, () => board.powerOff());
      await send('f2 08 00 00 00 20 00 18');
      await usb.transferOut(2, new Uint8Array(6144));
      const status = bytes(await ask('f2 3e'));
      return [status[0], new DataView(status.buffer).getUint32(4, true) - 0x20000000];
    };
    const [status, done] = await queue.drive(work());
    assert.ok(status === 0x12 || status === 0x16, `status ${status}`);
    assert.ok(done! > 0 && done! < 6144, `${done}`);
    const after = await queue.drive(ask('f7'));
    assert.equal(after, 'dc 05 00 00 00 00 00 00');
  });

  it('finds no target at read protection level 2', async () => {
    const { queue, attach } = usbFixture({ rdp: 2 });
    assert.equal((await queue.drive(attach())).slice(0, 5), '09 00');
  });
});
