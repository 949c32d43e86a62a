// The attacks with names (docs/threat-model.md, "Attacks"), with somebody hostile in the place of the customer or the
// vendor. Those that `host-blind` does not stop are here too, and must succeed: our words say that they do.
import assert from 'node:assert/strict';
import { leakScanner } from '../../cli/demo/leak-scan.ts';
import { isBlindflashError } from '../../shared/errors/errors.ts';
import { parseStatus } from '../../shared/mailbox/layout.ts';
import { MEMORY, controlAddress } from '../fixtures/f42x.ts';
import { ReceiptSchema } from '../../shared/plan/receipt.ts';
import { modeRow } from '../../shared/plan/modes.ts';
import { Board } from '../../sim/board.ts';
import { takeProbe } from '../fixtures/hostile-probe.ts';
import { bootable, FLASH, flashAfter, imageOf } from '../fixtures/images.ts';
import type { EmulatedStub } from '../fixtures/impostor.ts';
import { Impostor } from '../fixtures/impostor.ts';
import { recordJob } from '../fixtures/power-record.ts';
import { STUBS } from '../fixtures/board.ts';
import { ProductFixture } from '../fixtures/product.ts';
import { isUnused } from '../../controller/job/invite.ts';
import type { JobEvent } from '../../controller/job/ports.ts';
import { TIMEOUTS, SECTOR_0, IMAGE, held, impostorJob, emulate } from './hostile-jobs.ts';

describe('attacks on the invite', function () {
  this.timeout(60_000);

  it('a thief is faster than the customer: the code he would have to read out is not his; no plan and no frame leave', async () => {
    const product = new ProductFixture({ repeats: true, seed: 300, board: { flash: held } });
    const record = product.record(IMAGE, product.planFor(IMAGE));
    const events: JobEvent[] = [];
    let customer: Impostor | undefined;
    // The vendor asks on the telephone; the customer starts, and has no code to read: his tunnel does not open.
    const typeCode = (): Promise<string | undefined> => {
      customer = new Impostor(product, record.room, 501);
      return new Promise((resolve) => product.queue.after(6000, () => resolve(customer?.code)));
    };
    const job = product.startVendor(IMAGE, record, events, { timeouts: TIMEOUTS, typeCode });
    const thief = new Impostor(product, record.room);
    const script = async (): Promise<void> => {
      await thief.opened();
      thief.hello(STUBS.hashes);
      await thief.expect('JOB');
    };
    script().catch(() => {});
    await assert.rejects(product.queue.drive(job.done, 600e9), (error) => isBlindflashError(error));
    assert.equal(customer?.code, undefined);
    assert.notEqual(thief.code, undefined);
    assert.deepEqual(
      thief.names.filter((name) => name !== 'BYE'),
      [],
      'not even the plan',
    );
    assert.deepEqual(product.receipts, []);
    thief.close();
    customer?.close();
  });

  it('the invite is dead after the first tunnel: its secret opens nothing, not even for a vendor who resumes', async () => {
    const product = new ProductFixture({ repeats: true, seed: 301, board: { flash: held } });
    const record = product.record(IMAGE, product.planFor(IMAGE));
    const first = await product.run(IMAGE, record);
    assert.equal(first.agent.result, 'done');
    const stored = { ...product.saved.at(-1)!, finished: false };
    assert.equal(isUnused(stored.room), false);
    const events: JobEvent[] = [];
    const again = product.startVendor(IMAGE, stored, events, { timeouts: { ...TIMEOUTS, arrival: 20_000 } });
    const thief = new Impostor(product, stored.room);
    await assert.rejects(product.queue.drive(again.done, 1e13), (error) => isBlindflashError(error));
    assert.equal(thief.code, undefined);
    assert.ok(!events.some(({ type }) => type === 'tunnel'));
    thief.close();
  });
});

describe('what host-blind does not stop, and says so', function () {
  this.timeout(60_000);

  it('an emulated customer: a program in place of the chip gets the whole image, and a receipt that claims no chip', async () => {
    const product = new ProductFixture({ repeats: true, seed: 330 });
    let chip: EmulatedStub | undefined;
    const { error, receipt, events } = await impostorJob(product, async (agent) => {
      chip = await emulate(agent);
    });
    assert.equal(error, undefined);
    assert.ok(receipt && events.some(({ type }) => type === 'written'));
    for (const { address, bytes } of IMAGE.segments) {
      assert.deepEqual(chip?.flash.slice(address - FLASH, address - FLASH + bytes.length), bytes);
    }
    const { statement } = ReceiptSchema.parse(JSON.parse(product.receipts[0]!.text));
    assert.match(statement, /does not prove that a chip exists/);
  });

  it('a program that reads CCM while the job runs finds plaintext', async () => {
    const product = new ProductFixture({ repeats: true, seed: 331, board: { flash: held } });
    const image = imageOf([FLASH, bootable(14, 12_000)]);
    const scanner = leakScanner(image.segments[0]!.bytes);
    let found = 0;
    takeProbe(product, {
      word: async (address, value, probe) => {
        if (
          address === controlAddress('STATUS') &&
          parseStatus(value).state === 3 &&
          parseStatus(value).accepted >= 2
        ) {
          found += scanner.find(await probe.readMemory(MEMORY.private.address, MEMORY.private.size)).length;
        }
        return value;
      },
    });
    const outcome = await product.flash(image, { timeouts: TIMEOUTS });
    assert.equal(outcome.agent.result, 'done');
    assert.ok(found > 0, 'the plaintext is there for milliseconds');
    assert.ok(modeRow('host-blind').receipt, 'and the trust sentence of the mode exists');
  });

  it('a snapshot of the chip set down on a second board: both finish, one receipt', async () => {
    const image = imageOf([FLASH, bootable(15, 3000)]);
    const options = { seed: 332, board: { flash: held } };
    const record = await recordJob(options, image);
    const twin = new Board({ seed: 999, ...options.board });
    twin.restore(record.snapshots.at(-1)!);
    twin.runTo(twin.time.now + 2e9);
    const wanted = flashAfter(held, image, SECTOR_0);
    assert.equal(Buffer.compare(record.product.board.flash.bytes, wanted), 0);
    assert.equal(Buffer.compare(twin.flash.bytes, wanted), 0);
    assert.equal(record.product.receipts.length, 1);
    assert.match(ReceiptSchema.parse(JSON.parse(record.product.receipts[0]!.text)).statement, /how many/);
  });
});
