// Edge: USB devices of this computer through npm `usb` 2.x (loaded by usb-addon.ts). Facts: docs/reference/stlink.md
// §1.4, §7. Its WebUSB class is used as it is except for bulk transfers: those are made here so that they can be
// cancelled, because a libusb device with a pending transfer cannot be closed.
import type { usb, WebUSBDevice } from 'usb';
import type { BlindflashError } from '../../../shared/errors/errors.ts';
import { fail } from '../../../shared/errors/errors.ts';
import type { UsbControlSetup, UsbDeviceLike, UsbInResult, UsbOutResult } from './usb-device.ts';
import { loadUsb } from './usb-addon.ts';
import { usbError } from './usb-errors.ts';

/** One device on USB: usable, or with the reason why not. */
export interface FoundUsbDevice {
  readonly vendorId: number;
  readonly productId: number;
  readonly device: UsbDeviceLike | undefined;
  readonly problem: BlindflashError | undefined;
}

type UsbModule = Awaited<ReturnType<typeof loadUsb>>;
type Native = InstanceType<typeof usb.Device>;
const DIRECTION_IN = 0x80;

/**
 * Every device whose ids are wanted. Opens and claims nothing.
 * @throws BF-PROBE-DRIVER, BF-PROBE-ADDON, BF-INTERNAL-BUILD
 */
export async function listUsbDevices(
  isWanted: (vendorId: number, productId: number) => boolean,
): Promise<FoundUsbDevice[]> {
  const module = await loadUsb();
  const found: FoundUsbDevice[] = [];
  for (const native of nativeDevices(module)) {
    const { idVendor, idProduct } = native.deviceDescriptor;
    if (isWanted(idVendor, idProduct)) found.push(await describe(module, native));
  }
  return found;
}

function nativeDevices(module: UsbModule): Native[] {
  try {
    return module.usb.getDeviceList();
  } catch (error) {
    throw fail('BF-PROBE-DRIVER', 'the USB system does not list devices', error);
  }
}

async function describe(module: UsbModule, native: Native): Promise<FoundUsbDevice> {
  const { idVendor: vendorId, idProduct: productId } = native.deviceDescriptor;
  try {
    const device = new CancellableDevice(native, await module.WebUSBDevice.createInstance(native));
    return { vendorId, productId, device, problem: undefined };
  } catch (error) {
    return { vendorId, productId, device: undefined, problem: usbError(error, process.platform) };
  }
}

/** A WebUSBDevice whose pending bulk transfers end when it is closed. */
class CancellableDevice implements UsbDeviceLike {
  readonly #native: Native;
  readonly #web: WebUSBDevice;
  readonly #pending = new Map<InstanceType<typeof usb.Transfer>, Promise<unknown>>();
  /** Number of the interface that was claimed: bulk transfers are made on its endpoints. */
  #claimed: number | undefined;

  constructor(native: Native, web: WebUSBDevice) {
    this.#native = native;
    this.#web = web;
  }

  get vendorId(): number {
    return this.#web.vendorId;
  }
  get productId(): number {
    return this.#web.productId;
  }
  get serialNumber(): string | null {
    return this.#web.serialNumber;
  }
  get configuration(): USBConfiguration | null {
    return this.#web.configuration;
  }

  open(): Promise<void> {
    return this.#web.open();
  }
  reset(): Promise<void> {
    return this.#web.reset();
  }
  selectConfiguration(value: number): Promise<void> {
    return this.#web.selectConfiguration(value);
  }
  async claimInterface(interfaceNumber: number): Promise<void> {
    await this.#web.claimInterface(interfaceNumber);
    this.#claimed = interfaceNumber;
  }
  controlTransferIn(setup: UsbControlSetup, length: number): Promise<UsbInResult> {
    return this.#web.controlTransferIn(setup, length).then(inResult);
  }

  async releaseInterface(interfaceNumber: number): Promise<void> {
    await this.#cancelAll();
    await this.#web.releaseInterface(interfaceNumber);
  }

  async close(): Promise<void> {
    await this.#cancelAll();
    await this.#web.close();
  }

  async transferOut(endpointNumber: number, bytes: Uint8Array): Promise<UsbOutResult> {
    const { length } = await this.#bulk(endpointNumber, Buffer.from(bytes));
    return { status: 'ok', bytesWritten: length };
  }

  async transferIn(endpointNumber: number, length: number): Promise<UsbInResult> {
    const buffer = Buffer.alloc(length);
    const done = await this.#bulk(endpointNumber | DIRECTION_IN, buffer);
    return { status: 'ok', data: new DataView(buffer.buffer, buffer.byteOffset, done.length) };
  }

  /** One transfer on the claimed interface; resolves with the number of bytes really moved. */
  #bulk(address: number, buffer: Buffer): Promise<{ readonly length: number }> {
    const endpoint = this.#native.interfaces
      ?.find(({ interfaceNumber }) => interfaceNumber === this.#claimed)
      ?.endpoint(address);
    if (endpoint === undefined) return Promise.reject(fail('BF-PROBE-CLOSED', `no endpoint ${address}`));
    const { promise, resolve, reject } = deferred<{ readonly length: number }>();
    const transfer = endpoint.makeTransfer(0, (error, _buffer, length) => {
      this.#pending.delete(transfer);
      if (error) reject(usbError(error, process.platform));
      else resolve({ length });
    });
    this.#pending.set(transfer, promise);
    try {
      transfer.submit(buffer);
    } catch (error) {
      this.#pending.delete(transfer);
      reject(usbError(error, process.platform));
    }
    return promise;
  }

  async #cancelAll(): Promise<void> {
    const open = [...this.#pending];
    for (const [transfer] of open) transfer.cancel();
    await Promise.allSettled(open.map(([, settled]) => settled));
  }
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

function inResult({ status, data }: USBInTransferResult): UsbInResult {
  return { ...(status === undefined ? {} : { status }), ...(data === undefined ? {} : { data }) };
}
