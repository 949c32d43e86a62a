// Edge: serial ports of this computer, by npm serialport, and those of a virtual board over TCP: `tcp:HOST:PORT`, whose
// bit rate follows the chip’s, and `rfc2217:HOST:PORT`, whose bit rate is set.
import { connect, type Socket } from 'node:net';
import { fail } from '../../shared/errors/errors.ts';
import { BAUD_RATES } from '../../shared/serial/packets.ts';
import type { OpenSerialPort, SerialPortSource } from '../transport/serial/port.ts';
import { Rfc2217Client } from '../transport/serial/rfc2217.ts';

/** How long a far port has to say that its bit rate is set, milliseconds. */
const BAUD_ANSWER_MS = 1000;
const NETWORK = /^(?<scheme>tcp|rfc2217):(?:(?<host>.+):(?<port>\d{1,5})$)?/;
const PORT_MAX = 65535;

/** The port a person names; nothing is opened yet. @throws BF-USAGE for what cannot be a name */
export function serialPort(name: string): SerialPortSource {
  if (name.trim() === '') throw fail('BF-USAGE', '--serial takes the name of a port, such as /dev/ttyACM0 or COM3');
  const network = NETWORK.exec(name)?.groups;
  if (network === undefined) return { name, open: () => openSystemPort(name) };
  const { scheme, host, port = '0' } = network;
  const number = Number(port);
  if (host === undefined || number < 1 || number > PORT_MAX) {
    throw fail(
      'BF-USAGE',
      `${name}: a port of the network is given as ${scheme}:HOST:PORT, PORT from 1 to ${PORT_MAX}`,
    );
  }
  return { name, open: () => openNetworkPort(name, host, number, scheme === 'rfc2217') };
}

/**
 * The name of the serial port that is in the ST-LINK with this serial number.
 * @throws BF-SERIAL-ADAPTER when it has none, BF-SERIAL-LIST when ports cannot be listed
 */
export async function portOfProbe(serial: string): Promise<string> {
  const { SerialPort } = await import('serialport');
  const ports = await SerialPort.list().catch((error: unknown) => {
    throw fail('BF-SERIAL-LIST', String(error), error);
  });
  const port = ports.find(({ serialNumber }) => serialNumber?.toUpperCase() === serial.toUpperCase());
  if (port === undefined) throw fail('BF-SERIAL-ADAPTER', `no port of the ST-LINK ${serial}`);
  return port.path;
}

/** Runs a function that ends in a callback with an error or none. */
function done(name: string, run: (callback: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    run((error) => (error ? reject(fail('BF-SERIAL-GONE', `${name}: ${error.message}`, error)) : resolve()));
  });
}

async function openSystemPort(name: string): Promise<OpenSerialPort> {
  const { SerialPort } = await import('serialport');
  const system = new SerialPort({ path: name, baudRate: BAUD_RATES.first, autoOpen: false, hupcl: false });
  await new Promise<void>((resolve, reject) => {
    system.open((error) => (error ? reject(openError(name, error)) : resolve()));
  });
  let closing = false;
  const port: OpenSerialPort = {
    onData: () => {},
    onGone: () => {},
    write: (bytes) => done(name, (callback) => void system.write(bytes, callback)),
    drain: () => done(name, (callback) => system.drain(callback)),
    setBaud: (baudRate) =>
      new Promise((resolve) => system.update({ baudRate }, (error) => resolve(error === null || error === undefined))),
    close: async () => {
      closing = true;
      if (system.isOpen) await done(name, (callback) => system.close(callback)).catch(() => {});
    },
  };
  system.on('data', (bytes: Uint8Array) => port.onData(new Uint8Array(bytes)));
  system.on('error', () => {});
  system.on('close', () => {
    if (!closing) port.onGone();
  });
  return port;
}

/** The library has texts, no codes. */
function openError(name: string, error: Error): Error {
  const isNone = /no such (file|device)|file not found|cannot find/i.test(error.message);
  return fail(isNone ? 'BF-SERIAL-NONE' : 'BF-SERIAL-BUSY', `${name}: ${error.message}`, error);
}

async function openNetworkPort(name: string, host: string, number: number, setsRate: boolean): Promise<OpenSerialPort> {
  const socket = await new Promise<Socket>((resolve, reject) => {
    const begun = connect({ host, port: number, noDelay: true }, () => resolve(begun));
    begun.once('error', (error) => reject(fail('BF-SERIAL-NONE', `${name}: ${error.message}`, error)));
  });
  const telnet = setsRate ? new Rfc2217Client() : undefined;
  const send = (bytes: Uint8Array): Promise<void> => done(name, (callback) => void socket.write(bytes, callback));
  let closing = false;
  const port: OpenSerialPort = {
    onData: () => {},
    onGone: () => {},
    write: (bytes) => send(telnet?.encode(bytes) ?? bytes),
    drain: () => Promise.resolve(),
    setBaud: async (rate) => {
      if (telnet === undefined) return true;
      await send(telnet.setBaud(rate));
      return new Promise((resolve) => {
        const late = setTimeout(() => resolve(false), BAUD_ANSWER_MS);
        telnet.onBaud = (set) => {
          clearTimeout(late);
          resolve(set === rate);
        };
      });
    },
    close: () => {
      closing = true;
      socket.destroy();
      return Promise.resolve();
    },
  };
  socket.on('data', (bytes) => port.onData(telnet?.take(new Uint8Array(bytes)) ?? new Uint8Array(bytes)));
  socket.on('error', () => {});
  socket.on('close', () => {
    if (!closing) port.onGone();
  });
  if (telnet !== undefined) {
    await send(telnet.greeting());
    await port.setBaud(BAUD_RATES.first);
  }
  return port;
}
