// The relay's edge over real sockets on loopback: what it refuses, what it serves, and that it stops.
import assert from 'node:assert/strict';
import { request, type IncomingMessage } from 'node:http';
import { connect, createServer, type Server } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { isBlindflashError, type ErrorCode } from '../../../shared/errors/errors.ts';
import { silentLog } from '../../../shared/ports.ts';
import { CLOSE } from '../../../shared/link/close.ts';
import { RoomClient } from '../../../shared/link/room-client.ts';
import { systemClock } from '../../../shared/platform/system-clock.ts';
import { systemRandom } from '../../../shared/platform/node/system-random.ts';
import { verifyEd25519 } from '../../../shared/platform/node/verify-signature.ts';
import { dialRelay } from '../../../shared/platform/node/dial-relay.ts';
import { UpgradeLimit } from '../../../relay/core/upgrade-limit.ts';
import { Relay } from '../../../relay/core/relay.ts';
import { serveRelay, type RunningServer } from '../../../relay/server.ts';
import { everyTenant } from '../../../relay/core/tenants.ts';
import { fixedControl } from '../../../relay/control/fixed.ts';
import { handMadeTicket, keyPair } from './support.ts';

const coded = (code: ErrorCode) => (error: unknown) => isBlindflashError(error, code);
const FAR_FUTURE = 9_000_000_000n;

async function serve(options: { maxConnections?: number; upgradesPerMinute?: number } = {}) {
  const clock = systemClock;
  const relay = new Relay({
    name: '127.0.0.1',
    control: fixedControl(everyTenant),
    verify: verifyEd25519,
    clock,
    random: systemRandom,
    log: silentLog,
  });
  const server = await serveRelay({ relay, clock, log: silentLog, host: '127.0.0.1', port: 0, ...options });
  return { relay, server };
}

/** A raw WebSocket that has heard the CHALLENGE. */
async function dialRaw(url: string): Promise<WebSocket> {
  const socket = new WebSocket(`${url}/v2/link`, 'blindflash.2', { perMessageDeflate: false });
  await new Promise((resolve, reject) => {
    socket.once('message', resolve);
    socket.once('error', reject);
  });
  return socket;
}
const closeCode = (socket: WebSocket): Promise<number> => new Promise((resolve) => socket.once('close', resolve));

async function upgradeStatus(url: string, headers: Record<string, string>, path?: string): Promise<number> {
  return (await upgrade(url, headers, path)).status;
}

/** HTTP status and body of an upgrade request that differs from a good one in `headers` or `path`. */
function upgrade(
  url: string,
  headers: Record<string, string>,
  path = '/v2/link',
): Promise<{ readonly status: number; readonly body: string }> {
  const good = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    'sec-websocket-protocol': 'blindflash.2',
  };
  return new Promise((resolve, reject) => {
    const sent = request(url.replace('ws:', 'http:') + path, { headers: { ...good, ...headers } });
    sent.on('response', (response: IncomingMessage) => {
      let body = '';
      response.setEncoding('utf8').on('data', (piece: string) => void (body += piece));
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    sent.on('upgrade', (_response, socket) => {
      socket.destroy();
      resolve({ status: 101, body: '' });
    });
    sent.on('error', reject);
    sent.end();
  });
}

function clientOf(url: string, side: number): RoomClient {
  return new RoomClient({
    dial: () => dialRelay(url, systemClock),
    dialledHost: '127.0.0.1',
    clock: systemClock,
    random: systemRandom,
    ticket: handMadeTicket({ side, relay: '127.0.0.1', expires: FAR_FUTURE, cap: 65536 }),
    holderSecretKey: keyPair(7).secretKey,
  });
}

describe('relay server', () => {
  let server: RunningServer;
  let relay: Relay;
  before(async () => ({ server, relay } = await serve()));
  after(() => server.stop());

  it('refuses a request with an Origin, without our subprotocol, or for another path', async () => {
    assert.equal(await upgradeStatus(server.url, {}), 101);
    assert.equal(await upgradeStatus(server.url, { origin: 'http://127.0.0.1' }), 403);
    assert.equal(await upgradeStatus(server.url, { origin: 'null' }), 403);
    assert.equal(await upgradeStatus(server.url, { 'sec-websocket-protocol': 'blindflash.3' }), 400);
    assert.equal(await upgradeStatus(server.url, { 'sec-websocket-protocol': '' }), 400);
    assert.equal(await upgradeStatus(server.url, {}, '/'), 404);
    assert.equal(await upgradeStatus(server.url, { 'sec-websocket-protocol': 'blindflash.1, blindflash.2' }), 101);
  });

  it('tells a program of version 1 that it is to be updated, and speaks no other version with it', async () => {
    const old = { 'sec-websocket-protocol': 'blindflash.1' };
    const asked: readonly [Record<string, string>, string, number][] = [
      [old, '/v1/link', 404],
      [{}, '/v1/link', 404],
      [old, '/v2/link', 400],
    ];
    for (const [headers, path, status] of asked) {
      const answer = await upgrade(server.url, headers, path);
      assert.equal(answer.status, status);
      assert.match(answer.body, /^this relay speaks version 2 of Blindflash: update the program that called\n$/);
    }
  });

  it('negotiates no compression', async () => {
    const socket = new WebSocket(`${server.url}/v2/link`, 'blindflash.2', { perMessageDeflate: true });
    await new Promise((resolve) => socket.once('open', resolve));
    assert.equal(socket.extensions, '');
    socket.terminate();
  });

  it('closes on a text message, on one beyond 8192 bytes, and on DATA before admission', async () => {
    const cases: readonly [string | Uint8Array, number][] = [
      ['hello', CLOSE.text.code],
      [new Uint8Array(8193), CLOSE.tooLarge.code],
      [Uint8Array.of(0x10, 1), CLOSE.garbage.code],
    ];
    for (const [message, code] of cases) {
      const socket = await dialRaw(server.url);
      socket.on('error', () => {});
      socket.send(message);
      assert.equal(await closeCode(socket), code);
    }
  });

  it('tells its health in numbers and names nobody', async () => {
    const response = await fetch(`${server.url.replace('ws:', 'http:')}/healthz`);
    assert.equal(response.status, 200);
    const health = (await response.json()) as Record<string, unknown>;
    assert.equal(health['status'], 'ok');
    assert.deepEqual(
      Object.keys(health).sort(),
      [
        'admitted',
        'closed',
        'droppedBytes',
        'forwardedBytes',
        'greeting',
        'links',
        'rooms',
        'status',
        'uptimeSeconds',
      ].sort(),
    );
    const elsewhere = await fetch(`${server.url.replace('ws:', 'http:')}/metrics`);
    assert.equal(elsewhere.status, 404);
    const posted = await fetch(`${server.url.replace('ws:', 'http:')}/healthz`, { method: 'POST' });
    assert.equal(posted.status, 405);
  });

  it('carries 4 MiB between two room clients, in order and complete, with the reader held up for a while', async () => {
    const [agent, controller] = [clientOf(server.url, 1), clientOf(server.url, 2)];
    const count = 520;
    let received = 0;
    const complete = new Promise<void>((resolve, reject) => {
      agent.onEnd = controller.onEnd = reject;
      agent.onData = (body) => {
        assert.equal(new DataView(body.buffer, body.byteOffset).getUint32(0), received++);
        if (received === 100) {
          agent.pause();
          systemClock.after(30, () => agent.resume());
        }
        if (received === count) resolve();
      };
      controller.onPeer = (present) => {
        if (!present) return;
        for (let i = 0; i < count; i++) {
          const body = new Uint8Array(8191);
          new DataView(body.buffer).setUint32(0, i);
          assert.ok(controller.send(body));
        }
      };
    });
    agent.start();
    controller.start();
    await complete;
    assert.ok(relay.stats.forwardedBytes >= count * 8192);
    agent.close();
    controller.close();
  });

  it('keeps to its number of connections and to upgrades a minute', async () => {
    const full = await serve({ maxConnections: 1 });
    const first = await dialRaw(full.server.url);
    assert.equal(await upgradeStatus(full.server.url, {}), 503);
    await assert.rejects(dialRelay(full.server.url, systemClock), coded('BF-RELAY-BUSY'));
    first.terminate();
    await full.server.stop();

    const strict = await serve({ upgradesPerMinute: 2 });
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push(await upgradeStatus(strict.server.url, {}));
    assert.deepEqual(statuses, [101, 101, 429]);
    await strict.server.stop();
  });

  it('on stopping sends every side away to come back, even one that does not answer, within 5 s', async () => {
    const stopping = await serve();
    const polite = await dialRaw(stopping.server.url);
    const deaf = connect(Number(new URL(stopping.server.url).port), '127.0.0.1');
    deaf.on('error', () => {});
    deaf.write(
      'GET /v2/link HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: blindflash.2\r\n\r\n',
    );
    await new Promise((resolve) => deaf.once('data', resolve));
    const told = closeCode(polite);
    const startedAt = performance.now();
    await stopping.server.stop();
    assert.ok(performance.now() - startedAt < 5000);
    assert.equal(await told, CLOSE.shutdown.code);
    deaf.destroy();
  });
});

describe('dialling a relay', () => {
  it('names what went wrong', async () => {
    const closedPort = await freePort();
    await assert.rejects(dialRelay(`ws://127.0.0.1:${closedPort}`, systemClock), coded('BF-RELAY-UNREACHABLE'));
    await assert.rejects(dialRelay('ws://nobody.invalid', systemClock), coded('BF-RELAY-UNREACHABLE'));
    await assert.rejects(dialRelay('https://127.0.0.1', systemClock), coded('BF-RELAY-ADDRESS'));
  });

  it('tells TLS trouble, foreign answers, refusals and broken connections apart', async () => {
    const answers: readonly [string, ErrorCode][] = [
      ['HTTP/1.1 403 Forbidden\r\n\r\n', 'BF-RELAY-REFUSED'],
      ['HTTP/1.1 404 Not Found\r\n\r\n', 'BF-RELAY-PROTOCOL'],
      ['HTTP/1.1 302 Found\r\nLocation: http://a.test/\r\n\r\n', 'BF-RELAY-PORTAL'],
      ['HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>', 'BF-RELAY-PORTAL'],
      ['HTTP/1.1 511 Network Authentication Required\r\n\r\n', 'BF-RELAY-PORTAL'],
      ['HTTP/1.1 407 Proxy Authentication Required\r\n\r\n', 'BF-RELAY-PROXY-LOGIN'],
      ['HTTP/1.1 429 Too Many Requests\r\n\r\n', 'BF-RELAY-BUSY'],
      ['HTTP/1.1 500 Internal Server Error\r\n\r\n', 'BF-RELAY-UNREACHABLE'],
      ['HTTP/1.1 502 Bad Gateway\r\n\r\n', 'BF-RELAY-UNREACHABLE'],
      ['HTTP/1.1 503 Service Unavailable\r\n\r\n', 'BF-RELAY-BUSY'],
      ['HTTP/1.1 521 Down\r\n\r\n', 'BF-RELAY-UNREACHABLE'],
      ['SSH-2.0-OpenSSH_9\r\n', 'BF-RELAY-PROTOCOL'],
      ['', 'BF-RELAY-UNREACHABLE'],
    ];
    for (const [answer, code] of answers) {
      const fake = await rawServer(answer);
      await assert.rejects(dialRelay(`ws://127.0.0.1:${fake.port}`, systemClock), coded(code), JSON.stringify(answer));
      fake.server.close();
    }
    for (const status of ['400 Bad Request', '404 Not Found']) {
      const old = await rawServer(`HTTP/1.1 ${status}\r\n\r\n`);
      const sayWho = (error: unknown): boolean =>
        isBlindflashError(error, 'BF-RELAY-PROTOCOL') && /relay is to be updated$/.test(error.detail ?? '');
      await assert.rejects(dialRelay(`ws://127.0.0.1:${old.port}`, systemClock), sayWho);
      old.server.close();
    }
    const plain = await rawServer('HTTP/1.1 400 Bad Request\r\n\r\n');
    await assert.rejects(dialRelay(`wss://127.0.0.1:${plain.port}`, systemClock), coded('BF-RELAY-TLS'));
    plain.server.close();
  });

  it('refuses a server that does not confirm the subprotocol', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => false });
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    await assert.rejects(dialRelay(`ws://127.0.0.1:${port}`, systemClock), coded('BF-RELAY-PROTOCOL'));
    server.close();
  });
});

describe('the limit of upgrades', () => {
  it('gives each address its own, refills with time, and forgets the longest unused', () => {
    const limit = new UpgradeLimit(2, 2);
    assert.deepEqual(
      [0, 0, 0].map((at) => limit.admit('a', at)),
      [true, true, false],
    );
    assert.ok(limit.admit('b', 0));
    assert.ok(!limit.admit('a', 29_000));
    assert.ok(limit.admit('a', 31_000));
    assert.ok(limit.admit('c', 31_000));
    assert.ok(limit.admit('b', 31_000), 'forgotten, so fresh');
  });
});

async function freePort(): Promise<number> {
  const { server, port } = await rawServer('');
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A TCP server that says one thing and hangs up. */
async function rawServer(answer: string): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as { port: number }).port };
}
