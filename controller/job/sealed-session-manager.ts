// The sealed sessions of one run: the handshake that is under way, the session that is confirmed, and how many new ones trouble
// may cost (docs/protocol.md §8, §11). The cryptography is in sealed-session.ts, the order of things in job-table.ts.
import { checkFacts } from './checks.ts';
import type { AgentChannel } from './agent-channel.ts';
import type { JobRecorder } from './job-recorder.ts';
import { MOST_BEGINNINGS, RESTARTS } from './ports.ts';
import type { JobOptions } from './ports.ts';
import type { Trouble } from './problems.ts';
import { SealedHandshake, SealedSession } from './sealed-session.ts';
import { toHex } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import { planHash, type Plan } from '../../shared/plan/plan.ts';
import type { MessageOf } from '../../shared/tunnel/messages.ts';

export class SealedSessionManager {
  readonly #options: JobOptions;
  readonly #channel: AgentChannel;
  readonly #recorder: JobRecorder;
  #handshake: SealedHandshake | undefined;
  #session: SealedSession | undefined;
  /** Sealed commands of this session the agent takes in all. */
  #credit = 0;
  #offers = 0;
  readonly #restarts = { session: 0, board: 0 };
  /** A new sealed session has been asked for or will be: trouble of the old one is old news. */
  #restarting = false;
  /** Trouble before there was a sealed session: a new one is asked for when its turn comes. */
  #earlyTrouble: Trouble | undefined;

  constructor(options: JobOptions, channel: AgentChannel, recorder: JobRecorder) {
    this.#options = options;
    this.#channel = channel;
    this.#recorder = recorder;
  }

  /** The confirmed session, if there is one. */
  get session(): SealedSession | undefined {
    return this.#session;
  }

  /** The agent begins at HELLO: no session of it is asked for or in trouble. */
  beginAgain(): void {
    this.drop();
    this.#restarting = false;
    this.#earlyTrouble = undefined;
  }

  /** Wipes the session and the handshake in hand. */
  drop(): void {
    this.#handshake?.wipe();
    this.#session?.wipe();
    this.#handshake = this.#session = undefined;
  }

  /** The agent takes sealed commands up to and including this sequence. */
  grant(upTo: number): void {
    this.#credit = upTo;
  }

  /** The agent takes another command of the session. */
  get hasCredit(): boolean {
    return this.#session !== undefined && this.#session.sent < this.#credit;
  }

  /** Trouble before sealed work is kept for its turn. */
  remember(trouble: Trouble): void {
    this.#earlyTrouble = trouble;
  }

  /** The trouble there was before sealed work, once. */
  takeEarlyTrouble(): Trouble | undefined {
    const trouble = this.#earlyTrouble;
    this.#earlyTrouble = undefined;
    return trouble;
  }

  /** The session is lost to this trouble. False when that is old news. */
  lose({ cure }: Trouble): boolean {
    if (this.#restarting && cure !== 'board') return false;
    this.#restarting = true;
    this.drop();
    return true;
  }

  /** Counts the new sealed session this trouble costs. @throws the trouble's error when there have been too many */
  countRestart({ error, cure }: Trouble): void {
    this.drop();
    this.#restarting = true;
    this.#restarts[cure]++;
    if (this.#restarts[cure] > RESTARTS[cure]) throw error;
    this.#channel.troubled(error);
  }

  /** Asks the agent for a new sealed session. */
  request(): void {
    this.#channel.send({ name: 'RESTART' });
  }

  /** M2 for an M1; a session ends with it. @throws BF-STUB-UNKNOWN, BF-STUB-AUTHENTICATION, and what does not fit the plan */
  answer({ stubHash, m1 }: MessageOf<'SEALED1'>, plan: Plan): void {
    if (++this.#offers > MOST_BEGINNINGS) throw fail('BF-STUB-AUTHENTICATION', 'too many handshakes');
    this.#restarting = false;
    this.#credit = 0;
    this.#handshake ??= this.#newHandshake(plan);
    this.#channel.send({ name: 'SEALED2', m2: this.#handshake.answer(stubHash, m1) });
  }

  /** M3: what the stub said about its chip is its own word now. Returns the trouble if it fits no answer. */
  confirm({ m3 }: MessageOf<'SEALED3'>): Trouble | undefined {
    const confirmed = (this.#handshake as SealedHandshake).confirm(m3);
    if ('cure' in confirmed) return confirmed;
    const { stubVersion, handshake } = confirmed.facts;
    const uid = toHex(confirmed.facts.uid);
    this.#recorder.update({ uid });
    this.#session = new SealedSession(confirmed, (sequence, box) =>
      this.#channel.send({ name: 'FRAME', sequence, box }),
    );
    this.#channel.healed();
    this.#options.callbacks.onEvent?.({ type: 'sealed', uid, stubVersion, handshake });
    return undefined;
  }

  #newHandshake(plan: Plan): SealedHandshake {
    const { keys, allowedStubs, random } = this.#options;
    return new SealedHandshake({
      keyPair: keys.sealed,
      planHash: planHash(this.#recorder.record.plan),
      allowedStubs,
      random,
      checkFacts: (facts) => checkFacts(facts, plan, this.#recorder.record.uid),
    });
  }
}
