// Image files as tools really write them: what several readers agree on is read, what they disagree on is refused by
// name; several files are one image; what is not flash can be left out.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readImage, readImages, type ImageFile } from '../../../controller/image/image.ts';
import { parseSkip } from '../../../controller/image/regions.ts';
import type { Segment } from '../../../controller/image/segments.ts';
import { STM32F42X } from '../../../shared/chips/index.ts';
import { BlindflashError } from '../../../shared/errors/errors.ts';
import { dfuseFile, HEX_END, hexBase, hexRecord, srecRecord, textFile, uf2File } from '../../fixtures/image-files.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { onlyCoded, refuses } from '../shared/support.ts';

const FLASH = 0x08000000;
const DATA = [1, 2, 3, 4];
const FOUR = [{ address: FLASH, bytes: Uint8Array.from(DATA) }];
const spans = (segments: readonly Segment[]) => segments.map(({ address, bytes }) => [address, bytes.length]);
const message = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof BlindflashError) return `${error.code} ${error.detail ?? ''}`;
    throw error;
  }
  return assert.fail('it was taken');
};

describe('controller: Intel HEX of other tools', () => {
  const lines = [hexBase(FLASH), hexRecord(0, 0, DATA)];

  it('takes empty data records, a start address in the end record, and text, padding or control-Z behind it', () => {
    const files = [
      [...lines, hexRecord(0x20, 0, []), HEX_END],
      [...lines, hexRecord(0x101, 1, [])],
      [...lines, HEX_END, '\u001a'],
      [...lines, HEX_END, '\0\0\0'],
      [...lines, HEX_END, 'signed by the build server'],
      [...lines, hexRecord(0, 5, [8, 0, 1, 1]), HEX_END],
      [...lines, hexRecord(0, 3, [0, 0, 1, 1]), HEX_END],
    ];
    for (const file of files) assert.deepEqual(readImage(textFile(...file)).segments, FOUR, file.at(-1));
  });

  it('a record may run past its 64 KiB on a linear base, not in a segment', () => {
    const over = hexRecord(0xfffe, 0, DATA);
    assert.deepEqual(spans(readImage(textFile(hexBase(FLASH), over, HEX_END)).segments), [[0x0800fffc, 8]]);
    const segment = textFile(hexRecord(0, 2, [0x10, 0]), over, HEX_END);
    assert.match(
      message(() => readImage(segment)),
      /^BF-IMAGE-HEX-RECORD line 2 .*segment/,
    );
    const last = textFile(hexBase(0xffff0000), over, HEX_END);
    assert.match(
      message(() => readImage(last)),
      /^BF-IMAGE-HEX-RECORD line 2 .*last address/,
    );
  });

  it('segment and linear bases together are refused: other readers disagree', () => {
    const file = textFile(hexBase(FLASH), hexRecord(0, 2, [0x10, 0]), hexRecord(0, 0, DATA), HEX_END);
    assert.match(
      message(() => readImage(file)),
      /^BF-IMAGE-HEX-RECORD line 3 /,
    );
    const ended = textFile(hexRecord(0, 2, [0, 0]), hexBase(FLASH), hexRecord(0, 0, DATA), HEX_END);
    assert.deepEqual(readImage(ended).segments, FOUR);
  });

  it('a second file behind the end record is not lost silently', () => {
    const joined = textFile(...lines, HEX_END, hexBase(FLASH), hexRecord(0x40, 0, DATA), HEX_END);
    assert.match(
      message(() => readImage(joined)),
      /^BF-IMAGE-HEX-RECORD line 4 stands behind the end record/,
    );
  });

  it('text in UTF-16 is named as such, of either byte order, with and without a mark', () => {
    for (const encoding of ['utf16le', 'utf16be'] as const) {
      for (const mark of ['\ufeff', '']) {
        for (const text of [`${lines.join('\r\n')}\r\n${HEX_END}\r\n`, `${srecRecord(3, FLASH, DATA)}\r\n`]) {
          const bytes = Buffer.from(mark + text, 'utf16le');
          if (encoding === 'utf16be') bytes.swap16();
          refuses('BF-IMAGE-UTF16', () => readImage(new Uint8Array(bytes), { name: 'a.hex' }));
        }
      }
    }
  });
});

describe('controller: S-records of other tools', () => {
  const data = srecRecord(3, FLASH, DATA);
  const end = srecRecord(7, FLASH, []);

  it('a count that agrees stands for the end record that is missing; one that does not, or none, does not', () => {
    for (const type of [5, 6]) {
      assert.deepEqual(readImage(textFile(data, srecRecord(type, 1, []))).segments, FOUR);
      refuses('BF-IMAGE-SREC-RECORD', () => readImage(textFile(data, srecRecord(type, 2, []))));
    }
    refuses('BF-IMAGE-SREC-RECORD', () => readImage(textFile(data)));
    refuses('BF-IMAGE-SREC-RECORD', () =>
      readImage(textFile(data, srecRecord(5, 1, []), srecRecord(3, FLASH + 8, DATA))),
    );
  });

  it('takes symbols, several headers, empty data and text behind the end', () => {
    const files = [
      ['$$ program', '  main $8000', '$$', data, end],
      [srecRecord(0, 0, [0x61]), data, srecRecord(0, 0x1234, [0x62]), end],
      [srecRecord(3, FLASH + 0x40, []), data, end],
      [data, end, '\u001a'],
      [data, end, 'signed by the build server'],
    ];
    for (const file of files) assert.deepEqual(readImage(textFile(...file)).segments, FOUR, file.at(-1));
  });

  it('records behind the end record are not lost silently', () => {
    refuses('BF-IMAGE-SREC-RECORD', () => readImage(textFile(data, end, srecRecord(3, FLASH + 8, DATA), end)));
  });
});

describe('controller: ELF whose headers have a segment of their own', () => {
  /**
   * Headers in a segment at `address`, then `loaded` bytes of it that are `fill`; a program of four bytes in a second
   * one.
   */
  function file(address: number, loaded: number, fill = 0): Uint8Array {
    const bytes = Buffer.alloc(0x200);
    bytes.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
    bytes.fill(fill, 52 + 64, loaded);
    bytes.writeUInt16LE(2, 16);
    bytes.writeUInt16LE(40, 18);
    bytes.writeUInt32LE(52, 28);
    bytes.writeUInt16LE(32, 42);
    bytes.writeUInt16LE(2, 44);
    const program = (index: number, offset: number, at: number, length: number) =>
      [1, offset, at, at, length, length, 4, 4].forEach((value, field) =>
        bytes.writeUInt32LE(value, 52 + 32 * index + 4 * field),
      );
    program(0, 0, address, loaded);
    program(1, 0x100, FLASH, DATA.length);
    bytes.set(DATA, 0x100);
    return new Uint8Array(bytes);
  }

  it('is taken without them, as lld and Rust write it, wherever that segment claims to lie', () => {
    for (const address of [0x00010000, 0x07ff0000, FLASH + 0x100]) {
      assert.deepEqual(readImage(file(address, 52 + 64)).segments, FOUR);
    }
    assert.deepEqual(readImage(file(0x07ff0000, 0x100)).segments, FOUR, 'zeros behind them are padding');
  });

  it('bytes behind the headers that no section names are not left out silently', () => {
    refuses('BF-IMAGE-ELF-KIND', () => readImage(file(0x07ff0000, 0x100, 1)));
  });
});

describe('controller: DfuSe', () => {
  const good = dfuseFile([FLASH, Uint8Array.from(DATA)], [FLASH + 0x20, Uint8Array.of(9)]);

  it('reads every element where it belongs, and knows the file by its first bytes', () => {
    const image = readImage(good, { name: 'x.bin' });
    assert.equal(image.format, 'dfuse');
    assert.deepEqual(image.segments, [...FOUR, { address: FLASH + 0x20, bytes: Uint8Array.of(9, 0xff, 0xff, 0xff) }]);
  });

  it('refuses a damaged byte anywhere, a file cut anywhere, and a plain DFU file', () => {
    for (let at = 0; at < good.length; at++) {
      const damaged = good.map((byte, index) => (index === at ? byte ^ 1 : byte));
      refuses('BF-IMAGE-DFUSE', () => readImage(damaged, { format: 'dfuse' }), `byte ${at}`);
      refuses(
        ['BF-IMAGE-DFUSE', 'BF-IMAGE-EMPTY'],
        () => readImage(good.slice(0, at), { format: 'dfuse' }),
        `${at} bytes`,
      );
    }
    refuses('BF-IMAGE-DFUSE', () => readImage(Uint8Array.from(DATA), { name: 'plain.dfu' }));
  });

  it('numbers that point beyond the file end soon', () => {
    for (const [at, what] of [
      [6, 'its length'],
      [11 + 266, 'the length of an image'],
      [11 + 270, 'the number of elements'],
      [11 + 274 + 4, 'the length of an element'],
    ] as const) {
      const bytes = dfuseFile([FLASH, Uint8Array.from(DATA)]);
      const changed = resealed(bytes, at, 0xffffffff);
      refuses('BF-IMAGE-DFUSE', () => readImage(changed), what);
    }
  });
});

/** A DfuSe file with another word at `at` and the CRC that goes with it. */
function resealed(bytes: Uint8Array, at: number, word: number): Uint8Array {
  const changed = Buffer.from(bytes);
  changed.writeUInt32LE(word, at);
  let crc = 0xffffffff;
  for (const byte of changed.subarray(0, -4)) {
    for (let bit = 0; bit < 8; bit++) {
      const low = ((crc ^ (byte >> bit)) & 1) === 1;
      crc = low ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    }
  }
  changed.writeUInt32LE(crc >>> 0, changed.length - 4);
  return new Uint8Array(changed);
}

describe('controller: UF2', () => {
  const bytes = seededRandom(4).bytes(1000);

  it('reads the blocks for this family and those for none, whatever their order', () => {
    const file = uf2File(FLASH, bytes);
    const image = readImage(file, { name: 'x.bin' });
    assert.deepEqual([image.format, image.segments], ['uf2', [{ address: FLASH, bytes }]]);
    const blocks = Array.from({ length: file.length / 512 }, (_, n) => file.slice(512 * n, 512 * (n + 1)));
    const turned = new Uint8Array(Buffer.concat([...blocks].reverse()));
    assert.deepEqual(readImage(turned).segments, image.segments);
    const none = file.map((byte, at) => (at % 512 === 9 ? 0 : byte));
    assert.deepEqual(readImage(none).segments, image.segments);
  });

  it('leaves out blocks of other families and those not for flash; a file without any of ours is refused by name', () => {
    const other = uf2File(FLASH + 0x8000, bytes, { family: 0xe48bff56 });
    const both = new Uint8Array(Buffer.concat([uf2File(FLASH, bytes), other]));
    assert.deepEqual(spans(readImage(both).segments), [[FLASH, 1000]]);
    assert.match(
      message(() => readImage(other)),
      /^BF-IMAGE-UF2 .*0xe48bff56/,
    );
    refuses('BF-IMAGE-EMPTY', () => readImage(uf2File(FLASH, bytes, { flags: 1 })));
  });

  it('refuses a block that is missing, there twice, broken or too long', () => {
    const file = uf2File(FLASH, bytes);
    refuses('BF-IMAGE-UF2', () => readImage(file.slice(512)));
    refuses('BF-IMAGE-UF2', () => readImage(file.slice(0, -512)));
    refuses('BF-IMAGE-UF2', () => readImage(file.slice(0, -1)));
    const twice = new Uint8Array(Buffer.concat([file.slice(0, 512), file]));
    refuses('BF-IMAGE-UF2', () => readImage(twice));
    for (const at of [4, 508, 17]) {
      refuses('BF-IMAGE-UF2', () => readImage(file.map((byte, index) => (index === at ? 0xee : byte))), `byte ${at}`);
    }
  });
});

describe('controller: several files, and what is left out', () => {
  const bin = (name: string, base: number, bytes: Uint8Array): ImageFile => ({ name, base, bytes });

  it('a loader and an application are one image', () => {
    const app = textFile(hexBase(FLASH + 0x20000), hexRecord(0, 0, DATA), HEX_END);
    const image = readImages([{ name: 'app.hex', bytes: app }, bin('loader.bin', FLASH, Uint8Array.from(DATA))]);
    assert.deepEqual(spans(image.segments), [
      [FLASH, 4],
      [FLASH + 0x20000, 4],
    ]);
    assert.deepEqual(
      image.files.map(({ name, format }) => [name, format]),
      [
        ['app.hex', 'hex'],
        ['loader.bin', 'bin'],
      ],
    );
  });

  it('share bytes that are equal, and are refused by name and address, never by content, when one differs', () => {
    const equal = readImages([bin('a', FLASH, Uint8Array.of(1, 2, 3)), bin('b', FLASH, Uint8Array.of(1, 2, 3, 4))]);
    assert.deepEqual(equal.segments, FOUR);
    const refused = message(() =>
      readImages([
        bin('a.bin', FLASH, Uint8Array.of(0xaa, 0xbb, 0xcc)),
        bin('b.bin', FLASH, Uint8Array.of(0xaa, 0xee)),
      ]),
    );
    assert.match(refused, /^BF-IMAGE-OVERLAP a\.bin and b\.bin hold different bytes at 0x08000001$/);
  });

  it('a word that two files share in part is not filled up by either', () => {
    const image = readImages([
      bin('a', FLASH, Uint8Array.of(1, 2)),
      { name: 'b.hex', bytes: textFile(hexBase(FLASH), hexRecord(2, 0, [3, 4]), HEX_END) },
    ]);
    assert.deepEqual(image.segments, FOUR);
  });

  it('any overlaps give what a map of addresses gives', () => {
    const source = seededRandom(8).bytes(64);
    const piece = fc.tuple(fc.nat(48), fc.integer({ min: 1, max: 16 }), fc.boolean());
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 6 }), (pieces) => {
        const map = new Map<number, number>();
        let clashes = false;
        const files = pieces.map(([at, length, isOdd], index) => {
          const bytes = source.slice(at, at + length);
          if (isOdd) bytes[0] = bytes[0]! ^ 1;
          bytes.forEach((byte, n) => {
            clashes ||= (map.get(at + n) ?? byte) !== byte;
            map.set(at + n, byte);
          });
          return { name: `${index}.hex`, bytes: textFile(hexBase(FLASH), hexRecord(at, 0, [...bytes]), HEX_END) };
        });
        if (clashes) {
          refuses('BF-IMAGE-OVERLAP', () => readImages(files));
          return;
        }
        const found = readImages(files).segments.flatMap(({ address, bytes }) =>
          [...bytes].map((byte, n): [number, number] => [address + n - FLASH, byte]),
        );
        for (const [at, byte] of found) assert.equal(byte, map.get(at) ?? 0xff);
        for (const at of map.keys()) assert.ok(found.some(([one]) => one === at));
      }),
      { numRuns: 300 },
    );
  });

  it('an error in one of several names the file', () => {
    const broken = { name: 'app.hex', bytes: textFile(hexBase(FLASH), hexRecord(0, 0, DATA)) };
    const refused = message(() => readImages([bin('loader.bin', FLASH, Uint8Array.from(DATA)), broken]));
    assert.match(refused, /^BF-IMAGE-HEX-END app\.hex: /);
  });

  it('regions and addresses are left out, and said', () => {
    const file = {
      name: 'cube.hex',
      bytes: textFile(
        hexBase(FLASH),
        hexRecord(0, 0, DATA),
        hexBase(0x1fff0000),
        hexRecord(0xc000, 0, DATA),
        hexRecord(0x7800, 0, DATA),
        hexBase(0x90000000),
        hexRecord(0, 0, DATA),
        HEX_END,
      ),
    };
    const named = (text: string) => {
      const { segments, skipped } = readImages([file], parseSkip(text, STM32F42X));
      return [segments.length, skipped.map(({ address, length, name }) => [address, length, name])];
    };
    const options = [0x1fffc000, 4, 'option-bytes'];
    assert.deepEqual(named('option-bytes'), [3, [options]]);
    assert.deepEqual(named('option-bytes, otp,qspi'), [1, [[0x1fff7800, 4, 'otp'], options, [0x90000000, 4, 'qspi']]]);
    assert.deepEqual(readImages([file], parseSkip('outside-flash', STM32F42X)).segments, FOUR, 'all that is not flash');
    assert.deepEqual(named('0x08000001-0x08000002')[1], [[0x08000001, 2, '0x08000001-0x08000002']]);
    assert.deepEqual(named('0x90000000+2')[1], [[0x90000000, 2, '0x90000000+2']]);
    for (const bad of ['', 'flash', '0x08000000', '0x10-0x8', '0x0+0', '0x1-', '0xffffffff+2', '0x123456789+1']) {
      refuses('BF-USAGE', () => parseSkip(bad, STM32F42X), bad);
    }
    refuses('BF-IMAGE-EMPTY', () => readImages([file], parseSkip('0x0-0xffffffff', STM32F42X)));
  });

  it('damaged files of every format give an image or a coded error', () => {
    const sources = [
      dfuseFile([FLASH, Uint8Array.from(DATA)], [FLASH + 64, new Uint8Array(40)]),
      uf2File(FLASH, seededRandom(1).bytes(300)),
      textFile(srecRecord(0, 0, [1]), srecRecord(3, FLASH, DATA), srecRecord(5, 1, []), srecRecord(7, 0, [])),
      textFile(hexBase(FLASH), hexRecord(0, 0, DATA), hexRecord(0, 5, DATA), HEX_END),
    ];
    fc.assert(
      fc.property(fc.constantFrom(...sources), fc.nat(), fc.nat(255), fc.nat(2000), (source, at, byte, length) => {
        const damaged = source.slice(0, length);
        if (damaged.length > 0) damaged[at % damaged.length] = byte;
        onlyCoded(() => readImages([{ name: 'a.dfu', bytes: damaged }], parseSkip('otp', STM32F42X)));
      }),
      { numRuns: 800 },
    );
  });
});
