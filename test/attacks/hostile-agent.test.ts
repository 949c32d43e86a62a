// A hostile agent between the vendor and the chip (docs/threat-model.md, "Attacks"): it swaps plans, keys, boards and
// slots, and lies about what it sees.
import assert from 'node:assert/strict';
import { equalBytes } from '../../shared/codec/bytes.ts';
import { BlindflashError, isBlindflashError } from '../../shared/errors/errors.ts';
import { JOB, parseStatus } from '../../shared/mailbox/layout.ts';
import { COMMAND_RING, MEMORY, controlAddress } from '../fixtures/f42x.ts';
import { decodePlan, encodePlan, planHash, type Plan } from '../../shared/plan/plan.ts';
import { takeProbe } from '../fixtures/hostile-probe.ts';
import { bootable, FLASH, flashAfter, imageOf, tinyImage } from '../fixtures/images.ts';
import { EmulatedStub } from '../fixtures/impostor.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import { STUBS } from '../fixtures/board.ts';
import { ProductFixture } from '../fixtures/product.ts';
import { active, smallPlan } from '../integration/firmware/sample-jobs.ts';
import {
  TIMEOUTS,
  SECTOR_0,
  IMAGE,
  held,
  stub,
  requireUntouched,
  requireRefused,
  impostorJob,
} from './hostile-jobs.ts';

/** Every field of a plan, changed so that the plan stays a valid one wherever it can. */
const SWAPS: Readonly<Record<string, (plan: Plan) => Plan>> = {
  kind: (plan) => ({
    ...plan,
    kind: 'verify',
    sectors: [],
    bootAddress: undefined,
    ranges: plan.ranges.map((range) => ({ ...range, use: 'digest' as const })),
  }),
  job: (plan) => ({ ...plan, job: plan.job.map((byte) => byte ^ 1) }),
  devId: (plan) => ({ ...plan, devId: 0x413 }),
  flashKiB: (plan) => ({ ...plan, flashKiB: 1024 }),
  idleLimitMs: (plan) => ({ ...plan, idleLimitMs: plan.idleLimitMs + 1 }),
  sectors: (plan) => ({ ...plan, sectors: [...plan.sectors, 7] }),
  bootAddress: (plan) => ({ ...plan, bootAddress: FLASH + 0x40 }),
  widest: (plan) => ({ ...plan, widest: 'x8' }),
  lock: (plan) => ({ ...plan, lock: 'level 1' }),
  finalAction: (plan) => ({ ...plan, finalAction: 'halt' }),
  'range address and length': (plan) => ({
    ...plan,
    ranges: plan.ranges.map((range) => ({ ...range, length: range.length + 64 })),
  }),
  'one more range': (plan) => ({
    ...plan,
    ranges: [...plan.ranges, { address: FLASH + 0x2000, length: 64, use: 'program' }],
  }),
  'range use': (plan) => ({
    ...plan,
    ranges: [...plan.ranges, { address: FLASH + 0x3000, length: 64, use: 'digest' }],
  }),
  label: (plan) => ({ ...plan, label: 'friendly' }),
};

function swapInJobArea(product: ProductFixture, change: (job: Uint8Array) => Uint8Array): { readonly swaps: number } {
  const seen = { swaps: 0 };
  let length = 0;
  takeProbe(product, {
    write: (address, bytes) => {
      if (address !== MEMORY.job.address) return bytes;
      seen.swaps++;
      const changed = change(bytes);
      length = changed.length;
      new DataView(changed.buffer).setUint32(JOB.fields.length, length, true);
      return changed;
    },
  });
  // JOB_LENGTH goes with it.
  const original = product.probe.bind(product);
  product.probe = () => {
    const probe = original();
    return new Proxy(probe, {
      get(target, name) {
        if (name === 'writeWord') {
          return (address: number, value: number) =>
            target.writeWord(address, address === controlAddress('JOB_LENGTH') && length > 0 ? length : value);
        }
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  };
  return seen;
}

describe('a hostile agent', function () {
  this.timeout(120_000);

  for (const [field, change] of Object.entries(SWAPS)) {
    it(`shows one plan and gives the stub another (${field}): no sealed session, nothing touched`, async () => {
      const product = new ProductFixture({ repeats: true, seed: 310, board: { flash: held } });
      const swap = swapInJobArea(product, (job) => {
        const plan = decodePlan(job.slice(JOB.fields.plan));
        const other = encodePlan(change(plan));
        assert.ok(!equalBytes(other, job.slice(JOB.fields.plan)));
        return Uint8Array.from([...job.slice(0, JOB.fields.plan), ...other]);
      });
      const outcome = await product.flash(IMAGE, { timeouts: TIMEOUTS, givesUpAfterMs: 5000, label: 'honest' });
      assert.ok(swap.swaps >= 1);
      requireRefused(outcome, product);
      requireUntouched(product);
      assert.equal(product.board.options.rdpLevel, 0);
      assert.ok(!outcome.events.some(({ type }) => type === 'sealed'));
    });
  }

  it("changes only the hostEntropy, which is nobody's secret: the job succeeds (and the swapping itself breaks nothing)", async () => {
    const product = new ProductFixture({ repeats: true, seed: 310, board: { flash: held } });
    const swap = swapInJobArea(product, (job) =>
      job.map((byte, at) => (at === JOB.fields.hostEntropy ? byte ^ 1 : byte)),
    );
    const outcome = await product.flash(IMAGE, { timeouts: TIMEOUTS, label: 'honest' });
    assert.equal(swap.swaps, 1);
    assert.equal(outcome.agent.result, 'done');
    assert.equal(Buffer.compare(product.board.flash.bytes, flashAfter(held, IMAGE, SECTOR_0)), 0);
  });

  it("gives the stub another vendor's key: no sealed session", async () => {
    const product = new ProductFixture({ repeats: true, seed: 311, board: { flash: held } });
    swapInJobArea(product, (job) => job.map((byte, at) => (at === JOB.fields.sealedKey ? byte ^ 1 : byte)));
    const outcome = await product.flash(IMAGE, { timeouts: TIMEOUTS, givesUpAfterMs: 5000 });
    requireRefused(outcome, product);
    requireUntouched(product);
  });

  it('splices jobs: a chip that works on the plan of another job gets no session in this one', async () => {
    const product = new ProductFixture({ repeats: true, seed: 312, board: { flash: held } });
    const other = encodePlan(product.planFor(tinyImage(8, 600)));
    const { error, thief } = await impostorJob(product, async (agent) => {
      await agent.opened();
      agent.hello(STUBS.hashes);
      const job = await agent.expect('JOB');
      agent.send({ name: 'CONSENT', yes: true, planHash: planHash(job.plan) });
      const chip = new EmulatedStub({ ...job, plan: other }, stub.hash);
      agent.send({ name: 'SEALED1', stubHash: stub.hash, m1: chip.m1 });
      const { m2 } = await agent.expect('SEALED2');
      assert.throws(
        () => chip.takeM2(m2),
        (reason) => isBlindflashError(reason, 'BF-STUB-AUTHENTICATION'),
      );
      agent.send({ name: 'SEALED3', m3: new Uint8Array(32).fill(1) });
    });
    assert.ok(isBlindflashError(error), String(error));
    const boxes = thief.received.flatMap((message) => (message.name === 'FRAME' ? [message.box.length] : []));
    assert.deepEqual(boxes, [192], 'one ERASE leaves behind M2 (docs/protocol.md §8), and nothing of the image');
  });

  it('swaps the board in the middle: another UID stops the job', async () => {
    const product = new ProductFixture({ repeats: true, seed: 313, board: { flash: held } });
    const { error, thief } = await impostorJob(product, async (agent) => {
      await agent.opened();
      agent.hello(STUBS.hashes);
      const job = await agent.expect('JOB');
      agent.send({ name: 'CONSENT', yes: true, planHash: planHash(job.plan) });
      const first = new EmulatedStub(job, stub.hash, { uid: new Uint8Array(12).fill(1) });
      agent.send({ name: 'SEALED1', stubHash: stub.hash, m1: first.m1 });
      agent.send({ name: 'SEALED3', m3: first.takeM2((await agent.expect('SEALED2')).m2) });
      agent.send({ name: 'CREDIT', upTo: 1000 });
      await agent.expect('FRAME');
      agent.send({ name: 'PROBLEM', problem: { code: 'BF-STUB-SILENT', detail: '', board: 'incomplete' } });
      await agent.expect('RESTART');
      const second = new EmulatedStub(job, stub.hash, { seed: 601, uid: new Uint8Array(12).fill(2) });
      agent.send({ name: 'SEALED1', stubHash: stub.hash, m1: second.m1 });
      const { m2 } = await agent.expect('SEALED2');
      agent.send({ name: 'SEALED3', m3: second.takeM2(m2) });
    });
    assert.ok(isBlindflashError(error, 'BF-JOB-OTHER-BOARD'), String(error));
    assert.equal(thief.names.filter((name) => name === 'SEALED2').length, 1, 'no answer for the second board');
  });
  it('swaps the board before a resumed job, with the real stub', async () => {
    const product = new ProductFixture({ repeats: true, seed: 314, board: { flash: held } });
    const record = { ...product.record(IMAGE, product.planFor(IMAGE)), uid: '00'.repeat(12) };
    const outcome = await product.run(IMAGE, record, { timeouts: TIMEOUTS, givesUpAfterMs: 5000 });
    assert.ok(isBlindflashError(outcome.error, 'BF-JOB-OTHER-BOARD'));
    requireRefused(outcome, product);
    requireUntouched(product);
  });

  it('rewrites every slot after the stub has accepted it: the stub works on its own copy', async () => {
    const product = new ProductFixture({ repeats: true, seed: 315, board: { flash: held } });
    let rewritten = 0;
    let last = 0;
    takeProbe(product, {
      word: async (address, value, probe) => {
        if (address !== controlAddress('STATUS')) return value;
        const { accepted, state } = parseStatus(value);
        if (state === 3 && accepted > last) {
          for (let s = last + 1; s <= accepted; s++, rewritten++) {
            await probe.writeMemory(
              COMMAND_RING.address + (s % COMMAND_RING.slots) * COMMAND_RING.slotSize,
              seededRandom(s).bytes(4092),
            );
          }
          last = accepted;
        }
        return value;
      },
    });
    const image = imageOf([FLASH, bootable(9, 9000)]);
    const outcome = await product.flash(image, { timeouts: TIMEOUTS });
    assert.equal(outcome.agent.result, 'done');
    assert.ok(rewritten >= 4, `${rewritten} slots rewritten`);
    assert.equal(Buffer.compare(product.board.flash.bytes, flashAfter(held, image, SECTOR_0)), 0);
  });

  it('rewrites a slot at any instant between its arrival and its acceptance: accepted as sealed, or not at all', () => {
    const { fixture, controller: vendor } = active(smallPlan());
    vendor.ask({ name: 'ERASE', sector: 0 });
    const data = seededRandom(12).bytes(4032);
    vendor.send({ name: 'IMAGE', address: FLASH + 64, data });
    const from = fixture.board.snapshot();
    const slot = COMMAND_RING.address + (2 % COMMAND_RING.slots) * COMMAND_RING.slotSize;
    const noise = seededRandom(13).bytes(64);
    let [taken, refused] = [0, 0];
    for (let us = 0; us < 2600; us += 50) {
      fixture.board.restore(from);
      fixture.board.runTo(fixture.board.time.now + us * 1000);
      fixture.write(slot + COMMAND_RING.slotSize - 16 - 2048, noise);
      fixture.runMs(60);
      const flash = fixture.board.flash.bytes.slice(64, 64 + data.length);
      const right = Buffer.compare(flash, data) === 0;
      const blank = flash.every((byte) => byte === 0xff);
      assert.ok(right || blank, `${us} µs: something else was programmed`);
      if (right) taken++;
      else refused++;
    }
    assert.ok(taken > 0 && refused > 0, `${taken} taken, ${refused} refused: the instants cover the copy`);
  });

  it('lies about indices the stub could not have reached: coded, and nothing untrue is signed', async () => {
    for (const lie of [0x0000_0040, 0x0020_0000, 0x0f00_0000]) {
      const product = new ProductFixture({ repeats: true, seed: 316, board: { flash: held } });
      let lies = 0;
      takeProbe(product, {
        word: (address, value) => {
          if (address !== controlAddress('STATUS') || parseStatus(value).state !== 3 || lies > 200) return value;
          lies++;
          return (value + lie) >>> 0;
        },
      });
      const outcome = await product.flash(IMAGE, { timeouts: TIMEOUTS, givesUpAfterMs: 5000 });
      assert.ok(lies > 0);
      const right = Buffer.compare(product.board.flash.bytes, flashAfter(held, IMAGE, SECTOR_0)) === 0;
      assert.ok(product.receipts.length === 0 || right);
      assert.ok(outcome.agent.result === 'done' ? right : outcome.agent.error instanceof BlindflashError);
      assert.ok(outcome.receipt !== undefined || outcome.error instanceof BlindflashError);
    }
  });

  it('lies to the vendor with replies that nobody asked for, old ones, and credit for ever: no receipt', async () => {
    for (const deed of ['unasked', 'repeated', 'garbage'] as const) {
      const product = new ProductFixture({ repeats: true, seed: 317, board: { flash: held } });
      const { error, receipt } = await impostorJob(product, async (agent) => {
        await agent.opened();
        agent.hello(STUBS.hashes);
        const job = await agent.expect('JOB');
        agent.send({ name: 'CONSENT', yes: true, planHash: planHash(job.plan) });
        const chip = new EmulatedStub(job, stub.hash);
        agent.send({ name: 'SEALED1', stubHash: stub.hash, m1: chip.m1 });
        agent.send({ name: 'SEALED3', m3: chip.takeM2((await agent.expect('SEALED2')).m2) });
        agent.send({ name: 'CREDIT', upTo: 0xffffffff });
        const reply = chip.take((await agent.expect('FRAME')).box);
        assert.ok(reply);
        agent.send({
          name: 'REPLY',
          ...reply,
          box: deed === 'garbage' ? reply.box.map((byte) => byte ^ 1) : reply.box,
        });
        if (deed === 'repeated') agent.send({ name: 'REPLY', ...reply });
        if (deed === 'unasked') agent.send({ name: 'REPLY', sequence: 5, box: reply.box });
      });
      assert.ok(isBlindflashError(error), `${deed}: ${String(error)}`);
      assert.equal(receipt, undefined);
      assert.deepEqual(product.receipts, []);
    }
  });
});
