// Edge: the way to a relay over `ws`, through the proxy of the environment if there is one. Spec: docs/protocol.md §1.
import type { IncomingMessage } from 'node:http';
import { checkServerIdentity, rootCertificates, type PeerCertificate } from 'node:tls';
import { WebSocket } from 'ws';
import { fail, type BlindflashError, type ErrorCode } from '../../errors/errors.ts';
import type { Clock, Link } from '../../ports.ts';
import { LINK, RECONNECT } from '../../link/limits.ts';
import { relayNameOf } from '../../link/ticket.ts';
import { proxyFor, type Proxy } from './proxy.ts';
import { errno, linkOverSocket, SOCKET_OPTIONS } from './ws-link.ts';

export interface DialOptions {
  /** Certificates of authorities that are believed beside those of Node: PEM. */
  readonly ca?: string | undefined;
}

/**
 * Dials a relay. The URL's path is ours to choose: only its scheme, host and port are used. HTTPS_PROXY, HTTP_PROXY,
 * ALL_PROXY and NO_PROXY are those of the environment.
 * @throws (rejects) BF-RELAY-ADDRESS, BF-RELAY-UNREACHABLE, BF-RELAY-TLS, BF-RELAY-DATE, BF-RELAY-REFUSED,
 *   BF-RELAY-BUSY, BF-RELAY-PROTOCOL, BF-RELAY-PORTAL, BF-RELAY-PROXY… or BF-LINK-TIMEOUT.
 */
export async function dialRelay(url: string, clock: Clock, { ca }: DialOptions = {}): Promise<Link> {
  relayNameOf(url);
  const address = new URL(LINK.path, url);
  const proxy = proxyFor(address);
  const socket = new WebSocket(address, LINK.subprotocol, {
    ...SOCKET_OPTIONS,
    handshakeTimeout: RECONNECT.welcomeMs,
    followRedirects: false,
    ...(proxy === undefined ? {} : { agent: proxy.agent, checkServerIdentity: identityOf(address) }),
    ...(ca === undefined ? {} : { ca: [...rootCertificates, ca] }),
  });
  return new Promise((resolve, reject) => {
    const refused = (error: BlindflashError): void => {
      socket.on('error', () => {});
      socket.terminate();
      reject(error);
    };
    socket.once('open', () => {
      socket.removeAllListeners();
      resolve(linkOverSocket(socket, clock));
    });
    socket.once('unexpected-response', (_request, response: IncomingMessage) =>
      refused(proxy?.refusal() ?? refusal(response)),
    );
    socket.once('error', (error) => refused(dialError(error, address.host, proxy, clock)));
  });
}

/**
 * Holds a certificate against the host that is dialled. Behind a proxy the host does not reach Node's own check when it
 * is an IP address.
 */
function identityOf({ hostname }: URL): (host: string, certificate: PeerCertificate) => Error | undefined {
  const host = hostname.replace(/^\[|\]$/g, '');
  return (_, certificate) => checkServerIdentity(host, certificate);
}

/** Answers of a relay of version 1 (docs/protocol.md §12), of a wrong address, or of something in between. */
const NOT_HERE: ReadonlySet<number> = new Set([400, 404]);

/** HTTP answers to the upgrade that are neither one of these nor a server's trouble (5xx) are nothing a relay says. */
const REFUSALS: Readonly<Record<number, ErrorCode>> = {
  401: 'BF-RELAY-REFUSED',
  403: 'BF-RELAY-REFUSED',
  407: 'BF-RELAY-PROXY-LOGIN',
  429: 'BF-RELAY-BUSY',
  503: 'BF-RELAY-BUSY',
  511: 'BF-RELAY-PORTAL',
};
/** What a page has, and an upgrade has not: 200 with something to read, or the way to it. */
const isPage = (status: number): boolean => status >= 200 && status < 400;

function refusal(response: IncomingMessage): BlindflashError {
  const status = response.statusCode ?? 0;
  response.resume();
  const otherwise = status >= 500 ? 'BF-RELAY-UNREACHABLE' : isPage(status) ? 'BF-RELAY-PORTAL' : 'BF-RELAY-PROTOCOL';
  const hint = NOT_HERE.has(status)
    ? ': no relay of version 2; if the address is right, the relay is to be updated'
    : '';
  return fail(REFUSALS[status] ?? otherwise, `HTTP status ${status}${hint}`);
}

/** OpenSSL and Node names of certificates that do not convince. */
const TLS_CODES = /^(ERR_TLS|ERR_SSL|EPROTO|CERT_|CRL_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA)/;
/** Those that a wrong date of this computer has. */
const DATE_CODES: ReadonlySet<string> = new Set(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED']);
/** What `ws` says when the answer is HTTP, but not the WebSocket we asked for. */
const NOT_OURS = /subprotocol|Sec-WebSocket|Upgrade header|Invalid URL/i;

function dialError(error: Error, host: string, proxy: Proxy | undefined, clock: Clock): BlindflashError {
  const kind = errno(error);
  if (DATE_CODES.has(kind)) return fail('BF-RELAY-DATE', `${host}: ${kind}; it is ${dateOf(clock)} here`, error);
  if (TLS_CODES.test(kind)) return fail('BF-RELAY-TLS', `${host}: ${kind}`, error);
  if (/handshake has timed out/.test(error.message)) return fail('BF-LINK-TIMEOUT', host, error);
  if (NOT_OURS.test(error.message)) return fail('BF-RELAY-PROTOCOL', `${host}: ${error.message}`, error);
  if (kind.startsWith('HPE_')) return fail('BF-RELAY-PROTOCOL', `${host} does not speak HTTP`, error);
  if (proxy !== undefined && !proxy.answered) {
    return fail('BF-RELAY-PROXY-UNREACHABLE', `${proxy.name}: ${kind === '' ? 'no answer' : kind}`);
  }
  return fail('BF-RELAY-UNREACHABLE', `${host}: ${kind === '' ? error.message : kind}`, error);
}

const dateOf = (clock: Clock): string => new Date(clock.wall()).toISOString().slice(0, 10);
