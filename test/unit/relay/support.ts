// What relay tests share: time that is advanced by hand, links that are two ends in memory,
// tickets made by node:crypto.
import { createPrivateKey, createPublicKey, sign, type KeyObject } from 'node:crypto';
import nacl from 'tweetnacl';
import type { Link } from '../../../shared/ports.ts';
import { fixedControl } from '../../../relay/control/fixed.ts';
import type { Control } from '../../../relay/control/control.ts';
import type { FindTenant } from '../../../relay/core/tenants.ts';

/** One end of a link in memory that delivers at once, without an event queue. */
export class MemoryLink implements Link {
  onClose: (code: number, reason: string) => void = () => {};
  /** While true, what this end sends stays in its queue: a slow network. */
  stuck = false;
  closedWith: number | undefined;
  paused = false;
  peer: MemoryLink | undefined;
  readonly #out: Uint8Array[] = [];
  readonly #in: Uint8Array[] = [];
  #onMessage: ((message: Uint8Array) => void) | undefined;

  get onMessage(): (message: Uint8Array) => void {
    return this.#onMessage ?? (() => {});
  }
  set onMessage(handler: (message: Uint8Array) => void) {
    this.#onMessage = handler;
    this.#deliver();
  }
  get buffered(): number {
    return this.#out.reduce((sum, { length }) => sum + length, 0);
  }
  get isClosed(): boolean {
    return this.closedWith !== undefined;
  }
  send(message: Uint8Array): void {
    if (this.isClosed) throw new Error('closed');
    this.#out.push(message);
    this.flush();
  }
  /** Moves queued messages to the other end, unless stuck; `limit` moves that many regardless. */
  flush(limit = this.stuck ? 0 : Infinity): void {
    for (const message of this.#out.splice(0, limit)) this.peer?.arrive(message);
  }
  arrive(message: Uint8Array): void {
    this.#in.push(message);
    this.#deliver();
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
    this.#deliver();
  }
  close(code: number): void {
    if (this.isClosed) return;
    this.closedWith = code;
    queueMicrotask(() => this.peer?.closedByPeer(code));
  }
  closedByPeer(code: number): void {
    if (this.isClosed) return;
    this.closedWith = code;
    this.onClose(code, '');
  }
  #deliver(): void {
    queueMicrotask(() => {
      while (this.#in.length > 0 && this.#onMessage !== undefined && !this.paused && !this.isClosed) {
        this.#onMessage(this.#in.shift()!);
      }
    });
  }
}

/** Two ends of one link. */
export function memoryLinkPair(): [MemoryLink, MemoryLink] {
  const [a, b] = [new MemoryLink(), new MemoryLink()];
  a.peer = b;
  b.peer = a;
  return [a, b];
}

/** An Ed25519 key pair from a one-byte seed, as node:crypto and as tweetnacl have it. */
export function keyPair(seed: number): { node: KeyObject; publicKey: Uint8Array; secretKey: Uint8Array } {
  const bytes = Buffer.alloc(32, seed);
  const node = createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), bytes]),
    format: 'der',
    type: 'pkcs8',
  });
  const spki = createPublicKey(node).export({ format: 'der', type: 'spki' });
  return {
    node,
    publicKey: new Uint8Array(spki.subarray(-32)),
    secretKey: nacl.sign.keyPair.fromSeed(new Uint8Array(bytes)).secretKey,
  };
}

export interface TicketParts {
  tenant?: number;
  room?: number;
  side?: number;
  expires?: bigint;
  cap?: number;
  holder?: number;
  relay?: string;
}

/**
 * A ticket spelled out byte by byte from docs/protocol.md §2 and signed by OpenSSL; numbers are seeds and fill bytes.
 */
export function handMadeTicket(parts: TicketParts = {}): Uint8Array {
  const { tenant = 1, room = 2, side = 1, expires = 1_790_000_600n, cap = 1024, holder = 7, relay = 'r.test' } = parts;
  const numbers = Buffer.alloc(12);
  numbers.writeBigUInt64LE(expires, 0);
  numbers.writeUInt32LE(cap, 8);
  const unsigned = Buffer.concat([
    Buffer.from('BFT2'),
    keyPair(tenant).publicKey,
    Buffer.alloc(16, room),
    Buffer.from([side]),
    Buffer.alloc(16, 0x1d),
    numbers,
    keyPair(holder).publicKey,
    Buffer.from([relay.length]),
    Buffer.from(relay),
  ]);
  const signature = sign(null, Buffer.concat([Buffer.from('blindflash/2 ticket\0'), unsigned]), keyPair(tenant).node);
  return new Uint8Array(Buffer.concat([unsigned, signature]));
}

/** Control whose tenants a test may change. */
export function changeableControl(findTenant: FindTenant): Control & { set(findTenant: FindTenant): void } {
  const control = { ...fixedControl(findTenant), set };
  function set(next: FindTenant): void {
    control.decisions = { findTenant: next };
    control.onChange();
  }
  return control;
}
