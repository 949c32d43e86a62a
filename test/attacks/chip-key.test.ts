// H4: the defence is D. Who has copied the memory of the customer's computer gets nothing by a chip of his own; an
// honest desk is asked again exactly when its stub is a new one (docs/protocol.md §8 "D").
import assert from 'node:assert/strict';
import { isBlindflashError } from '../../shared/errors/errors.ts';
import { planHash } from '../../shared/plan/plan.ts';
import type { MessageOf } from '../../shared/tunnel/messages.ts';
import { STUBS } from '../fixtures/board.ts';
import { EmulatedStub, Impostor, type ChipLife } from '../fixtures/impostor.ts';
import { FLASH } from '../fixtures/images.ts';
import { ProductFixture } from '../fixtures/product.ts';
import { emulate, IMAGE, impostorJob, TIMEOUTS, stub } from './hostile-jobs.ts';
import { jobWith, type Interruptions, type Moment } from './interrupted-job.ts';

const OTHER_D: Partial<ChipLife> = { seed: 610, d: new Uint8Array(32).fill(0xd2) };

/** Opens, agrees and confirms a first chip; then the session breaks and the vendor asks for another. */
async function untilRestart(agent: Impostor): Promise<MessageOf<'JOB'>> {
  await agent.opened();
  agent.hello(STUBS.hashes);
  const job = await agent.expect('JOB');
  agent.send({ name: 'CONSENT', yes: true, planHash: planHash(job.plan) });
  const first = new EmulatedStub(job, stub.hash);
  agent.send({ name: 'SEALED1', stubHash: stub.hash, m1: first.m1 });
  agent.send({ name: 'SEALED3', m3: first.takeM2((await agent.expect('SEALED2')).m2) });
  agent.send({ name: 'CREDIT', upTo: 1000 });
  await agent.expect('FRAME');
  agent.send({ name: 'PROBLEM', problem: { code: 'BF-STUB-SILENT', detail: '', board: 'incomplete' } });
  await agent.expect('RESTART');
  return job;
}

async function goOn(agent: Impostor, job: MessageOf<'JOB'>, life: Partial<ChipLife>): Promise<EmulatedStub> {
  const chip = new EmulatedStub(job, stub.hash, life);
  agent.send({ name: 'SEALED1', stubHash: stub.hash, m1: chip.m1 });
  agent.send({ name: 'SEALED3', m3: chip.takeM2((await agent.expect('SEALED2')).m2) });
  agent.send({ name: 'CREDIT', upTo: 1000 });
  for (;;) {
    const message = await agent.expect('FRAME', 'BYE');
    if (message.name === 'BYE') break;
    const reply = chip.take(message.box);
    if (reply !== undefined) agent.send({ name: 'REPLY', ...reply });
  }
  agent.send({ name: 'LEFT', left: { board: 'running' } });
  return chip;
}

const holdsImage = (chip: EmulatedStub | undefined): boolean =>
  chip !== undefined &&
  IMAGE.segments.every(
    ({ address, bytes }) =>
      Buffer.compare(chip.flash.slice(address - FLASH, address - FLASH + bytes.length), bytes) === 0,
  );

describe('attack: the memory of the customer’s computer, after the first D', function () {
  this.timeout(120_000);

  it('continued in the same tunnel with a chip of one’s own: no M2, no image', async () => {
    const product = new ProductFixture({ seed: 720 });
    let chip: EmulatedStub | undefined;
    const { thief, error } = await impostorJob(product, async (agent) => {
      const job = await untilRestart(agent);
      chip = await goOn(agent, job, OTHER_D);
    });
    assert.equal(chip, undefined);
    assert.equal(thief.names.filter((name) => name === 'SEALED2').length, 1, 'none for the second chip');
    assert.ok(isBlindflashError(error), String(error));
    assert.deepEqual(product.receipts, []);
  });

  it('the old weakness by hook, d of the chip itself: the image is gone, as the words say', async () => {
    const product = new ProductFixture({ seed: 721 });
    let chip: EmulatedStub | undefined;
    const { error } = await impostorJob(product, async (agent) => {
      chip = await goOn(agent, await untilRestart(agent), { seed: 611 });
    });
    assert.equal(error, undefined);
    assert.ok(holdsImage(chip));
  });

  for (const given of [false, true]) {
    it(`a copied way back, used from another computer ${given ? 'with d' : 'with a chip of one’s own'}: ${given ? 'goes on' : 'the vendor is asked, and no M2 leaves'}`, async () => {
      const product = new ProductFixture({ seed: 722 });
      let thief: Impostor | undefined;
      let chip: EmulatedStub | undefined;
      // The customer on the telephone has no code of a tunnel that is not his.
      const typeCode = (_shown: string, { tunnel }: { tunnel: number }): string | undefined =>
        tunnel === 1 ? victim?.code : undefined;
      let victim: Impostor | undefined;
      const { error } = await impostorJob(
        product,
        async (agent) => {
          victim = agent;
          const job = await untilRestart(agent);
          const { secrets } = agent;
          agent.close();
          thief = new Impostor(product, product.room!, 801, secrets);
          await thief.opened();
          thief.hello(STUBS.hashes);
          await thief.expect('JOB');
          thief.send({ name: 'CONSENT', yes: true, planHash: planHash(job.plan) });
          chip = await goOn(thief, job, given ? { seed: 612 } : OTHER_D);
        },
        { typeCode, timeouts: { ...TIMEOUTS, code: 20_000 } },
      );
      assert.equal(thief!.names.includes('SEALED2'), given);
      assert.equal(holdsImage(chip), given);
      assert.equal(error === undefined, given);
      assert.equal(product.asked.length, given ? 1 : 2, 'the vendor is asked about tunnel 2');
      thief!.close();
    });
  }

  for (const own of [false, true]) {
    it(`the code of a new key is being typed, ${own ? 'and the key that waits goes on (control)' : 'and another chip is offered in the same tunnel: no M2'}`, async () => {
      const product = new ProductFixture({ seed: 724 });
      let second: Impostor | undefined;
      const offers = (life: Partial<ChipLife>): void => {
        const { m1 } = new EmulatedStub(job!, stub.hash, life);
        second!.send({ name: 'SEALED1', stubHash: stub.hash, m1 });
      };
      let job: MessageOf<'JOB'> | undefined;
      // The second code is typed right: an honest customer read it out, for the chip that waited.
      const typeCode = async (_shown: string, { tunnel }: { tunnel: number }): Promise<string | undefined> => {
        if (tunnel === 1) return first?.code;
        if (!own) offers({ seed: 614, d: new Uint8Array(32).fill(0xd4) });
        return new Promise((resolve) => product.queue.after(3000, () => resolve(second!.code)));
      };
      let first: Impostor | undefined;
      await impostorJob(
        product,
        async (agent) => {
          first = agent;
          job = await untilRestart(agent);
          const { secrets } = agent;
          agent.close();
          second = new Impostor(product, product.room!, 802, secrets);
          await second.opened();
          second.hello(STUBS.hashes);
          await second.expect('JOB');
          second.send({ name: 'CONSENT', yes: true, planHash: planHash(job.plan) });
          offers(OTHER_D);
          await second.expect('SEALED2');
        },
        { typeCode, timeouts: { ...TIMEOUTS, code: 20_000 } },
      );
      assert.equal(product.asked.length, 2);
      assert.equal(product.answers.at(-1), 'right');
      assert.equal(second!.names.includes('SEALED2'), own);
      second!.close();
    });
  }

  it('control: the same impostor whom the vendor believes gets the image, so it is the question that stops him', async () => {
    const product = new ProductFixture({ seed: 723 });
    let chip: EmulatedStub | undefined;
    await impostorJob(product, async (agent) => void (chip = await emulate(agent)));
    assert.ok(holdsImage(chip));
  });
});

describe('the code is asked for', function () {
  this.timeout(240_000);

  const rows: [string, Moment, (job: Interruptions) => void, number][] = [
    ['the agent’s process is killed', 700, (job) => job.killAgent(), 1],
    ['the vendor’s process is killed', 700, (job) => job.killVendor(), 1],
    ['a box fails in the chip', 'start', (job) => job.spoilBox(), 1],
    ['the board’s power is cut', 700, (job) => job.cutPower(4000), 2],
  ];
  for (const [i, [what, moment, interrupt, questions]] of rows.entries()) {
    it(`${questions - 1 === 0 ? 'not again' : 'exactly once more'} when ${what}`, async () => {
      const outcome = await jobWith(730 + i, moment, interrupt);
      assert.equal(outcome.error, undefined);
      assert.equal(outcome.agent.result, 'done');
      assert.equal(outcome.questions, questions);
      assert.deepEqual(new Set(outcome.product.answers), new Set(['right']));
      assert.ok(outcome.events.filter(({ type }) => type === 'sealed').length >= 2, 'the interruption was felt');
    });
  }

  it('exactly once more when the stub’s time runs out', async () => {
    const outcome = await jobWith(740, 'confirmed', (job) => job.killAgent(8000), { idleLimitMs: 2000 });
    assert.equal(outcome.error, undefined);
    assert.equal(outcome.agent.result, 'done');
    assert.equal(outcome.questions, 2);
  });

  it('once more again when the vendor takes longer to type than the chip waits for him', async () => {
    const late = { tunnel: 2, ms: 20_000 };
    const outcome = await jobWith(742, 700, (job) => job.cutPower(4000), { idleLimitMs: 5000, late });
    assert.equal(outcome.error, undefined);
    assert.equal(outcome.agent.result, 'done');
    assert.equal(outcome.questions, 3);
    assert.deepEqual(new Set(outcome.product.answers), new Set(['right']));
  });

  it('not again after a power cut when the vendor chose --code once, which says what that is worth', async () => {
    const outcome = await jobWith(741, 700, (job) => job.cutPower(4000), { codePolicy: 'once' });
    assert.equal(outcome.agent.result, 'done');
    assert.equal(outcome.questions, 1);
  });
});
