// Power cut anywhere in a job: afterwards the core runs the untouched old image, the complete new one, or nothing of the plan's ranges
// (docs/protocol.md §9; the two exceptions: docs/threat-model.md "Two things a power cut can do").
import assert from 'node:assert/strict';
import type { FlashJournalEntry } from '../../../sim/peripherals/flash-controller.ts';
import type { Board } from '../../../sim/board.ts';
import { active, FLASH, Image, sendImage, smallPlan } from './jobs.ts';
import { testRandom } from './vendor.ts';

const BYTES = 256;
const CODE_OLD = 0xc0;
const CODE_NEW = 0x80;
const FAULTS = 0xe0;
const SPIN = 0xe7fe;
const RANDOM_CUTS = 100;
const plan = smallPlan({}, BYTES);

/** Makes an image that boots: 16 vectors, `b .` at `code`, another at the fault handler. */
function bootable(bytes: Uint8Array, code: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint32(0, 0x20001000, true);
  view.setUint32(4, FLASH + code + 1, true);
  for (let vector = 2; vector < 16; vector++) view.setUint32(4 * vector, FLASH + FAULTS + 1, true);
  view.setUint16(code, SPIN, true);
  view.setUint16(FAULTS, SPIN, true);
}

const before = new Uint8Array(0x200000).fill(0xff);
before.set(testRandom(8).bytes(BYTES));
bootable(before, CODE_OLD);
const image = new Image(plan);
bootable(image.bytes, CODE_NEW);

/** A board whose stub finds the whole job in its slots and needs nobody any more. */
function loaded(): Board {
  const { bench, vendor } = active(plan, {}, before);
  vendor.send({ name: 'ERASE', sector: 0 });
  sendImage(vendor, plan, image);
  vendor.send({ name: 'FINAL', root: image.root(plan, 'erased'), bootWords: image.at(FLASH, 64).slice() });
  return bench.board;
}

/** Start and end of every flash operation of the job. */
function journal(): FlashJournalEntry[] {
  const board = loaded();
  const entries: FlashJournalEntry[] = [];
  board.flash.onOperation = (entry) => void entries.push(entry);
  board.runTo(board.time.now + 400e6);
  assert.ok(same(board, image.bytes), 'the job runs to its end by itself');
  return entries;
}
const same = (board: Board, bytes: Uint8Array) => Buffer.from(board.flash.bytes).equals(Buffer.from(bytes));

type Outcome = 'old image' | 'new image' | 'nothing' | 'something';

/** What the core does after power-up: where it settles, or whether it ever was inside the plan's range. */
function outcome(board: Board): Outcome {
  board.powerOff();
  board.powerOn();
  board.runTo(board.time.now + 2e6);
  const pc = board.core.regs[15]!;
  if (same(board, before) && pc === FLASH + CODE_OLD) return 'old image';
  if (same(board, image.bytes) && pc === FLASH + CODE_NEW) return 'new image';
  const inside = pc >= FLASH && pc < FLASH + BYTES;
  return board.core.lockedUp && !inside ? 'nothing' : 'something';
}

/** Cuts power at each of the ascending instants, every time in the same run. */
function outcomes(instants: readonly number[]): Outcome[] {
  const board = loaded();
  return instants.map((at) => {
    board.runTo(at - 200);
    const here = board.snapshot();
    board.cutPowerAt(at);
    board.runTo(at + 200);
    const result = outcome(board);
    board.restore(here);
    return result;
  });
}

describe('stub and power cuts', () => {
  const entries = journal();
  const erase = entries.filter(({ kind }) => kind === 'erase').map(({ atNs }) => atNs);
  const word = (index: number) => entries.filter((e) => e.kind === 'program' && e.address === FLASH + 4 * index);
  const commit = [word(0)[0]!.atNs, word(1)[1]!.atNs] as const;
  /** The two exceptions: while the boot sector is being erased, and while the last two words are written. */
  const undefinedAt = (at: number) => (at > erase[0]! && at < erase[1]!) || (at > commit[0] && at < commit[1]);

  function check(instants: readonly number[]): Map<Outcome, number> {
    const count = new Map<Outcome, number>();
    outcomes(instants).forEach((result, i) => {
      const at = instants[i]!;
      count.set(result, (count.get(result) ?? 0) + 1);
      if (undefinedAt(at)) return;
      const expected: Outcome = at <= erase[0]! ? 'old image' : at >= commit[1] ? 'new image' : 'nothing';
      assert.equal(result, expected, `cut at ${at} ns, erase ${erase.join('..')}, last words ${commit.join('..')}`);
    });
    return count;
  }

  it('has operations to cut: one erase, every word, the boot words last', () => {
    assert.equal(entries.length, 2 + 2 * (BYTES / 4));
    assert.equal(entries.at(-1)!.address, FLASH + 4);
  });
  it('leaves old, new or nothing at every boundary of a flash operation', () => {
    const around = entries.flatMap(({ atNs }) => [atNs - 10, atNs + 10]);
    const count = check([...new Set(around)].sort((a, b) => a - b));
    assert.ok(count.get('old image')! >= 1 && count.get('new image')! >= 1 && count.get('nothing')! > 100);
  });
  it(`leaves old, new or nothing at ${RANDOM_CUTS} random instants after the erase`, () => {
    const random = testRandom(99).bytes(4 * RANDOM_CUTS);
    const view = new DataView(random.buffer);
    const [from, to] = [erase[1]! + 1000, entries.at(-1)!.atNs + 200_000];
    const instants = Array.from(
      { length: RANDOM_CUTS },
      (_, i) => from + ((to - from) * view.getUint32(4 * i, true)) / 2 ** 32,
    );
    check(instants.sort((a, b) => a - b));
  });
  it('runs no whole image when the erase is cut: the sector is neither old nor blank', () => {
    const [from, to] = [erase[0]! + 1000, erase[1]! - 1000];
    const instants = Array.from({ length: 20 }, (_, i) => from + ((to - from) * i) / 19);
    for (const result of outcomes(instants)) assert.ok(result !== 'old image' && result !== 'new image');
  });
});
