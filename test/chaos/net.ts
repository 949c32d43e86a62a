// The network of a chaos run: links with latency, bandwidth and stalls (a lost segment holds back all that follows),
// that break at once or without a word; and a relay that can be stopped, killed and started again.
import type { Relay } from '../../relay/core/relay.ts';
import { fail } from '../../shared/errors/errors.ts';
import type { Link } from '../../shared/ports.ts';
import { LINK } from '../../shared/link/limits.ts';
import type { SideName } from '../../shared/link/ticket.ts';
import type { EventQueue } from '../../sim/event-queue.ts';
import type { Dice } from './dice.ts';

const LOST = 1006;

export interface Weather {
  /** One way, ms. */
  readonly delayMs: number;
  readonly jitterMs: number;
  /** One message in so many is held up, with all that follow, by up to `stallMs`. 0: never. */
  readonly stallOneIn: number;
  readonly stallMs: number;
  readonly bytesPerMs: number;
}

/**
 * What somebody on the way makes of a message: what arrives, each with its extra delay; out of order if it is not 0.
 */
export type Attacker = (
  message: Uint8Array,
  direction: Direction,
) => readonly { readonly message: Uint8Array; readonly delayMs: number }[];
export interface Direction {
  readonly side: SideName;
  readonly toRelay: boolean;
}

class End implements Link {
  onMessage: (message: Uint8Array) => void = () => {};
  onClose: (code: number, reason: string) => void = () => {};
  open = true;
  other!: End;
  readonly direction: Direction;
  readonly #net: Net;
  #paused = false;
  #held: Uint8Array[] = [];
  #sentUntilNs = 0;
  #arrivedUntilNs = 0;
  /** Nothing gets through any more, and nobody has noticed. */
  dark = false;

  constructor(net: Net, direction: Direction) {
    this.#net = net;
    this.direction = direction;
  }

  get buffered(): number {
    return Math.max(0, ((this.#sentUntilNs - this.#net.queue.nowNs) / 1e6) * this.#net.weather.bytesPerMs);
  }

  send(message: Uint8Array): void {
    if (!this.open) throw fail('BF-LINK-CLOSED');
    const net = this.#net;
    net.onSent(message, this.direction);
    const { delayMs, jitterMs, stallOneIn, stallMs, bytesPerMs } = net.weather;
    const { queue, dice } = net;
    this.#sentUntilNs = Math.max(this.#sentUntilNs, queue.nowNs) + (message.length / bytesPerMs) * 1e6;
    const stalled = stallOneIn > 0 && dice.oneIn(stallOneIn) ? dice.int(stallMs) : 0;
    const late = delayMs + stalled + (jitterMs > 0 ? dice.int(jitterMs) : 0);
    const at = Math.max(this.#arrivedUntilNs, this.#sentUntilNs + late * 1e6);
    this.#arrivedUntilNs = at;
    for (const one of net.attack(message.slice(), this.direction)) {
      net.inFlight += one.message.length;
      net.mostInFlight = Math.max(net.mostInFlight, net.inFlight);
      queue.at(at + one.delayMs * 1e6, () => {
        net.inFlight -= one.message.length;
        if (!this.dark) this.other.arrive(one.message);
      });
    }
  }

  arrive(message: Uint8Array): void {
    if (!this.open) return;
    if (this.#paused) this.#held.push(message);
    else this.onMessage(message);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    for (const message of this.#held.splice(0)) this.arrive(message);
  }

  close(code: number, reason: string): void {
    if (!this.open) return;
    this.open = false;
    const { queue, weather } = this.#net;
    this.#net.forget(this);
    queue.at(Math.max(this.#arrivedUntilNs, queue.nowNs + weather.delayMs * 1e6), () => {
      if (!this.dark) this.other.closed(code, reason);
    });
    queue.at(queue.nowNs, () => this.onClose(code, reason));
  }

  closed(code: number, reason: string): void {
    if (!this.open) return;
    this.open = false;
    this.#net.forget(this);
    this.onClose(code, reason);
  }

  /** The ping that is not answered. */
  notice(afterMs: number): void {
    this.#net.queue.after(afterMs, () => this.closed(LOST, 'silent'));
  }
}

export interface NetOptions {
  readonly queue: EventQueue;
  readonly weather: Weather;
  readonly dice: Dice;
  readonly makeRelay: () => Relay;
}

export class Net {
  readonly queue: EventQueue;
  readonly dice: Dice;
  weather: Weather;
  attack: Attacker = (message) => [{ message, delayMs: 0 }];
  /** Sees every message as sent. */
  onSent: (message: Uint8Array, direction: Direction) => void = () => {};
  inFlight = 0;
  mostInFlight = 0;
  readonly #makeRelay: () => Relay;
  #relay: Relay | undefined;
  readonly #ends = new Set<End>();

  constructor({ queue, weather, dice, makeRelay }: NetOptions) {
    this.queue = queue;
    this.weather = weather;
    this.dice = dice;
    this.#makeRelay = makeRelay;
    this.#relay = makeRelay();
  }

  /** Opens a link to the relay. */
  dial(side: SideName): Promise<Link> {
    const relay = this.#relay;
    return new Promise((resolve, reject) => {
      this.queue.after(2 * this.weather.delayMs, () => {
        if (relay === undefined || relay !== this.#relay) return reject(fail('BF-RELAY-UNREACHABLE'));
        const near = new End(this, { side, toRelay: true });
        const far = new End(this, { side, toRelay: false });
        near.other = far;
        far.other = near;
        this.#ends.add(near).add(far);
        relay.accept(far);
        resolve(near);
      });
    });
  }

  /** The links of one side break: both ends hear of it at once, or each when its pings stay unanswered. */
  breakLinks(side: SideName, silently: boolean): void {
    for (const end of [...this.#ends].filter(({ direction }) => direction.side === side)) {
      if (silently) {
        end.dark = true;
        end.notice(this.dice.between(1000, LINK.silentMs));
      } else {
        end.closed(LOST, 'broken');
      }
    }
  }

  /** Stops the relay in order, or kills it. */
  stopRelay(inOrder: boolean): void {
    const relay = this.#relay;
    this.#relay = undefined;
    if (inOrder) relay?.stop();
    else for (const end of [...this.#ends]) end.closed(LOST, 'relay gone');
  }

  startRelay(): void {
    this.#relay ??= this.#makeRelay();
  }

  forget(end: End): void {
    this.#ends.delete(end);
  }
}
