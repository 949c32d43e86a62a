// Power cut at boundaries of flash operations while keys are made, an image is installed, or the journal changes its
// bank; then cut three times more while the board starts (docs/loader.md, "Cuts").
import { LOADER_MAP } from '../../controller/loader/config.ts';
import type { Board, BoardOptions } from '../../sim/board.ts';
import { randomState } from '../../sim/peripherals/random.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import { installPlan, LoaderController } from '../integration/loader/loader-controller.ts';
import {
  complete,
  FACTS,
  FLASH,
  IMAGE,
  inInstaller,
  LOCKED,
  planted,
  plantedFlash,
  record,
  runMs,
  spinning,
  SPINS_AT,
  uses,
  type Planted,
} from '../integration/loader/loader-fixture.ts';
import { LoaderLink } from '../integration/loader/loader-link.ts';

const IMAGE_BYTES = 700;
const old = spinning(IMAGE_BYTES, 8);
const next = spinning(IMAGE_BYTES, 9);
const STRAP = { port: 1, pin: 3, level: 1 } as const;
const MADE_MS = 60;
const OUTCOME_MS = 12;
const MORE_CUTS = 3;
/** A cut at a start is made within so much of it, unless it is made at its first operation on flash, ms. */
const START_MS = 40;
const BESIDE_NS = 100;
const BEFORE_NS = 200;
const SETTLED_NS = 1000;
const OPERATION_NS = 30_000;
const SLOTS = 7;
const SLOT_BYTES = 288;
const BANK_UNITS = 0x4000 / 32;
const WEAK: BoardOptions = { switches: { cutErase: 'weak' } };

type Outcome = 'old' | 'new' | 'installer' | 'something' | 'keys' | 'no keys';

interface Run {
  readonly what: Planted;
  readonly options?: BoardOptions;
  readonly work: (board: Board) => void;
  readonly outcome: (board: Board) => Outcome;
}

const slotsOf = (board: Board): Uint8Array[] =>
  Array.from({ length: SLOTS }, (_, i) => {
    const at = LOADER_MAP.slots - FLASH + i * SLOT_BYTES;
    return board.flash.bytes.slice(at, at + SLOT_BYTES);
  });
const isClosed = (slot: Uint8Array): boolean =>
  String.fromCharCode(...slot.slice(0, 4), ...slot.slice(268, 272)) === 'KEYSSHUT';
const isAll = (slot: Uint8Array, value: number): boolean => slot.every((byte) => byte === value);

/** One slot is closed and none half made. */
function keysOf(board: Board): Outcome {
  board.powerOn();
  runMs(board, MADE_MS);
  const slots = slotsOf(board);
  const whole = slots.every((slot) => isClosed(slot) || isAll(slot, 0) || isAll(slot, 0xff));
  return whole && slots.filter(isClosed).length === 1 ? 'keys' : 'no keys';
}

function started(board: Board): Outcome {
  board.soc.gpio['B']!.inputs = 0;
  board.powerOn();
  runMs(board, OUTCOME_MS);
  const flash = Buffer.from(board.flash.bytes.subarray(IMAGE - FLASH, IMAGE - FLASH + IMAGE_BYTES));
  if (board.core.regs[15] === SPINS_AT) return flash.equals(old) ? 'old' : flash.equals(next) ? 'new' : 'something';
  return inInstaller(board) ? 'installer' : 'something';
}

function install(board: Board): void {
  board.soc.gpio['B']!.inputs = 1 << STRAP.pin;
  const link = new LoaderLink(board);
  runMs(board, MADE_MS);
  link.knock(2);
  const controller = new LoaderController(link, installPlan(next, { words: [FACTS.product, 8, 8] }));
  controller.connect();
  controller.install(next);
}

/** A journal with the old image, in the bank `at`; with so many units free, or with what it takes alone. */
function journal(at: 0 | 1, free?: number): NonNullable<Planted['banks']> {
  const units = [record('BANK', 5), complete(6, old)];
  const used = units.reduce((sum, unit) => sum + unit.length, 0) / 32;
  const fill = free === undefined ? 0 : BANK_UNITS - used - free;
  const bank = [...units, ...Array.from({ length: fill }, () => uses(0, 0, 0, 0, 0, 0, 0))];
  const before = [record('BANK', 1), complete(2, old), record('BEGN', 3)];
  return at === 0 ? [bank, before] : [before, bank];
}
const installing = (banks: NonNullable<Planted['banks']>, options?: BoardOptions): Run => ({
  what: { image: old, banks, config: { strap: STRAP } },
  ...(options === undefined ? {} : { options }),
  work: install,
  outcome: started,
});

export const RUNS = {
  'keys are made': { what: {}, work: (board) => runMs(board, MADE_MS), outcome: keysOf },
  'an install': installing(journal(0)),
  'an install, the journal in its second bank': installing(journal(1)),
  'a change of banks': installing(journal(0, 1)),
  'a change of banks, back to the first': installing(journal(1, 2)),
  'a change of banks, cells weak after a cut erase': installing(journal(1, 0), WEAK),
} as const satisfies Record<string, Run>;
export type RunName = keyof typeof RUNS;

/** Starts the board and cuts its power, by chance at the first operation on flash or anywhere else. */
function cutStart(board: Board, random: ReturnType<typeof seededRandom>): void {
  const [choice, when] = new Uint32Array(random.bytes(8).buffer) as unknown as [number, number];
  const part = when / 2 ** 32;
  board.powerOn();
  if ((choice & 1) === 0) {
    board.flash.onOperation = () => board.cutPowerAt(board.time.now + 1 + part * OPERATION_NS);
  }
  runMs(board, 1.5 + part * START_MS);
  board.flash.onOperation = undefined;
  board.powerOff();
}

/** What became of a run that was cut at each of its boundaries, or at one in `sparse` of them, in order. */
export function cutEverywhere(name: RunName, sparse: number, seed: number): Outcome[] {
  const { what, options, work, outcome }: Run = RUNS[name];
  const flash = plantedFlash(what);
  const fresh = (): Board => planted(what, { ...LOCKED, ...options }, flash);
  const dry = fresh();
  const boundaries: number[] = [];
  dry.flash.onOperation = ({ atNs }) => void boundaries.push(atNs - BESIDE_NS, atNs + BESIDE_NS);
  work(dry);
  const wanted = boundaries.sort((a, b) => a - b).filter((_, index) => (index + seed) % sparse === 0);
  const random = seededRandom(seed);
  const results: Outcome[] = [];
  const board = fresh();
  const fork = fresh();
  const runTo = board.runTo.bind(board);
  board.runTo = (ns) => {
    for (; wanted.length > 0 && wanted[0]! < ns; wanted.shift()) {
      const at = wanted[0]!;
      if (at - BEFORE_NS > board.time.now) runTo(at - BEFORE_NS);
      fork.restore(board.snapshot());
      fork.flash.restore({ ...(fork.flash.snapshot() as object), random: randomState(results.length, 'power cut') });
      fork.cutPowerAt(Math.max(at, fork.time.now + 1));
      fork.runTo(Math.max(at, fork.time.now) + SETTLED_NS);
      for (let i = 0; i < MORE_CUTS; i++) cutStart(fork, random);
      results.push(outcome(fork));
    }
    runTo(ns);
  };
  work(board);
  board.powerOff();
  results.push(outcome(board));
  return results;
}

const ORDER = { old: 0, installer: 1, new: 2 } as const;
const place = (outcome: Outcome): number => (outcome in ORDER ? ORDER[outcome as keyof typeof ORDER] : -1);

/** Outcomes of an install that are none of the three, or that come behind what is later; or what never came at all. */
export function wrongOrder(outcomes: readonly Outcome[]): Outcome[] {
  const wrong = outcomes.filter((outcome, i) => place(outcome) < Math.max(0, ...outcomes.slice(0, i).map(place)));
  const missing = (Object.keys(ORDER) as Outcome[]).filter((outcome) => !outcomes.includes(outcome));
  return [...wrong, ...missing];
}
