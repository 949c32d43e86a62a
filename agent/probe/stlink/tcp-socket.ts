// Edge: a TCP socket as the byte channel tcp-transport.ts stands on.
import { connect } from 'node:net';
import { fail } from '../../../shared/errors/errors.ts';
import type { ByteChannel } from './tcp-transport.ts';

/** Connects to an stlink-server. @throws BF-PROBE-SERVER when nobody listens there. */
export function connectTcp(host: string, port: number): Promise<ByteChannel> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true });
    const refused = (error: Error): void => reject(fail('BF-PROBE-SERVER', `${host}:${port}: ${error.message}`, error));
    socket.once('error', refused);
    socket.once('connect', () => {
      const channel: ByteChannel = {
        send: (bytes) => void socket.write(bytes),
        close: () => void socket.destroy(),
        onData: () => {},
        onClose: () => {},
      };
      socket.off('error', refused);
      let reason = 'by the server';
      socket.on('error', (error) => {
        reason = error.message;
      });
      socket.on('data', (piece) => channel.onData(new Uint8Array(piece)));
      socket.once('close', () => channel.onClose(reason));
      resolve(channel);
    });
  });
}
