// The stub's life as the agent sees it: load, start, give it the job, carry its handshake, find it again, let go
// (docs/mailbox.md, "Entry", "States"). After `start` only mailbox words and DHCSR are touched.
import { concat, copyOf, equalBytes, Reader, Writer } from '../../shared/codec/bytes.ts';
import { fail, isBlindflashError, mayRepeatAccess } from '../../shared/errors/errors.ts';
import type { BlindflashError, ErrorCode } from '../../shared/errors/errors.ts';
import {
  COMMANDS,
  CONTROL,
  JOB,
  MAILBOX_MAGIC,
  parseStatus,
  SAVE_WORDS,
  STATES,
  type ControlName,
  type Layout,
  type StubState,
} from '../../shared/mailbox/layout.ts';
import type { Clock, Log } from '../../shared/ports.ts';
import { decodeStubFacts, type StubFacts } from '../../shared/sealed/payloads.ts';
import { pause } from '../probe/deadline.ts';
import type { Probe } from '../probe/probe.ts';
import type { KnownStub, StubRegistry } from '../session/stubs.ts';
import { CHIP, FREEZE_WATCHDOGS, type SavedDebugState } from './attach.ts';
import { CortexM, SCS } from './cortex-m.ts';
import { Mailbox } from '../transport/mailbox/mailbox.ts';
import { faultText, isStopped, stateName, stubError } from './stub-errors.ts';

/** Limits we chose, milliseconds. */
const LIMITS = {
  /** Clock, hash over itself, RNG test. */
  boot: 3000,
  /** Copying and checking the plan, one or two scalar multiplications. */
  answer: 10_000,
  pollEvery: 1,
} as const;

const SAVE_MAGIC = 0x56534642; // "BFSV"
/** Vector catches an earlier debugger may have left: with them a fault would stop the core instead of being reported. */
const VECTOR_CATCH = 0x7f1;
const THUMB_STATE = 0x01000000;
const HANDSHAKE_NUMBER_AT = 64 + 29;
/** The control page up to its last field: what is cleared before the start, and all there is to know of an offer, in one transfer. */
const OFFER_BYTES = CONTROL.STUB_HASH.offset + CONTROL.STUB_HASH.size;
/** SWD clocks tried for loading: the fastest not above the limit, then slower ones. Chosen; faster ones gain nothing (docs/performance.md). */
const SPEED = { mostKHz: 8000, attempts: 4 } as const;
const SPEED_REFUSED: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['BF-PROBE-COMMAND', 'BF-PROBE-SPEED']);

/** What the stub needs to know of a job. */
export interface StubJob {
  /** 32 bytes. */
  readonly sealedPublic: Uint8Array;
  /** 32 bytes. */
  readonly hostEntropy: Uint8Array;
  /** Canonical plan. */
  readonly planBytes: Uint8Array;
}

/** An offered handshake: M1 and the hash the stub computed over itself. */
export interface Offer {
  readonly m1: Uint8Array;
  readonly stubHash: Uint8Array;
}

export interface StubRunnerOptions {
  readonly probe: Probe;
  readonly clock: Clock;
  readonly log: Log;
  readonly stub: KnownStub;
  /** Debug settings as found before us; kept in the mailbox for whoever comes after. */
  readonly saved: SavedDebugState;
  /** 8 bytes naming the invite, so that a later agent knows whose stub it meets. */
  readonly tag: Uint8Array;
  /** The SWD clock was chosen by a person: it is not raised. */
  readonly keepSpeed?: boolean | undefined;
}

/** A stub found running. */
export interface FoundStub {
  readonly runner: StubRunner;
  readonly state: StubState;
  /** What it read of its chip; undefined before it has offered a handshake. */
  readonly facts: StubFacts | undefined;
  /** The job it works on, as it lies in the job area; undefined when there is none. */
  readonly job: StubJob | undefined;
  readonly saved: SavedDebugState;
}

export class StubRunner {
  readonly mailbox: Mailbox;
  readonly #options: StubRunnerOptions;
  readonly #core: CortexM;
  /** The job that lies in the job area. */
  #placed: StubJob | undefined;

  constructor(options: StubRunnerOptions) {
    this.#options = options;
    this.mailbox = new Mailbox(options.stub.layout, options.probe, options.clock, options.log);
    this.#core = new CortexM(options.probe, { clock: options.clock, log: options.log });
  }

  get stub(): KnownStub {
    return this.#options.stub;
  }

  get #memory(): Layout['memory'] {
    return this.stub.layout.memory;
  }

  /**
   * Resets the chip into halt, puts the stub into RAM, proves that it arrived and lets it run until it waits for a job. A job that is
   * known already is put in place while the stub starts; `giveJob` hands it over.
   * @throws BF-STUB-LOAD, BF-STUB-SILENT, the stub's own refusal, or what probe and wire bring.
   */
  async start(job?: StubJob): Promise<void> {
    await this.#freezeWatchdogs();
    await this.#core.resetHalt();
    await this.#place();
    await this.#enter();
    if (job !== undefined) await this.#putJob(job);
    await this.#untilUp();
    this.#options.log.info({ version: this.stub.version }, 'stub is up');
  }

  /** Puts the job into the job area and waits for M1. @throws the stub's refusal, BF-STUB-SILENT */
  async giveJob(job: StubJob): Promise<Offer> {
    if (this.#placed !== job) await this.#putJob(job);
    await this.#command('job');
    return this.#offerAfter(0);
  }

  /** Asks for a new handshake for the same job, ending whatever session there is. @throws as giveJob */
  async offerAgain(): Promise<Offer> {
    const before = await this.mailbox.readWord('HANDSHAKES');
    await this.#command('handshake');
    return this.#offerAfter(before);
  }

  /** Hands M2 over and waits for M3, 32 bytes. @throws the stub's reason when it does not believe M2 */
  async giveM2(m2: Uint8Array): Promise<Uint8Array> {
    await this.mailbox.write('M2', m2);
    await this.#command('m2');
    await this.#untilState(['active'], LIMITS.answer);
    return this.mailbox.read('M3');
  }

  /** Makes the stub wipe its keys. @throws BF-STUB-SILENT */
  async abort(): Promise<void> {
    const { state } = await this.mailbox.status();
    if (state < STATES.waiting || state > STATES.locked) return;
    await this.#command('abort');
    const wiped = async (): Promise<boolean> => (await this.mailbox.status()).state >= STATES.ended;
    if (!(await this.#within(LIMITS.answer, wiped))) throw fail('BF-STUB-SILENT', 'it does not stop');
  }

  /** Why a stub in state aborted, expired, fault or refused stopped. */
  async reason(state: StubState): Promise<BlindflashError> {
    const error = await this.mailbox.readWord('ERROR');
    const known = stubError(error, await this.mailbox.readWord('DETAIL'), state);
    if (state !== 'fault') return known;
    return fail(known.code, faultText(await this.mailbox.read('FAULT')));
  }

  /** True if a stub is up and has not been stopped, reset or replaced. Looks, and touches nothing. */
  async isLive(): Promise<boolean> {
    if ((await this.mailbox.readWord('MAGIC')) !== MAILBOX_MAGIC) return false;
    const { halted, lockedUp, wasReset } = await this.mailbox.core();
    return !halted && !lockedUp && !wasReset;
  }

  // ── start ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #freezeWatchdogs(): Promise<void> {
    const { probe, saved } = this.#options;
    await probe.writeWord(CHIP.DBGMCU_APB1_FZ, (saved.apb1Fz | FREEZE_WATCHDOGS) >>> 0);
  }

  /** Image, read back and compared, at the fastest clock at which it arrives; then an empty control page with the settings as found. */
  async #place(): Promise<void> {
    const { probe, log } = this.#options;
    const speeds = await this.#speeds();
    for (const [attempt, kHz] of speeds.entries()) {
      if (attempt > 0) await this.#haltAnew(kHz);
      if (await this.#arrives(kHz, attempt === speeds.length - 1)) break;
      log.warn({ kHz, attempt }, 'the stub did not arrive undamaged');
      if (attempt === speeds.length - 1) throw fail('BF-STUB-LOAD');
    }
    const page = new Uint8Array(OFFER_BYTES);
    page.set(this.#saveWords(), CONTROL.SAVE.offset);
    await probe.writeMemory(this.#memory.control.address, page);
  }

  /** What to try, kHz, fastest first; undefined leaves the clock as it is. */
  async #speeds(): Promise<readonly (number | undefined)[]> {
    const { probe, keepSpeed = false } = this.#options;
    if (keepSpeed) return [undefined, undefined];
    const known = (await probe.listSpeeds()).filter((kHz) => kHz <= SPEED.mostKHz);
    return known.length > 1 ? known.slice(0, SPEED.attempts) : [undefined, undefined];
  }

  /** A wire that failed at one clock is set up again at the next, and the core with it. */
  async #haltAnew(kHz: number | undefined): Promise<void> {
    const { probe } = this.#options;
    await this.#setSpeed(kHz);
    await probe.connect();
    await this.#core.resetHalt();
  }

  async #arrives(kHz: number | undefined, last: boolean): Promise<boolean> {
    const { probe } = this.#options;
    const { image } = this.stub;
    const { address } = this.#memory.stub;
    try {
      await this.#setSpeed(kHz);
      await probe.writeMemory(address, image);
      return equalBytes(await probe.readMemory(address, image.length), image);
    } catch (error) {
      if (last || !mayRepeatAccess(error, 'target')) throw error;
      return false;
    }
  }

  /** A probe that refuses the clock works on at the one it has. */
  async #setSpeed(kHz: number | undefined): Promise<void> {
    if (kHz === undefined) return;
    await this.#options.probe.setSpeed(kHz).catch((error: unknown) => {
      if (!isBlindflashError(error) || !SPEED_REFUSED.has(error.code)) throw error;
    });
  }

  #saveWords(): Uint8Array {
    const { saved, tag } = this.#options;
    const named: Readonly<Record<string, number>> = { magic: SAVE_MAGIC, ...saved };
    const writer = new Writer();
    for (const name of SAVE_WORDS.slice(0, 7)) writer.u32((named[name] ?? 0) >>> 0, name);
    return writer.bytes(tag, 'tag', 8).finish();
  }

  async #enter(): Promise<void> {
    const { probe, saved } = this.#options;
    if ((saved.demcr & VECTOR_CATCH) !== 0) await probe.writeWord(SCS.DEMCR, (saved.demcr & ~VECTOR_CATCH) >>> 0);
    await this.#core.writeRegister('sp', this.stub.stackPointer);
    await this.#core.writeRegister('pc', (this.stub.entry & ~1) >>> 0);
    await this.#core.writeRegister('xpsr', THUMB_STATE);
    await this.#core.resume();
  }

  async #untilUp(): Promise<void> {
    const up = await this.#within(LIMITS.boot, async () => (await this.mailbox.readWord('MAGIC')) === MAILBOX_MAGIC);
    if (!up) throw fail('BF-STUB-SILENT', `it did not come up within ${LIMITS.boot} ms`);
    await this.#untilState(['waiting'], LIMITS.boot);
  }

  // ── handshake ─────────────────────────────────────────────────────────────────────────────────────────────────────

  async #putJob(job: StubJob): Promise<void> {
    const bytes = encodeJob(job);
    await this.mailbox.writeAt(this.#memory.job.address, bytes);
    await this.mailbox.writeWord('JOB_LENGTH', bytes.length);
    this.#placed = job;
  }

  async #command(name: keyof typeof COMMANDS): Promise<void> {
    await this.mailbox.writeWord('COMMAND', COMMANDS[name]);
  }

  /**
   * M1 of a handshake later than number `before`. State 2 and COMMAND 0 mean that it is in place; they lie before it and are read
   * before it, in the same transfer.
   */
  async #offerAfter(before: number): Promise<Offer> {
    let page: Uint8Array = new Uint8Array(0);
    const ready = await this.#within(LIMITS.answer, async () => {
      if ((await this.#stateOrThrow()) !== 'offered') return false;
      page = await this.mailbox.readAt(this.#memory.control.address, OFFER_BYTES);
      return isOfferAfter(page, before);
    });
    if (!ready) throw fail('BF-STUB-SILENT', 'it offers no handshake');
    const stubHash = fieldOf(page, 'STUB_HASH');
    if (!equalBytes(stubHash, this.stub.hash)) {
      throw fail('BF-STUB-UNKNOWN', 'its hash is not the one it was loaded with');
    }
    return { m1: fieldOf(page, 'M1'), stubHash };
  }

  // ── waiting ───────────────────────────────────────────────────────────────────────────────────────────────────────

  async #untilState(wanted: readonly StubState[], limitMs: number): Promise<void> {
    const reached = await this.#within(limitMs, async () => wanted.includes(await this.#stateOrThrow()));
    if (!reached) throw fail('BF-STUB-SILENT', `it does not reach the state ${wanted.join(' or ')}`);
  }

  /** The state; a stub that stopped is an error with its own reason. */
  async #stateOrThrow(): Promise<StubState> {
    const { state } = await this.mailbox.status();
    const name = stateName(state);
    if (name === undefined) throw fail('BF-STUB-MAILBOX', `state ${state}`);
    // COMMAND 4 leads out of these two; until it is taken they are not news.
    const leaving =
      (name === 'aborted' || name === 'expired') && (await this.mailbox.readWord('COMMAND')) !== COMMANDS.none;
    if (isStopped(name) && !leaving && !(await this.#isOldNews(name))) throw await this.reason(name);
    return name;
  }

  /** The stub clears ERROR on its way to a new handshake, a moment before STATUS changes. */
  async #isOldNews(state: StubState): Promise<boolean> {
    return (state === 'aborted' || state === 'expired') && (await this.mailbox.readWord('ERROR')) === 0;
  }

  async #within(limitMs: number, done: () => Promise<boolean>): Promise<boolean> {
    const { clock } = this.#options;
    const end = clock.now() + limitMs;
    for (;;) {
      if (await done()) return true;
      if (clock.now() >= end) return false;
      await pause(clock, LIMITS.pollEvery);
    }
  }
}

function fieldOf(page: Uint8Array, name: ControlName): Uint8Array {
  const { offset, size } = CONTROL[name];
  return copyOf(page, offset, offset + size);
}

function wordOf(page: Uint8Array, name: ControlName): number {
  return new Reader(fieldOf(page, name), 'BF-STUB-MAILBOX', name).u32();
}

function isOfferAfter(page: Uint8Array, before: number): boolean {
  const number = wordOf(page, 'HANDSHAKES');
  const offered = parseStatus(wordOf(page, 'STATUS')).state === STATES.offered;
  const obeyed = wordOf(page, 'COMMAND') === COMMANDS.none;
  return offered && obeyed && number > before && fieldOf(page, 'M1')[HANDSHAKE_NUMBER_AT] === (number & 0xff);
}

/** The job area's bytes. */
export function encodeJob(job: StubJob): Uint8Array {
  const length = JOB.fields.plan + job.planBytes.length;
  const head = new Writer().u32(JOB.magic).u32(length).bytes(job.sealedPublic, 'sealedPublic', 32);
  return concat(head.bytes(job.hostEntropy, 'hostEntropy', 32).finish(), job.planBytes);
}

/**
 * Looks for a stub an earlier agent of this invite left running, where the stub for this chip would lie (`layout`). Halts nothing,
 * resets nothing, reads mailbox words and DHCSR. The probe must be connected. Undefined when there is none that could be gone on with.
 */
export async function findStub(
  options: Pick<StubRunnerOptions, 'probe' | 'clock' | 'log' | 'tag'> & { readonly stubs: StubRegistry },
  layout: Layout,
): Promise<FoundStub | undefined> {
  const { probe, clock, log, tag, stubs } = options;
  const mailbox = new Mailbox(layout, probe, clock, log);
  if ((await mailbox.readWord('MAGIC')) !== MAILBOX_MAGIC) return undefined;
  const stub = stubs.withHash(await mailbox.read('STUB_HASH'));
  const save = decodeSave(await mailbox.read('SAVE'));
  if (stub?.layout !== layout || save === undefined || !equalBytes(save.tag, tag)) return undefined;
  const runner = new StubRunner({ probe, clock, log, stub, saved: save.saved, tag });
  const state = stateName((await mailbox.status()).state);
  if (state === undefined || !(await runner.isLive())) return undefined;
  const offered = state !== 'boot' && state !== 'waiting' && (await mailbox.readWord('HANDSHAKES')) > 0;
  const facts = offered ? decodeFacts(await mailbox.read('M1')) : undefined;
  return { runner, state, facts, job: offered ? await readJob(mailbox) : undefined, saved: save.saved };
}

function decodeFacts(m1: Uint8Array): StubFacts | undefined {
  try {
    return decodeStubFacts(copyOf(m1, 64));
  } catch {
    return undefined;
  }
}

async function readJob(mailbox: Mailbox): Promise<StubJob | undefined> {
  const length = await mailbox.readWord('JOB_LENGTH');
  const { job } = mailbox.layout.memory;
  if (length < JOB.fields.plan || length > job.size || length % 4 !== 0) return undefined;
  const bytes = await mailbox.readAt(job.address, length);
  const part = (from: number, to?: number): Uint8Array => copyOf(bytes, from, to);
  return {
    sealedPublic: part(JOB.fields.sealedKey, JOB.fields.hostEntropy),
    hostEntropy: part(JOB.fields.hostEntropy, JOB.fields.plan),
    planBytes: part(JOB.fields.plan),
  };
}

/** The words an agent left in SAVE, or undefined when it left none. */
export function decodeSave(bytes: Uint8Array): { saved: SavedDebugState; tag: Uint8Array } | undefined {
  const reader = new Reader(bytes, 'BF-STUB-MAILBOX', 'SAVE');
  if (reader.u32() !== SAVE_MAGIC) return undefined;
  const saved = {
    dhcsr: reader.u32(),
    demcr: reader.u32(),
    dbgmcuCr: reader.u32(),
    apb1Fz: reader.u32(),
    apb2Fz: reader.u32(),
    fpCtrl: reader.u32(),
  };
  return { saved, tag: reader.bytes(8) };
}
