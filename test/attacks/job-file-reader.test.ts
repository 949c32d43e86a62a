// H6: who has read the vendor's job file takes his place at the relay, and gets neither a question nor a sector
// (docs/protocol.md §3, §14).
import assert from 'node:assert/strict';
import { ShortMemory } from '../../agent/session/ports.ts';
import { exchangeKeyPair, signingKeyPairFrom } from '../../shared/crypto/keys.ts';
import { isBlindflashError } from '../../shared/errors/errors.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import { ProductFixture } from '../fixtures/product.ts';
import { held, IMAGE, TIMEOUTS, requireUntouched } from './hostile-jobs.ts';
import { tinyImage } from '../fixtures/images.ts';

const FOREIGN = tinyImage(66, 900);

describe('attack: a reader of the job file in the vendor’s place', function () {
  this.timeout(60_000);

  for (const stolen of ['sealed', 'receipt', 'both'] as const) {
    it(`with ${stolen === 'both' ? 'keys' : `a ${stolen} key`} of his own: refused before anybody is asked, nothing touched`, async () => {
      const product = new ProductFixture({ seed: 750, board: { flash: held } });
      const random = seededRandom(751);
      const { sealed, receipt } = product.keys;
      const keys = {
        sealed: stolen === 'receipt' ? sealed : exchangeKeyPair('sealed', random),
        receipt: stolen === 'sealed' ? receipt : signingKeyPairFrom('receipt', random.bytes(32)),
      };
      const record = product.record(FOREIGN, product.planFor(FOREIGN), { codePolicy: 'waived' });
      let questions = 0;
      const job = product.controller({ record, image: FOREIGN, keys, callbacks: {}, timeouts: TIMEOUTS });
      const agent = product.runAgent(record, { askConsent: () => Promise.resolve(++questions > 0) });
      const outcome = await product.finish(job, agent, []);
      assert.equal(outcome.agent.error?.code, 'BF-JOB-OTHER-VENDOR');
      assert.ok(isBlindflashError(outcome.error));
      assert.deepEqual([questions, product.sheets.length], [0, 0]);
      requireUntouched(product);
      assert.deepEqual(product.receipts, []);
    });
  }

  it('a yes is for one plan, vendor, unit and program: the same plan on another unit is asked about again', async () => {
    let questions = 0;
    const memory = new ShortMemory();
    const first = new ProductFixture({ seed: 752, board: { flash: held } });
    const plan = first.planFor(IMAGE);
    const record = first.record(IMAGE, plan);
    const ask = () => Promise.resolve(++questions > 0);
    const job = first.startVendor(IMAGE, record, [], { timeouts: TIMEOUTS });
    const agent = first.runAgent(record, { memory, askConsent: ask });
    await first.queue.runUntil(() => memory.consent !== undefined, 600e9);
    const { consent } = memory;
    await first.finish(job, agent, []);

    const other = new ProductFixture({ seed: 752, board: { flash: held, seed: 4711 } });
    const again = new ShortMemory();
    again.keepConsent(consent!);
    const outcome = await other.run(IMAGE, other.record(IMAGE, plan), {
      memory: again,
      askConsent: ask,
      timeouts: TIMEOUTS,
    });
    assert.equal(outcome.agent.result, 'done');
    assert.equal(questions, 2, 'the second unit is a question of its own');
  });

  it('control: on the same unit the remembered yes is enough', async () => {
    let questions = 0;
    const make = () => new ProductFixture({ seed: 753, board: { flash: held } });
    const [first, second] = [make(), make()];
    const plan = first.planFor(IMAGE);
    const memory = new ShortMemory();
    const ask = () => Promise.resolve(++questions > 0);
    const job = first.startVendor(IMAGE, first.record(IMAGE, plan), [], { timeouts: TIMEOUTS });
    const agent = first.runAgent(first.running!.record, { memory, askConsent: ask });
    await first.queue.runUntil(() => memory.consent !== undefined, 600e9);
    const { consent } = memory;
    await first.finish(job, agent, []);
    const again = new ShortMemory();
    again.keepConsent(consent!);
    await second.run(IMAGE, second.record(IMAGE, plan), { memory: again, askConsent: ask, timeouts: TIMEOUTS });
    assert.equal(questions, 1);
  });
});
