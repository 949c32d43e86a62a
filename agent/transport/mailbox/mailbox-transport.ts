// The mailbox as a transport: handshakes by handover.ts, the sealed session by mailbox-host.ts, progress from the
// control page (docs/mailbox.md).
import { isBlindflashError, partOf, type BlindflashError } from '../../../shared/errors/errors.ts';
import { ACTIVITIES, stateName, STATES, type StubState } from '../../../shared/mailbox/layout.ts';
import type { Clock, Log } from '../../../shared/ports.ts';
import type { Probe } from '../../probe/probe.ts';
import type { KnownStub } from '../../target/stubs.ts';
import type { SealedBox } from '../../../shared/crypto/session.ts';
import type { ChipProgress, OfferedHandshake, ChipPhase, StubJob, Transport, Turn } from '../port.ts';
import { Handover } from './handover.ts';
import { MailboxHost } from './mailbox-host.ts';
import { Mailbox } from './mailbox.ts';
import { readStopReason } from './stop-reason.ts';

const PHASES: Readonly<Record<number, ChipPhase>> = {
  [ACTIVITIES.erasing]: 'erasing',
  [ACTIVITIES.programming]: 'programming',
  [ACTIVITIES.digesting]: 'checking',
  [ACTIVITIES.options]: 'locking',
};

export interface MailboxTransportOptions {
  readonly probe: Probe;
  readonly clock: Clock;
  readonly log: Log;
  /** The stub that is, or will be, loaded: where its mailbox lies, and what its hash must be. */
  readonly stub: KnownStub;
}

export class MailboxTransport implements Transport {
  readonly #mailbox: Mailbox;
  readonly #handover: Handover;
  readonly #host: MailboxHost;

  constructor({ probe, clock, log, stub }: MailboxTransportOptions) {
    this.#mailbox = new Mailbox(stub.layout, probe, clock, log);
    this.#handover = new Handover(this.#mailbox, clock, stub.hash);
    this.#host = new MailboxHost(this.#mailbox, clock, log);
  }

  /** A job that is known already is put in place while the stub starts; then waits until the stub is up. */
  async untilUp(job: StubJob): Promise<void> {
    await this.#handover.placeJob(job);
    await this.#handover.untilUp();
  }

  /** True if a stub is up and has not been stopped, reset or replaced. Looks, and touches nothing. */
  isLive(): Promise<boolean> {
    return this.#handover.isLive();
  }

  giveJob(job: StubJob): Promise<OfferedHandshake> {
    return this.#handover.giveJob(job);
  }

  /** A stub that lost its power, was reset, faulted or refused cannot. */
  async canOfferAgain(): Promise<boolean> {
    try {
      const { state } = await this.#mailbox.status();
      return state >= STATES.offered && state <= STATES.expired && (await this.isLive());
    } catch (error) {
      if (isBlindflashError(error) && partOf(error.code) === 'target') return false;
      throw error;
    }
  }

  offerAgain(): Promise<OfferedHandshake> {
    return this.#handover.offerAgain();
  }

  async giveM2(m2: Uint8Array): Promise<Uint8Array> {
    const m3 = await this.#handover.giveM2(m2);
    this.#host.begin();
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

  async progress(): Promise<ChipProgress> {
    const { words, activity, argument } = await this.#mailbox.words('unchecked');
    const { accepted } = this.#host;
    return { accepted, wordsProgrammed: words, phase: PHASES[activity] ?? 'waiting', number: argument };
  }

  async state(): Promise<StubState | undefined> {
    return stateName((await this.#mailbox.status()).state);
  }

  stopReason(state: StubState): Promise<BlindflashError> {
    return readStopReason(this.#mailbox, state);
  }

  stop(): Promise<void> {
    return this.#handover.stop();
  }
}
