// Descriptors of the virtual probe, as far as hosts read them. docs: docs/reference/stlink.md §1.2, §1.3.
import type { ProbeIdentity } from './identity.ts';
import type { UsbConfiguration, UsbControlSetup } from './usb-shape.ts';

const GET_DESCRIPTOR = 6;
const STRING = 3;
const LANGUAGES = Uint8Array.of(4, STRING, 0x09, 0x04);
const MANUFACTURER = 'STMicroelectronics';

/** One configuration, one vendor interface, three bulk endpoints. */
export function configurationOf(identity: ProbeIdentity): UsbConfiguration {
  const bulk = (endpointNumber: number, direction: 'in' | 'out') =>
    ({ endpointNumber, direction, type: 'bulk', packetSize: identity.packetSize }) as const;
  const endpoints = [
    bulk(identity.endpointOut, 'out'),
    bulk(identity.endpointIn, 'in'),
    bulk(identity.endpointTrace, 'in'),
  ];
  return { configurationValue: 1, interfaces: [{ interfaceNumber: 0, alternate: { endpoints } }] };
}

/** Answers GET_DESCRIPTOR(string); undefined for anything else: the control pipe stalls. */
export function stringDescriptor(
  identity: ProbeIdentity,
  serial: string,
  rawSerial: boolean,
  setup: UsbControlSetup,
): Uint8Array | undefined {
  if (setup.requestType !== 'standard' || setup.request !== GET_DESCRIPTOR || setup.value >>> 8 !== STRING) {
    return undefined;
  }
  const index = setup.value & 0xff;
  if (index === 0) return LANGUAGES.slice();
  const text = [MANUFACTURER, identity.product, rawSerial ? rawOf(serial) : serial][index - 1];
  return text === undefined ? undefined : utf16(text);
}

function utf16(text: string): Uint8Array {
  const bytes = new Uint8Array(2 + 2 * text.length);
  bytes[0] = bytes.length;
  bytes[1] = STRING;
  for (let i = 0; i < text.length; i++) {
    bytes[2 + 2 * i] = text.charCodeAt(i) & 0xff;
    bytes[3 + 2 * i] = text.charCodeAt(i) >>> 8;
  }
  return bytes;
}

/** Each pair of hex digits as one character. */
function rawOf(serial: string): string {
  return serial.replace(/../g, (pair) => String.fromCharCode(Number.parseInt(pair, 16)));
}

const DEVICE = 1;
const CONFIGURATION = 2;
const DEVICE_SIZE = 18;
const IN = 0x80;
const BULK = 2;

/** Device descriptor (18 bytes), then the whole configuration: one vendor interface, three bulk endpoints. */
export function descriptorBytes(identity: ProbeIdentity): Uint8Array {
  const composite = identity.productId === 0x3748 ? [0, 0, 0] : [0xef, 2, 1];
  const ids = [...le16(identity.vendorId), ...le16(identity.productId), ...le16(0x0100)];
  const device = [DEVICE_SIZE, DEVICE, ...le16(0x0200), ...composite, 64, ...ids, 1, 2, 3, 1];
  const addresses = [identity.endpointOut, identity.endpointIn | IN, identity.endpointTrace | IN];
  const endpoints = addresses.flatMap((address) => [7, 5, address, BULK, ...le16(identity.packetSize), 0]);
  const interface0 = [9, 4, 0, 0, addresses.length, 0xff, 0xff, 0xff, 0];
  const total = 9 + interface0.length + endpoints.length;
  return Uint8Array.from([...device, 9, CONFIGURATION, ...le16(total), 1, 1, 0, 0x80, 50, ...interface0, ...endpoints]);
}

/** Answers a control read given as its 8 setup bytes; undefined: the pipe stalls. */
export function controlReply(identity: ProbeIdentity, serial: string, setup: Uint8Array): Uint8Array | undefined {
  const [requestType, request, index, type] = setup;
  if (requestType !== IN) return undefined;
  if (request === 0) return Uint8Array.of(0, 0);
  if (request === 8) return Uint8Array.of(1);
  if (request !== GET_DESCRIPTOR) return undefined;
  if (type === DEVICE) return descriptorBytes(identity).slice(0, DEVICE_SIZE);
  if (type === CONFIGURATION) return descriptorBytes(identity).slice(DEVICE_SIZE);
  const value = (type! << 8) | index!;
  return stringDescriptor(identity, serial, false, {
    requestType: 'standard',
    recipient: 'device',
    request: GET_DESCRIPTOR,
    value,
    index: 0,
  });
}

function le16(value: number): number[] {
  return [value & 0xff, value >>> 8];
}
