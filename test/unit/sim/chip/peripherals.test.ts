// Memory map and the small peripherals, against values from the reference and from known test vectors.
import assert from 'node:assert/strict';
import { ChipFixture, MS, RCC } from './chip-fixture.ts';

describe('memory map', () => {
  it('has every RAM, and holes between', () => {
    const b = new ChipFixture();
    for (const [first, last] of [
      [0x20000000, 0x2002fffc],
      [0x10000000, 0x1000fffc],
      [0x08000000, 0x081ffffc],
    ] as const) {
      b.peek(first);
      b.peek(last);
      b.faults(() => b.peek(last + 4));
    }
    for (const hole of [0x40020000 + 0x2c00, 0x1fff7c00, 0x30000000, 0x60000000]) b.faults(() => b.peek(hole));
  });
  it('does not store into flash-like areas without the controller', () => {
    const b = new ChipFixture();
    b.poke(0x1fff7a10, 0);
    assert.notEqual(b.peek(0x1fff7a10), 0);
  });
  it('names the chip: size, unique id, IDCODE', () => {
    const uid = Uint8Array.from({ length: 12 }, (_, i) => i + 1);
    const b = new ChipFixture({ uid });
    assert.equal(b.peek(0x1fff7a22, 2), 0x0800);
    assert.deepEqual(
      [0, 4, 8].map((at) => b.peek(0x1fff7a10 + at)),
      [0x04030201, 0x08070605, 0x0c0b0a09],
    );
    assert.equal(b.peek(0xe0042000), 0x20036419);
    b.faults(() => b.peek(0xe0042000, 2));
  });
  it('shows flash, system memory or SRAM at address 0', () => {
    const b = new ChipFixture({ flash: Uint8Array.of(1, 2, 3, 4) });
    assert.equal(b.peek(0), 0x04030201);
    b.poke(RCC.apb2enr, 0x4000);
    b.poke(0x20000000, 0x55);
    b.poke(0x40013800, 3);
    assert.equal(b.peek(0), 0x55);
    b.poke(0x40013800, 1);
    assert.equal(b.peek(0), b.peek(0x1fff0000));
    b.poke(0x40013800, 0);
    assert.equal(b.peek(0), 0x04030201);
  });
  it('remembers writes to blocks nobody modelled, warns once, faults under strict', () => {
    const b = new ChipFixture();
    b.poke(RCC.apb1enr, 1);
    b.poke(0x40000024, 7);
    assert.equal(b.peek(0x40000024), 7);
    assert.deepEqual(b.board.warnings, ['TIM2 is not modelled: it only remembers what is written']);
    const strict = new ChipFixture({ strict: true });
    strict.poke(RCC.apb1enr, 1);
    strict.faults(() => strict.poke(0x40000024, 7));
  });
  it('offers other members of the family', () => {
    const f405 = new ChipFixture({ chip: 'stm32f405' });
    assert.equal(f405.peek(0x1fff7a22, 2), 1024);
    assert.equal(f405.peek(0xe0042000) & 0xfff, 0x413);
    f405.faults(() => f405.peek(0x08100000));
    f405.faults(() => f405.peek(0x20020000));
    const f411 = new ChipFixture({ chip: 'stm32f411' });
    f411.faults(() => f411.peek(0x50060800));
    f411.faults(() => f411.peek(0x10000000));
  });
});

describe('CRC unit', () => {
  it('computes CRC-32/MPEG-2 over words', () => {
    const b = new ChipFixture();
    b.poke(RCC.ahb1enr, 0x1000);
    // "12345678" big-endian words; CRC-32/MPEG-2 of 8 zero bytes and of this text by an
    // independent bit-serial calculation.
    for (const word of [0x31323334, 0x35363738]) b.poke(0x40023000, word);
    assert.equal(b.peek(0x40023000), mpeg2(new TextEncoder().encode('12345678')));
    b.poke(0x40023008, 1);
    assert.equal(b.peek(0x40023000), 0xffffffff);
  });
  it('agrees with the catalogue check value of the algorithm used for comparison', () => {
    assert.equal(mpeg2(new TextEncoder().encode('123456789')), 0x0376e6e7);
  });
});

/** Byte-wise CRC-32/MPEG-2; its published check value is asserted above. */
function mpeg2(bytes: Uint8Array): number {
  let crc = 0xffffffffn;
  for (const byte of bytes) {
    crc ^= BigInt(byte) << 24n;
    for (let i = 0; i < 8; i++) crc = (crc & 0x80000000n ? (crc << 1n) ^ 0x04c11db7n : crc << 1n) & 0xffffffffn;
  }
  return Number(crc);
}

describe('GPIO', () => {
  it('starts with the debug pins as alternate functions', () => {
    const b = new ChipFixture();
    b.poke(RCC.ahb1enr, 0x3);
    assert.deepEqual(
      [0x40020000, 0x4002000c, 0x40020400].map((at) => b.peek(at)),
      [0xa8000000, 0x64000000, 0x280],
    );
  });
  it('sets and resets by BSRR and reads outputs and inputs back', () => {
    const b = new ChipFixture();
    b.poke(RCC.ahb1enr, 0x4);
    b.poke(0x40020800, 0x4);
    b.poke(0x40020818, 0x2);
    b.board.soc.gpio.C!.inputs = 0x8000;
    assert.equal(b.peek(0x40020810), 0x8002);
    b.poke(0x4002081a, 0x2, 2);
    assert.equal(b.peek(0x40020810), 0x8000);
  });
});

describe('independent watchdog', () => {
  it('bites after the reload value, /8 x 0xEEF being 956 ms at 32 kHz', () => {
    const b = new ChipFixture();
    b.poke(0x40003000, 0xcccc);
    b.poke(0x40003000, 0x5555);
    b.poke(0x40003004, 1);
    b.poke(0x40003008, 0xeee);
    assert.equal(b.peek(0x4000300c), 3);
    b.wait(MS);
    assert.equal(b.peek(0x4000300c), 0);
    b.poke(0x40003000, 0xaaaa);
    const began = b.board.time.now;
    b.wait(955 * MS);
    assert.equal(b.peek(RCC.csr) & 0x20000000, 0);
    b.wait(2 * MS);
    assert.equal(b.peek(RCC.csr) & 0x20000000, 0x20000000);
    assert.ok(b.board.time.now - began < 958 * MS);
  });
  it('is kept quiet by reloads', () => {
    const b = new ChipFixture();
    b.poke(0x40003000, 0xcccc);
    for (let i = 0; i < 10; i++) {
      b.wait(400 * MS);
      b.poke(0x40003000, 0xaaaa);
    }
    assert.equal(b.peek(RCC.csr) & 0x20000000, 0);
  });
});

describe('window watchdog', () => {
  it('bites when its counter falls through 0x40', () => {
    const b = new ChipFixture();
    b.poke(RCC.apb1enr, 0x800);
    b.poke(0x40002c00, 0xff);
    // 64 steps of 4096 cycles at 16 MHz = 16.384 ms.
    b.wait(16.3 * MS);
    assert.equal(b.peek(RCC.csr) & 0x40000000, 0);
    b.wait(0.2 * MS);
    assert.equal(b.peek(RCC.csr) & 0x40000000, 0x40000000);
  });
});

describe('USART1', () => {
  const open = () => {
    const b = new ChipFixture();
    b.poke(RCC.apb2enr, 0x10);
    b.poke(0x40011008, 0x8b);
    b.poke(0x4001100c, 0x200c);
    return b;
  };
  it('sends two bytes at 115200 baud, TXE before TC', () => {
    const b = open();
    const sent: [number, number][] = [];
    const began = b.board.time.now;
    b.board.uart.onByte = (byte) => sent.push([byte, Math.round((b.board.time.now - began) / 1000)]);
    b.poke(0x40011004, 0x41);
    assert.equal(b.peek(0x40011000) & 0xc0, 0x80);
    b.poke(0x40011004, 0x42);
    assert.equal(b.peek(0x40011000) & 0xc0, 0);
    b.wait(88_000);
    assert.equal(b.peek(0x40011000) & 0xc0, 0x80);
    b.wait(88_000);
    assert.equal(b.peek(0x40011000) & 0xc0, 0xc0);
    // 10 bits of 139 cycles at 16 MHz: 86.9 µs each.
    assert.deepEqual(sent, [
      [0x41, 87],
      [0x42, 174],
    ]);
  });
  it('receives at the same pace and flags what it could not hold', () => {
    const b = open();
    b.board.uart.receive(Uint8Array.of(1, 2, 3));
    b.wait(88_000);
    assert.equal(b.peek(0x40011000) & 0x20, 0x20);
    assert.equal(b.peek(0x40011004), 1);
    b.wait(180_000);
    assert.equal(b.peek(0x40011000) & 0x28, 0x28);
    assert.equal(b.peek(0x40011004), 2);
  });
});

describe('RTC', () => {
  it('wakes from LSI by its timer', () => {
    const b = new ChipFixture();
    b.poke(RCC.apb1enr, 0x10000000);
    b.poke(0x40007000, 0xc100);
    b.poke(RCC.csr, 1);
    b.wait(MS);
    b.poke(RCC.bdcr, 0x8200);
    b.poke(0x40002814, 199);
    assert.equal(b.peek(0x40002814), 0xffff, 'write protected');
    b.poke(0x40002824, 0xca);
    b.poke(0x40002824, 0x53);
    b.poke(0x40002814, 199);
    b.poke(0x40002808, 0x4400);
    // 200 steps of 16 periods at 32 kHz = 100 ms.
    b.wait(99 * MS);
    assert.equal(b.peek(0x4000280c) & 0x400, 0);
    b.wait(2 * MS);
    assert.equal(b.peek(0x4000280c) & 0x400, 0x400);
  });
});
