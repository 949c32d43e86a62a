// Seeded noise against every face of the virtual probe: USB packets, TCP messages, DAP accesses. Nothing
// throws, nothing takes long, every reply has the length it announced. 50,000 inputs; FUZZ=1000000 for
// more, FUZZ_SEED=n for others.
import assert from 'node:assert/strict';
import { Board } from '../../../../sim/board.ts';
import { SwDp } from '../../../../sim/dap/sw-dp.ts';
import { IDENTITIES } from '../../../../sim/stlink/identity.ts';
import type { IdentityName } from '../../../../sim/stlink/identity.ts';
import { DEBUG } from '../../../../sim/stlink/opcodes.ts';
import { DEVICE_ID, ServerSession, serverState } from '../../../../sim/stlink/server-session.ts';
import type { SharedProbe } from '../../../../sim/stlink/server-session.ts';
import { RequestReader } from '../../../../sim/stlink/tcp-protocol.ts';
import { UsbPipe } from '../../../../sim/stlink/usb-pipe.ts';
import type { VirtualStlink } from '../../../../sim/stlink/virtual-stlink.ts';
import { probeFixture } from './probe-fixture.ts';
import { seededRandom } from '../../../fixtures/seeded.ts';

type Noise = ReturnType<typeof seededRandom>;

const TOTAL = Number(process.env['FUZZ'] ?? 50_000);
const SEED = Number(process.env['FUZZ_SEED'] ?? 1);
/** Parts of the whole that each kind of input gets. */
const SHARES = { commands: 0.3, packets: 0.2, tcp: 0.2, dap: 0.3 } as const;
/** Nothing may take longer than this, wall time: it would hang a client. */
const LONGEST_MS = 5000;
const CODES = Object.values(DEBUG);

const count = (share: keyof typeof SHARES): number => Math.round(TOTAL * SHARES[share]);

/** Random bytes shaped enough like commands to get somewhere. */
function command(random: Noise): Uint8Array {
  const bytes = random.bytes(16);
  if (random.int(10) > 0) bytes[0] = 0xf2;
  if (random.int(4) > 0) bytes[1] = CODES[random.int(CODES.length)]!;
  if (random.int(2) === 0) bytes.set([random.int(64) * 4, random.int(128), 0x00, 0x20], 2);
  if (random.int(8) > 0) bytes.set([random.int(65), 0], 6);
  if (random.int(3) > 0) bytes[8] = 0;
  if (bytes[1] === DEBUG.rwMiscOut && random.int(2) === 0) bytes.set([random.int(9), 0, 0, 0], 2);
  if (bytes[1] === DEBUG.enter && random.int(2) === 0) bytes[2] = 0xa3;
  return bytes;
}

/** Runs `work` for each input, naming the one that failed or took too long. */
async function each(inputs: number, work: (index: number) => void | Promise<void>): Promise<void> {
  for (let i = 0; i < inputs; i++) {
    const began = performance.now();
    try {
      await work(i);
    } catch (error) {
      throw new Error(`input ${i} of seed ${SEED}`, { cause: error });
    }
    assert.ok(performance.now() - began < LONGEST_MS, `input ${i} of seed ${SEED} took too long`);
  }
}

function shared(probe: VirtualStlink): SharedProbe {
  return {
    identity: probe.identity,
    serial: probe.identity.serial,
    dataLength: (bytes) => probe.dataLength(bytes),
    exchange: async (bytes, data) => probe.exchange(bytes, data).reply,
  };
}

describe('virtual ST-LINK under fuzzing', function () {
  this.timeout(Math.max(60_000, TOTAL));

  for (const [index, identity] of (Object.keys(IDENTITIES) as IdentityName[]).entries()) {
    it(`keeps its lengths as ${identity}`, async () => {
      const random = seededRandom(SEED * 7919 + index);
      const { board, probe, attach } = probeFixture({ identity });
      attach();
      await each(Math.round(count('commands') / 3), () => {
        if (random.int(100) === 0) attach();
        if (random.int(200) === 0) board.powerUps++;
        if (board.log.length > 1000) board.log.length = 0;
        const request = command(random);
        const data = random.bytes(probe.dataLength(request));
        const expected = probe.replyLength(request);
        const before = board.time.now;
        const { reply } = probe.exchange(request, random.int(20) === 0 ? undefined : data);
        assert.equal(reply.length, expected, Buffer.from(request).toString('hex'));
        assert.ok(reply.length <= 6144 + 4096 && board.time.now > before);
      });
    });
  }

  it('takes USB packets of any size in any order, and a reset always clears the pipe', async () => {
    const random = seededRandom(SEED * 104729);
    const { board, probe } = probeFixture();
    const pipe = new UsbPipe(shared(probe));
    await each(count('packets'), async (index) => {
      if (board.log.length > 1000) board.log.length = 0;
      const kind = random.int(8);
      if (kind < 4) pipe.out(command(random));
      else if (kind < 5) pipe.out(random.bytes(random.int(80)));
      else if (kind < 7) pipe.take(1 + random.int(300));
      else await Promise.resolve();
      if (index % 500 !== 499) return;
      pipe.reset();
      pipe.out(Uint8Array.of(0xf1));
      await pipe.arrival();
      const reply = pipe.take(64);
      assert.ok(reply instanceof Uint8Array && reply.length === 6);
    });
  });

  it('answers TCP messages with the announced size or drops the client', async () => {
    const random = seededRandom(SEED * 15485863);
    const { board, probe } = probeFixture();
    const state = serverState(shared(probe));
    let [reader, session] = [new RequestReader(), new ServerSession(state)];
    let dropped = 0;
    await each(count('tcp'), async () => {
      if (board.log.length > 1000) board.log.length = 0;
      reader.push(message(random, state.nextConnection - 1));
      for (let request = reader.next(); request !== undefined; request = reader.next()) {
        if (request === 'broken') {
          session.end();
          [reader, session] = [new RequestReader(), new ServerSession(state)];
          dropped++;
          return;
        }
        const reply = await session.answer(request);
        if (request.kind === 'usb') {
          assert.equal(reply.length, 4 + (request.direction === 'write' ? 0 : request.length));
        }
      }
      assert.ok(reader.buffered <= 0x10000 + 1024);
    });
    assert.ok(dropped > 0 && state.connections.size <= 64);
  });

  it('lets a debug port on the whole chip do anything', async () => {
    const random = seededRandom(SEED * 32452843);
    let [board, port] = freshBoard(random);
    await each(count('dap'), (index) => {
      if (index % 2000 === 1999) [board, port] = freshBoard(random);
      dapAccess(random, board, port);
      board.runTo(board.time.now + random.int(20_000));
      assert.ok(Number.isFinite(board.time.now));
    });
  });
});

/** Mostly well-formed messages with odd contents; sometimes plain noise. */
function message(random: Noise, connection: number): Uint8Array {
  const code = random.int(40) === 0 ? random.int(256) : random.int(7);
  const size = [2, 1, 8, 8, 8, 32, 4][code] ?? 1 + random.int(40);
  const bytes = random.bytes(size);
  const view = new DataView(bytes.buffer);
  bytes[0] = code;
  if (code === 2) view.setUint32(4, random.int(80), true);
  if (code === 3) view.setUint32(4, random.int(3) === 0 ? 1 : DEVICE_ID, true);
  if (code === 5 || code === 4) view.setUint32(4, random.int(5) === 0 ? random.int(9) : connection, true);
  if (code !== 5) return bytes;
  bytes.set(command(random), 8);
  bytes.set([[0, 1, 1, 1, 3][random.int(5)]!, 0, 0, 0], 24);
  view.setUint32(28, random.int(50) === 0 ? random.int(0x20000) : random.int(100), true);
  if (bytes[24] !== 0) return bytes;
  const data = random.bytes(Math.min(view.getUint32(28, true), 200));
  return Uint8Array.from([...bytes, ...data]);
}

/** A board with noise for a program, powered, its debug port connected. */
function freshBoard(random: Noise): [Board, SwDp] {
  const flash = random.bytes(0x4000);
  new DataView(flash.buffer).setUint32(0, 0x20010000, true);
  new DataView(flash.buffer).setUint32(4, 0x08000201, true);
  const board = new Board({ flash, seed: random.int(1000) + 1, rdp: random.int(8) === 0 ? 1 : 0 });
  board.powerOn();
  board.runTo(2e6);
  const port = new SwDp(board);
  connect(port);
  return [board, port];
}

function connect(port: SwDp): void {
  port.lineReset();
  port.read('dp', 0);
  port.write('dp', 0, 0x1e);
  port.write('dp', 4, 0x50000000);
}

/** Bases worth poking: memories, peripherals with consequences, the private bus, holes. */
const PLACES = [
  ...[0x00000000, 0x08000000, 0x08100000, 0x10000000, 0x1fff7a00, 0x1fffc000, 0x20000000, 0x22000000, 0x40000000],
  ...[0x40003000, 0x40007000, 0x40011000, 0x40013800, 0x40023800, 0x40023c00, 0x40024000, 0x42000000, 0x50060800],
  ...[0x30000000, 0xe0000000, 0xe0001000, 0xe0002000, 0xe000e000, 0xe000ed00, 0xe0042000, 0xe00ff000, 0xfffff000],
] as const;
/** Values that open locks, start operations and halt cores. */
const VALUES = [
  ...[0x45670123, 0xcdef89ab, 0x08192a3b, 0x4c5d6e7f, 0xa05f0003, 0xa05f0001, 0xa05f000d, 0x05fa0004, 0x05fa0001],
  ...[0x0fffaaed, 0x00010002, 0x00010004, 0x101, 0x201, 2, 1, 0, 0xffffffff, 0xaaaa, 0xcccc, 0x5555, 0x01000501],
] as const;

function dapAccess(random: Noise, board: Board, port: SwDp): void {
  switch (random.int(24)) {
    case 0:
      return connect(port);
    case 1:
      return void port.write('dp', 0, 0x1e);
    case 2:
      return void (random.int(20) === 0 && (board.powerOff(), board.powerOn()));
    case 3:
      return random.int(2) === 0 ? board.assertNrst() : board.releaseNrst();
    case 4:
      return void port.write('dp', random.int(4) * 4, random.int(0x1000000) * 256);
    case 5:
      return void port.read('dp', random.int(4) * 4);
    case 6:
      return void port.write('ap', 0, 0x23000040 | random.int(64));
    case 7:
      return void port.read('ap', random.int(4) * 4);
  }
  const place = PLACES[random.int(PLACES.length)]! + 4 * random.int(random.int(3) === 0 ? 256 : 16);
  port.write('dp', 8, 0);
  port.write('ap', 4, place);
  if (random.int(3) === 0) port.read('ap', 12);
  else port.write('ap', 12, VALUES[random.int(VALUES.length)]!);
}
