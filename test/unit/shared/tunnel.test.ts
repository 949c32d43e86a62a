// The tunnel over networks that lose, repeat, delay and exchange what they carry, and against whoever replays T1
// (docs/protocol.md §4, §6, §11). Time is turned by hand.
import assert from 'node:assert/strict';
import { exchangeKeyPair, psk, type Psk } from '../../../shared/crypto/keys.ts';
import type { BlindflashError } from '../../../shared/errors/errors.ts';
import { silentLog } from '../../../shared/ports.ts';
import type { TunnelMessage, TunnelSide } from '../../../shared/tunnel/messages.ts';
import { Tunnel, type TunnelConfirmed, type TunnelEvents } from '../../../shared/tunnel/tunnel.ts';
import { ManualClock, refuses, seeded } from './support.ts';

const keyPair = exchangeKeyPair('tunnel', seeded('tunnel key'));
const publicInviteHash = new Uint8Array(64).fill(9);
const inviteSecret = () => psk(new Uint8Array(32).fill(0x51));

/** One end with everything it was told. */
class End {
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
type Weather = (body: Uint8Array, from: TunnelSide, index: number) => number[];
const fair: Weather = () => [0];

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

function bench(secrets: { agent?: { invite?: Psk; resume?: Psk }; controller?: { invite?: Psk; resume?: Psk } } = {}) {
  const clock = new ManualClock();
  const carrier = new Carrier();
  const agent = new End('agent', clock, 'agent', secrets.agent ?? { invite: inviteSecret() });
  const controller = new End('controller', clock, 'controller', secrets.controller ?? { invite: inviteSecret() });
  return { clock, carrier, agent, controller };
}

function opened() {
  const all = bench();
  all.carrier.join('controller', all.controller);
  all.carrier.join('agent', all.agent);
  all.carrier.run();
  return all;
}

/** Lets time and deliveries take turns. */
function settle({ clock, carrier }: { clock: ManualClock; carrier: Carrier }, ms: number, step = 50): void {
  for (let t = 0; t < ms; t += step) {
    carrier.run();
    clock.advance(step);
  }
  carrier.run();
}

const credit = (upTo: number): TunnelMessage => ({ name: 'CREDIT', upTo });
const frame = (sequence: number): TunnelMessage => ({
  name: 'FRAME',
  sequence,
  box: new Uint8Array(4064).fill(sequence),
});
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);
const isTag = (tag: number) => (item: { body: Uint8Array }) => item.body[0] === tag;

describe('tunnel: opening', () => {
  it('opens by the invite; both ends show the same code and keep the same resume secret', () => {
    const { agent, controller } = opened();
    assert.equal(agent.confirmed.length, 1);
    assert.deepEqual(agent.confirmed, controller.confirmed);
    assert.match(agent.confirmed[0].code, /^[0-9A-HJKMNP-TV-Z]{3}-[0-9A-HJKMNP-TV-Z]{3}$/);
    assert.equal(agent.confirmed[0].resumed, false);
    assert.deepEqual([agent.tunnel.state, controller.tunnel.state], ['open', 'open']);
  });

  it('the owner of the agent is told before T3 leaves, and what he sends then comes after it', () => {
    const all = bench();
    let seen: number[] = [];
    all.agent.onConfirmed = () => {
      seen = all.carrier.carried.map(({ body }) => body[0]);
      all.agent.tunnel.send(credit(7));
    };
    all.carrier.join('controller', all.controller);
    all.carrier.join('agent', all.agent);
    all.carrier.run();
    assert.equal(seen.includes(0x03), false);
    assert.deepEqual(all.controller.words, [7]);
  });

  it('no box of the controller leaves before its owner has stored the resume secret: one that dies earlier is not locked out', async () => {
    const all = bench();
    const stored = all.controller.slowDisk();
    all.agent.onConfirmed = () => all.agent.tunnel.send(credit(1));
    all.carrier.join('controller', all.controller);
    all.carrier.join('agent', all.agent);
    all.carrier.run();
    all.controller.tunnel.send(frame(1));
    settle(all, 2000);
    assert.deepEqual(all.controller.words, [1], 'it hears');
    const boxes = () => all.carrier.carried.filter(({ from, body }) => from === 'controller' && body[0] === 0x10);
    assert.equal(boxes().length, 0, 'and says nothing');

    const second = new End('controller', all.clock, 'second process', { invite: inviteSecret() });
    all.carrier.leave('controller');
    all.carrier.join('controller', second);
    settle(all, 12_000);
    assert.equal(second.confirmed.length, 1, 'the invite still opens a tunnel');
    assert.equal(second.confirmed[0].resumed, false);
    assert.deepEqual(all.agent.failures, []);

    stored();
    await Promise.resolve();
  });

  it('what the controller has said meanwhile leaves when the resume secret is stored', async () => {
    const all = bench();
    const stored = all.controller.slowDisk();
    all.carrier.join('controller', all.controller);
    all.carrier.join('agent', all.agent);
    all.carrier.run();
    all.controller.tunnel.send(frame(1));
    all.carrier.relink();
    settle(all, 1000);
    assert.deepEqual(all.agent.words, []);
    stored();
    await Promise.resolve();
    await Promise.resolve();
    settle(all, 100);
    assert.deepEqual(all.agent.words, [1]);
  });

  it('a second tunnel opened while the secret of the first is being stored waits for its own storing', async () => {
    const all = bench();
    const stored: (() => void)[] = [];
    all.controller.keepsBy(() => new Promise((resolve) => stored.push(resolve)));
    all.carrier.join('controller', all.controller);
    all.carrier.join('agent', all.agent);
    all.carrier.run();
    all.carrier.relink();
    settle(all, 5000);
    assert.equal(stored.length, 2, 'an agent that hears nothing opens another tunnel');
    all.controller.tunnel.send(frame(2));
    for (const [index, words] of [[], [2]].entries()) {
      stored[index]!();
      await Promise.resolve();
      settle(all, 1000);
      assert.deepEqual(all.agent.words, words);
    }
  });

  it('a resume secret that cannot be stored: nothing is said, and nothing breaks', async () => {
    const all = bench();
    all.controller.keepsBy(() => Promise.reject(new Error('the disk is full')));
    all.carrier.join('controller', all.controller);
    all.carrier.join('agent', all.agent);
    all.carrier.run();
    all.controller.tunnel.send(frame(1));
    await new Promise((resolve) => setImmediate(resolve));
    settle(all, 2000);
    assert.deepEqual(all.agent.words, []);
  });

  it('T1 travels again byte for byte, and gets the same T2', () => {
    const all = bench();
    all.carrier.weather = (body) => (body[0] === 0x03 || body[0] === 0x02 ? [] : [0]);
    all.carrier.join('controller', all.controller);
    all.carrier.join('agent', all.agent);
    all.carrier.run();
    all.carrier.relink();
    settle(all, 6000);
    const t1 = all.carrier.carried.filter(isTag(0x01));
    const t2 = all.carrier.carried.filter(isTag(0x02));
    assert.ok(t1.length >= 3 && t2.length >= 3);
    for (const item of t1) assert.deepEqual(item.body, t1[0].body);
    for (const item of t2) assert.deepEqual(item.body, t2[0].body);
    all.carrier.weather = fair;
    settle(all, 6000);
    assert.equal(all.controller.confirmed.length, 1);
  });

  it('a lost T3 is made up for on rejoining, and by time alone', () => {
    for (const relink of [true, false]) {
      const all = bench();
      all.carrier.weather = (body) => (body[0] === 0x03 ? [] : [0]);
      all.agent.onConfirmed = () => all.agent.tunnel.send(credit(1));
      all.carrier.join('controller', all.controller);
      all.carrier.join('agent', all.agent);
      all.carrier.run();
      assert.equal(all.controller.confirmed.length, 0);
      all.carrier.weather = fair;
      if (relink) all.carrier.relink();
      settle(all, relink ? 200 : 12_000);
      assert.deepEqual([all.controller.confirmed.length, all.controller.words], [1, [1]]);
    }
  });

  for (const [name, agentSecret, controllerSecret] of [['psk', psk(new Uint8Array(32)), inviteSecret()]] as const) {
    it(`a controller with another ${name} is refused in words`, () => {
      const all = bench({ agent: { invite: agentSecret }, controller: { invite: controllerSecret } });
      all.carrier.join('controller', all.controller);
      all.carrier.join('agent', all.agent);
      settle(all, 1000);
      assert.deepEqual(
        all.agent.failures.map((error) => error.code),
        ['BF-TUNNEL-HANDSHAKE'],
      );
      assert.equal(all.agent.confirmed.length + all.controller.confirmed.length, 0);
      assert.equal(all.agent.tunnel.state, 'failed');
    });
  }

  it('nothing can be sent before', () => {
    refuses('BF-TUNNEL-CLOSED', () => bench().agent.tunnel.send(credit(1)));
  });

  it('an altered T1, T2 or T3 confirms nothing', () => {
    for (const tag of [0x01, 0x02, 0x03]) {
      for (const offset of [1, 33, 65, -1]) {
        const all = bench();
        all.carrier.weather = (body) => {
          if (body[0] === tag) body[offset < 0 ? body.length - 1 : Math.min(offset, body.length - 1)] ^= 4;
          return [0];
        };
        all.carrier.join('controller', all.controller);
        all.carrier.join('agent', all.agent);
        settle(all, 500);
        assert.equal(all.controller.confirmed.length, 0, `tag ${tag}, byte ${offset}`);
      }
    }
  });
});

describe('tunnel: messages', () => {
  it('carries messages both ways in order and acknowledges them', () => {
    const all = opened();
    for (const n of upTo(100)) {
      all.agent.tunnel.send(credit(n));
      all.controller.tunnel.send(frame(n));
    }
    settle(all, 500);
    assert.deepEqual([all.controller.words, all.agent.words], [upTo(100), upTo(100)]);
    assert.deepEqual([all.agent.tunnel.unacknowledged, all.controller.tunnel.unacknowledged], [0, 0]);
    assert.ok(all.agent.drained >= 1);
  });

  it('acknowledges after 32 boxes or 100 ms, and comes to rest', () => {
    const all = opened();
    settle(all, 500);
    const before = all.carrier.carried.length;
    for (const n of upTo(64)) all.controller.tunnel.send(frame(n));
    all.carrier.run();
    const acks = () => all.carrier.carried.slice(before).filter(({ from }) => from === 'agent').length;
    assert.equal(acks(), 2);
    all.controller.tunnel.send(frame(65));
    all.carrier.run();
    all.clock.advance(99);
    assert.equal(acks(), 2);
    all.clock.advance(1);
    assert.equal(acks(), 3);
    settle(all, 120_000, 500);
    assert.equal(acks(), 3);
    assert.equal(all.clock.pending, 0);
  });

  const dice = (index: number, seed: number) =>
    (Math.imul(index + 1, 2654435761) ^ Math.imul(seed, 40503 * 7919)) >>> 9;
  const weathers: [string, (seed: number) => Weather][] = [
    ['loses every sixth', (seed) => (_body, _from, index) => (dice(index, seed) % 6 === 0 ? [] : [0])],
    ['repeats everything', () => () => [0, 1, 5]],
    ['exchanges neighbours', (seed) => (_body, _from, index) => [(index + seed) % 2 === 0 ? 2 : 0]],
    [
      'does all of it',
      (seed) => (_body, _from, index) => {
        const thrown = dice(index, seed);
        return thrown % 5 === 0 ? [] : thrown % 7 === 0 ? [0, 3] : [thrown % 4];
      },
    ],
  ];
  for (const [name, weather] of weathers) {
    for (const seed of [1, 2, 3]) {
      it(`arrives complete and in order when the network ${name} (${seed})`, () => {
        const all = opened();
        all.carrier.weather = weather(seed);
        for (const n of upTo(60)) {
          all.agent.tunnel.send(credit(n));
          all.controller.tunnel.send(frame(n));
          if (n % 10 === 0) settle(all, 100);
        }
        settle(all, 600_000, 250);
        assert.deepEqual([all.controller.words, all.agent.words], [upTo(60), upTo(60)]);
        assert.deepEqual([all.agent.failures, all.controller.failures], [[], []]);
      });
    }
  }

  it('survives losing the link at every message', () => {
    const all = opened();
    for (const n of upTo(40)) {
      all.agent.tunnel.send(credit(n));
      if (n % 2 === 0) all.carrier.run();
      all.carrier.leave('agent');
      all.agent.tunnel.send(credit(1000 + n));
      all.controller.tunnel.send(frame(n));
      all.carrier.join('agent', all.agent);
      if (n % 3 === 0) all.carrier.run();
    }
    settle(all, 2000);
    assert.deepEqual(
      all.controller.words,
      upTo(40).flatMap((n) => [n, 1000 + n]),
    );
    assert.deepEqual(all.agent.words, upTo(40));
    assert.equal(all.agent.confirmed.length, 1);
  });

  it('a resent box is the stored ciphertext', () => {
    const all = opened();
    all.carrier.weather = () => [];
    all.agent.tunnel.send(credit(1));
    all.carrier.weather = fair;
    all.carrier.relink();
    settle(all, 500);
    const boxes = all.carrier.carried.filter(({ from, body }) => from === 'agent' && body[0] === 0x10 && body[1] === 1);
    assert.ok(boxes.length >= 2);
    for (const box of boxes) assert.deepEqual(box.body, boxes[0].body);
  });

  it('a flipped bit ends the session on the receiving side, in words', () => {
    const all = opened();
    all.agent.tunnel.send(credit(1));
    all.carrier.run();
    all.carrier.weather = (body) => {
      body[20] ^= 1;
      return [0];
    };
    all.agent.tunnel.send(credit(2));
    all.carrier.run();
    assert.deepEqual(
      all.controller.failures.map((error) => error.code),
      ['BF-TUNNEL-AUTHENTICATION'],
    );
    assert.deepEqual(all.controller.words, [1]);
    refuses('BF-TUNNEL-CLOSED', () => all.controller.tunnel.send(frame(1)));
  });

  it('refuses more than 4096 messages or 8 MiB that nobody acknowledged', () => {
    const many = opened();
    many.carrier.leave('controller');
    for (const n of upTo(4096)) many.agent.tunnel.send(credit(n));
    refuses('BF-TUNNEL-TIMEOUT', () => many.agent.tunnel.send(credit(4097)));
    const large = opened();
    large.carrier.leave('agent');
    let count = 0;
    refuses('BF-TUNNEL-TIMEOUT', () => {
      for (;;) large.controller.tunnel.send(frame(++count));
    });
    assert.ok(count * 4096 > 8_000_000 && count * 4064 < 8 * 1024 * 1024 + 4096);
    many.carrier.join('controller', many.controller);
    settle(many, 2000);
    assert.deepEqual(many.controller.words, upTo(4096), 'what was accepted still arrives');
  });

  it('a side cannot send the other side’s messages', () => {
    const all = opened();
    refuses('BF-INTERNAL-ARGUMENT', () => all.agent.tunnel.send(frame(1)));
    refuses('BF-INTERNAL-ARGUMENT', () => all.controller.tunnel.send(credit(1)));
  });

  it('an exception of the owner reaches the owner and does not end the tunnel', () => {
    const all = opened();
    all.controller.onMessage = () => {
      throw new RangeError('mine');
    };
    all.agent.tunnel.send(credit(1));
    assert.throws(() => all.carrier.run(), RangeError);
    all.controller.onMessage = () => {};
    all.agent.tunnel.send(credit(2));
    settle(all, 200);
    assert.deepEqual([all.controller.words, all.controller.failures], [[1, 2], []]);
  });

  it('garbage and forged RESUME harm nobody', () => {
    const all = opened();
    all.agent.tunnel.send(credit(1));
    all.carrier.run();
    const resume = Uint8Array.of(0x11, ...new Uint8Array(8), 0, 0, 0, 0);
    for (const body of [
      new Uint8Array(0),
      new Uint8Array(1),
      Uint8Array.of(0x10),
      Uint8Array.of(0x7f),
      resume,
      new Uint8Array(9000),
    ]) {
      for (const side of ['agent', 'controller'] as const) all.carrier.inject(side, body);
    }
    all.agent.tunnel.send(credit(2));
    settle(all, 200);
    assert.deepEqual(all.controller.words, [1, 2]);
  });
});

describe('tunnel: coming back, and coming uninvited', () => {
  it('the next agent process opens a tunnel with the resume secret', () => {
    const all = opened();
    all.agent.tunnel.send(credit(1));
    settle(all, 200);
    const { resumeSecret } = all.agent.confirmed[0];
    all.carrier.leave('agent');
    all.agent.tunnel.close();
    const next = new End('agent', all.clock, 'second process', { resume: resumeSecret });
    all.carrier.join('agent', next);
    settle(all, 200);
    next.tunnel.send(credit(2));
    all.controller.tunnel.send(frame(5));
    settle(all, 200);
    assert.deepEqual([all.controller.words, next.words], [[1, 2], [5]]);
    assert.deepEqual(next.confirmed, all.controller.confirmed.slice(1));
    assert.equal(next.confirmed[0].resumed, true);
    assert.deepEqual(next.confirmed[0].resumeSecret, resumeSecret);
    assert.notEqual(next.confirmed[0].code, all.agent.confirmed[0].code);
  });

  it('the next controller process is found by the living agent', () => {
    const all = opened();
    all.agent.tunnel.send(credit(1));
    settle(all, 200);
    const { resumeSecret } = all.controller.confirmed[0];
    all.carrier.leave('controller');
    all.controller.tunnel.close();
    const next = new End('controller', all.clock, 'second process', { resume: resumeSecret });
    all.carrier.join('controller', next);
    settle(all, 10_000);
    assert.equal(next.confirmed.length, 1);
    assert.equal(all.agent.confirmed.length, 2);
    next.tunnel.send(frame(9));
    all.agent.tunnel.send(credit(3));
    settle(all, 200);
    assert.deepEqual([next.words, all.agent.words], [[3], [9]]);
  });

  it('a controller that lost everything before T3 came is found with the invite’s secret', () => {
    const all = bench();
    all.carrier.weather = (body) => (body[0] === 0x03 ? [] : [0]);
    all.carrier.join('controller', all.controller);
    all.carrier.join('agent', all.agent);
    all.carrier.run();
    all.carrier.leave('controller');
    all.carrier.weather = fair;
    const next = new End('controller', all.clock, 'second process', { invite: inviteSecret() });
    all.carrier.join('controller', next);
    settle(all, 20_000);
    assert.equal(next.confirmed.length, 1);
    assert.deepEqual(next.confirmed[0].resumeSecret, all.agent.confirmed.at(-1)?.resumeSecret);
  });

  it('an agent with both secrets falls back to the invite when the resume secret is not answered', () => {
    const all = bench({ agent: { invite: inviteSecret(), resume: psk(new Uint8Array(32).fill(3)) } });
    all.carrier.join('controller', all.controller);
    all.carrier.join('agent', all.agent);
    settle(all, 6000);
    assert.deepEqual([all.agent.confirmed.length, all.controller.confirmed.length], [1, 1]);
    assert.equal(all.agent.confirmed[0].resumed, false);
  });

  it('an agent that has only a resume secret the controller never got says so within a minute or so', () => {
    const all = bench({ agent: { resume: psk(new Uint8Array(32).fill(7)) } });
    all.carrier.join('controller', all.controller);
    all.carrier.join('agent', all.agent);
    settle(all, 50_000);
    assert.equal(all.agent.failures.length, 0);
    settle(all, 20_000);
    assert.equal(all.agent.failures[0]?.code, 'BF-TUNNEL-TIMEOUT');
  });

  it('answers that fit nothing do not keep an agent with a live session from the next controller', () => {
    const all = opened();
    all.agent.tunnel.send(credit(1));
    all.controller.tunnel.send(frame(1));
    settle(all, 500);
    const resume = psk(all.agent.confirmed[0].resumeSecret);
    all.carrier.leave('controller');
    const second = new End('controller', all.clock, 'second process', { resume });
    let spoiled = 0;
    all.carrier.weather = (body, from) => {
      if (from === 'controller' && body[0] === 0x02 && spoiled++ < 3) body[20] ^= 1;
      return [0];
    };
    all.carrier.join('controller', second);
    settle(all, 20_000);
    assert.equal(spoiled > 3, true);
    assert.equal(second.confirmed.length, 1);
    assert.deepEqual(all.agent.failures, []);
  });

  it('a second use of the invite is refused, reported once, and disturbs nobody', () => {
    const all = opened();
    const thief = new End('agent', all.clock, 'thief', { invite: inviteSecret() });
    all.carrier.leave('agent');
    all.carrier.join('agent', thief);
    settle(all, 50_000);
    assert.deepEqual([thief.confirmed.length, thief.failures.length], [0, 0]);
    settle(all, 20_000);
    assert.equal(thief.confirmed.length, 0);
    assert.equal(thief.failures[0]?.code, 'BF-INVITE-USED');
    assert.deepEqual(
      all.controller.refusals.map((error) => error.code),
      ['BF-INVITE-USED'],
    );
    all.carrier.leave('agent');
    all.carrier.join('agent', all.agent);
    all.agent.tunnel.send(credit(4));
    settle(all, 5000);
    assert.deepEqual(all.controller.words, [4]);
    assert.equal(all.controller.confirmed.length, 1);
  });

  it('replayed T1, T2 and T3 of the invite and of a resumed tunnel evict nobody', () => {
    const all = opened();
    const { resumeSecret } = all.agent.confirmed[0];
    const second = new End('agent', all.clock, 'second process', { resume: resumeSecret });
    all.carrier.leave('agent');
    all.carrier.join('agent', second);
    settle(all, 200);
    second.tunnel.send(credit(1));
    settle(all, 200);
    const old = all.carrier.carried.filter(({ body }) => body[0] <= 0x03);
    for (const { from, body } of old) all.carrier.inject(from === 'agent' ? 'controller' : 'agent', body);
    second.tunnel.send(credit(2));
    settle(all, 500);
    assert.deepEqual(all.controller.words, [1, 2]);
    assert.equal(all.controller.confirmed.length, 2);
    assert.deepEqual([second.failures, all.controller.failures], [[], []]);
  });

  it('a flood of T1 with the resume id is bounded and evicts nobody', () => {
    const all = opened();
    for (let i = 0; i < 12; i++) {
      const t1 = new Uint8Array(81);
      t1.set([0x01, 9, i], 0);
      t1[65] = 2;
      all.carrier.inject('controller', t1);
      all.carrier.inject('controller', Uint8Array.of(0x03, ...new Uint8Array(32).fill(i)));
    }
    all.agent.tunnel.send(credit(1));
    settle(all, 500);
    assert.deepEqual(all.controller.words, [1]);
    assert.equal(all.controller.confirmed.length, 1);
  });

  it('boxes of the old session that come late do not harm the new one', () => {
    const all = opened();
    const { resumeSecret } = all.agent.confirmed[0];
    all.carrier.leave('agent');
    const next = new End('agent', all.clock, 'second process', { resume: resumeSecret });
    all.carrier.weather = (body, from) => {
      // The controller goes on in the old session while T3 is under way: its first box arrives after the new session began.
      if (from === 'agent' && body[0] === 0x03 && all.controller.words.length === 0) {
        all.controller.tunnel.send(frame(1));
      }
      return [0];
    };
    all.carrier.join('agent', next);
    settle(all, 300);
    all.carrier.weather = fair;
    all.controller.tunnel.send(frame(2));
    next.tunnel.send(credit(2));
    settle(all, 10_000);
    assert.deepEqual([all.controller.words, next.words, next.failures], [[2], [2], []]);
  });

  it('a closed tunnel has no timer and hears nothing', () => {
    const all = opened();
    all.agent.tunnel.send(credit(1));
    all.agent.tunnel.close();
    all.controller.tunnel.close();
    assert.equal(all.clock.pending, 0);
    all.carrier.run();
    assert.deepEqual(all.controller.messages, []);
  });
});
