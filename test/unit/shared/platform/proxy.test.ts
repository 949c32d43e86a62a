// The way to a relay through the proxy that the environment names: which one, how it is logged in to, and what is said
// when it opens nothing. The proxy is Node's own HTTP server; a real one is in test/interop/networks.
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { isBlindflashError, type ErrorCode } from '../../../../shared/errors/errors.ts';
import { dialRelay } from '../../../../shared/platform/node/dial-relay.ts';
import { proxyFor } from '../../../../shared/platform/node/proxy.ts';
import { systemClock } from '../../../../shared/platform/system-clock.ts';

const VARIABLES = ['https_proxy', 'http_proxy', 'all_proxy', 'no_proxy'].flatMap((name) => [name, name.toUpperCase()]);
type Environment = Readonly<Record<string, string>>;

/** Runs `work` with no other proxy variables than these. */
async function within<T>(environment: Environment, work: () => T | Promise<T>): Promise<T> {
  const before = VARIABLES.map((name) => [name, process.env[name]] as const);
  for (const name of VARIABLES) delete process.env[name];
  Object.assign(process.env, environment);
  try {
    return await work();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

const coded =
  (code: ErrorCode, detail = /.*/) =>
  (error: unknown) =>
    isBlindflashError(error, code) && detail.test(error.detail ?? '');
const listening = async (server: Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
};

describe('the proxy of the environment', () => {
  const RELAY = 'wss://relay.example.com/v2/link';
  const cases: readonly [title: string, environment: Environment, url: string, proxy: string | undefined][] = [
    ['none without a variable', {}, RELAY, undefined],
    ['that of HTTPS_PROXY for wss:', { HTTPS_PROXY: 'http://p.test:3128' }, RELAY, 'p.test:3128'],
    ['that of https_proxy', { https_proxy: 'http://p.test:3128' }, RELAY, 'p.test:3128'],
    ['none of HTTP_PROXY for wss:', { HTTP_PROXY: 'http://p.test:3128' }, RELAY, undefined],
    ['that of HTTP_PROXY for ws:', { HTTP_PROXY: 'http://p.test:1' }, 'ws://relay.example.com/', 'p.test:1'],
    ['that of ALL_PROXY', { ALL_PROXY: 'http://p.test:3128' }, RELAY, 'p.test:3128'],
    ['none for a name in NO_PROXY', { HTTPS_PROXY: 'http://p.test:1', NO_PROXY: '.example.com' }, RELAY, undefined],
    ['none with NO_PROXY=*', { HTTPS_PROXY: 'http://p.test:1', NO_PROXY: '*' }, RELAY, undefined],
    ['none for this computer', { HTTP_PROXY: 'http://p.test:1' }, 'ws://127.0.0.1:8787/', undefined],
    ['without what one logs in with in its name', { HTTPS_PROXY: 'http://u:geheim@p.test:1' }, RELAY, 'p.test:1'],
  ];
  for (const [title, environment, url, name] of cases) {
    it(`is ${title}`, () => within(environment, () => assert.equal(proxyFor(new URL(url))?.name, name)));
  }

  for (const text of ['socks5://p.test:1080', 'http://u:100%@p.test:1', 'http://:99999', 'p.test:x y']) {
    it(`is refused as ${text}, without quoting it`, () =>
      within({ HTTPS_PROXY: text }, () =>
        assert.throws(() => proxyFor(new URL(RELAY)), coded('BF-RELAY-PROXY-ADDRESS', /^$/)),
      ));
  }
});

describe('dialling through a proxy', () => {
  let relay: WebSocketServer;
  let proxy: Server;
  let relayPort: number;
  let proxyPort: number;
  /** What the proxy answers instead of opening; 200 opens. */
  let status = 200;
  let asked: { readonly target: string | undefined; readonly login: string | undefined }[] = [];
  before(async () => {
    relay = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'blindflash.2' });
    await new Promise((resolve) => relay.once('listening', resolve));
    relayPort = (relay.address() as AddressInfo).port;
    proxy = createServer();
    proxy.on('connect', (request, socket) => {
      asked.push({ target: request.url, login: request.headers['proxy-authorization'] });
      if (status !== 200) {
        socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`);
        return;
      }
      const onward = connect(relayPort, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        onward.pipe(socket).pipe(onward);
      });
      for (const end of [onward, socket]) end.on('error', () => {});
    });
    proxyPort = await listening(proxy);
  });
  beforeEach(() => {
    status = 200;
    asked = [];
  });
  after(() => {
    proxy.close();
    relay.close();
  });
  const dial = (login = ''): Promise<unknown> =>
    within({ HTTP_PROXY: `http://${login}127.0.0.1:${proxyPort}` }, async () => {
      const link = await dialRelay('ws://relay.test:8787', systemClock);
      link.close(1000, '');
    });

  it('lets the proxy find the relay, and carries the link', async () => {
    await dial();
    assert.deepEqual(asked, [{ target: 'relay.test:8787', login: undefined }]);
  });

  it('logs in with user and password, decoded', async () => {
    await dial('user:p%40ss%20word@');
    assert.equal(asked[0]?.login, `Basic ${Buffer.from('user:p@ss word').toString('base64')}`);
  });

  it('names a login that is missing, a refusal and a gateway that fails as the proxy’s, with no password in them', async () => {
    const refusals: readonly [number, ErrorCode][] = [
      [407, 'BF-RELAY-PROXY-LOGIN'],
      [403, 'BF-RELAY-PROXY'],
      [502, 'BF-RELAY-PROXY'],
    ];
    for (const [answer, code] of refusals) {
      status = answer;
      const detail = new RegExp(`^127\\.0\\.0\\.1:${proxyPort}: HTTP status ${answer}$`);
      await assert.rejects(dial('user:geheim@'), coded(code, detail));
    }
  });

  it('names a proxy that is not there', () =>
    within({ HTTP_PROXY: 'http://u:geheim@127.0.0.1:9' }, () =>
      assert.rejects(
        dialRelay('ws://relay.test', systemClock),
        coded('BF-RELAY-PROXY-UNREACHABLE', /^127\.0\.0\.1:9: ECONNREFUSED$/),
      ),
    ));
});
