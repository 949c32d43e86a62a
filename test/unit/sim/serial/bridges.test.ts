// The board's serial port on real connections: TCP, raw and with RFC 2217, and what happens without python3.
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { isBlindflashError } from '../../../../shared/errors/errors.ts';
import { openSerialPty } from '../../../../sim/edge/serial-pty.ts';
import { listenSerialTcp, type SerialBridge } from '../../../../sim/edge/serial-tcp.ts';
import { ChipFixture, RCC } from '../chip/chip-fixture.ts';

const DR = 0x40011004;
/** Turns of the machine after which something is lost: each is 50 µs of board time. */
const MOST_TURNS = 20_000;

/** A client that keeps what it gets; the board runs while somebody waits. */
class Client {
  readonly #socket: Socket;
  readonly #board: ChipFixture;
  got = '';
  closed = false;

  constructor({ address }: SerialBridge, board: ChipFixture) {
    const [, host, port] = address.split(':');
    this.#board = board;
    this.#socket = connect(Number(port), host);
    this.#socket.on('data', (chunk: Buffer) => (this.got += chunk.toString('hex')));
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => (this.closed = true));
  }
  send(hex: string): void {
    this.#socket.write(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
  }
  end(): void {
    this.#socket.destroy();
  }
  async until(done: () => boolean): Promise<void> {
    for (let turns = 0; !done(); turns++) {
      assert.ok(turns < MOST_TURNS, `it never came; got ${this.got}`);
      this.#board.wait(50_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

describe('the serial port on a connection', () => {
  let board: ChipFixture;
  let bridge: SerialBridge;
  const open = async (telnet: boolean) => {
    board = new ChipFixture();
    board.poke(RCC.apb2enr, 0x10);
    board.poke(0x40011008, 139);
    board.poke(0x4001100c, 0x200c);
    const peer = board.board.serial('USART1');
    peer.bitRate = 115_200;
    bridge = await listenSerialTcp({ peer, now: () => board.board.time.now, port: 0, host: '127.0.0.1', telnet });
    return new Client(bridge, board);
  };
  /** Echoes `count` bytes in the chip's place and gives them. */
  const echo = async (client: Client, count: number) => {
    const heard: number[] = [];
    await client.until(() => {
      if (board.peek(0x40011000) & 0x20) {
        heard.push(board.peek(DR));
        board.poke(DR, heard.at(-1)!);
      }
      return heard.length === count;
    });
    return heard;
  };
  afterEach(() => bridge.close());

  it('says its address as the agent takes it, with the way it speaks', async () => {
    for (const [telnet, form] of [
      [false, /^tcp:127\.0\.0\.1:[1-9]\d*$/],
      [true, /^rfc2217:127\.0\.0\.1:[1-9]\d*$/],
    ] as const) {
      await bridge?.close();
      const client = await open(telnet);
      assert.match(bridge.address, form);
      client.end();
    }
  });

  it('carries raw bytes both ways, FF among them', async () => {
    const client = await open(false);
    client.send('41ff00fd2c');
    assert.deepEqual(await echo(client, 5), [0x41, 0xff, 0x00, 0xfd, 0x2c]);
    await client.until(() => client.got.length === 10);
    assert.equal(client.got, '41ff00fd2c');
  });

  it('lets a client of RFC 2217 set the bit rate', async () => {
    const client = await open(true);
    client.send('fffb2c fffa2c01 0000e100 fff0');
    await client.until(() => client.got.length >= 26);
    assert.equal(client.got, 'fffd2cfffa2c650000e100fff0');
    assert.equal(board.board.serial('USART1').bitRate, 57_600);
    board.poke(0x40011008, 278);
    client.send('41ffff');
    assert.deepEqual(await echo(client, 2), [0x41, 0xff]);
    await client.until(() => client.got.length >= 32);
    assert.equal(client.got.slice(26), '41ffff');
  });

  it('has one owner at a time', async () => {
    const first = await open(false);
    first.send('41');
    assert.deepEqual(await echo(first, 1), [0x41]);
    const second = new Client(bridge, board);
    await second.until(() => second.closed);
    first.end();
    await first.until(() => first.closed);
    let third = new Client(bridge, board);
    // The end of the first connection may be noticed a moment later.
    for (let tries = 0; tries < 100 && third.closed; tries++) third = new Client(bridge, board);
    third.send('42');
    assert.deepEqual(await echo(third, 1), [0x42]);
  });

  it('takes what comes faster than the line, in order', async () => {
    const client = await open(false);
    client.send('00010203'.repeat(500));
    const heard = await echo(client, 2000);
    assert.deepEqual(
      heard,
      Array.from({ length: 2000 }, (_, i) => i % 4),
    );
  });

  it('names python3 when there is none for a pseudo-terminal', async () => {
    await open(false);
    const opening = openSerialPty({ peer: board.board.serial('USART2'), now: () => 0, python: 'no-such-python' });
    await assert.rejects(opening, (error) => isBlindflashError(error, 'BF-USAGE-PTY'));
  });
});
