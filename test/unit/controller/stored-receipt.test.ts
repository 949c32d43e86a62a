// A receipt that stands in the store was put there by this vendor's keys or by somebody else: only the vendor's own,
// for this job, plan and unit, is signed again, as the customer's copy or with the lock (docs/protocol.md §10).
import assert from 'node:assert/strict';
import { compileFlash } from '../../../controller/plan/compile.ts';
import { STM32F42X } from '../../../shared/chips/index.ts';
import { signingKeyPairFrom } from '../../../shared/crypto/keys.ts';
import { toHex } from '../../../shared/codec/bytes.ts';
import { signReceipt, type Receipt, type SignedText } from '../../../shared/plan/receipt.ts';
import { seeded } from '../shared/support.ts';
import { failing, JOB, JobFixture, KEYS, sampleImage } from './job-fixture.ts';
import { MemoryJobStore } from './memory-job-store.ts';

/** A store somebody else can write to: in place of each receipt stands what he puts there. */
class PlantedStore extends MemoryJobStore {
  readonly #planted: SignedText;

  constructor(planted: SignedText) {
    super();
    this.#planted = planted;
  }

  override receipt(): Promise<SignedText> {
    return Promise.resolve(this.#planted);
  }
}

const OTHER_KEY = signingKeyPairFrom('receipt', seeded('somebody').bytes(32));

/** Each way in which a stored receipt may be another one, made from the right one. */
const PLANTED: Readonly<Record<string, (honest: Receipt) => SignedText>> = {
  'with a changed text and no signature': (honest) => ({
    text: JSON.stringify({ ...honest, outcome: 'lock programmed', code: 'waived' }),
    signature: '00'.repeat(64),
  }),
  'with the signature of another key': (honest) =>
    signReceipt({ ...honest, vendorKey: toHex(OTHER_KEY.publicKey) }, OTHER_KEY),
  'of another job': (honest) => signReceipt({ ...honest, job: 'ee'.repeat(16) }, KEYS.receipt),
  'of another unit': (honest) => signReceipt({ ...honest, uid: 'ff'.repeat(12) }, KEYS.receipt),
  'of another plan': (honest) => signReceipt({ ...honest, planHash: 'dd'.repeat(64) }, KEYS.receipt),
};

const receiptIn = ({ stored }: MemoryJobStore): Receipt => JSON.parse([...stored.values()].at(-1)!.text) as Receipt;

describe('controller: a receipt in the store that is not this job’s own', () => {
  for (const [which, plant] of Object.entries(PLANTED)) {
    it(`${which}: no customer’s copy is made of it when a finished job is gone on with`, async () => {
      const first = new JobFixture({ faults: { keepsBoard: true } });
      await first.finish();
      const store = new PlantedStore(plant(receiptIn(first.store)));
      const { board, agent } = first;
      const { fixture } = await failing('BF-JOB-STORED-RECEIPT', {
        board,
        store,
        record: first.store.last,
        resume: agent.secrets,
      });
      assert.equal(fixture.agent.bye, undefined);
    });

    it(`${which}: LOCK is not added to it`, async () => {
      const image = sampleImage();
      const plan = compileFlash(image, STM32F42X, { job: JOB, label: 'test', lock: 'level 1' });
      const honest = new JobFixture({ plan, image });
      await honest.finish();
      const before: Receipt = { ...receiptIn(honest.store), outcome: 'written', lock: { asked: true, optcr: null } };
      const store = new PlantedStore(plant(before));
      const { fixture } = await failing('BF-JOB-STORED-RECEIPT', { plan, image, store });
      assert.deepEqual(store.outcomes, []);
      assert.deepEqual(fixture.eventsOf('locked'), []);
    });
  }

  it('a row that is no receipt at all is told in the same way', async () => {
    const store = new PlantedStore({ text: 'one line', signature: '' });
    const first = new JobFixture({ faults: { keepsBoard: true } });
    await first.finish();
    const { board, agent } = first;
    await failing('BF-JOB-STORED-RECEIPT', { board, store, record: first.store.last, resume: agent.secrets });
  });
});
