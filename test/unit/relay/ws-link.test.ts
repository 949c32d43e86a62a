// A link over a real WebSocket on loopback: what is kept, pinged, refused, and how it ends.
import { ManualClock } from '../../fixtures/manual-clock.ts';
import assert from 'node:assert/strict';
import { type WebSocket, WebSocketServer } from 'ws';
import { isBlindflashError, type ErrorCode } from '../../../shared/errors/errors.ts';
import type { Link } from '../../../shared/ports.ts';
import { CLOSE } from '../../../shared/link/close.ts';
import { decodeLinkMessage, encodeLinkMessage } from '../../../shared/link/link-message.ts';
import { systemClock } from '../../../shared/platform/system-clock.ts';
import { dialRelay } from '../../../shared/platform/node/dial-relay.ts';
import { linkOverSocket } from '../../../shared/platform/node/ws-link.ts';

const coded = (code: ErrorCode) => (error: unknown) => isBlindflashError(error, code);

describe('a link over a WebSocket', () => {
  let server: WebSocketServer;
  let port: number;
  before(async () => {
    server = new WebSocketServer({
      port: 0,
      host: '127.0.0.1',
      handleProtocols: () => 'blindflash.2',
      autoPong: false,
    });
    await new Promise((resolve) => server.once('listening', resolve));
    ({ port } = server.address() as { port: number });
  });
  after(() => server.close());
  const accepted = (): Promise<WebSocket> => new Promise((resolve) => server.once('connection', resolve));

  async function pair(clock = systemClock as ManualClock | typeof systemClock): Promise<[Link, WebSocket]> {
    const [link, socket] = await Promise.all([dialRelay(`ws://127.0.0.1:${port}`, clock), accepted()]);
    return [link, socket];
  }

  it('keeps messages until somebody listens', async () => {
    const [link, socket] = await pair();
    socket.send(encodeLinkMessage({ name: 'peer', peerPresent: true }));
    await new Promise((resolve) => setImmediate(resolve));
    const message = await new Promise<Uint8Array>((resolve) => (link.onMessage = resolve));
    assert.deepEqual(decodeLinkMessage(message), { name: 'peer', peerPresent: true });
    link.close(1000, '');
  });

  it('pings every 15 s and gives up after 45 s of silence', async () => {
    const clock = new ManualClock();
    const [link, socket] = await pair(clock);
    let pings = 0;
    const pinged = new Promise<void>((resolve) => socket.on('ping', () => ++pings === 2 && resolve()));
    const closed = new Promise<number>((resolve) => (link.onClose = resolve));
    link.onMessage = () => {};
    await clock.advance(44_999);
    await pinged;
    await clock.advance(1);
    assert.equal(await closed, CLOSE.silent.code);
    assert.equal(clock.waiting, 0);
  });

  it('reports its own ending once, and refuses to send afterwards', async () => {
    const [link, socket] = await pair();
    const codes: number[] = [];
    const closed = new Promise<void>((resolve) => {
      link.onClose = (code) => {
        codes.push(code);
        resolve();
      };
    });
    link.close(CLOSE.done.code, 'done');
    link.close(CLOSE.garbage.code, 'again');
    assert.throws(() => link.send(Uint8Array.of(1)), coded('BF-LINK-CLOSED'));
    await closed;
    socket.terminate();
    assert.deepEqual(codes, [CLOSE.done.code]);
  });

  it('calls a connection that breaks off lost', async () => {
    const [link, socket] = await pair();
    const closed = new Promise<number>((resolve) => (link.onClose = resolve));
    link.onMessage = () => {};
    socket.terminate();
    assert.equal(await closed, CLOSE.lost.code);
  });

  it('wraps server ends alike', async () => {
    const [link, socket] = await pair();
    const other = linkOverSocket(socket, systemClock);
    const heard = new Promise<Uint8Array>((resolve) => (other.onMessage = resolve));
    link.send(Uint8Array.of(0x10, 7));
    assert.deepEqual(await heard, Uint8Array.of(0x10, 7));
    const closed = new Promise<number>((resolve) => (link.onClose = resolve));
    link.onMessage = () => {};
    other.close(CLOSE.superseded.code, CLOSE.superseded.say);
    assert.equal(await closed, CLOSE.superseded.code);
  });
});
