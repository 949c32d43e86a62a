// DIGEST is a question with a yes or a no (docs/protocol.md §8, "Questions"): how short, how often, and that nothing
// else about flash leaves the stub.
import assert from 'node:assert/strict';
import type { PlanRange } from '../../../shared/plan/plan.ts';
import type { Reply } from '../../../shared/sealed/messages.ts';
import { memory, SRAM } from './session-endings.ts';
import { active, asks, FLASH, SampleImage, question, rootOf, sendImage, sha512, smallPlan } from './sample-jobs.ts';
import type { SealedController } from './sealed-controller.ts';
import { seededRandom } from '../../fixtures/seeded.ts';

const OUTSIDE = 8;
const ALL = 256;
const LEAST = 1024;
const SHORT = 64;

const part = (at: number, length: number, use: PlanRange['use'] = 'digest'): PlanRange => ({
  address: FLASH + at,
  length,
  use,
});
const verify = (...ranges: PlanRange[]) => smallPlan({ kind: 'verify', sectors: [], bootAddress: undefined, ranges });
const content = seededRandom(99).bytes(0x200000);
const wrong = content.map((byte) => byte ^ 1);

/** What is left after a question; the answer must be `equal`. */
function left(reply: Reply, equal = true): number {
  assert.equal(reply.name, 'DIGEST');
  if (reply.name !== 'DIGEST') throw new Error('unreachable');
  assert.equal(reply.equal, equal);
  return reply.questionsLeft;
}
/** The reply is ABORT `outside plan` with this detail. */
function refused(reply: Reply, detail: number): void {
  assert.deepEqual(reply.name === 'ABORT' && [reply.error, reply.detail], [OUTSIDE, detail]);
}

describe('stub questions: how much', () => {
  const pieces = verify(part(0, 1020), part(0x1000, 4), part(0x2000, LEAST), part(0x4000, 512), part(0x8000, 512));
  for (const [first, count, good] of [
    [0, 1, false],
    [1, 1, false],
    [3, 1, false],
    [0, 2, true],
    [2, 1, true],
    [3, 2, true],
    [0, 5, true],
  ] as const) {
    it(`${good ? 'answers' : 'refuses'} one about ${count} from ${first} of ranges with 1020, 4, 1024, 512, 512 bytes`, () => {
      const { controller } = active(pieces, {}, content);
      const reply = controller.ask(question(pieces, content, first, count));
      if (good) assert.equal(left(reply), ALL - 1);
      else refused(reply, first);
    });
  }
  it('answers one about all ranges of a plan, however short', () => {
    const short = verify(part(0x100, 4), part(0x200, 4));
    const { controller } = active(short, {}, content);
    assert.equal(left(controller.ask(question(short, content))), ALL - SHORT);
    refused(controller.ask(question(short, content, 1)), 1);
  });
  it('answers four of a plan of less than 1024 bytes in its life: four bytes are not found by trying', () => {
    const short = verify(part(0x100, 4));
    const { fixture, controller } = active(short, {}, content);
    const guess = (byte: number) => content.slice().fill(byte, 0x100, 0x104);
    for (let asked = 1; asked <= 4; asked++) {
      if (asked === 3) {
        fixture.commandTo('handshake', 'offered');
        controller.shake();
      }
      assert.equal(left(controller.ask(question(short, guess(asked))), false), ALL - asked * SHORT);
    }
    refused(controller.ask(question(short, content)), 0);
  });
  it('counts by what was not erased: a plan whose rest is short is one', () => {
    const plan = smallPlan({ ranges: [part(0, 0x2000, 'program'), part(0x8000, 1020)] });
    const { controller } = active(plan, {}, content);
    assert.equal(left(controller.ask(question(plan, content))), ALL - 1);
    controller.ask({ name: 'ERASE', sector: 0 });
    assert.equal(left(controller.ask(question(plan, content.slice().fill(0xff, 0, 0x4000)))), ALL - 1 - SHORT);
  });
  it('what was erased in the session does not make one about little else longer', () => {
    const plan = smallPlan({ ranges: [part(0, 0x2000, 'program'), part(0x8000, 1020), part(0xc000, LEAST)] });
    const { controller } = active(plan, {}, content);
    controller.ask({ name: 'ERASE', sector: 0 });
    const now = content.slice().fill(0xff, 0, 0x4000);
    assert.equal(left(controller.ask(question(plan, now))), ALL - 1);
    refused(controller.ask(question(plan, now, 0, 2)), 0);
  });
  it('one about what the session erased is free, whatever its length; before, it is not', () => {
    const plan = smallPlan({ ranges: [part(0, 256, 'program'), part(0x2000, LEAST, 'program'), part(0x8000, LEAST)] });
    const { controller } = active(plan, {}, content);
    assert.equal(left(controller.ask(question(plan, content, 1, 1))), ALL - 1);
    controller.ask({ name: 'ERASE', sector: 0 });
    const now = content.slice().fill(0xff, 0, 0x4000);
    for (const count of [1, 2]) assert.equal(left(controller.ask(question(plan, now, 0, count))), ALL - 1);
    assert.equal(left(controller.ask(question(plan, content, 0, 1)), false), ALL - 1);
    assert.equal(left(controller.ask(question(plan, now))), ALL - 2);
  });
});

describe('stub questions: how often', () => {
  it('answers 256 in its life over 16 sessions, and the 257th aborts; free ones it goes on answering', () => {
    const plan = smallPlan({ idleLimitMs: 1000, ranges: [part(0, 256, 'program'), part(0x8000, LEAST)] });
    const { fixture, controller } = active(plan, {}, content);
    let asked = 0;
    const ask = (): void => {
      const equal = asked % 2 === 0;
      assert.equal(left(controller.ask(question(plan, equal ? content : wrong, 1)), equal), ALL - ++asked);
    };
    for (let session = 1; session <= 16; session++) {
      for (let i = 0; i < 16; i++) ask();
      if (session === 16) break;
      if (session === 7) fixture.runUntil(() => fixture.state === 'expired', 2000, 'expired');
      if (session === 8) fixture.commandTo('abort', 'expired');
      fixture.commandTo('handshake', 'offered');
      controller.shake();
    }
    assert.deepEqual([asked, fixture.control('HANDSHAKES')], [ALL, 16]);
    controller.ask({ name: 'ERASE', sector: 0 });
    assert.equal(left(controller.ask(question(plan, content.slice().fill(0xff, 0, 256), 0, 1))), 0);
    refused(controller.ask(question(plan, content, 1)), 1);
    fixture.runUntil(() => fixture.state === 'aborted', 100, 'aborted');
  });
  it('counts one before it is answered: that the agent stops it saves none', () => {
    const plan = verify(part(0x20000, 0x20000));
    const { fixture, controller } = active(plan, {}, content);
    controller.send(question(plan, content));
    fixture.runUntil(() => fixture.control('ACTIVITY') === 3, 100, 'digesting');
    fixture.commandTo('handshake', 'offered');
    controller.shake();
    assert.equal(left(controller.ask(question(plan, content))), ALL - 2);
  });
});

describe('stub questions: what leaves', () => {
  const ranges = [
    part(0, 0x1000, 'program'),
    part(0x2000, LEAST, 'program'),
    part(0x8000, LEAST),
    part(0x8800, 4),
    part(0x20000, 0x4000),
  ];
  const plan = smallPlan({ ranges });

  /** Digests of each range and roots of all runs of ranges over a flash. */
  function digests(bytes: Uint8Array): Buffer[] {
    const each = ranges.map(({ address, length }) => sha512(bytes.subarray(address - FLASH, address - FLASH + length)));
    const runs = ranges.flatMap((_, first) =>
      ranges.slice(first).map((__, more) => rootOf(bytes, ranges.slice(first, first + more + 1))),
    );
    return [...each, ...runs].map((digest) => Buffer.from(digest));
  }
  /** How many of the digests `where` has any 6 bytes in a row of. */
  const found = (where: Uint8Array, wanted: readonly Buffer[]) => {
    const searched = Buffer.from(where);
    return wanted.filter((digest) =>
      Array.from({ length: digest.length - 5 }, (_, at) => digest.subarray(at, at + 6)).some((six) =>
        searched.includes(six),
      ),
    ).length;
  };
  const said = (controller: SealedController) => Buffer.concat(controller.opened);

  it('no digest of what was not written in the session is in a reply or in the RAM the agent reads', () => {
    const { fixture, controller } = active(plan, {}, content);
    for (const bytes of [content, wrong]) {
      for (const [first, count] of [
        [0, 5],
        [0, 1],
        [1, 1],
        [2, 1],
        [2, 2],
        [4, 1],
        [1, 4],
      ] as const) {
        assert.equal(asks(controller, plan, bytes, first, count), bytes === content);
      }
    }
    controller.ask({ name: 'PING' });
    controller.ask({ name: 'ERASE', sector: 0 });
    const erased = content.slice().fill(0xff, 0, 0x4000);
    assert.equal(asks(controller, plan, erased), true);
    const image = new SampleImage(plan);
    sendImage(controller, plan, image);
    const reply = controller.ask({
      name: 'FINAL',
      root: rootOf(wrong, ranges),
      bootWords: image.at(FLASH, 64).slice(),
    });
    assert.deepEqual(reply.name === 'ABORT' && [reply.error, reply.detail], [12, 0xffffffff]);
    const final = erased.slice();
    for (const { address, length } of ranges.slice(0, 2)) final.set(image.at(address, length), address - FLASH);
    final.fill(0xff, 0, 64);
    const all = [content, erased, final].flatMap(digests);
    assert.equal(found(said(controller), all), 0);
    assert.equal(found(memory(fixture, SRAM), all), 0);
  });
  it('the search finds the one that may leave: the root of WRITTEN, after FINAL was right', () => {
    const { fixture, controller } = active(plan, {}, content);
    controller.ask({ name: 'ERASE', sector: 0 });
    const image = new SampleImage(plan);
    sendImage(controller, plan, image);
    const flash = content.slice().fill(0xff, 0, 0x4000);
    for (const { address, length } of ranges.slice(0, 2)) flash.set(image.at(address, length), address - FLASH);
    const before = flash.slice().fill(0xff, 0, 64);
    const reply = controller.ask({
      name: 'FINAL',
      root: rootOf(before, ranges),
      bootWords: image.at(FLASH, 64).slice(),
    });
    assert.equal(reply.name, 'WRITTEN');
    assert.equal(found(said(controller), digests(before)), 0);
    const written = sha512(
      Buffer.concat([Buffer.from('blindflash/2 written'), rootOf(before, ranges), flash.slice(0, 64)]),
    );
    assert.equal(found(said(controller), [Buffer.from(written)]), 1);
    assert.equal(found(said(controller), digests(flash)), 0);
    assert.equal(found(memory(fixture, SRAM), [...digests(before), ...digests(flash)]), 0);
  });
});
