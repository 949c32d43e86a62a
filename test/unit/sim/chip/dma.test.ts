// DMA for the serial ports against RM0090 chapter 10: which stream serves what, counters, flags, circular and double
// buffers, what it reaches; and memory to memory, also at read protection level 1.
import assert from 'node:assert/strict';
import type { BoardOptions } from '../../../../sim/board.ts';
import { ChipFixture, RCC } from './chip-fixture.ts';

const DMA1 = 0x40026000;
const DMA2 = 0x40026400;
const RAM = 0x20001000;
const CCM = 0x10000000;
const BKPSRAM = 0x40024000;
const CHARACTER_NS = 86_800;
const EN = 1;
const FROM_MEMORY = 1 << 6;
const MEMORY_TO_MEMORY = 2 << 6;
const CIRCULAR = 1 << 8;
const PINC = 1 << 9;
const MINC = 1 << 10;
const WORDS = (2 << 11) | (2 << 13);
const DOUBLE = 1 << 18;
const CT = 1 << 19;
const TCIE = 1 << 4;
const channel = (n: number) => n * 2 ** 25;
const TE = 8;
const HT = 0x10;
const TC = 0x20;
/** Where the flags of streams 0 to 3 of a status register begin. */
const SHIFT = [0, 6, 16, 22] as const;

const PORTS = {
  USART1: { base: 0x40011000, enable: [RCC.apb2enr, 4], rx: [DMA2, 2, 4], tx: [DMA2, 7, 4] },
  USART2: { base: 0x40004400, enable: [RCC.apb1enr, 17], rx: [DMA1, 5, 4], tx: [DMA1, 6, 4] },
  USART3: { base: 0x40004800, enable: [RCC.apb1enr, 18], rx: [DMA1, 1, 4], tx: [DMA1, 3, 4] },
  UART4: { base: 0x40004c00, enable: [RCC.apb1enr, 19], rx: [DMA1, 2, 4], tx: [DMA1, 4, 4] },
  UART5: { base: 0x40005000, enable: [RCC.apb1enr, 20], rx: [DMA1, 0, 4], tx: [DMA1, 7, 4] },
  USART6: { base: 0x40011400, enable: [RCC.apb2enr, 5], rx: [DMA2, 1, 5], tx: [DMA2, 6, 5] },
  UART7: { base: 0x40007800, enable: [RCC.apb1enr, 30], rx: [DMA1, 3, 5], tx: [DMA1, 1, 5] },
  UART8: { base: 0x40007c00, enable: [RCC.apb1enr, 31], rx: [DMA1, 6, 5], tx: [DMA1, 0, 5] },
} as const;
type Name = keyof typeof PORTS;

class DmaFixture extends ChipFixture {
  readonly name: Name;
  readonly sent: number[] = [];

  constructor(name: Name = 'USART1', options: BoardOptions = {}) {
    super(options);
    this.name = name;
    const { base, enable } = PORTS[name];
    this.poke(enable[0], 2 ** enable[1]);
    this.poke(RCC.ahb1enr, 0x00740000);
    this.poke(base + 8, 139);
    this.poke(base + 0x14, 0xc0);
    this.poke(base + 0x0c, 0x200c);
    this.board.serial(name).onByte = (byte) => this.sent.push(byte);
  }
  /** Sets up a stream and enables it. */
  stream(dma: number, index: number, cr: number, { count, par, m0 = RAM, m1 = 0 }: Stream): void {
    const at = dma + 0x10 + 0x18 * index;
    this.poke(at + 4, count);
    this.poke(at + 8, par);
    this.poke(at + 12, m0);
    this.poke(at + 16, m1);
    this.poke(at, cr | EN);
  }
  receiving(count: number, more = 0, m1 = 0, m0 = RAM): void {
    const [dma, index, ch] = PORTS[this.name].rx;
    this.stream(dma, index, channel(ch) | MINC | more, { count, par: this.dr, m0, m1 });
  }
  sending(count: number): void {
    const [dma, index, ch] = PORTS[this.name].tx;
    this.stream(dma, index, channel(ch) | MINC | FROM_MEMORY, { count, par: this.dr });
  }
  get dr(): number {
    return PORTS[this.name].base + 4;
  }
  send(...bytes: number[]): void {
    this.board.serial(this.name).send(Uint8Array.from(bytes));
    this.wait((bytes.length + 0.5) * CHARACTER_NS);
  }
  flags(dma: number, index: number): number {
    return (this.peek(dma + (index < 4 ? 0 : 4)) >>> SHIFT[index & 3]!) & 0x3d;
  }
  get rxFlags(): number {
    return this.flags(PORTS[this.name].rx[0], PORTS[this.name].rx[1]);
  }
  left(which: 'rx' | 'tx' = 'rx'): number {
    const [dma, index] = PORTS[this.name][which];
    return this.peek(dma + 0x14 + 0x18 * index);
  }
  control(which: 'rx' | 'tx' = 'rx'): number {
    const [dma, index] = PORTS[this.name][which];
    return this.peek(dma + 0x10 + 0x18 * index);
  }
  ram(count: number, from = RAM): number[] {
    return Array.from({ length: count }, (_, i) => this.peek(from + i, 1));
  }
}
interface Stream {
  readonly count: number;
  readonly par: number;
  readonly m0?: number;
  readonly m1?: number;
}

describe('DMA and the serial ports', () => {
  for (const name of Object.keys(PORTS) as Name[]) {
    it(`${name}: its streams receive and send`, () => {
      const b = new DmaFixture(name);
      b.receiving(4);
      b.send(0x11, 0x22, 0x33);
      assert.equal(b.left(), 1);
      assert.equal(b.rxFlags, HT);
      b.send(0x44);
      assert.deepEqual(b.ram(4), [0x11, 0x22, 0x33, 0x44]);
      assert.equal(b.rxFlags, HT | TC);
      assert.equal(b.control() & EN, 0);
      assert.equal(b.left(), 0);
      b.sending(4);
      b.wait(5 * CHARACTER_NS);
      assert.deepEqual(b.sent, [0x11, 0x22, 0x33, 0x44]);
      assert.equal(b.peek(PORTS[name].base) & 0xc0, 0xc0, 'TXE and TC');
    });
  }

  it('goes on at the start in circular mode, and an overrun cannot happen', () => {
    const b = new DmaFixture();
    b.receiving(4, CIRCULAR);
    b.send(1, 2, 3, 4, 5, 6);
    assert.deepEqual(b.ram(4), [5, 6, 3, 4]);
    assert.equal(b.left(), 2);
    assert.equal(b.peek(PORTS.USART1.base) & 0x28, 0);
  });

  it('takes two buffers in turn; the one not in use may be moved', () => {
    const b = new DmaFixture();
    b.receiving(2, DOUBLE, RAM + 0x100);
    b.send(1, 2, 3);
    assert.deepEqual([...b.ram(2), ...b.ram(1, RAM + 0x100)], [1, 2, 3]);
    assert.equal(b.control() & CT, CT);
    b.poke(DMA2 + 0x10 + 0x18 * 2 + 12, RAM + 0x200);
    b.poke(DMA2 + 0x10 + 0x18 * 2 + 16, RAM + 0x300);
    b.send(4, 5);
    assert.deepEqual([...b.ram(2, RAM + 0x100), ...b.ram(1, RAM + 0x200)], [3, 4, 5]);
  });

  it('serves the stream whose channel is selected, and only while the port asks', () => {
    const b = new DmaFixture();
    b.stream(DMA2, 2, channel(3) | MINC, { count: 1, par: b.dr });
    b.send(0x41);
    assert.equal(b.left(), 1, 'another channel');
    assert.equal(b.peek(b.dr), 0x41);
    b.stream(DMA2, 5, channel(4) | MINC, { count: 1, par: b.dr });
    b.send(0x42);
    assert.deepEqual(b.ram(1), [0x42], 'the other stream of USART1_RX');
    b.poke(DMA2 + 0x10 + 0x18 * 2, 0);
    b.poke(DMA2 + 8, TC << 16);
    b.poke(PORTS.USART1.base + 0x14, 0);
    b.receiving(1);
    b.send(0x43);
    assert.equal(b.left(), 1, 'DMAR is 0');
    b.poke(PORTS.USART1.base + 0x14, 0x40);
    b.poke(PORTS.USART1.base + 0x0c, 0x200c);
    assert.deepEqual(b.ram(1), [0x43], 'what waits is fetched');
  });

  it('fetches what waits when a stream is enabled, interrupts, and clears flags on demand', () => {
    const b = new DmaFixture();
    b.send(0x51);
    b.receiving(1, TCIE);
    assert.deepEqual(b.ram(1), [0x51]);
    // Stream 2 of DMA2 is interrupt 58.
    assert.equal((b.peek(0xe000e204) >>> 26) & 1, 1);
    b.poke(DMA2 + 8, TC << 16);
    assert.equal(b.rxFlags & TC, 0);
  });

  it('stops by software with what is left and TCIF; its settings are closed while it runs', () => {
    const b = new DmaFixture();
    b.receiving(8);
    b.send(1, 2, 3);
    b.poke(DMA2 + 0x14 + 0x18 * 2, 99);
    b.poke(DMA2 + 0x1c + 0x18 * 2, 0);
    assert.equal(b.left(), 5);
    b.poke(DMA2 + 0x10 + 0x18 * 2, 0);
    assert.equal(b.left(), 5);
    assert.equal(b.rxFlags & TC, TC);
    b.send(4);
    assert.deepEqual(b.ram(3), [1, 2, 3]);
  });

  it('does not start a stream whose flags are not cleared, its own stop’s among them', () => {
    const b = new DmaFixture();
    b.receiving(2);
    b.poke(DMA2 + 0x10 + 0x18 * 2, 0);
    b.receiving(2);
    assert.equal(b.control() & EN, 0);
    b.poke(DMA2 + 8, TC << 16);
    b.receiving(2);
    b.send(1, 2);
    assert.deepEqual(b.ram(2), [1, 2]);
  });

  it('leaves what nobody fetches to overrun once the stream has ended', () => {
    const b = new DmaFixture();
    b.receiving(1);
    b.send(1, 2, 3);
    assert.equal(b.peek(PORTS.USART1.base) & 0x28, 0x28);
  });

  it('does nothing with its clock off', () => {
    const b = new DmaFixture();
    b.receiving(1);
    b.poke(RCC.ahb1enr, 0x00040000);
    b.send(0x77);
    b.poke(RCC.ahb1enr, 0x00440000);
    assert.equal(b.left(), 1);
  });

  it('goes on in a saved board', () => {
    const b = new DmaFixture();
    b.receiving(3, CIRCULAR);
    b.send(1, 2);
    const other = new DmaFixture();
    other.board.restore(b.board.snapshot());
    other.send(3, 4);
    assert.deepEqual(other.ram(3), [4, 2, 3]);
  });
});

describe('what DMA reaches', () => {
  const copy = (b: DmaFixture, from: number, to = RAM, dma = DMA2) => {
    b.stream(dma, 0, MEMORY_TO_MEMORY | PINC | MINC | WORDS, { count: 1, par: from, m0: to });
    return b.flags(dma, 0);
  };
  const withSecret = (options: BoardOptions = {}) => {
    const b = new DmaFixture('USART1', { flash: Uint8Array.of(0xef, 0xbe, 0xad, 0xde), ...options });
    b.poke(RCC.apb1enr, 0x10000000);
    b.poke(0x40007000, 0xc100);
    b.poke(BKPSRAM, 0x5ec4e700);
    b.poke(RAM, 0);
    return b;
  };

  it('not CCM, by either port, and not the private bus', () => {
    const b = withSecret();
    b.receiving(1, 0, 0, CCM);
    b.send(1);
    assert.equal(b.rxFlags, TE);
    assert.equal(b.control() & EN, 0);
    assert.equal(copy(b, CCM), TE);
    assert.equal(copy(b, 0xe000ed00), TE);
    assert.equal(copy(b, 0x30000000), TE, 'a hole');
  });
  it('SRAM and flash, from memory to memory by DMA2 alone', () => {
    const b = withSecret();
    assert.equal(copy(b, 0x08000000), HT | TC);
    assert.equal(b.peek(RAM), 0xdeadbeef);
    assert.equal(copy(withSecret(), 0x08000000, RAM, DMA1), TE);
    // PWR_CR lies on APB1, which its peripheral port does reach.
    assert.equal(copy(withSecret(), 0x40007000, RAM, DMA1), TE);
    assert.equal(copy(withSecret(), 0x40007000), HT | TC);
  });
  it('backup SRAM by the peripheral port of DMA2, by every port, or not at all', () => {
    for (const [dmaReachesBkpSram, as, into] of [
      ['peripheral-port', HT | TC, TE],
      ['any-port', HT | TC, HT | TC],
      ['no', TE, TE],
    ] as const) {
      const b = withSecret({ switches: { dmaReachesBkpSram } });
      assert.equal(copy(b, BKPSRAM), as, dmaReachesBkpSram);
      assert.equal(b.peek(RAM) === 0x5ec4e700, as !== TE);
      const c = withSecret({ switches: { dmaReachesBkpSram } });
      assert.equal(copy(c, RAM, BKPSRAM), into, dmaReachesBkpSram);
    }
  });
  it('neither flash nor backup SRAM at level 1 after an intrusion, unless a switch opens the latter', () => {
    for (const open of [false, true]) {
      const b = withSecret({ rdp: 1, switches: { bkpSramReadableByDmaAtL1: open } });
      b.board.debugEvent('ap-transaction');
      assert.equal(copy(b, 0x08000000), TE);
      b.poke(DMA2 + 8, 0x3d);
      assert.equal(copy(b, BKPSRAM), open ? HT | TC : TE);
      assert.equal(b.peek(RAM) === 0x5ec4e700, open);
    }
  });
});
