// Descriptors of the virtual probe, as far as hosts read them. docs: stlink sheet §1.2, §1.3.
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
  if (setup.requestType !== 'standard' || setup.request !== GET_DESCRIPTOR || setup.value >>> 8 !== STRING)
    return undefined;
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
