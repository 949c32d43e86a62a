// What is lost and what becomes of it (docs/protocol.md §11): links, the cable, people who stop, a
// vendor's process that is killed.
import assert from 'node:assert/strict';
import { ShortMemory } from '../../agent/session/ports.ts';
import { CHIP_PROVED, publicInviteOf, type JobRecord } from '../../controller/store/job-record.ts';
import { isUnused } from '../../controller/job/invite.ts';
import type { JobEvent } from '../../controller/job/ports.ts';
import { compileFlash } from '../../controller/plan/compile.ts';
import { requireChip } from '../../shared/chips/index.ts';
import { isBlindflashError } from '../../shared/errors/errors.ts';
import { bootable, FLASH, FLASH_BYTES, flashAfter, imageOf, tinyImage } from '../fixtures/images.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import { ProductFixture, type RunOptions, type RunOutcome } from '../fixtures/product.ts';

const blank = new Uint8Array(FLASH_BYTES).fill(0xff);
const TIMEOUTS = { arrival: 60_000, peer: 30_000, sealed: 20_000, work: 30_000, left: 5000 };
/** Three sectors, so that there is something to lose and something to keep. */
const WIDE = imageOf(
  [FLASH, bootable(90, 5000)],
  [FLASH + 0x4000, seededRandom(91).bytes(6000)],
  [FLASH + 0x8000, seededRandom(92).bytes(6000)],
);
const WIDE_SECTORS = [[FLASH, 0xc000]] as const;

function requireRight(
  product: ProductFixture,
  image = WIDE,
  sectors: readonly (readonly [number, number])[] = WIDE_SECTORS,
): void {
  assert.equal(Buffer.compare(product.board.flash.bytes, flashAfter(blank, image, sectors)), 0, 'flash is the image');
}

function requireDone({ agent, error, receipt }: RunOutcome): void {
  assert.equal(error, undefined);
  assert.equal(agent.result, 'done');
  assert.ok(receipt);
}

/** Runs a job and does something once flash has begun `count` operations. */
async function during(
  product: ProductFixture,
  count: number,
  deed: () => void,
  options: RunOptions = {},
): Promise<RunOutcome> {
  let seen = 0;
  product.board.flash.onOperation = ({ phase }) => {
    if (phase === 'start' && ++seen === count) product.queue.at(product.queue.nowNs, deed);
  };
  const outcome = await product.flash(WIDE, { timeouts: TIMEOUTS, ...options });
  assert.ok(seen >= count, 'the deed was done');
  return outcome;
}

describe('survival', function () {
  this.timeout(60_000);

  for (const side of ['agent', 'controller'] as const) {
    for (const operation of [1, 40, 1800]) {
      it(`the ${side}'s link breaks at flash operation ${operation}: the job goes on in the same sealed session`, async () => {
        const product = new ProductFixture({ repeats: true, seed: 200 + operation });
        const outcome = await during(product, operation, () => product.dropLink(side));
        requireDone(outcome);
        requireRight(product);
        assert.ok(product.links.filter((link) => link.side === side).length >= 2, 'it came back');
        assert.equal(outcome.events.filter(({ type }) => type === 'sealed').length, 1);
        assert.equal(product.codes.agent.length, 1);
      });
    }
  }

  it('both links break again and again: the job ends all the same', async () => {
    const product = new ProductFixture({ repeats: true, seed: 210 });
    const breaks = (left: number): void => {
      if (left === 0) return;
      product.dropLink(left % 2 === 0 ? 'agent' : 'controller');
      product.queue.after(3000, () => breaks(left - 1));
    };
    requireDone(await during(product, 5, () => breaks(6)));
    requireRight(product);
  });

  it('the probe is unplugged: a coded error on both sides, and both know what the board is like', async () => {
    const product = new ProductFixture({ repeats: true, seed: 220 });
    const outcome = await during(product, 100, () => product.usb.unplug(), { givesUpAfterMs: 20_000 });
    assert.equal(outcome.agent.result, 'failed');
    assert.match(outcome.agent.error?.code ?? '', /^BF-PROBE-/);
    assert.ok(isBlindflashError(outcome.error));
    assert.equal(outcome.receipt, undefined);
    assert.ok(['incomplete', 'waiting', 'unknown'].includes(outcome.agent.board), outcome.agent.board);
    assert.ok(String(outcome.error).includes(CHIP_PROVED.incomplete), String(outcome.error));
  });

  it('the customer declines: nothing was touched, the vendor is told', async () => {
    const product = new ProductFixture({ repeats: true, seed: 230 });
    const journal: string[] = [];
    product.board.flash.onOperation = ({ kind }) => journal.push(kind);
    const outcome = await product.flash(WIDE, { consent: false, timeouts: TIMEOUTS });
    assert.equal(outcome.agent.result, 'declined');
    assert.equal(outcome.agent.board, 'untouched');
    assert.ok(isBlindflashError(outcome.error, 'BF-JOB-DECLINED'));
    assert.deepEqual(journal, []);
    assert.equal(
      product.captures.usb.some((part) => part.length > 4000),
      false,
      'no stub was loaded',
    );
  });

  it('the customer interrupts before the yes: nothing was touched', async () => {
    const product = new ProductFixture({ repeats: true, seed: 231 });
    const control = new AbortController();
    const askConsent = (): Promise<boolean> => {
      product.queue.after(2000, () => control.abort());
      return new Promise(() => {});
    };
    const outcome = await product.flash(WIDE, { askConsent, signal: control.signal, timeouts: TIMEOUTS });
    assert.equal(outcome.agent.error?.code, 'BF-JOB-INTERRUPTED');
    assert.equal(outcome.agent.board, 'untouched');
    assert.ok(isBlindflashError(outcome.error));
    assert.equal(Buffer.compare(product.board.flash.bytes, blank), 0);
  });

  it('the customer interrupts in the middle: coded on both sides, the keys are wiped, the words are right', async () => {
    const product = new ProductFixture({ repeats: true, seed: 232 });
    const control = new AbortController();
    const outcome = await during(product, 500, () => control.abort(), { signal: control.signal });
    assert.equal(outcome.agent.error?.code, 'BF-JOB-INTERRUPTED');
    assert.equal(outcome.agent.board, 'incomplete');
    assert.ok(isBlindflashError(outcome.error));
    assert.ok(String(outcome.error).includes(CHIP_PROVED.incomplete), String(outcome.error));
    assert.equal(outcome.receipt, undefined);
    const ccm = Buffer.from(product.board.soc.memories.ram.find(({ bytes }) => bytes.length === 0x10000)!.bytes);
    const image = Buffer.from(WIDE.segments[1]!.bytes);
    for (let at = 0; at + 16 <= image.length; at += 16) {
      assert.equal(ccm.indexOf(image.subarray(at, at + 16)), -1, 'plaintext is left in CCM');
    }
  });

  it('the vendor is killed before the code is confirmed: the next process asks for it again, and the job is done', async () => {
    const product = new ProductFixture({ repeats: true, seed: 241 });
    const record = product.record(WIDE, product.planFor(WIDE));
    const asked: number[] = [];
    const options: RunOptions = {
      timeouts: TIMEOUTS,
      memory: new ShortMemory(),
      typeCode: (shown) => (asked.push(product.saved.length) === 1 ? undefined : shown),
    };
    const first = product.startVendor(WIDE, record, [], options);
    const agent = product.runAgent(record, options);
    await product.queue.runUntil(() => asked.length === 1, 600e9);
    const stored = structuredClone(product.saved.at(-1)!);
    first.interrupt();
    await assert.rejects(product.queue.drive(first.done), (error) => isBlindflashError(error, 'BF-JOB-INTERRUPTED'));
    assert.equal(stored.code, undefined);
    await product.queue.runUntil(() => false, product.queue.nowNs + 8e9).catch(() => {});
    const events: JobEvent[] = [];
    const second = product.startVendor(WIDE, { ...stored, room: { ...stored.room } }, events, options);
    requireDone(await product.finish(second, agent, events));
    requireRight(product);
    assert.equal(asked.length, 2);
  });

  it('the vendor is killed and comes back as a new process: acknowledged sectors are not done again, no second yes', async () => {
    const product = new ProductFixture({ repeats: true, seed: 240 });
    const image = WIDE;
    const plan = compileFlash(image, requireChip(0x419), { job: product.random.bytes(16) });
    const record = product.record(image, plan);
    let yeses = 0;
    const options: RunOptions = {
      timeouts: TIMEOUTS,
      memory: new ShortMemory(),
      askConsent: () => Promise.resolve(++yeses > 0),
    };
    const erased: (number | undefined)[] = [];
    const firstEvents: JobEvent[] = [];
    const first = product.startVendor(image, record, firstEvents, options);
    const agent = product.runAgent(record, options);
    product.board.flash.onOperation = ({ kind, phase, sector }) => {
      if (kind === 'erase' && phase === 'start') erased.push(sector);
    };
    // Killed as soon as one sector besides that of the boot words is acknowledged.
    const acknowledged = (): JobRecord | undefined =>
      product.saved.findLast((saved) => saved.acknowledged.some((n) => n > 0));
    await product.queue.runUntil(() => acknowledged() !== undefined, 600e9);
    const stored = structuredClone(acknowledged()!);
    first.interrupt();
    await assert.rejects(product.queue.drive(first.done), (error) => isBlindflashError(error, 'BF-JOB-INTERRUPTED'));
    assert.ok(first.resumable);
    await product.queue.runUntil(() => false, product.queue.nowNs + 8e9).catch(() => {});
    assert.equal(isUnused(stored.room), false, 'the invite is dead');
    const before = erased.length;
    const events: JobEvent[] = [];
    const second = product.startVendor(image, { ...stored, room: { ...stored.room } }, events, options);
    const outcome = await product.finish(second, agent, events);
    requireDone(outcome);
    requireRight(product);
    assert.equal(yeses, 1);
    const kept = stored.acknowledged.filter((sector) => sector > 0);
    const again = erased.slice(before);
    for (const sector of kept) assert.ok(!again.includes(sector), `sector ${sector} was erased again`);
    const skipped = events.flatMap((event) => (event.type === 'sector' && event.skipped ? [event.sector] : []));
    assert.deepEqual(skipped, kept);
    assert.equal(again[0], 0, 'the sector of the boot words first, and never skipped');
    assert.ok(publicInviteOf(stored.room));
  });

  it('the vendor is killed after the last word was stored and before he said so: --resume ends the session, the customer has his copy', async () => {
    let [mute, dying] = [false, true];
    const product = new ProductFixture({
      repeats: true,
      seed: 245,
      meddleController: (message) => (mute ? [] : [message]),
    });
    const store = product.store.bind(product);
    product.store = () => {
      const kept = store();
      return {
        ...kept,
        save: (record) => {
          mute = dying && record.finished;
          return kept.save(record);
        },
      };
    };
    const options: RunOptions = { timeouts: TIMEOUTS, memory: new ShortMemory() };
    const record = product.record(WIDE, product.planFor(WIDE));
    const agent = product.runAgent(record, options);
    const first = product.startVendor(WIDE, record, [], options);
    await product.queue.drive(first.done);
    assert.ok(product.saved.at(-1)!.finished);
    mute = dying = false;
    const events: JobEvent[] = [];
    const second = product.startVendor(WIDE, structuredClone(product.saved.at(-1)!), events, options);
    const outcome = await product.finish(second, agent, events);
    requireDone(outcome);
    requireRight(product);
    assert.equal(outcome.agent.board, 'running');
    assert.equal(outcome.agent.receipt?.text.includes('customer receipt'), true);
    assert.equal(outcome.receipt?.text, product.receipts.at(-1)!.text, 'the receipt of the process before');
    assert.equal(product.receipts.length, 1);
    assert.ok(!events.some(({ type }) => type === 'sealed' || type === 'job'), 'nothing is done again');
  });

  it('the same, and the customer has ended his agent meanwhile: the next one hears that the job is done, and has his copy', async () => {
    let mute = false;
    const product = new ProductFixture({
      repeats: true,
      seed: 247,
      meddleController: (message) => (mute ? [] : [message]),
    });
    const store = product.store.bind(product);
    product.store = () => {
      const kept = store();
      return { ...kept, save: (record) => ((mute = record.finished), kept.save(record)) };
    };
    const ctrlC = new AbortController();
    const options: RunOptions = { timeouts: TIMEOUTS, memory: new ShortMemory() };
    const record = product.record(WIDE, product.planFor(WIDE));
    const agent = product.runAgent(record, { ...options, signal: ctrlC.signal });
    await product.queue.drive(product.startVendor(WIDE, record, [], options).done);
    ctrlC.abort();
    assert.equal((await product.queue.drive(agent)).board, 'running');
    product.store = () => store();
    mute = false;
    const events: JobEvent[] = [];
    const second = product.startVendor(WIDE, structuredClone(product.saved.at(-1)!), events, options);
    const outcome = await product.finish(second, product.runAgent(record, options), events);
    requireDone(outcome);
    requireRight(product);
    assert.equal(outcome.agent.receipt?.text.includes('customer receipt'), true);
    assert.equal(outcome.agent.board, 'unknown', 'this agent has seen nothing of it');
    assert.equal(product.receipts.length, 1);
  });

  it('a finished job whose agent is gone: resuming it says so soon', async () => {
    const product = new ProductFixture({ repeats: true, seed: 246 });
    requireDone(await product.flash(WIDE, { timeouts: TIMEOUTS }));
    const began = product.queue.now();
    const again = product.startVendor(WIDE, structuredClone(product.saved.at(-1)!), [], { timeouts: TIMEOUTS });
    await assert.rejects(product.queue.drive(again.done), (error) => isBlindflashError(error, 'BF-RELAY-LONELY'));
    assert.equal(again.resumable, false);
    assert.ok(product.queue.now() - began < 120_000);
  });

  it('the board loses its power and gets it back: a new stub, no second yes, the image is right', async () => {
    const product = new ProductFixture({ repeats: true, seed: 250 });
    let yeses = 0;
    const outcome = await during(
      product,
      700,
      () => {
        product.board.powerOff();
        product.queue.after(4000, () => product.board.powerOn());
      },
      { askConsent: () => Promise.resolve(++yeses > 0), timeouts: {} },
    );
    requireDone(outcome);
    requireRight(product);
    assert.equal(yeses, 1);
    assert.ok(outcome.events.filter(({ type }) => type === 'sealed').length >= 2);
  });

  it('a tiny job is not lost by a link that breaks in its last words', async () => {
    const product = new ProductFixture({ repeats: true, seed: 260 });
    let told = false;
    const outcome = await product.flash(tinyImage(), {
      timeouts: TIMEOUTS,
      ...dropAtReceipt(product, () => (told = true)),
    });
    requireDone(outcome);
    assert.ok(told);
    requireRight(product, tinyImage(), [[FLASH, 0x4000]]);
  });
});

/** Breaks the agent's link at the moment the receipt is stored. */
function dropAtReceipt(product: ProductFixture, note: () => void): RunOptions {
  const store = product.store.bind(product);
  product.store = () => {
    const kept = store();
    return {
      ...kept,
      storeReceipt: (job, uid, receipt) => {
        note();
        product.dropLink('agent');
        return kept.storeReceipt(job, uid, receipt);
      },
    };
  };
  return {};
}
