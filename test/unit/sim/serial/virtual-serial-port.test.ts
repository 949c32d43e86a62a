// A USB adapter on the board's serial port, in virtual time.
import assert from 'node:assert/strict';
import { BoardFixture } from '../../../fixtures/board.ts';
import { VirtualSerialPort } from '../../../../sim/serial/virtual-serial-port.ts';

const RCC_APB2ENR = 0x40023844;
const USART1 = { sr: 0x40011000, dr: 0x40011004, brr: 0x40011008, cr1: 0x4001100c } as const;

class AdapterFixture extends BoardFixture {
  readonly port = new VirtualSerialPort({ peer: this.board.serial('USART1'), queue: this.queue });
  readonly got: [byte: number, atMs: number][] = [];

  constructor() {
    super();
    this.board.runTo(2e6);
    for (const [address, value] of [
      [RCC_APB2ENR, 0x10],
      [USART1.brr, 139],
      [USART1.cr1, 0x200c],
    ] as const) {
      this.board.bus.write(address, value, 4, 'debugger');
    }
    this.port.onData = (data) => this.got.push(...[...data].map((byte): [number, number] => [byte, this.queue.now()]));
  }
  /** The chip sends a byte. */
  say(byte: number): void {
    this.board.bus.write(USART1.dr, byte, 4, 'debugger');
  }
  heard(): number | undefined {
    const { bus } = this.board;
    return bus.read(USART1.sr, 4, 'debugger') & 0x20 ? bus.read(USART1.dr, 4, 'debugger') : undefined;
  }
  until(ms: number): Promise<void> {
    return this.queue.runUntil(() => this.queue.now() >= ms);
  }
}

describe('a serial adapter in virtual time', () => {
  it('hands over what the chip sent with the next USB frame, and sends with the next frame', async () => {
    const f = new AdapterFixture();
    f.port.open();
    await f.until(10);
    f.say(0x41);
    await f.until(13);
    // A character takes 87 µs; frames are 1 ms apart.
    assert.deepEqual(f.got, [[0x41, 11]]);
    const began = f.queue.now();
    let doneMs = 0;
    void f.port.write(Uint8Array.of(0x42)).then(() => (doneMs = f.queue.now() - began));
    await f.until(16);
    assert.equal(f.heard(), 0x42);
    assert.ok(doneMs > 1.08 && doneMs < 1.1, String(doneMs));
  });

  it('has the bit rate it is set to, and the chip does not understand another', async () => {
    const f = new AdapterFixture();
    f.port.open();
    f.port.bitRate = 57_600;
    await f.until(5);
    f.say(0x41);
    void f.port.write(Uint8Array.of(0x41));
    await f.until(10);
    assert.notEqual(f.got[0]?.[0], 0x41);
    assert.notEqual(f.heard(), 0x41);
    f.port.bitRate = 115_200;
    f.say(0x43);
    void f.port.write(Uint8Array.of(0x44));
    await f.until(15);
    assert.equal(f.got.at(-1)?.[0], 0x43);
    assert.equal(f.heard(), 0x44);
  });

  it('keeps nothing for a closed port, and says so when it is pulled', async () => {
    const f = new AdapterFixture();
    await f.until(3);
    f.say(0x41);
    f.port.open();
    await f.until(6);
    let gone = 0;
    f.port.onGone = () => gone++;
    f.port.unplug();
    assert.equal(gone, 1);
    assert.ok(!f.port.opened && !f.port.present);
    assert.throws(() => f.port.open(), /no such port/);
    f.say(0x42);
    f.port.plug();
    f.port.open();
    f.port.close();
    await assert.rejects(f.port.write(Uint8Array.of(1)), /not open/);
  });
});
