// H1, H3: the code before JOB. Nobody but the customer's screen has it until the vendor has typed it, a question is
// about one tunnel, and three wrong codes are the end of the invite, over tunnels and processes (docs/protocol.md §13).
import assert from 'node:assert/strict';
import { codeReview } from './code-places.ts';
import type { JobEvent } from '../../controller/job/ports.ts';
import { VirtualProcess } from '../chaos/process.ts';
import { ShortMemory } from '../../agent/session/ports.ts';
import { isBlindflashError } from '../../shared/errors/errors.ts';
import { Impostor } from '../fixtures/impostor.ts';
import { STUBS } from '../fixtures/board.ts';
import { ProductFixture, type RunOptions } from '../fixtures/product.ts';
import { IMAGE, TIMEOUTS } from './hostile-jobs.ts';

const never = (): undefined => undefined;

/** Another code of six characters. */
function wrongOf(shown: string): string {
  return shown.startsWith('0') ? `1${shown.slice(1)}` : `0${shown.slice(1)}`;
}

describe('attack: reading the code where it should not be', function () {
  this.timeout(120_000);

  it('the expected code is in no event, log or record of the vendor and on no wire until it was typed', async () => {
    const review = codeReview();
    const product = new ProductFixture({ seed: 700, log: review.log });
    const record = product.record(IMAGE, product.planFor(IMAGE));
    const events: JobEvent[] = [];
    let before = '';
    const typeCode = (shown: string): string => {
      before = review.everything(product, events);
      return shown;
    };
    const job = product.startVendor(IMAGE, record, events, { timeouts: TIMEOUTS, typeCode });
    const outcome = await product.finish(job, product.runAgent(record), events);
    assert.equal(outcome.agent.result, 'done');
    const [code] = product.codes.agent;
    assert.ok(before.length > 1000 && before.includes('"type":"code"'), 'there was a question to look at');
    for (const form of review.formsOf(code!)) {
      assert.ok(!before.includes(form), `${form} was there before it was typed`);
    }
    const after = review.everything(product, events);
    for (const form of review.formsOf(code!)) assert.ok(!after.includes(form), `${form} is there afterwards`);
  });

  it('JOB has not left while the question is open: a thief learns no plan and no key', async () => {
    const product = new ProductFixture({ seed: 701 });
    const record = product.record(IMAGE, product.planFor(IMAGE));
    const job = product.startVendor(IMAGE, record, [], { timeouts: TIMEOUTS, typeCode: never });
    const thief = new Impostor(product, record.room);
    const played = thief.opened().then(() => thief.hello(STUBS.hashes));
    await product.queue.drive(played, 60e9);
    await assert.rejects(product.queue.drive(job.done, 1e13), (error) => isBlindflashError(error));
    assert.deepEqual(
      thief.names.filter((name) => name !== 'BYE'),
      [],
    );
    thief.close();
  });
});

describe('attack: a code for another tunnel', function () {
  this.timeout(120_000);

  it('another tunnel confirms during the question: it is void, the old code is answered for nothing, and it is asked anew', async () => {
    const product = new ProductFixture({ seed: 702 });
    const record = product.record(IMAGE, product.planFor(IMAGE));
    const events: JobEvent[] = [];
    const typed: number[] = [];
    const memory = new ShortMemory();
    const customer = new VirtualProcess('agent', product.queue);
    // The first agent's process goes away while the vendor listens; its next one opens tunnel 2.
    const typeCode: RunOptions['typeCode'] = (shown, { tunnel }) => {
      typed.push(tunnel);
      if (typed.length > 1) return new Promise((resolve) => product.queue.after(30_000, () => resolve(shown)));
      customer.kill();
      void product.usb.close();
      return new Promise((resolve) => product.queue.after(20_000, () => resolve(shown)));
    };
    const job = product.startVendor(IMAGE, record, events, { timeouts: { ...TIMEOUTS, peer: 60_000 }, typeCode });
    void product.agent(record.room, {
      probe: customer.probe(product.probe(customer.clock)),
      dial: async () => customer.link(await product.dial('agent')),
      clock: customer.clock,
      memory,
    });
    await product.queue.runUntil(() => typed.length > 0, 60e9);
    await product.queue.runUntil(() => !customer.alive, 60e9);
    const outcome = await product.finish(job, product.runAgent(record, { memory }), events);
    assert.equal(outcome.agent.result, 'done');
    assert.deepEqual(typed, [1, 2]);
    assert.ok(events.some((event) => event.type === 'codeVoid' && event.tunnel === 1));
    assert.deepEqual([...product.answers].sort(), ['right', 'void']);
    assert.equal(product.saved.at(-1)!.room.invite.wrongCodes, 0, 'a void answer is not counted');
  });

  it('invite B’s code typed at job A is wrong there, and costs invite B nothing', async () => {
    const a = new ProductFixture({ seed: 703 });
    const b = new ProductFixture({ seed: 704 });
    let codeOfB = '';
    await b.flash(IMAGE, { timeouts: TIMEOUTS, typeCode: (shown) => (codeOfB = shown) });
    const outcome = await a.flash(IMAGE, { timeouts: TIMEOUTS, typeCode: (shown, { again }) => (again === undefined ? codeOfB : shown) }); // prettier-ignore
    assert.deepEqual(a.answers, ['wrong', 'right']);
    assert.equal(outcome.agent.result, 'done');
    assert.equal(b.saved.at(-1)!.room.invite.wrongCodes, 0);
  });
});

describe('attack: guessing the code', function () {
  this.timeout(120_000);

  it('two wrong ones, a new process of the vendor, one more: the invite and its way back are spent', async () => {
    const product = new ProductFixture({ seed: 705 });
    const record = product.record(IMAGE, product.planFor(IMAGE));
    const memory = new ShortMemory();
    const timeouts = { ...TIMEOUTS, peer: 60_000 };
    let wrong = 0;
    const twice: RunOptions['typeCode'] = (shown) => (wrong++ < 2 ? wrongOf(shown) : undefined);
    const first = product.startVendor(IMAGE, record, [], { timeouts, typeCode: twice });
    const agent = product.runAgent(record, { memory });
    await product.queue.runUntil(() => product.asked.length === 3, 600e9);
    agent.catch(() => {});
    const stored = structuredClone(product.saved.at(-1)!);
    assert.equal(stored.room.invite.wrongCodes, 2);
    first.interrupt();
    await assert.rejects(product.queue.drive(first.done), (error) => isBlindflashError(error, 'BF-JOB-INTERRUPTED'));

    const events: JobEvent[] = [];
    const second = product.startVendor(IMAGE, stored, events, { timeouts, typeCode: wrongOf });
    await assert.rejects(product.queue.drive(second.done, 1e13), (error) => isBlindflashError(error));
    assert.equal(product.answers.at(-1), 'spent');
    assert.ok(events.some((event) => event.type === 'spent' && event.why === 'codes'));
    const { invite } = product.saved.at(-1)!.room;
    assert.deepEqual([invite.spent, invite.secret, invite.wrongCodes], ['codes', undefined, 3]);
    assert.notEqual((await product.queue.drive(agent, 1e13)).result, 'done');
    assert.ok(!events.some(({ type }) => type === 'job'), 'no plan has left');

    const third = product.startVendor(IMAGE, structuredClone(product.saved.at(-1)!), [], { timeouts });
    const back = new Impostor(product, record.room, 777, memory.secrets.length > 0 ? memory.secrets : undefined);
    await assert.rejects(product.queue.drive(third.done, 1e13), (error) => isBlindflashError(error));
    assert.equal(back.code, undefined);
    back.close();
  });

  it('what has not six characters is asked again and not counted; O, I, L, case and hyphens do not matter', async () => {
    const product = new ProductFixture({ seed: 706 });
    const tries = ['', 'ABC', 'ABC-DE!', 'ABCDEFG'];
    const outcome = await product.flash(IMAGE, {
      timeouts: TIMEOUTS,
      typeCode: (shown) =>
        tries.shift() ?? ` ${shown.toLowerCase().replace('-', '  ').replaceAll('0', 'o').replaceAll('1', 'l')} `,
    });
    assert.deepEqual(product.answers, ['malformed', 'malformed', 'malformed', 'malformed', 'right']);
    assert.equal(outcome.agent.result, 'done');
  });
});
