// The controller's end of one sealed session: handshake as responder, numbered commands out, replies in order back
// (docs/protocol.md §4, §8). One object a handshake; a new handshake is a new object.
import { toHex, wipe } from '../../shared/codec/bytes.ts';
import type { ExchangeKeyPair } from '../../shared/crypto/keys.ts';
import type { BoxSession } from '../../shared/crypto/session.ts';
import { fail, isBlindflashError, type BlindflashError } from '../../shared/errors/errors.ts';
import type { Random } from '../../shared/ports.ts';
import {
  decodeReply,
  encodeCommand,
  type Command,
  type CommandName,
  type Reply,
  type ReplyName,
} from '../../shared/sealed/messages.ts';
import { chipKeysOf, respondSealed, type SealedResponder } from '../../shared/sealed/handshake.ts';
import type { ProgramOnChip } from '../../shared/plan/modes.ts';
import { decodeStubFacts, encodeSessionChoice, type ChipKeys, type StubFacts } from '../../shared/sealed/payloads.ts';
import type { SealedSuite } from '../../shared/sealed/protocol.ts';
import { abortError, troubleOf, UNKNOWN, type Trouble } from './problems.ts';

/** Commands that may leave behind M2, before M3 has come (docs/protocol.md §8, "Before M3"): they hold no image. */
const EARLY: ReadonlySet<CommandName> = new Set<CommandName>(['ERASE', 'DIGEST']);
/** As many of them as may leave so; the agent takes them without credit. */
export const MOST_EARLY_COMMANDS = 32;
/** M1 begins with an ephemeral key and a nonce, 32 bytes each. */
const PAYLOAD_AT = 64;

export interface HandshakeOptions {
  readonly suite: SealedSuite;
  readonly keyPair: ExchangeKeyPair<'sealed'>;
  /** 64 bytes. */
  readonly planHash: Uint8Array;
  /** D_s as it is on record, 32 bytes, where the suite knows the device. */
  readonly device?: Uint8Array | undefined;
  readonly random: Random;
}

/** An M1 that was read and found to be of a stub and a chip this job is for; nothing of it is authenticated yet. */
export interface Offer extends ChipKeys {
  readonly stubHash: Uint8Array;
  readonly m1: Uint8Array;
  readonly facts: StubFacts;
}

export interface SealedPeer extends ChipKeys {
  readonly facts: StubFacts;
  readonly stubHash: Uint8Array;
  readonly session: BoxSession;
}

/** Which program has keys of this kind. */
const programOf = ({ keyKind }: Pick<StubFacts, 'keyKind'>): ProgramOnChip =>
  keyKind === 'device' ? 'loader' : 'stub';

export interface OfferRules {
  readonly suite: SealedSuite;
  readonly keyPair: ExchangeKeyPair<'sealed'>;
  /** 128 digits each. */
  readonly allowedStubs: readonly string[];
  /** Throws unless the stub's chip is the one this job is for. */
  readonly checkFacts: (facts: StubFacts) => void;
}

/**
 * Reads an M1.
 * @throws BF-STUB-UNKNOWN, BF-LOADER-UNKNOWN, BF-STUB-AUTHENTICATION for a D no chip makes or not of the suite's kind,
 * and what `checkFacts` throws
 */
export function readOffer(stubHash: Uint8Array, m1: Uint8Array, rules: OfferRules): Offer {
  if (!rules.allowedStubs.includes(toHex(stubHash))) {
    throw fail(UNKNOWN[programOf(rules.suite)], toHex(stubHash).slice(0, 16));
  }
  const keys = chipKeysOf(rules.suite, m1, rules.keyPair.publicKey);
  const facts = decodeStubFacts(m1.subarray(PAYLOAD_AT));
  if (facts.keyKind !== rules.suite.keyKind) {
    throw fail('BF-STUB-AUTHENTICATION', `a key of the chip, ${facts.keyKind}, that does not go with the mode`);
  }
  rules.checkFacts(facts);
  return { stubHash, m1, facts, ...keys };
}

/** Answers M1 until an M3 confirms the latest answer. */
export class SealedHandshake {
  readonly #options: HandshakeOptions;
  #answered: { readonly responder: SealedResponder; readonly peer: SealedPeer } | undefined;

  constructor(options: HandshakeOptions) {
    this.#options = options;
  }

  /** The session of the latest answer, before its M3 has come. */
  get unconfirmed(): SealedPeer | undefined {
    return this.#answered?.peer;
  }

  /** M2 for an M1. @param sessionId as the tunnel has it for this M1, 16 bytes */
  answer(offer: Offer, sessionId: Uint8Array): Uint8Array {
    const { suite, keyPair, planHash, device, random } = this.#options;
    const responder = respondSealed({
      suite,
      staticKey: keyPair,
      contexts: device === undefined ? [offer.stubHash, planHash] : [offer.stubHash, planHash, device],
      payload2: encodeSessionChoice(sessionId),
      random,
      m1: offer.m1,
    });
    const { facts, stubHash } = offer;
    this.wipe();
    this.#answered = { responder, peer: { facts, stubHash, ...responder.chipKeys, session: responder.session } };
    return responder.m2;
  }

  /** The confirmed session; trouble when M3 does not fit. @throws BF-TUNNEL-MESSAGE when there was no M1 */
  confirm(m3: Uint8Array): SealedPeer | Trouble {
    if (this.#answered === undefined) throw fail('BF-TUNNEL-MESSAGE', 'M3 before M1');
    const { responder, peer } = this.#answered;
    try {
      wipe(responder.receiveM3(m3).exporter);
      return peer;
    } catch (error) {
      if (isBlindflashError(error)) return { error, cure: 'session' };
      throw error;
    } finally {
      this.wipe();
    }
  }

  /** Forgets an answer that was not confirmed, and its session. */
  wipe(): void {
    this.#answered?.responder.wipe();
    this.#answered = undefined;
  }
}

type ReplyOf<Name extends ReplyName> = Reply & { readonly name: Name };

export type ImageCommand = Command & { readonly name: 'IMAGE' };

interface Expected {
  readonly sequence: number;
  readonly name: ReplyName;
  readonly take: (reply: Reply) => void;
}

/** A sealed session at work. Before M3 has come it takes the commands that may leave so early, and no other. */
export class SealedSession {
  readonly peer: SealedPeer;
  /** Resolves when M3 has come; never, for a session that is dropped before. */
  readonly confirmed: Promise<void>;
  #confirm!: () => void;
  #isConfirmed = false;
  #ended = false;
  readonly #transmit: (sequence: number, box: Uint8Array) => void;
  readonly #expected: Expected[] = [];
  /** Image bytes sealed up to and including each sequence. */
  readonly #imageBytes: number[] = [0];

  constructor(peer: SealedPeer, transmit: (sequence: number, box: Uint8Array) => void) {
    this.peer = peer;
    this.#transmit = transmit;
    this.confirmed = new Promise((resolve) => (this.#confirm = resolve));
  }

  /** The chip has proved itself: from here on everything may be said. */
  confirm(): void {
    this.#isConfirmed = true;
    this.#confirm();
  }

  /** M3 has not come, and another command may leave before it; later that is a matter of credit. */
  get mayGoAhead(): boolean {
    return !this.#isConfirmed && this.sent < MOST_EARLY_COMMANDS;
  }

  /** The stub has said ENDED: it takes no command any more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Highest sequence sealed. */
  get sent(): number {
    return this.peer.session.sent;
  }

  /** Commands the stub has not answered yet. */
  get unanswered(): number {
    return this.#expected.length;
  }

  /** Seals and sends an IMAGE, which has no reply. */
  image(command: ImageCommand): void {
    this.#seal(command, command.data.length);
  }

  /** Seals and sends a command; `take` gets its reply, in the order of the commands. */
  ask<Name extends ReplyName>(command: Command, name: Name, take: (reply: ReplyOf<Name>) => void): void {
    const sequence = this.#seal(command, 0);
    this.#expected.push({ sequence, name, take: take as (reply: Reply) => void });
  }

  /** Told how many image bytes are in the commands the stub is said to have accepted; for the bar. */
  onAccepted: (imageBytes: number) => void = () => {};

  /** The stub has accepted so many commands of this session, says the agent. */
  accepted(count: number): void {
    const bytes = this.#imageBytes[count];
    if (bytes !== undefined) this.onAccepted(bytes);
  }

  /**
   * Opens a reply and hands it to whoever waits for it. Returns the trouble where a new handshake may help: a reply
   * that does not open, some of the ABORTs. @throws BF-JOB-…/BF-STUB-… for the other ABORTs, BF-TUNNEL-ORDER for a
   * reply nobody asked for
   */
  receive(sequence: number, box: Uint8Array): Trouble | undefined {
    const plaintext = this.#open(sequence, box);
    if ('cure' in plaintext) return plaintext;
    const reply = decodeReply(plaintext);
    if (reply.name === 'ABORT') {
      this.wipe();
      return requireTrouble(abortError(programOf(this.peer.facts), reply.error, reply.detail));
    }
    const expected = this.#expected.shift();
    if (expected === undefined || expected.name !== reply.name || expected.sequence !== reply.answers) {
      throw fail('BF-TUNNEL-ORDER', `${reply.name} to sealed command ${reply.answers}`);
    }
    if (reply.name === 'ENDED') this.#ended = true;
    expected.take(reply);
    return undefined;
  }

  wipe(): void {
    this.peer.session.wipe();
  }

  #open(sequence: number, box: Uint8Array): Uint8Array | Trouble {
    try {
      return this.peer.session.open(box, sequence);
    } catch (error) {
      this.wipe();
      if (isBlindflashError(error)) return { error, cure: 'session' };
      throw error;
    }
  }

  #seal(command: Command, imageBytes: number): number {
    if (!this.#isConfirmed && !EARLY.has(command.name)) {
      throw fail('BF-INTERNAL-ARGUMENT', `${command.name} before the chip has proved itself`);
    }
    const { sequence, box } = this.peer.session.seal(encodeCommand(command));
    this.#imageBytes[sequence] = (this.#imageBytes[sequence - 1] ?? 0) + imageBytes;
    this.#transmit(sequence, box);
    return sequence;
  }
}

/** @throws the error if nothing heals it */
function requireTrouble(error: BlindflashError): Trouble {
  const trouble = troubleOf(error);
  if (trouble === undefined) throw error;
  return trouble;
}
