// The probes we can drive, one line each, and how the one that is meant is found.
import type { BlindflashError } from '../../shared/errors/errors.ts';
import { fail } from '../../shared/errors/errors.ts';
import type { Clock, Log } from '../../shared/ports.ts';
import type { Probe } from './probe.ts';
import { PRODUCTS } from './stlink/constants.ts';
import { StlinkDriver } from './stlink/driver.ts';
import { connectTcp } from './stlink/tcp-socket.ts';
import { TcpTransport } from './stlink/tcp-transport.ts';
import { WebUsbTransport } from './stlink/webusb-transport.ts';

export interface ProbeEnvironment {
  readonly clock: Clock;
  readonly log: Log;
  /** SWD clock to ask for, kHz; the driver's own choice otherwise. */
  readonly speedKHz?: number | undefined;
}

/** A probe that is there. Making it does no I/O; opening it may fail. */
export interface ProbeListing {
  readonly kind: string;
  readonly serial: string | undefined;
  readonly path: string;
  /** Why it cannot be used, as far as listing already tells. */
  readonly problem: BlindflashError | undefined;
  make(): Probe;
}

export interface ProbeDriver {
  readonly name: string;
  /** True if `--probe SELECTOR` (undefined when not given) speaks of this driver's probes. */
  speaksOf(selector: string | undefined): boolean;
  list(selector: string | undefined, environment: ProbeEnvironment): Promise<ProbeListing[]>;
}

export const DRIVERS: readonly ProbeDriver[] = [
  { name: 'ST-LINK over USB', speaksOf: (selector) => !isTcp(selector), list: listUsb },
  { name: 'ST-LINK behind stlink-server', speaksOf: isTcp, list: listServer },
];

/** Everything that could be meant by `selector`: nothing, a serial number (or its beginning), or `tcp:HOST:PORT[/SERIAL]`. */
export async function listProbes(selector: string | undefined, environment: ProbeEnvironment): Promise<ProbeListing[]> {
  const speaking = DRIVERS.filter((driver) => driver.speaksOf(selector));
  const lists = await Promise.all(speaking.map((driver) => driver.list(selector, environment)));
  return lists.flat();
}

/** The one probe that is meant, not yet opened. @throws BF-PROBE-NONE, -SEVERAL, or the listed probe's own problem. */
export async function findProbe(selector: string | undefined, environment: ProbeEnvironment): Promise<Probe> {
  return chooseListing(await listProbes(selector, environment), selector).make();
}

/** Exactly one of the listings, in words when it is none or several. */
export function chooseListing(listings: readonly ProbeListing[], selector: string | undefined): ProbeListing {
  const wanted = isTcp(selector) ? undefined : selector?.toUpperCase();
  const meant = listings.filter(({ serial, problem }) => {
    return wanted === undefined || problem !== undefined || serial?.toUpperCase().startsWith(wanted);
  });
  const usable = meant.filter(({ problem }) => problem === undefined);
  if (usable.length === 1) return usable[0];
  if (usable.length > 1) throw fail('BF-PROBE-SEVERAL', usable.map(({ serial }) => serial ?? 'no serial').join(', '));
  if (meant[0]?.problem !== undefined) throw meant[0].problem;
  throw fail('BF-PROBE-NONE', listings.length > 0 ? `none with serial ${selector ?? ''}` : undefined);
}

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  readonly serial: string | undefined;
}

/** `tcp:HOST:PORT` with an optional `/SERIAL`; `tcp://` as the virtual probe's ready line has it will do. @throws BF-USAGE */
export function parseServer(selector: string): ServerAddress {
  const match = /^tcp:(?:\/\/)?(?<host>[^/]+?)(?::(?<port>\d{1,5}))?(?:\/(?<serial>[0-9A-Za-z]+))?$/.exec(selector);
  const port = Number(match?.groups?.port ?? STLINK_SERVER_PORT);
  if (match?.groups === undefined || port < 1 || port > 65535) throw fail('BF-USAGE', `--probe ${selector}`);
  return { host: match.groups.host, port, serial: match.groups.serial };
}

const STLINK_SERVER_PORT = 7184;

function isTcp(selector: string | undefined): boolean {
  return selector?.startsWith('tcp:') ?? false;
}

/** Loads the native USB module only here: a missing library must not break what needs no USB. */
async function listUsb(_selector: string | undefined, environment: ProbeEnvironment): Promise<ProbeListing[]> {
  const { listUsbStlinks } = await import('./stlink/usb.ts').catch((error: unknown) => {
    throw fail('BF-INTERNAL-BUILD', 'the USB module does not load on this computer', error);
  });
  return (await listUsbStlinks()).map(({ productId, serial, device, problem }) => ({
    kind: PRODUCTS[productId]?.kind ?? 'ST-LINK',
    serial,
    path: 'usb',
    problem,
    make: () => {
      if (device === undefined) throw problem ?? fail('BF-PROBE-UNPLUGGED');
      const { clock } = environment;
      return new StlinkDriver(new WebUsbTransport(device, { clock, platform: process.platform }), environment);
    },
  }));
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
