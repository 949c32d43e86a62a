// `npm run test:networks`: a whole job in a company's network, real processes: both sides reach the relay through
// tinyproxy, which asks for a user and a password, and over TLS of an authority of one's own. Then what a side is told
// when a piece of that is missing. Needs tinyproxy and openssl (Debian packages of these names); installs nothing.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { DemoProcess, type Told } from '../../../cli/demo/processes.ts';

const EXAMPLE = new URL('../../../examples/bootloader/prebuilt/combined.elf', import.meta.url).pathname;
const [USER, PASSWORD] = ['company', 'geheim42'];
const LOGIN = `${USER}:${PASSWORD}@`;
const TRIES = 100;

type Environment = Readonly<Record<string, string>>;

const folder = mkdtempSync(join(tmpdir(), 'bf-networks-'));
const servers: Server[] = [];
const started: DemoProcess[] = [];
let passed = 0;
let failed = 0;
function check(title: string, good: boolean, seen: unknown): void {
  if (good) passed++;
  else failed++;
  console.log(`${good ? 'ok  ' : 'FAIL'} ${title}${good ? '' : `: ${JSON.stringify(seen)}`}`);
}

/** An address of this computer that is not the loopback's, for which no proxy is ever asked. */
function ownAddress(): string {
  const found = Object.values(networkInterfaces())
    .flat()
    .find((address) => address?.family === 'IPv4' && !address.internal);
  if (found === undefined) throw new Error('this computer has no address but that of the loopback');
  return found.address;
}

async function listening(server: Server, host: string): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Files of an authority, and of a server it vouches for. */
function certificates(address: string): { ca: string; key: string; cert: string; foreign: string } {
  const path = (name: string): string => join(folder, name);
  const openssl = (...words: readonly string[]): void =>
    void execFileSync('openssl', words, { stdio: ['ignore', 'ignore', 'pipe'] });
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const authority = ['-keyout', path('ca.key'), '-out', path('ca.pem'), '-days', '2', '-subj', '/CN=Company CA'];
  openssl('req', '-x509', ...ec, ...authority);
  openssl('req', ...ec, '-keyout', path('relay.key'), '-out', path('relay.csr'), '-subj', '/CN=relay');
  const vouchedFor = (name: string, ip: string): string => {
    writeFileSync(path('relay.ext'), `subjectAltName=IP:${ip}\n`);
    const by = ['-CA', path('ca.pem'), '-CAkey', path('ca.key'), '-CAcreateserial', '-extfile', path('relay.ext')];
    openssl('x509', '-req', '-in', path('relay.csr'), '-out', path(name), '-days', '2', ...by);
    return path(name);
  };
  const [cert, foreign] = [vouchedFor('relay.pem', address), vouchedFor('foreign.pem', '192.0.2.77')];
  return { ca: path('ca.pem'), key: path('relay.key'), cert, foreign };
}

async function tinyproxy(): Promise<{ process: ChildProcess; port: number; log: string }> {
  const port = await freePort();
  const [settings, log] = [join(folder, 'tinyproxy.conf'), join(folder, 'tinyproxy.log')];
  const lines = [`Port ${port}`, 'Listen 127.0.0.1', `LogFile "${log}"`, 'LogLevel Connect', 'MaxClients 20'];
  writeFileSync(settings, [...lines, `BasicAuth ${USER} ${PASSWORD}`, ''].join('\n'));
  const process = spawn('tinyproxy', ['-d', '-c', settings], { stdio: 'ignore' });
  for (let tries = 0; tries < TRIES; tries++) {
    if (await answers(port)) return { process, port, log };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('tinyproxy did not start');
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

const event = (name: string) => (told: Told) => told['event'] === name;
function start(name: string, words: readonly string[], environment: Environment = {}): DemoProcess {
  const none = { HTTPS_PROXY: '', https_proxy: '', HTTP_PROXY: '', http_proxy: '', ALL_PROXY: '', all_proxy: '' };
  const home = { BLINDFLASH_HOME: join(folder, name), NO_PROXY: '', no_proxy: '' };
  const actor = new DemoProcess(name, words, { ...none, ...home, ...environment });
  started.push(actor);
  return actor;
}

/** The code of the error a vendor's command ends with. */
async function refusal(url: string, environment: Environment, options: readonly string[] = []): Promise<string> {
  const vendor = start('vendor', ['info', '--relay', url, '--yes', '--no-code', ...options], environment);
  await vendor.ended();
  return vendor.lastWords;
}

async function wholeJob(url: string, environment: Environment, ca: string): Promise<void> {
  const board = start('board', ['sim', '--tcp', '0']);
  const probe = String((await board.hear(event('ready')))['url']).replace('tcp://', 'tcp:');
  const invite = join(folder, 'invite');
  const words = ['flash', EXAMPLE, '--relay', url, '--invite-out', invite, '--yes', '--no-code', '--ca', ca];
  const vendor = start('vendor', words, environment);
  await vendor.hear(event('invite'));
  const reach = { ...environment, BLINDFLASH_CA: ca };
  const agent = start('customer', ['agent', '--probe', probe, '--invite-file', invite], reach);
  const { word } = await agent.hear(event('sheet'));
  agent.type(String(word));
  const statuses = await Promise.all([vendor.ended(), agent.ended()]);
  check('a whole job through the proxy and over TLS of the company', statuses.join() === '0,0', [
    vendor.lastWords,
    agent.lastWords,
  ]);
}

const address = ownAddress();
const { ca, key, cert, foreign } = certificates(address);
const proxy = await tinyproxy();
try {
  const relay = start('relay', ['relay', '--open', '--listen', '127.0.0.1:0', '--name', address]);
  const relayPort = Number(new URL(String((await relay.hear(event('listening')))['url'])).port || 0);
  const serve = async (certificate: string): Promise<string> => {
    const tls = createTlsServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (socket) => {
      const onward = connect(relayPort, '127.0.0.1');
      onward.pipe(socket).pipe(onward);
      for (const end of [onward, socket]) end.on('error', () => {});
    });
    tls.on('tlsClientError', () => {});
    return `wss://${address}:${await listening(tls, address)}`;
  };
  const url = await serve(cert);
  await start('vendor', ['keygen', '--no-passphrase']).succeeded();
  const known: Environment = { HTTPS_PROXY: `http://${LOGIN}127.0.0.1:${proxy.port}` };

  await wholeJob(url, known, ca);
  const connections = readFileSync(proxy.log, 'utf8').match(new RegExp(`CONNECT ${address}:`, 'g'))?.length ?? 0;
  check('both sides asked the proxy for it', connections >= 2, connections);

  const CASES: readonly [title: string, code: string, Environment, options?: readonly string[], of?: string][] = [
    [
      'without user and password',
      'BF-RELAY-PROXY-LOGIN',
      { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` },
      ['--ca', ca],
    ],
    ['without the authority of the company', 'BF-RELAY-TLS', known],
    ['with a certificate for another address', 'BF-RELAY-TLS', known, ['--ca', ca], await serve(foreign)],
    ['with a variable that is no address', 'BF-RELAY-PROXY-ADDRESS', { HTTPS_PROXY: 'socks5://127.0.0.1:1080' }],
    ['with a file that is no certificate', 'BF-USAGE', known, ['--ca', key]],
  ];
  for (const [title, code, environment, options, of = url] of CASES) {
    const words = await refusal(of, environment, options);
    check(`${title}: ${code}`, words.includes(`"${code}"`) && !words.includes(PASSWORD), words);
  }
} finally {
  for (const actor of started) actor.stop();
  await Promise.all(started.map((actor) => actor.ended()));
  proxy.process.kill();
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
