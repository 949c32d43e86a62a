// The boxes of one session in both directions: numbering, epochs, ratchet, and death (docs/protocol.md §5).
import { assertBytes, copyOf, U32_MAX, u32le, wipe } from '../codec/bytes.ts';
import { fail } from '../errors/errors.ts';
import { epochOf, openBox, sealBox, type BoxPlace, type Direction } from './box.ts';
import { deriveKey } from './hash.ts';
import { KEY_LABELS } from './labels.ts';
import type { HandshakeProtocol } from './protocol.ts';

/** i initiator (agent, stub), r responder (controller). */
export type Role = 'i' | 'r';

const SENDS = { i: 'i2r', r: 'r2i' } as const satisfies Record<Role, Direction>;
const RECEIVES = { i: 'r2i', r: 'i2r' } as const satisfies Record<Role, Direction>;

export interface Chains {
  /** 32 bytes each. */
  readonly i2r: Uint8Array;
  readonly r2i: Uint8Array;
}

/** A box of a session and its number in its direction. */
export interface SealedBox {
  /** 1, 2, 3 …, never restarting. */
  readonly sequence: number;
  readonly box: Uint8Array;
}

/** One end of a session. Any failure to open wipes both directions for good. */
export class BoxSession {
  readonly #protocol: HandshakeProtocol;
  readonly #send: Chain;
  readonly #receive: Chain;
  #dead = false;

  /** Takes over (and in the end wipes) copies of both chain keys. */
  constructor(role: Role, protocol: HandshakeProtocol, chains: Chains) {
    this.#protocol = protocol;
    this.#send = new Chain(SENDS[role], protocol, chains[SENDS[role]]);
    this.#receive = new Chain(RECEIVES[role], protocol, chains[RECEIVES[role]]);
  }

  /** Highest sequence sealed here; 0 before the first. */
  get sent(): number {
    return this.#send.last;
  }

  /** Highest sequence opened here; 0 before the first. */
  get received(): number {
    return this.#receive.last;
  }

  /** True once keys are wiped. */
  get dead(): boolean {
    return this.#dead;
  }

  /** Seals the next box. A resend is the caller's stored copy, never a second sealing. */
  seal(plaintext: Uint8Array): SealedBox {
    this.#alive();
    assertBytes(plaintext, 'plaintext');
    if (this.sent >= U32_MAX) throw fail(this.#protocol.codes.dead, 'the numbers are used up');
    return this.#send.seal(plaintext);
  }

  /**
   * Opens the next box. `sequence`, the wire's number if there was one, must be the next; another one throws the order
   * error and changes nothing. A box that does not open wipes the session and throws.
   */
  open(box: Uint8Array, sequence?: number): Uint8Array {
    this.#alive();
    this.#inTurn(sequence);
    const plaintext = this.#receive.open(box);
    if (plaintext === undefined) {
      this.wipe();
      throw fail(this.#protocol.codes.box, `box ${this.received + 1}`);
    }
    return plaintext;
  }

  /**
   * Opens box 1, or returns undefined without ending the session: before anything was received a box may be a
   * left-over of an earlier session. Throws the order error once a box has been received.
   */
  openFirst(box: Uint8Array): Uint8Array | undefined {
    this.#alive();
    this.#inTurn(1);
    return this.#receive.open(box);
  }

  /** Ends the session and wipes its keys. */
  wipe(): void {
    this.#dead = true;
    this.#send.wipe();
    this.#receive.wipe();
  }

  #alive(): void {
    if (this.#dead) throw fail(this.#protocol.codes.dead, 'the session has ended');
  }

  #inTurn(sequence: number | undefined): void {
    if (sequence !== undefined && sequence !== this.received + 1) {
      throw fail(this.#protocol.codes.order, `box ${sequence} instead of ${this.received + 1}`);
    }
  }
}

/** One direction: the key of the current epoch and the chain of the next. */
class Chain {
  readonly #direction: Direction;
  readonly #protocol: HandshakeProtocol;
  #chain: Uint8Array;
  #key: Uint8Array;
  #epoch = 0;
  last = 0;

  constructor(direction: Direction, protocol: HandshakeProtocol, chain: Uint8Array) {
    assertBytes(chain, `chain ${direction}`, 32);
    this.#direction = direction;
    this.#protocol = protocol;
    this.#chain = copyOf(chain);
    this.#key = this.#advance(0);
  }

  seal(plaintext: Uint8Array): SealedBox {
    const sequence = this.last + 1;
    const box = sealBox(this.#keyFor(sequence), this.#place(sequence), plaintext);
    this.last = sequence;
    return { sequence, box };
  }

  open(box: Uint8Array): Uint8Array | undefined {
    const sequence = this.last + 1;
    const plaintext = openBox(this.#keyFor(sequence), this.#place(sequence), box);
    if (plaintext !== undefined) this.last = sequence;
    return plaintext;
  }

  wipe(): void {
    wipe(this.#chain, this.#key);
  }

  #place(sequence: number): BoxPlace {
    const { boxPurpose, epochBoxes } = this.#protocol;
    return { direction: this.#direction, purpose: boxPurpose, sequence, epoch: epochOf(sequence, epochBoxes) };
  }

  #keyFor(sequence: number): Uint8Array {
    const epoch = epochOf(sequence, this.#protocol.epochBoxes);
    if (epoch !== this.#epoch) {
      wipe(this.#key);
      this.#key = this.#advance(epoch);
      this.#epoch = epoch;
    }
    return this.#key;
  }

  /** chain_e → box key of e; the chain itself becomes chain_e+1 and the old one is wiped. */
  #advance(epoch: number): Uint8Array {
    const key = deriveKey(this.#chain, KEY_LABELS.boxKey, u32le(epoch));
    const next = deriveKey(this.#chain, KEY_LABELS.nextChain, u32le(epoch));
    wipe(this.#chain);
    this.#chain = next;
    return key;
  }
}
