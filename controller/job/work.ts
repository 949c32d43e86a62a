// What is done inside a sealed session, by kind of plan: the order of docs/protocol.md §9. Ends with what the stub has
// authenticated; anything else throws.
import type { Image } from '../image/image.ts';
import {
  bootSector,
  coversSector,
  erasesAll,
  eraseStep,
  expectedDigests,
  finalStep,
  imageBytes,
  imageSteps,
  mayAsk,
  questionCost,
  planQuestion,
  sectorQuestion,
  sectorsOfRanges,
  type Expectation,
  type Question,
} from '../plan/steps.ts';
import { describeDifference, placeQuestions } from './difference.ts';
import { equalBytes } from '../../shared/codec/bytes.ts';
import { sectorNumber, type Chip, type Width } from '../../shared/chips/index.ts';
import { fail } from '../../shared/errors/errors.ts';
import { KINDS, type PlanKind, type SealedKind } from '../../shared/plan/kinds.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import { placeOf } from '../../shared/registry/states.ts';
import type { JobEvent } from './ports.ts';
import { showsLock } from './checks.ts';
import { eraseAll, Erasures, requireSector } from './erasures.ts';
import type { SealedSession } from './sealed-session.ts';
import type { Evidence } from './receipts.ts';
import { end } from './session-end.ts';

export interface WorkOptions {
  readonly session: SealedSession;
  readonly plan: Plan;
  readonly chip: Chip;
  /** For flash and verify. */
  readonly image: Image | undefined;
  /** What reads blank need not be erased: no erase of ours was cut on this unit, and the plan does not ask for it. */
  readonly trustBlank: boolean;
  /** Sectors this job's record says this unit holds already. */
  readonly sectorsOnRecord: readonly number[];
  /** Sectors that are on no record are skipped, too, when the stub's digests cover and confirm all of them. */
  readonly delta: boolean;
  /** A verify job whose digest is not equal asks sector by sector where. */
  readonly where: boolean;
  /** What the stub still answers about what this session has not erased. */
  readonly budget: QuestionBudget;
  /**
   * Resolves when another sealed command may be sent. Before M3 has come that is so for a few that hold nothing of the
   * image (docs/protocol.md §8, "Before M3"), then as the agent and the tunnel take them.
   */
  readonly untilCredit: () => Promise<void>;
  /** Resolves when M3 has come, and is on record with the key of the chip: from here on the image may leave. */
  readonly untilProved: () => Promise<void>;
  /** Resolves when at most `left` commands, none unless given, have not been answered; not before M3 has come. */
  readonly answered: (left?: number) => Promise<void>;
  readonly emit: (event: JobEvent) => void;
  /** The same once the record as it is now is on disk: what a person was told does not get lost with the process. */
  readonly emitKept: (event: JobEvent) => void;
  /** The first frame of the image in this session is about to leave: resolves when it may. */
  readonly beforeImage: () => Promise<void>;
  /** The chip has proved its keys: resolves when they are on record. */
  readonly enrol: () => Promise<void>;
  /** Flash is about to change: resolves when that is on record. */
  readonly beforeChange: () => Promise<void>;
  /** The chip says *equal* for all of a sector. */
  readonly recordEqual: (sector: number) => void;
  /** The stub has authenticated this: resolves when the receipt is stored. */
  readonly evidence: (evidence: Evidence) => Promise<void>;
  /** What OPTCR read after LOCK: resolves when the receipt says so. */
  readonly lock: (optcr: number, level1: boolean) => Promise<void>;
}

/**
 * Questions about what a session has not erased: counted in the stub's life, over all sessions and processes
 * (docs/protocol.md §8).
 */
export interface QuestionBudget {
  readonly left: number;
  /** So many are about to be asked: resolves when they are off on record. */
  reserve(questions: number): Promise<void>;
  /** What the stub says is left. */
  told(left: number): void;
}

/** Does the plan's work. Returns the sectors that were skipped. */
export async function doWork(options: WorkOptions): Promise<readonly number[]> {
  const { kind } = options.plan;
  if (!hasWork(kind)) throw fail('BF-INTERNAL-ARGUMENT', `${kind} needs no sealed session`);
  return WORK[kind](options);
}

/** How each kind is done that needs a sealed session. */
const WORK = {
  flash: (options) => new FlashWork(options, imageOf(options)).run(),
  verify: (options) => verify(options, imageOf(options)),
  erase: (options) => erase(options),
  enroll: (options) => endOnly(options, KINDS.enroll),
  keys: (options) => endOnly(options, KINDS.keys),
} as const satisfies Record<SealedKind, (options: WorkOptions) => Promise<readonly number[]>>;

function hasWork(kind: PlanKind): kind is SealedKind {
  return KINDS[kind].stub || KINDS[kind].loader;
}

function imageOf({ image }: WorkOptions): Image {
  if (image === undefined) throw fail('BF-INTERNAL-ARGUMENT', 'this job needs an image');
  return image;
}

// ── verify and erase ──────────────────────────────────────────────────────────────────────────────────────────────

/** One question over all ranges. */
async function verify(options: WorkOptions, image: Image): Promise<readonly number[]> {
  const { plan, chip, emit } = options;
  const expected = expectedDigests(plan, image, chip);
  const totalBytes = expected.ranges.reduce((sum, { length }) => sum + length, 0);
  const [equal] = await askAll(options, expected, [planQuestion(expected)]);
  if (equal !== true) {
    throw fail('BF-JOB-DIFFERS', options.where ? await whereItDiffers(options, image, expected) : undefined);
  }
  emit({ type: 'progress', doneBytes: totalBytes, totalBytes });
  const chipTimes = await end(options);
  const sectorsByEqual = sectorsOfRanges(expected).length;
  const evidence = {
    source: 'vendor',
    root: expected.rootAfter,
    sectorsByEqual,
    wordsProgrammed: 0,
    chipTimes,
  } as const;
  await options.evidence({
    outcome: KINDS.verify.outcome,
    width: undefined,
    erase: new Erasures().summary,
    ...evidence,
  });
  return [];
}

/** In words. */
async function whereItDiffers(options: WorkOptions, image: Image, expected: Expectation): Promise<string> {
  const questions = placeQuestions(expected, options.budget.left);
  return describeDifference(expected, image, questions, await askAll(options, expected, questions));
}

/** Asks about what this session has not erased; resolves with the answers in the order of the questions. */
async function askAll(options: WorkOptions, expected: Expectation, questions: readonly Question[]): Promise<boolean[]> {
  const answers: boolean[] = [];
  await options.budget.reserve(questions.reduce((sum, question) => sum + questionCost(expected, question), 0));
  for (const question of questions) {
    await options.untilCredit();
    options.session.ask(question, 'DIGEST', ({ equal, questionsLeft }) => {
      options.budget.told(questionsLeft);
      answers.push(equal);
    });
  }
  await options.answered();
  return answers;
}

async function erase(options: WorkOptions): Promise<readonly number[]> {
  const { session, plan, chip, emit } = options;
  const bytesOf = (sector: number) => sectorNumber(chip, sector, plan.flashKiB).bytes;
  const totalBytes = plan.sectors.reduce((sum, sector) => sum + bytesOf(sector), 0);
  let doneBytes = 0;
  const erasures = new Erasures();
  await options.beforeChange();
  if (erasesAll(plan, chip)) await eraseAll(options, erasures);
  for (const sector of plan.sectors) {
    await options.untilCredit();
    session.ask(eraseStep(sector, options.trustBlank), 'ERASED', (reply) => {
      requireSector(sector, reply.sector);
      doneBytes += bytesOf(sector);
      erasures.took(reply.how);
      emit({ type: 'erased', sector, how: reply.how });
      emit({ type: 'progress', doneBytes, totalBytes });
    });
  }
  await options.answered();
  const chipTimes = await end(options);
  const nothing = { root: undefined, sectorsByEqual: 0, wordsProgrammed: 0, width: undefined };
  await options.evidence({
    outcome: KINDS.erase.outcome,
    source: 'stub',
    erase: erasures.summary,
    chipTimes,
    ...nothing,
  });
  return [];
}

/** All is said with an orderly end: the handshake has told the keys, or the plan named those that are forgotten. */
async function endOnly(
  options: WorkOptions,
  { enrols, outcome }: typeof KINDS.enroll | typeof KINDS.keys,
): Promise<readonly number[]> {
  const chipTimes = await end(options);
  if (enrols) await options.enrol();
  const nothing = { root: undefined, sectorsByEqual: 0, wordsProgrammed: 0, width: undefined };
  const erase = new Erasures().summary;
  await options.evidence({ outcome, source: 'stub', erase, chipTimes, ...nothing });
  return [];
}

// ── flash ─────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Candidate {
  readonly sector: number;
  readonly question: Question;
}

class FlashWork {
  readonly #options: WorkOptions;
  readonly #image: Image;
  readonly #expected: Expectation;
  readonly #boot: number | undefined;
  readonly #totalBytes: number;
  readonly #erased = new Set<number>();
  readonly #erasures = new Erasures();
  readonly #written = new Set<number>();
  #imageLeft = false;
  #skippedBytes = 0;
  #acceptedBytes = 0;
  #toldBytes = 0;

  constructor(options: WorkOptions, image: Image) {
    this.#options = options;
    this.#image = image;
    this.#expected = expectedDigests(options.plan, image, options.chip);
    this.#boot = bootSector(options.plan, options.chip);
    this.#totalBytes = imageBytes(options.plan, this.#expected);
  }

  async run(): Promise<readonly number[]> {
    const { plan, session } = this.#options;
    session.onAccepted = (bytes) => this.#progress(bytes);
    await this.#options.beforeChange();
    const candidates = this.#candidates();
    if (candidates.length === 0 && erasesAll(plan, this.#options.chip)) await eraseAll(this.#options, this.#erasures);
    if (this.#boot !== undefined) await this.#erase(this.#boot);
    const skipped = await this.#alreadyThere(candidates);
    for (const sector of skipped) this.#skip(sector);
    const writing = plan.sectors.filter((sector) => !skipped.has(sector) && !this.#written.has(sector));
    // Two erases: a slow starting network fills the stub's ring. A loader's slots are full sooner, the line waits.
    const next = writing.find((sector) => !this.#erased.has(sector));
    if (next !== undefined && placeOf(plan.mode) === undefined) await this.#erase(next);
    for (const sector of writing) await this.#writeSector(sector);
    await this.#finalize(skipped.size);
    if (plan.lock !== 'none') await this.#lock();
    return [...skipped];
  }

  /** For the bar: skipped bytes and those the stub is said to have accepted, never going back. */
  #progress(acceptedBytes: number): void {
    this.#acceptedBytes = Math.max(this.#acceptedBytes, acceptedBytes);
    const doneBytes = Math.min(this.#skippedBytes + this.#acceptedBytes, this.#totalBytes);
    if (doneBytes <= this.#toldBytes) return;
    this.#toldBytes = doneBytes;
    this.#options.emit({ type: 'progress', doneBytes, totalBytes: this.#totalBytes });
  }

  /** Once a session. */
  async #erase(sector: number): Promise<void> {
    const { session, untilCredit, emit, trustBlank } = this.#options;
    if (this.#erased.has(sector)) return;
    this.#erased.add(sector);
    await untilCredit();
    session.ask(eraseStep(sector, trustBlank), 'ERASED', (reply) => {
      requireSector(sector, reply.sector);
      this.#erasures.took(reply.how);
      emit({ type: 'erased', sector, how: reply.how });
    });
  }

  /**
   * Sectors that may be skipped if the chip says *equal*. The one of the boot words, or the first one of data, is not
   * even asked about: FINAL needs a session that has erased something.
   */
  #candidates(): Candidate[] {
    const { plan, chip, sectorsOnRecord, delta, budget } = this.#options;
    const bytesOf = (sector: number) => sectorNumber(chip, sector, plan.flashKiB).bytes;
    const may = (sector: number) =>
      sectorsOnRecord.includes(sector) || (delta && coversSector(this.#expected, sector, bytesOf(sector)));
    return plan.sectors
      .filter((sector) => sector !== (this.#boot ?? plan.sectors[0]) && may(sector))
      .flatMap((sector) => {
        const question = sectorQuestion(this.#expected, sector, 'before');
        return question !== undefined && mayAsk(this.#expected, question) ? [{ sector, question }] : [];
      })
      .slice(0, Math.max(0, budget.left - 1)); // one is FINAL's
  }

  /**
   * Candidates that hold their part now. Where addresses may only ascend, the boot sector is written
   * while the answers travel.
   */
  async #alreadyThere(candidates: readonly Candidate[]): Promise<ReadonlySet<number>> {
    const { plan, budget, answered } = this.#options;
    if (candidates.length === 0) return new Set();
    const equals = new Set<number>();
    await budget.reserve(candidates.length);
    for (const { sector, question } of candidates) {
      await this.#ask(question, (equal, left) => {
        budget.told(left);
        if (equal) equals.add(sector);
      });
    }
    const boot = this.#boot;
    const bootFirst = plan.sectors[0] === boot;
    if (boot !== undefined && bootFirst) await this.#writeSector(boot);
    await answered(bootFirst ? 1 : 0);
    return equals;
  }

  #skip(sector: number): void {
    this.#skippedBytes += imageBytes(this.#options.plan, this.#expected, sector);
    this.#options.recordEqual(sector);
    this.#options.emitKept({ type: 'sector', sector, skipped: true });
    this.#progress(0);
  }

  async #writeSector(sector: number): Promise<void> {
    const { plan, session, untilCredit } = this.#options;
    this.#written.add(sector);
    await this.#erase(sector);
    await this.#options.untilProved();
    if (!this.#imageLeft) await this.#options.beforeImage();
    this.#imageLeft = true;
    for (const step of imageSteps(plan, this.#image, this.#expected, sector)) {
      await untilCredit();
      session.image(step);
    }
    await this.#confirmSector(sector);
  }

  async #confirmSector(sector: number): Promise<void> {
    const { emitKept, recordEqual } = this.#options;
    const question = sectorQuestion(this.#expected, sector, 'before');
    if (question === undefined) return;
    await this.#ask(question, (equal) => {
      if (!equal) throw fail('BF-JOB-VERIFY', `sector ${sector} does not hold what was written to it`);
      recordEqual(sector);
      emitKept({ type: 'sector', sector, skipped: false });
    });
  }

  async #ask(question: Question, take: (equal: boolean, questionsLeft: number) => void): Promise<void> {
    await this.#options.untilCredit();
    this.#options.session.ask(question, 'DIGEST', ({ equal, questionsLeft }) => take(equal, questionsLeft));
  }

  /**
   * FINAL; only WRITTEN with the right root counts. It follows the image without a pause: the stub compares the root
   * before it writes a boot word, and a wrong digest ends the job here whatever was sent. Without a lock so does END.
   */
  async #finalize(sectorsByEqual: number): Promise<void> {
    const { session, plan, emitKept, budget, untilCredit, answered } = this.#options;
    let evidence: Evidence | undefined;
    await this.#options.untilProved();
    if (sectorsByEqual > 0) await budget.reserve(1);
    await untilCredit();
    session.ask(finalStep(plan, this.#image, this.#expected), 'WRITTEN', (reply) => {
      if (!equalBytes(reply.root, this.#expected.written)) {
        throw fail('BF-JOB-VERIFY', 'the digest over all ranges');
      }
      const { root, wordsProgrammed, width, chipTimes } = reply;
      const proved = { root, wordsProgrammed, width: width satisfies Width, chipTimes };
      const erase = this.#erasures.summary;
      evidence = { outcome: KINDS.flash.outcome, source: 'stub', sectorsByEqual, erase, ...proved };
      this.#progress(this.#totalBytes);
      emitKept({ type: 'written', root, wordsProgrammed });
    });
    if (plan.lock === 'none') await this.#askEnd();
    await answered();
    await this.#options.evidence(evidence as Evidence);
  }

  /** LOCK after the receipt is stored; written but not locked is an ending of its own. */
  async #lock(): Promise<void> {
    const { session, plan, untilCredit, answered, emit } = this.#options;
    let seen = { level1: false, optcr: 0 };
    await untilCredit();
    session.ask({ name: 'LOCK' }, 'LOCKED', ({ level1, optcr }) => (seen = { level1, optcr }));
    await this.#askEnd();
    await answered();
    const locked = seen.level1 && showsLock(plan, seen.optcr);
    await this.#options.lock(seen.optcr, locked);
    if (!locked) throw fail('BF-JOB-NOT-LOCKED', `OPTCR reads 0x${seen.optcr.toString(16)}`);
    emit({ type: 'locked', optcr: seen.optcr });
  }

  async #askEnd(): Promise<void> {
    await this.#options.untilCredit();
    this.#options.session.ask({ name: 'END' }, 'ENDED', () => {});
  }
}
