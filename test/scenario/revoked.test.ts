// What an invite is still good for at the relay once its job is over, or once it is spent: nothing
// (docs/protocol.md §2, REVOKE).
import assert from 'node:assert/strict';
import type { JobEvent } from '../../controller/job/ports.ts';
import { tinyImage } from '../fixtures/images.ts';
import { ProductFixture } from '../fixtures/product.ts';

const IMAGE = tinyImage();

describe('an invite at the relay', function () {
  this.timeout(60_000);

  it('opens the room no more when its job is over', async () => {
    const product = new ProductFixture({ repeats: true });
    const record = product.record(IMAGE, product.planFor(IMAGE));
    const { agent } = await product.run(IMAGE, record);
    assert.equal(agent.result, 'done');
    const again = await product.queue.drive(product.runAgent(record), 3600e9);
    assert.equal(again.error?.code, 'BF-INVITE-REVOKED');
  });

  it('opens the room no more when three codes were wrong', async () => {
    const product = new ProductFixture({ repeats: true });
    const record = product.record(IMAGE, product.planFor(IMAGE));
    const events: JobEvent[] = [];
    const job = product.startVendor(IMAGE, record, events, { typeCode: () => 'AAA-AAA' });
    const { agent, receipt } = await product.finish(job, product.runAgent(record), events);
    assert.equal(agent.result, 'failed');
    assert.equal(receipt, undefined);
    const again = await product.queue.drive(product.runAgent(record), 3600e9);
    assert.equal(again.error?.code, 'BF-INVITE-REVOKED');
  });

  it('opens the room as ever while its job is under way', async () => {
    const product = new ProductFixture({ repeats: true });
    const record = product.record(IMAGE, product.planFor(IMAGE));
    const events: JobEvent[] = [];
    const job = product.startVendor(IMAGE, record, events);
    const agent = product.runAgent(record);
    await product.queue.runUntil(() => events.some(({ type }) => type === 'sealed'));
    product.dropLink('agent');
    const { receipt } = await product.finish(job, agent, events);
    assert.ok(receipt);
  });
});
