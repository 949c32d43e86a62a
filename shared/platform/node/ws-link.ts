// Edge: a Link (shared/ports.ts) over a WebSocket of `ws`, client or server end. Spec: docs/protocol.md §1.
import { WebSocket } from 'ws';
import { fail } from '../../errors/errors.ts';
import type { Clock, Link } from '../../ports.ts';
import { CLOSE, closeWith, type CloseName } from '../../link/close.ts';
import { LINK } from '../../link/limits.ts';

/** Options every socket of ours is made with, at either end. */
export const SOCKET_OPTIONS = { maxPayload: LINK.messageBytes, perMessageDeflate: false } as const;

/** After our close frame the other end has this long to answer before the connection is cut. Milliseconds. */
const FAREWELL_MS = 4000;

/** Codes by which `ws` says that the other end gave none: an empty close frame, or none at all. */
const NO_CODE: ReadonlySet<number> = new Set([1005, 1006]);

/** What `ws` complains about in received traffic, as a close reason. */
function complaint(kind: string): CloseName {
  if (kind === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') return 'tooLarge';
  return kind.startsWith('WS_ERR') ? 'badWebSocket' : 'lost';
}

/**
 * An open WebSocket as a Link. Messages wait unread until `onMessage` is assigned. `onClose` is called once, however
 * the link ends; with what the other end said, or else with our own reason.
 */
export function linkOverSocket(socket: WebSocket, clock: Clock): Link {
  return new WsLink(socket, clock);
}

class WsLink implements Link {
  onClose: (code: number, reason: string) => void = () => {};
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  #onMessage: (message: Uint8Array) => void = () => {};
  #attached = false;
  #paused = false;
  #ended = false;
  /** Why we ended it; counts when the other end gives no reason. */
  #ours: { readonly code: number; readonly say: string } | undefined;
  #lastHeard: number;
  #cancelPing: () => void = () => {};
  #cancelFarewell: () => void = () => {};

  constructor(socket: WebSocket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    this.#lastHeard = clock.now();
    this.#applyPause();
    this.#schedulePing();
    const heard = (): void => void (this.#lastHeard = clock.now());
    socket.on('ping', heard);
    socket.on('pong', heard);
    socket.on('message', (data, isBinary) => {
      heard();
      this.#receive(data, isBinary);
    });
    socket.on('error', (error) => {
      this.#ours ??= CLOSE[complaint(errno(error))];
    });
    socket.once('close', (code, reason) => this.#closed(code, reason.toString()));
  }

  get onMessage(): (message: Uint8Array) => void {
    return this.#onMessage;
  }

  set onMessage(handler: (message: Uint8Array) => void) {
    this.#onMessage = handler;
    this.#attached = true;
    this.#applyPause();
  }

  get buffered(): number {
    return this.#socket.bufferedAmount;
  }

  send(message: Uint8Array): void {
    if (this.#ended || this.#socket.readyState !== WebSocket.OPEN) throw fail('BF-LINK-CLOSED');
    this.#socket.send(message, { binary: true, compress: false });
  }

  pause(): void {
    this.#paused = true;
    this.#applyPause();
  }

  resume(): void {
    this.#paused = false;
    this.#lastHeard = this.#clock.now();
    this.#applyPause();
  }

  close(code: number, reason: string): void {
    if (this.#ended || this.#socket.readyState >= WebSocket.CLOSING) return;
    // A paused socket would never read the other end's farewell.
    this.#paused = false;
    this.#attached = true;
    this.#onMessage = () => {};
    this.#applyPause();
    this.#ours ??= { code, say: reason };
    this.#socket.close(code, reason);
    this.#cancelFarewell = this.#clock.after(FAREWELL_MS, () => this.#socket.terminate());
  }

  #receive(data: unknown, isBinary: boolean): void {
    if (!isBinary) closeWith(this, 'text');
    else if (Buffer.isBuffer(data)) this.#onMessage(new Uint8Array(data.buffer, data.byteOffset, data.length));
  }

  #applyPause(): void {
    if (this.#paused || !this.#attached) this.#socket.pause();
    else this.#socket.resume();
  }

  #schedulePing(): void {
    this.#cancelPing = this.#clock.after(LINK.pingMs, () => {
      if (!this.#paused && this.#clock.now() - this.#lastHeard >= LINK.silentMs) {
        this.#ours ??= CLOSE.silent;
        this.#socket.terminate();
        return;
      }
      if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
      this.#schedulePing();
    });
  }

  #closed(code: number, reason: string): void {
    this.#ended = true;
    this.#cancelPing();
    this.#cancelFarewell();
    const known = NO_CODE.has(code) ? this.#ours : undefined;
    this.onClose(known?.code ?? code, known?.say ?? reason);
  }
}

/** Node's or `ws`'s name of an error; empty without one. */
export function errno(error: Error): string {
  return 'code' in error ? String(error.code) : '';
}
