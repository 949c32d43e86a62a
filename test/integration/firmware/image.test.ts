// The committed stub and its header: layout, description, generated constants (docs/mailbox.md "Entry").
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mailboxHeader, protocolHeader } from '../../../scripts/gen-firmware-headers.ts';
import { MEMORY } from '../../fixtures/f42x.ts';
import { stubImage } from './firmware-fixture.ts';

const text = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const word = (bytes: Uint8Array, at: number) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);

describe('stub image', () => {
  it('fits its memory and has a sound header', () => {
    const image = stubImage();
    assert.ok(image.length <= 14 * 1024);
    assert.equal(Buffer.from(image.subarray(0x1c0, 0x1c4)).toString('latin1'), 'BFS2');
    assert.equal(word(image, 0x1c4), 0x0200);
    assert.equal(word(image, 0x1c8), image.length);
    assert.equal(word(image, 0x1cc), 0x2002d000);
  });
  it('starts with a stack in CCM and every vector in its own code', () => {
    const image = stubImage();
    assert.equal(word(image, 0), 0x10010000);
    for (let vector = 1; vector < 16 + 6; vector++) {
      const target = word(image, 4 * vector);
      assert.ok(target % 2 === 1 && target > 0x200001d0 && target < 0x20000000 + image.length, `vector ${vector}`);
    }
  });
  it('is what its description says', () => {
    const image = stubImage();
    const says = JSON.parse(text('firmware/prebuilt/stub-stm32f42x.json')) as Record<string, unknown>;
    assert.equal(says.size, image.length);
    assert.equal(says.sha512, createHash('sha512').update(image).digest('hex'));
    assert.equal(says.sha256, createHash('sha256').update(image).digest('hex'));
    assert.equal(says.version, 0x0200);
    assert.equal(says.loadAddress, 0x20000000);
  });
  it('is built with the constants of the layout', () => {
    assert.equal(text('firmware/ram-stub/mailbox.h'), mailboxHeader());
    assert.equal(text('firmware/common/protocol.h'), protocolHeader());
  });
  it('holds no WFI or WFE at any half-word (make check looks for BKPT and SVC in the disassembly)', () => {
    const image = stubImage();
    const code = image.length;
    for (let at = 0x1d0; at < code; at += 2) {
      const half = image[at]! | (image[at + 1]! << 8);
      assert.notEqual(half, 0xbf30, `WFI at ${at.toString(16)}`);
      assert.notEqual(half, 0xbf20, `WFE at ${at.toString(16)}`);
    }
  });
  it('lies in areas that neither overlap nor leave the RAM', () => {
    const areas = Object.values(MEMORY)
      .filter((area) => area.address >= 0x20000000)
      .sort((a, b) => a.address - b.address);
    let end = 0x20000000;
    for (const area of areas) {
      assert.equal(area.address, end);
      end += area.size;
    }
    assert.equal(end, 0x20030000);
  });
});
