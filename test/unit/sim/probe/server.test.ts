// The stlink-server face answers each request with exactly the announced bytes, however they arrive
// (docs/reference/stlink.md §4).
import assert from 'node:assert/strict';
import { RequestReader } from '../../../../sim/stlink/tcp-protocol.ts';
import { DEVICE_ID, ServerSession, serverState } from '../../../../sim/stlink/server-session.ts';
import type { ServerState } from '../../../../sim/stlink/server-session.ts';
import { probeFixture, bytes, hex } from './probe-fixture.ts';
import { seededRandom } from '../../../fixtures/seeded.ts';

function server(): ServerState {
  const { probe } = probeFixture();
  return serverState({
    identity: probe.identity,
    serial: probe.identity.serial,
    dataLength: (command) => probe.dataLength(command),
    exchange: async (command, data) => probe.exchange(command, data).reply,
  });
}

/** Feeds `stream` in chunks of `size`; returns all replies joined, in hex. */
async function talk(session: ServerSession, stream: string, size = 1e6): Promise<string> {
  const reader = new RequestReader();
  const all = bytes(stream);
  const replies: string[] = [];
  for (let at = 0; at < all.length; at += size) {
    reader.push(all.subarray(at, at + size));
    for (let request = reader.next(); request !== undefined; request = reader.next()) {
      if (request === 'broken') return [...replies, 'broken'].join(' | ');
      replies.push(hex(await session.answer(request)));
    }
  }
  return replies.join(' | ');
}

const id = hex(Uint8Array.of(DEVICE_ID & 0xff, (DEVICE_ID >> 8) & 0xff, (DEVICE_ID >> 16) & 0xff, 0));
const OPENING = `06010000 0000 01 0200000029000000 03000000 ${id}`;
const usb = (connection: string, command: string, direction: string, length: string, data = '') =>
  `05000000 ${connection} ${command.padEnd(32, '0')} ${direction}000000 ${length} ${data}`;

describe('stlink-server face', () => {
  it('answers the captured opening, whole or byte by byte', async () => {
    const serial = hex(new TextEncoder().encode('53FF6C066682485429281267'));
    const expected = [
      '03 00 00 00 02 00 00 00 01 00 00 00 01 00 00 00',
      '01 00 00 00',
      '01 00 00 00',
      `01 00 00 00 ${id} ${serial} ${'00 '.repeat(8)}83 04 48 37 00`,
      '01 00 00 00 01 00 00 00',
    ].join(' | ');
    for (const size of [1e6, 1, 3]) assert.equal(await talk(new ServerSession(server()), OPENING, size), expected);
  });

  it('carries commands with and without data, and pads what is short', async () => {
    const session = new ServerSession(server());
    const stream = [
      `03000000 ${id}`,
      usb('01000000', 'f1', '01', '06000000'),
      usb('01000000', 'f230a3', '01', '02000000'),
      usb('01000000', 'f24b00', '01', '02000000'),
      usb('01000000', 'f2080000002004', '00', '04000000', '11223344'),
      usb('01000000', 'f2070000002004', '01', '04000000'),
      usb('01000000', 'f2ff', '01', '08000000'),
      usb('01000000', '00', '03', '05000000'),
      usb('01000000', 'f1', '02', '06000000'),
      usb('01000000', 'f221', '01', '00000000'),
      '04000000 01000000',
    ].join('');
    const replies = (await talk(session, stream, 7)).split(' | ').slice(1);
    assert.deepEqual(replies, [
      '01 00 00 00 29 47 83 04 48 37',
      '01 00 00 00 80 00',
      '01 00 00 00 80 00',
      '01 00 00 00',
      '01 00 00 00 11 22 33 44',
      '01 00 00 00 42 00 00 00 00 00 00 00',
      '01 00 00 00 00 00 00 00 00',
      '01 00 00 00 29 47 83 04 48 37',
      '01 00 00 00',
      '01 00 00 00',
    ]);
  });

  it('refuses with a status and the full announced size', async () => {
    const session = new ServerSession(server());
    const stream = [
      usb('63000000', 'f1', '01', '06000000'),
      '0201000029000000',
      '0200000008000000',
      '03000000 99000000',
      '04000000 05000000',
      `03000000 ${id}`,
      usb('01000000', 'f2080000002004', '01', '03000000'),
      usb('01000000', 'f1', '01', '02000000'),
      usb('01000000', 'f221', '01', '02000000'),
    ].join('');
    const replies = (await talk(session, stream)).split(' | ').map((reply) => [reply.slice(0, 5), bytes(reply).length]);
    assert.deepEqual(replies, [
      ['02 10', 10],
      ['02 10', 45],
      ['51 10', 12],
      ['03 10', 8],
      ['02 10', 4],
      ['01 00', 8],
      ['04 10', 7],
      ['52 10', 6],
      ['01 10', 6],
    ]);
  });

  it('gives up on streams that make no sense', async () => {
    const session = new ServerSession(server());
    assert.equal(await talk(session, '07'), 'broken');
    assert.equal(await talk(session, 'ff00'), 'broken');
    assert.equal(await talk(session, usb('01000000', 'f1', '01', '00000100').slice(0, -9) + '01000100'), 'broken');
    assert.equal(await talk(session, '02000000ffffffff'), 'broken');
  });

  it('keeps clients apart and frees what a vanished one held', async () => {
    const shared = server();
    const [first, second] = [new ServerSession(shared), new ServerSession(shared)];
    await talk(first, `03000000 ${id}`);
    await talk(second, `03000000 ${id}`);
    assert.equal((await talk(second, '0200000029000000')).slice(-2), '01', 'told as used, but not locked out');
    assert.equal((await talk(second, usb('01000000', 'f1', '01', '06000000'))).slice(0, 5), '02 10');
    assert.equal((await talk(second, usb('02000000', 'f1', '01', '06000000'))).slice(0, 5), '01 00');
    first.end();
    assert.deepEqual([...shared.connections], [2]);
  });

  it('survives noise: no crash, and as many bytes as announced', async () => {
    const random = seededRandom(20260101);
    const shared = server();
    for (let round = 0; round < 400; round++) {
      const session = new ServerSession(shared);
      const reader = new RequestReader();
      for (let chunk = 0; chunk < 8; chunk++) {
        const piece = random.bytes(random.int(60));
        if (random.int(2) === 0 && piece.length > 0) piece[0] = random.int(8);
        reader.push(piece);
        for (let request = reader.next(); request !== undefined; request = reader.next()) {
          if (request === 'broken') break;
          const reply = await session.answer(request);
          if (request.kind === 'usb') assert.equal(reply.length, 4 + (request.data === undefined ? request.length : 0));
        }
        assert.ok(reader.buffered <= 0x10000 + 1024);
      }
      session.end();
    }
    assert.equal(shared.connections.size, 0);
  });
});
