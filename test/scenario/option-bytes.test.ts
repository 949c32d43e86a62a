// Jobs of the kinds unlock and options: the agent writes option bytes through the debug port, and says what became of
// them (docs/protocol.md §7, "Option bits").
import assert from 'node:assert/strict';
import { compileInfo, compileOptions, compileUnlock } from '../../controller/plan/compile.ts';
import { requireChip, withOptionBits, type OptionWords } from '../../shared/chips/index.ts';
import { isBlindflashError } from '../../shared/errors/errors.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import type { BoardOptions } from '../../sim/board.ts';
import { tinyImage } from '../fixtures/images.ts';
import { ProductFixture, type RunOutcome } from '../fixtures/product.ts';

const CHIP = requireChip(0x419);
const FACTORY = { optcr: 0x0fffaaec, optcr1: 0x0fff0000 };
const SECOND_NS = 1e9;

function productWith(optcr: number, board: BoardOptions = {}): ProductFixture {
  const product = new ProductFixture({ board: { optcr, ...board } });
  product.board.flash.bytes.fill(0x11);
  return product;
}

/** Runs a job; the customer switches the board off and on when he is asked to, unless he is of the slow kind. */
function run(product: ProductFixture, plan: Plan, { switches = true } = {}): Promise<RunOutcome> {
  const customer = product.customer();
  product.customer = (options) => ({
    ...customer,
    askConsent: () => Promise.resolve(options?.consent ?? true),
    say: (text) => {
      product.said.push(text);
      if (!switches || !text.includes('Switch the board off')) return;
      product.queue.after(2000, () => product.board.powerOff());
      product.queue.after(5000, () => product.board.powerOn());
    },
  });
  return product.run(undefined, product.record(undefined, plan));
}

const unlock = (product: ProductFixture) => compileUnlock(CHIP, { job: product.random.bytes(16) });
const set = (product: ProductFixture, mask: Partial<OptionWords>, value: Partial<OptionWords>) =>
  compileOptions(CHIP, {
    job: product.random.bytes(16),
    change: { mask: { optcr: 0, optcr1: 0, ...mask }, value: { optcr: 0, optcr1: 0, ...value } },
  });
const options = ({ board }: ProductFixture) => ({ optcr: board.options.optcr, optcr1: board.options.optcr1 });
const erased = ({ board }: ProductFixture) => board.flash.bytes.every((byte) => byte === 0xff);

function done(outcome: RunOutcome): void {
  assert.equal(outcome.error, undefined);
  assert.equal(outcome.agent.result, 'done', String(outcome.agent.error));
}

describe('unlock', function () {
  this.timeout(60_000);

  for (const [what, optcr, board] of [
    ['a board we locked', 0x0fff55ec, {}],
    ['one with the level in force at once', 0x0fff55ec, { switches: { rdpInForce: 'at-once' } }],
    ['one whose identity reads zero', 0x0fff55ec, { switches: { identityAtL1: 'zero' } }],
    ['one with write-protected sectors', 0x0ffc55ec, {}],
    ['one whose option write was cut off', 0xcffffffc, {}],
  ] as const) {
    it(`${what}: everything is erased, and the power cycle is asked for and seen`, async () => {
      const product = productWith(optcr, board);
      const outcome = await run(product, unlock(product));
      done(outcome);
      assert.ok(erased(product));
      assert.deepEqual(options(product), {
        ...FACTORY,
        optcr: withOptionBits(FACTORY, { optcr: 0xec, optcr1: 0 }, { optcr: optcr & 0xec, optcr1: 0 }).optcr,
      });
      assert.equal(outcome.agent.board, 'erased');
      assert.equal(product.said.filter((text) => text.includes('Switch the board off')).length, 1);
    });
  }

  it('then a flash job goes through', async () => {
    const product = productWith(0x0fff55ec);
    done(await run(product, unlock(product)));
    const image = tinyImage();
    done(await product.flash(image));
  });

  it('PCROP at level 0: by way of level 1', async () => {
    const product = productWith(0x8001aaec);
    done(await run(product, unlock(product)));
    assert.ok(erased(product));
    assert.deepEqual(options(product), FACTORY);
  });

  it('a board that was not locked: nothing is erased', async () => {
    const product = productWith(FACTORY.optcr);
    const outcome = await run(product, unlock(product));
    done(outcome);
    assert.ok(product.board.flash.bytes.every((byte) => byte === 0x11));
    assert.match(product.sheets.join(), /not locked/);
  });

  it('a customer who does not switch it off is waited for, and told again by an error in the end', async () => {
    const product = productWith(0x0fff55ec);
    const outcome = await run(product, unlock(product), { switches: false });
    assert.ok(isBlindflashError(outcome.error, 'BF-TARGET-NO-POWER-CYCLE'), String(outcome.error));
    assert.ok(erased(product));
  });

  it('a yes is needed', async () => {
    const product = productWith(0x0fff55ec);
    const outcome = await product.run(undefined, product.record(undefined, unlock(product)), { consent: false });
    assert.ok(isBlindflashError(outcome.error, 'BF-JOB-DECLINED'), String(outcome.error));
    assert.deepEqual(options(product), { ...FACTORY, optcr: 0x0fff55ec });
    assert.ok(!erased(product));
  });

  it('the vendor notes the unit of an open chip, and none of a protected one, whatever that tells', async () => {
    for (const [optcr, known] of [
      [0x8fffaaec, true],
      [0x0fff55ec, false],
    ] as const) {
      const product = productWith(optcr, { switches: { identityAtL1: 'readable' } });
      await run(product, unlock(product), { switches: false });
      const { chipProved, uid } = product.saved.at(-1)!;
      assert.deepEqual([chipProved, uid !== undefined], ['incomplete', known]);
    }
  });

  it('power lost while it erases: the chip is still locked, and unlocked by the next job', async () => {
    const product = productWith(0x0fff55ec, { switches: { cutOptions: 'ones' } });
    let cut = false;
    product.board.flash.onOperation = ({ phase }) => {
      if (phase !== 'start' || cut) return;
      cut = true;
      product.board.cutPowerAt(product.queue.nowNs + SECOND_NS);
    };
    const first = await run(product, unlock(product));
    assert.notEqual(first.error, undefined);
    assert.ok(cut);
    product.board.flash.onOperation = undefined;
    product.board.powerOn();
    done(await run(product, unlock(product)));
    assert.ok(erased(product));
    assert.equal(product.board.options.rdpLevel, 0);
  });
});

describe('options', function () {
  this.timeout(60_000);

  it('sets the brown-out level, the watchdog, resets and write protection, and nothing else', async () => {
    const product = productWith(FACTORY.optcr);
    const plan = set(product, { optcr: 0x0020004c, optcr1: 0x00010000 }, { optcr: 0x00000008 });
    const outcome = await run(product, plan);
    done(outcome);
    assert.deepEqual(options(product), { optcr: 0x0fdfaaa8, optcr1: 0x0ffe0000 });
    assert.ok(product.board.flash.bytes.every((byte) => byte === 0x11));
    const told = outcome.events.find(({ type }) => type === 'optionBytes');
    assert.deepEqual(told, { type: 'optionBytes', before: FACTORY, after: { optcr: 0x0fdfaaa8, optcr1: 0x0ffe0000 } });
    assert.equal(outcome.agent.board, 'running');
  });

  it('is refused over nWRP while SPRMOD turns its meaning round', async () => {
    const product = productWith(0x8020aaec);
    const outcome = await run(product, set(product, { optcr: 0x00400000 }, {}));
    assert.ok(isBlindflashError(outcome.error, 'BF-TARGET-PCROP'), String(outcome.error));
    assert.equal(product.board.options.optcr, 0x8020aaec);
  });

  it('an info job changes nothing and shows them', async () => {
    const product = productWith(0x0fdfaaec);
    const outcome = await run(product, compileInfo(CHIP, { job: product.random.bytes(16) }));
    done(outcome);
    const hello = outcome.events.find((event) => event.type === 'hello');
    assert.deepEqual([hello?.hello.target.optcr, hello?.hello.target.optcr1], [0x0fdfaaed, 0x0fff0000]);
  });
});
