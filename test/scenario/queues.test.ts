// No queue grows with the image or with patience (docs/reliability.md, "Queues"): a large image on its way to a
// customer whose line is slow and loses messages, from a vendor whose line is fast.
import assert from 'node:assert/strict';
import { MeasuredProduct } from '../../bench/job/product.ts';
import { oldContents, randomImage } from '../../bench/job/images.ts';
import { IMAGE_DATA_BYTES } from '../../shared/sealed/messages.ts';
import { LINK } from '../../shared/link/limits.ts';
import { overfull, QUEUE_BOUNDS, watchQueues, type QueueName } from '../fixtures/queue-peaks.ts';

const KIB = 768;

describe('queues', function () {
  this.timeout(300_000);

  it('a slow customer who loses messages, a fast vendor: every queue stays below its bound, and the relay holds the vendor back', async () => {
    const queues = watchQueues();
    try {
      const network = { rttMs: 300, bitsPerSecond: 100e6, agentBitsPerSecond: 1e6, agentShare: 0.9, loss: 0.005 };
      const product = new MeasuredProduct({ seed: 1, probe: 'v2-1', network, flash: oldContents(true) });
      const image = randomImage(KIB, 801, 0.95);
      const record = product.record(image, product.plan(image));
      const vendor = product.startJob(image, record);
      const [{ receipt }, agent] = await product.drive(Promise.all([vendor.done, product.startAgent(record)]));
      assert.ok(receipt);
      assert.equal(agent.result, 'done');
    } finally {
      queues.remove();
    }
    const { peaks } = queues;
    assert.deepEqual(overfull(peaks), []);
    // The test is one only if the queues were in use: the relay's full, the vendor's as full as his image.
    assert.ok(peaks.relayBytes > LINK.waitingBytes, `relay ${peaks.relayBytes} bytes`);
    assert.ok(peaks.tunnelBoxes > (KIB * 1024) / IMAGE_DATA_BYTES / 4, `${peaks.tunnelBoxes} boxes`);
    assert.ok(peaks.agentFrames > 0 && peaks.agentEvents > 0);
  });

  it('a queue beyond its bound is found', () => {
    for (const name of Object.keys(QUEUE_BOUNDS) as QueueName[]) {
      assert.deepEqual(overfull({ ...QUEUE_BOUNDS }), []);
      assert.equal(overfull({ ...QUEUE_BOUNDS, [name]: QUEUE_BOUNDS[name] + 1 }).length, 1);
    }
  });
});
