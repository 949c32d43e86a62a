// Two ends of a tunnel and a carrier between them that loses, repeats, delays and exchanges what it
// carries. Time is turned by hand.
import assert from 'node:assert/strict';
import { exchangeKeyPair, psk, type Psk } from '../../../shared/crypto/keys.ts';
import type { BlindflashError } from '../../../shared/errors/errors.ts';
import { silentLog } from '../../../shared/ports.ts';
import { AgentTunnel } from '../../../shared/tunnel/agent-tunnel.ts';
import { ControllerTunnel } from '../../../shared/tunnel/controller-tunnel.ts';
import { newInviteState, type InviteState, type SpentReason } from '../../../shared/tunnel/invite-state.ts';
import type { OwnMessage, TunnelMessage, TunnelSide } from '../../../shared/tunnel/messages.ts';
import { ManualClock } from '../../fixtures/manual-clock.ts';
import { seeded } from './support.ts';

export const keyPair = exchangeKeyPair('tunnel', seeded('tunnel key'));
export const publicInviteHash = new Uint8Array(64).fill(9);
export const inviteSecret = () => psk(new Uint8Array(32).fill(0x51));

/** What both kinds of end have in common: everything the owner was told. */
abstract class End {
  abstract readonly tunnel: AgentTunnel | ControllerTunnel;
  readonly messages: TunnelMessage[] = [];
  readonly failures: BlindflashError[] = [];
  drained = 0;
  onMessage: (message: TunnelMessage) => void = () => {};
  protected readonly common: {
    publicInviteHash: Uint8Array;
    clock: ManualClock;
    random: ReturnType<typeof seeded>;
    log: typeof silentLog;
  };

  constructor(clock: ManualClock, seed: string) {
    this.common = { publicInviteHash, clock, random: seeded(seed), log: silentLog };
  }

  /** Tunnels confirmed in this process. */
  abstract get tunnels(): number;

  get words(): number[] {
    return this.messages.map((message) =>
      message.name === 'CREDIT' ? message.upTo : message.name === 'FRAME' ? message.sequence : -1,
    );
  }

  protected get heard() {
    return {
      onMessage: (message: TunnelMessage) => {
        this.messages.push(message);
        this.onMessage(message);
      },
      onFailed: (error: BlindflashError) => void this.failures.push(error),
      onDrained: () => void this.drained++,
    };
  }
}

export class AgentEnd extends End {
  readonly tunnel: AgentTunnel;
  readonly codes: string[] = [];
  /** What is on disk, newest first. */
  disk: readonly Psk[];
  /** How often the disk was written. */
  writes = 0;
  onOpened: () => void = () => {};
  /** Called before a write takes effect. */
  onWrite: () => void = () => {};

  constructor(clock: ManualClock, seed: string, secrets: readonly Psk[]) {
    super(clock, seed);
    this.disk = secrets;
    this.tunnel = new AgentTunnel({
      ...this.common,
      controllerPublic: keyPair.publicKey,
      secrets,
      events: {
        ...this.heard,
        onOpened: ({ code }) => {
          this.codes.push(code);
          this.onOpened();
        },
        keepSecrets: (secrets) => {
          this.onWrite();
          this.writes++;
          this.disk = secrets.map((secret) => psk(secret));
        },
      },
    });
  }

  get tunnels(): number {
    return this.codes.length;
  }
}

export class ControllerEnd extends End {
  readonly tunnel: ControllerTunnel;
  /** Numbers of the tunnels confirmed. */
  readonly numbers: number[] = [];
  readonly spent: SpentReason[] = [];
  /** What is on disk. */
  disk: InviteState;
  /** Writes a state down; resolves when it is there. */
  keepsBy: (state: InviteState) => Promise<void> = () => Promise.resolve();

  constructor(clock: ManualClock, seed: string, state: InviteState) {
    super(clock, seed);
    this.disk = state;
    this.tunnel = new ControllerTunnel({
      ...this.common,
      keyPair,
      state,
      events: {
        ...this.heard,
        onOpened: ({ number }) => void this.numbers.push(number),
        keep: async (state) => {
          await this.keepsBy(state);
          this.disk = state;
        },
        onSpent: (why) => void this.spent.push(why),
      },
    });
  }

  get tunnels(): number {
    return this.numbers.length;
  }

  /**
   * The owner takes his time to store the way back (the counts he stores at once); returns what to call when he has.
   */
  slowDisk(): () => void {
    const before = this.disk.tunnels;
    let stored = (): void => {};
    const slow = new Promise<void>((resolve) => (stored = resolve));
    this.keepsBy = (state) => (state.tunnels === before ? Promise.resolve() : slow);
    return stored;
  }
}

/** What happens to one body on its way: copies to deliver, in this order, and when (steps later). */
export type Weather = (body: Uint8Array, from: TunnelSide, index: number) => number[];
export const fair: Weather = () => [0];

/** A relay that carries bodies between the ends that are attached, step by step. */
class Carrier {
  readonly carried: { from: TunnelSide; body: Uint8Array }[] = [];
  readonly #ends: { agent?: AgentEnd; controller?: ControllerEnd } = {};
  #queue: { due: number; to: TunnelSide; body: Uint8Array }[] = [];
  #step = 0;
  weather: Weather = fair;

  join(end: AgentEnd | ControllerEnd): void {
    const side = end instanceof AgentEnd ? 'agent' : 'controller';
    if (end instanceof AgentEnd) this.#ends.agent = end;
    else this.#ends.controller = end;
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
      const end = this.#ends[side];
      end?.tunnel.attachLink((body) => {
        if (this.#ends[side] === end) this.#carry(side, body);
      });
    }
  }

  /** Delivers until nothing is under way, and what waited for a disk has gone on. */
  async run(): Promise<void> {
    await stored();
    for (let guard = 0; this.#queue.length > 0; guard++) {
      assert.ok(guard < 200_000, 'the two ends never come to rest');
      this.#step++;
      const due = this.#queue.filter((item) => item.due <= this.#step);
      this.#queue = this.#queue.filter((item) => item.due > this.#step);
      for (const { to, body } of due) this.#ends[to]?.tunnel.receive(body);
      if (this.#queue.length === 0) await stored();
    }
  }

  inject(to: TunnelSide, body: Uint8Array): Promise<void> {
    this.#ends[to]?.tunnel.receive(body);
    return this.run();
  }

  #carry(from: TunnelSide, body: Uint8Array): void {
    const index = this.carried.push({ from, body: body.slice() }) - 1;
    const to = from === 'agent' ? 'controller' : 'agent';
    for (const delay of this.weather(body, from, index)) {
      this.#queue.push({ due: this.#step + 1 + delay, to, body: body.slice() });
    }
  }
}

/** Lets what waits for a disk that is quick go on. */
async function stored(): Promise<void> {
  for (let turn = 0; turn < 6; turn++) await Promise.resolve();
}

/** Both ends of an invite that is new unless told otherwise, not yet on the link. */
export function ends(disks: { agent?: readonly Psk[]; controller?: InviteState } = {}) {
  const clock = new ManualClock();
  const carrier = new Carrier();
  const agent = new AgentEnd(clock, 'agent', disks.agent ?? [inviteSecret()]);
  const controller = new ControllerEnd(clock, 'controller', disks.controller ?? newInviteState(inviteSecret()));
  return { clock, carrier, agent, controller };
}

export type Ends = ReturnType<typeof ends>;

export async function opened(all: Ends = ends()): Promise<Ends> {
  all.carrier.join(all.controller);
  all.carrier.join(all.agent);
  await all.carrier.run();
  return all;
}

/** Lets time and deliveries take turns. */
export async function settle(
  { clock, carrier }: Pick<Ends, 'clock' | 'carrier'>,
  ms: number,
  step = 50,
): Promise<void> {
  for (let t = 0; t < ms; t += step) {
    await carrier.run();
    clock.advanceNow(step);
  }
  await carrier.run();
}

export const credit = (upTo: number): OwnMessage => ({ name: 'CREDIT', upTo });
export const frame = (sequence: number): OwnMessage => ({
  name: 'FRAME',
  sequence,
  box: new Uint8Array(4064).fill(sequence),
});
export const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);
export const isTag = (tag: number) => (item: { body: Uint8Array }) => item.body[0] === tag;
