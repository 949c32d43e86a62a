// Two ends of a tunnel and a carrier between them that loses, repeats, delays and exchanges what it carries. Time is turned by hand.
import { ManualClock } from '../../fixtures/manual-clock.ts';
import assert from 'node:assert/strict';
import { exchangeKeyPair, psk, type Psk } from '../../../shared/crypto/keys.ts';
import type { BlindflashError } from '../../../shared/errors/errors.ts';
import { silentLog } from '../../../shared/ports.ts';
import type { TunnelMessage, TunnelSide } from '../../../shared/tunnel/messages.ts';
import { Tunnel, type TunnelConfirmed, type TunnelEvents } from '../../../shared/tunnel/tunnel.ts';
import { seeded } from './support.ts';

const keyPair = exchangeKeyPair('tunnel', seeded('tunnel key'));
const publicInviteHash = new Uint8Array(64).fill(9);
export const inviteSecret = () => psk(new Uint8Array(32).fill(0x51));

/** One end with everything it was told. */
export class End {
  readonly tunnel: Tunnel;
  readonly confirmed: TunnelConfirmed[] = [];
  readonly messages: TunnelMessage[] = [];
  readonly failures: BlindflashError[] = [];
  readonly refusals: BlindflashError[] = [];
  drained = 0;
  onMessage: (message: TunnelMessage) => void = () => {};
  onConfirmed: () => void = () => {};
  readonly #events: TunnelEvents;

  constructor(role: TunnelSide, clock: ManualClock, seed: string, secrets: { invite?: Psk; resume?: Psk }) {
    this.#events = {
      onConfirmed: (confirmed: TunnelConfirmed) => {
        this.confirmed.push(confirmed);
        this.onConfirmed();
      },
      onMessage: (message: TunnelMessage) => {
        this.messages.push(message);
        this.onMessage(message);
      },
      onFailed: (error: BlindflashError) => void this.failures.push(error),
      onDrained: () => void this.drained++,
      onSecondUse: (error: BlindflashError) => void this.refusals.push(error),
    };
    const common = {
      publicInviteHash,
      inviteSecret: secrets.invite,
      resumeSecret: secrets.resume,
      clock,
      random: seeded(seed),
      log: silentLog,
      events: this.#events,
    };
    this.tunnel =
      role === 'agent'
        ? new Tunnel({ role, controllerPublic: keyPair.publicKey, ...common })
        : new Tunnel({ role, keyPair, ...common });
  }

  /** This end's owner takes his time to store what he is told; returns what to call when he has. */
  slowDisk(): () => void {
    let stored = (): void => {};
    this.keepsBy(() => new Promise((resolve) => (stored = resolve)));
    return () => stored();
  }

  keepsBy(kept: () => Promise<void>): void {
    this.#events.kept = kept;
  }

  get words(): number[] {
    return this.messages.map((message) =>
      message.name === 'CREDIT' ? message.upTo : message.name === 'FRAME' ? message.sequence : -1,
    );
  }
}

/** What happens to one body on its way: copies to deliver, in this order, and when (steps later). */
export type Weather = (body: Uint8Array, from: TunnelSide, index: number) => number[];
export const fair: Weather = () => [0];

/** A relay that carries bodies between the ends that are attached, step by step. */
class Carrier {
  readonly carried: { from: TunnelSide; body: Uint8Array }[] = [];
  readonly #ends: Partial<Record<TunnelSide, End>> = {};
  #queue: { due: number; to: TunnelSide; body: Uint8Array }[] = [];
  #step = 0;
  weather: Weather = fair;

  join(side: TunnelSide, end: End): void {
    this.#ends[side] = end;
    this.#queue = this.#queue.filter((item) => item.to !== side);
    if (this.#ends.agent !== undefined && this.#ends.controller !== undefined) this.relink();
  }

  leave(side: TunnelSide): void {
    for (const end of Object.values(this.#ends)) end.tunnel.linkLost();
    delete this.#ends[side];
    this.#queue = [];
  }

  /** PEER(1) on both sides. */
  relink(): void {
    for (const side of ['controller', 'agent'] as const) {
      this.#ends[side]?.tunnel.attachLink((body) => this.#carry(side, body));
    }
  }

  /** Delivers until nothing is under way. */
  run(): void {
    for (let guard = 0; this.#queue.length > 0; guard++) {
      assert.ok(guard < 200_000, 'the two ends never come to rest');
      this.#step++;
      const due = this.#queue.filter((item) => item.due <= this.#step);
      this.#queue = this.#queue.filter((item) => item.due > this.#step);
      for (const { to, body } of due) this.#ends[to]?.tunnel.receive(body);
    }
  }

  inject(to: TunnelSide, body: Uint8Array): void {
    this.#ends[to]?.tunnel.receive(body);
    this.run();
  }

  #carry(from: TunnelSide, body: Uint8Array): void {
    const index = this.carried.push({ from, body: body.slice() }) - 1;
    const to = from === 'agent' ? 'controller' : 'agent';
    for (const delay of this.weather(body, from, index)) {
      this.#queue.push({ due: this.#step + 1 + delay, to, body: body.slice() });
    }
  }
}

export function ends(
  secrets: { agent?: { invite?: Psk; resume?: Psk }; controller?: { invite?: Psk; resume?: Psk } } = {},
) {
  const clock = new ManualClock(1_700_000_000_000);
  const carrier = new Carrier();
  const agent = new End('agent', clock, 'agent', secrets.agent ?? { invite: inviteSecret() });
  const controller = new End('controller', clock, 'controller', secrets.controller ?? { invite: inviteSecret() });
  return { clock, carrier, agent, controller };
}

export function opened() {
  const all = ends();
  all.carrier.join('controller', all.controller);
  all.carrier.join('agent', all.agent);
  all.carrier.run();
  return all;
}

/** Lets time and deliveries take turns. */
export function settle({ clock, carrier }: { clock: ManualClock; carrier: Carrier }, ms: number, step = 50): void {
  for (let t = 0; t < ms; t += step) {
    carrier.run();
    clock.advanceNow(step);
  }
  carrier.run();
}

export const credit = (upTo: number): TunnelMessage => ({ name: 'CREDIT', upTo });
export const frame = (sequence: number): TunnelMessage => ({
  name: 'FRAME',
  sequence,
  box: new Uint8Array(4064).fill(sequence),
});
export const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);
export const isTag = (tag: number) => (item: { body: Uint8Array }) => item.body[0] === tag;
