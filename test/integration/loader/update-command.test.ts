// `blindflash update` on the loader's own code, in virtual time (docs/update-files.md §5; docs/serial-link.md, "An
// update file"): what the customer is shown, what is done, what is refused, and what a cable or the power breaks off.
import assert from 'node:assert/strict';
import type { UpdateSheet } from '../../../agent/consent/update-sheet.ts';
import { runUpdate, type UpdateOutcome } from '../../../agent/session/update-session.ts';
import { updateFile, type UpdateFile } from '../../../agent/update/update-file.ts';
import { silentLog } from '../../../shared/ports.ts';
import type { Board } from '../../../sim/board.ts';
import type { EventQueue } from '../../../sim/event-queue.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { joined } from '../../fixtures/update-parts.ts';
import { FLASH, IMAGE, planted, runMs, spinning, SPINS_AT, type Planted } from './loader-fixture.ts';
import { adapterOf, queueOf } from './loader-line.ts';
import { contentOf, fileFor, ownEntryLast, recipientOf, stranger } from './update-line.ts';

/** Until a new board has made its keys, ms. */
const MADE = 60;
const LIMIT_NS = 400e9;
const PROGRAM = spinning(30_000, 41);
/** More than the loader takes in ahead of its work. */
const LONG = spinning(150_000, 42);

/** Places for devices in the file of which this one is the last; 4096 by BLINDFLASH_ENTRIES. */
const ENTRIES = Number(process.env['BLINDFLASH_ENTRIES'] ?? 128);

type Parts = ReturnType<typeof fileFor>;

class Installation {
  readonly board: Board;
  readonly queue: EventQueue;
  readonly source: ReturnType<typeof adapterOf>;
  readonly said: string[] = [];
  readonly stop = new AbortController();
  sheet: UpdateSheet | undefined;
  done = 0;
  /** Called whenever more of the image was taken. */
  meanwhile: (doneBytes: number) => void = () => {};
  heard: (text: string) => void = () => {};
  answers: () => boolean | Promise<boolean> = () => true;

  constructor(board: Board, queue: EventQueue) {
    this.board = board;
    this.queue = queue;
    this.source = adapterOf(board, queue);
  }

  static async with(what: Planted = {}): Promise<Installation> {
    const board = planted(what);
    runMs(board, MADE);
    return new Installation(board, await queueOf(board));
  }

  parts(content = contentOf(PROGRAM), strangers = 2): Parts {
    const others = Array.from({ length: strangers }, (_, at) => stranger(at));
    return fileFor([...others, recipientOf(this.board)], content);
  }

  run(file: UpdateFile): Promise<UpdateOutcome> {
    const customer = {
      say: (text: string) => {
        this.said.push(text);
        this.heard(text);
      },
      showSheet: (sheet: UpdateSheet) => (this.sheet = sheet),
      askConsent: async () => this.answers(),
      progress: (doneBytes: number) => {
        this.done = doneBytes;
        this.meanwhile(doneBytes);
      },
    };
    const { source, queue: clock, stop } = this;
    const [random, log, { signal }] = [seededRandom(1), silentLog, stop];
    return this.queue.drive(runUpdate({ source, file, customer, clock, random, log, signal }), LIMIT_NS);
  }

  /** Once, when half of the image was taken. */
  halfWay(deed: () => void): void {
    let isDone = false;
    this.meanwhile = (doneBytes) => {
      if (isDone || doneBytes < PROGRAM.length / 2) return;
      isDone = true;
      this.queue.at(this.queue.nowNs, deed);
    };
  }

  assertInstalled({ result, board, error, after }: UpdateOutcome, program = PROGRAM): void {
    assert.deepEqual([result, board, error], ['done', 'written', undefined]);
    assert.equal(after?.imageVersion, 7);
    assert.deepEqual(this.board.flash.bytes.slice(IMAGE - FLASH, IMAGE - FLASH + program.length), program);
    runMs(this.board, 50);
    assert.equal(this.board.core.regs[15]! >>> 0, SPINS_AT, 'the image runs');
  }
}

const fileOf = (parts: Omit<Parts, 'decoded'>): UpdateFile => updateFile('release.bfu', joined(parts));

describe('an update file without the vendor', function () {
  this.timeout(300_000);

  it('is shown on a sheet beside what the board says, installed, and started', async () => {
    const desk = await Installation.with();
    desk.assertInstalled(await desk.run(fileOf(desk.parts())));
    const sheet = desk.sheet!.lines.join(' ').replace(/\s+/g, ' ');
    assert.match(sheet, /version 7 of product 4660; once this image is complete, nothing below version 3 is taken/);
    assert.match(sheet, /Product 4660. It has no image that is complete. It takes version 0 or later/);
    assert.match(sheet, /Erase 1 sector, 64 KiB/);
    assert.match(sheet, /One that reads blank is erased as well/);
    assert.match(sheet, /No probe and no network is used/);
    assert.match(sheet, new RegExp(`The word of this sheet ${desk.sheet!.word}`));
    assert.equal(desk.done, PROGRAM.length);
  });

  it('is given once over a line that does 115200 bit/s, on which a status may overtake the header', async () => {
    const desk = await Installation.with({ config: { baudMost: 115_200 } });
    desk.assertInstalled(await desk.run(fileOf(desk.parts())));
    assert.ok(!desk.said.some((text) => text.includes('was reset')), desk.said.join(' | '));
  });

  it('is declined: nothing is changed and nothing of it was sent', async () => {
    const desk = await Installation.with();
    const before = desk.board.flash.bytes.slice();
    desk.answers = () => false;
    const { result, board } = await desk.run(fileOf(desk.parts()));
    assert.deepEqual([result, board], ['declined', 'untouched']);
    assert.deepEqual(desk.board.flash.bytes, before);
  });

  it('is refused before anybody is asked when it is for another product, chip or too old a version', async () => {
    const desk = await Installation.with();
    const file = fileOf(desk.parts(contentOf(PROGRAM, { product: 9 })));
    const { result, error } = await desk.run(file);
    assert.deepEqual([result, error?.code], ['failed', 'BF-UPDATE-REFUSED']);
    assert.match(error!.detail!, /product 9, the board is one of product 4660/);
    assert.equal(desk.sheet, undefined);
  });

  it('is refused by the device when it is sealed for others: nothing is changed', async () => {
    const desk = await Installation.with();
    const before = desk.board.flash.bytes.slice();
    const file = fileOf(fileFor([stranger(1), stranger(2)], contentOf(PROGRAM)));
    const { board, error } = await desk.run(file);
    assert.deepEqual([board, error?.code], ['untouched', 'BF-UPDATE-REFUSED']);
    assert.match(error!.detail!, /no entry for this device/);
    assert.deepEqual(desk.board.flash.bytes, before);
  });

  it('with one byte of a frame changed on its way ends at that frame, and the genuine file mends it', async () => {
    const desk = await Installation.with();
    const parts = desk.parts();
    const frame = parts.frames[3]!.slice();
    frame[100]! ^= 1;
    const changed = fileOf({ ...parts, frames: parts.frames.with(3, frame) });
    const { board, error } = await desk.run(changed);
    assert.deepEqual([board, error?.code], ['incomplete', 'BF-UPDATE-CHANGED']);
    assert.match(error!.detail!, /frame 4/);
    desk.assertInstalled(await desk.run(fileOf(parts)));
  });

  it('goes on over an adapter that is unplugged for two seconds', async () => {
    const desk = await Installation.with();
    const parts = desk.parts(contentOf(LONG));
    desk.meanwhile = (doneBytes) => {
      if (doneBytes < 4032) return;
      desk.meanwhile = () => {};
      desk.queue.at(desk.queue.nowNs, () => desk.source.virtual.unplug());
      desk.queue.after(2000, () => desk.source.virtual.plug());
    };
    desk.assertInstalled(await desk.run(fileOf(parts)), LONG);
    assert.ok(!desk.said.some((text) => /from its beginning/.test(text)));
  });

  it('comes to its end while the adapter is unplugged: the board says so after a reset', async () => {
    const desk = await Installation.with({ config: { listenMs: 200 } });
    desk.halfWay(() => {
      desk.source.virtual.unplug();
      desk.queue.after(2500, () => desk.source.virtual.plug());
    });
    desk.heard = (text) => {
      if (!/from its beginning/.test(text)) return;
      desk.queue.after(1000, () => desk.board.powerOff());
      desk.queue.after(2000, () => desk.board.powerOn());
    };
    const { result, board, after } = await desk.run(fileOf(desk.parts()));
    assert.deepEqual([result, board, after?.imageVersion], ['done', 'written', 7]);
  });

  it('over a line on which noise damages packets', async () => {
    const desk = await Installation.with();
    // From the yes on: with noise before, both ends would prove no rate but the slowest.
    desk.answers = () => {
      desk.board.serial('USART1').noise = { flips: 0, pulsesPerSecond: 4, jitter: 0.5 };
      return true;
    };
    desk.assertInstalled(await desk.run(fileOf(desk.parts())));
  });

  it('is begun again by itself when the board lost its power in the middle', async () => {
    const desk = await Installation.with();
    desk.halfWay(() => {
      desk.board.powerOff();
      desk.queue.after(3000, () => desk.board.powerOn());
    });
    desk.assertInstalled(await desk.run(fileOf(desk.parts())));
    assert.ok(desk.said.some((text) => /from its beginning/.test(text)));
  });

  it('is stopped by the person in the middle: it says so, and the same command installs it later', async () => {
    const desk = await Installation.with();
    const file = fileOf(desk.parts());
    desk.halfWay(() => desk.stop.abort());
    const { result, board, error } = await desk.run(file);
    assert.deepEqual([result, board, error?.code], ['failed', 'incomplete', 'BF-UPDATE-INTERRUPTED']);
    const later = new Installation(desk.board, desk.queue);
    later.assertInstalled(await later.run(file));
  });

  it('is stopped while the question is open: nothing was changed', async () => {
    const desk = await Installation.with();
    desk.answers = () => {
      desk.queue.after(1000, () => desk.stop.abort());
      return new Promise<boolean>(() => {});
    };
    const { board, error } = await desk.run(fileOf(desk.parts()));
    assert.deepEqual([board, error?.code], ['untouched', 'BF-UPDATE-INTERRUPTED']);
  });

  it(`finds this device’s entry behind ${ENTRIES - 1} others`, async () => {
    const installation = await Installation.with();
    const parts = ownEntryLast(installation.parts(contentOf(PROGRAM), ENTRIES - 1), installation.board);
    assert.equal(parts.entries.length, ENTRIES);
    installation.assertInstalled(await installation.run(fileOf(parts)));
  });

  it('sends no more of its entries than it needs: one that comes first ends them', async () => {
    const installation = await Installation.with();
    const { entries, ...parts } = ownEntryLast(installation.parts(contentOf(PROGRAM), 127), installation.board);
    const file = fileOf({ ...parts, entries: entries.toReversed() });
    const outcome = await installation.run(file);
    installation.assertInstalled(outcome);
  });
});
