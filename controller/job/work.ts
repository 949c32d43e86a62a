// What is done inside a sealed session, by kind of plan: the order of docs/protocol.md §9. Ends with what the stub has
// authenticated; anything else throws.
import type { Image } from '../image/image.ts';
import {
  bootSector,
  coversSector,
  digestSteps,
  eraseStep,
  expectedDigests,
  finalStep,
  imageBytes,
  imageSteps,
  type ExpectedRange,
  type Expectation,
} from '../plan/steps.ts';
import { hexAddress } from '../image/segments.ts';
import { equalBytes } from '../../shared/codec/bytes.ts';
import { sectorNumber, type Chip, type Width } from '../../shared/chips/index.ts';
import { fail } from '../../shared/errors/errors.ts';
import { KINDS, type PlanKind, type SealedKind } from '../../shared/plan/kinds.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import { rootDigest } from '../../shared/sealed/messages.ts';
import type { JobEvent } from './ports.ts';
import { protectionLevel } from './checks.ts';
import type { SealedSession } from './sealed-session.ts';
import type { Evidence } from './receipts.ts';

export interface WorkOptions {
  readonly session: SealedSession;
  readonly plan: Plan;
  readonly chip: Chip;
  /** For flash and verify. */
  readonly image: Image | undefined;
  /** Sectors this job's record says this unit holds already. */
  readonly acknowledged: readonly number[];
  /** Sectors that are on no record are skipped, too, when the stub's digests cover and confirm all of them. */
  readonly delta: boolean;
  /** Resolves when the agent and the tunnel take another sealed command. */
  readonly room: () => Promise<void>;
  /** Resolves when at most `left` commands, none unless given, have not been answered. */
  readonly answered: (left?: number) => Promise<void>;
  readonly emit: (event: JobEvent) => void;
  /** Flash is about to change: resolves when that is on record. */
  readonly beforeChange: () => Promise<void>;
  /** All of a sector's digests are right. */
  readonly acknowledge: (sector: number) => void;
  /** The stub has authenticated this: resolves when the receipt is stored. */
  readonly evidence: (evidence: Evidence) => Promise<void>;
  /** What OPTCR read after LOCK: resolves when the receipt says so. */
  readonly lock: (optcr: number, level1: boolean) => Promise<void>;
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
} as const satisfies Record<SealedKind, (options: WorkOptions) => Promise<readonly number[]>>;

function hasWork(kind: PlanKind): kind is SealedKind {
  return KINDS[kind].stub;
}

function imageOf({ image }: WorkOptions): Image {
  if (image === undefined) throw fail('BF-INTERNAL-ARGUMENT', 'this job needs an image');
  return image;
}

/** END and its reply. */
async function end(options: WorkOptions): Promise<number> {
  let words = 0;
  await options.room();
  options.session.ask({ name: 'END' }, 'ENDED', (reply) => (words = reply.wordsProgrammed));
  await options.answered();
  return words;
}

// ── verify and erase ──────────────────────────────────────────────────────────────────────────────────────────────

async function verify(options: WorkOptions, image: Image): Promise<readonly number[]> {
  const { session, plan, chip, emit } = options;
  const expected = expectedDigests(plan, image, chip);
  const digests: Uint8Array[] = [];
  const totalBytes = expected.ranges.reduce((sum, { length }) => sum + length, 0);
  let doneBytes = 0;
  for (const range of expected.ranges) {
    await options.room();
    session.ask({ name: 'DIGEST', range: range.index }, 'DIGEST', (reply) => {
      requireDigest(range, range.after, reply);
      digests[range.index] = reply.digest;
      doneBytes += range.length;
      emit({ type: 'progress', doneBytes, totalBytes });
    });
  }
  await options.answered();
  const root = rootDigest(expected.ranges.map((range) => ({ ...range, digest: digests[range.index] as Uint8Array })));
  await end(options);
  await options.evidence({ outcome: KINDS.verify.outcome, root, wordsProgrammed: 0, width: undefined });
  return [];
}

async function erase(options: WorkOptions): Promise<readonly number[]> {
  const { session, plan, chip, emit } = options;
  const bytesOf = (sector: number) => sectorNumber(chip, sector, plan.flashKiB).bytes;
  const totalBytes = plan.sectors.reduce((sum, sector) => sum + bytesOf(sector), 0);
  let doneBytes = 0;
  await options.beforeChange();
  for (const sector of plan.sectors) {
    await options.room();
    session.ask(eraseStep(sector), 'ERASED', (reply) => {
      requireSector(sector, reply.sector);
      doneBytes += bytesOf(sector);
      emit({ type: 'erased', sector });
      emit({ type: 'progress', doneBytes, totalBytes });
    });
  }
  await options.answered();
  await end(options);
  await options.evidence({ outcome: KINDS.erase.outcome, root: undefined, wordsProgrammed: 0, width: undefined });
  return [];
}

// ── flash ─────────────────────────────────────────────────────────────────────────────────────────────────────────

type DigestStep = ReturnType<typeof digestSteps>[number];

class FlashWork {
  readonly #options: WorkOptions;
  readonly #image: Image;
  readonly #expected: Expectation;
  readonly #boot: number;
  readonly #totalBytes: number;
  readonly #erased = new Set<number>();
  readonly #written = new Set<number>();
  #skippedBytes = 0;
  #acceptedBytes = 0;

  constructor(options: WorkOptions, image: Image) {
    this.#options = options;
    this.#image = image;
    this.#expected = expectedDigests(options.plan, image, options.chip);
    this.#boot = bootSector(options.plan, options.chip) as number;
    this.#totalBytes = imageBytes(options.plan, this.#expected);
  }

  async run(): Promise<readonly number[]> {
    const { plan, session } = this.#options;
    session.onAccepted = (bytes) => this.#progress(bytes);
    await this.#options.beforeChange();
    await this.#erase(this.#boot);
    const skipped = await this.#alreadyThere();
    for (const sector of skipped) this.#skip(sector);
    const writing = plan.sectors.filter((sector) => !skipped.has(sector) && !this.#written.has(sector));
    // Two erases to begin with: while they last, a slow starting network fills the ring.
    const next = writing.find((sector) => !this.#erased.has(sector));
    if (next !== undefined) await this.#erase(next);
    for (const sector of writing) await this.#writeSector(sector);
    await this.#finalize();
    if (plan.lock !== 'none') await this.#lock();
    return [...skipped];
  }

  /** For the bar: skipped bytes and those the stub is said to have accepted, never going back. */
  #progress(acceptedBytes: number): void {
    this.#acceptedBytes = Math.max(this.#acceptedBytes, acceptedBytes);
    const doneBytes = Math.min(this.#skippedBytes + this.#acceptedBytes, this.#totalBytes);
    this.#options.emit({ type: 'progress', doneBytes, totalBytes: this.#totalBytes });
  }

  /** Once a session. */
  async #erase(sector: number): Promise<void> {
    const { session, room, emit } = this.#options;
    if (this.#erased.has(sector)) return;
    this.#erased.add(sector);
    await room();
    session.ask(eraseStep(sector), 'ERASED', (reply) => {
      requireSector(sector, reply.sector);
      emit({ type: 'erased', sector });
    });
  }

  /** Sectors that may be skipped if their digests agree; the one of the boot words is not even asked about. */
  #candidates(): number[] {
    const { plan, chip, acknowledged, delta } = this.#options;
    const bytesOf = (sector: number) => sectorNumber(chip, sector, plan.flashKiB).bytes;
    const may = (sector: number) =>
      acknowledged.includes(sector) || (delta && coversSector(this.#expected, sector, bytesOf(sector)));
    return plan.sectors.filter((sector) => sector !== this.#boot && may(sector));
  }

  /** Candidates whose digests agree now. Where addresses may only ascend, the boot sector is written while the answers travel. */
  async #alreadyThere(): Promise<ReadonlySet<number>> {
    const { plan } = this.#options;
    const candidates = this.#candidates();
    const wrong = new Set<number>();
    for (const sector of candidates) {
      for (const step of digestSteps(this.#expected, sector)) {
        await this.#digest(step, (range, digest) => {
          if (!equalBytes(digest, range.before)) wrong.add(sector);
        });
      }
    }
    if (candidates.length === 0) return new Set();
    const bootFirst = plan.sectors[0] === this.#boot;
    if (bootFirst) await this.#writeSector(this.#boot);
    await this.#options.answered(bootFirst ? digestSteps(this.#expected, this.#boot).length : 0);
    return new Set(candidates.filter((sector) => !wrong.has(sector)));
  }

  #skip(sector: number): void {
    this.#skippedBytes += imageBytes(this.#options.plan, this.#expected, sector);
    this.#options.acknowledge(sector);
    this.#options.emit({ type: 'sector', sector, skipped: true });
    this.#progress(0);
  }

  async #writeSector(sector: number): Promise<void> {
    const { plan, session, room } = this.#options;
    this.#written.add(sector);
    await this.#erase(sector);
    for (const step of imageSteps(plan, this.#image, this.#expected, sector)) {
      await room();
      session.image(step);
    }
    await this.#confirmSector(sector);
  }

  async #confirmSector(sector: number): Promise<void> {
    const { emit, acknowledge } = this.#options;
    const steps = digestSteps(this.#expected, sector);
    let left = steps.length;
    for (const step of steps) {
      await this.#digest(step, (range, digest) => {
        requireDigest(range, range.before, { range: range.index, digest });
        if (--left > 0) return;
        acknowledge(sector);
        emit({ type: 'sector', sector, skipped: false });
      });
    }
  }

  async #digest(step: DigestStep, take: (range: ExpectedRange, digest: Uint8Array) => void): Promise<void> {
    await this.#options.room();
    this.#options.session.ask(step, 'DIGEST', (reply) => {
      if (reply.range !== step.range) throw fail('BF-TUNNEL-ORDER', `digest of range ${reply.range}`);
      take(this.#expected.ranges[step.range] as ExpectedRange, reply.digest);
    });
  }

  /**
   * FINAL; only WRITTEN with the right root counts. It follows the image without a pause: the stub compares the root before it
   * writes a boot word, and a digest that is wrong ends the job here whatever has been sent. Without a lock so does END.
   */
  async #finalize(): Promise<void> {
    const { session, plan, emit, room, answered } = this.#options;
    let evidence: Evidence | undefined;
    await room();
    session.ask(finalStep(plan, this.#image, this.#expected), 'WRITTEN', (reply) => {
      if (!equalBytes(reply.root, this.#expected.rootAfter)) throw fail('BF-JOB-VERIFY', 'the digest over all ranges');
      const { root, wordsProgrammed, width } = reply;
      evidence = { outcome: KINDS.flash.outcome, root, wordsProgrammed, width: width satisfies Width };
      this.#progress(this.#totalBytes);
      emit({ type: 'written', root, wordsProgrammed });
    });
    if (plan.lock === 'none') await this.#askEnd();
    await answered();
    await this.#options.evidence(evidence as Evidence);
  }

  /** LOCK after the receipt is stored; written but not locked is an ending of its own. */
  async #lock(): Promise<void> {
    const { session, room, answered, emit } = this.#options;
    let seen = { level1: false, optcr: 0 };
    await room();
    session.ask({ name: 'LOCK' }, 'LOCKED', ({ level1, optcr }) => (seen = { level1, optcr }));
    await this.#askEnd();
    await answered();
    const locked = seen.level1 && protectionLevel(seen.optcr) === 1;
    await this.#options.lock(seen.optcr, locked);
    if (!locked) throw fail('BF-JOB-NOT-LOCKED', `OPTCR reads 0x${seen.optcr.toString(16)}`);
    emit({ type: 'locked', optcr: seen.optcr });
  }

  async #askEnd(): Promise<void> {
    await this.#options.room();
    this.#options.session.ask({ name: 'END' }, 'ENDED', () => {});
  }
}

function requireDigest(range: ExpectedRange, wanted: Uint8Array, reply: { range: number; digest: Uint8Array }): void {
  if (reply.range !== range.index) throw fail('BF-TUNNEL-ORDER', `digest of range ${reply.range}`);
  if (!equalBytes(reply.digest, wanted)) {
    throw fail('BF-JOB-VERIFY', `${range.length} bytes at ${hexAddress(range.address)}`);
  }
}

function requireSector(wanted: number, got: number): void {
  if (wanted !== got) throw fail('BF-TUNNEL-ORDER', `sector ${got} erased instead of ${wanted}`);
}
