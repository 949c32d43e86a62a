// Edge: HTTP and WebSocket in front of a Relay. /healthz for the operator, /v2/link for sides, nothing else.
// Spec: docs/protocol.md §1 (path, subprotocol, Origin).
import { createServer, STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { fail } from '../shared/errors/errors.ts';
import type { Clock, Log } from '../shared/ports.ts';
import { LINK, RELAY } from '../shared/link/limits.ts';
import { linkOverSocket, SOCKET_OPTIONS } from '../shared/platform/node/ws-link.ts';
import { UpgradeLimit } from './core/upgrade-limit.ts';
import type { Relay } from './core/relay.ts';

export interface ServerOptions {
  readonly relay: Relay;
  readonly clock: Clock;
  readonly log: Log;
  /** Address to listen on; port 0 takes a free one. */
  readonly host: string;
  readonly port: number;
  /** Connections at one time. */
  readonly maxConnections?: number;
  /** Upgrades a minute from one address. */
  readonly upgradesPerMinute?: number;
  /** Take the client's address from the last entry of X-Forwarded-For: only behind a proxy that sets it. */
  readonly trustProxy?: boolean;
}

export interface RunningServer {
  /** `ws://HOST:PORT` */
  readonly url: string;
  /** Closes every link so that it comes back later, and the port; done within 5 s. */
  stop(): Promise<void>;
}

/** Headers of an upgrade are small. */
const HEADER_BYTES = 8192;
const HEALTH_PATH = '/healthz';
/** How often Node looks for connections beyond their time; by itself every 30 s, three times that of an admission. */
const CHECK_EVERY_MS = 1000;

/** Starts serving. @throws (rejects) BF-RELAY-LISTEN when the address cannot be had. */
export async function serveRelay(options: ServerOptions): Promise<RunningServer> {
  const { clock } = options;
  const startedAt = clock.now();
  const limits = {
    maxHeaderSize: HEADER_BYTES,
    headersTimeout: RELAY.admissionMs,
    connectionsCheckingInterval: CHECK_EVERY_MS,
  };
  const server = createServer(limits, (request, response) => answerHttp(request, response, options, startedAt));
  server.requestTimeout = RELAY.admissionMs;
  server.maxConnections = (options.maxConnections ?? RELAY.connections) + HEALTH_RESERVE;
  const sockets = attachUpgrades(server, options);
  await listen(server, options);
  return { url: urlOf(server, options.host), stop: () => stopAll(server, sockets, options) };
}

/** Connections kept free so that /healthz still answers on a full relay. */
const HEALTH_RESERVE = 16;

function listen(server: Server, { host, port }: ServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(fail('BF-RELAY-LISTEN', `${host}:${port}: ${error.message}`, error)));
    server.listen({ host, port }, resolve);
  });
}

function urlOf(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo;
  return `ws://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

// ── plain HTTP ──────────────────────────────────────────────────────────────────────────────────────────────────────

function answerHttp(
  request: IncomingMessage,
  response: ServerResponse,
  options: ServerOptions,
  startedAt: number,
): void {
  request.resume();
  const known = request.url === HEALTH_PATH;
  const allowed = request.method === 'GET' || request.method === 'HEAD';
  const status = !known ? 404 : allowed ? 200 : 405;
  const body = status === 200 ? health(options, startedAt) : { error: STATUS_CODES[status] };
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(request.method === 'HEAD' ? undefined : `${JSON.stringify(body)}\n`);
}

function health({ relay, clock }: ServerOptions, startedAt: number): Record<string, unknown> {
  return { status: 'ok', uptimeSeconds: Math.floor((clock.now() - startedAt) / 1000), ...relay.stats };
}

// ── upgrades ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What an upgrade must keep to, in this order, and what is said to a request that breaks it. */
interface UpgradeRule {
  readonly status: number;
  readonly say: string;
  isBroken(request: IncomingMessage): boolean;
}

/** What version 1 asks for; docs/protocol.md §12. */
const OLD = { path: '/v1/link', subprotocol: 'blindflash.1' } as const;
const OLD_PROGRAM = 'this relay speaks version 2 of Blindflash: update the program that called';

function upgradeRules(sockets: WebSocketServer, options: ServerOptions): readonly UpgradeRule[] {
  const { upgradesPerMinute, maxConnections, clock, trustProxy = false } = options;
  const limit = new UpgradeLimit(upgradesPerMinute ?? RELAY.upgradesPerMinute, RELAY.addresses);
  return [
    {
      status: 429,
      say: 'too many connections from this address',
      isBroken: (request) => !limit.admit(addressOf(request, trustProxy), clock.now()),
    },
    { status: 404, say: OLD_PROGRAM, isBroken: (request) => request.url === OLD.path },
    { status: 404, say: 'no such path', isBroken: (request) => request.url !== LINK.path },
    { status: 403, say: 'not for browsers', isBroken: (request) => request.headers.origin !== undefined },
    {
      status: 400,
      say: OLD_PROGRAM,
      isBroken: (request) => offers(request, OLD.subprotocol) && !offers(request, LINK.subprotocol),
    },
    {
      status: 400,
      say: `subprotocol ${LINK.subprotocol} required`,
      isBroken: (request) => !offers(request, LINK.subprotocol),
    },
    {
      status: 503,
      say: 'the relay is full',
      isBroken: () => sockets.clients.size >= (maxConnections ?? RELAY.connections),
    },
  ];
}

function offers(request: IncomingMessage, subprotocol: string): boolean {
  const offered = request.headers['sec-websocket-protocol'] ?? '';
  return offered.split(',').some((name) => name.trim() === subprotocol);
}

function addressOf(request: IncomingMessage, trustProxy: boolean): string {
  const forwarded = trustProxy ? String(request.headers['x-forwarded-for'] ?? '').split(',') : [];
  return forwarded.at(-1)?.trim() || (request.socket.remoteAddress ?? 'unknown');
}

function attachUpgrades(server: Server, options: ServerOptions): WebSocketServer {
  const { relay, clock, log } = options;
  const sockets = new WebSocketServer({
    ...SOCKET_OPTIONS,
    noServer: true,
    handleProtocols: () => LINK.subprotocol,
  });
  const rules = upgradeRules(sockets, options);
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    stream.on('error', () => stream.destroy());
    const broken = rules.find((rule) => rule.isBroken(request));
    if (broken !== undefined) {
      log.info({ status: broken.status, why: broken.say }, 'upgrade refused');
      log.debug({ address: addressOf(request, options.trustProxy ?? false) }, 'upgrade refused');
      refuseUpgrade(stream, broken);
      return;
    }
    sockets.handleUpgrade(request, stream, head, (socket) => relay.accept(linkOverSocket(socket, clock)));
  });
  return sockets;
}

function refuseUpgrade(stream: Duplex, { status, say }: UpgradeRule): void {
  const body = `${say}\n`;
  stream.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/plain\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => stream.destroy(),
  );
}

// ── stopping ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Closes every link first; a connection that is not closed in time is cut off. */
async function stopAll(server: Server, sockets: WebSocketServer, options: ServerOptions): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  options.relay.stop();
  server.closeIdleConnections();
  const cancel = options.clock.after(RELAY.shutdownMs - 1000, () => {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
  });
  await Promise.all([closed, allGone(sockets)]);
  cancel();
}

function allGone(sockets: WebSocketServer): Promise<void> {
  return new Promise((resolve) => sockets.close(() => resolve()));
}
