// A virgin board is written without an erase, and its receipt says so; another job on the same board erases
// (docs/protocol.md §8, "Erasing", §10).
import assert from 'node:assert/strict';
import { compileFlash } from '../../controller/plan/compile.ts';
import { requireChip } from '../../shared/chips/index.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import { ReceiptSchema, type Receipt } from '../../shared/plan/receipt.ts';
import { bootable, FLASH, imageOf } from '../fixtures/images.ts';
import { ProductFixture } from '../fixtures/product.ts';
import { seededRandom } from '../fixtures/seeded.ts';

const KIB = 1024;
const CHIP = requireChip(0x419);

/** `bytes` from the start of flash. */
function image(seed: number, bytes: number) {
  const content = seededRandom(seed).bytes(bytes);
  content.set(bootable(seed, 256));
  return imageOf([FLASH, content]);
}

class BoardInUse {
  readonly product = new ProductFixture({ repeats: true, seed: 71 });
  #jobs = 0;
  /** Erases of the last job; undefined: everything. */
  erased: (number | undefined)[] = [];

  /** A job of its own, and its receipt. */
  async writes(seed: number, bytes: number, flags: Plan['flags'] = []): Promise<Receipt> {
    this.erased = [];
    this.product.board.flash.onOperation = ({ kind, phase, sector }) => {
      if (kind === 'erase' && phase === 'start') this.erased.push(sector);
    };
    const job = new Uint8Array(16).fill(++this.#jobs);
    const content = image(seed, bytes);
    const outcome = await this.product.flash(content, { plan: compileFlash(content, CHIP, { job, flags }) });
    assert.equal(outcome.error, undefined);
    const held = this.product.board.flash.bytes.subarray(0, bytes);
    assert.ok(Buffer.from(held).equals(Buffer.from(content.segments[0]!.bytes)));
    return ReceiptSchema.parse(JSON.parse(this.product.receipts.at(-1)!.text));
  }
}

describe('scenario: sectors that read blank', function () {
  this.timeout(120_000);

  it('a virgin board of 1 MB of image: nothing is erased, the receipt says so; the next job erases all of it', async () => {
    const board = new BoardInUse();
    const first = await board.writes(1, 1024 * KIB);
    assert.deepEqual(board.erased, []);
    assert.deepEqual(first.erase, { sectors: 0, blank: 12, atOnce: false });
    assert.equal(first.time.erase, 0);
    const second = await board.writes(2, 40 * KIB);
    assert.deepEqual(board.erased, [0, 1, 2]);
    assert.deepEqual(second.erase, { sectors: 3, blank: 0, atOnce: false });
    assert.ok(second.time.erase >= 600 && second.time.erase <= 900, `${second.time.erase} ms`);
  });

  it('a virgin board under a plan that says always erase: every sector is erased', async () => {
    const board = new BoardInUse();
    const { erase } = await board.writes(1, 40 * KIB, ['always erase']);
    assert.deepEqual(board.erased, [0, 1, 2]);
    assert.deepEqual(erase, { sectors: 3, blank: 0, atOnce: false });
  });
});
