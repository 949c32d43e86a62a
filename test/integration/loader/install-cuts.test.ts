// Power cut anywhere in an install, the journal's change of banks included, and again while the board starts
// (docs/loader.md, "Cuts"): afterwards the old image runs, whole, or the new one, whole, or the installer.
import assert from 'node:assert/strict';
import type { Board } from '../../../sim/board.ts';
import type { FlashJournalEntry } from '../../../sim/peripherals/flash-operation.ts';
import { randomState } from '../../../sim/peripherals/random.ts';
import { installPlan, LoaderController, type LoaderPlan } from './loader-controller.ts';
import {
  complete,
  FACTS,
  FLASH,
  IMAGE,
  inInstaller,
  planted,
  record,
  runMs,
  spinning,
  SPINS_AT,
  uses,
  type Planted,
} from './loader-fixture.ts';
import { LoaderLink } from './loader-link.ts';
import { contentOf, fileFor, recipientOf, stranger, UpdateLine } from './update-line.ts';

const BYTES = 700;
const old = spinning(BYTES, 8);
const next = spinning(BYTES, 9);
const BROKEN = 0x00ff0000;
const START_MS = 60;
/** A word takes less to program, ns. */
const WORD_NS = 20_000;
/** Boundaries of one kind of operation that are cut, of a run. */
const OF_A_KIND = 14;
const CUTS_MS = 300_000;
const STRAP = { port: 1, pin: 3, level: 1 } as const;

/** A journal with the old image, and so many more use words that it is full but for `free` units. */
function journal(free?: number): Planted['banks'] {
  const units = [record('BANK', 1), complete(2, old)];
  const used = units.reduce((sum, unit) => sum + unit.length, 0) / 32;
  const fill = free === undefined ? 0 : 0x4000 / 32 - used - free;
  return [[...units, ...Array.from({ length: fill }, () => uses(0, 0, 0, 0, 0, 0, 0))], []];
}

type Outcome = 'old' | 'new' | 'installer' | 'something';

function outcome(board: Board): Outcome {
  board.soc.gpio['B']!.inputs = 0;
  board.powerOff();
  board.powerOn();
  runMs(board, 12);
  const flash = Buffer.from(board.flash.bytes.subarray(IMAGE - FLASH, IMAGE - FLASH + BYTES));
  if (board.core.regs[15] === SPINS_AT) return flash.equals(old) ? 'old' : flash.equals(next) ? 'new' : 'something';
  return inInstaller(board) ? 'installer' : 'something';
}

/** Runs an install of `next` over `old`. */
function install(board: Board, plan: Partial<LoaderPlan> = {}): void {
  board.soc.gpio['B']!.inputs = 1 << STRAP.pin;
  const link = new LoaderLink(board);
  runMs(board, START_MS);
  link.knock(2);
  const controller = new LoaderController(link, installPlan(next, { words: [FACTS.product, 8, 8], ...plan }));
  controller.connect();
  controller.install(next);
}

/** Runs an install of `next` over `old` from an update file. */
function installFile(board: Board): void {
  board.soc.gpio['B']!.inputs = 1 << STRAP.pin;
  const link = new LoaderLink(board);
  runMs(board, START_MS);
  link.knock(2);
  const file = fileFor([stranger(1), recipientOf(board)], contentOf(next, { version: 8, floor: 8 }));
  new UpdateLine(link).install(file);
}

/** Instants to cut at: around operations of the run, some of each kind and sector. */
function instants(entries: readonly FlashJournalEntry[]): number[] {
  const groups = new Map<string, number[]>();
  for (const { kind, address, atNs } of entries) {
    const key = `${kind} ${(address >>> 14).toString(16)}`;
    groups.set(key, [...(groups.get(key) ?? []), atNs - 100, atNs + 100]);
  }
  return [...groups.values()]
    .flatMap((all) => all.filter((_, i) => i < 2 || i >= all.length - 4 || i % Math.ceil(all.length / OF_A_KIND) === 0))
    .sort((a, b) => a - b);
}

/** When the last word of BEGIN begins: the operation before the first on the image's sectors. */
function endOfBegin(entries: readonly FlashJournalEntry[]): number {
  const ours = entries.findIndex(({ kind, sector }) => kind === 'erase' && sector === 4);
  return entries.slice(0, ours).findLast(({ kind }) => kind === 'program')!.atNs - WORD_NS;
}

/** Cuts power in one run of an install at each of the instants it passes; what the board did afterwards. */
function cuts(banks: Planted['banks'], run: (board: Board) => void = install): { at: number; result: Outcome }[] {
  const what: Planted = { image: old, banks: banks!, config: { strap: STRAP } };
  const dry = planted(what);
  const entries: FlashJournalEntry[] = [];
  dry.flash.onOperation = (entry) => void entries.push(entry);
  run(dry);
  const wanted = instants(entries);
  const results: { at: number; result: Outcome }[] = [];
  const board = planted(what);
  const fork = planted(what);
  const runTo = board.runTo.bind(board);
  board.runTo = (ns) => {
    while (wanted.length > 0 && wanted[0]! < ns) {
      const at = wanted.shift()!;
      if (at - 200 > board.time.now) runTo(at - 200);
      fork.restore(board.snapshot());
      fork.flash.restore({ ...(fork.flash.snapshot() as object), random: randomState(results.length, 'power cut') });
      fork.cutPowerAt(Math.max(at, fork.time.now + 1));
      fork.runTo(Math.max(at, fork.time.now) + 1000);
      results.push({ at, result: outcome(fork) });
    }
    runTo(ns);
  };
  run(board);
  assert.equal(outcome(board), 'new', 'the run itself ends well');
  const begin = endOfBegin(entries);
  for (const { at, result } of results) if (at < begin) assert.equal(result, 'old', `${at}, BEGIN ends at ${begin}`);
  return results;
}

describe('loader: installs and power cuts', () => {
  it('old, installer or new, in this order, and nothing else', () => {
    const results = cuts(journal());
    const seen = results.map(({ result }) => result);
    assert.ok(!seen.includes('something'), seen.join(' '));
    const order = { old: 0, installer: 1, new: 2, something: 3 };
    const sorted = [...seen].sort((a, b) => order[a] - order[b]);
    assert.deepEqual(seen, sorted);
    assert.deepEqual([...new Set(seen)], ['old', 'installer', 'new']);
  }).timeout(CUTS_MS);

  it('the same for an update file', () => {
    const seen = cuts(journal(), installFile).map(({ result }) => result);
    const order = { old: 0, installer: 1, new: 2, something: 3 };
    assert.deepEqual(
      seen,
      [...seen].sort((a, b) => order[a] - order[b]),
    );
    assert.deepEqual([...new Set(seen)], ['old', 'installer', 'new']);
  }).timeout(CUTS_MS);

  it('… which is given again after a cut, from its beginning, however often', () => {
    const board = planted({ image: old, banks: journal()!, config: { strap: STRAP } });
    for (const operations of [1, 60, 150]) {
      let ours = 0;
      board.flash.onOperation = ({ address }) => {
        if (address >= IMAGE && ++ours === operations) board.cutPowerAt(board.time.now + 1);
      };
      assert.throws(() => installFile(board), /no status/);
      board.flash.onOperation = () => {};
      board.powerOff();
      board.powerOn();
    }
    installFile(board);
    assert.equal(outcome(board), 'new');
  }).timeout(CUTS_MS);

  for (const free of [0, 1, 2]) {
    it(`the same where the journal changes its bank with ${free} units free`, () => {
      const seen = cuts(journal(free)).map(({ result }) => result);
      assert.ok(!seen.includes('something'), seen.join(' '));
      assert.equal(seen[0], 'old');
      assert.equal(seen.at(-1), 'new');
      const firstInstaller = seen.indexOf('installer');
      assert.ok(
        seen.slice(firstInstaller).every((result) => result !== 'old'),
        seen.join(' '),
      );
    }).timeout(CUTS_MS);
  }

  it('a change of banks takes broken uses along', () => {
    const units = [record('BANK', 1), complete(2, old)];
    const used = units.reduce((sum, unit) => sum + unit.length, 0) / 32;
    const fill = Array.from({ length: 0x4000 / 32 - used - 3 }, () => uses(0, 0, 0, 0, 0, 0, 0));
    const broken = [0, 1, 2].map(() => uses(...Array<number>(7).fill(BROKEN)));
    const board = planted({ image: old, banks: [[...units, ...fill, ...broken], []], config: { strap: STRAP } });
    board.soc.gpio['B']!.inputs = 1 << STRAP.pin;
    const link = new LoaderLink(board);
    runMs(board, START_MS);
    link.knock(2);
    const controller = new LoaderController(link, installPlan(next));
    link.send('m2', controller.answer(controller.offer()));
    const begun = board.time.now;
    controller.confirm(link.await('m3', 60_000));
    assert.ok(board.time.now - begun > 30e9, '21 broken uses make it wait 32 s');
    const bank = board.flash.bytes.subarray(0xc000, 0x10000);
    assert.equal(String.fromCharCode(...bank.subarray(0, 4)), 'BANK');
    controller.ask({ name: 'END' }, 20_000);
  }).timeout(CUTS_MS);
});
