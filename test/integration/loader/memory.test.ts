// Where the loader keeps what is secret, and how much memory it takes (docs/loader.md, "Memory"): the deepest its
// stacks reach, and what a debugger could find in the RAM it can read.
import assert from 'node:assert/strict';
import type { Board } from '../../../sim/board.ts';
import { PAGE_SHIFT } from '../../../sim/cpu/bus-map.ts';
import { BACKUP, lowestStore, staticsEnd, walk } from './deepest.ts';
import { installPlan, LoaderController } from './loader-controller.ts';
import { complete, IMAGE, planted, record, rootOf, runMs, runToPc, spinning, SPINS_AT } from './loader-fixture.ts';
import { LoaderLink } from './loader-link.ts';
import { image, linked } from './prepared-boards.ts';

const RCC_APB1ENR = 0x40023840;
const PWR_CLOCK = 1 << 28;
const PWR_CR = 0x40007000;
const DBP = 1 << 8;
const PWR_CSR = 0x40007004;
const BRE = 1 << 9;
const SRAM_END = 0x20030000;
/** What boot may take of the end of SRAM: with the digest, and without it. */
const BOOT_BYTES = { digest: 1280, plain: 256 };
/** Bytes of the installer's stack that no path has used. */
const SPARE = 1024;
const START_MS = 60;
const RUN = 8;

/** Strings of RUN bytes of `secret` that occur in the RAM a debugger reads at level 1. */
function found(board: Board, secret: Uint8Array): string[] {
  const places: string[] = [];
  for (const { base, bytes } of board.soc.memories.ram) {
    const ram = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + RUN <= secret.length; at += RUN) {
      const index = ram.indexOf(secret.subarray(at, at + RUN));
      if (index >= 0) places.push(`0x${(base + index).toString(16)}`);
    }
  }
  return places;
}

describe('loader: memory', function () {
  this.timeout(300_000);

  it(`the installer’s stack stays ${SPARE} bytes above the forbidden strip on its deepest paths`, () => {
    const board = planted({});
    // The statics end where the strip begins; the stack is all the rest of backup SRAM.
    const statics = staticsEnd(board);
    const lowest = lowestStore(board, statics, BACKUP.end);
    walk(board);
    assert.ok(lowest() >= statics + SPARE, `${lowest() - statics} bytes left`);
  });

  it('neither keys nor plaintext of an image, nor its root, are in SRAM or CCM at any step', () => {
    const board = planted({});
    const plain = image.slice(1024, 1024 + 512);
    const root = rootOf(IMAGE, image);
    walk(board, () => {
      const slot = board.flash.bytes.subarray(0x7804, 0x7804 + 160);
      for (const part of [0, 2, 4]) assert.deepEqual(found(board, slot.slice(32 * part, 32 * part + 32)), []);
      assert.deepEqual(found(board, plain), []);
      assert.deepEqual(found(board, root), []);
    });
  });

  it('backup SRAM that does not take the installer’s words, or is kept by a battery: no key is made, nobody is answered', () => {
    const faults: Record<string, (address: number) => boolean> = {
      'the regulator stays on': (address) => address === PWR_CSR,
      'one word stays as it is': (address) => address === BACKUP.start + 0x7f4,
    };
    for (const [fault, drops] of Object.entries(faults)) {
      const board = planted({});
      keepByBattery(board);
      board.bus.writePages[BACKUP.start >>> PAGE_SHIFT] = undefined;
      const write = board.bus.write.bind(board.bus);
      board.bus.write = (address, value, width, master) => {
        if (master !== 'cpu' || !drops(address)) write(address, value, width, master);
      };
      runMs(board, START_MS);
      const slots = board.flash.bytes.subarray(0x7800, 0x8000);
      assert.ok(
        slots.every((byte) => byte === 0xff),
        fault,
      );
      const link = new LoaderLink(board);
      assert.throws(() => link.knock(2), /nobody answers/, fault);
    }
  });

  it('is turned off for the supply of the battery', () => {
    const board = planted({});
    keepByBattery(board);
    runMs(board, START_MS);
    assert.equal(board.bus.read(PWR_CSR, 4, 'debugger') & BRE, 0);
    new LoaderLink(board).knock(2);
  });

  it('the image finds nothing in backup SRAM after a session', () => {
    const link = linked();
    const controller = new LoaderController(link, installPlan(image, { finalAction: 'run' }));
    controller.connect();
    controller.install(image);
    runToPc(link.board, SPINS_AT, 300);
    assert.ok(link.board.soc.backupSram.bytes.every((byte) => byte === 0));
  });

  for (const digest of [false, true]) {
    it(`boot ${digest ? 'with' : 'without'} the digest takes no more of SRAM than it says`, () => {
      const spin = spinning(5000);
      const banks = [[record('BANK', 1), complete(2, spin)], []] as const;
      const board = planted({ image: spin, banks, config: { digest } });
      const lowest = lowestStore(board, SRAM_END - 0x2000, SRAM_END);
      runToPc(board, SPINS_AT, 40);
      assert.ok(SRAM_END - lowest() <= BOOT_BYTES[digest ? 'digest' : 'plain'], `${SRAM_END - lowest()} bytes`);
    });
  }
});

/** What an image does that keeps backup SRAM while the board is off. */
function keepByBattery(board: Board): void {
  const registers = [
    [RCC_APB1ENR, PWR_CLOCK],
    [PWR_CR, DBP],
    [PWR_CSR, BRE],
  ] as const;
  for (const [address, value] of registers) board.bus.write(address, value, 4, 'cpu');
  assert.equal(board.bus.read(PWR_CSR, 4, 'debugger') & BRE, BRE);
}
