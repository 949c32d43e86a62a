// The outer form of update files under whatever bytes somebody sends (docs/update-files.md §1, §2).
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { concat } from '../../../../shared/codec/bytes.ts';
import { isBlindflashError } from '../../../../shared/errors/errors.ts';
import { decodeHeader, encodeHeader } from '../../../../shared/update/format.ts';
import { UpdateParser } from '../../../../shared/update/parser.ts';
import { joined, partsOf } from '../../../fixtures/update-parts.ts';
import { sealFor, TestDevice, updateContent, updateImage } from '../../../fixtures/update-files.ts';

const FILE = sealFor(
  [1, 2, 3].map((number) => new TestDevice(number)),
  updateContent(updateImage(31, 9000)),
);
const PARTS = partsOf(FILE);

/** What a file comes to: its parts, or the code it is refused with. Anything else that is thrown is a fault. */
function fate(bytes: Uint8Array, cuts: readonly number[] = []): string {
  const seen: string[] = [];
  const parser = new UpdateParser({
    header: () => seen.push('header'),
    entry: (entry, index) => seen.push(`entry ${index} ${entry.length}`),
    frame: (box, number) => seen.push(`frame ${number} ${box.length}`),
  });
  try {
    let from = 0;
    for (const cut of [...cuts.filter((at) => at < bytes.length), bytes.length].sort((a, b) => a - b)) {
      parser.push(bytes.subarray(from, cut));
      from = cut;
    }
    parser.end();
    return seen.join();
  } catch (error) {
    if (isBlindflashError(error) && error.code.startsWith('BF-UPDATE-')) return error.code;
    throw error;
  }
}

const WHOLE = fate(FILE);
const bytesAt = fc.tuple(fc.nat(FILE.length - 1), fc.integer({ min: 1, max: 255 }));

describe('update files: the outer form', () => {
  it('comes apart and together again', () => {
    assert.deepEqual(joined(PARTS), FILE);
    assert.deepEqual(encodeHeader(decodeHeader(PARTS.header)), PARTS.header);
    assert.match(WHOLE, /^header,entry 0 160,.*frame 1 224,frame 2 4096,.*224$/);
  });

  it('wherever it is cut into pieces, the same parts come out', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(FILE.length), { maxLength: 40 }), (cuts) => {
        assert.equal(fate(FILE, cuts), WHOLE);
      }),
      { numRuns: 100, seed: 1 },
    );
  });

  it('one that ends early, or goes on, is refused', () => {
    for (let length = 0; length < FILE.length; length += length < 400 ? 1 : 97) {
      assert.equal(fate(FILE.subarray(0, length)), 'BF-UPDATE-MALFORMED', `${length} bytes`);
    }
    assert.equal(fate(FILE.subarray(0, FILE.length - 1)), 'BF-UPDATE-MALFORMED');
    assert.equal(fate(concat(FILE, Uint8Array.of(0))), 'BF-UPDATE-MALFORMED');
  });

  it('any bytes, and any changes, end in parts or in a code of update files', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), fc.boolean(), (bytes, begun) => {
        fate(begun ? concat(PARTS.header.subarray(0, bytes.length % 70), bytes) : bytes);
      }),
      { numRuns: 400, seed: 2 },
    );
    fc.assert(
      fc.property(fc.array(bytesAt, { minLength: 1, maxLength: 6 }), (changes) => {
        const bytes = FILE.slice();
        for (const [at, by] of changes) bytes[at] = (bytes[at] as number) ^ by;
        fate(bytes);
      }),
      { numRuns: 300, seed: 3 },
    );
  });

  it('each byte of the header, changed in each of its bits, is refused or said again as it stands', () => {
    for (let at = 0; at < PARTS.header.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const header = PARTS.header.slice();
        header[at] = (header[at] as number) ^ (1 << bit);
        let read;
        try {
          read = decodeHeader(header);
        } catch (error) {
          assert.ok(isBlindflashError(error) && error.code.startsWith('BF-UPDATE-'), String(error));
          continue;
        }
        assert.deepEqual(encodeHeader(read), header, `byte ${at}`);
      }
    }
  });

  it('a header is refused for what a file’s plan may not say', () => {
    const with32 = (at: number, value: number) => {
      const header = PARTS.header.slice();
      new DataView(header.buffer).setUint32(at, value, true);
      return header;
    };
    const plan = 64;
    for (const [what, header] of [
      ['a job id', with32(plan + 8, 1)],
      ['a sector of the loader', with32(plan + 32, 0b11000)],
      ['boot words elsewhere', with32(plan + 36, 0x08010040)],
      ['floor above version', with32(plan + 56, 6)],
      ['the word after the floor', with32(plan + 60, 1)],
      ['reserved bytes', with32(10, 1)],
      ['no frames', PARTS.header.with(8, 0)],
      ['mode 1', PARTS.header.with(plan + 7, 1)],
      ['mode 4', PARTS.header.with(plan + 7, 4)],
      ['another kind', PARTS.header.with(plan + 6, 3)],
      ['a lock', PARTS.header.with(plan + 41, 1)],
      ['a flag', PARTS.header.with(plan + 45, 1)],
      ['2^17 entries', PARTS.header.with(7, 17)],
    ] as const) {
      const refused = (error: unknown) => isBlindflashError(error, 'BF-UPDATE-MALFORMED');
      assert.throws(() => decodeHeader(header as Uint8Array), refused, what);
    }
    const later = (error: unknown) => isBlindflashError(error, 'BF-UPDATE-VERSION');
    assert.throws(() => decodeHeader(PARTS.header.with(6, 2) as Uint8Array), later);
  });
});
