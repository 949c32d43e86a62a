// What is lost and what becomes of it (docs/protocol.md §11): links, the cable, people who stop, a vendor's process that is killed.
import assert from 'node:assert/strict';
import { ShortMemory } from '../../agent/session/ports.ts';
import { publicInviteOf, type JobRecord } from '../../controller/job/job-record.ts';
import type { JobEvent } from '../../controller/job/ports.ts';
import { compileFlash } from '../../controller/plan/compile.ts';
import { requireChip } from '../../shared/chips/index.ts';
import { isBlindflashError } from '../../shared/errors/errors.ts';
import { BOARD } from '../../shared/tunnel/bodies.ts';
import { bootable, FLASH, FLASH_BYTES, flashAfter, imageOf, tinyImage } from '../fixtures/images.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import { World, type FlashOptions, type Outcome } from '../fixtures/world.ts';

const blank = new Uint8Array(FLASH_BYTES).fill(0xff);
const PATIENCE = { meet: 60_000, peer: 30_000, sealed: 20_000, work: 30_000, left: 5000 };
/** Three sectors, so that there is something to lose and something to keep. */
const WIDE = imageOf(
  [FLASH, bootable(90, 5000)],
  [FLASH + 0x4000, seededRandom(91).bytes(6000)],
  [FLASH + 0x8000, seededRandom(92).bytes(6000)],
);
const WIDE_SECTORS = [[FLASH, 0xc000]] as const;

function requireRight(
  world: World,
  image = WIDE,
  sectors: readonly (readonly [number, number])[] = WIDE_SECTORS,
): void {
  assert.equal(Buffer.compare(world.board.flash.bytes, flashAfter(blank, image, sectors)), 0, 'flash is the image');
}

function requireDone({ agent, error, receipt }: Outcome): void {
  assert.equal(error, undefined);
  assert.equal(agent.result, 'done');
  assert.ok(receipt);
}

/** Runs a job and does something once flash has begun `count` operations. */
async function during(world: World, count: number, deed: () => void, options: FlashOptions = {}): Promise<Outcome> {
  let seen = 0;
  world.board.flash.onOperation = ({ phase }) => {
    if (phase === 'start' && ++seen === count) world.queue.at(world.queue.nowNs, deed);
  };
  const outcome = await world.flash(WIDE, { patience: PATIENCE, ...options });
  assert.ok(seen >= count, 'the deed was done');
  return outcome;
}

describe('survival', function () {
  this.timeout(60_000);

  for (const side of ['agent', 'controller'] as const) {
    for (const operation of [1, 40, 1800]) {
      it(`the ${side}'s link breaks at flash operation ${operation}: the job goes on in the same sealed session`, async () => {
        const world = new World({ seed: 200 + operation });
        const outcome = await during(world, operation, () => world.dropLink(side));
        requireDone(outcome);
        requireRight(world);
        assert.ok(world.links.filter((link) => link.side === side).length >= 2, 'it came back');
        assert.equal(outcome.events.filter(({ type }) => type === 'sealed').length, 1);
        assert.equal(world.codes.agent.length, 1);
      });
    }
  }

  it('both links break again and again: the job ends all the same', async () => {
    const world = new World({ seed: 210 });
    const breaks = (left: number): void => {
      if (left === 0) return;
      world.dropLink(left % 2 === 0 ? 'agent' : 'controller');
      world.queue.after(3000, () => breaks(left - 1));
    };
    requireDone(await during(world, 5, () => breaks(6)));
    requireRight(world);
  });

  it('the probe is unplugged: a coded error on both sides, and both know what the board is like', async () => {
    const world = new World({ seed: 220 });
    const outcome = await during(world, 100, () => world.usb.unplug(), { givesUpAfterMs: 20_000 });
    assert.equal(outcome.agent.result, 'failed');
    assert.match(outcome.agent.error?.code ?? '', /^BF-PROBE-/);
    assert.ok(isBlindflashError(outcome.error));
    assert.equal(outcome.receipt, undefined);
    assert.ok(['incomplete', 'waiting', 'unknown'].includes(outcome.agent.board), outcome.agent.board);
    const told = Object.values(BOARD).find(
      (words) => outcome.error instanceof Error && outcome.error.message.includes(words),
    );
    assert.ok(told !== undefined && told !== BOARD.untouched && told !== BOARD.running, String(outcome.error));
  });

  it('the customer declines: nothing was touched, the vendor is told', async () => {
    const world = new World({ seed: 230 });
    const journal: string[] = [];
    world.board.flash.onOperation = ({ kind }) => journal.push(kind);
    const outcome = await world.flash(WIDE, { consent: false, patience: PATIENCE });
    assert.equal(outcome.agent.result, 'declined');
    assert.equal(outcome.agent.board, 'untouched');
    assert.ok(isBlindflashError(outcome.error, 'BF-JOB-DECLINED'));
    assert.deepEqual(journal, []);
    assert.equal(
      world.captures.usb.some((part) => part.length > 4000),
      false,
      'no stub was loaded',
    );
  });

  it('the customer interrupts before the yes: nothing was touched', async () => {
    const world = new World({ seed: 231 });
    const control = new AbortController();
    const askConsent = (): Promise<boolean> => {
      world.queue.after(2000, () => control.abort());
      return new Promise(() => {});
    };
    const outcome = await world.flash(WIDE, { askConsent, signal: control.signal, patience: PATIENCE });
    assert.equal(outcome.agent.error?.code, 'BF-JOB-INTERRUPTED');
    assert.equal(outcome.agent.board, 'untouched');
    assert.ok(isBlindflashError(outcome.error));
    assert.equal(Buffer.compare(world.board.flash.bytes, blank), 0);
  });

  it('the customer interrupts in the middle: coded on both sides, the keys are wiped, the words are right', async () => {
    const world = new World({ seed: 232 });
    const control = new AbortController();
    const outcome = await during(world, 500, () => control.abort(), { signal: control.signal });
    assert.equal(outcome.agent.error?.code, 'BF-JOB-INTERRUPTED');
    assert.equal(outcome.agent.board, 'incomplete');
    assert.ok(isBlindflashError(outcome.error));
    assert.ok(String(outcome.error).includes(BOARD.incomplete), String(outcome.error));
    assert.equal(outcome.receipt, undefined);
    const ccm = Buffer.from(world.board.soc.memories.ram.find(({ bytes }) => bytes.length === 0x10000)!.bytes);
    const image = Buffer.from(WIDE.segments[1]!.bytes);
    for (let at = 0; at + 16 <= image.length; at += 16) {
      assert.equal(ccm.indexOf(image.subarray(at, at + 16)), -1, 'plaintext is left in CCM');
    }
  });

  it('the vendor is killed before the code is confirmed: the next process asks for it again, and the job is done', async () => {
    const world = new World({ seed: 241 });
    const record = world.record(WIDE, world.planFor(WIDE));
    const asked: number[] = [];
    const options: FlashOptions = {
      patience: PATIENCE,
      memory: new ShortMemory(),
      confirmCode: () => (asked.push(world.saved.length) === 1 ? new Promise<boolean>(() => {}) : true),
    };
    const first = world.startVendor(WIDE, record, [], options);
    const agent = world.runAgent(record, options);
    await world.queue.runUntil(() => asked.length === 1, 600e9);
    const stored = structuredClone(world.saved.at(-1)!);
    first.interrupt();
    await assert.rejects(world.queue.drive(first.done), (error) => isBlindflashError(error, 'BF-JOB-INTERRUPTED'));
    assert.equal(stored.room.codeConfirmed, false);
    await world.queue.runUntil(() => false, world.queue.nowNs + 8e9).catch(() => {});
    const events: JobEvent[] = [];
    const second = world.startVendor(WIDE, { ...stored, room: { ...stored.room } }, events, options);
    requireDone(await world.finish(second, agent, events));
    requireRight(world);
    assert.equal(asked.length, 2);
  });

  it('the vendor is killed and comes back as a new process: acknowledged sectors are not done again, no second yes', async () => {
    const world = new World({ seed: 240 });
    const image = WIDE;
    const plan = compileFlash(image, requireChip(0x419), { job: world.random.bytes(16) });
    const record = world.record(image, plan);
    let yeses = 0;
    const options: FlashOptions = {
      patience: PATIENCE,
      memory: new ShortMemory(),
      askConsent: () => Promise.resolve(++yeses > 0),
    };
    const erased: (number | undefined)[] = [];
    const firstEvents: JobEvent[] = [];
    const first = world.startVendor(image, record, firstEvents, options);
    const agent = world.runAgent(record, options);
    world.board.flash.onOperation = ({ kind, phase, sector }) => {
      if (kind === 'erase' && phase === 'start') erased.push(sector);
    };
    // Killed as soon as one sector besides that of the boot words is acknowledged.
    const acknowledged = (): JobRecord | undefined =>
      world.saved.findLast((saved) => saved.acknowledged.some((n) => n > 0));
    await world.queue.runUntil(() => acknowledged() !== undefined, 600e9);
    const stored = structuredClone(acknowledged()!);
    first.interrupt();
    await assert.rejects(world.queue.drive(first.done), (error) => isBlindflashError(error, 'BF-JOB-INTERRUPTED'));
    assert.ok(first.resumable);
    await world.queue.runUntil(() => false, world.queue.nowNs + 8e9).catch(() => {});
    assert.equal(stored.room.inviteSecret, undefined, 'the invite is dead');
    const before = erased.length;
    const events: JobEvent[] = [];
    const second = world.startVendor(image, { ...stored, room: { ...stored.room } }, events, options);
    const outcome = await world.finish(second, agent, events);
    requireDone(outcome);
    requireRight(world);
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
    const world = new World({ seed: 245, meddleController: (message) => (mute ? [] : [message]) });
    const store = world.store.bind(world);
    world.store = () => {
      const kept = store();
      return {
        ...kept,
        save: (record) => {
          mute = dying && record.finished;
          return kept.save(record);
        },
      };
    };
    const options: FlashOptions = { patience: PATIENCE, memory: new ShortMemory() };
    const record = world.record(WIDE, world.planFor(WIDE));
    const agent = world.runAgent(record, options);
    const first = world.startVendor(WIDE, record, [], options);
    await world.queue.drive(first.done);
    assert.ok(world.saved.at(-1)!.finished);
    mute = dying = false;
    const events: JobEvent[] = [];
    const second = world.startVendor(WIDE, structuredClone(world.saved.at(-1)!), events, options);
    const outcome = await world.finish(second, agent, events);
    requireDone(outcome);
    requireRight(world);
    assert.equal(outcome.agent.board, 'running');
    assert.equal(outcome.agent.receipt?.receipt?.includes('customer receipt'), true);
    assert.equal(outcome.receipt?.text, world.receipts.at(-1)!.text, 'the receipt of the process before');
    assert.equal(world.receipts.length, 1);
    assert.ok(!events.some(({ type }) => type === 'sealed' || type === 'job'), 'nothing is done again');
  });

  it('the same, and the customer has ended his agent meanwhile: the next one hears that the job is done, and has his copy', async () => {
    let mute = false;
    const world = new World({ seed: 247, meddleController: (message) => (mute ? [] : [message]) });
    const store = world.store.bind(world);
    world.store = () => {
      const kept = store();
      return { ...kept, save: (record) => ((mute = record.finished), kept.save(record)) };
    };
    const ctrlC = new AbortController();
    const options: FlashOptions = { patience: PATIENCE, memory: new ShortMemory() };
    const record = world.record(WIDE, world.planFor(WIDE));
    const agent = world.runAgent(record, { ...options, signal: ctrlC.signal });
    await world.queue.drive(world.startVendor(WIDE, record, [], options).done);
    ctrlC.abort();
    assert.equal((await world.queue.drive(agent)).board, 'running');
    world.store = () => store();
    mute = false;
    const events: JobEvent[] = [];
    const second = world.startVendor(WIDE, structuredClone(world.saved.at(-1)!), events, options);
    const outcome = await world.finish(second, world.runAgent(record, options), events);
    requireDone(outcome);
    requireRight(world);
    assert.equal(outcome.agent.receipt?.receipt?.includes('customer receipt'), true);
    assert.equal(outcome.agent.board, 'unknown', 'this agent has seen nothing of it');
    assert.equal(world.receipts.length, 1);
  });

  it('a finished job whose agent is gone: resuming it says so soon', async () => {
    const world = new World({ seed: 246 });
    requireDone(await world.flash(WIDE, { patience: PATIENCE }));
    const began = world.queue.now();
    const again = world.startVendor(WIDE, structuredClone(world.saved.at(-1)!), [], { patience: PATIENCE });
    await assert.rejects(world.queue.drive(again.done), (error) => isBlindflashError(error, 'BF-RELAY-LONELY'));
    assert.equal(again.resumable, false);
    assert.ok(world.queue.now() - began < 120_000);
  });

  it('the board loses its power and gets it back: a new stub, no second yes, the image is right', async () => {
    const world = new World({ seed: 250 });
    let yeses = 0;
    const outcome = await during(
      world,
      700,
      () => {
        world.board.powerOff();
        world.queue.after(4000, () => world.board.powerOn());
      },
      { askConsent: () => Promise.resolve(++yeses > 0), patience: {} },
    );
    requireDone(outcome);
    requireRight(world);
    assert.equal(yeses, 1);
    assert.ok(outcome.events.filter(({ type }) => type === 'sealed').length >= 2);
  });

  it('a tiny job is not lost by a link that breaks in its last words', async () => {
    const world = new World({ seed: 260 });
    let told = false;
    const outcome = await world.flash(tinyImage(), {
      patience: PATIENCE,
      confirmCode: () => true,
      ...dropAtReceipt(world, () => (told = true)),
    });
    requireDone(outcome);
    assert.ok(told);
    requireRight(world, tinyImage(), [[FLASH, 0x4000]]);
  });
});

/** Breaks the agent's link at the moment the receipt is stored. */
function dropAtReceipt(world: World, note: () => void): FlashOptions {
  const store = world.store.bind(world);
  world.store = () => {
    const kept = store();
    return {
      ...kept,
      storeReceipt: (job, uid, receipt) => {
        note();
        world.dropLink('agent');
        return kept.storeReceipt(job, uid, receipt);
      },
    };
  };
  return {};
}
