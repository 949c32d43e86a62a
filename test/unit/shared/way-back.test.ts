// The way back against crashes (docs/protocol.md §4): whichever process dies before or after whichever write or
// message, and however late a T3 arrives, the two ends find each other again, and nobody is taken for a second holder.
// The real classes, time turned by hand.
import assert from 'node:assert/strict';
import { exchangeKeyPair, psk, type Psk } from '../../../shared/crypto/keys.ts';
import { silentLog } from '../../../shared/ports.ts';
import { AgentTunnel } from '../../../shared/tunnel/agent-tunnel.ts';
import { ControllerTunnel } from '../../../shared/tunnel/controller-tunnel.ts';
import { newInviteState, type InviteState, type SpentReason } from '../../../shared/tunnel/invite-state.ts';
import { ManualClock } from '../../fixtures/manual-clock.ts';
import { seeded } from './support.ts';

type Side = 'agent' | 'controller';
/** A process dies at its `at`-th write or message, before it takes effect or right after. */
interface Crash {
  readonly side: Side;
  readonly kind: 'write' | 'send';
  readonly at: number;
  readonly when: 'before' | 'after';
}

const keyPair = exchangeKeyPair('tunnel', seeded('way back'));
const publicInviteHash = new Uint8Array(64).fill(3);
const secret = (): Psk => psk(new Uint8Array(32).fill(0x77));

/** Both ends with what they have on disk, on a link that keeps order. */
class Pair {
  readonly clock = new ManualClock();
  readonly spent: SpentReason[] = [];
  readonly failures: string[] = [];
  agent: AgentTunnel | undefined;
  controller: ControllerTunnel | undefined;
  agentDisk: readonly Psk[] = [secret()];
  controllerDisk: InviteState = newInviteState(secret());
  tunnels = 0;
  #random = 0;
  #crashes: Crash[];
  readonly #counts = { agent: { write: 0, send: 0 }, controller: { write: 0, send: 0 } };
  #queue: { to: Side; body: Uint8Array }[] = [];
  /** T3 held back once, to be delivered behind whatever comes next. */
  holdT3 = false;
  #held: Uint8Array | undefined;

  constructor(crashes: readonly Crash[] = []) {
    this.#crashes = [...crashes];
  }

  get crashesLeft(): number {
    return this.#crashes.length;
  }

  start(side: Side): void {
    if (side === 'agent') this.agent = this.#newAgent();
    else this.controller = this.#newController();
    this.relink();
  }

  /** Both sides hear that the other is there. */
  relink(): void {
    this.#queue = [];
    for (const side of ['controller', 'agent'] as const) this.#end(side)?.linkLost();
    if (this.agent === undefined || this.controller === undefined) return;
    for (const side of ['controller', 'agent'] as const) {
      const end = this.#end(side);
      end?.attachLink((body) => {
        if (this.#end(side) === end) this.#carry(side, body);
      });
    }
  }

  /** Delivers until nothing is under way; what has died is started again. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 400; turn++) {
      await Promise.resolve();
      await Promise.resolve();
      const item = this.#queue.shift();
      if (item !== undefined) this.#end(item.to)?.receive(item.body);
      else if (this.agent === undefined) this.start('agent');
      else if (this.controller === undefined) this.start('controller');
      else if (turn > 8) return;
    }
    throw new Error('the two never come to rest');
  }

  /** Time passes in steps, with everything delivered in between. */
  async pass(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      this.clock.advanceNow(1000);
      await this.settle();
    }
  }

  release(): void {
    if (this.#held !== undefined) this.#queue.push({ to: 'controller', body: this.#held });
    this.#held = undefined;
    this.holdT3 = false;
  }

  /** True when the two talk: a message each way arrives. */
  async talks(): Promise<boolean> {
    const before = this.#heard;
    try {
      this.agent!.send({ name: 'CREDIT', upTo: 1 });
      this.controller!.send({ name: 'RESTART' });
    } catch {
      return false;
    }
    await this.pass(1);
    return this.#heard >= before + 2;
  }

  #heard = 0;

  #end(side: Side): AgentTunnel | ControllerTunnel | undefined {
    return side === 'agent' ? this.agent : this.controller;
  }

  #common(side: Side) {
    const random = seeded(`${side} ${this.#random++}`);
    return { publicInviteHash, clock: this.clock, random, log: silentLog };
  }

  #newAgent(): AgentTunnel {
    const agent: AgentTunnel = new AgentTunnel({
      ...this.#common('agent'),
      controllerPublic: keyPair.publicKey,
      secrets: this.agentDisk,
      events: {
        onOpened: () => void this.tunnels++,
        onMessage: () => void this.#heard++,
        onFailed: (error) => {
          if (this.agent === agent) this.failures.push(`agent ${error.code}`);
        },
        keepSecrets: (secrets) => {
          this.#point('agent', 'write', () => (this.agentDisk = secrets.map((one) => psk(one))));
          if (this.agent !== agent) throw new Error('dead');
        },
      },
    });
    return agent;
  }

  #newController(): ControllerTunnel {
    const controller: ControllerTunnel = new ControllerTunnel({
      ...this.#common('controller'),
      keyPair,
      state: this.controllerDisk,
      events: {
        onOpened: () => {},
        onMessage: () => void this.#heard++,
        onFailed: (error) => {
          if (this.controller === controller) this.failures.push(`controller ${error.code}`);
        },
        keep: (state) => {
          this.#point('controller', 'write', () => (this.controllerDisk = state));
          return this.controller === controller ? Promise.resolve() : new Promise(() => {});
        },
        onSpent: (why) => void this.spent.push(why),
      },
    });
    return controller;
  }

  #carry(from: Side, body: Uint8Array): void {
    const copy = body.slice();
    if (this.holdT3 && copy[0] === 3) {
      this.#held = copy;
      this.holdT3 = false;
      return;
    }
    this.#point(from, 'send', () => this.#queue.push({ to: from === 'agent' ? 'controller' : 'agent', body: copy }));
  }

  /** One write or message of a side: the place where it may die. */
  #point(side: Side, kind: Crash['kind'], effect: () => unknown): void {
    const count = ++this.#counts[side][kind];
    const crash = this.#crashes.find((one) => one.side === side && one.kind === kind && one.at === count);
    if (crash?.when !== 'before') effect();
    if (crash === undefined) return;
    this.#crashes = this.#crashes.filter((one) => one !== crash);
    this.kill(side);
  }

  /** The process is gone; what it had sent still arrives. */
  kill(side: Side): void {
    if (side === 'agent') this.agent = undefined;
    else this.controller = undefined;
    for (const other of ['agent', 'controller'] as const) this.#end(other)?.linkLost();
    this.#queue = this.#queue.filter(({ to }) => to !== side);
  }
}

async function course(pair: Pair): Promise<void> {
  pair.start('controller');
  pair.start('agent');
  await pair.pass(10);
  for (let round = 0; round < 2; round++) {
    pair.kill('agent');
    await pair.pass(8);
    await pair.talks();
    pair.kill('controller');
    await pair.pass(12);
    await pair.talks();
  }
  await pair.pass(30);
}

async function requireWhole(pair: Pair, about: string): Promise<void> {
  let talks = false;
  // The crash may lie in this very exchange: then the next one has to work.
  for (let attempt = 0; attempt < 3 && !talks; attempt++) {
    talks = await pair.talks();
    if (!talks) await pair.pass(20);
  }
  assert.deepEqual(pair.spent, [], `${about}: spent`);
  assert.ok(talks, `${about}: the two do not talk (${pair.failures.join(', ')})`);
}

describe('the way back', () => {
  it('is replaced in every tunnel, on both disks alike', async () => {
    const pair = new Pair();
    await course(pair);
    await requireWhole(pair, 'no crash');
    assert.ok(pair.tunnels >= 3, `${pair.tunnels} tunnels`);
    assert.equal(pair.agentDisk.length, 1);
    assert.deepEqual(pair.agentDisk[0], pair.controllerDisk.secret);
    assert.ok(pair.controllerDisk.replaced.length === pair.controllerDisk.tunnels);
    assert.ok(pair.controllerDisk.replaced.some(({ armed }) => armed));
  });

  for (const side of ['agent', 'controller'] as const) {
    it(`one crash of the ${side} before or after any of its writes and messages locks nobody out and alarms nobody`, async () => {
      let reached = 0;
      for (const kind of ['write', 'send'] as const) {
        for (const when of ['before', 'after'] as const) {
          for (let at = 1; at <= (kind === 'write' ? 10 : 24); at++) {
            const pair = new Pair([{ side, kind, at, when }]);
            await course(pair);
            reached += pair.crashesLeft === 0 ? 1 : 0;
            await requireWhole(pair, `${side} dies ${when} ${kind} ${at}`);
          }
        }
      }
      assert.ok(reached > 40, `${reached} crashes took place`);
    });
  }

  it('two crashes, one of each side, in all combinations around the first tunnels', async () => {
    const points = (side: Side): Crash[] =>
      (['write', 'send'] as const).flatMap((kind) =>
        (['before', 'after'] as const).flatMap((when) => [1, 2, 3, 4].map((at): Crash => ({ side, kind, at, when }))),
      );
    for (const first of points('agent')) {
      for (const second of points('controller')) {
        const pair = new Pair([first, second]);
        await course(pair);
        await requireWhole(pair, `${JSON.stringify(first)} ${JSON.stringify(second)}`);
      }
    }
  });

  it('a T3 that arrives behind a newer T1 confirms nothing and harms nothing', async () => {
    const pair = new Pair();
    pair.start('controller');
    pair.holdT3 = true;
    pair.start('agent');
    await pair.pass(2);
    assert.equal(pair.controllerDisk.tunnels, 0);
    pair.kill('agent');
    await pair.pass(1);
    pair.release();
    await pair.pass(20);
    await requireWhole(pair, 'late T3');
  });
});
