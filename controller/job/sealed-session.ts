// The controller's end of one sealed session: handshake as responder, numbered commands out, replies in order back
// (docs/protocol.md §4, §8). One object a handshake; a new handshake is a new object.
import { toHex } from '../../shared/codec/bytes.ts';
import { respond, type Responder } from '../../shared/crypto/handshake.ts';
import { noPsk, type ExchangeKeyPair } from '../../shared/crypto/keys.ts';
import type { BoxSession } from '../../shared/crypto/session.ts';
import { fail, isBlindflashError, type BlindflashError } from '../../shared/errors/errors.ts';
import type { Random } from '../../shared/ports.ts';
import { decodeReply, encodeCommand, type Command, type Reply, type ReplyName } from '../../shared/sealed/messages.ts';
import { decodeStubFacts, encodeSessionChoice, type StubFacts } from '../../shared/sealed/payloads.ts';
import { abortError, troubleOf, type Trouble } from './problems.ts';
import { SEALED_PROTOCOL } from '../../shared/sealed/protocol.ts';

/** Answered M1 that wait for their M3. */
const PENDING = 3;

export interface HandshakeOptions {
  readonly keyPair: ExchangeKeyPair<'sealed'>;
  /** 64 bytes. */
  readonly planHash: Uint8Array;
  readonly allowedStubs: readonly string[];
  readonly random: Random;
  /** Throws unless the stub's chip is the one this job is for. */
  readonly checkFacts: (facts: StubFacts) => void;
}

export interface SealedPeer {
  readonly facts: StubFacts;
  readonly stubHash: Uint8Array;
  readonly session: BoxSession;
}

/** Answers M1 until an M3 confirms one of the answers. */
export class SealedHandshake {
  readonly #options: HandshakeOptions;
  #pending: { readonly responder: Responder; readonly facts: StubFacts; readonly stubHash: Uint8Array }[] = [];

  constructor(options: HandshakeOptions) {
    this.#options = options;
  }

  /** M2 for an M1. Throws BF-STUB-UNKNOWN for a stub that is not trusted, and what `checkFacts` throws. */
  answer(stubHash: Uint8Array, m1: Uint8Array): Uint8Array {
    const { keyPair, planHash, allowedStubs, random, checkFacts } = this.#options;
    if (!allowedStubs.includes(toHex(stubHash))) throw fail('BF-STUB-UNKNOWN', toHex(stubHash).slice(0, 16));
    const responder = respond({
      protocol: SEALED_PROTOCOL,
      staticKey: keyPair,
      contexts: [stubHash, planHash],
      pskFor: () => noPsk(),
      payload2: encodeSessionChoice(random.bytes(16)),
      random,
      m1,
    });
    const facts = decodeStubFacts(responder.payload1);
    checkFacts(facts);
    this.#pending.unshift({ responder, facts, stubHash });
    for (const old of this.#pending.splice(PENDING)) old.responder.wipe();
    return responder.m2;
  }

  /** The confirmed session, newest answer first; trouble when M3 fits none. @throws BF-TUNNEL-MESSAGE when there was no M1 */
  confirm(m3: Uint8Array): SealedPeer | Trouble {
    let refusal: unknown;
    for (const { responder, facts, stubHash } of this.#pending) {
      try {
        const { session } = responder.receiveM3(m3);
        this.wipe();
        return { facts, stubHash, session };
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

  /** The stub has accepted the commands up to the one with these low 16 bits of its sequence, says the agent. */
  accepted(low16: number): void {
    const back = (this.sent - low16) & 0xffff;
    this.onAccepted(this.#imageBytes[this.sent - back] ?? 0);
  }

  /**
   * Opens a reply and hands it to whoever waits for it. Returns the trouble where a new handshake may help: a reply that does
   * not open, some of the ABORTs. @throws BF-JOB-…/BF-STUB-… for the other ABORTs, BF-TUNNEL-ORDER for a reply nobody asked for
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
