// The serial line as a transport: job and handshake here, the sealed session by serial-host.ts, finding the loader by
// link.ts (docs/serial-link.md).
import { copyOf, equalBytes } from '../../../shared/codec/bytes.ts';
import type { SealedBox } from '../../../shared/crypto/session.ts';
import { chipError } from '../../../shared/errors/chip-errors.ts';
import { fail, isBlindflashError, type BlindflashError } from '../../../shared/errors/errors.ts';
import { ACTIVITIES, stateName, STATES, type StubState } from '../../../shared/mailbox/layout.ts';
import type { Clock, Log } from '../../../shared/ports.ts';
import {
  LINK_TIMES,
  STATUS_BITS,
  type Ident,
  type LoaderStatus,
  type PacketName,
} from '../../../shared/serial/packets.ts';
import { encodeJob } from '../mailbox/job-area.ts';
import type { ChipPhase, ChipProgress, OfferedHandshake, StubJob, Transport, Turn } from '../port.ts';
import { isServing, isStopped } from '../program-states.ts';
import { SerialLine } from './line.ts';
import { LoaderLink } from './link.ts';
import type { SerialPortSource } from './port.ts';
import { SerialHost } from './serial-host.ts';

const HASH_BYTES = 64;
/** Milliseconds a handshake may take in all: a loader makes whoever broke off sessions wait. */
const HANDSHAKE_MOST = 180_000;
const STOP_MOST = 10_000;

const PHASES: Readonly<Record<number, ChipPhase>> = {
  [ACTIVITIES.erasing]: 'erasing',
  [ACTIVITIES.programming]: 'programming',
  [ACTIVITIES.digesting]: 'checking',
  [ACTIVITIES.options]: 'locking',
};

/** What to do when STATUS came in place of what was wanted: ask for it, give it once more, or wait. */
type Verdict = 'ask' | 'repeat' | 'wait';

export interface SerialTransportOptions {
  readonly source: SerialPortSource;
  readonly clock: Clock;
  readonly log: Log;
}

export class SerialTransport implements Transport {
  readonly #clock: Clock;
  readonly #line: SerialLine;
  readonly #link: LoaderLink;
  readonly #host: SerialHost;
  #ident: Ident | undefined;
  #job: StubJob | undefined;

  constructor({ source, clock, log }: SerialTransportOptions) {
    this.#clock = clock;
    this.#line = new SerialLine(source, clock, log);
    this.#link = new LoaderLink(this.#line, clock, log);
    this.#host = new SerialHost(this.#link, clock, log);
  }

  /**
   * Finds the loader, and goes up to the bit rate both ends prove.
   * @param limitMs how long to look for it, milliseconds
   * @throws BF-SERIAL-NONE, BF-SERIAL-BUSY, BF-SERIAL-SILENT, BF-VERSION-MISMATCH
   */
  async open(limitMs: number): Promise<Ident> {
    this.#ident = await this.#link.open(limitMs);
    await this.#link.raise();
    return this.#ident;
  }

  /** The bit rate in use, bit/s. */
  get rate(): number {
    return this.#link.rate;
  }

  /** Lets go of the port; what the loader does is not touched. */
  close(): Promise<void> {
    return this.#link.close();
  }

  async giveJob(job: StubJob): Promise<OfferedHandshake> {
    this.#host.end();
    this.#job = job;
    const { handshakes: before } = await this.#link.status();
    const packet = encodeJob(job);
    const body = await this.#exchange(
      () => this.#line.send('job', packet),
      'm1',
      (status, state) => {
        if (state === 'refused' || (status.handshakes !== before && isStopped(state))) {
          throw this.#reason(status, state);
        }
        return status.handshakes === before ? 'repeat' : 'ask';
      },
    );
    const m1 = copyOf(body, 0, body.length - HASH_BYTES);
    const stubHash = copyOf(body, m1.length);
    if (this.#ident !== undefined && !equalBytes(stubHash, this.#ident.loaderHash)) {
      throw fail('BF-SERIAL-NONSENSE', 'M1 tells another loader hash than IDENT');
    }
    return { m1, stubHash };
  }

  /** False as well when nobody answers: the loader may have gone on to its image, and its board is to be reset. */
  async canOfferAgain(): Promise<boolean> {
    if (this.#job === undefined || !(await this.answers())) return false;
    const { state } = await this.#link.status();
    const code = state & STATUS_BITS.state;
    return code >= STATES.waiting && code <= STATES.expired;
  }

  /** True if a loader answers within some ten seconds. @throws BF-SERIAL-GONE without a port */
  async answers(): Promise<boolean> {
    try {
      await this.#link.status();
      return true;
    } catch (error) {
      if (isBlindflashError(error, 'BF-SERIAL-SILENT')) return false;
      throw error;
    }
  }

  offerAgain(): Promise<OfferedHandshake> {
    return this.giveJob(this.#job as StubJob);
  }

  async giveM2(m2: Uint8Array): Promise<Uint8Array> {
    const m3 = await this.#exchange(
      () => this.#line.send('m2', m2),
      'm3',
      (status, state) => {
        if (isStopped(state)) throw this.#reason(status, state);
        return isServing(state) ? 'ask' : 'repeat';
      },
    );
    this.#host.begin(await this.#link.status());
    return m3;
  }

  queue(command: SealedBox): void {
    this.#host.queue(command);
  }

  credit(): number | undefined {
    return this.#host.credit();
  }

  turn(): Promise<Turn> {
    return this.#host.turn();
  }

  get accepted(): number {
    return this.#host.accepted;
  }

  get acceptedImages(): number {
    return this.#host.acceptedImages;
  }

  progress(): Promise<ChipProgress> {
    const { words = 0, activity = 0, argument = 0 } = this.#host.status ?? {};
    const phase = PHASES[activity] ?? 'waiting';
    return Promise.resolve({ accepted: this.#host.accepted, wordsProgrammed: words, phase, number: argument });
  }

  async state(): Promise<StubState | undefined> {
    return stateName((await this.#link.status()).state & STATUS_BITS.state);
  }

  async stopReason(state: StubState): Promise<BlindflashError> {
    return this.#reason(await this.#link.status(), state);
  }

  async stop(): Promise<void> {
    if (this.#host.hasEnded) return;
    const end = this.#clock.now() + STOP_MOST;
    for (;;) {
      const { state } = await this.#link.status(() => this.#line.send('abort'));
      const code = state & STATUS_BITS.state;
      if (code <= STATES.waiting || code >= STATES.expired) return;
      if (this.#clock.now() >= end) throw fail('BF-LOADER-SILENT', 'it does not stop');
    }
  }

  /**
   * Sends something until its answer is there, whatever of the two is lost on the way.
   * @param judge what a STATUS in its place means; throws where there will be no answer
   */
  async #exchange(
    send: () => void,
    wanted: PacketName,
    judge: (status: LoaderStatus, state: StubState) => Verdict,
  ): Promise<Uint8Array> {
    const end = this.#clock.now() + HANDSHAKE_MOST;
    let verdict: Verdict = 'repeat';
    while (this.#clock.now() < end) {
      if (verdict === 'repeat') send();
      if (verdict === 'ask') this.#link.askAgain(wanted);
      const ms = LINK_TIMES.handshake + this.#line.msFor(this.#line.backlog);
      const packet = await this.#line.next(({ name }) => name === wanted, verdict === 'wait' ? LINK_TIMES.answer : ms);
      if (packet !== undefined) return packet.body;
      const status = await this.#link.status();
      const state = stateName(status.state & STATUS_BITS.state);
      if (state === undefined) throw fail('BF-SERIAL-NONSENSE', `state ${status.state}`);
      verdict = (status.state & STATUS_BITS.shaking) !== 0 ? 'wait' : judge(status, state);
    }
    throw fail('BF-LOADER-SILENT', 'it does not shake hands');
  }

  #reason({ error, detail }: LoaderStatus, state: StubState): BlindflashError {
    return chipError('loader', error, detail) ?? fail('BF-SERIAL-NONSENSE', `state ${state}, error ${error}`);
  }
}
