// A serial port of the virtual board on a TCP port: raw bytes, or RFC 2217 so that the client can set the bit rate. A
// serial port has one owner: a second client is turned away.
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { fail } from '../../shared/errors/errors.ts';
import type { Format } from '../serial/character.ts';
import { Rfc2217Session, type ControlledPort } from '../serial/rfc2217.ts';
import type { SerialPeer } from '../serial/serial-peer.ts';
import { SerialFeeder } from './serial-feeder.ts';

/** Bits of a break: longer than any character. */
const BREAK_BITS = 14;
const PORT_MAX = 65535;

export interface SerialBridge {
  /** What is given to `agent --serial` to reach it: tcp:HOST:PORT, rfc2217:HOST:PORT or a path. */
  readonly address: string;
  close(): Promise<void>;
}

export interface SerialTcpOptions {
  readonly peer: SerialPeer;
  /** Board time, ns. */
  readonly now: () => number;
  readonly port: number;
  readonly host: string;
  readonly telnet: boolean;
}

/** Serves on `host`:`port` (0: any free one). @throws (rejects) BF-USAGE-PORT when it cannot be had. */
export async function listenSerialTcp({ peer, now, port, host, telnet }: SerialTcpOptions): Promise<SerialBridge> {
  let owner: Socket | undefined;
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    if (owner !== undefined) return void socket.destroy();
    owner = socket;
    const release = serve(socket, peer, now, telnet);
    socket.on('close', () => {
      owner = undefined;
      release();
    });
  });
  await listening(server, port, host);
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      owner?.destroy();
    });
  const scheme = telnet ? 'rfc2217' : 'tcp';
  return { address: `${scheme}:${host}:${(server.address() as AddressInfo).port}`, close };
}

function listening(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const refused = (error?: Error): void => reject(fail('BF-USAGE-PORT', `${host}:${port}`, error));
    if (!Number.isInteger(port) || port < 0 || port > PORT_MAX) return refused();
    server.once('error', refused);
    server.listen(port, host, resolve);
  });
}

/** Connects one client to the line until the returned function is called. */
function serve(socket: Socket, peer: SerialPeer, now: () => number, telnet: boolean): () => void {
  const feeder = new SerialFeeder(peer, now);
  const toChip = (data: Uint8Array): void => feeder.push(data, socket);
  const session = telnet
    ? new Rfc2217Session(controlled(peer, feeder), (reply) => socket.write(reply), toChip)
    : undefined;
  socket.on('data', (chunk: Uint8Array) => (session === undefined ? toChip(chunk) : session.take(chunk)));
  peer.onByte = (byte) => {
    const data = Uint8Array.of(byte);
    socket.write(session?.give(data) ?? data);
  };
  return () => {
    feeder.clear();
    peer.onByte = () => {};
  };
}

function controlled(peer: SerialPeer, feeder: SerialFeeder): ControlledPort {
  return {
    get bitRate() {
      return peer.bitRate ?? 0;
    },
    set bitRate(bitsPerSecond: number) {
      peer.bitRate = bitsPerSecond;
    },
    get format(): Format {
      return peer.format;
    },
    set format(format: Format) {
      peer.format = format;
    },
    sendBreak: () => peer.sendBreak(BREAK_BITS),
    purge: () => feeder.clear(),
  };
}
