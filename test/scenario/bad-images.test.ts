// Images that cannot be flashed (issue 2): each ends in one code, one sentence and one remedy, before
// anything is sent anywhere.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { compileFlash } from '../../controller/plan/compile.ts';
import { readImage, type ImageOptions } from '../../controller/image/image.ts';
import { findChip } from '../../shared/chips/index.ts';
import { errorRow, exitStatusOf, type ErrorCode } from '../../shared/errors/errors.ts';
import { describeError, reportError } from '../../cli/terminal/report.ts';
import { bootable, FLASH } from '../fixtures/images.ts';

const elf = new Uint8Array(readFileSync(new URL('../../examples/bootloader/prebuilt/combined.elf', import.meta.url)));
const hex = readFileSync(new URL('../../examples/bootloader/prebuilt/combined.hex', import.meta.url), 'latin1');
const text = (lines: string): Uint8Array => new Uint8Array(Buffer.from(lines, 'latin1'));

/** One Intel HEX record with its checksum (Intel, "Hexadecimal Object File Format", 1988). */
function record(address: number, type: number, data: readonly number[]): string {
  const bytes = [data.length, address >>> 8, address & 0xff, type, ...data];
  const sum = (256 - (bytes.reduce((total, byte) => total + byte, 0) & 0xff)) & 0xff;
  return `:${[...bytes, sum].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

const HIGH = (half: number): string => record(0, 4, [half >>> 8, half & 0xff]);
const END = record(0, 1, []);

interface Case {
  readonly what: string;
  readonly file: Uint8Array;
  readonly options: ImageOptions;
  readonly code: ErrorCode;
}

const CASES: readonly Case[] = [
  {
    what: 'two parts that overlap',
    file: text([HIGH(0x0800), record(0, 0, [1, 2, 3, 4, 5, 6, 7, 8]), record(4, 0, [9, 9, 9, 9]), END].join('\n')),
    options: { name: 'overlap.hex' },
    code: 'BF-IMAGE-OVERLAP',
  },
  {
    what: 'an address in RAM',
    file: text([HIGH(0x2000), record(0, 0, [1, 2, 3, 4]), END].join('\n')),
    options: { name: 'ram.hex' },
    code: 'BF-IMAGE-OUTSIDE-FLASH',
  },
  {
    what: 'an address behind flash',
    file: bootable(1, 256),
    options: { name: 'behind.bin', base: FLASH + 0x200000 },
    code: 'BF-IMAGE-OUTSIDE-FLASH',
  },
  {
    what: 'an empty file',
    file: new Uint8Array(0),
    options: { name: 'empty.bin', base: FLASH },
    code: 'BF-IMAGE-EMPTY',
  },
  { what: 'a HEX file without data', file: text(END), options: { name: 'none.hex' }, code: 'BF-IMAGE-EMPTY' },
  {
    what: '3 MB',
    file: new Uint8Array(3 << 20).fill(0x5a),
    options: { name: 'big.bin', base: FLASH },
    code: 'BF-IMAGE-TOO-LARGE',
  },
  {
    what: 'an ELF file that was cut short',
    file: elf.slice(0, 9000),
    options: { name: 'cut.elf' },
    code: 'BF-IMAGE-ELF-TRUNCATED',
  },
  {
    what: 'an ELF file cut inside its header',
    file: elf.slice(0, 30),
    options: { name: 'cut.elf' },
    code: 'BF-IMAGE-ELF-TRUNCATED',
  },
  {
    what: 'an ELF file for another machine',
    file: elf.map((byte, at) => (at === 18 ? 62 : byte)),
    options: { name: 'pc.elf' },
    code: 'BF-IMAGE-ELF-KIND',
  },
  {
    what: 'a HEX line with a wrong checksum',
    file: text(
      hex.replace(
        /([0-9A-F]{2})(\r?\n:[0-9A-F]{10})/i,
        (_, sum: string, rest: string) => `${sum === '00' ? '01' : '00'}${rest}`,
      ),
    ),
    options: { name: 'sum.hex' },
    code: 'BF-IMAGE-HEX-CHECKSUM',
  },
  {
    what: 'a HEX file without its end',
    file: text(hex.split('\n').slice(0, 40).join('\n')),
    options: { name: 'noend.hex' },
    code: 'BF-IMAGE-HEX-END',
  },
  {
    what: 'a format nobody knows',
    file: text('PK\u0003\u0004 this is a zip'),
    options: { name: 'firmware.zip' },
    code: 'BF-IMAGE-FORMAT',
  },
  { what: 'a binary without a base', file: bootable(2, 256), options: { name: 'raw.bin' }, code: 'BF-IMAGE-BASE' },
  {
    what: 'something that does not start with a vector table',
    file: new Uint8Array(256).fill(0x33),
    options: { name: 'text.bin', base: FLASH },
    code: 'BF-IMAGE-BOOT-WORDS',
  },
];

/** What `blindflash plan` and `flash` do with the file before anything else. */
function compile({ file, options }: Pick<Case, 'file' | 'options'>): void {
  const chip = findChip(0x419);
  assert.ok(chip);
  compileFlash(readImage(file, options), chip, { job: new Uint8Array(16) });
}

describe('bad images', () => {
  for (const each of CASES) {
    it(`${each.what}: ${each.code}`, () => {
      let thrown: unknown;
      try {
        compile(each);
      } catch (error) {
        thrown = error;
      }
      assert.ok(thrown !== undefined, 'it was taken');
      const lines = describeError(thrown).trimEnd().split('\n');
      const { sentence, remedy } = errorRow(each.code);
      const exitStatus = exitStatusOf(each.code);
      assert.equal(lines[0], `error ${each.code}: ${sentence}`);
      assert.equal(lines.at(-1), `→ ${remedy}`);
      assert.ok(lines.length <= 3, lines.join('\n'));
      for (const line of lines) assert.ok(line.length > 3 && line.length < 240, line);
      const written: string[] = [];
      const stream = { write: (part: string) => written.push(part) };
      assert.equal(reportError(thrown, { json: true }, { stdout: stream, stderr: stream }), exitStatus);
      assert.equal((JSON.parse(written.join('')) as { code: string }).code, each.code);
      assert.notEqual(exitStatus, 0);
    });
  }

  it('the same files undamaged are taken', () => {
    compile({ file: elf, options: { name: 'combined.elf' } });
    compile({ file: text(hex), options: { name: 'combined.hex' } });
    compile({ file: bootable(1, 256), options: { name: 'raw.bin', base: FLASH } });
  });
});
