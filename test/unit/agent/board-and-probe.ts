// The customer's board and probe in one process and virtual time: the real driver over a virtual ST-LINK, the real stub on a virtual board.
import { readFileSync } from 'node:fs';
import { StlinkDriver } from '../../../agent/probe/stlink/driver.ts';
import { WebUsbTransport } from '../../../agent/probe/stlink/webusb-transport.ts';
import type { UsbDeviceLike } from '../../../agent/probe/usb/usb-device.ts';
import { StubRegistry } from '../../../agent/target/stubs.ts';
import { Board, type BoardOptions } from '../../../sim/board.ts';
import { EventQueue } from '../../../sim/event-queue.ts';
import { VirtualStlink } from '../../../sim/stlink/virtual-stlink.ts';
import { VirtualUsbDevice } from '../../../sim/stlink/virtual-usb.ts';

const prebuilt = (name: string) => ({
  name,
  image: new Uint8Array(readFileSync(new URL(`../../../firmware/prebuilt/stub-${name}.bin`, import.meta.url))),
});

/** The stubs in the repository. */
export const STUBS = new StubRegistry([prebuilt('stm32f42x'), prebuilt('stm32f4')]);

export class BoardAndProbe {
  readonly queue = new EventQueue();
  readonly board: Board;
  readonly stlink: VirtualStlink;
  readonly usb: VirtualUsbDevice;

  constructor(options: BoardOptions = {}) {
    this.board = new Board(options);
    this.board.powerOn();
    this.stlink = new VirtualStlink({ board: this.board });
    this.usb = new VirtualUsbDevice({ stlink: this.stlink, queue: this.queue });
  }

  /** A driver nobody has opened yet. */
  probe(): StlinkDriver {
    const device: UsbDeviceLike = this.usb;
    return new StlinkDriver(new WebUsbTransport(device, { clock: this.queue }), { clock: this.queue });
  }
}
