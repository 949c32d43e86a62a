// The example behind the loader (examples/bootloader): the image of a firmware engineer who did what docs/loader.md
// says. It starts and greets, keeps a count in backup SRAM, and lets the loader in when somebody asks for it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { readImage } from '../../../controller/image/image.ts';
import { concat } from '../../../shared/codec/bytes.ts';
import { IDENT, IDENT_FLAGS } from '../../../shared/serial/packets.ts';
import { Board, type BoardOptions } from '../../../sim/board.ts';
import { words } from '../firmware/sealed-controller.ts';
import { FACTS, FLASH, IMAGE, inInstaller, LOCKED, plantedFlash, record, rootOf, runMs } from './loader-fixture.ts';
import { LoaderLink } from './loader-link.ts';

const ELF = new URL('../../../examples/bootloader/prebuilt/behind-loader.elf', import.meta.url);
/** As the example's README has the loader made. */
const CONFIG = { rtc: { register: 19, value: 0x4f464e49 }, digest: true } as const;
/** The digest of 40 KB and two greetings at 115200 bit/s. */
const GREETING_MS = 1500;

const { segments } = readImage(new Uint8Array(readFileSync(ELF)), { name: 'behind-loader.elf' });

/** COMPLETE for an image of several ranges, as the loader writes it. */
function completeOf(sequence: number): Uint8Array {
  const [first, ...more] = segments.map(({ address, bytes }) => [address, bytes] as const);
  const ranges = [first!, ...more].flatMap(([address, bytes]) => [address, bytes.length]);
  const root = concat(rootOf(...first!, ...more), words(ranges.length / 2, 0, ...ranges));
  return record('CMPL', sequence, FACTS, concat(root, new Uint8Array((32 - (root.length % 32)) % 32)));
}

/** A locked board with loader and example, at the instant its power comes. */
function example(options: BoardOptions = LOCKED): LoaderLink {
  const flash = plantedFlash({ config: CONFIG, banks: [[record('BANK', 1), completeOf(2)], []] });
  for (const { address, bytes } of segments) flash.set(bytes, address - FLASH);
  const board = new Board({ ...options, flash });
  board.powerOn();
  return new LoaderLink(board);
}

const textOf = ({ heard }: LoaderLink): string => String.fromCharCode(...heard);

/** Waits for the last line of a greeting. */
function greeted(link: LoaderLink): string {
  link.heard.length = 0;
  link.runUntil(() => textOf(link).includes('Self test passed'), GREETING_MS, 'greeting');
  return textOf(link);
}

function type(link: LoaderLink, line: string): void {
  link.raw(new TextEncoder().encode(`${line}\r`));
}

describe('loader: the example behind it', () => {
  it('is linked from where the loader starts an image, and leaves the loader’s sectors alone', () => {
    assert.equal(Math.min(...segments.map(({ address }) => address)), IMAGE);
  });

  it('greets, and counts its starts in backup SRAM, which resets leave alone', () => {
    const link = example();
    const first = greeted(link);
    assert.match(first, /^\r\nExample bootloader 1\.0 \(STM32F427\)\r\nDevice {3}0x419/);
    assert.match(first, /Application at 0x08020000: valid\r\n/);
    assert.match(first, /The example application 1\.0 is running\r\nStarted by the bootloader/);
    assert.match(first, /Start 1 since backup SRAM was cleared\r\n/);
    for (const count of [2, 3]) {
      type(link, 'reset');
      assert.match(greeted(link), new RegExp(`Start ${count} since backup SRAM was cleared\r\n`));
    }
  });

  it('lets the loader in when told to; nobody knocks, and 200 ms later it is back, its backup SRAM cleared', () => {
    const link = example();
    greeted(link);
    type(link, 'reset');
    greeted(link);
    type(link, 'update');
    link.runUntil(() => inInstaller(link.board), 50, 'installer');
    const begun = link.board.time.now;
    assert.match(greeted(link), /Start 1 since backup SRAM was cleared\r\n/);
    assert.ok(link.board.time.now - begun > 200e6);
  });

  it('hears a knock on its own console and lets the loader in, which answers the next one', () => {
    const link = example();
    greeted(link);
    const ident = link.knock(4);
    assert.ok(inInstaller(link.board));
    const at = IDENT.flags.offset;
    assert.equal(ident[at]! & IDENT_FLAGS.image, IDENT_FLAGS.image);
    assert.equal(ident[at]! & IDENT_FLAGS.fallback, 0);
  });

  it('what is not a knock lets nobody in', () => {
    const link = example();
    greeted(link);
    type(link, 'UUUUUUUUBFKNOCK');
    type(link, '2 BFBFKNOCK BFKNOC');
    runMs(link.board, 100);
    assert.ok(!inInstaller(link.board));
    assert.ok(link.board.core.regs[15]! >= IMAGE);
  });

  it('a damaged application is not started: the digest is over both', () => {
    const link = example();
    const { address } = segments.at(-1)!;
    link.board.flash.bytes[address - FLASH + 0x4000]! ^= 1;
    runMs(link.board, 400);
    assert.ok(inInstaller(link.board));
    assert.deepEqual(link.heard, []);
  });
});
