// Image readers: every format gives the same segments, every bad file one coded error that says where.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { detectFormat } from '../../../controller/image/detect.ts';
import { checkImageFits, imageHash, readImage } from '../../../controller/image/image.ts';
import { tidySegments } from '../../../controller/image/segments.ts';
import { concat } from '../../../shared/codec/bytes.ts';
import { STM32F42X } from '../../../shared/chips/index.ts';
import { BlindflashError } from '../../../shared/errors/errors.ts';
import { onlyCoded, refuses } from '../shared/support.ts';

const text = (lines: string) => new TextEncoder().encode(lines);
const prebuilt = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../../../examples/bootloader/prebuilt/${name}`, import.meta.url)));

interface Program {
  type?: number;
  offset?: number;
  paddr?: number;
  vaddr?: number;
  filesz?: number;
  memsz?: number;
  bytes?: number[];
}

/** An ELF file by hand: header, program headers, then the bytes of each. */
function elf(programs: Program[], patch: (view: DataView) => void = () => {}): Uint8Array {
  const head = new Uint8Array(52 + 32 * programs.length);
  const view = new DataView(head.buffer);
  head.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 40, true);
  view.setUint32(28, 52, true);
  view.setUint16(42, 32, true);
  view.setUint16(44, programs.length, true);
  let end = head.length;
  const parts = [head];
  for (const [i, program] of programs.entries()) {
    const bytes = program.bytes ?? [];
    const fields = [program.type ?? 1, program.offset ?? end, program.vaddr ?? 0x20000000, program.paddr ?? 0x08000000];
    fields.push(program.filesz ?? bytes.length, program.memsz ?? bytes.length, 5, 4);
    fields.forEach((field, at) => view.setUint32(52 + 32 * i + 4 * at, field, true));
    parts.push(Uint8Array.from(bytes));
    end += bytes.length;
  }
  patch(view);
  return concat(...parts);
}

function hexLine(address: number, type: number, data: number[]): string {
  const bytes = [data.length, address >> 8, address & 0xff, type, ...data];
  const sum = -bytes.reduce((a, b) => a + b, 0) & 0xff;
  return `:${[...bytes, sum].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`.toUpperCase();
}

describe('controller: images of the example', () => {
  it('the ELF and the HEX file of one program are one image', () => {
    const [fromElf, fromHex] = ['combined.elf', 'combined.hex'].map((name) => readImage(prebuilt(name), { name }));
    assert.deepEqual(fromElf.segments, fromHex.segments);
    assert.deepEqual(imageHash(fromElf), imageHash(fromHex));
    const spans = fromElf.segments.map(({ address, bytes }) => [address, bytes.length]);
    assert.deepEqual(spans, [
      [0x08000000, 0x1fa8],
      [0x08020000, 0x7be4],
    ]);
    checkImageFits(fromElf, STM32F42X);
  });

  it('initialised data lies where it is loaded to, not where it runs', () => {
    const { segments } = readImage(prebuilt('bootloader.elf'));
    assert.deepEqual([segments.length, segments[0].address, segments[0].bytes.length], [1, 0x08000000, 0x1fa8]);
    assert.deepEqual(segments[0].bytes, readImage(prebuilt('combined.elf')).segments[0].bytes);
    assert.deepEqual(
      readImage(prebuilt('application.elf')).segments[0],
      readImage(prebuilt('combined.elf')).segments[1],
    );
  });

  it('a truncated example is refused, wherever it is cut', () => {
    const whole = prebuilt('bootloader.elf');
    for (const length of [4, 40, 52, 100, 0x1000, 0x2f9f, 0x3013]) {
      refuses('BF-IMAGE-ELF-TRUNCATED', () => readImage(whole.slice(0, length)), `${length} bytes`);
    }
  });
});

describe('controller: ELF', () => {
  it('takes loadable segments with bytes in the file, by physical address', () => {
    const image = readImage(
      elf([
        { paddr: 0x08000010, bytes: [5, 6, 7, 8] },
        { type: 4, paddr: 0x1234, bytes: [9] },
        { paddr: 0x20000000, filesz: 0, memsz: 64 },
        { paddr: 0x08000000, bytes: [1, 2, 3, 4] },
      ]),
    );
    assert.deepEqual(image.segments, [
      { address: 0x08000000, bytes: Uint8Array.of(1, 2, 3, 4) },
      { address: 0x08000010, bytes: Uint8Array.of(5, 6, 7, 8) },
    ]);
  });

  it('refuses other machines, classes, byte orders and unlinked files', () => {
    const one: Program[] = [{ bytes: [1, 2, 3, 4] }];
    const patches: ((view: DataView) => void)[] = [
      (view) => view.setUint8(4, 2),
      (view) => view.setUint8(5, 2),
      (view) => view.setUint16(16, 1, true),
      (view) => view.setUint16(18, 62, true),
      (view) => view.setUint16(42, 56, true),
      (view) => view.setUint16(44, 0, true),
    ];
    for (const patch of patches) refuses('BF-IMAGE-ELF-KIND', () => readImage(elf(one, patch)));
    refuses('BF-IMAGE-ELF-KIND', () => readImage(elf([{ bytes: [1, 2, 3, 4], memsz: 1 }])));
  });

  it('refuses what lies outside the file or the address space', () => {
    refuses('BF-IMAGE-ELF-TRUNCATED', () => readImage(elf([{ bytes: [1], filesz: 2, memsz: 2 }])));
    refuses('BF-IMAGE-ELF-TRUNCATED', () => readImage(elf([{ offset: 0xffffffff, bytes: [1] }])));
    refuses('BF-IMAGE-ELF-TRUNCATED', () =>
      readImage(elf([{ bytes: [1] }], (view) => view.setUint32(28, 0xfffffff0, true))),
    );
    refuses('BF-IMAGE-OUTSIDE-FLASH', () => readImage(elf([{ paddr: 0xfffffffe, bytes: [1, 2, 3, 4] }])));
  });

  it('refuses overlapping segments and empty programs', () => {
    refuses('BF-IMAGE-OVERLAP', () => readImage(elf([{ bytes: [1, 2, 3, 4] }, { paddr: 0x08000003, bytes: [1] }])));
    refuses('BF-IMAGE-EMPTY', () => readImage(elf([{ filesz: 0, memsz: 4 }])));
  });

  it('headers that a linker put into the first segment are not written over a resident loader', () => {
    const program = [1, 2, 3, 4, 5, 6, 7, 8];
    const headerBytes = 52 + 32;
    const sections = (flags: number, size: number): number[] => {
      const table = new Uint8Array(2 * 40);
      const view = new DataView(table.buffer, 40);
      [0, 1, flags, 0x08008000, headerBytes, size].forEach((field, at) => view.setUint32(4 * at, field, true));
      return [...program, ...table];
    };
    const whole = (flags = 6, size = program.length) => {
      const loaded = headerBytes + program.length;
      const first = { offset: 0, paddr: 0x08008000 - headerBytes, filesz: loaded, memsz: loaded };
      return elf([{ ...first, bytes: sections(flags, size) }], (view) => {
        view.setUint32(32, loaded, true);
        view.setUint16(46, 40, true);
        view.setUint16(48, 2, true);
      });
    };
    const { segments } = readImage(whole());
    assert.deepEqual(segments, [{ address: 0x08008000, bytes: Uint8Array.from(program) }]);
    refuses('BF-IMAGE-ELF-KIND', () => readImage(whole(0)));
    refuses('BF-IMAGE-ELF-KIND', () => readImage(whole(6, 0)));
    refuses('BF-IMAGE-ELF-TRUNCATED', () => readImage(whole().slice(0, -1)));
  });
});

describe('controller: Intel HEX', () => {
  const good = [hexLine(0, 4, [0x08, 0x00]), hexLine(0x10, 0, [1, 2, 3, 4]), hexLine(0, 1, [])];

  it('reads lines of any ending', () => {
    for (const end of ['\n', '\r\n', '\r']) {
      const image = readImage(text(good.join(end) + end));
      assert.deepEqual(image.segments, [{ address: 0x08000010, bytes: Uint8Array.of(1, 2, 3, 4) }]);
    }
    const high = [hexLine(0, 4, [0xff, 0xff]), ...good.slice(1)].join('\n');
    assert.equal(readImage(text(high)).segments[0].address, 0xffff0010);
  });

  it('names the line of a wrong checksum', () => {
    const damaged = [good[0], good[1].replace('0102', '0103'), good[2]].join('\n');
    assert.throws(
      () => readImage(text(damaged)),
      (error) =>
        error instanceof BlindflashError && error.code === 'BF-IMAGE-HEX-CHECKSUM' && /line 2/.test(error.detail!),
    );
  });

  it('refuses missing ends, foreign lines, wrong lengths and unknown records', () => {
    refuses('BF-IMAGE-HEX-END', () => readImage(text(good.slice(0, 2).join('\n'))));
    const bad = ['hello', hexLine(0, 6, []), hexLine(0, 4, [1]), hexLine(4, 4, [8, 0]), ':00'];
    for (const line of bad) {
      refuses('BF-IMAGE-HEX-RECORD', () => readImage(text([good[0], line, good[2]].join('\n'))), line);
    }
    refuses('BF-IMAGE-HEX-RECORD', () => readImage(text([...good, good[1]].join('\n'))));
  });

  it('refuses the same address twice, as a whole line or in part', () => {
    refuses('BF-IMAGE-OVERLAP', () => readImage(text([good[0], good[1], good[1], good[2]].join('\n'))));
    const partly = [good[0], good[1], hexLine(0x12, 0, [1, 2]), good[2]];
    refuses('BF-IMAGE-OVERLAP', () => readImage(text(partly.join('\n'))));
  });
});

describe('controller: S-record', () => {
  // The three lines of srec(5)'s own kind, checksums worked out by hand.
  const lines = ['S00600004844521B', 'S30908000010010203' + '04D4', 'S5030001FB', 'S70508000000F2'];

  it('reads data of two, three and four address bytes', () => {
    assert.deepEqual(readImage(text(lines.join('\n'))).segments, [
      { address: 0x08000010, bytes: Uint8Array.of(1, 2, 3, 4) },
    ]);
    const short = ['S1070010DEADBEEFB0', 'S9030000FC'];
    assert.deepEqual(readImage(text(short.join('\r\n'))).segments[0].address, 0x10);
    const middle = ['S208010010DEADBEEFAE', 'S804000000FB'];
    assert.deepEqual(readImage(text(middle.join('\n'))).segments[0].address, 0x10010);
  });

  it('names the line of a wrong checksum, refuses wrong counts and missing ends', () => {
    const damaged = [lines[0], lines[1].replace('0102', '0103'), lines[3]].join('\n');
    assert.throws(
      () => readImage(text(damaged)),
      (error) =>
        error instanceof BlindflashError && error.code === 'BF-IMAGE-SREC-CHECKSUM' && /line 2/.test(error.detail!),
    );
    refuses('BF-IMAGE-SREC-RECORD', () => readImage(text(lines.slice(0, 2).join('\n'))));
    refuses('BF-IMAGE-SREC-RECORD', () => readImage(text([lines[0], 'S5030001FB', ...lines.slice(1)].join('\n'))));
    for (const line of ['S4030000FC', 'S3', 'hello', 'S30508000000F3Z']) {
      refuses(['BF-IMAGE-SREC-RECORD'], () => readImage(text([lines[0], line, lines[3]].join('\n'))), line);
    }
  });
});

describe('controller: plain binaries, formats, fitting', () => {
  it('a binary needs a base, all others must not have one', () => {
    const bytes = Uint8Array.of(1, 2, 3);
    assert.deepEqual(readImage(bytes, { name: 'a.bin', base: 0x08004000 }).segments, [
      { address: 0x08004000, bytes: Uint8Array.of(1, 2, 3, 0xff) },
    ]);
    refuses('BF-IMAGE-BASE', () => readImage(bytes, { name: 'a.bin' }));
    refuses('BF-IMAGE-ADDRESS', () => readImage(bytes, { name: 'a.bin', base: 0x08000001 }));
    refuses('BF-IMAGE-BASE-UNWANTED', () => readImage(prebuilt('combined.hex'), { base: 0x08000000 }));
    assert.equal(readImage(bytes, { name: 'noname', base: 0 }).format, 'bin');
    refuses('BF-IMAGE-FORMAT', () => readImage(bytes, { name: 'noname' }));
    refuses('BF-IMAGE-EMPTY', () => readImage(new Uint8Array(0), { name: 'a.bin' }));
  });

  it('contents win over the name', () => {
    assert.equal(detectFormat(prebuilt('combined.hex'), 'x.bin'), 'hex');
    assert.equal(detectFormat(prebuilt('combined.elf'), 'x.hex'), 'elf');
    assert.equal(detectFormat(text('S00600004844521B'), 'x'), 'srec');
    assert.equal(detectFormat(Uint8Array.of(1), 'dir/x.S19'), 'srec');
  });

  it('must lie in flash and fit into it', () => {
    const at = (base: number, length: number) => readImage(new Uint8Array(length).fill(1), { name: 'a.bin', base });
    refuses('BF-IMAGE-OUTSIDE-FLASH', () => checkImageFits(at(0x20000000, 4), STM32F42X));
    refuses('BF-IMAGE-OUTSIDE-FLASH', () => checkImageFits(at(0x07fffffc, 8), STM32F42X));
    refuses('BF-IMAGE-TOO-LARGE', () => checkImageFits(at(0x081ffffc, 8), STM32F42X));
    refuses('BF-IMAGE-TOO-LARGE', () => checkImageFits(at(0x08000000, 1024 * 1024 + 4), STM32F42X, 1024));
    checkImageFits(at(0x08000000, 2048 * 1024), STM32F42X);
  });

  it('fills up to words and joins what shares one', () => {
    const segments = tidySegments([
      { address: 7, bytes: Uint8Array.of(7) },
      { address: 2, bytes: Uint8Array.of(2, 3, 4) },
      { address: 16, bytes: Uint8Array.of(16) },
    ]);
    assert.deepEqual(segments, [
      { address: 0, bytes: Uint8Array.of(0xff, 0xff, 2, 3, 4, 0xff, 0xff, 7) },
      { address: 16, bytes: Uint8Array.of(16, 0xff, 0xff, 0xff) },
    ]);
  });

  it('any bytes give an image or a coded error, and damaged files too', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom('a.elf', 'a.hex', 'a.srec', 'a.bin'),
        (bytes, name) => onlyCoded(() => readImage(bytes, name === 'a.bin' ? { name, base: 0x08000000 } : { name })),
      ),
      { numRuns: 500 },
    );
    const sources = [prebuilt('bootloader.elf').slice(0, 200), prebuilt('combined.hex').slice(0, 400)];
    fc.assert(
      fc.property(fc.constantFrom(...sources), fc.nat(), fc.nat(255), fc.nat(400), (source, at, byte, length) => {
        const damaged = source.slice(0, length);
        if (damaged.length > 0) damaged[at % damaged.length] = byte;
        onlyCoded(() => readImage(damaged));
      }),
      { numRuns: 500 },
    );
  });
});
