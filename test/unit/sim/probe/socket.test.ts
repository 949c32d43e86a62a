// The stlink-server face on real sockets: clients in turn, at once, rude ones and such as vanish
// (docs/reference/stlink.md §4).
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { DEVICE_ID, serverState } from '../../../../sim/stlink/server-session.ts';
import { listenStlinkServer } from '../../../../sim/stlink/tcp-server.ts';
import type { StlinkTcpServer } from '../../../../sim/stlink/tcp-server.ts';
import { WallDriver } from '../../../../sim/edge/wall-driver.ts';
import { probeFixture, bytes, hex } from './probe-fixture.ts';

class Client {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  #got: Uint8Array = new Uint8Array(0);
  #wake: () => void = () => {};

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (chunk) => {
      this.#got = Uint8Array.from([...this.#got, ...chunk]);
      this.#wake();
    });
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) => this.socket.on('close', () => resolve()));
  }
  send(text: string): void {
    this.socket.write(bytes(text));
  }
  /** The next `size` bytes. */
  async take(size: number): Promise<string> {
    while (this.#got.length < size) await new Promise<void>((resolve) => (this.#wake = resolve));
    const head = this.#got.subarray(0, size);
    this.#got = this.#got.slice(size);
    return hex(head);
  }
  async open(): Promise<string> {
    this.send(`03000000 ${DEVICE.replaceAll(' ', '')}`);
    return (await this.take(8)).slice(12).replaceAll(' ', '');
  }
}

const DEVICE = hex(Uint8Array.of(DEVICE_ID & 0xff, (DEVICE_ID >> 8) & 0xff, (DEVICE_ID >> 16) & 0xff, 0));
const usb = (connection: string, command: string, length: string) =>
  `05000000 ${connection} ${command.padEnd(32, '0')} 01000000 ${length}`;

describe('stlink-server on a socket', () => {
  let server: StlinkTcpServer;
  let driver: WallDriver;
  const shared = { connections: new Set<number>() };

  before(async () => {
    driver = new WallDriver(probeFixture().probe);
    const state = serverState(driver);
    shared.connections = state.connections;
    server = await listenStlinkServer(state, 0);
    driver.start();
  });
  after(async () => {
    driver.stop();
    await server.close();
  });

  it('refuses a port that is taken and one that there is not', async () => {
    for (const port of [server.port, -1, 1.5, 65536, Number.NaN]) {
      await assert.rejects(listenStlinkServer(serverState(driver), port), { code: 'BF-USAGE-PORT' }, String(port));
    }
  });

  it('serves clients at once and one after another', async () => {
    const [first, second] = [new Client(server.port), new Client(server.port)];
    const ids = [await first.open(), await second.open()];
    assert.notEqual(ids[0], ids[1]);
    first.send(usb(ids[0]!, 'f1', '06000000'));
    second.send(usb(ids[1]!, 'f5', '02000000'));
    assert.equal(await first.take(10), '01 00 00 00 29 47 83 04 48 37');
    assert.equal(await second.take(6), '01 00 00 00 01 00');
    first.socket.destroy();
    await first.closed;
    second.send(usb(ids[1]!, 'f1', '06000000'));
    assert.equal(await second.take(10), '01 00 00 00 29 47 83 04 48 37');
    second.socket.destroy();
    await second.closed;
    const third = new Client(server.port);
    third.send('06010000');
    assert.equal((await third.take(16)).slice(0, 11), '03 00 00 00');
    third.socket.destroy();
  });

  it('answers a burst of requests one by one, in order', async () => {
    const client = new Client(server.port);
    const id = await client.open();
    client.send(Array.from({ length: 20 }, (_, i) => usb(id, i % 2 === 0 ? 'f1' : 'f5', '02000000')).join(''));
    for (let i = 0; i < 20; i++) assert.equal((await client.take(6)).slice(12), i % 2 === 0 ? '29 47' : '01 00');
    client.socket.destroy();
  });

  it('drops a client that talks nonsense, at once', async () => {
    const client = new Client(server.port);
    client.send('77');
    await client.closed;
  });

  it('forgets a client that vanishes in the middle of a request', async () => {
    const client = new Client(server.port);
    await client.open();
    client.send('05000000 0100');
    client.socket.destroy();
    await client.closed;
    const other = new Client(server.port);
    for (;;) {
      other.send('01');
      await other.take(4);
      if (shared.connections.size === 0) break;
    }
    other.socket.destroy();
  });
});
