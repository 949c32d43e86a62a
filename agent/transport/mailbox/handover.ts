// Job and handshake through the mailbox: the job area, COMMAND, M1, M2, M3, and waiting for the stub's states with an
// end (docs/mailbox.md, "States"). Touches mailbox words and DHCSR only.
import { copyOf, equalBytes, Reader } from '../../../shared/codec/bytes.ts';
import { fail } from '../../../shared/errors/errors.ts';
import {
  HOST_COMMANDS,
  CONTROL,
  MAILBOX_MAGIC,
  parseStatus,
  stateName,
  STATES,
  type ControlName,
  type StubState,
} from '../../../shared/mailbox/layout.ts';
import type { Clock } from '../../../shared/ports.ts';
import { pause } from '../../probe/deadline.ts';
import type { OfferedHandshake, StubJob } from '../port.ts';
import { isStopped } from '../program-states.ts';
import { encodeJob } from './job-area.ts';
import { ERASE_EVERYTHING_MS, type Mailbox } from './mailbox.ts';
import { readStopReason } from './stop-reason.ts';

/** Limits we chose, milliseconds. */
const LIMITS = {
  /** Clock, hash over itself, RNG test. */
  boot: 3000,
  /** Copying and checking the plan, one or two scalar multiplications; the erase of a sector may have to end first. */
  answer: 10_000,
  pollEvery: 1,
} as const;

const HANDSHAKE_NUMBER_AT = 64 + 29;
/** The control page up to its last field: all there is to know of an offer, in one transfer. */
const OFFER_BYTES = CONTROL.STUB_HASH.offset + CONTROL.STUB_HASH.size;

export class Handover {
  readonly #mailbox: Mailbox;
  readonly #clock: Clock;
  /** What the stub was loaded with, 64 bytes. */
  readonly #stubHash: Uint8Array;
  /** The job that lies in the job area. */
  #placed: StubJob | undefined;

  constructor(mailbox: Mailbox, clock: Clock, stubHash: Uint8Array) {
    this.#mailbox = mailbox;
    this.#clock = clock;
    this.#stubHash = stubHash;
  }

  /** Puts a job in place; may be done while the stub starts. `giveJob` hands it over. */
  async placeJob(job: StubJob): Promise<void> {
    const bytes = encodeJob(job);
    await this.#mailbox.writeAt(this.#mailbox.layout.memory.job.address, bytes);
    await this.#mailbox.writeWord('JOB_LENGTH', bytes.length);
    this.#placed = job;
  }

  /** Waits until a stub that was started waits for its job. @throws BF-STUB-SILENT, the stub's own refusal */
  async untilUp(): Promise<void> {
    const isUp = async (): Promise<boolean> => (await this.#mailbox.readWord('MAGIC')) === MAILBOX_MAGIC;
    if (!(await this.#within(LIMITS.boot, isUp))) {
      throw fail('BF-STUB-SILENT', `it did not come up within ${LIMITS.boot} ms`);
    }
    await this.#untilState('waiting', LIMITS.boot);
  }

  /** True if a stub is up and has not been stopped, reset or replaced. */
  async isLive(): Promise<boolean> {
    if ((await this.#mailbox.readWord('MAGIC')) !== MAILBOX_MAGIC) return false;
    const { halted, lockedUp, wasReset } = await this.#mailbox.core();
    return !halted && !lockedUp && !wasReset;
  }

  /** As Transport.giveJob. */
  async giveJob(job: StubJob): Promise<OfferedHandshake> {
    if (this.#placed !== job) await this.placeJob(job);
    await this.#command('job');
    return this.#offerAfter(0);
  }

  /** As Transport.offerAgain. */
  async offerAgain(): Promise<OfferedHandshake> {
    const before = await this.#mailbox.readWord('HANDSHAKES');
    await this.#command('handshake');
    return this.#offerAfter(before);
  }

  /** As Transport.giveM2. */
  async giveM2(m2: Uint8Array): Promise<Uint8Array> {
    await this.#mailbox.write('M2', m2);
    await this.#command('m2');
    await this.#untilState('active', LIMITS.answer);
    return this.#mailbox.read('M3');
  }

  /** As Transport.stop. */
  async stop(): Promise<void> {
    const { state } = await this.#mailbox.status();
    if (state < STATES.waiting || state > STATES.aborted) return;
    await this.#command('abort');
    const wiped = async (): Promise<boolean> => (await this.#mailbox.status()).state >= STATES.expired;
    if (!(await this.#within(LIMITS.answer, wiped))) throw fail('BF-STUB-SILENT', 'it does not stop');
  }

  async #command(name: keyof typeof HOST_COMMANDS): Promise<void> {
    await this.#mailbox.writeWord('COMMAND', HOST_COMMANDS[name]);
  }

  /**
   * M1 of a handshake later than number `before`. State 2 and COMMAND 0 mean that it is in place; they lie before it
   * and are read before it, in the same transfer.
   */
  async #offerAfter(before: number): Promise<OfferedHandshake> {
    let page: Uint8Array = new Uint8Array(0);
    const ready = await this.#within(LIMITS.answer, async () => {
      if ((await this.#stateOrThrow()) !== 'offered') return false;
      page = await this.#mailbox.readAt(this.#mailbox.layout.memory.control.address, OFFER_BYTES);
      return isOfferAfter(page, before);
    });
    if (!ready) throw fail('BF-STUB-SILENT', 'it offers no handshake');
    const stubHash = fieldOf(page, 'STUB_HASH');
    if (!equalBytes(stubHash, this.#stubHash)) {
      throw fail('BF-STUB-UNKNOWN', 'its hash is not the one it was loaded with');
    }
    return { m1: fieldOf(page, 'M1'), stubHash };
  }

  async #untilState(wanted: StubState, limitMs: number): Promise<void> {
    const reached = await this.#within(limitMs, async () => (await this.#stateOrThrow()) === wanted);
    if (!reached) throw fail('BF-STUB-SILENT', `it does not reach the state ${wanted}`);
  }

  /** The state; a stub that stopped is an error with its own reason. */
  async #stateOrThrow(): Promise<StubState> {
    const { state } = await this.#mailbox.status();
    const name = stateName(state);
    if (name === undefined) throw fail('BF-STUB-MAILBOX', `state ${state}`);
    // COMMAND 4 leads out of these two; until it is taken they say nothing new.
    const leaving =
      (name === 'aborted' || name === 'expired') && (await this.#mailbox.readWord('COMMAND')) !== HOST_COMMANDS.none;
    if (isStopped(name) && !leaving && !(await this.#isErrorCleared(name))) {
      throw await readStopReason(this.#mailbox, name);
    }
    return name;
  }

  /** The stub clears ERROR on its way to a new handshake, a moment before STATUS changes. */
  async #isErrorCleared(state: StubState): Promise<boolean> {
    return (state === 'aborted' || state === 'expired') && (await this.#mailbox.readWord('ERROR')) === 0;
  }

  /** Whether `done` comes true in time; an erase of everything, which ends before the stub answers, is waited for. */
  async #within(limitMs: number, done: () => Promise<boolean>): Promise<boolean> {
    const begun = this.#clock.now();
    let limit = limitMs;
    for (;;) {
      if (await done()) return true;
      if (this.#clock.now() - begun >= limit) {
        if (limit >= ERASE_EVERYTHING_MS || !(await this.#mailbox.erasesEverything())) return false;
        limit = ERASE_EVERYTHING_MS;
      }
      await pause(this.#clock, LIMITS.pollEvery);
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
  const handled = wordOf(page, 'COMMAND') === HOST_COMMANDS.none;
  return offered && handled && number > before && fieldOf(page, 'M1')[HANDSHAKE_NUMBER_AT] === (number & 0xff);
}
