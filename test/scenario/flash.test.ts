// The whole product in one process: image in, board running it, receipt out (docs/architecture.md;
// docs/protocol.md §9, §10).
import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { compileErase, compileFlash, compileInfo, compileReset, compileVerify } from '../../controller/plan/compile.ts';
import { readImage, type Image } from '../../controller/image/image.ts';
import { findChip } from '../../shared/chips/index.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import { ReceiptSchema, type SignedText } from '../../shared/plan/receipt.ts';
import { isBlindflashError } from '../../shared/errors/errors.ts';
import { bootable, FLASH, FLASH_BYTES, flashAfter, imageOf, tinyImage } from '../fixtures/images.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import { ProductFixture, type RunOutcome } from '../fixtures/product.ts';

const elf = new URL('../../examples/bootloader/prebuilt/combined.elf', import.meta.url);
const realImage = (): Image => readImage(new Uint8Array(readFileSync(elf)), { name: 'combined.elf' });
const SECTOR_0 = [[FLASH, 0x4000]] as const;
const DHCSR = 0xe000edf0;
const DEMCR = 0xe000edfc;
const FP_CTRL = 0xe0002000;
const DBGMCU = [0xe0042004, 0xe0042008, 0xe004200c] as const;

function chip() {
  const found = findChip(0x419);
  assert.ok(found);
  return found;
}

/** The signature by node:crypto alone, from the receipt's own key (RFC 8410 prefix for Ed25519). */
function signedBy({ text, signature }: SignedText): string {
  const { vendorKey } = JSON.parse(text) as { vendorKey: string };
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.from(vendorKey, 'hex')]);
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
  const message = Buffer.concat([Buffer.from('blindflash/2 receipt\0'), Buffer.from(text)]);
  assert.ok(verify(null, message, key, Buffer.from(signature, 'hex')), 'the receipt is signed');
  const altered = Buffer.from(message);
  altered[30]! ^= 1;
  assert.ok(!verify(null, altered, key, Buffer.from(signature, 'hex')));
  return vendorKey;
}

function traceOf(product: ProductFixture): string {
  const { captures, capturedAt, queue, board } = product;
  const hash = createHash('sha256');
  for (const part of [...captures.relay, ...captures.usb]) hash.update(`${part.length} `).update(part);
  hash.update(JSON.stringify([captures.swd, capturedAt, queue.nowNs, queue.executed, board.time.cycles]));
  return hash.digest('hex');
}

function requireDone(outcome: RunOutcome): void {
  assert.equal(outcome.error, undefined);
  assert.equal(outcome.agent.error, undefined);
  assert.equal(outcome.agent.result, 'done');
}

/** Settings an earlier debugger left, which every job must leave as they were. */
function disturb(product: ProductFixture): ReadonlyMap<number, number> {
  const { bus } = product.board;
  product.board.runTo(5e6);
  bus.write(FP_CTRL, 3, 4, 'debugger');
  bus.write(DBGMCU[0], 0x7, 4, 'debugger');
  bus.write(DBGMCU[2], 0x2, 4, 'debugger');
  bus.write(DEMCR, 0x01000000, 4, 'debugger');
  return debugSettings(product);
}

function debugSettings(product: ProductFixture): ReadonlyMap<number, number> {
  const read = (address: number) => [address, product.board.bus.read(address, 4, 'debugger') >>> 0] as const;
  return new Map([DEMCR, FP_CTRL, ...DBGMCU].map(read));
}

function planOf(product: ProductFixture, make: typeof compileInfo): Plan {
  return make(chip(), { job: product.random.bytes(16) });
}

describe('a job from end to end', function () {
  this.timeout(60_000);

  for (const probe of ['v2', 'v2-1', 'v3'] as const) {
    it(`a random image over ${probe}: flash is the image, codes agree, the debug unit is as found, the receipt verifies`, async () => {
      const before = new Uint8Array(FLASH_BYTES).fill(0xff);
      before.set(seededRandom(70).bytes(0x20000));
      const product = new ProductFixture({ seed: 40, probe, board: { flash: before } });
      const found = disturb(product);
      const image = imageOf([FLASH, bootable(41, 9000)]);
      const outcome = await product.flash(image, { label: 'a label' });
      requireDone(outcome);
      const wanted = flashAfter(before, image, SECTOR_0);
      assert.equal(Buffer.compare(product.board.flash.bytes, wanted), 0);
      assert.match(product.codes.agent[0] ?? '', /^[0-9A-HJKMNP-TV-Z]{3}-[0-9A-HJKMNP-TV-Z]{3}$/);
      assert.deepEqual([product.asked.length, product.answers], [1, ['right']]);
      assert.equal(product.board.bus.read(DHCSR, 4, 'debugger') & 1, 0, 'C_DEBUGEN is off');
      assert.deepEqual(debugSettings(product), found);
      assert.equal(outcome.agent.board, 'running');
      const pc = product.board.core.regs[15]! >>> 0;
      assert.ok(pc >= FLASH && pc < FLASH + 0x60, `the image runs at ${pc.toString(16)}`);
      const receipt = ReceiptSchema.parse(JSON.parse(outcome.receipt!.text));
      assert.equal(signedBy(outcome.receipt!), Buffer.from(product.keys.receipt.publicKey).toString('hex'));
      assert.deepEqual(
        [receipt.outcome, receipt.bytes, receipt.psize, receipt.mode],
        ['written', 9000, 'x32', 'host-blind'],
      );
      assert.equal(product.receipts.length, 1);
      const copy = outcome.agent.receipt;
      assert.ok(copy !== undefined);
      signedBy(copy);
      assert.ok(!copy.text.includes(receipt.imageDigest!), 'the customer is not told the digest');
      const salted = createHash('sha512')
        .update(Buffer.from(receipt.salt + receipt.imageDigest, 'hex'))
        .digest('hex');
      assert.ok(copy.text.includes(salted));
    });
  }

  it('the digest in the receipt is the one anybody can compute from the image', async () => {
    const product = new ProductFixture({ seed: 43 });
    const bytes = bootable(44, 500);
    const outcome = await product.flash(imageOf([FLASH, bytes]));
    const erased = Buffer.from(bytes).fill(0xff, 0, 64);
    const digest = createHash('sha512').update(erased).digest();
    const head = Buffer.alloc(12);
    head.writeUInt32LE(1, 0);
    head.writeUInt32LE(FLASH, 4);
    head.writeUInt32LE(500, 8);
    const root = createHash('sha512').update('blindflash/2 root').update(head).update(digest).digest();
    const words = bytes.subarray(0, 64);
    const written = createHash('sha512').update('blindflash/2 written').update(root).update(words).digest('hex');
    assert.equal(ReceiptSchema.parse(JSON.parse(outcome.receipt!.text)).imageDigest, written);
  });

  it('the real image: it boots and greets on its serial line', async () => {
    const product = new ProductFixture({ seed: 50 });
    const image = realImage();
    let text = '';
    product.board.uart.onByte = (byte) => (text += String.fromCharCode(byte));
    const outcome = await product.flash(image);
    requireDone(outcome);
    for (const { address, bytes } of image.segments) {
      assert.deepEqual(product.board.flash.bytes.slice(address - FLASH, address - FLASH + bytes.length), bytes);
    }
    product.board.powerOff();
    text = '';
    product.board.powerOn();
    product.board.runTo(product.board.time.now + 300e6);
    assert.match(text, /The example application 1\.0 is running/);
    assert.match(text, /Started by the bootloader/);
  });

  it('the same seed twice gives the same trace, another seed another one', async () => {
    const run = async (seed: number) => {
      const product = new ProductFixture({ seed });
      requireDone(await product.flash(tinyImage()));
      return traceOf(product);
    };
    const [a, b, c] = [await run(60), await run(60), await run(61)];
    assert.equal(a, b);
    assert.notEqual(a, c);
  });

  it('a plan that locks: the receipt says so, after a power cycle the board reads as level 1 and takes no further job', async () => {
    const product = new ProductFixture({ seed: 65 });
    const image = tinyImage();
    const outcome = await product.flash(image, { lock: 'level 1' });
    requireDone(outcome);
    const receipt = ReceiptSchema.parse(JSON.parse(outcome.receipt!.text));
    assert.equal(receipt.outcome, 'lock programmed');
    assert.equal(receipt.lock.asked, true);
    assert.notEqual((receipt.lock.optcr! >>> 8) & 0xff, 0xaa);
    assert.equal(product.receipts.length, 2, 'written first, locked afterwards');
    product.board.powerOff();
    product.board.powerOn();
    product.board.runTo(product.board.time.now + 5e6);
    assert.equal(product.board.options.rdpLevel, 1);
    const pc = product.board.core.regs[15]! >>> 0;
    assert.ok(pc >= FLASH && pc < FLASH + 0x60, 'it runs the image');
    const again = await product.flash(image);
    assert.ok(isBlindflashError(again.error, 'BF-TARGET-RDP1'));
    assert.equal(again.agent.result, 'failed');
    assert.equal(again.receipt, undefined);
  });

  it('verify: right and wrong images are told apart, nothing is written', async () => {
    const image = tinyImage();
    const held = flashAfter(new Uint8Array(FLASH_BYTES).fill(0xff), image, SECTOR_0);
    for (const [flash, right] of [
      [held, true],
      [held.map((byte, at) => (at === 200 ? byte ^ 4 : byte)), false],
    ] as const) {
      const product = new ProductFixture({ seed: 70, board: { flash } });
      const journal: string[] = [];
      product.board.flash.onOperation = ({ kind }) => journal.push(kind);
      const plan = compileVerify(image, chip(), { job: product.random.bytes(16) });
      const outcome = await product.flash(image, { plan });
      assert.deepEqual(journal, []);
      assert.equal(outcome.agent.board, 'running');
      if (right) {
        requireDone(outcome);
        assert.equal(ReceiptSchema.parse(JSON.parse(outcome.receipt!.text)).outcome, 'verified');
      } else {
        assert.ok(isBlindflashError(outcome.error, 'BF-JOB-DIFFERS'));
        assert.equal(outcome.receipt, undefined);
      }
    }
  });

  it('data: what the board starts from stays, all of it is written, and the customer is told', async () => {
    const flash = new Uint8Array(FLASH_BYTES).fill(0x5a);
    flash.set(bootable(73, 0x400));
    const product = new ProductFixture({ seed: 73, board: { flash } });
    const image = imageOf(
      [FLASH + 0x4000, seededRandom(74).bytes(0x4400)],
      [FLASH + 0x100000, seededRandom(75).bytes(60)],
    );
    const plan = compileFlash(image, chip(), { job: product.random.bytes(16), boot: 'none' });
    const outcome = await product.flash(image, { plan });
    requireDone(outcome);
    const sectors = [
      [FLASH + 0x4000, 0x8000],
      [FLASH + 0x100000, 0x4000],
    ] as const;
    assert.equal(Buffer.compare(product.board.flash.bytes, flashAfter(flash, image, sectors)), 0);
    assert.match(
      product.sheets[0]!,
      /This is data: it is written in order, and what your board starts from is[^a-z]+not touched/,
    );
    assert.equal(ReceiptSchema.parse(JSON.parse(outcome.receipt!.text)).outcome, 'written');
    assert.equal(outcome.agent.board, 'running');
  });

  it('erase: exactly the sectors of the plan', async () => {
    const flash = seededRandom(71).bytes(FLASH_BYTES);
    const product = new ProductFixture({ seed: 72, board: { flash } });
    const plan = compileErase(chip(), { job: product.random.bytes(16), sectors: [2, 13] });
    const outcome = await product.run(undefined, product.record(undefined, plan));
    requireDone(outcome);
    const wanted = flash.slice().fill(0xff, 0x8000, 0xc000).fill(0xff, 0x104000, 0x108000);
    assert.equal(Buffer.compare(product.board.flash.bytes, wanted), 0);
    assert.equal(ReceiptSchema.parse(JSON.parse(outcome.receipt!.text)).outcome, 'erased');
    assert.equal(outcome.agent.board, 'erased', 'what the customer is told');
    const { chipProved, agentSays } = product.saved.at(-1)!;
    assert.deepEqual([chipProved, agentSays], ['erased', 'erased'], 'what the vendor has on record');
  });

  it('info: says what is connected, loads nothing, changes nothing', async () => {
    const flash = flashAfter(new Uint8Array(FLASH_BYTES).fill(0xff), tinyImage(), SECTOR_0);
    const product = new ProductFixture({ seed: 73, board: { flash } });
    const outcome = await product.run(undefined, product.record(undefined, planOf(product, compileInfo)));
    requireDone(outcome);
    assert.ok(outcome.events.some((event) => event.type === 'hello' && event.hello.target.flashKiB === 2048));
    assert.equal(outcome.receipt, undefined);
    assert.equal(outcome.agent.board, 'untouched');
    assert.equal(product.board.soc.rcc.pllOn, false, 'no stub ran');
  });

  it('reset: the board is started anew and runs', async () => {
    const flash = flashAfter(new Uint8Array(FLASH_BYTES).fill(0xff), tinyImage(), SECTOR_0);
    const product = new ProductFixture({ seed: 74, board: { flash } });
    let resets = 0;
    const { board } = product;
    const enter = board.core.enterReset.bind(board.core);
    board.core.enterReset = (kind) => {
      resets++;
      enter(kind);
    };
    const outcome = await product.run(undefined, product.record(undefined, planOf(product, compileReset)));
    requireDone(outcome);
    assert.equal(outcome.agent.board, 'running');
    assert.equal(resets, 1);
  });
});
