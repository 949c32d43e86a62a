// Edge: a Link (shared/ports.ts) over a browser's WebSocket (WHATWG WebSockets Standard), the client end only. Spec:
// docs/protocol.md §1. What a browser does not give: it answers the relay's pings unseen and sends none, so a
// way that died in silence is noticed by the relay and the system only; it does not stop reading, so what comes
// while paused is kept here. Nothing in this tree dials with it: the relay here refuses every browser (protocol.md §1),
// so a page needs a relay that lets its origin in.
import { fail } from '../../errors/errors.ts';
import { CLOSE, closeWith } from '../../link/close.ts';
import { LINK, RECONNECT } from '../../link/limits.ts';
import { relayNameOf } from '../../link/ticket.ts';
import type { Clock, Link } from '../../ports.ts';

/** What is used of a browser's WebSocket. */
export interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  /** 0 connecting, 1 open, 2 closing, 3 closed. */
  readonly readyState: number;
  /** The subprotocol the server chose; empty for none. */
  readonly protocol: string;
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  send(data: Uint8Array): void;
  close(code?: number, reason?: string): void;
}

/** `(url, protocol) => new WebSocket(url, protocol)` in a browser. */
export type OpenWebSocket = (url: string, protocol: string) => WebSocketLike;

const OPEN = 1;
const CLOSING = 2;

/** Bytes kept while the reader is paused; more than the tunnel lets be under way, so only a broken relay sends it. */
const MOST_KEPT_BYTES = 16 * 1024 * 1024;

/** Codes by which a browser says that the other end gave none (RFC 6455 §7.4.1). */
const NO_CODE: readonly number[] = [1005, 1006];

/**
 * An open WebSocket as a Link. Messages wait until `onMessage` is assigned; `onClose` is called once, however it ends.
 */
export function linkOverWebSocket(socket: WebSocketLike): Link {
  return new WebSocketLink(socket);
}

class WebSocketLink implements Link {
  onClose: (code: number, reason: string) => void = () => {};
  readonly #socket: WebSocketLike;
  #onMessage: ((message: Uint8Array) => void) | undefined;
  #paused = false;
  #ended = false;
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  /** Why we ended it; counts when the other end gives no reason. */
  #ours: { readonly code: number; readonly say: string } | undefined;

  constructor(socket: WebSocketLike) {
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = null;
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code, reason }) => this.#closed(code, reason);
  }

  get onMessage(): (message: Uint8Array) => void {
    return this.#onMessage ?? (() => {});
  }

  set onMessage(handler: (message: Uint8Array) => void) {
    this.#onMessage = handler;
    this.#deliver();
  }

  get buffered(): number {
    return this.#socket.bufferedAmount;
  }

  send(message: Uint8Array): void {
    if (this.#ended || this.#socket.readyState !== OPEN) throw fail('BF-LINK-CLOSED');
    this.#socket.send(message);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#deliver();
  }

  close(code: number, reason: string): void {
    if (this.#ended || this.#socket.readyState >= CLOSING) return;
    this.#kept = [];
    this.#onMessage = () => {};
    this.#ours ??= { code, say: reason };
    // A page may say 1000 and 3000 to 4999 and nothing else.
    if (code === CLOSE.done.code || code >= 3000) this.#socket.close(code, reason);
    else this.#socket.close(CLOSE.garbage.code, reason);
  }

  #receive(data: unknown): void {
    if (!(data instanceof ArrayBuffer)) return closeWith(this, 'text');
    if (data.byteLength > LINK.messageBytes || this.#keptBytes + data.byteLength > MOST_KEPT_BYTES) {
      return closeWith(this, 'tooLarge');
    }
    this.#kept.push(new Uint8Array(data));
    this.#keptBytes += data.byteLength;
    this.#deliver();
  }

  #deliver(): void {
    while (!this.#paused && this.#onMessage !== undefined && this.#kept.length > 0) {
      const message = this.#kept.shift() as Uint8Array;
      this.#keptBytes -= message.length;
      this.#onMessage(message);
    }
  }

  #closed(code: number, reason: string): void {
    this.#ended = true;
    const known = NO_CODE.includes(code) ? this.#ours : undefined;
    this.onClose(known?.code ?? code, known?.say ?? reason);
  }
}

/**
 * Dials a relay from a page. A browser does not say why a connection could not be made.
 * @throws (rejects) BF-RELAY-ADDRESS, BF-RELAY-UNREACHABLE, BF-RELAY-PROTOCOL for a server that does not speak our
 *   subprotocol, BF-LINK-TIMEOUT.
 */
export async function dialRelay(url: string, clock: Clock, open: OpenWebSocket): Promise<Link> {
  const host = relayNameOf(url);
  const socket = open(new URL(LINK.path, url).href, LINK.subprotocol);
  return new Promise((resolve, reject) => {
    const giveUp = (error: Error): void => {
      cancel();
      socket.onopen = socket.onclose = null;
      socket.close();
      reject(error);
    };
    const cancel = clock.after(RECONNECT.welcomeMs, () => giveUp(fail('BF-LINK-TIMEOUT', host)));
    socket.onclose = () => giveUp(fail('BF-RELAY-UNREACHABLE', host));
    socket.onopen = () => {
      if (socket.protocol !== LINK.subprotocol) return giveUp(fail('BF-RELAY-PROTOCOL', `${host}: ${socket.protocol}`));
      cancel();
      resolve(linkOverWebSocket(socket));
    };
  });
}
