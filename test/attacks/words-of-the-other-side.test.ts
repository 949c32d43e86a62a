// M1, M2, M3 and the session's tie to its tunnel: what the other side says is not what is known. A lying LEFT, receipts
// somebody made, an answer of another session, a hash whose beginning agrees (docs/protocol.md §6, §8, §10, §14).
import assert from 'node:assert/strict';
import { parsePriorConsent, coversPlan } from '../../agent/consent/prior-consent.ts';
import type { AgentOutcome } from '../../agent/session/ports.ts';
import { toHex } from '../../shared/codec/bytes.ts';
import { isBlindflashError } from '../../shared/errors/errors.ts';
import { encodePlan, planHash } from '../../shared/plan/plan.ts';
import { formatSigned, parseSigned, verifyCustomerCopy } from '../../shared/plan/receipt.ts';
import { verifyEd25519 } from '../../shared/platform/node/verify-signature.ts';
import { respondSealed } from '../../shared/sealed/handshake.ts';
import { SEALED_SUITES } from '../../shared/sealed/protocol.ts';
import { encodeSessionChoice } from '../../shared/sealed/payloads.ts';
import { STUBS } from '../fixtures/board.ts';
import { ProductFixture } from '../fixtures/product.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import { held, IMAGE, impostorJob, requireUntouched } from './hostile-jobs.ts';
import { HostileVendor } from './hostile-vendor.ts';

/** An honest agent at a hostile vendor's, who has proposed an honest plan. */
async function withVendor(
  seed: number,
  play: (vendor: HostileVendor, product: ProductFixture, plan: Uint8Array) => Promise<void>,
): Promise<{ readonly product: ProductFixture; readonly agent: AgentOutcome }> {
  const product = new ProductFixture({ seed, board: { flash: held } });
  const plan = product.planFor(IMAGE);
  const record = product.record(IMAGE, plan);
  const vendor = new HostileVendor(product, record);
  const played = (async () => {
    await vendor.expect('HELLO');
    const { sealed, receipt } = product.keys;
    vendor.send({
      name: 'JOB',
      sealedPublic: sealed.publicKey,
      receiptPublic: receipt.publicKey,
      hostEntropy: new Uint8Array(32),
      plan: encodePlan(plan),
    });
    await vendor.expect('CONSENT');
    await play(vendor, product, encodePlan(plan));
  })();
  played.catch(() => {});
  const agent = await product.queue.drive(product.runAgent(record), 3600e9);
  return { product, agent };
}

describe('attack: words of the other side', function () {
  this.timeout(60_000);

  for (const [code, heard] of [
    ['BF-JOB-INTERRUPTED', undefined],
    ['BF-JOB-DECLINED', 'written'],
  ] as const) {
    it(`an agent that says the image is in flash, with no frame sent, beside ${code}: its word, and not what the chip proved`, async () => {
      const product = new ProductFixture({ seed: 790 });
      const { error, events } = await impostorJob(product, async (agent) => {
        await agent.opened();
        agent.hello(STUBS.hashes);
        const { plan } = await agent.expect('JOB');
        agent.send({ name: 'CONSENT', yes: true, planHash: planHash(plan) });
        agent.send({ name: 'PROBLEM', problem: { code, detail: '', board: 'written' } });
        agent.send({ name: 'LEFT', left: { board: 'written' } });
      });
      assert.ok(isBlindflashError(error));
      assert.ok(!events.some(({ type }) => type === 'written'));
      const { chipProved, finished, agentSays } = product.saved.at(-1)!;
      assert.deepEqual([chipProved, finished, agentSays], ['untouched', false, heard]);
      assert.deepEqual(product.receipts, []);
    });
  }

  for (const [what, customer] of [
    ['no receipt', { receipt: null, signature: null }],
    ['a receipt somebody made', { receipt: '{"version":"blindflash customer receipt 2"}', signature: 'ab'.repeat(64) }],
  ] as const) {
    it(`a goodbye without any work, with ${what}: the agent does not end in done`, async () => {
      const { agent, product } = await withVendor(791, (vendor) => {
        vendor.send({ name: 'BYE', done: true, customer });
        return Promise.resolve();
      });
      assert.equal(agent.result, 'failed');
      assert.match(agent.error?.code ?? '', /^BF-JOB-(RECEIPT|NOT-DONE)$/);
      requireUntouched(product);
    });
  }

  it('control: the customer’s copy of an honest job, as a file, is genuine; with any character changed it is none', async () => {
    const product = new ProductFixture({ seed: 796 });
    const { agent } = await product.flash(IMAGE);
    const file = formatSigned(agent.receipt!);
    const key = product.keys.receipt.publicKey;
    assert.equal(verifyCustomerCopy(parseSigned(file), verifyEd25519, key).outcome, 'written');
    for (let at = 0; at < file.length - 1; at += 7) {
      const other = file[at] === 'a' ? 'b' : 'a';
      const changed = file.slice(0, at) + other + file.slice(at + 1);
      assert.throws(() => verifyCustomerCopy(parseSigned(changed), verifyEd25519, key), { code: 'BF-JOB-RECEIPT' });
    }
  });

  for (const own of [false, true]) {
    it(`an answer to the chip for ${own ? 'the session of this tunnel (control): taken' : 'another session: the tunnel ends, the chip hears nothing'}`, async () => {
      let answered = false;
      const { agent, product } = await withVendor(793, async (vendor, { keys }, plan) => {
        const { stubHash, m1 } = await vendor.expect('SEALED1');
        const sessionId = own ? vendor.tunnel.sealedSessionId(m1) : new Uint8Array(16).fill(9);
        const { m2 } = respondSealed({
          suite: SEALED_SUITES.sealed,
          staticKey: keys.sealed,
          contexts: [stubHash, planHash(plan)],
          payload2: encodeSessionChoice(sessionId),
          random: seededRandom(5),
          m1,
        });
        vendor.send({ name: 'SEALED2', m2 });
        await vendor.expect(own ? 'SEALED3' : 'PROBLEM');
        answered = own;
        vendor.send({ name: 'BYE', done: false, failure: { code: 'BF-JOB-INTERRUPTED', detail: '' } });
      });
      assert.equal(answered, own);
      assert.equal(agent.error?.code, own ? 'BF-JOB-INTERRUPTED' : 'BF-TUNNEL-ORDER');
      requireUntouched(product);
    });
  }

  it('--yes takes all 128 digits: two plans that agree in 64 bits are told apart, and so are two vendors of one plan', () => {
    const plan = new ProductFixture({ seed: 795 }).planFor(IMAGE);
    const hash = planHash(encodePlan(plan));
    const vendor = new Uint8Array(32).fill(0xab);
    for (const digits of [16, 40, 127]) {
      assert.throws(
        () => parsePriorConsent(toHex(hash).slice(0, digits), 'ab'.repeat(10)),
        (error) => isBlindflashError(error, 'BF-USAGE'),
      );
    }
    const agreed = parsePriorConsent(toHex(hash), 'ab'.repeat(10))!;
    const collision = hash.map((byte, at) => (at < 8 ? byte : byte ^ 1));
    assert.equal(coversPlan(agreed, { plan, planHash: collision, vendor }), false);
    assert.equal(coversPlan(agreed, { plan, planHash: hash, vendor: vendor.map((byte) => byte ^ 1) }), false);
    assert.equal(coversPlan(agreed, { plan, planHash: hash, vendor }), true);
  });
});
