// Edge: the proxy that the environment names for an address (docs/install.md, "Networks").
import type { Agent } from 'node:http';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { getProxyForUrl } from 'proxy-from-env';
import { fail, type BlindflashError } from '../../errors/errors.ts';

/** A proxy that opens connections by CONNECT (RFC 9110 §9.3.6). */
export interface Proxy {
  /** Host and port; never what one logs in with. */
  readonly name: string;
  readonly agent: Agent;
  /** True once it answered a CONNECT. */
  readonly answered: boolean;
  /** Why it opened nothing; undefined when it did. */
  refusal(): BlindflashError | undefined;
}

/** This computer itself, however it is called: no proxy is asked for it. */
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/**
 * The proxy for a WebSocket's address by HTTPS_PROXY (wss:) or HTTP_PROXY (ws:), ALL_PROXY and NO_PROXY, in capitals or
 * small letters; undefined where there is none.
 * @throws BF-RELAY-PROXY-ADDRESS for a variable that names none of http: or https:
 */
export function proxyFor(address: URL): Proxy | undefined {
  if (LOOPBACK.test(address.hostname)) return undefined;
  const text = getProxyForUrl(address.href.replace(/^ws/, 'http'));
  if (text === '') return undefined;
  const url = proxyAddress(text);
  const agent = new HttpsProxyAgent(url);
  let status: number | undefined;
  agent.on('proxyConnect', (answer: { readonly statusCode: number }) => (status = answer.statusCode));
  return {
    name: url.host,
    agent,
    get answered() {
      return status !== undefined;
    },
    refusal() {
      if (status === undefined || status === 200) return undefined;
      const code = status === 407 ? 'BF-RELAY-PROXY-LOGIN' : 'BF-RELAY-PROXY';
      return fail(code, `${url.host}: HTTP status ${status}`);
    },
  };
}

/** The text is not quoted: it may hold a password. */
function proxyAddress(text: string): URL {
  try {
    const url = new URL(text);
    // What one logs in with is decoded when it is used; a stray % has to be told before.
    decodeURIComponent(url.username + url.password);
    if (/^https?:$/.test(url.protocol)) return url;
  } catch {
    // Told below.
  }
  throw fail('BF-RELAY-PROXY-ADDRESS');
}
