// The course of the sealed sessions of one run: a handshake that fits, the work, and a new session after trouble, a bounded
// number of times (docs/protocol.md §8, §11). The cryptography is in sealed.ts.
import { checkFacts } from './checks.ts';
import type { AgentChannel } from './agent-channel.ts';
import type { JobRecorder } from './job-recorder.ts';
import { MOST_BEGINNINGS, RESTARTS } from './ports.ts';
import type { JobOptions } from './ports.ts';
import { Retryable } from './problems.ts';
import { SealedHandshake, SealedSession } from './sealed-session.ts';
import type { Limit } from './wait-queue.ts';
import { toHex } from '../../shared/codec/bytes.ts';
import { fail, isBlindflashError } from '../../shared/errors/errors.ts';
import { planHash, type Plan } from '../../shared/plan/plan.ts';
import type { MessageOf } from '../../shared/tunnel/messages.ts';

/** The agent offers a new sealed session in the middle of the old one. */
class NewHandshake {}

/** What the sealed sessions are for. */
export interface SealedTask {
  readonly plan: Plan;
  /** An agent was met before in this run. */
  readonly again: boolean;
  /** Does the work inside a session; returns the skipped sectors. */
  readonly work: (link: SealedSession) => Promise<readonly number[]>;
}

export class SealedSessionManager {
  /** Frames of this sealed session the agent takes in all. */
  credit = 0;
  readonly #options: JobOptions;
  readonly #talk: AgentChannel;
  readonly #keeper: JobRecorder;
  #link: SealedSession | undefined;
  #offers = 0;
  #restarts = { session: 0, board: 0 };
  /** A new sealed session has been asked for or will be: troubles of the old one are old news. */
  #restarting = false;
  /** RESTART is out and not answered. */
  #askedFor = false;
  /** Sealed sessions are being made; trouble with the board before that waits here for its turn. */
  #begun = false;
  #earlyTrouble: Retryable | undefined;

  constructor(options: JobOptions, talk: AgentChannel, keeper: JobRecorder) {
    this.#options = options;
    this.#talk = talk;
    this.#keeper = keeper;
  }

  /** The confirmed session, if there is one. */
  get link(): SealedSession | undefined {
    return this.#link;
  }

  /** The agent begins at HELLO: no session of it is asked for or in trouble. */
  beginAgain(): void {
    this.#begun = this.#restarting = this.#askedFor = false;
    this.#earlyTrouble = undefined;
  }

  dropLink(): void {
    this.#link?.wipe();
    this.#link = undefined;
  }

  /** What the session had in hand is void from here on. @param signal what the next wait ends with. */
  abandon(signal: unknown): void {
    this.dropLink();
    this.#talk.waiting.signal(signal);
  }

  /** An M1 nobody waited for. @throws BF-TUNNEL-ORDER when there is no sealed work yet */
  offeredAnew(): void {
    if (!this.#begun) throw fail('BF-TUNNEL-ORDER', 'a sealed session was offered before its turn');
    this.abandon(new NewHandshake());
  }

  /** The session has ended itself. */
  retry(error: Retryable): void {
    this.#restarting = true;
    this.abandon(error);
  }

  /** The agent reports trouble that may pass. */
  troubled(error: Retryable): void {
    if (!this.#begun) this.#earlyTrouble = error;
    else if (!this.#restarting || error.cure === 'board') this.retry(error);
  }

  /** Sealed sessions until one has done the work. Returns the skipped sectors. */
  async run(task: SealedTask): Promise<readonly number[]> {
    this.#begun = true;
    let retry = this.#earlyTrouble;
    this.#earlyTrouble = undefined;
    for (;;) {
      try {
        if (retry !== undefined) await this.#restart(retry);
        retry = undefined;
        await this.#shakeHands(task);
        return await task.work(this.#link as SealedSession);
      } catch (error) {
        this.dropLink();
        retry = error instanceof Retryable ? error : undefined;
        if (retry === undefined && !(error instanceof NewHandshake)) throw error;
      }
    }
  }

  /** Asks for a new sealed session, a bounded number of times; after trouble with the board it is given a moment. */
  async #restart({ error, cure }: Retryable): Promise<void> {
    const talk = this.#talk;
    this.#restarting = true;
    this.#restarts[cure]++;
    if (this.#restarts[cure] > RESTARTS[cure]) throw error;
    talk.trouble = error;
    talk.mail.expected = ['SEALED1'];
    if (cure === 'board') await talk.pause(talk.patience.boardPause);
    this.#requestHandshake();
  }

  #requestHandshake(): void {
    this.#askedFor = true;
    this.#talk.send({ name: 'RESTART' });
  }

  async #shakeHands({ plan, again }: SealedTask): Promise<void> {
    const { keys, allowedStubs, random } = this.#options;
    const handshake = new SealedHandshake({
      keyPair: keys.sealed,
      planHash: planHash(this.#keeper.record.plan),
      allowedStubs,
      random,
      checkFacts: (facts) => checkFacts(facts, plan, this.#keeper.record.uid),
    });
    try {
      await this.#answerOffers(handshake, again);
    } finally {
      handshake.wipe();
    }
  }

  /** Answers every M1 until an M3 fits. */
  async #answerOffers(handshake: SealedHandshake, again: boolean): Promise<void> {
    const talk = this.#talk;
    const limit = talk.limit('sealed', 'BF-STUB-SILENT');
    let offer = await this.#firstOffer(limit, again);
    for (;;) {
      if (++this.#offers > MOST_BEGINNINGS) throw fail('BF-STUB-AUTHENTICATION', 'too many handshakes');
      this.#restarting = this.#askedFor = false;
      this.credit = 0;
      talk.send({ name: 'SEALED2', m2: handshake.answer(offer.stubHash, offer.m1) });
      const next = await talk.mail.takeOneOf(talk.waiting, ['SEALED1', 'SEALED3'], limit);
      if (next.name === 'SEALED3') return this.#confirmSealed(handshake, next.m3);
      offer = next;
    }
  }

  /** A resumed job gives the agent a moment to begin by itself, then asks. */
  async #firstOffer(limit: Limit, again: boolean): Promise<MessageOf<'SEALED1'>> {
    const talk = this.#talk;
    const resumed = again || this.#keeper.record.uid !== undefined;
    if (!resumed || this.#askedFor) return talk.take('SEALED1', limit);
    try {
      return await talk.take('SEALED1', talk.limit('ownHandshake', 'BF-TUNNEL-TIMEOUT'));
    } catch (error) {
      if (!isBlindflashError(error, 'BF-TUNNEL-TIMEOUT')) throw error;
      this.#requestHandshake();
      return talk.take('SEALED1', limit);
    }
  }

  /** M3 fits: what the stub said about its chip is its own word now. */
  #confirmSealed(handshake: SealedHandshake, m3: Uint8Array): void {
    const peer = handshake.confirm(m3);
    const { stubVersion, handshake: number } = peer.facts;
    const uid = toHex(peer.facts.uid);
    this.#keeper.update({ uid });
    this.#link = new SealedSession(peer, (sequence, box) => this.#talk.send({ name: 'FRAME', sequence, box }));
    this.#talk.trouble = undefined;
    this.#options.callbacks.onEvent?.({ type: 'sealed', uid, stubVersion, handshake: number });
  }
}
