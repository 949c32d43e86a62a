// The serial number as people see it, from the raw string descriptor: old firmware stores twelve raw bytes there, which
// every string-decoding layer destroys. docs/reference/stlink.md §1.3.
import type { UsbControlSetup, UsbDeviceLike } from '../usb/usb-device.ts';

/** GET_DESCRIPTOR(string 3, US English). */
export const SERIAL_DESCRIPTOR: UsbControlSetup = {
  requestType: 'standard',
  recipient: 'device',
  request: 0x06,
  value: 0x0303,
  index: 0x0409,
};
export const SERIAL_DESCRIPTOR_ROOM = 255;

const STRING_DESCRIPTOR = 0x03;
const RAW_UNITS = 12;
const PRINTED = /^[0-9A-Za-z]{8,32}$/;

/**
 * Serial from a raw string descriptor: printable ones as they are, twelve raw bytes as 24 upper-case hex digits.
 * @returns undefined when the descriptor holds neither; never throws, whatever the bytes.
 */
export function serialFromDescriptor(descriptor: Uint8Array): string | undefined {
  if (descriptor.length < 2 || descriptor[1] !== STRING_DESCRIPTOR) return undefined;
  const end = Math.min(descriptor[0], descriptor.length);
  const units: number[] = [];
  for (let at = 2; at + 1 < end; at += 2) units.push(descriptor[at] | (descriptor[at + 1] << 8));
  const text = String.fromCharCode(...units);
  if (PRINTED.test(text) && units.length !== RAW_UNITS) return text;
  if (units.length !== RAW_UNITS) return undefined;
  return units.map((unit) => (unit & 0xff).toString(16).padStart(2, '0').toUpperCase()).join('');
}

/** A serial some other layer decoded, if that layer cannot have destroyed it. */
export function serialFromText(text: string | null | undefined): string | undefined {
  return typeof text === 'string' && /^[0-9A-Fa-f]{24}$/.test(text) ? text : undefined;
}

/** Opens a device nobody uses to read its serial; never throws. Undefined when it does not tell. */
export async function readSerial(device: UsbDeviceLike): Promise<string | undefined> {
  try {
    await device.open();
    const { data } = await device.controlTransferIn(SERIAL_DESCRIPTOR, SERIAL_DESCRIPTOR_ROOM);
    if (data === undefined) return serialFromText(device.serialNumber);
    return serialFromDescriptor(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  } catch {
    return serialFromText(device.serialNumber);
  } finally {
    await device.close().catch(() => {});
  }
}
