// What an observer has in the demo: a WebSocket pass-through in front of the relay that keeps everything the relay is
// about to carry, and one for bytes in front of a board's serial port.
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { WebSocket, WebSocketServer, type RawData } from 'ws';
import { LINK } from '../../shared/link/limits.ts';

export interface Tap {
  readonly port: number;
  /** Every message so far, both ways, in order. */
  carried(): Uint8Array;
  close(): void;
}

/** Listens on loopback and passes every link on to `target` (ws://…), keeping a copy of each message. */
export async function openTap(target: string): Promise<Tap> {
  const kept: Uint8Array[] = [];
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false, path: LINK.path });
  server.on('connection', (near) => {
    const far = new WebSocket(new URL(LINK.path, target), LINK.subprotocol, { perMessageDeflate: false });
    const early: RawData[] = [];
    near.on('message', (data) => {
      kept.push(bytesOf(data));
      if (far.readyState === WebSocket.OPEN) far.send(data);
      else early.push(data);
    });
    far.on('open', () => early.splice(0).forEach((data) => far.send(data)));
    far.on('message', (data) => {
      kept.push(bytesOf(data));
      near.send(data);
    });
    joinEnds(near, far);
    joinEnds(far, near);
  });
  await new Promise<void>((resolve) => server.once('listening', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    carried: () => Buffer.concat(kept),
    close: () => {
      for (const client of server.clients) client.terminate();
      server.close();
    },
  };
}

/** When one end goes, the other goes with the same words. */
function joinEnds(one: WebSocket, other: WebSocket): void {
  one.on('close', (code, reason) => {
    if (code === 1000 || (code >= 4000 && code < 5000)) other.close(code, reason);
    else other.terminate();
  });
  one.on('error', () => other.terminate());
}

function bytesOf(data: RawData): Uint8Array {
  return Array.isArray(data) ? Buffer.concat(data) : new Uint8Array(data as ArrayBuffer);
}

export interface LineTap {
  /** What `agent --serial` takes. */
  readonly name: string;
  /** Every byte so far that went to the board. */
  carried(): Uint8Array;
  close(): void;
}

/**
 * Holds the serial port `target` (tcp:HOST:PORT) as an adapter that stays plugged in does, and passes bytes on, both
 * ways, to whoever opens the tap.
 */
export async function openLineTap(target: string): Promise<LineTap> {
  const [, host, port] = target.split(':');
  const kept: Uint8Array[] = [];
  const far = await new Promise<Socket>((resolve, reject) => {
    const begun = connect({ host: host!, port: Number(port), noDelay: true }, () => resolve(begun));
    begun.on('error', reject);
  });
  let near: Socket | undefined;
  far.on('data', (bytes) => void near?.write(bytes));
  const server = createServer({ noDelay: true }, (opened) => {
    near?.destroy();
    near = opened.on('error', () => {});
    opened.on('data', (bytes) => {
      kept.push(new Uint8Array(bytes));
      far.write(bytes);
    });
  });
  far.on('close', () => near?.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    name: `tcp:127.0.0.1:${(server.address() as AddressInfo).port}`,
    carried: () => Buffer.concat(kept),
    close: () => {
      far.destroy();
      near?.destroy();
      server.close();
    },
  };
}
