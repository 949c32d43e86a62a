// A receipt held against an image, offline: the vendor's own, the customer's copy with the salt of the vendor's, other
// images, and the kinds of job that leave one.
import assert from 'node:assert/strict';
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verifyReceiptFile } from '../../cli/vendor/receipt.ts';
import { compileVerify } from '../../controller/plan/compile.ts';
import { digestsFor } from '../../controller/plan/receipt-image.ts';
import { requireChip } from '../../shared/chips/index.ts';
import { fromHex, toHex } from '../../shared/codec/bytes.ts';
import { isBlindflashError } from '../../shared/errors/errors.ts';
import { CustomerReceiptSchema, formatSigned, ReceiptSchema, type SignedText } from '../../shared/plan/receipt.ts';
import { bootable, FLASH, FLASH_BYTES, flashAfter, imageOf } from '../fixtures/images.ts';
import { ProductFixture } from '../fixtures/product.ts';

const chip = requireChip(0x419);
const program = bootable(80, 0x500);
const image = imageOf([FLASH, program]);
const receiptOf = ({ text }: SignedText) => ReceiptSchema.parse(JSON.parse(text));

describe('a receipt and an image', () => {
  let product: ProductFixture;
  let written: SignedText;
  let copy: SignedText;
  let folder: string;
  before(async () => {
    product = new ProductFixture({ seed: 80 });
    const outcome = await product.flash(image);
    written = outcome.receipt!;
    copy = outcome.agent.receipt!;
    folder = mkdtempSync(join(tmpdir(), 'bf-receipt-'));
    const { job, uid } = receiptOf(written);
    for (const sub of ['receipts', 'jobs']) mkdirSync(join(folder, sub), { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, 'receipts', `${job}-${uid}.receipt`), formatSigned(written), { mode: 0o600 });
    writeFileSync(join(folder, 'vendor.receipt'), formatSigned(written));
    writeFileSync(join(folder, 'copy.receipt'), formatSigned(copy));
    writeFileSync(join(folder, 'program.bin'), program);
    writeFileSync(join(folder, 'other.bin'), bootable(81, 0x500));
    writeFileSync(join(folder, 'longer.bin'), bootable(80, 0x504));
  });
  after(() => rmSync(folder, { recursive: true }));

  /** What `receipt verify` says with --json, or its error. */
  async function verify(file: string, name: string, home = folder): Promise<unknown> {
    const options = {
      image: [join(folder, name)],
      base: '0x08000000',
      home,
      json: true,
      key: toHex(product.keys.receipt.publicKey),
    };
    const said: string[] = [];
    const write = process.stdout.write.bind(process.stdout);
    process.stdout.write = (text: string | Uint8Array) => said.push(String(text)) > 0;
    try {
      await verifyReceiptFile({ file: join(folder, file), ...options });
    } finally {
      process.stdout.write = write;
    }
    return (JSON.parse(said.join('')) as { imageIs?: string }).imageIs;
  }

  it('is for the image that was written, and for no other', async () => {
    for (const file of ['vendor.receipt', 'copy.receipt']) {
      assert.equal(await verify(file, 'program.bin'), 'same');
      for (const name of ['other.bin', 'longer.bin']) {
        await assert.rejects(verify(file, name), (error) => isBlindflashError(error, 'BF-IMAGE-RECEIPT'));
      }
    }
  });

  it('a customer’s copy is compared only where the vendor’s receipt of the job is', async () => {
    const nowhere = join(folder, 'nowhere');
    await assert.rejects(verify('copy.receipt', 'program.bin', nowhere), (error) =>
      isBlindflashError(error, 'BF-USAGE'),
    );
    assert.equal(await verify('vendor.receipt', 'program.bin', nowhere), 'same');
    assert.equal(CustomerReceiptSchema.parse(JSON.parse(copy.text)).job, receiptOf(written).job);
  });

  it('a job that left sectors alone and one that only compared leave digests of the same image', async () => {
    const delta = await new ProductFixture({ seed: 82 }).flash(image, { delta: true });
    const flash = flashAfter(new Uint8Array(FLASH_BYTES).fill(0xff), image, []);
    const board = new ProductFixture({ seed: 83, board: { flash } });
    const plan = compileVerify(image, chip, { job: board.random.bytes(16), where: true });
    const verified = await board.flash(image, { plan });
    for (const { receipt } of [delta, verified]) {
      const facts = receiptOf(receipt!);
      assert.ok(digestsFor(facts, image, chip, 'found').includes(toHex(fromHex(facts.imageDigest!))));
    }
  });

  it('an erase has no image', () => {
    assert.throws(
      () => digestsFor({ outcome: 'erased', flashKiB: 2048, ranges: 0, bytes: 0 }, image, chip, 'found'),
      (error) => isBlindflashError(error, 'BF-IMAGE-RECEIPT'),
    );
  });
});
