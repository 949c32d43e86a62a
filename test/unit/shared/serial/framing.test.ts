// COBS, CRC-32 and packets of the serial link (docs/serial-link.md): published examples, another implementation of the
// checksum, noise, and what garbage does.
import assert from 'node:assert/strict';
import { crc32 as zlibCrc32 } from 'node:zlib';
import fc from 'fast-check';

import { concat, fromHex, toHex } from '../../../../shared/codec/bytes.ts';
import { crc32 } from '../../../../shared/codec/crc32.ts';
import { cobsDecode, cobsEncode, cobsMost } from '../../../../shared/serial/cobs.ts';
import { encodePacket, PacketReader, type Packet } from '../../../../shared/serial/framing.ts';
import {
  CODED_MOST,
  PACKET_MOST,
  PACKETS,
  type PacketName,
  type PacketRow,
} from '../../../../shared/serial/packets.ts';

const count = (from: number, length: number) => Uint8Array.from({ length }, (_, index) => (from + index) & 0xff);
const hex = (text: string) => fromHex(text.replaceAll(' ', ''));

/** S. Cheshire, M. Baker, "Consistent Overhead Byte Stuffing", and the examples commonly given with it. */
const EXAMPLES: readonly (readonly [plain: Uint8Array, coded: Uint8Array])[] = [
  [hex(''), hex('01')],
  [hex('00'), hex('01 01')],
  [hex('00 00'), hex('01 01 01')],
  [hex('00 11 00'), hex('01 02 11 01')],
  [hex('11 22 00 33'), hex('03 11 22 02 33')],
  [hex('11 22 33 44'), hex('05 11 22 33 44')],
  [hex('11 00 00 00'), hex('02 11 01 01 01')],
  [count(1, 254), concat(hex('ff'), count(1, 254))],
  [count(0, 255), concat(hex('01 ff'), count(1, 254))],
  [count(1, 255), concat(hex('ff'), count(1, 254), hex('02 ff'))],
  [concat(count(2, 254), hex('00')), concat(hex('ff'), count(2, 254), hex('01 01'))],
  [concat(count(3, 253), hex('00 01')), concat(hex('fe'), count(3, 253), hex('02 01'))],
];

describe('COBS', () => {
  it('codes and decodes the published examples', () => {
    for (const [plain, coded] of EXAMPLES) {
      assert.equal(toHex(cobsEncode(plain)), toHex(coded), toHex(plain));
      assert.equal(toHex(cobsDecode(coded) ?? hex('dead')), toHex(plain));
    }
  });

  it('has no zero, is no longer than it says, and comes back', () => {
    const bytes = fc.uint8Array({ maxLength: 1100 });
    const sparse = fc.array(fc.constantFrom(0, 1, 255), { maxLength: 1100 }).map((list) => Uint8Array.from(list));
    fc.assert(
      fc.property(fc.oneof(bytes, sparse), (plain) => {
        const coded = cobsEncode(plain);
        assert.ok(!coded.includes(0) && coded.length <= cobsMost(plain.length));
        assert.deepEqual(cobsDecode(coded), plain);
      }),
    );
  });

  it('refuses what points beyond its end, holds a zero or is empty', () => {
    for (const coded of ['', '02', '05 11 22', '00', '03 11 00']) {
      assert.equal(cobsDecode(hex(coded)), undefined, coded);
    }
  });
});

describe('CRC-32', () => {
  it('is the one of IEEE 802.3', () => {
    assert.equal(crc32(new TextEncoder().encode('12345'), new TextEncoder().encode('6789')), 0xcbf43926);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 30 }), (a, b) => {
        assert.equal(crc32(a, b), zlibCrc32(concat(a, b)));
      }),
    );
  });
});

const names = Object.keys(PACKETS) as PacketName[];
const sizesOf = ({ sizes }: PacketRow): readonly number[] => ('least' in sizes ? [sizes.least, sizes.most] : sizes);
const anyPacket: fc.Arbitrary<Packet> = fc
  .constantFrom(...names)
  .chain((name) =>
    fc
      .constantFrom(...sizesOf(PACKETS[name]))
      .chain((length) => fc.uint8Array({ minLength: length, maxLength: length }).map((body) => ({ name, body }))),
  );
const drops = (reader: PacketReader): number => [...reader.dropped.values()].reduce((sum, some) => sum + some, 0);
const wire = (packets: readonly Packet[]) => concat(...packets.map(({ name, body }) => encodePacket(name, body)));

/** `covered` and its checksum by another implementation, on the wire. */
function raw(covered: Uint8Array): Uint8Array {
  const crc = new Uint8Array(4);
  new DataView(crc.buffer).setUint32(0, zlibCrc32(covered), true);
  return concat(cobsEncode(concat(covered, crc)), Uint8Array.of(0));
}

/** Gives `bytes` to a reader in pieces of the lengths given, over and over. */
function inPieces(reader: PacketReader, bytes: Uint8Array, lengths: readonly number[]): Packet[] {
  const packets: Packet[] = [];
  for (let at = 0, piece = 0; at < bytes.length; piece++) {
    const length = lengths[piece % lengths.length] as number;
    packets.push(...reader.take(bytes.subarray(at, at + length)));
    at += length;
  }
  return packets;
}

describe('packets of the serial link', () => {
  it('look as the page says', () => {
    // IDENT? is type 01 and its checksum; ABORT, BAUD of 921600.
    assert.equal(toHex(encodePacket('askIdent')), toHex(concat(hex('06 01'), le(zlibCrc32(hex('01'))), hex('00'))));
    const baud = concat(hex('08'), le(921_600));
    assert.deepEqual(encodePacket('baud', le(921_600)), raw(baud));
  });

  it('come out of any pieces as they went in, and no other', () => {
    fc.assert(
      fc.property(
        fc.array(anyPacket, { maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 8 }),
        (packets, lengths) => {
          const reader = new PacketReader();
          assert.deepEqual(inPieces(reader, wire(packets), lengths), packets);
          assert.equal(drops(reader), 0);
        },
      ),
    );
  });

  it('are found again after noise, of which nothing is held', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 9000 }), anyPacket, (noise, packet) => {
        const reader = new PacketReader();
        reader.take(noise);
        reader.take(Uint8Array.of(0));
        assert.deepEqual(reader.take(wire([packet])), [packet]);
      }),
    );
  });

  it('are dropped when a bit of them is another, and the next one is not', () => {
    fc.assert(
      fc.property(anyPacket, anyPacket, fc.nat(), fc.integer({ min: 0, max: 7 }), (packet, next, at, bit) => {
        const bytes = wire([packet]);
        // The last byte is the zero: to hit it joins the packet to the one after it.
        bytes[at % (bytes.length - 1)]! ^= 1 << bit;
        const reader = new PacketReader();
        assert.deepEqual(reader.take(concat(bytes, wire([next]))), [next]);
        assert.ok(drops(reader) >= 1);
      }),
    );
  });

  it('are dropped with a reason of their own', () => {
    const dropped = (bytes: Uint8Array) => {
      const reader = new PacketReader();
      assert.deepEqual(reader.take(bytes), []);
      return [...reader.dropped];
    };
    assert.deepEqual(dropped(hex('05 11 00')), [['coding', 1]]);
    assert.deepEqual(dropped(raw(hex('0c'))), [['type', 1]]);
    assert.deepEqual(dropped(raw(hex('01 00'))), [['size', 1]]);
    assert.deepEqual(dropped(hex('03 11 22 00')), [['length', 1]]);
    assert.deepEqual(dropped(concat(cobsEncode(concat(hex('01'), le(0))), hex('00'))), [['checksum', 1]]);
    assert.deepEqual(dropped(concat(count(1, 200).slice(), new Uint8Array(CODED_MOST).fill(7), hex('00'))), [
      ['length', 1],
    ]);
  });

  it('zeros between packets are nothing', () => {
    const reader = new PacketReader();
    assert.deepEqual(reader.take(concat(hex('00 00'), encodePacket('abort'), hex('00'))), [
      { name: 'abort', body: new Uint8Array(0) },
    ]);
    assert.equal(drops(reader), 0);
  });

  it('what was begun before a restart is not joined to what comes after it', () => {
    const [reader, packet] = [new PacketReader(), encodePacket('abort')];
    reader.take(packet.subarray(0, 3));
    reader.restart();
    assert.equal(reader.take(packet).length, 1);
  });

  it('garbage of any kind comes to nothing, in bounded memory', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20_000 }), (garbage) => {
        const reader = new PacketReader();
        for (const { name, body } of reader.take(garbage)) assert.ok(sizesOf(PACKETS[name]).includes(body.length));
      }),
    );
  });

  it('the longest ends below the limit of the link, and none is written with a size its kind has not', () => {
    for (const name of names) assert.ok(Math.max(...sizesOf(PACKETS[name])) + 5 <= PACKET_MOST, name);
    assert.throws(() => encodePacket('command', new Uint8Array(5)), { code: 'BF-INTERNAL-ARGUMENT' });
  });
});

function le(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
