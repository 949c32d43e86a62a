// The serial ports of the virtual chip: flags, paces that differ, noise, pins (RM0090 §30.3; its tables of receiver
// tolerance; docs/simulation.md, "Serial ports").
import assert from 'node:assert/strict';
import { ChipFixture, RCC } from './chip-fixture.ts';
import type { BoardOptions } from '../../../../sim/board.ts';
import type { ByteFlags } from '../../../../sim/serial/serial-peer.ts';

const PE = 0x01;
const FE = 0x02;
const NF = 0x04;
const ORE = 0x08;
const IDLE = 0x10;
const RXNE = 0x20;
const TXE = 0x80;
const UE = 0x2000;
const TE_RE = 0x0c;
/** One character of ten bits at 115,200, ns. */
const CHARACTER_NS = 86_800;

interface Port {
  readonly base: number;
  readonly enable: readonly [register: number, bit: number];
  /** Divider for 115,200 at 16 MHz is 139. */
  readonly brr?: number;
  readonly cr1?: number;
  readonly cr2?: number;
  readonly cr3?: number;
}

const USART1: Port = { base: 0x40011000, enable: [RCC.apb2enr, 4] };
const OTHERS = {
  USART2: { base: 0x40004400, enable: [RCC.apb1enr, 17] },
  USART3: { base: 0x40004800, enable: [RCC.apb1enr, 18] },
  UART4: { base: 0x40004c00, enable: [RCC.apb1enr, 19] },
  UART5: { base: 0x40005000, enable: [RCC.apb1enr, 20] },
  USART6: { base: 0x40011400, enable: [RCC.apb2enr, 5] },
  UART7: { base: 0x40007800, enable: [RCC.apb1enr, 30] },
  UART8: { base: 0x40007c00, enable: [RCC.apb1enr, 31] },
} as const;

class SerialFixture extends ChipFixture {
  readonly port: Port;
  readonly heard: [number, ByteFlags][] = [];

  constructor(port: Port = USART1, options: BoardOptions = {}) {
    super(options);
    this.port = port;
    const [register, index] = port.enable;
    this.poke(register, 2 ** index);
    this.poke(port.base + 8, port.brr ?? 139);
    this.poke(port.base + 0x10, port.cr2 ?? 0);
    this.poke(port.base + 0x14, port.cr3 ?? 0);
    this.poke(port.base + 0x0c, UE | TE_RE | (port.cr1 ?? 0));
    this.peer.onByte = (byte, flags) => this.heard.push([byte, flags]);
  }
  get peer() {
    return this.board.serial('USART1');
  }
  get flags(): number {
    return this.peek(this.port.base);
  }
  get data(): number {
    return this.peek(this.port.base + 4);
  }
  send(...bytes: number[]): void {
    this.peer.send(Uint8Array.from(bytes));
  }
  /** Each byte as the chip gets it, with the flags that came with it. */
  receive(...bytes: number[]): [byte: number, flags: number][] {
    this.send(...bytes);
    const got: [number, number][] = [];
    for (let turn = 0; turn < 14 * bytes.length; turn++) {
      this.wait(10_000);
      const { flags } = this;
      if (flags & RXNE) got.push([this.data, flags & (PE | FE | NF | ORE)]);
    }
    return got;
  }
}

const plain = (bytes: readonly number[]) => bytes.map((byte) => [byte, 0]);

describe('a serial port of the virtual chip', () => {
  it('exists eight times, each on its own bus clock and interrupt', () => {
    const irqs = { USART2: 38, USART3: 39, UART4: 52, UART5: 53, USART6: 71, UART7: 82, UART8: 83 } as const;
    for (const [name, port] of Object.entries(OTHERS) as [keyof typeof OTHERS, Port][]) {
      const b = new SerialFixture({ ...port, cr1: 0x20 });
      b.board.serial(name).send(Uint8Array.of(0x5a));
      b.wait(CHARACTER_NS);
      const pending = 0xe000e200 + (irqs[name] >>> 5) * 4;
      assert.equal((b.peek(pending) >>> (irqs[name] & 31)) & 1, 1, name);
      assert.equal(b.data, 0x5a, name);
    }
  });

  it('runs on the clock of its bus', () => {
    const b = new SerialFixture(OTHERS.USART2);
    // APB1 at half the core clock: the port that USART2 was set up for now has twice the bit time.
    b.poke(RCC.cfgr, 0x1000);
    let at = 0;
    const began = b.board.time.now;
    b.board.serial('USART2').onByte = () => (at = b.board.time.now - began);
    b.poke(0x40004404, 0xff);
    b.wait(3 * CHARACTER_NS);
    assert.ok(at > 1.9 * CHARACTER_NS * 0.96 && at < 2 * CHARACTER_NS, String(at));
  });

  it('takes a character at paces that differ by up to 3.75 %, or 4.375 % with one sample a bit', () => {
    const bytes = [0x55, 0x00, 0xff, 0xa3];
    const clean = (deviation: number, port: Partial<Port> = {}) => {
      const b = new SerialFixture({ ...USART1, ...port });
      b.peer.bitRate = (16e6 / 139) * (1 + deviation);
      return JSON.stringify(b.receive(...bytes)) === JSON.stringify(plain(bytes));
    };
    assert.ok(clean(0.036));
    assert.ok(clean(-0.036));
    assert.ok(!clean(0.04));
    assert.ok(clean(0.042, { cr3: 0x800 }));
    assert.ok(!clean(0.046, { cr3: 0x800 }));
    // Eight samples a bit: 2.5 %; a ninth data bit: 3.41 %. 139 cycles are mantissa 17, fraction 3.
    assert.ok(clean(0.024, { cr1: 0x8000, brr: 0x113 }));
    assert.ok(!clean(0.028, { cr1: 0x8000, brr: 0x113 }));
  });

  it('garbles what comes much faster or slower: characters are missing or lack their stop bit', () => {
    for (const factor of [0.5, 0.8, 1.2, 2]) {
      const b = new SerialFixture();
      b.peer.bitRate = 115_200 * factor;
      const sent = [0x31, 0x32, 0x33, 0x34, 0x35, 0x36];
      const got = b.receive(...sent);
      assert.notDeepEqual(got, plain(sent), String(factor));
      assert.ok(got.length < sent.length || got.some(([, flags]) => flags & FE), `${factor}: ${JSON.stringify(got)}`);
    }
  });

  it('has the far end misread a chip whose HSI is off', () => {
    for (const [hsiDeviation, ok] of [
      [-0.08, false],
      [-0.03, true],
      [0.03, true],
      [0.05, false],
    ] as const) {
      const b = new SerialFixture(USART1, { hsiDeviation });
      b.peer.bitRate = 115_200;
      assert.equal(Math.round(b.board.time.hz), 16e6 * (1 + hsiDeviation));
      for (const byte of [0x55, 0x00, 0x7f, 0x80]) {
        // Back to back: a gap would hide a pace that is too fast.
        while ((b.flags & TXE) === 0) b.wait(1000);
        b.poke(b.port.base + 4, byte);
      }
      b.wait(2.5 * CHARACTER_NS);
      const clean = b.heard.every(([byte, { framingError }], i) => !framingError && byte === [0x55, 0, 0x7f, 0x80][i]);
      assert.equal(clean && b.heard.length === 4, ok, `${hsiDeviation}: ${JSON.stringify(b.heard)}`);
    }
  });

  it('clears error flags by a read of the status and then of the data, and keeps those it was not seen with', () => {
    const b = new SerialFixture();
    b.peer.sendBreak(12);
    b.wait(2 * CHARACTER_NS);
    assert.equal(b.data, 0);
    assert.equal(b.flags & FE, FE, 'a read of the data alone leaves it');
    assert.equal(b.data, 0);
    assert.equal(b.flags & FE, 0);
  });

  it('keeps the first of two characters nobody fetched, and flags the overrun until both registers were read', () => {
    const b = new SerialFixture();
    b.send(0x11, 0x22, 0x33);
    b.wait(4 * CHARACTER_NS);
    assert.equal(b.flags & (ORE | RXNE), ORE | RXNE);
    assert.equal(b.data, 0x11);
    assert.equal(b.flags & (ORE | RXNE), 0);
  });

  it('sees the line idle once, a character after the last one', () => {
    const b = new SerialFixture();
    b.wait(5 * CHARACTER_NS);
    assert.equal(b.flags & IDLE, 0, 'nothing was received');
    b.send(1, 2);
    b.wait(2.9 * CHARACTER_NS);
    assert.equal(b.flags & IDLE, 0);
    b.wait(0.2 * CHARACTER_NS);
    assert.equal(b.flags & IDLE, IDLE);
    assert.equal(b.data, 1);
    b.wait(5 * CHARACTER_NS);
    assert.equal(b.flags & IDLE, 0);
  });

  it('checks parity and makes it, two stop bits and a break take their time', () => {
    const even = new SerialFixture({ ...USART1, cr1: 0x1400, cr2: 0x2000 });
    even.peer.format = { dataBits: 9, parity: 'even', stopBits: 2 };
    assert.deepEqual(even.receive(0x07, 0x03), [
      [0x107, 0],
      [0x003, 0],
    ]);
    even.peer.format = { dataBits: 9, parity: 'odd', stopBits: 2 };
    assert.deepEqual(even.receive(0x07), [[0x007, PE]]);
    const began = even.board.time.now;
    const ended: number[] = [];
    even.board.uart.onByte = () => ended.push(even.board.time.now - began);
    even.poke(even.port.base + 4, 0x41);
    even.wait(2 * CHARACTER_NS);
    assert.equal(Math.round(ended[0]! / (139 / 16e-3)), 12, 'bits of a character with parity and two stop bits');
    assert.deepEqual(even.heard, [[0x41, { parityError: true, framingError: false }]]);
    const b = new SerialFixture();
    b.poke(b.port.base + 0x0c, UE | TE_RE | 1);
    b.wait(2 * CHARACTER_NS);
    assert.deepEqual(b.heard, [[0, { parityError: false, framingError: true }]]);
    assert.equal(b.peek(b.port.base + 0x0c) & 1, 0, 'SBK is cleared by the chip');
  });

  it('hears nothing while its receiver is off, and starts in the midst of a character when it is switched on', () => {
    const b = new SerialFixture();
    b.poke(b.port.base + 0x0c, UE | 8);
    b.send(0x41, 0x0f);
    // In the last bits of 41.
    b.wait(0.85 * CHARACTER_NS);
    b.poke(b.port.base + 0x0c, UE | TE_RE);
    b.wait(3 * CHARACTER_NS);
    assert.equal(b.data, 0x0f);
  });

  it('is on its pins only while they are set to it', () => {
    const b = new SerialFixture();
    b.peer.pins = { tx: 'PA9', rx: 'PA10' };
    assert.deepEqual(b.receive(0x41), []);
    b.poke(b.port.base + 4, 0x42);
    b.wait(2 * CHARACTER_NS);
    assert.equal(b.heard.length, 0);
    b.poke(RCC.ahb1enr, 1);
    b.poke(0x40020000, 0xa8280000);
    b.poke(0x40020024, 0x00000770);
    assert.deepEqual(b.receive(0x41), plain([0x41]));
    b.poke(b.port.base + 4, 0x42);
    b.wait(2 * CHARACTER_NS);
    assert.deepEqual(
      b.heard.map(([byte]) => byte),
      [0x42],
    );
  });

  it('loses both directions with the cable, also what is under way', () => {
    const b = new SerialFixture();
    b.send(0x00, 0x41);
    b.wait(0.5 * CHARACTER_NS);
    b.peer.plugged = false;
    assert.deepEqual(b.receive(0x43), []);
    b.wait(10 * CHARACTER_NS);
    b.poke(b.port.base + 4, 0x44);
    b.wait(2 * CHARACTER_NS);
    assert.equal(b.heard.length, 0);
    b.peer.plugged = true;
    assert.deepEqual(b.receive(0x45), plain([0x45]));
  });

  it('meets noise by its seed: flipped bits, pulses on an idle line, late starts', () => {
    const noisy = (seed: number) => {
      const b = new SerialFixture(USART1, { seed });
      b.peer.noise = { flips: 0.02, jitter: 0.5 };
      return b.receive(...Array<number>(60).fill(0x55));
    };
    assert.deepEqual(noisy(1), noisy(1));
    assert.notDeepEqual(noisy(1), noisy(2));
    assert.ok(noisy(1).some(([byte]) => byte !== 0x55));
    const idle = new SerialFixture();
    idle.peer.noise = { pulsesPerSecond: 500 };
    let received = 0;
    let flags = 0;
    for (let i = 0; i < 2000; i++) {
      idle.wait(100_000);
      flags |= idle.flags;
      if (idle.flags & RXNE) received += 1 + 0 * idle.data;
    }
    assert.ok(received > 5 && received < 120, `${received} characters of about 100 pulses`);
    assert.equal(flags & NF, NF, 'samples of one bit that differed');
    // With the noise gone the line works again.
    idle.peer.noise = {};
    idle.wait(3 * CHARACTER_NS);
    assert.equal(idle.data, idle.data, 'whatever the noise left is fetched');
    assert.deepEqual(idle.receive(0x41), plain([0x41]));
  });

  it('goes on where it was when a board is saved in the midst of a character', () => {
    const b = new SerialFixture();
    b.peer.bitRate = 115_200;
    b.send(0x41, 0x42);
    b.poke(b.port.base + 4, 0x61);
    b.wait(0.5 * CHARACTER_NS);
    const saved = b.board.snapshot();
    const other = new SerialFixture();
    other.board.restore(saved);
    for (const each of [b, other]) {
      each.wait(0.6 * CHARACTER_NS);
      assert.equal(each.data, 0x41);
      each.wait(CHARACTER_NS);
      assert.equal(each.data, 0x42);
      assert.equal(each.heard.at(-1)?.[0], 0x61);
    }
  });

  it('falls silent with a reset in the midst of a character', () => {
    const b = new SerialFixture();
    b.poke(b.port.base + 4, 0x00);
    b.wait(0.5 * CHARACTER_NS);
    b.board.assertNrst();
    b.wait(2 * CHARACTER_NS);
    b.board.releaseNrst();
    b.wait(2 * CHARACTER_NS);
    // Five zeros, start bit included, then a line at rest.
    assert.deepEqual(b.heard, [[0xf0, { parityError: false, framingError: false }]]);
  });
});
