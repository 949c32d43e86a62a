// The plug is pulled (docs/threat-model.md, "pull the plug"; docs/protocol.md §9): at every boundary of a flash
// operation of a whole job, inside every operation, and at random instants, on a chip that held an older bootable
// image. After power-up the core runs the untouched old image, the complete new one, or nothing of the plan's sectors.
// What the threat model excepts is bounded here: the instant before the reset vector, the erase of the boot sector, and
// the option write of a lock.
import assert from 'node:assert/strict';
import type { FlashJournalEntry } from '../../sim/peripherals/flash-operation.ts';
import type { ModelSwitches } from '../../sim/peripherals/model-switches.ts';
import { PowerCutter, powerUp, recordJob, type PowerRecord, type Run } from '../fixtures/power-record.ts';
import { bootable, FLASH, FLASH_BYTES, flashAfter, imageOf } from '../fixtures/images.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import type { RunOptions } from '../fixtures/product.ts';

/** Sectors 0, 1 and 12: the boot words' own, a neighbour, and one in the other bank. */
const SECTORS = [
  [FLASH, 0x4000],
  [FLASH + 0x4000, 0x4000],
  [FLASH + 0x100000, 0x4000],
] as const;
const SP_WORD = FLASH;
const RESET_VECTOR = FLASH + 4;
const FLASH_OPTCR = 0x40023c14;
/** FLASH_CR to x32; the option keys; then level 0 with SPRMOD and BFB2 clear, which erases flash first. */
const TO_LEVEL_0 = [
  [0x40023c04, 0x45670123],
  [0x40023c04, 0xcdef89ab],
  [0x40023c10, 0x200],
  [0x40023c08, 0x08192a3b],
  [0x40023c08, 0x4c5d6e7f],
  [FLASH_OPTCR, 0x0fffaaec],
  [FLASH_OPTCR, 0x0fffaaee],
] as const;

type Flash = 'old' | 'new' | 'neither';

/** What one cut came to. */
interface Fate {
  readonly atNs: number;
  readonly flash: Flash;
  readonly run: Run;
  /** An instruction inside the plan's sectors was executed. */
  readonly inside: boolean;
}

class Case {
  readonly record: PowerRecord;
  readonly old: Uint8Array;
  readonly wanted: Uint8Array;
  readonly cutter: PowerCutter;
  #cuts = 0;

  constructor(record: PowerRecord, old: Uint8Array, wanted: Uint8Array) {
    this.record = record;
    this.old = old;
    this.wanted = wanted;
    this.cutter = new PowerCutter(record);
  }

  static async make(seed: number, options: RunOptions = {}, switches: Partial<ModelSwitches> = {}): Promise<Case> {
    const old = new Uint8Array(FLASH_BYTES).fill(0xff);
    old.set(bootable(seed + 50, 0x9000));
    old.set(seededRandom(seed + 51).bytes(0x6000), 0x100000);
    const image = imageOf(
      [FLASH, bootable(seed, 320, FLASH, 8)],
      [FLASH + 0x4000, seededRandom(seed + 1).bytes(96)],
      [FLASH + 0x100000, seededRandom(seed + 2).bytes(64)],
    );
    const record = await recordJob({ seed, board: { flash: old, switches } }, image, options);
    assert.equal(record.outcome.agent.result, 'done');
    return new Case(record, old, flashAfter(old, image, SECTORS));
  }

  /** Cuts, looks at flash, powers up, follows the core. */
  cut(atNs: number): Fate {
    const { cutter } = this;
    const made = cutter.cut(atNs, ++this.#cuts);
    sameOperations(made, cutter.expected(atNs), atNs);
    const { bytes } = cutter.board.flash;
    requireOutsideUntouched(bytes, this.old);
    const flash = same(bytes, this.old) ? 'old' : same(bytes, this.wanted) ? 'new' : 'neither';
    const run = powerUp(cutter.board);
    return { atNs, flash, run, inside: run.executed.some(isInside) };
  }

  /** Start and end of the only operation that `fits`. */
  span(fits: (entry: FlashJournalEntry) => boolean): readonly [startNs: number, endNs: number] {
    const [start, end, ...rest] = this.record.journal.filter(fits).map(({ atNs }) => atNs);
    assert.ok(start !== undefined && end !== undefined && rest.length === 0);
    return [start, end];
  }

  get bootErase(): readonly [number, number] {
    return this.span(({ kind, sector }) => kind === 'erase' && sector === 0);
  }

  /** From the stack pointer in place to the reset vector in place: "Three things a power cut can do". */
  get vectorInstant(): readonly [number, number] {
    const [, from] = this.span(({ kind, address }) => kind === 'program' && address === SP_WORD);
    const [, to] = this.span(({ kind, address }) => kind === 'program' && address === RESET_VECTOR);
    return [from, to];
  }
}

/** Operations up to 1 µs before the cut must be those of the record: the fork is the same run. */
function sameOperations(
  made: readonly FlashJournalEntry[],
  expected: readonly FlashJournalEntry[],
  atNs: number,
): void {
  const long = (entries: readonly FlashJournalEntry[]) =>
    entries.filter((entry) => entry.atNs < atNs - 1000).map(({ kind, phase, address }) => ({ kind, phase, address }));
  assert.deepEqual(long(made), long(expected), `the fork for ${atNs} ns is another run`);
}

function isInside(pc: number): boolean {
  return SECTORS.some(([address, length]) => pc >= address && pc < address + length);
}

function requireOutsideUntouched(flash: Uint8Array, old: Uint8Array): void {
  let from = 0;
  for (const [address, length] of SECTORS) {
    assert.ok(
      same(flash.subarray(from, address - FLASH), old.subarray(from, address - FLASH)),
      'flash outside the plan',
    );
    from = address - FLASH + length;
  }
  assert.ok(same(flash.subarray(from), old.subarray(from)), 'flash outside the plan');
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Old and new images run; anything else runs nothing of the plan's sectors. */
function isGood({ flash, run, inside }: Fate): boolean {
  return flash === 'neither' ? !inside : inside && !run.faulted;
}

function within(atNs: number, [from, to]: readonly [number, number]): boolean {
  return atNs >= from && atNs < to;
}

describe('power cut at any instant of a job', function () {
  this.timeout(120_000);
  let first: Case;
  before(async () => {
    first = await Case.make(9);
  });

  it('every boundary of a flash operation, and the middle of every operation: old, new, or nothing of the plan runs', () => {
    const { journal } = first.record;
    const starts = journal.filter(({ phase }) => phase === 'start');
    assert.ok(starts.length > 100, 'a job with erases and programs in three sectors');
    const instants = journal.flatMap((entry, index) => {
      const next = journal[index + 1];
      return entry.phase === 'start' && next !== undefined
        ? [entry.atNs + 1, (entry.atNs + next.atNs) / 2]
        : [entry.atNs + 1];
    });
    const fates = instants.map((atNs) => first.cut(atNs));
    const bad = fates.filter((fate) => !isGood(fate));
    const { vectorInstant, bootErase } = first;
    for (const { atNs, run } of bad) {
      assert.ok(within(atNs, vectorInstant), `at ${atNs} ns ${run.executed.map((pc) => pc.toString(16)).join(' ')}`);
      assert.ok(!within(atNs, bootErase));
    }
    // Exactly that instant, and there exactly what the threat model says: the new image's own fault handler.
    assert.ok(bad.length >= 1, 'the one instant that cannot be made atomic is one');
    const handler = new DataView(first.wanted.buffer).getUint32(12, true) & ~1;
    const atBoundary = bad[0] as Fate;
    assert.deepEqual([...new Set(atBoundary.run.executed)], [handler]);
    const verified = first.wanted.slice();
    verified.fill(0xff, 4, 8);
    first.cutter.cut(atBoundary.atNs, 0);
    assert.ok(same(first.cutter.board.flash.bytes, verified), 'complete and verified but for the reset vector');
    // Both ends of the range of fates were seen.
    assert.ok(fates.some(({ flash }) => flash === 'old') && fates.some(({ flash }) => flash === 'new'));
  });

  for (const seed of [9, 31]) {
    it(`110 random instants, image ${seed}, spread over erasing, programming and all between`, async () => {
      const job = seed === 9 ? first : await Case.make(seed);
      const random = seededRandom(seed + 100);
      const between = ([from, to]: readonly [number, number]) => from + 1 + ((to - from - 1) * random.int(1e6)) / 1e6;
      const { journal } = job.record;
      const opened = (kind: FlashJournalEntry['kind']) =>
        journal.flatMap((entry, i): (readonly [number, number])[] =>
          entry.kind === kind && entry.phase === 'start' ? [[entry.atNs, journal[i + 1]!.atNs]] : [],
        );
      const pick = (spans: readonly (readonly [number, number])[]) => between(spans[random.int(spans.length)]!);
      const whole = [journal[0]!.atNs - 50e6, journal.at(-1)!.atNs + 5e6] as const;
      const instants = [
        ...Array.from({ length: 40 }, () => pick(opened('erase'))),
        ...Array.from({ length: 40 }, () => pick(opened('program'))),
        ...Array.from({ length: 30 }, () => between(whole)),
      ];
      const bad = instants.map((atNs) => job.cut(atNs)).filter((fate) => !isGood(fate));
      for (const { atNs } of bad) {
        assert.ok(within(atNs, job.vectorInstant) || within(atNs, job.bootErase), `at ${atNs} ns`);
      }
    });
  }

  it('the second exception: a half-erased reset vector may still point into the half-erased old image, rarely', () => {
    // An erase that is broken off leaves any bits of the old vectors (docs/reference/stm32f4.md §3.5). No order of
    // writing helps: something has to be erased first. Measured under the model's luck 3 of 1000; the bound here is
    // what the model allows, not a promise.
    const { bootErase } = first;
    const random = seededRandom(5);
    const instants = Array.from(
      { length: 400 },
      () => bootErase[0] + 1e6 + ((bootErase[1] - bootErase[0] - 2e6) * random.int(1e6)) / 1e6,
    );
    const bad = instants.map((atNs) => first.cut(atNs)).filter((fate) => !isGood(fate));
    assert.ok(bad.length <= 8, `${bad.length} of ${instants.length}`);
    for (const { flash } of bad) assert.equal(flash, 'neither');
  });

  it('between boot words and lock, and during the option write: the new image runs, never level 2', async () => {
    const job = await Case.make(12, { lock: 'level 1' });
    const [from, to] = job.span(({ kind }) => kind === 'option');
    const [, written] = job.vectorInstant;
    const instants = [written + 1, (written + from) / 2, from - 1, from + 1, ...spread(from, to, 40), to - 1, to + 1];
    const levels = new Set<number>();
    for (const atNs of instants) {
      const fate = job.cut(atNs);
      assert.deepEqual([fate.flash, fate.inside], ['new', true], `at ${atNs} ns`);
      levels.add(job.cutter.board.options.rdpLevel);
    }
    assert.deepEqual([...levels].sort(), [0, 1]);
  });

  it('P3: a cut inside the option write may leave all ones: nothing of the image runs, and leaving level 1 cures it', async () => {
    const job = await Case.make(13, { lock: 'level 1' }, { cutOptions: 'ones' });
    const [from, to] = job.span(({ kind }) => kind === 'option');
    // A fork made in mid-write may end it some nanoseconds before the record does.
    for (const atNs of [...spread(from, to, 6), to - 1000]) {
      const fate = job.cut(atNs);
      const { board } = job.cutter;
      assert.deepEqual([fate.flash, fate.inside], ['new', false], `at ${atNs} ns`);
      assert.equal(board.bus.read(FLASH_OPTCR, 4, 'debugger'), 0xcffffffd);
      assert.equal(board.soc.protection.level, 1);
      for (const [register, value] of TO_LEVEL_0) board.bus.write(register, value, 4, 'debugger');
      board.runTo(board.time.now + 17e9);
      assert.equal(board.options.optcr, 0x0fffaaec);
      assert.ok(board.flash.bytes.every((byte) => byte === 0xff));
    }
  });
});

function spread(from: number, to: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + ((to - from) * (i + 0.5)) / count);
}
