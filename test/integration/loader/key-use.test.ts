// How a session uses d_s (docs/loader.md, "Keys"): when, in what order its words are read, and how little of it
// registers hold, for whoever stops the core by a reset finds thirteen of them.
import assert from 'node:assert/strict';
import { LOADER_MAP } from '../../../controller/loader/config.ts';
import { LoaderController, loaderPlan } from './loader-controller.ts';
import { BANKS, FLASH, LOCKED, planted, runMs } from './loader-fixture.ts';
import { LoaderLink } from './loader-link.ts';

const SECRET = LOADER_MAP.slots + 4;
const WORDS = 8;
const REGISTERS = 13;
const START_MS = 60;
/** Boards, each with its own chance. */
const BOARDS = [1, 2, 3];
/** What the delay behind the use word differs by among so many, ns, unless there is none. */
const LEAST_SPREAD = 100_000;

/** Of a core at 168 MHz, ns; and how many the words may be seen in: eight times five instructions. */
const CYCLE_NS = 6;
const MOST_EXPOSED = 8 * 5;
/** What is searched: from shortly before the first read on, cycles. */
const CYCLES = 10_000;
const BEFORE_NS = 1000;

interface Use {
  /** Words of d_s in the order they were read. */
  readonly order: number[];
  /** From the use word's last store to the first of these reads, ns. */
  readonly delay: number;
  /** When the first was read. */
  readonly first: number;
}

/** A board that has offered an enrolment: its link, the vendor's side, and his answer, still to be sent. */
function offered(seed: number): { link: LoaderLink; controller: LoaderController; m2: Uint8Array } {
  const board = planted({}, { ...LOCKED, seed });
  const link = new LoaderLink(board);
  runMs(board, START_MS);
  link.knock(3);
  const controller = new LoaderController(link, loaderPlan({ kind: 'enroll' }));
  return { link, controller, m2: controller.answer(controller.offer()) };
}

/** An enrolment on a board of its own. */
function use(seed: number): Use {
  const { link, controller, m2 } = offered(seed);
  const { board } = link;
  const order: number[] = [];
  let noted = 0;
  let first = 0;
  board.bus.watch(BANKS[0], BANKS[0] + 0x4000, ({ kind }) => {
    if (kind === 'write') noted = board.time.now;
  });
  board.bus.watch(SECRET, SECRET + 4 * WORDS, ({ address }) => {
    first ||= board.time.now;
    order.push((address - SECRET) / 4);
  });
  link.send('m2', m2);
  controller.confirm(link.await('m3', 5000));
  return { order, delay: first - noted, first };
}

/** Of the cycles from a little before `from` on, how many found a word of d_s in r0 to r12. */
function exposed(seed: number, from: number): { cycles: number; words: number } {
  const { link, m2 } = offered(seed);
  const { board } = link;
  const secret = new Uint32Array(board.flash.bytes.slice(SECRET - FLASH, SECRET - FLASH + 4 * WORDS).buffer);
  const seen = new Set<number>();
  let cycles = 0;
  link.send('m2', m2);
  board.runTo(from - BEFORE_NS);
  for (let i = 0; i < CYCLES; i++) {
    board.runTo(board.time.now + CYCLE_NS);
    const held = board.core.regs.slice(0, REGISTERS).filter((value) => secret.includes(value >>> 0));
    held.forEach((value) => seen.add(value >>> 0));
    if (held.length > 0) cycles++;
  }
  return { cycles, words: seen.size };
}

describe('loader: a use of the device’s key', () => {
  const made: Use[] = [];
  before(function () {
    this.timeout(120_000);
    made.push(...BOARDS.map(use));
  });

  it('reads each word once, in an order that is another each time', () => {
    for (const { order } of made) assert.deepEqual(order.toSorted(), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert.equal(new Set(made.map(({ order }) => order.join(' '))).size, BOARDS.length);
  });

  it('comes at a time by chance behind the use word, whose store can be seen from outside', () => {
    const delays = made.map(({ delay }) => delay);
    assert.ok(Math.max(...delays) - Math.min(...delays) > LEAST_SPREAD, delays.join(' '));
  });

  it('has a word in registers for a few cycles, not longer', () => {
    const { cycles, words } = exposed(BOARDS[0]!, made[0]!.first);
    assert.equal(words, WORDS, 'the search sees what is there to be seen');
    assert.ok(cycles <= MOST_EXPOSED, `${cycles} cycles`);
  }).timeout(60_000);
});
