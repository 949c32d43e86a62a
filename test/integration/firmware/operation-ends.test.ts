// Where operations of flash begin and end: what is told while one runs, one that never ends, option bytes that are not
// begun, and what counts as changed, erased and asked (docs/mailbox.md, docs/protocol.md §8, §9).
import assert from 'node:assert/strict';
import type { PlanRange } from '../../../shared/plan/plan.ts';
import type { Reply } from '../../../shared/sealed/messages.ts';
import { controlAddress } from '../../fixtures/f42x.ts';
import type { FirmwareFixture } from './firmware-fixture.ts';
import { active, FLASH, rootOf, smallPlan, writeAll, SampleImage } from './sample-jobs.ts';

const FLASH_SR = 0x0c;
const FLASH_CR = 0x10;
const LOCKED = 0x80000000;
const FLASH_OPTCR = 0x14;
const OPTCR_START = 2;
const BUSY = 0x10000;
const ERASING = 1;
const SYSTICK_VECTOR = 0x2000003c;

const erasing = (fixture: FirmwareFixture) => (fixture.control('ACTIVITY') & 0xff) === ERASING;
const abortOf = (reply: Reply) => (reply.name === 'ABORT' ? [reply.error, reply.detail] : []);
const program = (at: number, length: number): PlanRange => ({ address: FLASH + at, length, use: 'program' });

describe('stub: an operation of flash that lasts', () => {
  it('keeps nobody waiting for the sealed ABORT', () => {
    const { fixture, controller } = active(smallPlan({}, 256), { flashTiming: 'max' });
    controller.send({ name: 'ERASE', sector: 0 });
    fixture.runUntil(() => erasing(fixture), 100, 'erase');
    assert.deepEqual(abortOf(controller.ask({ name: 'ABORT' })), [17, 0]);
    assert.equal(erasing(fixture), true);
    fixture.runUntil(() => fixture.state === 'aborted', 1000, 'aborted');
  });

  it('is not begun when flash stays locked', () => {
    const { fixture, controller } = active(smallPlan({}, 256));
    const { flash } = fixture.board;
    const read = flash.read.bind(flash);
    flash.read = (offset, ...rest) => (read(offset, ...rest) | (offset === FLASH_CR ? LOCKED : 0)) >>> 0;
    assert.deepEqual(abortOf(controller.ask({ name: 'ERASE', sector: 0 })), [10, 0]);
  });

  it('and was given up is not followed by another session while it goes on', () => {
    const { fixture, controller } = active(smallPlan({}, 256));
    controller.send({ name: 'ERASE', sector: 0 });
    fixture.runUntil(() => erasing(fixture), 100, 'erase');
    const { flash } = fixture.board;
    const read = flash.read.bind(flash);
    flash.read = (offset, ...rest) => (read(offset, ...rest) | (offset === FLASH_SR ? BUSY : 0)) >>> 0;
    assert.equal(abortOf(controller.reply())[0], 11);
    fixture.runUntil(() => fixture.state === 'aborted', 1000, 'aborted');
    fixture.command('handshake');
    fixture.runUntil(() => fixture.state === 'refused', 1000, 'refused');
    assert.equal(fixture.error, 11);
  });
});

describe('stub: option bytes', () => {
  it('are not called locked when their programming was never begun', () => {
    const plan = smallPlan({ lock: 'level 1' }, 256);
    const { fixture, controller } = active(plan);
    assert.equal(writeAll(controller, plan, new SampleImage(plan)).name, 'WRITTEN');
    const { flash } = fixture.board;
    const [read, write] = [flash.read.bind(flash), flash.write.bind(flash)];
    let start = 0;
    flash.write = (offset, value, ...rest) => {
      if (offset === FLASH_OPTCR) start = value & OPTCR_START;
      write(offset, offset === FLASH_OPTCR ? value & ~OPTCR_START : value, ...rest);
    };
    flash.read = (offset, ...rest) => (read(offset, ...rest) | (offset === FLASH_OPTCR ? start : 0)) >>> 0;
    assert.equal(abortOf(controller.ask({ name: 'LOCK' }))[0], 14);
  });
});

describe('stub: what counts', () => {
  it('does not call a job to erase ended while a sector it erased, or left as blank, is not', () => {
    const plan = smallPlan({ kind: 'erase', sectors: [1, 13], bootAddress: undefined, ranges: [] });
    for (const at of [0x4000, 0x107ffc]) {
      const { fixture, controller } = active(plan);
      for (const sector of plan.sectors) {
        assert.equal(controller.ask({ name: 'ERASE', sector, unlessBlank: true }).name, 'ERASED');
      }
      fixture.board.flash.bytes[at]! &= 0xfb;
      assert.deepEqual(abortOf(controller.ask({ name: 'END' })), [13, FLASH + at]);
    }
  });

  it('boot words alone are a change: nothing reads blank enough to be left in the next session', () => {
    const plan = smallPlan({ sectors: [0, 1], ranges: [program(0, 256), program(0x4000, 256)] });
    const { fixture, controller } = active(plan);
    const blank = new Uint8Array(0x200000).fill(0xff);
    for (const sector of plan.sectors) controller.ask({ name: 'ERASE', sector, unlessBlank: true });
    const final = { name: 'FINAL', root: rootOf(blank, plan.ranges), bootWords: new Uint8Array(64) } as const;
    assert.equal(controller.ask(final).name, 'WRITTEN');
    fixture.commandTo('handshake', 'offered');
    controller.shake();
    const how = plan.sectors.map((sector) => {
      const reply = controller.ask({ name: 'ERASE', sector, unlessBlank: true });
      return reply.name === 'ERASED' && reply.how;
    });
    assert.deepEqual(how, ['erased', 'erased']);
  });

  it('FINAL is a question about what the session did not erase', () => {
    const plan = smallPlan({ ranges: [program(0, 256), { address: FLASH + 0x8000, length: 4, use: 'digest' }] });
    const { fixture, controller } = active(plan);
    const errors: unknown[] = [];
    for (let session = 1; session <= 5; session++) {
      controller.ask({ name: 'ERASE', sector: 0 });
      const guess = new Uint8Array(0x200000).fill(0xff).fill(session, 0x8000, 0x8004);
      const root = rootOf(guess, plan.ranges);
      errors.push(abortOf(controller.ask({ name: 'FINAL', root, bootWords: new Uint8Array(64) })));
      fixture.commandTo('handshake', 'offered');
      controller.shake();
    }
    const differs = [12, 0xffffffff];
    assert.deepEqual(errors, [differs, differs, differs, differs, [8, 0]]);
  });

  it('tells no address of a fault outside the stub: it may be data', () => {
    for (const [target, told] of [
      [0x20000100, 0x20000100],
      [0x20010000, 0],
    ] as const) {
      const { fixture } = active(smallPlan({}, 256));
      fixture.setWord(SYSTICK_VECTOR, target);
      fixture.runUntil(() => fixture.state === 'fault', 500, 'fault');
      assert.deepEqual([fixture.word(controlAddress('FAULT')), fixture.detail], [told, told]);
    }
  });
});
