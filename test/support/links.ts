// Two ends of one in-memory link on the event queue: in order, with a delay, and with a place for an attacker.
import type { EventQueue } from '../../sim/event-queue.ts';
import type { Link } from '../../shared/ports.ts';

/** What an attacker on the wire makes of one message: nothing, the same, another one, several. */
export type Meddle = (message: Uint8Array, direction: 'a→b' | 'b→a') => readonly Uint8Array[];

export interface LinkPairOptions {
  readonly queue: EventQueue;
  /** One way, ms. */
  readonly delayMs?: number;
  readonly meddle?: Meddle;
  /** Sees every message as sent. */
  readonly tap?: (message: Uint8Array, direction: 'a→b' | 'b→a') => void;
}

class End implements Link {
  onMessage: (message: Uint8Array) => void = () => {};
  onClose: (code: number, reason: string) => void = () => {};
  readonly buffered = 0;
  readonly direction: 'a→b' | 'b→a';
  readonly #options: LinkPairOptions;
  #paused = false;
  readonly #held: (() => void)[] = [];
  closed = false;
  other!: End;

  constructor(direction: 'a→b' | 'b→a', options: LinkPairOptions) {
    this.direction = direction;
    this.#options = options;
  }
  send(message: Uint8Array): void {
    if (this.closed) return;
    const { queue, delayMs = 1, meddle, tap } = this.#options;
    tap?.(message, this.direction);
    for (const one of meddle?.(message.slice(), this.direction) ?? [message.slice()])
      queue.after(delayMs, () => this.other.#arrive(() => this.other.onMessage(one)));
  }
  pause(): void {
    this.#paused = true;
  }
  resume(): void {
    this.#paused = false;
    for (const deliver of this.#held.splice(0)) this.#arrive(deliver);
  }
  close(code: number, reason: string): void {
    if (this.closed) return;
    this.closed = true;
    this.#options.queue.after(this.#options.delayMs ?? 1, () => {
      if (!this.other.closed) {
        this.other.closed = true;
        this.other.onClose(code, reason);
      }
      this.onClose(code, reason);
    });
  }
  #arrive(deliver: () => void): void {
    if (this.closed) return;
    if (this.#paused) this.#held.push(deliver);
    else deliver();
  }
}

/** Returns the two ends. */
export function linkPair(options: LinkPairOptions): [Link, Link] {
  const a = new End('a→b', options);
  const b = new End('b→a', options);
  a.other = b;
  b.other = a;
  return [a, b];
}
