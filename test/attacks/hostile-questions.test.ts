// H5: a vendor, authentic and hostile, who wants to read the customer's flash by questions, and what honest jobs that
// ask much or little make of the same limits (docs/protocol.md §8 "Questions", §11). Real agent, real program.
import assert from 'node:assert/strict';
import { ShortMemory } from '../../agent/session/ports.ts';
import type { JobEvent } from '../../controller/job/ports.ts';
import { requireChip } from '../../shared/chips/index.ts';
import { sectorsOf } from '../../shared/chips/chip.ts';
import type { Plan, PlanRange } from '../../shared/plan/plan.ts';
import { rootDigest, type Reply } from '../../shared/sealed/messages.ts';
import { bootable, FLASH, FLASH_BYTES, flashAfter, imageOf } from '../fixtures/images.ts';
import { ProductFixture } from '../fixtures/product.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import { fixtureWithVendor } from '../unit/agent/agent-fixture.ts';
import { smallPlan } from '../unit/agent/support.ts';
import { sha512, type SealedVendor } from '../unit/agent/vendor.ts';

const SECTOR = 16 * 1024;
const GAP = 200;
const SESSIONS = 16;
const LOADS = 8;
const OUTSIDE = 8;
const TIMEOUTS = { arrival: 60_000, peer: 120_000, sealed: 60_000, work: 60_000, left: 5000 };

const part = (at: number, length: number, use: PlanRange['use'] = 'digest'): PlanRange => ({
  address: FLASH + at,
  length,
  use,
});
const verifyPlan = (...ranges: PlanRange[]): Plan =>
  smallPlan({ kind: 'verify', sectors: [], bootAddress: undefined, ranges });

/** What the customer has in flash. */
const held = new Uint8Array(FLASH_BYTES).fill(0xff);
held.set(seededRandom(1).bytes(0x9000));

/** A guess at what the ranges of a plan hold. */
function guess(
  vendor: SealedVendor,
  plan: Plan,
  bytes: Uint8Array,
  first = 0,
  count = plan.ranges.length,
): Promise<Reply> {
  const ranges = plan.ranges.slice(first, first + count);
  const digested = ranges.map(({ address, length }) => ({
    address,
    length,
    digest: sha512(bytes.subarray(address - FLASH, address - FLASH + length)),
  }));
  return vendor.ask({ name: 'DIGEST', first, count, expected: rootDigest(digested) });
}

const errorOf = (reply: Reply): number | undefined => (reply.name === 'ABORT' ? reply.error : undefined);

describe('attack: reading flash by questions', function () {
  this.timeout(240_000);

  it('a range of four bytes, guessed at: four guesses a life of the program, then no more', async () => {
    const plan = verifyPlan(part(0x400, 4));
    const { fixture, peer, vendor } = fixtureWithVendor(plan, { flash: held });
    const answers: (number | boolean | undefined)[] = [];
    await fixture.play(async () => {
      await vendor.begin();
      for (let byte = 0; byte < 5; byte++) {
        const reply = await guess(vendor, plan, held.slice().fill(byte, 0x400, 0x404));
        answers.push(reply.name === 'DIGEST' ? reply.equal : errorOf(reply));
      }
      peer.giveUp();
    });
    assert.deepEqual(answers, [false, false, false, false, OUTSIDE]);
  });

  it('control: a right guess is answered equal, so that the refusals are of the count', async () => {
    const plan = verifyPlan(part(0x400, 4));
    const { fixture, peer, vendor } = fixtureWithVendor(plan, { flash: held });
    await fixture.play(async () => {
      await vendor.begin();
      const reply = await guess(vendor, plan, held);
      assert.ok(reply.name === 'DIGEST' && reply.equal);
      peer.giveUp();
    });
  });

  it('the 200 bytes between two ranges of a plan are not to be asked about alone', async () => {
    const plan = verifyPlan(part(0, 2048), part(2048, GAP), part(2048 + GAP, 2048));
    const { fixture, peer, vendor } = fixtureWithVendor(plan, { flash: held });
    await fixture.play(async () => {
      await vendor.begin();
      const both = await guess(vendor, plan, held, 0, 2);
      assert.ok(both.name === 'DIGEST' && both.equal, 'together with 2048 others they are');
      assert.equal(errorOf(await guess(vendor, plan, held, 1, 1)), OUTSIDE);
      peer.giveUp();
    });
  });

  it('one life after another: 8 loads for a yes, and before the 9th the customer is asked, with the sheet that says so', async () => {
    const plan = verifyPlan(part(0, 4096));
    const { fixture, peer, vendor } = fixtureWithVendor(plan, { flash: held });
    const loads: number[] = [];
    let lives = 0;
    const sheets = fixture.customer.sheets;
    fixture.customer.answer = () => Promise.resolve(sheets.length === 1);
    const outcome = await fixture.play(async () => {
      await vendor.begin();
      for (lives = 1; lives < 20; lives++) {
        loads.push(fixture.memory.loads);
        // The vendor ends a life as soon as it answers no more; here the power does it.
        fixture.hardware.board.powerOff();
        await peer.expect('PROBLEM');
        fixture.hardware.board.powerOn();
        peer.send({ name: 'RESTART' });
        if (lives === LOADS) break;
        await vendor.propose();
        await vendor.shake();
      }
      assert.equal((await peer.expect('PROBLEM')).problem.code, 'BF-JOB-DECLINED');
    });
    assert.deepEqual(loads, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert.deepEqual([sheets.length, outcome.result], [2, 'declined']);
    const sheet = sheets[1]!.lines.join(' ').replace(/\s+/g, ' ');
    assert.match(sheet, /256 times each time our program is started, which one yes covers 8 times/);
  });
});

/** FINAL is a question, too, when it rests on sectors that were not written. */
const FINAL = 1;

describe('honest jobs within the same limits', function () {
  this.timeout(240_000);

  /** Two segments in sector 1 with 200 bytes between them; sector 2 has fewer than 1024 bytes. */
  const gapped = imageOf(
    [FLASH, bootable(40, SECTOR)],
    [FLASH + SECTOR, seededRandom(41).bytes(6000)],
    [FLASH + SECTOR + 6000 + GAP, seededRandom(42).bytes(SECTOR - 6000 - GAP)],
    [FLASH + 2 * SECTOR, seededRandom(43).bytes(500)],
  );
  const SECTORS = [[FLASH, 3 * SECTOR]] as const;
  const clean = flashAfter(new Uint8Array(FLASH_BYTES).fill(0xff), gapped, SECTORS);

  async function delta(flash: Uint8Array) {
    const product = new ProductFixture({ seed: 810, board: { flash } });
    const erased: (number | undefined)[] = [];
    product.board.flash.onOperation = ({ kind, phase, sector }) => {
      if (phase === 'start' && kind === 'erase') erased.push(sector);
    };
    const outcome = await product.flash(gapped, { delta: true, timeouts: TIMEOUTS });
    assert.equal(outcome.error, undefined);
    assert.equal(outcome.agent.result, 'done');
    assert.equal(Buffer.compare(product.board.flash.bytes, flashAfter(flash, gapped, SECTORS)), 0);
    return { erased, left: product.saved.at(-1)!.devices.at(-1)!.questionsLeft };
  }

  it('--delta over a sector with a gap of 200 bytes: one question over all of it, and it is skipped', async () => {
    const { erased, left } = await delta(clean);
    assert.deepEqual(erased, [0]);
    assert.equal(left, 256 - 2 - FINAL, 'a question a sector, gaps included');
  });

  it('what lies in the gap is found', async () => {
    const dirty = clean.slice();
    dirty[SECTOR + 6000 + 100] = 0;
    assert.deepEqual((await delta(dirty)).erased, [0, 1]);
  });

  it('--resume: a sector about whose few bytes nothing is answered is written again, not asked about', async () => {
    const product = new ProductFixture({ seed: 812 });
    const record = product.record(gapped, product.planFor(gapped));
    const events: JobEvent[] = [];
    const first = product.startVendor(gapped, record, events, { timeouts: TIMEOUTS });
    first.done.catch(() => {});
    const agent = product.runAgent(record);
    const told = () => events.filter(({ type }) => type === 'sector').length === 3;
    await product.queue.runUntil(told, 3600e9);
    first.interrupt();
    await product.queue.drive(
      first.done.catch(() => {}),
      60e9,
    );
    const stored = structuredClone(product.saved.at(-1)!);
    assert.deepEqual(stored.acknowledged, [0, 1, 2]);
    const erased: (number | undefined)[] = [];
    product.board.flash.onOperation = ({ kind, phase, sector }) => {
      if (phase === 'start' && kind === 'erase') erased.push(sector);
    };
    const again: JobEvent[] = [];
    const second = product.startVendor(gapped, stored, again, { timeouts: TIMEOUTS });
    const outcome = await product.finish(second, agent, again);
    assert.equal(outcome.agent.result, 'done');
    assert.deepEqual(erased, [0, 2]);
    assert.equal(again.filter(({ type }) => type === 'sealed').length, 1, 'the chip refused no question');
    assert.equal(product.saved.at(-1)!.devices.at(-1)!.questionsLeft, 256 - 1 - FINAL);
  });

  it('sixteen sessions of one program over 24 sectors run the questions out and still end in a receipt', async () => {
    const sectors = sectorsOf(requireChip(0x419), 2048);
    const image = imageOf(
      ...sectors.map(({ base }, index): [number, Uint8Array] => [
        base,
        index === 0 ? bootable(50, 1200) : seededRandom(50 + index).bytes(1200),
      ]),
    );
    const product = new ProductFixture({ seed: 811 });
    const memory = new ShortMemory();
    const record = product.record(image, product.planFor(image));
    const agent = product.runAgent(record, { memory });
    agent.catch(() => {});
    const everything: JobEvent[] = [];
    const lefts: number[] = [];
    for (let session = 1; session < SESSIONS; session++) {
      const events: JobEvent[] = [];
      const from = session === 1 ? record : structuredClone(product.saved.at(-1)!);
      const job = product.startVendor(image, from, events, { timeouts: TIMEOUTS });
      job.done.catch(() => {});
      const done = () => events.filter(({ type }) => type === 'sector').length >= sectors.length - 1;
      await product.queue.runUntil(done, 3600e9);
      job.interrupt();
      await product.queue.drive(
        job.done.catch(() => {}),
        60e9,
      );
      everything.push(...events);
      lefts.push(product.saved.at(-1)!.devices.at(-1)!.questionsLeft);
    }
    const events: JobEvent[] = [];
    const last = product.startVendor(image, structuredClone(product.saved.at(-1)!), events, { timeouts: TIMEOUTS });
    const outcome = await product.finish(last, agent, events);
    assert.equal(outcome.error, undefined);
    assert.equal(outcome.agent.result, 'done');
    assert.equal(product.receipts.length, 1);
    everything.push(...events);
    assert.equal(everything.filter(({ type }) => type === 'sealed').length, SESSIONS, 'of one program');
    assert.equal(memory.loads, 0, 'forgotten with the job');
    assert.equal(product.said.filter((text) => text.startsWith('Starting our program')).length, 1);
    assert.ok(!everything.some(({ type }) => type === 'problem'), 'no question was one too many');
    assert.deepEqual(lefts.slice(0, 3), [256, 256 - (22 + FINAL), 256 - 2 * (22 + FINAL)]);
    assert.equal(lefts.at(-1), 0);
    assert.equal(product.asked.length, 1, 'the chip proved its key each time');
  });
});
