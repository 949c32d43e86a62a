// How sectors come to be erased: left because they read blank, one by one, or all at once (docs/protocol.md §8,
// "Erasing").
import assert from 'node:assert/strict';
import { encodePlan, type Plan } from '../../../shared/plan/plan.ts';
import { ERASE_ALL, type ErasedHow, type Reply } from '../../../shared/sealed/messages.ts';
import type { Board } from '../../../sim/board.ts';
import { ALL, blank, MS_ALL, erasingSession, used, wholeChip, type ErasingSession } from './erasing-session.ts';
import { FLASH, SampleImage, sendImage, smallPlan, writeAll } from './sample-jobs.ts';
import { SealedController } from './sealed-controller.ts';

const FLASH_CR = 0x40023c10;
const MER = 0x4;
const MER1 = 0x8000;
const STRT = 0x10000;
const OUTSIDE_PLAN = 8;
const ORDER = 9;
const ERASE_KIND = 2;
const SECTOR_1 = 0x4000;
/** Typical at x32: sectors of 16 and 128 KB. */
const [MS_16, MS_128] = [250, 1000];
const WORD_MS = 0.016;

/** Blank but for one byte in each of these sectors of 128 KB of bank 1. */
function usedIn(...sectors: number[]): Uint8Array {
  const flash = blank();
  for (const sector of sectors) flash[(sector - 4) * 0x20000 + 77] = 0;
  return flash;
}

/** ERASE and how the stub says it went. */
function erase(
  { controller }: ErasingSession,
  sector: number,
  may: 'leave blank' | 'erase only' = 'leave blank',
): ErasedHow {
  const reply = controller.ask({ name: 'ERASE', sector, ...(may === 'leave blank' && { unlessBlank: true }) });
  if (reply.name !== 'ERASED') throw new Error(`the answer is ${reply.name}`);
  assert.equal(reply.sector, sector);
  return reply.how;
}

/** Error and detail of the ABORT that ERASE gets. */
function refusal({ controller }: ErasingSession, sector: number): readonly number[] {
  const reply = controller.ask({ name: 'ERASE', sector, unlessBlank: true });
  return reply.name === 'ABORT' ? [reply.error, reply.detail] : assert.fail(`the answer is ${reply.name}`);
}

/** IMAGE of the whole plan and FINAL. */
function writeImage({ controller }: ErasingSession, plan: Plan, image: SampleImage): Reply {
  sendImage(controller, plan, image);
  const bootWords = image.at(FLASH, 64).slice();
  return controller.ask({ name: 'FINAL', root: image.root(plan, 'erased'), bootWords });
}

/** What flash must hold after a job over `plan`'s sectors of a chip that is blank everywhere else. */
function assertHolds({ fixture }: ErasingSession, image: SampleImage): void {
  const { bytes } = fixture.board.flash;
  assert.ok(Buffer.from(bytes).equals(Buffer.from(image.bytes.subarray(0, bytes.length))), 'flash content');
}

/** A new handshake of the same stub. */
function nextSession(job: ErasingSession): void {
  job.fixture.commandTo('handshake', 'offered');
  job.controller.shake();
}

describe('stub erasing sectors that read blank', () => {
  it('leaves one that is blank to its last byte, says so, and programs into it', () => {
    const plan = smallPlan();
    const job = erasingSession(plan, blank());
    assert.equal(erase(job, 0), 'blank');
    const image = new SampleImage(plan);
    const written = writeImage(job, plan, image);
    assert.ok(written.name === 'WRITTEN' && written.chipTimes.erase === 0, written.name);
    assert.deepEqual(job.erases, []);
    assertHolds(job, image);
  });

  for (const [where, at] of [
    ['last', SECTOR_1 - 1],
    ['first', 0],
  ] as const) {
    it(`erases one whose ${where} word has a single 0 bit`, () => {
      const flash = blank();
      flash[at] = at === 0 ? 0xfe : 0x7f;
      const job = erasingSession(smallPlan(), flash);
      assert.equal(erase(job, 0), 'erased');
      assert.deepEqual(job.erases, [0]);
    });
  }

  it('looks at the sector that is named and at no other', () => {
    const flash = blank();
    flash[SECTOR_1 + 0x100] = 0;
    const job = erasingSession(smallPlan({ sectors: [0, 1, 2] }), flash);
    assert.deepEqual(
      [0, 1, 2].map((sector) => erase(job, sector)),
      ['blank', 'erased', 'blank'],
    );
    assert.deepEqual(job.erases, [1]);
  });

  it('erases a blank one when the command does not say it may be left', () => {
    const job = erasingSession(smallPlan(), blank());
    assert.equal(erase(job, 0, 'erase only'), 'erased');
    assert.deepEqual(job.erases, [0]);
  });

  it('erases a blank one when the plan says always erase, whatever the command allows', () => {
    const job = erasingSession(smallPlan({ flags: ['always erase'] }), blank());
    assert.equal(erase(job, 0), 'erased');
    assert.deepEqual(job.erases, [0]);
  });

  it('erases blank ones in a second session when the first has erased something', () => {
    const flash = blank();
    flash[0] = 0;
    const job = erasingSession(smallPlan({ sectors: [0, 1] }), flash);
    assert.equal(erase(job, 0), 'erased');
    nextSession(job);
    assert.deepEqual([erase(job, 0), erase(job, 1)], ['erased', 'erased']);
    assert.deepEqual(job.erases, [0, 0, 1]);
  });

  it('and when the first has programmed something only', () => {
    const plan = smallPlan({ sectors: [0, 1] });
    const job = erasingSession(plan, blank());
    assert.equal(erase(job, 0), 'blank');
    job.controller.send({ name: 'IMAGE', address: FLASH + 0x200, data: new Uint8Array(64).fill(1) });
    job.controller.settle();
    nextSession(job);
    assert.deepEqual([erase(job, 0), erase(job, 1)], ['erased', 'erased']);
  });

  it('still leaves them when the first has changed nothing', () => {
    const job = erasingSession(smallPlan({ sectors: [0, 1] }), blank());
    assert.equal(erase(job, 0), 'blank');
    nextSession(job);
    assert.deepEqual([erase(job, 0), erase(job, 1)], ['blank', 'blank']);
    assert.deepEqual(job.erases, []);
  });

  it('knows nothing of what the stub before it did: whether that matters, the controller says', () => {
    const plan = smallPlan({ sectors: [0, 1] });
    const job = erasingSession(plan, used());
    assert.deepEqual([erase(job, 0), erase(job, 1)], ['erased', 'erased']);
    job.fixture.boot();
    const controller = new SealedController(job.fixture, encodePlan(plan), 6);
    controller.connect();
    assert.equal(erase({ ...job, controller }, 0), 'blank');
    assert.equal(erase({ ...job, controller }, 1, 'erase only'), 'erased');
  });
});

describe('stub erasing everything', () => {
  it('over old data on 2 MB: one erase of both banks; every ERASE that follows is answered at once', () => {
    const plan = wholeChip();
    const job = erasingSession(plan, used());
    const image = new SampleImage(plan);
    const [before, stores] = [job.fixture.board.time.now, controlStores(job.fixture.board)];
    assert.equal(erase(job, ERASE_ALL), 'all at once');
    const after = job.fixture.board.time.now;
    assert.deepEqual(job.erases, [undefined]);
    const [start, end] = job.entries.filter(({ kind }) => kind === 'erase').map(({ atNs }) => atNs) as [number, number];
    assert.equal(Math.round((end - start) / 1e6), MS_ALL);
    assert.deepEqual(
      stores.filter((value) => (value & STRT) !== 0).map((value) => value & (MER | MER1)),
      [MER | MER1],
    );
    assert.ok(after - before < (MS_ALL + 20) * 1e6);
    for (const sector of ALL) assert.equal(erase(job, sector), 'all at once');
    assert.ok(job.fixture.board.time.now - after < 100e6, 'no sector is erased a second time');
    assert.equal(writeImage(job, plan, image).name, 'WRITTEN');
    assert.deepEqual(job.erases, [undefined]);
    assertHolds(job, image);
  });

  it('a sector of it is answered a single time', () => {
    const job = erasingSession(wholeChip(), used());
    assert.equal(erase(job, ERASE_ALL), 'all at once');
    assert.equal(erase(job, 5), 'all at once');
    assert.deepEqual(refusal(job, 5), [ORDER, ERASE_KIND]);
  });

  it('is itself asked for a single time', () => {
    const job = erasingSession(wholeChip(), used());
    assert.equal(erase(job, ERASE_ALL), 'all at once');
    assert.deepEqual(refusal(job, ERASE_ALL), [ORDER, ERASE_KIND]);
    assert.deepEqual(job.erases, [undefined]);
  });

  it('on 1 MB with one bank takes MER alone', () => {
    const sectors = ALL.slice(0, 12);
    const plan = smallPlan({ sectors, flashKiB: 1024, flags: ['always erase'] }, 1024);
    const job = erasingSession(plan, used(), { chip: 'stm32f427xg' });
    const stores = controlStores(job.fixture.board);
    assert.equal(erase(job, ERASE_ALL), 'all at once');
    assert.deepEqual(
      stores.filter((value) => (value & STRT) !== 0).map((value) => value & (MER | MER1)),
      [MER],
    );
    const image = new SampleImage(plan);
    for (const sector of sectors) assert.equal(erase(job, sector), 'all at once');
    assert.equal(writeImage(job, plan, image).name, 'WRITTEN');
    assertHolds(job, image);
  });

  it('of a blank chip erases nothing', () => {
    const plan = wholeChip();
    const job = erasingSession(plan, blank());
    const image = new SampleImage(plan);
    assert.equal(erase(job, ERASE_ALL), 'blank');
    for (const sector of ALL) assert.equal(erase(job, sector), 'blank');
    assert.equal(writeImage(job, plan, image).name, 'WRITTEN');
    assert.deepEqual(job.erases, []);
    assertHolds(job, image);
  });

  it('of a blank chip erases all of it when the command does not say it may be left', () => {
    const job = erasingSession(wholeChip(), blank());
    assert.equal(erase(job, ERASE_ALL, 'erase only'), 'all at once');
    assert.deepEqual(job.erases, [undefined]);
  });

  it('with few sectors used erases nothing itself: those by their own ERASE, the blank ones are left', () => {
    const job = erasingSession(wholeChip(), usedIn(5, 9));
    assert.equal(erase(job, ERASE_ALL), 'blank');
    assert.deepEqual(job.erases, []);
    assert.deepEqual(
      ALL.map((sector) => erase(job, sector)),
      ALL.map((sector) => (sector === 5 || sector === 9 ? 'erased' : 'blank')),
    );
    assert.deepEqual(job.erases, [5, 9]);
    assert.ok(job.fixture.board.flash.bytes.every((byte) => byte === 0xff));
  });

  it('is refused after a sector was erased, or left, or programmed', () => {
    for (const flash of [used(), blank()]) {
      const job = erasingSession(wholeChip(), flash);
      erase(job, 0);
      const before = job.erases.length;
      assert.deepEqual(refusal(job, ERASE_ALL), [ORDER, ERASE_KIND]);
      assert.equal(job.erases.length, before);
    }
  });

  it('is refused for a plan that leaves a sector out', () => {
    for (const left of [1, 23]) {
      const job = erasingSession(wholeChip({ sectors: ALL.filter((sector) => sector !== left) }), used());
      assert.deepEqual(refusal(job, ERASE_ALL), [OUTSIDE_PLAN, ERASE_ALL]);
      assert.deepEqual(job.entries, []);
    }
  });

  it('digests of what was written afterwards are right, of what was hashed before forgotten', () => {
    const plan = wholeChip();
    const job = erasingSession(plan, used());
    const image = new SampleImage(plan);
    const old = new SampleImage(plan);
    old.bytes.fill(0x5a);
    const asked = (bytes: SampleImage, boot: 'erased' | 'as it is') => {
      const expected =
        boot === 'erased' ? bytes.root(plan, 'erased') : bytes.root({ ...plan, bootAddress: undefined }, 'erased');
      const reply = job.controller.ask({ name: 'DIGEST', first: 0, count: 1, expected });
      return reply.name === 'DIGEST' && reply.equal;
    };
    assert.ok(asked(old, 'as it is'));
    assert.equal(erase(job, ERASE_ALL), 'all at once');
    assert.ok(!asked(old, 'as it is'));
    sendImage(job.controller, plan, image);
    assert.ok(asked(image, 'erased'));
  });
});

describe('stub saying how long its chip worked', () => {
  const timesOf = (reply: Reply) =>
    reply.name === 'ENDED' || reply.name === 'WRITTEN' ? reply.chipTimes : assert.fail(reply.name);

  it('adds the erases of a session up, and forgets those of the one before', () => {
    const plan = smallPlan({ kind: 'erase', bootAddress: undefined, ranges: [], sectors: [0, 1, 5] });
    const job = erasingSession(plan, used());
    erase(job, 5);
    nextSession(job);
    for (const sector of [0, 1, 5]) erase(job, sector);
    const spent = timesOf(job.controller.ask({ name: 'END' }));
    assert.ok(Math.abs(spent.erase - (2 * MS_16 + MS_128)) <= 100, `${spent.erase}`);
    assert.deepEqual([spent.program, spent.check], [0, 0]);
  });

  it('counts programming and reading back apart from it', () => {
    const large = { address: FLASH + 0x20000, length: 0x20000, use: 'program' } as const;
    const plan = smallPlan({ sectors: [0, 5], ranges: [{ address: FLASH, length: 1024, use: 'program' }, large] });
    const { fixture, controller } = erasingSession(plan, used());
    const began = fixture.board.time.now;
    const spent = timesOf(writeAll(controller, plan, new SampleImage(plan)));
    const lastedMs = (fixture.board.time.now - began) / 1e6;
    const programMs = ((0x20000 + 1024) / 4) * WORD_MS;
    assert.ok(Math.abs(spent.erase - (MS_16 + MS_128)) <= 200, `erasing ${spent.erase}`);
    assert.ok(Math.abs(spent.program - programMs) <= 200, `programming ${spent.program}`);
    const sum = spent.erase + spent.program + spent.check;
    assert.ok(Math.abs(sum - lastedMs) <= 400, `${sum} of ${lastedMs}`);
  });

  it('counts an erase of everything as what it took', () => {
    const plan = wholeChip();
    const job = erasingSession(plan, used());
    erase(job, ERASE_ALL);
    const spent = timesOf(writeImage(job, plan, new SampleImage(plan)));
    assert.ok(Math.abs(spent.erase - MS_ALL) <= 100, `${spent.erase}`);
  });
});

/** Values the core stores into FLASH_CR from now on. */
function controlStores({ bus }: Board): number[] {
  const values: number[] = [];
  const write = bus.write.bind(bus);
  bus.write = (address, value, width, master) => {
    if (master === 'cpu' && address === FLASH_CR) values.push(value);
    write(address, value, width, master);
  };
  return values;
}
