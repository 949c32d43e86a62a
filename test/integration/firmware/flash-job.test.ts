// Jobs that change or read flash, from the first erase to the wipe (docs/protocol.md §8, §9).
import assert from 'node:assert/strict';
import { decodeStubFacts } from '../../../shared/sealed/payloads.ts';
import type { Plan } from '../../../shared/plan/plan.ts';
import { active, asks, FLASH, SampleImage, sendImage, smallPlan, writeAll } from './sample-jobs.ts';

const program = (address: number, length: number) => ({ address, length, use: 'program' as const });
const digest = (address: number, length: number) => ({ address, length, use: 'digest' as const });

/** Runs a whole flash job and checks flash content, replies and counters. */
function flashes(plan: Plan, options = {}): ReturnType<typeof active> & { image: SampleImage } {
  const { fixture, controller } = active(plan, { strict: true, ...options });
  const before = fixture.board.flash.bytes.slice();
  const image = new SampleImage(plan);
  const expected = expectedFlash(before, plan, image);
  const written = writeAll(controller, plan, image);
  assert.equal(written.name, 'WRITTEN');
  if (written.name !== 'WRITTEN') throw new Error('unreachable');
  assert.deepEqual(written.root, image.root(plan, 'in place'));
  const words = plan.ranges.reduce((sum, { address, length }) => sum + countWords(image.at(address, length)), 0);
  assert.equal(written.wordsProgrammed, words);
  assert.equal(fixture.control('WORDS'), words);
  assert.equal(fixture.state, 'written');
  assert.equal(Buffer.compare(fixture.board.flash.bytes, expected), 0, 'flash content');
  assert.deepEqual(fixture.board.warnings, []);
  assert.equal(fixture.board.flash.stalls, 0, 'nothing reads a busy bank');
  assert.equal(fixture.board.flash.storeStalls, 0, 'nothing writes while busy');
  return { fixture, controller, image };
}

function expectedFlash(before: Uint8Array, plan: Plan, image: SampleImage): Buffer {
  const after = Buffer.from(before);
  for (const sector of plan.sectors) after.fill(0xff, sectorStart(sector), sectorStart(sector) + sectorSize(sector));
  for (const { address, length, use } of plan.ranges) {
    if (use === 'program') after.set(image.at(address, length), address - FLASH);
  }
  return after;
}
const sectorSize = (n: number) => (n % 12 < 4 ? 0x4000 : n % 12 === 4 ? 0x10000 : 0x20000);
function sectorStart(n: number): number {
  let start = 0;
  for (let i = 0; i < n; i++) start += sectorSize(i);
  return start;
}
function countWords(bytes: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < bytes.length; i += 4) if (bytes.subarray(i, i + 4).some((byte) => byte !== 0xff)) count++;
  return count;
}
const FLASH_CR = 0x40023c10;
const FLASH_IRQ = 4;
/** Of the core clock, 160 MHz. */
const CYCLE_MS = 1 / 160_000;
const OLD_CONTENT = new Uint8Array(0x200000).map((_, i) => (i * 7) & 0x7f);
const oldContent = () => OLD_CONTENT.slice();

describe('stub flash job', () => {
  it('writes a small image, answers, ends and wipes', () => {
    const { fixture, controller } = flashes(smallPlan());
    const ended = controller.ask({ name: 'END' });
    assert.equal(ended.name, 'ENDED');
    fixture.runUntil(() => fixture.state === 'ended', 10, 'ended');
    assert.equal(fixture.error, 0);
    assert.equal(fixture.word(0x40023c10) >>> 31, 1, 'FLASH_CR is locked');
  });
  it('replaces old content, erases the boot sector first and leaves other sectors alone', () => {
    const plan = smallPlan({
      sectors: [1, 2, 4],
      bootAddress: FLASH + 0x10100,
      ranges: [program(FLASH + 0x4000, 600), digest(FLASH + 0xc000, 64), program(FLASH + 0x10000, 0x1000)],
    });
    const { fixture, controller } = active(plan, {}, oldContent());
    const erased: number[] = [];
    fixture.board.flash.onOperation = (entry) => {
      if (entry.kind === 'erase' && entry.phase === 'start') erased.push(entry.sector!);
    };
    const image = new SampleImage(plan);
    image.bytes.set(oldContent().subarray(0xc000, 0xc040), 0xc000);
    controller.send({ name: 'ERASE', sector: 4 });
    controller.send({ name: 'ERASE', sector: 1 });
    controller.send({ name: 'ERASE', sector: 2 });
    sendImage(controller, plan, image);
    for (const sector of [4, 1, 2]) {
      assert.deepEqual({ ...controller.reply(), answers: 0 }, { name: 'ERASED', answers: 0, sector, how: 'erased' });
    }
    const bootWords = image.at(plan.bootAddress!, 64).slice();
    const written = controller.ask({ name: 'FINAL', root: image.root(plan, 'erased'), bootWords });
    assert.equal(written.name, 'WRITTEN');
    assert.deepEqual(erased, [4, 1, 2]);
    const expected = expectedFlash(oldContent(), plan, image);
    assert.ok(Buffer.from(fixture.board.flash.bytes).equals(expected));
  });
  it('writes into bank 2', () => {
    flashes(
      smallPlan({
        sectors: [12, 16],
        bootAddress: FLASH + 0x100000,
        ranges: [program(FLASH + 0x100000, 256), program(FLASH + 0x110000, 8000)],
      }),
    );
  });
  for (const [widest, supplyVolts] of [
    ['x8', 3.3],
    ['x16', 3.3],
    ['x32', 2.6],
    ['x32', 2.2],
  ] as const) {
    it(`programs within ${widest} of the plan at ${supplyVolts} V`, () => {
      const { controller } = flashes(smallPlan({ widest }, 1024), { supplyVolts });
      assert.ok(['x8', 'x16', 'x32'].includes(decodeStubFacts(controller.facts).widest));
    });
  }

  it('writes data: any sector first, words in ascending order, none left for FINAL, which takes no boot words', () => {
    const plan = smallPlan({
      bootAddress: undefined,
      sectors: [1, 12],
      ranges: [program(FLASH + 0x4000, 256), program(FLASH + 0x100000, 64)],
    });
    flashes(plan);
    const { fixture, controller } = active(plan);
    const programmed: number[] = [];
    fixture.board.flash.onOperation = (entry) => {
      if (entry.kind === 'program' && entry.phase === 'start') programmed.push(entry.address);
    };
    const image = new SampleImage(plan);
    for (const sector of [12, 1]) assert.equal(controller.ask({ name: 'ERASE', sector }).name, 'ERASED');
    sendImage(controller, plan, image);
    const root = image.root(plan, 'erased');
    const bootWords = new Uint8Array(64).fill(1, 63);
    const refused = controller.ask({ name: 'FINAL', root, bootWords });
    assert.deepEqual([refused.name, fixture.error], ['ABORT', 21]);
    assert.deepEqual(
      programmed,
      [...programmed].sort((a, b) => a - b),
    );
    assert.equal(programmed.length, 80);
  });

  it('programs the boot words last: 4..15, 2, 3, then 0, then 1', () => {
    const plan = smallPlan({}, 256);
    const { fixture, controller } = active(plan);
    const programmed: number[] = [];
    fixture.board.flash.onOperation = (entry) => {
      if (entry.kind === 'program' && entry.phase === 'start') programmed.push((entry.address - FLASH) / 4);
    };
    writeAll(controller, plan, new SampleImage(plan));
    const boot = [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 2, 3, 0, 1];
    assert.deepEqual(programmed.slice(-16), boot);
    assert.deepEqual(
      programmed.slice(0, -16),
      Array.from({ length: 48 }, (_, i) => 16 + i),
    );
  });
  it('does not program words that are FFFFFFFF, nor count them', () => {
    const plan = smallPlan({}, 512);
    const { fixture, controller } = active(plan);
    const image = new SampleImage(plan);
    image.bytes.fill(0xff, 0x80, 0x100);
    image.bytes.fill(0xff, 0x20, 0x28);
    const touched = new Set<number>();
    fixture.board.flash.onOperation = (entry) => void (entry.kind === 'program' && touched.add(entry.address - FLASH));
    const written = writeAll(controller, plan, image);
    assert.equal(written.name === 'WRITTEN' && written.wordsProgrammed, 128 - 32 - 2);
    assert.ok(!touched.has(0x80) && !touched.has(0x20) && touched.has(0x100));
  });
  it('crosses epochs of 64 boxes in both directions', () => {
    const { controller } = active();
    for (let i = 0; i < 140; i++) assert.equal(controller.ask({ name: 'PING' }).name, 'PONG');
  });
  it('takes frames of every size up to the most, in order, over more slots than the ring has', () => {
    const plan = smallPlan({ sectors: [0, 1], ranges: [program(FLASH, 0x4000), program(FLASH + 0x4000, 0x1000)] });
    const { fixture, controller } = active(plan);
    const image = new SampleImage(plan);
    for (const sector of [0, 1]) controller.send({ name: 'ERASE', sector });
    sendImage(controller, plan, image, 252);
    controller.reply();
    controller.reply();
    const written = controller.ask({
      name: 'FINAL',
      root: image.root(plan, 'erased'),
      bootWords: image.at(FLASH, 64).slice(),
    });
    assert.equal(written.name, 'WRITTEN');
    assert.ok(Buffer.from(fixture.board.flash.bytes).equals(Buffer.from(image.bytes)));
  });

  it('opens three frames ahead while a sector is erased', () => {
    const plan = smallPlan({ ranges: [program(FLASH, 0x4000)] });
    const { fixture, controller } = active(plan);
    controller.send({ name: 'ERASE', sector: 0 });
    sendImage(controller, plan, new SampleImage(plan));
    fixture.runMs(50);
    assert.equal(fixture.control('ACTIVITY'), 1);
    assert.equal(fixture.status.accepted, 4);
  });
  it('keeps flash busy: opening frames costs no programming time', () => {
    const plan = smallPlan({ ranges: [program(FLASH, 0x4000)] });
    const { fixture, controller } = active(plan);
    const times: number[] = [];
    fixture.board.flash.onOperation = (entry) => void (entry.kind === 'program' && times.push(entry.atNs));
    controller.send({ name: 'ERASE', sector: 0 });
    sendImage(controller, plan, new SampleImage(plan));
    controller.settle();
    fixture.runUntil(
      () => fixture.control('WORDS') === 4096 - 16 && fixture.control('ACTIVITY') === 0,
      1000,
      'all words',
    );
    const took = times.at(-1)! - times[0]!;
    assert.ok(took < 4080 * 16_000 * 1.06, `${took / 4080} ns a word`);
  });
  it('does the same twice, to the cycle', () => {
    const run = () => {
      const { fixture, controller } = active(smallPlan({}, 512));
      writeAll(controller, smallPlan({}, 512), new SampleImage(smallPlan({}, 512)));
      return fixture.board.time.cycles;
    };
    assert.equal(run(), run());
  });

  it('digests ranges as flash holds them, before and after', () => {
    const plan = smallPlan({ ranges: [program(FLASH, 128), digest(FLASH + 0x20000, 0x20000)] });
    const { controller } = active(plan, {}, oldContent());
    for (const first of [0, 1]) assert.equal(asks(controller, plan, oldContent(), first), true);
    for (const at of [0, 127, 0x20000, 0x3ffff]) {
      const other = oldContent();
      other[at]! ^= 1;
      assert.equal(asks(controller, plan, other), false, `byte ${at}`);
    }
  });
  it('verifies without ever unlocking flash', () => {
    const plan = smallPlan({ kind: 'verify', sectors: [], bootAddress: undefined, ranges: [digest(FLASH, 1024)] });
    const { fixture, controller } = active(plan, {}, oldContent());
    assert.equal(asks(controller, plan, oldContent()), true);
    assert.equal(fixture.word(0x40023c10) >>> 31, 1);
    controller.ask({ name: 'END' });
    fixture.runUntil(() => fixture.state === 'ended', 10, 'ended');
  });
  it('erases what the plan names', () => {
    const plan = smallPlan({ kind: 'erase', sectors: [0, 13], bootAddress: undefined, ranges: [] });
    const { fixture, controller } = active(plan, {}, oldContent());
    for (const sector of [13, 0]) assert.equal(controller.ask({ name: 'ERASE', sector }).name, 'ERASED');
    controller.ask({ name: 'END' });
    const expected = expectedFlash(oldContent(), plan, new SampleImage(plan));
    assert.ok(Buffer.from(fixture.board.flash.bytes).equals(expected));
  });
  it('does not call a job to erase ended before all of it is erased', () => {
    const plan = smallPlan({ kind: 'erase', sectors: [0, 13], bootAddress: undefined, ranges: [] });
    for (const before of [[], [13]]) {
      const { controller } = active(plan);
      assert.equal(controller.ask({ name: 'PING' }).name, 'PONG');
      for (const sector of before) controller.ask({ name: 'ERASE', sector });
      const reply = controller.ask({ name: 'END' });
      assert.deepEqual(reply.name === 'ABORT' && [reply.error, reply.detail], [9, 6]);
    }
  });

  it('locks: OPTCR reads level 1, every other option as before', () => {
    const { fixture, controller } = flashes(smallPlan({ lock: 'level 1' }, 256));
    const before = fixture.word(0x40023c14);
    const locked = controller.ask({ name: 'LOCK' });
    assert.equal(locked.name, 'LOCKED');
    if (locked.name !== 'LOCKED') throw new Error('unreachable');
    assert.equal(locked.level1, true);
    assert.equal(locked.optcr & ~0xff03, before & ~0xff03);
    assert.equal(locked.optcr1, 0x0fff0000);
    assert.equal(fixture.state, 'locked');
    assert.equal(fixture.board.options.rdpLevel, 1, 'programmed, not only in the register');
    assert.equal(fixture.word(0x40023c14) & 1, 1, 'OPTLOCK');
    assert.equal(controller.ask({ name: 'END' }).name, 'ENDED');
  });
  it('may end written but not locked', () => {
    const { fixture, controller } = flashes(smallPlan({ lock: 'level 1' }, 256));
    assert.equal(controller.ask({ name: 'END' }).name, 'ENDED');
    assert.equal(fixture.board.options.rdpLevel, 0);
  });
  it('reports a write-protected sector as a flash error', () => {
    const plan = smallPlan({}, 256);
    const { fixture, controller } = active(plan);
    protectSector0(fixture);
    const reply = controller.ask({ name: 'ERASE', sector: 0 });
    assert.equal(reply.name, 'ABORT');
    assert.equal(fixture.error, 10);
    assert.equal(fixture.detail & 0x10, 0x10, 'WRPERR');
    assert.equal(fixture.state, 'aborted');
    assert.equal(fixture.word(0x40023c10) >>> 31, 1);
  });
  it('says that flash hangs when an operation lasts more than twice its longest time', () => {
    const plan = smallPlan({}, 256);
    const { fixture, controller } = active(plan);
    controller.send({ name: 'ERASE', sector: 0 });
    fixture.runMs(50);
    fixture.board.core.setIrq = () => {}; // the end of the erase is never signalled
    const reply = controller.reply(10_000);
    assert.equal(reply.name === 'ABORT' && reply.error, 11);
    fixture.runUntil(() => fixture.state === 'aborted', 1000, 'abort');
  });
  it('starts nothing more when an erase given up is signalled after all, at any instant of the stop', () => {
    const { fixture, controller } = active(smallPlan({}, 256));
    controller.send({ name: 'ERASE', sector: 0 });
    fixture.runMs(50);
    fixture.board.core.setIrq = () => {};
    const isLocked = () => fixture.word(FLASH_CR) >>> 31 === 1;
    const erasing = fixture.board.snapshot();
    fixture.runUntil(isLocked, 10_000, 'stop');
    const late = fixture.board.time.now;
    fixture.board.restore(erasing);
    fixture.board.runTo(late - 1e6);
    const before = fixture.board.snapshot();
    Reflect.deleteProperty(fixture.board.core, 'setIrq');
    while (!isLocked()) fixture.runMs(CYCLE_MS);
    const locked = fixture.board.time.now;
    for (let cycles = 60; cycles > 0; cycles--) {
      fixture.board.restore(before);
      fixture.board.runTo(locked - cycles * CYCLE_MS * 1e6);
      fixture.board.core.setIrq(FLASH_IRQ, true);
      let begun = 0;
      fixture.board.flash.onOperation = () => begun++;
      fixture.runMs(5);
      assert.deepEqual([begun, fixture.state, isLocked()], [0, 'aborted', true], `${cycles} cycles before the lock`);
    }
  });
});

function protectSector0(fixture: ReturnType<typeof active>['fixture']): void {
  fixture.setWord(0x40023c08, 0x08192a3b);
  fixture.setWord(0x40023c08, 0x4c5d6e7f);
  const optcr = fixture.word(0x40023c14) & ~0x10000;
  fixture.setWord(0x40023c14, optcr);
  fixture.setWord(0x40023c14, optcr | 2);
  fixture.runMs(1500);
}
