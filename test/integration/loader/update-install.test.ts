// Update files on the real loader (docs/update-files.md §5; docs/serial-link.md): a whole install, what it refuses, and
// what becomes of d_f, the journal and flash meanwhile.
import assert from 'node:assert/strict';
import { watchLoads } from '../firmware/bus-watch.ts';
import { FLASH, IMAGE, runToPc, spinning, SPINS_AT } from './loader-fixture.ts';
import { installed } from './loader-controller.ts';
import { linked } from './prepared-boards.ts';
import { contentOf, fileFor, recipientOf, SLOT, stranger, UpdateLine } from './update-line.ts';

const PROGRAM = spinning(9000, 31);

describe('loader: update files', function () {
  this.timeout(240_000);

  it('a whole file: the image is installed and started, after one use of d_f', () => {
    const link = linked();
    const { board } = link;
    let reads = 0;
    watchLoads(board, SLOT.fileSecret, SLOT.fileSecret + 32, () => reads++);
    const line = new UpdateLine(link);
    const file = fileFor([stranger(1), recipientOf(board), stranger(2)], contentOf(PROGRAM));
    assert.equal(line.install(file), 'ended');
    assert.equal(reads, 16, 'two agreements, each word of d_f read once in each');
    assert.deepEqual(installed(link, PROGRAM.length), PROGRAM);
    runToPc(board, SPINS_AT, 1500);
    assert.equal(board.flash.bytes[IMAGE - FLASH], PROGRAM[0]);
  });
});
