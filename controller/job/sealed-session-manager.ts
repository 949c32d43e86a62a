// The sealed sessions of one run: the handshake that is under way, the session that is confirmed, and how
// many new ones trouble may cost (docs/protocol.md §8, §11). The cryptography is in sealed-session.ts, the
// order of things in job-table.ts.
import { checkFacts, requirePlanted, suiteOf } from './checks.ts';
import type { AgentLine } from './agent-line.ts';
import type { JobRecorder } from './job-recorder.ts';
import { IMAGE_SESSIONS, MOST_BEGINNINGS, RESTARTS } from './limits.ts';
import type { JobOptions } from './ports.ts';
import type { Trouble } from './problems.ts';
import type { ChipKeyApproval } from './chip-key-approval.ts';
import {
  MOST_EARLY_COMMANDS,
  readOffer,
  SealedHandshake,
  SealedSession,
  type Offer,
  type SealedPeer,
} from './sealed-session.ts';
import { equalBytes, toHex } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import { hasLoader } from '../../shared/plan/modes.ts';
import { decodePlan, planHash, type Plan } from '../../shared/plan/plan.ts';
import type { Hello } from '../../shared/tunnel/bodies.ts';
import type { MessageOf } from '../../shared/tunnel/messages.ts';

/** Replies to the commands that left behind M2, and an ABORT. */
const MOST_EARLY = MOST_EARLY_COMMANDS + 1;

export class SealedSessionManager {
  readonly #options: JobOptions;
  readonly #line: AgentLine;
  readonly #recorder: JobRecorder;
  readonly #approvals: ChipKeyApproval;
  /** Sessions with frames of the image, over the whole job, at which a person has to decide. */
  readonly #allowance: number;
  #handshake: SealedHandshake | undefined;
  #session: SealedSession | undefined;
  /** The session of the M2 that is under way: what may leave behind it is sent through it. */
  #unconfirmed: SealedSession | undefined;
  /** Sealed commands of this session the agent takes in all. */
  #credit = 0;
  #offers = 0;
  readonly #restarts = { session: 0, board: 0 };
  /** A new sealed session has been asked for or will be: trouble of the old one is old news. */
  #restarting = false;
  /** Trouble before there was a sealed session: a new one is asked for when its turn comes. */
  #earlyTrouble: Trouble | undefined;
  /** An M1 whose M2 waits for the code. */
  #waiting: Offer | undefined;
  /** Replies that came with SEALED3, before its turn came. */
  #early: MessageOf<'REPLY'>[] = [];

  constructor(options: JobOptions, line: AgentLine, recorder: JobRecorder, approvals: ChipKeyApproval) {
    this.#options = options;
    this.#line = line;
    this.#recorder = recorder;
    this.#approvals = approvals;
    // Who starts the job anew after that many has decided that it goes on.
    const { imageSessions } = recorder.record;
    this.#allowance = (Math.floor(imageSessions / IMAGE_SESSIONS) + 1) * IMAGE_SESSIONS;
  }

  /** The confirmed session, if there is one. */
  get session(): SealedSession | undefined {
    return this.#session;
  }

  /** The session whose M2 was sent last, until its M3 has come. */
  get unconfirmed(): SealedSession | undefined {
    return this.#unconfirmed;
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
    this.#handshake = this.#unconfirmed = this.#session = this.#waiting = undefined;
    this.#early = [];
  }

  /** A sealed reply; one of a session that is not confirmed yet waits for that. Returns the trouble it tells of. */
  receive(reply: MessageOf<'REPLY'>): Trouble | undefined {
    if (this.#session !== undefined) return this.#session.receive(reply.sequence, reply.box);
    if (this.#handshake !== undefined && this.#early.length < MOST_EARLY) this.#early.push(reply);
    return undefined;
  }

  /** The agent takes sealed commands up to and including this sequence; it never takes that back within a session. */
  grant(upTo: number): void {
    this.#credit = Math.max(this.#credit, upTo);
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
    this.#line.troubled(error);
  }

  /** Asks the agent for a new sealed session. */
  request(): void {
    this.#line.send({ name: 'RESTART' });
  }

  /**
   * An M1 has come; the caller has dropped the session before it. True: M2 is sent. False: the code of this tunnel has
   * to be asked for first, then `answerWaiting`.
   * @throws BF-STUB-UNKNOWN, BF-STUB-AUTHENTICATION, BF-STUB-SECOND-KEY, BF-DEVICES-OTHER-KEY, BF-JOB-SESSIONS, and
   * what does not fit the plan
   */
  answer({ stubHash, m1 }: MessageOf<'SEALED1'>, plan: Plan, hello: Hello): boolean {
    if (++this.#offers > MOST_BEGINNINGS) throw fail('BF-STUB-AUTHENTICATION', 'too many handshakes');
    const { keys, allowedStubs, device, planted } = this.#options;
    this.#requireAllowance(plan);
    this.#restarting = false;
    const offer = readOffer(stubHash, m1, {
      suite: suiteOf(plan),
      keyPair: keys.sealed,
      allowedStubs,
      checkFacts: (facts) => checkFacts(facts, plan, this.#recorder.record.uid ?? device?.uid, hello),
    });
    if (planted === true) requirePlanted(offer.facts);
    if (device !== undefined && !equalBytes(offer.deviceKey, device.sessionKey)) throw fail('BF-DEVICES-OTHER-KEY');
    const approval = this.#approvals.approvalOf(offer);
    if (approval === 'refuse') throw fail('BF-STUB-SECOND-KEY');
    if (approval === 'ask') this.#waiting = offer;
    else this.#answer(offer);
    return approval !== 'ask';
  }

  /** M2 for the M1 that waited for the code. */
  answerWaiting(): void {
    const offer = this.#waiting as Offer;
    this.#waiting = undefined;
    this.#answer(offer);
  }

  /** M3: what the stub said about its chip is its own word now. Returns the trouble if it fits no answer. */
  confirm({ m3 }: MessageOf<'SEALED3'>): Trouble | undefined {
    const confirmed = (this.#handshake as SealedHandshake).confirm(m3);
    if ('cure' in confirmed) return confirmed;
    const { stubVersion, handshake } = confirmed.facts;
    const uid = toHex(confirmed.facts.uid);
    if (this.#approvals.confirm(confirmed)) this.#line.proved();
    const session = this.#unconfirmed as SealedSession;
    this.#session = session;
    this.#unconfirmed = undefined;
    this.#line.troubleOver();
    this.#options.callbacks.onEvent?.({ type: 'sealed', uid, stubVersion, handshake });
    const trouble = this.#takeEarly();
    if (trouble === undefined) session.confirm();
    return trouble;
  }

  #takeEarly(): Trouble | undefined {
    const early = this.#early;
    this.#early = [];
    return early.map((reply) => this.receive(reply)).find((trouble) => trouble !== undefined);
  }

  #answer(offer: Offer): void {
    this.#early = [];
    // The agent's CREDIT comes right behind SEALED3 and may be heard first.
    this.#credit = 0;
    this.#handshake ??= this.#newHandshake();
    const m2 = this.#handshake.answer(offer, this.#line.sealedSessionId(offer.m1));
    this.#line.send({ name: 'SEALED2', m2 });
    const peer = this.#handshake.unconfirmed as SealedPeer;
    this.#unconfirmed = new SealedSession(peer, (sequence, box) => this.#line.send({ name: 'FRAME', sequence, box }));
  }

  /** Behind a loader, each session that is broken off once frames flow may have cost one. @throws BF-JOB-SESSIONS */
  #requireAllowance({ mode }: Plan): void {
    const { imageSessions } = this.#recorder.record;
    if (hasLoader(mode) && imageSessions >= this.#allowance) throw fail('BF-JOB-SESSIONS', `${imageSessions} so far`);
  }

  #newHandshake(): SealedHandshake {
    const { keys, random, device } = this.#options;
    const { plan } = this.#recorder.record;
    const suite = suiteOf(decodePlan(plan));
    return new SealedHandshake({
      suite,
      keyPair: keys.sealed,
      planHash: planHash(plan),
      device: device?.sessionKey,
      random,
    });
  }
}
