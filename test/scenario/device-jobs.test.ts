// What else is done over the serial line, the whole product in one process and virtual time: a device compared with an
// image, and vendor keys that its loader forgets (docs/devices.md; docs/protocol.md §7, "Behind a loader").
import assert from 'node:assert/strict';
import { ReceiptSchema } from '../../shared/plan/receipt.ts';
import { exchangeKeyPairFrom } from '../../shared/crypto/keys.ts';
import { DeviceFixture } from '../fixtures/devices.ts';
import { imageOf } from '../fixtures/images.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import type { RunOutcome } from '../fixtures/product.ts';
import { IMAGE, spinning, SPINS_AT } from '../integration/loader/loader-fixture.ts';

const TIMEOUTS = { arrival: 60_000, peer: 30_000, sealed: 60_000, work: 60_000, left: 5000 };
const GIVES_UP = { timeouts: TIMEOUTS, givesUpAfterMs: 5000 };
const bytes = spinning(150_000);
const image = imageOf([IMAGE, bytes]);

function requireDone(outcome: RunOutcome): void {
  assert.equal(outcome.error, undefined);
  assert.equal(outcome.agent.error, undefined);
  assert.equal(outcome.agent.result, 'done');
}
const codeOf = ({ error }: RunOutcome) => (error as { code?: string } | undefined)?.code;
const receiptOf = ({ receipt }: RunOutcome) => ReceiptSchema.parse(JSON.parse(receipt!.text));
const sheetOf = ({ sheets }: DeviceFixture): string =>
  (JSON.parse(sheets.at(-1)!) as { lines: string[] }).lines.join(' ').replace(/\s+/g, ' ');

describe('a device with a loader: compared with an image', function () {
  this.timeout(120_000);

  it('says equal to what it holds and not to another image, changes nothing, and runs its image afterwards', async () => {
    const product = new DeviceFixture({ seed: 81 });
    requireDone(await product.enrol('bench'));
    requireDone(await product.install(image, 5));
    const before = product.board.flash.bytes.slice(0x10000);
    product.cyclePower();
    const outcome = await product.verify(image);
    requireDone(outcome);
    const { outcome: word, mode, source, imageDigest, device } = receiptOf(outcome);
    assert.deepEqual([word, mode, source, device?.lock], ['verified', 'seeded', 'vendor', 'effective']);
    assert.match(imageDigest ?? '', /^[0-9a-f]{128}$/);
    assert.match(sheetOf(product), /refuses everything that is not on this sheet.* product 4660 program/);
    assert.equal(product.board.core.regs[15]! >>> 0, SPINS_AT, 'the image runs');
    product.cyclePower();
    const other = spinning(150_000);
    other[100_000]! ^= 1;
    const differs = await product.verify(imageOf([IMAGE, other]), GIVES_UP);
    assert.equal(codeOf(differs), 'BF-JOB-DIFFERS');
    assert.equal(differs.receipt, undefined);
    assert.deepEqual(product.board.flash.bytes.slice(0x10000), before);
  });

  it('is asked about nothing of the loader: such an image is refused before anybody is invited', async () => {
    const product = new DeviceFixture({ seed: 82 });
    requireDone(await product.enrol('bench'));
    await assert.rejects(product.verify(imageOf([0x08000000, spinning(1024)])), { code: 'BF-IMAGE-BEHIND-LOADER' });
  });
});

describe('a device with a loader: vendor keys', function () {
  this.timeout(120_000);

  const old = exchangeKeyPairFrom('sealed', seededRandom(91).bytes(32));
  const spare = (seed: number): DeviceFixture =>
    new DeviceFixture({
      seed,
      loaderKeys: (publicKey) => [
        { publicKey: old.publicKey, roles: ['sessions', 'files', 'keys'] },
        { publicKey, roles: ['sessions', 'keys', 'spare'] },
      ],
    });

  it('one clears another: sheet and receipt say it, the cleared one gets nothing any more, the other one does', async () => {
    const product = spare(83);
    requireDone(await product.enrol('bench'));
    const outcome = await product.clearKeys([0]);
    requireDone(outcome);
    assert.equal(receiptOf(outcome).outcome, 'keys cleared');
    assert.match(sheetOf(product), /it forgets key 1 of the keys of its vendor, for ever/);
    product.cyclePower();
    const { keys } = product;
    product.keys = { ...keys, sealed: old };
    const refused = await product.install(image, 5, GIVES_UP);
    assert.equal(codeOf(refused), 'BF-STUB-VENDOR-KEY');
    assert.equal(refused.receipt, undefined);
    product.keys = keys;
    product.cyclePower();
    requireDone(await product.install(image, 5));
  });

  it('the last one with the role cannot clear itself, and one without the role clears none', async () => {
    const product = spare(84);
    requireDone(await product.enrol('bench'));
    assert.equal(codeOf(await product.clearKeys([1], GIVES_UP)), 'BF-STUB-VENDOR-KEY');
    const other = new DeviceFixture({ seed: 85 });
    requireDone(await other.enrol('bench'));
    assert.equal(codeOf(await other.clearKeys([1], GIVES_UP)), 'BF-STUB-VENDOR-KEY');
  });
});
