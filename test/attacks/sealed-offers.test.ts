// What an agent may offer as a chip, and what it may be answered: keys no chip makes, kinds that do not belong to the
// mode, an M1 twice, and the session of another tunnel (docs/protocol.md §4, §8).
import assert from 'node:assert/strict';
import { isBlindflashError } from '../../shared/errors/errors.ts';
import { planHash } from '../../shared/plan/plan.ts';
import { STUBS } from '../fixtures/board.ts';
import { EmulatedStub, type Impostor } from '../fixtures/impostor.ts';
import { ProductFixture } from '../fixtures/product.ts';
import { impostorJob, stub } from './hostile-jobs.ts';

const DEVICE_KEY = 104;
const KEY_KIND = 64 + 28;

/**
 * Everything up to the offer, which `change` makes of an honest M1; resolves with the names of what the vendor said.
 */
async function offering(
  seed: number,
  change: (m1: Uint8Array, sealedPublic: Uint8Array) => Uint8Array,
  after: (agent: Impostor, m1: Uint8Array, chip: EmulatedStub) => Promise<void> = () => Promise.resolve(),
): Promise<{ readonly answers: number; readonly error: unknown; readonly receipts: number }> {
  const product = new ProductFixture({ seed });
  const { thief, error } = await impostorJob(product, async (agent) => {
    await agent.opened();
    agent.hello(STUBS.hashes);
    const job = await agent.expect('JOB');
    agent.send({ name: 'CONSENT', yes: true, planHash: planHash(job.plan) });
    const chip = new EmulatedStub(job, stub.hash);
    const m1 = change(chip.m1.slice(), job.sealedPublic);
    agent.send({ name: 'SEALED1', stubHash: stub.hash, m1 });
    await after(agent, m1, chip);
  });
  const answers = thief.names.filter((name) => name === 'SEALED2').length;
  return { answers, error, receipts: product.receipts.length };
}

function withKey(key: Uint8Array | 'e_i' | 'S_r') {
  return (m1: Uint8Array, sealedPublic: Uint8Array): Uint8Array => {
    m1.set(key === 'e_i' ? m1.slice(0, 32) : key === 'S_r' ? sealedPublic : key, DEVICE_KEY);
    return m1;
  };
}

describe('attack: offers no chip makes', function () {
  this.timeout(120_000);
  const ones = (top: number, low: number) => Uint8Array.of(low, ...new Uint8Array(30).fill(0xff), top);
  const rows: [string, (m1: Uint8Array, sealedPublic: Uint8Array) => Uint8Array][] = [
    ['D is zero', withKey(new Uint8Array(32))],
    ['D has low order', withKey(Uint8Array.of(1, ...new Uint8Array(31)))],
    ['D is not canonical (p)', withKey(ones(0x7f, 0xed))],
    ['D is not canonical (bit 255)', withKey(Uint8Array.of(9, ...new Uint8Array(30), 0x80))],
    ['D is e_i', withKey('e_i')],
    ['D is the vendor’s own key', withKey('S_r')],
    ['e_i has low order', (m1) => (m1.fill(0, 0, 32), m1)],
    ['key kind 2 in mode 1', (m1) => ((m1[KEY_KIND] = 2), m1)],
    ['key kind 3', (m1) => ((m1[KEY_KIND] = 3), m1)],
    ['a stub of version 1', (m1) => ((m1[64 + 19] = 1), m1)],
    ['a stub of version 0', (m1) => ((m1[64 + 19] = 0), m1)],
    ['another chip', (m1) => ((m1[64 + 12]! ^= 1), m1)],
    ['another flash size', (m1) => ((m1[64 + 16]! ^= 1), m1)],
    ['a reserved byte that is set', (m1) => ((m1[64 + 39] = 1), m1)],
  ];
  for (const [i, [what, change]] of rows.entries()) {
    it(`${what}: no M2, a reason`, async () => {
      const { answers, error, receipts } = await offering(760 + i, change);
      assert.deepEqual([answers, receipts], [0, 0]);
      assert.ok(isBlindflashError(error), String(error));
    });
  }

  it('control: the same offer unchanged is answered', async () => {
    assert.equal((await offering(780, (m1) => m1)).answers, 1);
  });

  it('the same M1 twice: an answer of its own each (e_r is drawn after it came), and M3 of the first opens nothing of the second', async () => {
    const m2s: Uint8Array[] = [];
    const { error } = await offering(
      781,
      (m1) => m1,
      async (agent, m1, chip) => {
        const first = await agent.expect('SEALED2');
        agent.send({ name: 'SEALED3', m3: new Uint8Array(32).fill(1) });
        await agent.expect('RESTART');
        agent.send({ name: 'SEALED1', stubHash: stub.hash, m1 });
        const second = await agent.expect('SEALED2');
        m2s.push(first.m2, second.m2);
        agent.send({ name: 'SEALED3', m3: chip.takeM2(first.m2) });
      },
    );
    assert.equal(m2s.length, 2);
    assert.notDeepEqual(m2s[0]!.slice(0, 32), m2s[1]!.slice(0, 32));
    assert.ok(isBlindflashError(error), String(error));
  });
});
