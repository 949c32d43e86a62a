// Power cut while everything is erased at once: no chip is left that starts what it held before (docs/protocol.md §8,
// "Erasing").
import assert from 'node:assert/strict';
import { ERASE_ALL } from '../../../shared/sealed/messages.ts';
import type { Board } from '../../../sim/board.ts';
import { randomState } from '../../../sim/peripherals/random.ts';
import { MS_ALL, erasingSession, used, wholeChip } from './erasing-session.ts';
import { FLASH } from './sample-jobs.ts';

const CUTS = 60;

describe('stub whose power is cut while it erases everything', () => {
  const plan = wholeChip();
  /** Old firmware that spins at its reset handler. */
  const old = used();
  const view = new DataView(old.buffer);
  const CODE = 0x400;
  view.setUint32(0, 0x20001000, true);
  view.setUint32(4, FLASH + CODE + 1, true);
  view.setUint16(CODE, 0xe7fe, true);

  /** Where the core is some time after power came back. */
  function pcAfterPowerUp(board: Board): number {
    board.powerOff();
    board.powerOn();
    board.runTo(board.time.now + 2e6);
    return board.core.regs[15]!;
  }

  it('has the two words the chip starts from zero before the erase begins', () => {
    const job = erasingSession(plan, old);
    job.controller.send({ name: 'ERASE', sector: ERASE_ALL });
    job.fixture.runUntil(() => job.erases.length > 0, 1000, 'erase');
    const programmed = job.entries.filter(({ kind, phase }) => kind === 'program' && phase === 'end');
    assert.deepEqual(
      programmed.map(({ address }) => address),
      [FLASH, FLASH + 4],
    );
    assert.deepEqual([...job.fixture.board.flash.bytes.subarray(0, 8)], new Array(8).fill(0));
  });

  it('has those of a plan that starts elsewhere zero as well', () => {
    const at = FLASH + 0x20000;
    const elsewhere = wholeChip({ bootAddress: at, ranges: [{ address: at, length: 1024, use: 'program' }] });
    const job = erasingSession(elsewhere, old);
    job.controller.send({ name: 'ERASE', sector: ERASE_ALL });
    job.fixture.runUntil(() => job.erases.length > 0, 1000, 'erase');
    for (const from of [0, 0x20000]) {
      assert.deepEqual([...job.fixture.board.flash.bytes.subarray(from, from + 8)], new Array(8).fill(0));
    }
    assert.equal(job.fixture.board.flash.bytes[0x20008], 0x5a);
  });

  it('starts the old firmware as long as nothing was done', () => {
    assert.equal(pcAfterPowerUp(erasingSession(plan, old).fixture.board), FLASH + CODE);
  });

  it(`never starts it once the reset vector is being cleared, at ${CUTS} instants`, () => {
    const { fixture, controller, entries } = erasingSession(plan, old);
    const { board } = fixture;
    controller.send({ name: 'ERASE', sector: ERASE_ALL });
    // the first word: start, end; the reset vector behind it: start
    fixture.runUntil(() => entries.length >= 3, 1000, 'the second zero');
    const first = board.time.now;
    for (let cut = 0; cut < CUTS; cut++) {
      // Dense where the words are programmed and the erase begins, then through all of it.
      board.runTo(first + (cut < 20 ? cut * 5e3 : ((cut - 19) * MS_ALL * 1e6) / (CUTS - 18)));
      const here = board.snapshot();
      // Each cut leaves something else: a fork would draw the same every time.
      board.flash.restore({ ...(board.flash.snapshot() as object), random: randomState(cut, 'power cut') });
      const pc = pcAfterPowerUp(board);
      assert.notDeepEqual(board.flash.bytes.slice(4, 8), old.slice(4, 8), `the reset vector, cut ${cut}`);
      assert.notEqual(pc, FLASH + CODE, `cut ${cut}`);
      board.restore(here);
    }
    assert.equal(controller.reply(20_000).name, 'ERASED');
  });
});
