// Serial ports by name: over TCP, over RFC 2217 as the virtual board speaks it, and what is said when there is none.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import fc from 'fast-check';

import { portOfProbe, serialPort } from '../../../../agent/node/serial-ports.ts';
import { Rfc2217Client } from '../../../../agent/transport/serial/rfc2217.ts';
import { EIGHT_NONE_ONE } from '../../../../sim/serial/character.ts';
import { Rfc2217Session, type ControlledPort } from '../../../../sim/serial/rfc2217.ts';

const farPort = (): ControlledPort => ({ bitRate: 9600, format: EIGHT_NONE_ONE, sendBreak: () => {}, purge: () => {} });

/** A server on loopback; `serve` gets each connection. */
async function listening(serve: (socket: Socket) => void): Promise<{ port: number; close: () => Promise<void> }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => {}));
    serve(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  };
  return { port: (server.address() as AddressInfo).port, close };
}

describe('RFC 2217, client', () => {
  it('carries any bytes both ways, in any pieces, and sets the rate', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.integer({ min: 1, max: 4_000_000 }),
        fc.integer({ min: 1, max: 9 }),
        (bytes, rate, piece) => {
          const [client, port] = [new Rfc2217Client(), farPort()];
          const [toClient, line]: [number[], number[]] = [[], []];
          const server = new Rfc2217Session(
            port,
            (reply) => toClient.push(...reply),
            (data) => line.push(...data),
          );
          const rates: number[] = [];
          client.onBaud = (set) => rates.push(set);
          const wire = [...client.greeting(), ...client.encode(bytes), ...client.setBaud(rate)];
          for (let at = 0; at < wire.length; at += piece) server.take(Uint8Array.from(wire.slice(at, at + piece)));
          assert.deepEqual(Uint8Array.from(line), bytes);
          assert.equal(port.bitRate, rate);
          toClient.push(...server.give(bytes));
          const back: number[] = [];
          for (let at = 0; at < toClient.length; at += piece) {
            back.push(...client.take(Uint8Array.from(toClient.slice(at, at + piece))));
          }
          assert.deepEqual(Uint8Array.from(back), bytes);
          assert.deepEqual(rates, [rate]);
        },
      ),
    );
  });

  it('garbage from the server comes to nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (garbage) => {
        assert.ok(new Rfc2217Client().take(garbage).length <= garbage.length);
      }),
    );
  });
});

describe('serial ports by name', () => {
  it('tcp: bytes both ways, any rate, and word of the end', async () => {
    const { port, close } = await listening((socket) => socket.pipe(socket));
    const open = await serialPort(`tcp:127.0.0.1:${port}`).open();
    const came = new Promise<Uint8Array>((resolve) => (open.onData = resolve));
    const gone = new Promise<void>((resolve) => (open.onGone = resolve));
    await open.write(Uint8Array.of(0, 0xff, 7));
    assert.deepEqual(await came, Uint8Array.of(0, 0xff, 7));
    assert.equal(await open.setBaud(921_600), true);
    await close();
    await gone;
    await assert.rejects(open.write(Uint8Array.of(1)), { code: 'BF-SERIAL-GONE' });
  });

  it('rfc2217: 115200 when it is opened, then what is asked for', async () => {
    const far = farPort();
    const { port, close } = await listening((socket) => {
      const session = new Rfc2217Session(
        far,
        (reply) => socket.write(reply),
        (data) => socket.write(session.give(data)),
      );
      socket.on('data', (bytes) => session.take(new Uint8Array(bytes)));
    });
    const open = await serialPort(`rfc2217:127.0.0.1:${port}`).open();
    assert.equal(far.bitRate, 115_200);
    const came = new Promise<Uint8Array>((resolve) => (open.onData = resolve));
    await open.write(Uint8Array.of(0xff, 0, 0xff));
    assert.deepEqual(await came, Uint8Array.of(0xff, 0, 0xff));
    assert.equal(await open.setBaud(460_800), true);
    assert.equal(far.bitRate, 460_800);
    await open.close();
    await close();
  });

  it('nobody listens, no such device: told by one code', async () => {
    const { port, close } = await listening(() => {});
    await close();
    for (const name of [`tcp:127.0.0.1:${port}`, `rfc2217:127.0.0.1:${port}`, '/dev/no-such-port']) {
      await assert.rejects(serialPort(name).open(), { code: 'BF-SERIAL-NONE' }, name);
    }
  });

  it('what cannot be the name of a port is told as a slip of the finger, before anything is opened', () => {
    const names = ['', '  ', 'tcp:', 'tcp:7200', 'rfc2217:localhost', 'rfc2217:localhost:', 'tcp:localhost:65536'];
    for (const name of [...names, 'rfc2217:localhost:0', 'tcp:localhost:seven']) {
      assert.throws(() => serialPort(name), { code: 'BF-USAGE' }, name);
    }
  });

  it('a file is no serial port', async () => {
    await assert.rejects(serialPort('/dev/null').open(), { code: 'BF-SERIAL-BUSY' });
  });

  it('ports that cannot be listed are told with the way round it', async () => {
    const { PATH } = process.env;
    process.env['PATH'] = '';
    try {
      await assert.rejects(portOfProbe('066BFF'), { code: 'BF-SERIAL-LIST' });
    } finally {
      process.env['PATH'] = PATH;
    }
  });
});
