// The stlink-server face on a socket (edge: uses node:net). docs: docs/reference/stlink.md §4.
import { fail } from '../../shared/errors/errors.ts';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { ServerSession } from './server-session.ts';
import type { ServerState } from './server-session.ts';
import { DATA_MAX, RequestReader } from './tcp-protocol.ts';

const BUFFER_MAX = DATA_MAX + 1024;
const CLIENTS_MAX = 32;
const PORT_MAX = 65535;

export interface StlinkTcpServer {
  readonly port: number;
  /** Stops listening and drops all clients. */
  close(): Promise<void>;
}

/** Serves `state` on `host`:`port` (0 = any free one). @throws (rejects) BF-USAGE-PORT when it cannot be had. */
export async function listenStlinkServer(
  state: ServerState,
  port: number,
  host = '127.0.0.1',
): Promise<StlinkTcpServer> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    if (sockets.size >= CLIENTS_MAX) return void socket.destroy();
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serve(socket, new ServerSession(state));
  });
  await listening(server, port, host);
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function listening(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const refused = (error?: Error): void => reject(fail('BF-USAGE-PORT', `${host}:${port}`, error));
    if (!Number.isInteger(port) || port < 0 || port > PORT_MAX) return refused();
    server.once('error', refused);
    server.listen(port, host, resolve);
  });
}

/** Answers one client's requests in order, one at a time; what comes meanwhile waits, in bounds. */
function serve(socket: Socket, session: ServerSession): void {
  const reader = new RequestReader();
  let busy = false;
  const pump = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    for (let request = reader.next(); request !== undefined; request = reader.next()) {
      if (request === 'broken') return void socket.destroy();
      const reply = await session.answer(request);
      if (socket.destroyed) return;
      if (!socket.write(reply)) await drained(socket);
    }
    busy = false;
    socket.resume();
  };
  socket.on('data', (chunk: Uint8Array) => {
    reader.push(chunk);
    if (reader.buffered > BUFFER_MAX) socket.pause();
    pump().catch(() => socket.destroy());
  });
  socket.on('error', () => socket.destroy());
  socket.on('close', () => session.end());
}

/** Waits until the client has read what it was sent, or is gone. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      socket.off('drain', settle);
      socket.off('close', settle);
      resolve();
    };
    socket.on('drain', settle);
    socket.on('close', settle);
  });
}
