// Sectors that option bytes protect (docs/protocol.md §7, "Flags"; docs/reference/stm32f4.md §4): nothing is erased
// before all of it can be, and what was lifted for a job is put back.
import assert from 'node:assert/strict';
import type { JobEvent } from '../../controller/job/ports.ts';
import { compileErase, compileFlash, compileVerify } from '../../controller/plan/compile.ts';
import { ShortMemory } from '../../agent/session/ports.ts';
import { requireChip } from '../../shared/chips/index.ts';
import { isBlindflashError, type ErrorCode } from '../../shared/errors/errors.ts';
import type { Plan, PlanFlag } from '../../shared/plan/plan.ts';
import { bootable, imageOf } from '../fixtures/images.ts';
import { ProductFixture, type RunOutcome } from '../fixtures/product.ts';

const CHIP = requireChip(0x419);
/** Factory settings but for sector 5, which is write-protected; and the same with sectors 5 and 17. */
const SECTOR_5 = 0x0fdfaaec;
const BANK_2_SECTOR_17 = 0x0fdf0000;
const FACTORY = { optcr: 0x0fffaaec, optcr1: 0x0fff0000 };

/** An image in sectors 0 and 5, and 17 if asked. */
const image = (bank2 = false) =>
  imageOf(
    [0x08000000, bootable(7, 512)],
    [0x08020000, new Uint8Array(8192).fill(0x5a)],
    ...(bank2 ? [[0x08120000, new Uint8Array(64).fill(0xa5)] as const] : []),
  );

/** A board with an old program everywhere. */
function productWith(optcr: number, optcr1 = FACTORY.optcr1): ProductFixture {
  const product = new ProductFixture({ board: { optcr, optcr1 } });
  product.board.flash.bytes.fill(0x11);
  return product;
}

function plan(product: ProductFixture, flags: readonly PlanFlag[], more: Partial<Plan> = {}, bank2 = false): Plan {
  return { ...compileFlash(image(bank2), CHIP, { job: product.random.bytes(16) }), flags, ...more };
}

function refused(outcome: RunOutcome, code: ErrorCode, detail: RegExp): void {
  assert.ok(isBlindflashError(outcome.error, code), String(outcome.error));
  assert.match(outcome.error.detail ?? '', detail);
  assert.equal(outcome.agent.board, 'untouched');
}

function done(outcome: RunOutcome): void {
  assert.equal(outcome.error, undefined);
  assert.equal(outcome.agent.result, 'done', String(outcome.agent.error));
}

const options = ({ board }: ProductFixture) => ({ optcr: board.options.optcr, optcr1: board.options.optcr1 });
const unchanged = ({ board }: ProductFixture) => board.flash.bytes.every((byte) => byte === 0x11);

describe('write protection', function () {
  this.timeout(60_000);

  it('a job over a protected sector is refused before anybody is asked and before the first erase', async () => {
    const product = productWith(SECTOR_5);
    refused(await product.flash(image()), 'BF-TARGET-WRITE-PROTECTED', /sector 5\b/);
    assert.ok(unchanged(product));
    assert.deepEqual(product.sheets, []);
  });

  it('so is one over protected sectors of bank 2, and an erase', async () => {
    const product = productWith(FACTORY.optcr, BANK_2_SECTOR_17);
    const bank2 = await product.flash(image(true));
    refused(bank2, 'BF-TARGET-WRITE-PROTECTED', /sector 17\b/);
    const other = productWith(SECTOR_5);
    const erase = compileErase(CHIP, { job: other.random.bytes(16), sectors: [4, 5] });
    refused(await other.run(undefined, other.record(undefined, erase)), 'BF-TARGET-WRITE-PROTECTED', /sector 5\b/);
    assert.ok(unchanged(product) && unchanged(other));
  });

  it('a board from stock, OPTCR 00AAAAE1, is refused by sector 0, and written once that is lifted', async () => {
    const stock = 0x00aaaae0;
    const product = productWith(stock);
    refused(await product.flash(image()), 'BF-TARGET-WRITE-PROTECTED', /sector 0\b/);
    assert.ok(unchanged(product));
    done(await product.flash(image(), { plan: plan(product, ['lift write protection']) }));
    assert.deepEqual(options(product), { optcr: stock, optcr1: FACTORY.optcr1 });
  });

  it('protection of sectors the job leaves alone is nobody’s business', async () => {
    const product = productWith(0x0fbfaaec);
    done(await product.flash(image()));
    assert.equal(product.board.options.optcr, 0x0fbfaaec);
  });

  it('lifted when the plan says so, said on the sheet, and put back', async () => {
    const product = productWith(SECTOR_5, BANK_2_SECTOR_17);
    const lifting = plan(product, ['lift write protection'], {}, true);
    done(await product.flash(image(true), { plan: lifting }));
    assert.deepEqual(options(product), { optcr: SECTOR_5, optcr1: BANK_2_SECTOR_17 });
    assert.equal(product.board.flash.bytes[0x20000], 0x5a);
    assert.equal(product.board.flash.bytes[0x120000], 0xa5);
    assert.match(product.sheets.join(), /write protection of sectors 5, 17 is lifted/);
  });

  it('kept lifted when the plan says so', async () => {
    const product = productWith(SECTOR_5);
    done(await product.flash(image(), { plan: plan(product, ['lift write protection', 'keep lifted']) }));
    assert.deepEqual(options(product), FACTORY);
  });

  it('put back behind a lock as well', async () => {
    const product = productWith(SECTOR_5);
    done(await product.flash(image(), { plan: plan(product, ['lift write protection'], { lock: 'level 1' }) }));
    assert.equal(product.board.options.optcr & 0x0fff0000, SECTOR_5 & 0x0fff0000);
    assert.equal(product.board.options.rdpLevel, 1);
  });

  it('put back by the agent that stops before the first erase', async () => {
    const product = productWith(SECTOR_5);
    const memory = new ShortMemory();
    const stop = new AbortController();
    const noteLifted = memory.noteLifted.bind(memory);
    memory.noteLifted = (bits) => {
      noteLifted(bits);
      stop.abort();
    };
    const lifting = plan(product, ['lift write protection']);
    const first = await product.flash(image(), { plan: lifting, memory, signal: stop.signal });
    assert.notEqual(first.agent.result, 'done');
    assert.equal(memory.lifted, undefined);
    assert.deepEqual(options(product), { optcr: SECTOR_5, optcr1: FACTORY.optcr1 });
    assert.ok(unchanged(product));
  });

  it('put back by the agent that goes on after a crash in the middle', async () => {
    const product = productWith(SECTOR_5);
    const memory = new ShortMemory();
    const record = product.record(image(), plan(product, ['lift write protection']));
    const stop = new AbortController();
    const events: JobEvent[] = [];
    let operations = 0;
    product.board.flash.onOperation = () => {
      if (++operations === 200) product.queue.at(product.queue.nowNs, () => stop.abort());
    };
    const job = product.startVendor(image(), record, []);
    const first = await product.finish(job, product.runAgent(record, { memory, signal: stop.signal }), []);
    assert.notEqual(first.agent.result, 'done');
    assert.notEqual(memory.lifted, undefined, 'half an image: the next agent goes on, and puts it back');
    assert.deepEqual(options(product), FACTORY);
    const resumed = product.startVendor(image(), structuredClone(product.saved.at(-1)!), events);
    done(await product.finish(resumed, product.runAgent(record, { memory }), events));
    assert.deepEqual(options(product), { optcr: SECTOR_5, optcr1: FACTORY.optcr1 });
  });

  it('PCROP is refused by its name, whatever the plan says, for reading too', async () => {
    const pcrop = 0x8020aaec;
    const product = productWith(pcrop);
    const lifting = plan(product, ['lift write protection']);
    refused(await product.flash(image(), { plan: lifting }), 'BF-TARGET-PCROP', /sector 5\b/);
    const verify = compileVerify(image(), CHIP, { job: product.random.bytes(16) });
    refused(await product.run(image(), product.record(image(), verify)), 'BF-TARGET-PCROP', /sector 5\b/);
    assert.ok(unchanged(product));
    assert.equal(product.board.options.optcr, pcrop);
  });

  it('a first erase that is refused has changed nothing and says so', async () => {
    const product = productWith(FACTORY.optcr);
    const outcome = await product.flash(image(), {
      askConsent: () => {
        // Behind the agent’s back, after it has looked.
        product.board.options.load(0x0ffeaaec, FACTORY.optcr1);
        return Promise.resolve(true);
      },
    });
    assert.ok(isBlindflashError(outcome.error, 'BF-TARGET-WRITE-PROTECTED'), String(outcome.error));
    assert.ok(unchanged(product));
    assert.notEqual(outcome.agent.board, 'incomplete');
  });
});
