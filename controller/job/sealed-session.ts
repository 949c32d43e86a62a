// The controller's end of one sealed session: handshake as responder, numbered commands out, replies in order back
// (docs/protocol.md §4, §8). One object a handshake; a new handshake is a new object.
import { toHex, wipe } from '../../shared/codec/bytes.ts';
import type { ExchangeKeyPair } from '../../shared/crypto/keys.ts';
import type { BoxSession } from '../../shared/crypto/session.ts';
import { fail, isBlindflashError, type BlindflashError } from '../../shared/errors/errors.ts';
import type { Random } from '../../shared/ports.ts';
import { decodeReply, encodeCommand, type Command, type Reply, type ReplyName } from '../../shared/sealed/messages.ts';
import { respondSealed, deviceKeyOf, type SealedResponder } from '../../shared/sealed/handshake.ts';
import { decodeStubFacts, encodeSessionChoice, type StubFacts } from '../../shared/sealed/payloads.ts';
import { SEALED_BYTES } from '../../shared/sealed/protocol.ts';
import { abortError, troubleOf, type Trouble } from './problems.ts';

/** Answered M1 that wait for their M3. */
const PENDING = 3;

export interface HandshakeOptions {
  readonly keyPair: ExchangeKeyPair<'sealed'>;
  /** 64 bytes. */
  readonly planHash: Uint8Array;
  readonly random: Random;
}

/** An M1 that was read and found to be of a stub and a chip this job is for; nothing of it is authenticated yet. */
export interface Offer {
  readonly stubHash: Uint8Array;
  readonly m1: Uint8Array;
  readonly facts: StubFacts;
  /** D, 32 bytes. */
  readonly deviceKey: Uint8Array;
}

export interface SealedPeer {
  readonly facts: StubFacts;
  readonly stubHash: Uint8Array;
  readonly deviceKey: Uint8Array;
  readonly session: BoxSession;
}

export interface OfferRules {
  readonly keyPair: ExchangeKeyPair<'sealed'>;
  /** 128 digits each. */
  readonly allowedStubs: readonly string[];
  /** Throws unless the stub's chip is the one this job is for. */
  readonly checkFacts: (facts: StubFacts) => void;
}

/** Reads an M1. @throws BF-STUB-UNKNOWN, BF-STUB-AUTHENTICATION for a D no chip makes, and what `checkFacts` throws */
export function readOffer(stubHash: Uint8Array, m1: Uint8Array, rules: OfferRules): Offer {
  if (!rules.allowedStubs.includes(toHex(stubHash))) throw fail('BF-STUB-UNKNOWN', toHex(stubHash).slice(0, 16));
  const deviceKey = deviceKeyOf(m1, rules.keyPair.publicKey);
  const facts = decodeStubFacts(m1.subarray(SEALED_BYTES.m1 - SEALED_BYTES.payload1));
  rules.checkFacts(facts);
  return { stubHash, m1, facts, deviceKey };
}

/** Answers M1 until an M3 confirms one of the answers. */
export class SealedHandshake {
  readonly #options: HandshakeOptions;
  #pending: { readonly responder: SealedResponder; readonly offer: Offer }[] = [];

  constructor(options: HandshakeOptions) {
    this.#options = options;
  }

  /** M2 for an M1. @param sessionId as the tunnel has it for this M1, 16 bytes */
  answer(offer: Offer, sessionId: Uint8Array): Uint8Array {
    const { keyPair, planHash, random } = this.#options;
    const responder = respondSealed({
      staticKey: keyPair,
      contexts: [offer.stubHash, planHash],
      payload2: encodeSessionChoice(sessionId),
      random,
      m1: offer.m1,
    });
    this.#pending.unshift({ responder, offer });
    for (const old of this.#pending.splice(PENDING)) old.responder.wipe();
    return responder.m2;
  }

  /**
   * The confirmed session, newest answer first; trouble when M3 fits none.
   * @throws BF-TUNNEL-MESSAGE when there was no M1
   */
  confirm(m3: Uint8Array): SealedPeer | Trouble {
    let refusal: unknown;
    for (const { responder, offer } of this.#pending) {
      try {
        const { session, exporter } = responder.receiveM3(m3);
        wipe(exporter);
        this.wipe();
        const { facts, stubHash, deviceKey } = offer;
        return { facts, stubHash, deviceKey, session };
      } catch (error) {
        refusal = error;
      }
    }
    this.wipe();
    if (isBlindflashError(refusal)) return { error: refusal, cure: 'session' };
    throw fail('BF-TUNNEL-MESSAGE', 'M3 before M1');
  }

  wipe(): void {
    for (const { responder } of this.#pending) responder.wipe();
    this.#pending = [];
  }
}

type ReplyOf<Name extends ReplyName> = Reply & { readonly name: Name };

export type ImageCommand = Command & { readonly name: 'IMAGE' };

interface Expected {
  readonly sequence: number;
  readonly name: ReplyName;
  readonly take: (reply: Reply) => void;
}

/** A confirmed sealed session at work. */
export class SealedSession {
  readonly peer: SealedPeer;
  readonly #transmit: (sequence: number, box: Uint8Array) => void;
  readonly #expected: Expected[] = [];
  /** Image bytes sealed up to and including each sequence. */
  readonly #imageBytes: number[] = [0];

  constructor(peer: SealedPeer, transmit: (sequence: number, box: Uint8Array) => void) {
    this.peer = peer;
    this.#transmit = transmit;
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
      return requireTrouble(abortError(reply.error, reply.detail));
    }
    const expected = this.#expected.shift();
    if (expected === undefined || expected.name !== reply.name || expected.sequence !== reply.answers) {
      throw fail('BF-TUNNEL-ORDER', `${reply.name} to sealed command ${reply.answers}`);
    }
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
