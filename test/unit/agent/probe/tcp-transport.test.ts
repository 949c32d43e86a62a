// Proves: the stlink-server client says what the docs/reference/stlink.md §4 captured, and reads
// replies from any pieces.
import { ManualClock, settle } from '../../../fixtures/manual-clock.ts';
import assert from 'node:assert/strict';
import { chooseDevice, TcpTransport, type ByteChannel } from '../../../../agent/probe/stlink/tcp-transport.ts';
import { ReplyCollector, type ServerDevice } from '../../../../agent/probe/stlink/stlink-server.ts';
import { fail, type ErrorCode } from '../../../../shared/errors/errors.ts';
import { bytes, hex, padded, rejectsWith } from './support.ts';

const SERIAL = '066DFF303230504E43112233';
const OK = '01 00 00 00';
const info = (id: number, serial: string, productId = '48 37', used = '00'): string => {
  const text = Buffer.alloc(32);
  text.write(serial, 'latin1');
  return `${OK} 0${id} 00 00 00 ${text.toString('hex')} 83 04 ${productId} ${used}`;
};
const version = (api: number): string => `0${api} 00 00 00 02 00 00 00 01 00 00 00 01 00 00 00`;

/** A server that answers requests in order, each reply cut into pieces of `piece` bytes. */
class FakeServer {
  readonly said: string[] = [];
  closed = 0;
  channel: ByteChannel | undefined;
  readonly #replies: string[];
  readonly #piece: number;

  constructor(replies: readonly string[], piece = 1000) {
    this.#replies = [...replies];
    this.#piece = piece;
  }

  connect = async (): Promise<ByteChannel> => {
    const channel: ByteChannel = {
      send: (data) => {
        this.said.push(hex(data));
        const reply = this.#replies.shift();
        if (reply !== undefined) this.reply(bytes(reply));
      },
      close: () => {
        this.closed += 1;
      },
      onData: () => {},
      onClose: () => {},
    };
    this.channel = channel;
    return channel;
  };

  add(...replies: readonly string[]): void {
    this.#replies.push(...replies);
  }

  reply(whole: Uint8Array): void {
    for (let at = 0; at < whole.length; at += this.#piece) this.channel?.onData(whole.slice(at, at + this.#piece));
  }
}

const opening = (api = 2): string[] => [version(api), OK, '01 00 00 00', info(7, SERIAL), `${OK} 05 00 00 00`];

interface Fixture {
  readonly server: FakeServer;
  readonly clock: ManualClock;
  readonly transport: TcpTransport;
}

async function opened(replies: readonly string[] = opening(), piece = 1000): Promise<Fixture> {
  const server = new FakeServer(replies, piece);
  const clock = new ManualClock(0);
  const transport = new TcpTransport({ clock, path: 'tcp:127.0.0.1:7184', connect: server.connect });
  await transport.open();
  return { server, clock, transport };
}

describe('stlink-server client', () => {
  it('opens as captured: version, refresh, count, info, open', async () => {
    const { server, transport } = await opened();
    assert.deepEqual(server.said, ['06 01 00 00', '00 00', '01', '02 00 00 00 29 00 00 00', '03 00 00 00 07 00 00 00']);
    assert.deepEqual(transport.identity, {
      vendorId: 0x0483,
      productId: 0x3748,
      serial: SERIAL,
      path: 'tcp:127.0.0.1:7184',
    });
  });

  it('frames a question, a write and a silent command', async () => {
    const { server, transport } = await opened();
    server.add(`${OK} 80 00 00 00 03 00 03 00`, OK, OK, OK);
    const reply = await transport.exchange(padded('F2 36 F0 ED 00 E0'), undefined, 8, 100);
    assert.equal(hex(reply), '80 00 00 00 03 00 03 00');
    await transport.exchange(padded('F2 08 10 00 00 20 04 00'), bytes('01 02 03 04'), 0, 100);
    await transport.exchange(padded('F2 21'), undefined, 0, 100);
    await transport.close();
    const head = '05 00 00 00 05 00 00 00';
    assert.deepEqual(server.said.slice(5), [
      `${head} F2 36 F0 ED 00 E0 00 00 00 00 00 00 00 00 00 00 01 00 00 00 08 00 00 00`,
      `${head} F2 08 10 00 00 20 04 00 00 00 00 00 00 00 00 00 00 00 00 00 04 00 00 00 01 02 03 04`,
      `${head} F2 21 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00`,
      '04 00 00 00 05 00 00 00',
    ]);
    assert.equal(server.closed, 1);
  });

  for (const piece of [1, 3, 7]) {
    it(`puts replies together from pieces of ${piece}`, async () => {
      const { server, transport } = await opened(opening(), piece);
      server.add(`${OK} 29 47 83 04 48 37`);
      assert.equal(hex(await transport.exchange(padded('F1'), undefined, 6, 100)), '29 47 83 04 48 37');
    });
  }

  for (const [api, block] of [
    [1, 1024],
    [2, 6144],
    [3, 6144],
  ]) {
    it(`carries blocks of ${block} through API ${api}`, async () => {
      assert.equal((await opened(opening(api))).transport.maxBlock, block);
    });
  }

  it('leaves a probe alone that another program has; a trace of its own it waits for', async () => {
    const used = opening().map((reply, index) => (index === 3 ? info(7, SERIAL, '48 37', '01') : reply));
    const round = [used[1]!, used[2]!, used[3]!];
    const clock = new ManualClock(0);
    const server = new FakeServer([used[0]!, ...Array.from({ length: 8 }, () => round).flat()], 1000);
    const transport = new TcpTransport({ clock, path: 'tcp:127.0.0.1:7184', connect: server.connect });
    const opening1 = transport.open();
    // A doctor or second agent beside a running job: the job is not to be closed.
    const remedy = /^Let a Blindflash that is at work finish/;
    const refused = assert.rejects(opening1, { code: 'BF-PROBE-BUSY', remedy });
    await clock.advance(1000);
    await refused;
    assert.ok(!server.said.some((said) => said.startsWith('03')), 'it was never opened');
    const own = new FakeServer([used[0]!, ...round, ...opening().slice(1)], 1000);
    const again = new TcpTransport({ clock, path: 'tcp:127.0.0.1:7184', connect: own.connect });
    const reopened = again.open();
    await clock.advance(200);
    await reopened;
    assert.equal(again.identity.serial, SERIAL);
  });

  it('asks a busy server again, one millisecond later, then two', async () => {
    const { server, clock, transport } = await opened();
    const busy = '04 20 00 00 00 00';
    server.add(busy, busy, `${OK} 01 00`);
    const asking = transport.exchange(padded('F5'), undefined, 2, 100);
    await clock.advance(1);
    assert.equal(server.said.length, 7);
    await clock.advance(2);
    assert.equal(hex(await asking), '01 00');
    assert.equal(server.said.length, 8);
  });

  const STATUSES: readonly (readonly [status: string, code: ErrorCode])[] = [
    ['01 10 00 00', 'BF-PROBE-TIMEOUT'],
    ['03 10 00 00', 'BF-PROBE-BUSY'],
    ['04 10 00 00', 'BF-PROBE-UNPLUGGED'],
    ['52 10 00 00', 'BF-PROBE-GARBAGE'],
    ['54 10 00 00', 'BF-PROBE-UNSUPPORTED'],
    ['55 10 00 00', 'BF-PROBE-PERMISSION'],
    ['01 20 00 00', 'BF-PROBE-SERVER'],
    ['FF FF FF FF', 'BF-PROBE-GARBAGE'],
  ];
  for (const [status, code] of STATUSES) {
    it(`status ${status} → ${code}`, async () => {
      const { server, transport } = await opened();
      server.add(`${status} 00 00`);
      await rejectsWith(transport.exchange(padded('F5'), undefined, 2, 100), code);
    });
  }

  it('keeps its deadline, hangs up, and opens anew on reset', async () => {
    const { server, clock, transport } = await opened();
    server.add('01 00');
    const late = rejectsWith(transport.exchange(padded('F5'), undefined, 2, 100), 'BF-PROBE-TIMEOUT');
    await clock.advance(100);
    await late;
    assert.equal(server.closed, 1);
    await rejectsWith(transport.exchange(padded('F5'), undefined, 2, 100), 'BF-PROBE-TIMEOUT');
    server.add(...opening(), `${OK} 01 00`);
    await transport.reset();
    assert.equal(hex(await transport.exchange(padded('F5'), undefined, 2, 100)), '01 00');
  });

  it('refuses a server that says more than was asked, or speaks unasked', async () => {
    const { server, transport } = await opened();
    server.add(`${OK} 01 00 FF`);
    await rejectsWith(transport.exchange(padded('F5'), undefined, 2, 100), 'BF-PROBE-GARBAGE');
    const other = await opened();
    other.server.reply(bytes('01'));
    await rejectsWith(other.transport.exchange(padded('F5'), undefined, 2, 100), 'BF-PROBE-GARBAGE');
  });

  it('ends a pending question when the server hangs up', async () => {
    const { server, transport } = await opened();
    const lost = rejectsWith(transport.exchange(padded('F5'), undefined, 2, 100), 'BF-PROBE-SERVER');
    await settle();
    server.channel?.onClose('reset by peer');
    assert.match((await lost).message, /reset by peer/);
  });

  it('does not believe a device count, nor connect id 0', async () => {
    const server = new FakeServer([version(2), OK, 'FF FF FF FF', ...Array.from({ length: 60 }, () => info(1, 'X'))]);
    const transport = new TcpTransport({ clock: new ManualClock(0), path: 'tcp:x:1', connect: server.connect });
    await rejectsWith(transport.open(), 'BF-PROBE-SEVERAL');
    await rejectsWith(opened([...opening().slice(0, 4), `${OK} 00 00 00 00`]), 'BF-PROBE-SERVER');
  });

  it('passes on that nobody listens', async () => {
    const connect = async (): Promise<ByteChannel> => Promise.reject(fail('BF-PROBE-SERVER'));
    const transport = new TcpTransport({ clock: new ManualClock(0), path: 'tcp:x:1', connect });
    await rejectsWith(transport.open(), 'BF-PROBE-SERVER');
  });

  it('chooses by serial, vendor and model', async () => {
    const row = (serial: string, productId = 0x3748): ServerDevice => {
      return { id: 1, serial, vendorId: 0x0483, productId, used: false };
    };
    assert.equal(chooseDevice([row('A'), row('B')], 'B').serial, 'B');
    assert.equal(chooseDevice([row('A'), row('B', 0x374d)], undefined).serial, 'A');
    await rejectsWith((async () => chooseDevice([row('A'), row('B')], undefined))(), 'BF-PROBE-SEVERAL');
    await rejectsWith((async () => chooseDevice([row('A')], 'C'))(), 'BF-PROBE-NONE');
  });

  it('collects exactly what it was told to', () => {
    const collector = new ReplyCollector(3);
    assert.equal(collector.take(bytes('01')), undefined);
    assert.equal(hex(collector.take(bytes('02 03')) ?? new Uint8Array()), '01 02 03');
    assert.throws(() => collector.take(bytes('04')));
  });
});
