// Jobs that change or read flash, from the first erase to the wipe (docs/protocol.md §8, §9).
import assert from 'node:assert/strict';
import { decodeStubFacts } from '../../../shared/sealed/payloads.ts';
import type { Plan } from '../../../shared/plan/plan.ts';
import { active, FLASH, Image, sendImage, sha512, smallPlan, writeAll } from './jobs.ts';

const program = (address: number, length: number) => ({ address, length, use: 'program' as const });
const digest = (address: number, length: number) => ({ address, length, use: 'digest' as const });

/** Runs a whole flash job and checks flash content, replies and counters. */
function flashes(plan: Plan, options = {}): ReturnType<typeof active> & { image: Image } {
  const { bench, vendor } = active(plan, { strict: true, ...options });
  const before = bench.board.flash.bytes.slice();
  const image = new Image(plan);
  const expected = expectedFlash(before, plan, image);
  const written = writeAll(vendor, plan, image);
  assert.equal(written.name, 'WRITTEN');
  if (written.name !== 'WRITTEN') throw new Error('unreachable');
  assert.deepEqual(written.root, image.root(plan, 'in place'));
  const words = plan.ranges.reduce((sum, { address, length }) => sum + countWords(image.at(address, length)), 0);
  assert.equal(written.wordsProgrammed, words);
  assert.equal(bench.control('WORDS'), words);
  assert.equal(bench.state, 'written');
  assert.ok(Buffer.from(bench.board.flash.bytes).equals(expected), 'flash content');
  assert.deepEqual(bench.board.warnings, []);
  assert.equal(bench.board.flash.stalls, 0, 'nothing reads a busy bank');
  assert.equal(bench.board.flash.storeStalls, 0, 'nothing writes while busy');
  return { bench, vendor, image };
}

function expectedFlash(before: Uint8Array, plan: Plan, image: Image): Buffer {
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
const oldContent = () => Uint8Array.from({ length: 0x200000 }, (_, i) => (i * 7) & 0x7f);

describe('stub flash job', () => {
  it('writes a small image, answers, ends and wipes', () => {
    const { bench, vendor } = flashes(smallPlan());
    const ended = vendor.ask({ name: 'END' });
    assert.equal(ended.name, 'ENDED');
    bench.runUntil(() => bench.state === 'ended', 10, 'ended');
    assert.equal(bench.error, 0);
    assert.equal(bench.word(0x40023c10) >>> 31, 1, 'FLASH_CR is locked');
  });
  it('replaces old content, erases the boot sector first and leaves other sectors alone', () => {
    const plan = smallPlan({
      sectors: [1, 2, 4],
      bootAddress: FLASH + 0x10100,
      ranges: [program(FLASH + 0x4000, 600), digest(FLASH + 0xc000, 64), program(FLASH + 0x10000, 0x1000)],
    });
    const { bench, vendor } = active(plan, {}, oldContent());
    const erased: number[] = [];
    bench.board.flash.onOperation = (entry) => {
      if (entry.kind === 'erase' && entry.phase === 'start') erased.push(entry.sector!);
    };
    const image = new Image(plan);
    image.bytes.set(oldContent().subarray(0xc000, 0xc040), 0xc000);
    vendor.send({ name: 'ERASE', sector: 4 });
    vendor.send({ name: 'ERASE', sector: 1 });
    vendor.send({ name: 'ERASE', sector: 2 });
    sendImage(vendor, plan, image);
    for (const sector of [4, 1, 2]) {
      assert.deepEqual({ ...vendor.reply(), answers: 0 }, { name: 'ERASED', answers: 0, sector });
    }
    const bootWords = image.at(plan.bootAddress!, 64).slice();
    const written = vendor.ask({ name: 'FINAL', root: image.root(plan, 'erased'), bootWords });
    assert.equal(written.name, 'WRITTEN');
    assert.deepEqual(erased, [4, 1, 2]);
    const expected = expectedFlash(oldContent(), plan, image);
    assert.ok(Buffer.from(bench.board.flash.bytes).equals(expected));
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
      const { vendor } = flashes(smallPlan({ widest }, 1024), { supplyVolts });
      assert.ok(['x8', 'x16', 'x32'].includes(decodeStubFacts(vendor.facts).widest));
    });
  }

  it('programs the boot words last: 4..15, 2, 3, then 0, then 1', () => {
    const plan = smallPlan({}, 256);
    const { bench, vendor } = active(plan);
    const programmed: number[] = [];
    bench.board.flash.onOperation = (entry) => {
      if (entry.kind === 'program' && entry.phase === 'start') programmed.push((entry.address - FLASH) / 4);
    };
    writeAll(vendor, plan, new Image(plan));
    const boot = [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 2, 3, 0, 1];
    assert.deepEqual(programmed.slice(-16), boot);
    assert.deepEqual(
      programmed.slice(0, -16),
      Array.from({ length: 48 }, (_, i) => 16 + i),
    );
  });
  it('does not program words that are FFFFFFFF, nor count them', () => {
    const plan = smallPlan({}, 512);
    const { bench, vendor } = active(plan);
    const image = new Image(plan);
    image.bytes.fill(0xff, 0x80, 0x100);
    image.bytes.fill(0xff, 0x20, 0x28);
    const touched = new Set<number>();
    bench.board.flash.onOperation = (entry) => void (entry.kind === 'program' && touched.add(entry.address - FLASH));
    const written = writeAll(vendor, plan, image);
    assert.equal(written.name === 'WRITTEN' && written.wordsProgrammed, 128 - 32 - 2);
    assert.ok(!touched.has(0x80) && !touched.has(0x20) && touched.has(0x100));
  });
  it('crosses epochs of 64 boxes in both directions', () => {
    const { vendor } = active();
    for (let i = 0; i < 140; i++) assert.equal(vendor.ask({ name: 'PING' }).name, 'PONG');
  });
  it('takes frames of every size up to the most, in order, over more slots than the ring has', () => {
    const plan = smallPlan({ sectors: [0, 1], ranges: [program(FLASH, 0x4000), program(FLASH + 0x4000, 0x1000)] });
    const { bench, vendor } = active(plan);
    const image = new Image(plan);
    for (const sector of [0, 1]) vendor.send({ name: 'ERASE', sector });
    sendImage(vendor, plan, image, 252);
    vendor.reply();
    vendor.reply();
    const written = vendor.ask({
      name: 'FINAL',
      root: image.root(plan, 'erased'),
      bootWords: image.at(FLASH, 64).slice(),
    });
    assert.equal(written.name, 'WRITTEN');
    assert.ok(Buffer.from(bench.board.flash.bytes).equals(Buffer.from(image.bytes)));
  });

  it('opens three frames ahead while a sector is erased', () => {
    const plan = smallPlan({ ranges: [program(FLASH, 0x4000)] });
    const { bench, vendor } = active(plan);
    vendor.send({ name: 'ERASE', sector: 0 });
    sendImage(vendor, plan, new Image(plan));
    bench.runMs(50);
    assert.equal(bench.control('ACTIVITY'), 1);
    assert.equal(bench.status.accepted, 4);
  });
  it('keeps flash busy: opening frames costs no programming time', () => {
    const plan = smallPlan({ ranges: [program(FLASH, 0x4000)] });
    const { bench, vendor } = active(plan);
    const times: number[] = [];
    bench.board.flash.onOperation = (entry) => void (entry.kind === 'program' && times.push(entry.atNs));
    vendor.send({ name: 'ERASE', sector: 0 });
    sendImage(vendor, plan, new Image(plan));
    vendor.settle();
    bench.runUntil(() => bench.control('WORDS') === 4096 - 16 && bench.control('ACTIVITY') === 0, 1000, 'all words');
    const took = times.at(-1)! - times[0]!;
    assert.ok(took < 4080 * 16_000 * 1.06, `${took / 4080} ns a word`);
  });
  it('does the same twice, to the cycle', () => {
    const run = () => {
      const { bench, vendor } = active(smallPlan({}, 512));
      writeAll(vendor, smallPlan({}, 512), new Image(smallPlan({}, 512)));
      return bench.board.time.cycles;
    };
    assert.equal(run(), run());
  });

  it('digests ranges as flash holds them, before and after', () => {
    const plan = smallPlan({ ranges: [program(FLASH, 128), digest(FLASH + 0x20000, 0x20000)] });
    const { vendor } = active(plan, {}, oldContent());
    for (const [range, at, length] of [
      [0, 0, 128],
      [1, 0x20000, 0x20000],
    ] as const) {
      const reply = vendor.ask({ name: 'DIGEST', range });
      assert.equal(reply.name, 'DIGEST');
      assert.deepEqual(reply.name === 'DIGEST' && reply.digest, sha512(oldContent().subarray(at, at + length)));
    }
  });
  it('verifies without ever unlocking flash', () => {
    const plan = smallPlan({ kind: 'verify', sectors: [], bootAddress: undefined, ranges: [digest(FLASH, 1024)] });
    const { bench, vendor } = active(plan, {}, oldContent());
    vendor.ask({ name: 'DIGEST', range: 0 });
    assert.equal(bench.word(0x40023c10) >>> 31, 1);
    vendor.ask({ name: 'END' });
    bench.runUntil(() => bench.state === 'ended', 10, 'ended');
  });
  it('erases what the plan names', () => {
    const plan = smallPlan({ kind: 'erase', sectors: [0, 13], bootAddress: undefined, ranges: [] });
    const { bench, vendor } = active(plan, {}, oldContent());
    for (const sector of [13, 0]) assert.equal(vendor.ask({ name: 'ERASE', sector }).name, 'ERASED');
    vendor.ask({ name: 'END' });
    const expected = expectedFlash(oldContent(), plan, new Image(plan));
    assert.ok(Buffer.from(bench.board.flash.bytes).equals(expected));
  });
  it('answers PING and END for an info job', () => {
    const { bench, vendor } = active(smallPlan({ kind: 'info', sectors: [], bootAddress: undefined, ranges: [] }));
    assert.equal(vendor.ask({ name: 'PING' }).name, 'PONG');
    assert.equal(vendor.ask({ name: 'END' }).name, 'ENDED');
    bench.runUntil(() => bench.state === 'ended', 10, 'ended');
  });

  it('locks: OPTCR reads level 1, every other option as before', () => {
    const { bench, vendor } = flashes(smallPlan({ lock: 'level 1' }, 256));
    const before = bench.word(0x40023c14);
    const locked = vendor.ask({ name: 'LOCK' });
    assert.equal(locked.name, 'LOCKED');
    if (locked.name !== 'LOCKED') throw new Error('unreachable');
    assert.equal(locked.level1, true);
    assert.equal(locked.optcr & ~0xff03, before & ~0xff03);
    assert.equal(locked.optcr1, 0x0fff0000);
    assert.equal(bench.state, 'locked');
    assert.equal(bench.board.options.rdpLevel, 1, 'programmed, not only in the register');
    assert.equal(bench.word(0x40023c14) & 1, 1, 'OPTLOCK');
    assert.equal(vendor.ask({ name: 'END' }).name, 'ENDED');
  });
  it('may end written but not locked', () => {
    const { bench, vendor } = flashes(smallPlan({ lock: 'level 1' }, 256));
    assert.equal(vendor.ask({ name: 'END' }).name, 'ENDED');
    assert.equal(bench.board.options.rdpLevel, 0);
  });
  it('reports a write-protected sector as a flash error', () => {
    const plan = smallPlan({}, 256);
    const { bench, vendor } = active(plan);
    protectSector0(bench);
    const reply = vendor.ask({ name: 'ERASE', sector: 0 });
    assert.equal(reply.name, 'ABORT');
    assert.equal(bench.error, 10);
    assert.equal(bench.detail & 0x10, 0x10, 'WRPERR');
    assert.equal(bench.state, 'aborted');
    assert.equal(bench.word(0x40023c10) >>> 31, 1);
  });
  it('says that flash hangs when an operation lasts more than twice its longest time', () => {
    const plan = smallPlan({}, 256);
    const { bench, vendor } = active(plan);
    vendor.send({ name: 'ERASE', sector: 0 });
    bench.runMs(50);
    bench.board.core.setIrq = () => {}; // the end of the erase is never signalled
    const reply = vendor.reply(10_000);
    assert.equal(reply.name === 'ABORT' && reply.error, 11);
    bench.runUntil(() => bench.state === 'aborted', 1000, 'abort');
  });
  it('starts nothing more when an erase given up is signalled after all, at any instant of the stop', () => {
    const { bench, vendor } = active(smallPlan({}, 256));
    vendor.send({ name: 'ERASE', sector: 0 });
    bench.runMs(50);
    bench.board.core.setIrq = () => {};
    const isLocked = () => bench.word(FLASH_CR) >>> 31 === 1;
    const erasing = bench.board.snapshot();
    bench.runUntil(isLocked, 10_000, 'stop');
    const late = bench.board.time.now;
    bench.board.restore(erasing);
    bench.board.runTo(late - 1e6);
    const before = bench.board.snapshot();
    Reflect.deleteProperty(bench.board.core, 'setIrq');
    while (!isLocked()) bench.runMs(CYCLE_MS);
    const locked = bench.board.time.now;
    for (let cycles = 60; cycles > 0; cycles--) {
      bench.board.restore(before);
      bench.board.runTo(locked - cycles * CYCLE_MS * 1e6);
      bench.board.core.setIrq(FLASH_IRQ, true);
      let begun = 0;
      bench.board.flash.onOperation = () => begun++;
      bench.runMs(5);
      assert.deepEqual([begun, bench.state, isLocked()], [0, 'aborted', true], `${cycles} cycles before the lock`);
    }
  });
});

function protectSector0(bench: ReturnType<typeof active>['bench']): void {
  bench.setWord(0x40023c08, 0x08192a3b);
  bench.setWord(0x40023c08, 0x4c5d6e7f);
  const optcr = bench.word(0x40023c14) & ~0x10000;
  bench.setWord(0x40023c14, optcr);
  bench.setWord(0x40023c14, optcr | 2);
  bench.runMs(1500);
}
