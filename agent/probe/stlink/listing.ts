// The ST-LINKs there are, as drivers for the list in ../drivers.ts: on this computer's USB, and
// behind an stlink-server.
import { fail } from '../../../shared/errors/errors.ts';
import type { Probe } from '../probe.ts';
import type { ProbeDriver, ProbeEnvironment, ProbeListing } from '../probe-driver.ts';
import { listUsbDevices, type FoundUsbDevice } from '../usb/node-usb.ts';
import { PRODUCTS, ST_VENDOR_ID } from './constants.ts';
import { StlinkDriver } from './driver.ts';
import { readSerial } from './serial.ts';
import { connectTcp } from './tcp-socket.ts';
import { TcpTransport } from './tcp-transport.ts';
import { WebUsbTransport } from './webusb-transport.ts';

export const STLINK_USB: ProbeDriver = { name: 'ST-LINK over USB', scheme: undefined, list: listUsb };
export const STLINK_SERVER: ProbeDriver = { name: 'ST-LINK behind stlink-server', scheme: 'tcp:', list: listServer };

/** Port ST's server listens on unless told otherwise. */
const STLINK_SERVER_PORT = 7184;

/** Opens each ST-LINK for a moment to read its serial; claims nothing, sends no probe command. */
async function listUsb(_selector: string | undefined, environment: ProbeEnvironment): Promise<ProbeListing[]> {
  const isStlink = (vendorId: number, productId: number): boolean => vendorId === ST_VENDOR_ID && productId in PRODUCTS;
  const listings: ProbeListing[] = [];
  for (const found of await listUsbDevices(isStlink)) listings.push(await usbListing(found, environment));
  return listings;
}

async function usbListing(found: FoundUsbDevice, environment: ProbeEnvironment): Promise<ProbeListing> {
  const { productId, device, problem } = found;
  return {
    kind: PRODUCTS[productId]?.kind ?? 'ST-LINK',
    serial: device === undefined ? undefined : await readSerial(device),
    path: 'usb',
    problem,
    make: () => {
      if (device === undefined) throw problem ?? fail('BF-PROBE-UNPLUGGED');
      const { clock } = environment;
      return new StlinkDriver(new WebUsbTransport(device, { clock, platform: process.platform }), environment);
    },
  };
}

/** The server is asked only when the probe is opened: listing costs nothing and cannot fail but for a bad address. */
function listServer(selector: string | undefined, environment: ProbeEnvironment): Promise<ProbeListing[]> {
  const { host, port, serial } = parseServer(selector ?? '');
  const path = `tcp:${host}:${port}`;
  const connect = (): ReturnType<typeof connectTcp> => connectTcp(host, port);
  const make = (): Probe => {
    return new StlinkDriver(new TcpTransport({ clock: environment.clock, path, connect, serial }), environment);
  };
  return Promise.resolve([{ kind: 'ST-LINK', serial, path, problem: undefined, make }]);
}

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  readonly serial: string | undefined;
}

/**
 * `tcp:HOST:PORT` with an optional `/SERIAL`; `tcp://` as the virtual probe's ready line has it will do.
 * @throws BF-USAGE
 */
export function parseServer(selector: string): ServerAddress {
  const match = /^tcp:(?:\/\/)?(?<host>[^/]+?)(?::(?<port>\d{1,5}))?(?:\/(?<serial>[0-9A-Za-z]+))?$/.exec(selector);
  const port = Number(match?.groups?.port ?? STLINK_SERVER_PORT);
  if (match?.groups === undefined || port < 1 || port > 65535) throw fail('BF-USAGE', `--probe ${selector}`);
  return { host: match.groups.host, port, serial: match.groups.serial };
}
